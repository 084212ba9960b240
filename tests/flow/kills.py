"""kill -9 at random moments while events flow, on any bus. Used by test_kill.py and test_kill_kafka.py.

The traffic: noise, and in it addresses that each fail twelve SSH logins within a second, told by four
senders in turn, so that they meet only behind the partitions. So each address is one brute-force alert (ten
make it, two are left), whatever is killed; what is on the bus in the end is counted here by another method
and must agree with what the store holds.
"""
import collections
import json
import os
import random
import re
import shutil
import signal
import socket
import threading
import time

from flow import House, case, copy_events, note, stamp, wait_for

RULE = "4e5d479d-6303-4038-b900-1eab94288d5f"
SENDERS = 4
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

    def send(self, links, who, batch):
        try:
            if links[who] is None:
                links[who] = socket.create_connection(("127.0.0.1", self.port), timeout=30,
                                                      source_address=(f"127.0.0.{who + 2}", 0))
            links[who].sendall("".join(batch).encode())
            self.sent += len(batch)
        except OSError:
            self.breaks += 1
            links[who] = None
            time.sleep(0.02)

    def run(self):
        links = [None] * SENDERS
        begun, made, turn = time.monotonic(), 0, 0
        while not self.stopping.is_set() or self.queue:
            due = int((time.monotonic() - begun) * self.rate) - made
            if due < 50:
                time.sleep(0.005)
                continue
            batch = self.lines(min(due, 500))
            made += len(batch)
            for who in range(SENDERS):
                self.send(links, (who + turn) % SENDERS, batch[who::SENDERS])
            turn += 1
        for link in links:
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
        epochs[int(key.split("-")[1], 16)] += 1
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
        self.durable = {}  # start of a collector's life to the receipts that it told of last
        self.killed = collections.Counter()
        self.flowed = 0  # seconds

    def stages(self):
        return self.house.status()

    def look(self, stages=None):
        """Keeps the newest counters of each process; a new pid begins a new life."""
        for name, stage in (self.stages() if stages is None else stages).items():
            details = stage["details"]
            if name == "collect":
                life = stage["started_ns"]
                self.durable[life] = max(self.durable.get(life, 0), details["durable"])
            for key in ("resent", "repeats", "detection_repeats", "stale", "evidence_missing"):
                value = details.get(key, 0)
                before = self.last.get((name, stage["pid"], key), 0)
                self.counters[f"{name}.{key}"] += max(0, value - before)
                self.last[(name, stage["pid"], key)] = value

    def start(self, name):
        self.house.start(name)

    def kill(self):
        self.look()
        name = self.random.choice(self.victims)
        self.house.stop(name, signal.SIGKILL)
        self.killed[name] += 1
        self.start(name)

    def repeats(self):
        self.look()
        return self.counters["correlate.detection_repeats"] + self.counters["store.repeats"]

    def restart_time(self):
        """Seconds from the start of correlate until it has read events, while they flow."""
        self.look()
        self.house.stop("correlate", signal.SIGKILL)
        begun = time.monotonic()
        self.start("correlate")

        def consumes():
            stage = self.house.status().get("correlate")
            return stage is not None and stage["details"]["events"] > 0
        return time.monotonic() - begun if wait_for(consumes, 20, 0.01) else None

    def run(self, middle=None):
        """middle: called once, half way through."""
        for name in ("store", "correlate", "collect"):
            self.start(name)
        wait_for(lambda: len(self.house.status()) == 3, 30)
        self.traffic.start()
        begun = time.monotonic()
        for count in range(self.kills):
            if middle is not None and count == self.kills // 2:
                middle()
            # one in five still starts up
            time.sleep(self.random.uniform(*((0, 0.12) if self.random.random() < 0.2 else (0.15, 0.9))))
            self.kill()
        restarts = [self.restart_time() for _ in range(3)]
        note("correlate started to events read: " +
             ", ".join("never" if t is None else f"{t:.2f} s" for t in restarts))
        for _ in range(60):  # whether a row was on the bus already when its sender died is a matter of luck
            if self.repeats() > 0:
                break
            self.house.stop("correlate", signal.SIGKILL)
            self.start("correlate")
            time.sleep(self.random.uniform(0.3, 0.5))
            self.look()
        self.traffic.stopping.set()
        self.traffic.join(60)
        self.flowed = time.monotonic() - begun

    def settle(self, seconds=60):
        """Everything read, everything stored, everything settled."""
        def counts():
            self.look()
            stages = self.stages()
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


def unreceived(campaign, epochs):
    """Lives of collectors that told of more receipts than the bus has events of theirs."""
    short = []
    for life, durable in campaign.durable.items():
        # A collector takes its epoch just before it says that it runs.
        near = [epoch for epoch in epochs if 0 <= life - epoch < 5e9]
        held = epochs[max(near)] if near else 0
        if held < durable:
            short.append((life, durable, held))
    return short


def judge(campaign, where):
    house = campaign.house
    failures, epochs = bus_truth(house)
    expected = {source for source, count in failures.items() if count >= 10}
    alerts = found(house.alerts())
    missing, extra = expected - set(alerts), set(alerts) - expected
    twice = [source for source, list_ in alerts.items() if len(list_) != 1]
    note(f"{where}: {sum(epochs.values())} events on the bus, {campaign.traffic.sent} sent "
         f"({campaign.traffic.sent / campaign.flowed:.0f}/s), {campaign.traffic.breaks} connections broken, "
         f"{sum(campaign.killed.values())} kills {dict(campaign.killed)}, {len(expected)} attacks, "
         f"{len(alerts)} found; {({k: v for k, v in campaign.counters.items() if v})}")
    short = unreceived(campaign, epochs)
    case(f"{where}: what a collector called durable is on the bus",
         not short and max(campaign.durable.values()) > 0, short[:10])
    case(f"{where}: no attack on the bus is missed", not missing and expected, sorted(missing)[:10], house.log())
    case(f"{where}: no alert without its attack", not extra, sorted(extra)[:10])
    case(f"{where}: no alert twice", not twice, twice[:10])
    unsettled = [s for s, l in alerts.items() if any(a["status"] != "settled" for a in l)]
    case(f"{where}: every alert is settled", not unsettled, unsettled[:10])
    return alerts


def settled_ids(alerts):
    return sorted(a["id"] for list_ in alerts.values() for a in list_)


def clean_run(house, settings, alerts, where):
    """Correlate and store once more, uninterrupted, over a copy of the events that a campaign left."""
    with House(settings=settings) as clean:
        copied = copy_events(house, os.path.join(clean.path, "bus"))
        shutil.copy(os.path.join(house.path, "site.key"), clean.path)
        for name in ("store", "correlate", "collect"):
            clean.start(name)
        wait_for(lambda: len(clean.status()) == 3, 30)
        clean.drained(120, copied)
        wait_for(lambda: clean.status()["correlate"]["details"]["pending"] == 0, 60, 0.3)
        wait_for(lambda: all(a["status"] == "settled" for a in clean.alerts()), 30, 0.5)
        again = found(clean.alerts())
        note(f"{where}: an uninterrupted run over {copied} events of the same bus: {len(again)} alerts")
        mine, other = settled_ids(alerts), settled_ids(again)
        case(f"{where}: an uninterrupted run over the same events gives the same settled ids",
             mine == other and mine, f"only without kills: {sorted(set(other) - set(mine))[:5]}",
             f"only with kills: {sorted(set(mine) - set(other))[:5]}", clean.log())
