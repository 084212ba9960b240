"""kill -9 at random moments while events flow, on any bus. Used by test_kill.py and test_kill_kafka.py.

The traffic: noise, and in it SOURCES addresses that each fail twelve SSH logins within a second. So each
source is one brute-force alert (ten make it, two are left), whatever is killed; what is on the bus in
the end is counted here by another method and must agree with what the store holds.
"""
import collections
import json
import os
import random
import re
import signal
import socket
import threading
import time

from flow import House, case, note, send_tcp, stamp, wait_for

RULE = "4e5d479d-6303-4038-b900-1eab94288d5f"
FAILED = re.compile(r"Failed password for \S+ from (\S+) port")


class Traffic(threading.Thread):
    """rate lines a second over TCP, reconnecting; remembers the sources whose lines it has sent."""

    def __init__(self, port, rate, seed):
        super().__init__(daemon=True)
        self.port, self.rate, self.random = port, rate, random.Random(seed)
        self.stopping = threading.Event()
        self.sent = 0
        self.breaks = 0
        self.source = 0
        self.queue = []

    def lines(self, count):
        now = stamp(time.time())
        out = []
        for _ in range(count):
            if not self.queue and self.random.random() < 0.02:
                self.source += 1
                address = f"198.18.{self.source // 250}.{self.source % 250 + 1}"
                self.queue = [address] * 12
            if self.queue and self.random.random() < 0.5:
                address = self.queue.pop()
                text = f"Failed password for root from {address} port {self.random.randrange(1024, 65535)} ssh2"
                out.append(f"<38>1 {now} gw{self.source % 7} sshd {self.sent + len(out)} - - {text}\n")
            else:
                out.append(f"<78>1 {now} gw1 CRON 99 - - (root) CMD (true #{self.sent + len(out)})\n")
        return out

    def run(self):
        link = None
        begun, made = time.monotonic(), 0
        while not self.stopping.is_set() or self.queue:
            due = int((time.monotonic() - begun) * self.rate) - made
            if due < 50:
                time.sleep(0.005)
                continue
            batch = self.lines(min(due, 500))
            made += len(batch)
            try:
                if link is None:
                    link = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                link.sendall("".join(batch).encode())
                self.sent += len(batch)
            except OSError:
                self.breaks += 1
                link = None
                time.sleep(0.05)
        if link is not None:
            link.close()


def bus_truth(house):
    """From the lines on the bus: failures per source, events per (collector, epoch)."""
    out = house.tool("bus", "cat", "events", seconds=300).stdout
    failures, epochs, seen = collections.Counter(), collections.Counter(), set()
    for line in out.splitlines():
        record = json.loads(line)
        if "event" not in record:
            continue
        event = record["event"]
        coordinate = event.get("at")
        key = coordinate if isinstance(coordinate, str) else json.dumps(coordinate, sort_keys=True)
        if key in seen:
            continue  # the same frame sent again: a repeat that the worker recognises too
        seen.add(key)
        epochs["-".join(key.split("-")[:2])] += 1
        match = FAILED.search(event.get("raw", ""))
        if match:
            failures[match.group(1)] += 1
    return failures, epochs


class Campaign:
    def __init__(self, house, kills, rate, seed, victims):
        self.house, self.kills, self.victims = house, kills, victims
        self.random = random.Random(seed)
        self.traffic = Traffic(house.port, rate, seed)
        self.counters = collections.Counter()  # summed over the lives of the processes
        self.last = {}
        self.killed = collections.Counter()

    def look(self):
        """Keeps the newest counters of each process; a new pid begins a new life."""
        for name, stage in self.house.status().items():
            details = stage["details"]
            for key in ("resent", "repeats", "detection_repeats", "stale", "evidence_missing"):
                value = details.get(key, 0)
                before = self.last.get((name, stage["pid"], key), 0)
                self.counters[f"{name}.{key}"] += max(0, value - before)
                self.last[(name, stage["pid"], key)] = value

    def start(self, name):
        self.house.start(name)

    def run(self):
        for name in ("store", "correlate", "collect"):
            self.start(name)
        wait_for(lambda: len(self.house.status()) == 3, 30)
        self.traffic.start()
        for _ in range(self.kills):
            time.sleep(self.random.uniform(0.15, 0.9))
            self.look()
            name = self.random.choice(self.victims)
            self.house.stop(name, signal.SIGKILL)
            self.killed[name] += 1
            self.start(name)
        time.sleep(1)
        self.traffic.stopping.set()
        self.traffic.join(60)

    def settle(self, seconds=60):
        """Everything read, everything stored, everything settled."""
        def counts():
            self.look()
            stages = self.house.status()
            if len(stages) < 3:
                return None
            return (stages["collect"]["details"].get("in_flight"),
                    stages["correlate"]["details"]["outbox"],
                    stages["correlate"]["details"]["pending"],
                    stages["store"]["details"]["evidence_waiting"])
        quiet = wait_for(lambda: counts() == (0, 0, 0, 0), seconds, 0.3)
        time.sleep(3)
        return quiet, counts()


def found(alerts):
    """Source to the alerts about it."""
    by = collections.defaultdict(list)
    for alert in alerts:
        if alert["alert"]["rule"]["id"] == RULE:
            by[alert["alert"]["groups"][0]["value"]].append(alert)
    return by


def judge(campaign, where):
    house = campaign.house
    failures, epochs = bus_truth(house)
    expected = {source for source, count in failures.items() if count >= 10}
    alerts = found(house.alerts())
    missing, extra = expected - set(alerts), set(alerts) - expected
    twice = [source for source, list_ in alerts.items() if len(list_) != 1]
    note(f"{where}: {sum(epochs.values())} events on the bus, {campaign.traffic.sent} sent, "
         f"{sum(campaign.killed.values())} kills {dict(campaign.killed)}, {len(expected)} attacks, "
         f"{len(alerts)} found; {dict(campaign.counters)}")
    case(f"{where}: no attack on the bus is missed", not missing and expected, sorted(missing)[:10], house.log())
    case(f"{where}: no alert without its attack", not extra, sorted(extra)[:10])
    case(f"{where}: no alert twice", not twice, twice[:10])
    unsettled = [s for s, l in alerts.items() if any(a["status"] != "settled" for a in l)]
    case(f"{where}: every alert is settled", not unsettled, unsettled[:10])
    return alerts


def settled_ids(alerts):
    return sorted(a["id"] for list_ in alerts.values() for a in list_)
