#!/usr/bin/env python3
"""Suppression over whole stages with two workers, while the store and the workers are killed with -9: each
rule and key is one alert, and every other match is counted on it, once. Muting one mutes no other."""
import collections
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import House, case, done, need_binary, send_tcp, stamp, wait_for  # noqa: E402

SETTINGS = ("correlate.lateness=2s", "correlate.idle=3s", "correlate.snapshot=1s", "collector.tick=1s",
            "correlate.workers=2")
RULE = """\
title: Failed login {n}
id: failed-{n}
logsource: {{product: linux, service: sshd}}
detection: {{selection: {{action: failed}}, condition: selection}}
tocsin:
  suppress: {{for: 1h, by: {by}}}
"""
ADDRESSES = [f"198.51.100.{n}" for n in range(5)]
USERS = ("root", "admin")
ROUNDS, EACH = 6, 40


def main():
    need_binary()
    with House(settings=SETTINGS) as house:
        rules = os.path.join(house.path, "r.yml")
        with open(rules, "w") as file:
            file.write("---\n".join(RULE.format(n=n, by=by) for n, by in
                                    ((1, "[src_ip]"), (2, "[User]"), (3, "[src_ip, User]"), (4, "[]"))))
        house.settings = [s for s in house.settings if not s.startswith("rules.paths")] + [f"rules.paths={rules}"]
        house.start("collect")
        names = [("store",), ("correlate", "--instance", "0/2"), ("correlate", "--instance", "1/2")]
        for number, words in enumerate(names):
            house.start(*words, name=f"s{number}")
        wait_for(lambda: "store" in house.status())
        sent = collections.Counter()
        for turn in range(ROUNDS):
            lines = []
            for n in range(EACH):
                address, user = ADDRESSES[n % 5], USERS[n % 7 % 2]
                lines.append(f"<38>1 {stamp(time.time())} gw{n % 4} sshd {turn * EACH + n} - - Failed password "
                             f"for {user} from {address} port {1024 + n} ssh2")
                sent[1, address] += 1
                sent[2, user] += 1
                sent[3, address, user] += 1
                sent[4,] += 1
            send_tcp(house.port, lines)
            time.sleep(0.3)
            for number, words in enumerate(names):
                if (turn + number) % 3 == 0:
                    continue
                house.stop(f"s{number}", signal.SIGKILL)
                house.start(*words, name=f"s{number}")

        def told():
            found = collections.Counter()
            for alert in house.alerts():
                rule = int(alert["alert"]["rule"]["id"][-1])
                key = {p["name"]: p["value"] for p in alert["alert"].get("suppress", [])}
                found[(rule, *(key[n] for n in ("src_ip", "User") if n in key))] += alert["suppressed"] + 1
            return found
        good = wait_for(lambda: told() == sent, 60, 0.5)
        case("every match is an alert or counted on one", good, told() - sent, sent - told(), house.log())
        alerts = house.alerts()
        case("one alert a rule and key", len(alerts) == len(sent), len(alerts), len(sent))
        case("and stays so once all has settled",
             wait_for(lambda: all(a["status"] == "settled" for a in house.alerts()), 20) and told() == sent)
        metrics = house.tool("metrics").stdout
        case("the counter is among the metrics", "tocsin_alerts_suppressed_total" in metrics, metrics[-500:])
    done()


main()
