#!/usr/bin/env python3
"""One log, five ways: live over TCP, and again from the bus by 1, 2 and 4 workers, and shuffled within the
lateness bound. The settled alerts are the same, with the same ids and counts.

The log is ours, with the times of its sending: the scenario of `make run`, four attackers that tell
several senders of themselves, and noise.
"""
import os
import random
import re
import shutil
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import ROOT, House, case, copy_events, done, need_binary, note, wait_for  # noqa: E402

SPEED = 8
SENDERS = 4
LATENESS_S, BOUND_MS = 4, 2000
SETTINGS = (f"correlate.lateness={LATENESS_S}s", "correlate.idle=6s", "correlate.snapshot=1s",
            "collector.tick=1s")
FACILITIES = {"auth": 4, "authpriv": 10, "cron": 9, "daemon": 3, "user": 1}
LEVELS = {"notice": 5, "info": 6}


def schedule():
    """(seconds, host, line, n) of deploy/demo/scenario.txt, in order."""
    rows = []
    with open(os.path.join(ROOT, "deploy", "demo", "scenario.txt")) as file:
        for text in file:
            if text.startswith("#") or not text.strip():
                continue
            at, via, host, line = text.rstrip("\n").split("|", 3)
            if via.startswith("logger"):
                what, tag, message = line.split(" ", 2)
                facility, level = what.split(".")
                name, _, pid = tag.rstrip("]").partition("[")
                line = f"<{FACILITIES[facility] * 8 + LEVELS[level]}>1 {{iso}} qlvb01 {name} " \
                       f"{pid or '-'} - - {message}"
                host = "qlvb01"
            match = re.fullmatch(r"([\d.]+)(?:x(\d+)/([\d.]+))?", at)
            begin, times, over = float(match[1]), int(match[2] or 1), float(match[3] or 0)
            rows += [(begin + over * n / times, host, line, n + 1) for n in range(times)]
    return rows


def filled(line, n, now):
    utc = time.gmtime(now)
    marks = {"rfc3164": time.strftime("%b %e %H:%M:%S", utc), "n": str(n), "epoch": str(int(now)),
             "iso": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", utc),
             "clf": time.strftime("%d/%b/%Y:%H:%M:%S +0000", utc),
             "utc": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", utc)}
    return re.sub(r"\{(\w+)\}", lambda match: marks.get(match[1], match[0]), line)


def attacks(chance):
    """Twelve refused logins each, in two seconds, by whichever sender; now and then one that is right."""
    rows = []
    for number in range(60):
        begin = chance.uniform(0, 70)
        address = f"198.18.7.{number + 1}"
        for n in range(12):
            rows.append((begin + n * SPEED / 6, f"gw{chance.randrange(9)}",
                         "<38>1 {iso} gw sshd {n} - - Failed password for "
                         f"canbo{n % 3} from {address} port {2000 + n} ssh2", n))
        if number % 5 == 0:
            rows.append((begin + 13 * SPEED / 6, f"gw{chance.randrange(9)}",
                         f"<38>1 {{iso}} gw sshd 7 - - Accepted password for canbo1 from {address} port 99 ssh2", 0))
    return rows


def send(port, rows):
    links = [socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.0.{who + 2}", 0))
             for who in range(SENDERS)]
    begun = time.time()
    for at, host, line, n in sorted(rows, key=lambda row: row[0]):
        wait = begun + at / SPEED - time.time()
        if wait > 0:
            time.sleep(wait)
        links[sum(host.encode()) % SENDERS].sendall(filled(line, n, time.time()).encode() + b"\n")
    for link in links:
        link.close()


def settled(house, events):
    """Waits until all is read and settled; the alerts."""
    good = house.drained(90, events) and \
        wait_for(lambda: all(stage["details"]["pending"] == 0 for name, stage in house.status().items()
                             if name.startswith("correlate")), 60, 0.3)
    wait_for(lambda: all(a["status"] == "settled" for a in house.alerts()), 40, 0.5)
    before = []
    while named(house.alerts()) != before:  # the last are still on their way to the store
        before = named(house.alerts())
        time.sleep(2)
    return good, house.alerts()


def named(alerts):
    return sorted((a["id"], a["status"], a["count"], a["alert"]["rule"]["id"]) for a in alerts)


def again(live, workers, seed, bound_ms):
    """The same events from a copy of the bus."""
    with House(settings=SETTINGS) as house:
        events = copy_events(live, os.path.join(house.path, "bus"), seed, bound_ms)
        shutil.copy(os.path.join(live.path, "site.key"), house.path)
        house.start("store")
        for i in range(workers):
            house.start("correlate", "--instance", f"{i}/{workers}", name=f"correlate{i}")
        house.start("collect")
        wait_for(lambda: len(house.status()) == workers + 2, 30)
        good, alerts = settled(house, events)
        late = sum(s["details"]["late"] for n, s in house.status().items() if n.startswith("correlate"))
        busy = [s["details"]["events"] for n, s in sorted(house.status().items()) if n.startswith("correlate")]
        return good, alerts, late, busy, house.status()["store"]["details"]["replaced"], house.log()


def main():
    need_binary()
    chance = random.Random(int(os.environ.get("TOCSIN_SEED", "1")))
    noise = [(i / 50, f"pc{i % 40}", "<78>1 {iso} pc CRON {n} - - (root) CMD (true)", i) for i in range(4000)]
    rows = schedule() + attacks(chance) + noise
    with House(settings=SETTINGS) as house:
        house.run()
        send(house.port, rows)
        wait_for(lambda: house.total().get("durable") == len(rows), 20)
        good, alerts = settled(house, len(rows))
        live = named(alerts)
        rules = {row[3] for row in live}
        note(f"{len(rows)} events, live: {len(live)} alerts of {len(rules)} rules")
        case("live: everything is read and settled", good, house.status(), house.log())
        case("live: attacks of many kinds are found",
             len(rules) >= 10 and sum(row[3].startswith("4e5d479d") for row in live) >= 60, sorted(rules))
        case("live: every alert is settled", all(row[1] == "settled" for row in live),
             [row for row in live if row[1] != "settled"][:5])
        house.stop()
        for name, workers, seed, bound in (("1 worker", 1, 0, 0), ("2 workers", 2, 0, 0),
                                           ("4 workers", 4, 0, 0), ("shuffled, 1 worker", 1, 1, BOUND_MS),
                                           ("shuffled, 4 workers", 4, 2, BOUND_MS)):
            good, alerts, late, busy, replaced, log = again(house, workers, seed, bound)
            other = named(alerts)
            note(f"{name}: {len(other)} alerts, {late} late, {replaced} early ones replaced, events by worker {busy}")
            case(f"{name}: the same settled ids and counts", good and other == live,
                 f"only live: {[r for r in live if r not in other][:5]}",
                 f"only {name}: {[r for r in other if r not in live][:5]}", log if not good else "")
            if bound:
                case(f"{name}: the order was another one, early alerts were replaced", replaced > 0)
            if workers > 1:
                case(f"{name}: more than one has worked", sum(count > 0 for count in busy) > 1, busy)
    done()


main()
