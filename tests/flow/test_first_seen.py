#!/usr/bin/env python3
"""First-seen over whole stages with two workers that are killed with -9 all the while: each account is told
once on each host, whatever dies, and after all of it has died and come back nothing is told again."""
import collections
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import House, case, done, need_binary, send_tcp, stamp, wait_for  # noqa: E402

SETTINGS = ("correlate.lateness=1s", "correlate.idle=2s", "correlate.snapshot=500ms", "collector.tick=500ms",
            "correlate.workers=2", "store.fold=0")
RULE = """\
title: Account that is new on a host
id: new-account
logsource: {product: linux, service: sshd}
detection: {selection: {action: accepted}, condition: selection}
tocsin:
  first_seen: {fields: [User], by: [host], within: 30d, learn: 0}
"""
ROUNDS, EACH = 8, 60
WORKERS = [("correlate", "--instance", f"{n}/2") for n in range(2)]


def login(host, user, n):
    return (f"<86>1 {stamp(time.time())} {host} sshd {n} - - Accepted password for {user} from 198.51.100.7 "
            f"port {1024 + n} ssh2")


def told(house):
    found = collections.Counter()
    for alert in house.alerts():
        groups = {g["name"]: g["value"] for g in alert["alert"]["groups"]}
        found[groups.get("host"), groups.get("User")] += 1
    return found


def restart(house, name, words):
    house.stop(name, signal.SIGKILL)
    house.start(*words, name=name)


def main():
    need_binary()
    with House(settings=SETTINGS) as house:
        rules = os.path.join(house.path, "r.yml")
        with open(rules, "w") as file:
            file.write(RULE)
        house.settings = [s for s in house.settings if not s.startswith("rules.paths")] + [f"rules.paths={rules}"]
        for words, name in [(("collect",), None), (("store",), None)] + \
                [(words, f"w{n}") for n, words in enumerate(WORKERS)]:
            house.start(*words, name=name)
        wait_for(lambda: "store" in house.status())
        sent = collections.Counter()
        for turn in range(ROUNDS):
            lines = []
            for n in range(EACH):
                # every account comes back in every round; a few are new in each
                host, user = f"gw{n % 3}", f"u{n % (10 + 2 * turn)}"
                sent[host, user] = 1
                lines.append(login(host, user, turn * EACH + n))
            send_tcp(house.port, lines)
            time.sleep(0.4)
            restart(house, f"w{turn % 2}", WORKERS[turn % 2])
            time.sleep(0.2)
        good = wait_for(lambda: told(house) == sent, 60, 0.5)
        case("each account is told once on each host", good, told(house) - sent, sent - told(house), house.log())
        case("and all of it settles",
             wait_for(lambda: all(a["status"] == "settled" for a in house.alerts()), 20), house.log())
        for n, words in enumerate(WORKERS):
            restart(house, f"w{n}", words)
        send_tcp(house.port, [login(host, user, n) for n, (host, user) in enumerate(sorted(sent))] +
                 [login("gw9", "moi", 7)])
        sent["gw9", "moi"] = 1
        good = wait_for(lambda: ("gw9", "moi") in told(house), 30, 0.5)
        time.sleep(2)
        case("what was seen before all died is still known", good and told(house) == sent,
             told(house) - sent, sent - told(house), house.log())
        workers = [s["details"]["remembered"] for n, s in house.status().items() if n.startswith("correlate")]
        case("how much is remembered is told", sum(workers) == len(sent), workers, len(sent))
    done()


main()
