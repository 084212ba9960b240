#!/usr/bin/env python3
"""Zombies: a stage is frozen (SIGSTOP), a replacement takes over, the frozen one wakes and goes on beside it.

Then the same with a mutant, the program without the comparison in checkpoint_advance: it must be caught. Ids
and repeats absorb what two workers do twice, so what tells it from the real one may be the fence alone: of two
workers at the same work, neither ever finds the other.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flow  # noqa: E402
from flow import BUILD, LONG, ROOT, House, case, done, need_binary, note, wait_for  # noqa: E402
from kills import Campaign, bus_truth, clean_run, found, judge  # noqa: E402

SEED = int(os.environ.get("TOCSIN_SEED", "1"))
SETTINGS = ("correlate.lateness=2s", "correlate.idle=5s", "correlate.snapshot=1s", "collector.tick=1s")
LIBRARIES = ["-lyaml", "-ljansson", "-llmdb", "-lrdkafka", "-lpcre2-8", "-lz", "-lssl", "-lcrypto", "-lpthread", "-lm"]


class Zombies(Campaign):
    """A frozen stage keeps its control socket, so each life has a folder of its own for it."""

    def __init__(self, house, rounds, rate, seed):
        super().__init__(house, rounds, rate, seed, [])
        self.lives = {}
        self.count = 0

    def start(self, name):
        self.count += 1
        run = os.path.join(self.house.path, f"run{self.count}")
        process = self.house.start(name, "-o", f"run.path={run}", name=f"{name}.{self.count}")
        self.lives[name] = (f"{name}.{self.count}", run, process)
        wait_for(lambda: self.house.status(run), 10)
        return self.lives[name]

    def stages(self):
        found_ = {}
        for _, run, _ in self.lives.values():
            found_.update(self.house.status(run))
        return found_

    def round(self):
        name = "store" if self.random.random() < 0.3 else "correlate"
        old, run, process = self.lives[name]
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0, 0.05))
        self.start(name)
        time.sleep(self.random.uniform(0.3, 1.5))
        process.send_signal(signal.SIGCONT)
        time.sleep(self.random.uniform(0.5, 1.5))
        self.look()
        self.look(self.house.status(run))
        self.house.stop(old, signal.SIGKILL)
        self.killed[name] += 1

    def run(self, middle=None):
        for name in ("store", "correlate", "collect"):
            self.start(name)
        self.traffic.start()
        begun = time.monotonic()
        for _ in range(self.kills):
            time.sleep(self.random.uniform(0.1, 0.5))
            self.round()
        self.look()
        self.traffic.stopping.set()
        self.traffic.join(60)
        self.flowed = time.monotonic() - begun


def mutant():
    """The program without the fence: its checkpoint.c compares nothing. A folder with it, or None."""
    folder = tempfile.mkdtemp(prefix="tocsin-mutant-")
    with open(os.path.join(ROOT, "bus", "checkpoint.c")) as file:
        text = file.read()
    changed, count = re.subn(r"if \((\w+) != expected\)", r"if (false && \1 != expected)", text)
    with open(os.path.join(folder, "checkpoint.c"), "w") as file:
        file.write(changed)
    for archive in glob.glob(os.path.join(BUILD, "lib*.a")):
        shutil.copy(archive, folder)
    steps = [["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-fPIE", f"-I{ROOT}", "-c", "checkpoint.c"],
             ["ar", "r", "libbus.a", "checkpoint.o"],
             ["sh", "-c", "cc -pie -o tocsin -Wl,--start-group lib*.a -Wl,--end-group " + " ".join(LIBRARIES)]]
    for step in steps:
        out = subprocess.run(step, cwd=folder, capture_output=True, text=True)
        if out.returncode != 0:
            note(out.stderr)
            count = 0
            break
    case("the mutant is built: one comparison less", count == 1, f"{count} places")
    return folder if count == 1 else None


def verdict(campaign):
    """What is wrong in the end, by the same measures as for the real program."""
    failures, _ = bus_truth(campaign.house)
    expected = {source for source, count in failures.items() if count >= 10}
    alerts = found(campaign.house.alerts())
    return {"missing": len(expected - set(alerts)), "extra": len(set(alerts) - expected),
            "twice": sum(len(l) != 1 for l in alerts.values()),
            "unsettled": sum(a["status"] != "settled" for l in alerts.values() for a in l),
            "fence hits": campaign.counters["correlate.stale"]}


def main():
    need_binary()
    with House(settings=SETTINGS) as house:
        zombies = Zombies(house, 200 if LONG else 10, 3000, SEED)
        zombies.run()
        quiet, state = zombies.settle()
        case("everything under way ends", quiet, state, house.log())
        alerts = judge(zombies, "zombies")
        for name in ("correlate", "store"):
            case(f"the fence of {name} was hit", not zombies.killed[name] or zombies.counters[f"{name}.stale"] > 0,
                 dict(zombies.counters))
        case("both were frozen", zombies.killed["correlate"] > 0 and zombies.killed["store"] > 0)
        house.stop()
        clean_run(house, SETTINGS, alerts, "zombies")
    folder = mutant()
    if folder:
        real, flow.TOCSIN = flow.TOCSIN, os.path.join(folder, "tocsin")
        try:
            with House(settings=SETTINGS) as house:
                zombies = Zombies(house, 5, 3000, SEED)
                zombies.run()
                zombies.settle(15)
                wrong = verdict(zombies)
                note(f"the mutant: {wrong}")
                case("the mutant is caught", wrong["fence hits"] == 0 or any(
                    wrong[key] for key in ("missing", "extra", "twice", "unsettled")), wrong)
        finally:
            flow.TOCSIN = real
            shutil.rmtree(folder, ignore_errors=True)
    done()


main()
