#!/usr/bin/env python3
"""kill -9 of the worker while other rules come again and again and 5,000 events/s flow. The rule that all sets
have finds what an uninterrupted run under one set finds: the same settled ids."""
import os
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, ROOT, House, case, done, need_binary, note, wait_for  # noqa: E402
from kills import Campaign, clean_run, judge  # noqa: E402

KILLS = 300 if LONG else 20
SEED = int(os.environ.get("TOCSIN_SEED", "1"))
SETTINGS = ("correlate.lateness=2s", "correlate.idle=5s", "correlate.snapshot=1s", "collector.tick=1s")

# Two meanings under one id, before and behind the others in order of path, so that all places move.
OTHER = """title: Jobs of cron
id: 0b0f5f5e-5a52-4c19-9a6e-00000000000{n}
logsource:
  definition: any
detection:
  keywords:
    - CMD (true {mark}
  condition: keywords
level: informational
"""


class Switching(Campaign):
    def __init__(self, rules, *words):
        super().__init__(*words)
        self.rules = rules
        self.asked = 0

    def ask(self):
        """Other files, and in three of four cases the signal too; the fourth finds them after its death."""
        chosen = self.random.randrange(4)
        for n, name in enumerate(("linux/aa.yml", "web/zz.yml")):
            path = os.path.join(self.rules, name)
            if chosen & (1 << n):
                with open(path, "w") as file:
                    file.write(OTHER.format(n=n, mark=f"#{self.random.randrange(1000, 9999)}"))
            elif os.path.exists(path):
                os.remove(path)
        if self.random.random() < 0.75:
            self.house.processes["correlate"].send_signal(signal.SIGHUP)
            self.asked += 1

    def kill(self):
        self.ask()
        time.sleep(self.random.choice((0, 0.005, 0.02, 0.05, 0.1, 0.3)))
        if self.random.random() < 0.7:
            super().kill()


def main():
    need_binary()
    rules = tempfile.mkdtemp(prefix="tocsin-rules-")
    shutil.copytree(os.path.join(ROOT, "rules"), rules, dirs_exist_ok=True)
    with House(rules=rules, settings=SETTINGS) as house:
        campaign = Switching(rules, house, KILLS, 5500, SEED, ["correlate"])
        campaign.run()
        wait_for(lambda: house.tool("rules", "reload").returncode == 0, 20)
        quiet, state = campaign.settle()
        case("everything under way ends", quiet, state, house.log())
        with open(os.path.join(house.path, "correlate.log")) as file:
            log = file.read()
        switches = log.count("rules are in force (")
        note(f"{campaign.asked} signals, {switches} switches, {log.count('beginning with')} starts with a kept set")
        case("rules were switched, and starts went on with kept sets",
             switches > KILLS // 3 and log.count("beginning with") > KILLS // 3, log[-3000:])
        case("no switch failed", "running rules stay" not in log and "damaged" not in log, log[-3000:])
        alerts = judge(campaign, "switching")
        house.stop()
        clean_run(house, SETTINGS, alerts, "switching")
    shutil.rmtree(rules, ignore_errors=True)
    done()


main()
