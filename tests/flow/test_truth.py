#!/usr/bin/env python3
"""Truth from outside: real logs of a real server, counted here by another method, in another language."""
import os
import re
import sys
from datetime import datetime

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import CORPORA, House, case, done, need_binary, note, skip  # noqa: E402

LOG = os.path.join(CORPORA, "loghub", "OpenSSH_2k.log")
RULE = "4e5d479d-6303-4038-b900-1eab94288d5f"  # SSH brute force from one address: 10 in 2 minutes
SPAN, COUNT = 120, 10
LINE = re.compile(r"^(\w{3} +\d+ [\d:]{8}) \S+ sshd\[\d+\]: (?:message repeated (\d+) times: \[ ?)?"
                  r"Failed (?:password|keyboard-interactive\S*) for .* from (\S+) port \d+")


def brute_forcers(path):
    """Sources with COUNT refusals within SPAN seconds: every pair of refusals is looked at."""
    times = {}
    with open(path, errors="replace") as file:
        for line in file:
            match = LINE.match(line)
            if match:
                when = datetime.strptime("2000 " + match.group(1), "%Y %b %d %H:%M:%S").timestamp()
                times.setdefault(match.group(3), []).append(when)
    found = set()
    for source, list_ in times.items():
        for first in list_:
            if sum(1 for other in list_ if first <= other <= first + SPAN) >= COUNT:
                found.add(source)
    return found


def main():
    need_binary()
    if not os.path.exists(LOG):
        skip("brute force in a real log", f"no corpus at {LOG}")
        done()
        return
    expected = brute_forcers(LOG)
    with House() as house:
        out = house.tool("replay", "--json", "--store", "--name", "truth", LOG)
        case("the log is replayed", out.returncode == 0, out.stderr)
        alerts = house.alerts("--replay", "truth")
        found = {a["alert"]["groups"][0]["value"] for a in alerts if a["alert"]["rule"]["id"] == RULE}
        note(f"{len(expected)} sources by the independent count, {len(found)} by Tocsin")
        case("brute force alerts for exactly the sources that an independent count finds",
             found == expected and len(found) > 0,
             f"missing {sorted(expected - found)}", f"extra {sorted(found - expected)}")
        again = house.tool("replay", "--json", "--store", "--name", "truth2", LOG)
        ids = sorted((a["id"], a["count"]) for a in alerts)
        case("a second replay of the same name's kind counts the same",
             again.returncode == 0 and sorted(a["count"] for a in house.alerts("--replay", "truth2")) ==
             sorted(count for _, count in ids))
        shown = house.tool("alerts", "show", alerts[0]["id"], "--replay", "truth", "--json")
        case("the evidence of an alert of a replay is kept", '"raw":"Dec 10' in shown.stdout, shown.stdout[:500])
    done()


main()
