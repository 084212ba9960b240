"""Real senders against a collector that is killed while they send: what their scripts have in common.

By default on the local bus. With TOCSIN_LONG=1 a campaign: 10,000 numbered events of each sender, a real Kafka that is
killed in the middle for some seconds, and kill -9 of the collector before, in and after that outage. What became of them
is a row a sender; table() prints them, and appends them to the file $TOCSIN_TABLE where that is set.
"""
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

from broker import Broker, why_not
from flow import LONG, House, case, free_port, note, skip, wait_for

EVENTS = int(os.environ.get("TOCSIN_EVENTS", "10000" if LONG else "1000"))
OUTAGE = 6  # seconds
EVENT = re.compile(r'"at":"([^"]+)".*?numbered-(\d+)-')
LOSSES = ("refused_busy", "refused_large", "refused_quota", "refused_barred", "kernel_drops", "bad_frames",
          "refused_connections", "spool_dropped")

_broker = None
_rows = []
_chance = random.Random(5)


class Door:
    """A collector alone with one input, that can be killed; its bus can be away."""

    def __init__(self, keys, *settings, agencies="", scheme=""):
        """keys: the input's list of addresses, or several. agencies: text of agencies.yml."""
        self.port = free_port()
        kafka = _broker.address if _broker else None
        self.house = House(kafka=kafka, settings=["bus.local.commit_delay=20ms", "bus.spool.after=500ms",
                                                  "bus.kafka.assign=static",
                                                  "bus.kafka.properties.retry.backoff.ms=50", *settings])
        self.house.settings = [s for s in self.house.settings if not s.startswith("syslog.")]
        self.house.settings += ["syslog.udp.listen=", "syslog.tcp.listen="]
        for key in [keys] if isinstance(keys, str) else keys:
            self.house.settings.append(f"{key}={scheme}127.0.0.1:{self.port}")
        if agencies:
            path = self.house.beside("agencies.yml")
            with open(path, "w") as file:
                file.write(agencies)
            self.house.settings.append(f"collector.agencies={path}")
        self.lives = []  # what the ledger said before each death

    def __enter__(self):
        case("the collector starts", self.open(), self.house.log())
        return self

    def open(self):
        self.house.start("collect")
        return wait_for(lambda: "collect" in self.house.status(), 20)

    def kill(self):
        self.lives.append(self.total())
        time.sleep(_chance.random() * 0.1)  # or it would always find the sender in the same place
        self.house.stop("collect", signal.SIGKILL)
        return self.open()

    def total(self):
        total = dict(self.house.total())
        details = self.house.status().get("collect", {}).get("details", {})
        return {**total, **{key: value for key, value in details.items() if key.startswith(("spool", "in_flight"))}}

    def counted(self, key):
        """Over all lives."""
        return sum(life.get(key, 0) for life in [*self.lives, self.total()])

    def raw(self):
        return self.house.tool("bus", "cat", "events", "--raw").stdout

    def seen(self):
        """Each number to how many events have it. A frame that was sent twice, which its counters tell, is once."""
        found = {}
        for line in self.house.tool("bus", "cat", "events").stdout.splitlines():
            event = EVENT.search(line)
            if event:
                found.setdefault(int(event[2]), set()).add(event[1])
        return {number: len(coordinates) for number, coordinates in found.items()}

    def progress(self):
        """About how many have come; a bus in Kafka is too slow to be asked often, and may be away."""
        return self.counted("durable") if _broker else len(self.seen())

    def quiet(self):
        total = self.total()
        return total.get("in_flight") == 0 and not total.get("spool_records")

    def close(self):
        self.house.close()

    def __exit__(self, *_):
        self.close()


def with_broker(main, always=False):
    """main(), in the long campaigns, or always, with a real Kafka of its own where that can be had."""
    global _broker
    why = why_not() if LONG or always else ""
    if why:
        skip("over a real Kafka" if always else "campaigns over a real Kafka: on the local bus instead", why)
    if why and always:
        return None
    if why or not (LONG or always):
        return main()
    with Broker() as _broker:
        return main()


def sends_on(door, part, running, events):
    wait_for(lambda: door.progress() >= events * part or not running(), 60, 0.02 if not _broker else 0.1)
    return door.progress()


def broker_do(what):
    """Of the broker that with_broker has started: "kill", "start"."""
    return _broker.do(what)


def outage(name, door, running, events, met):
    """Kafka is away for some seconds, and the collector dies in it."""
    met.append(f"Kafka away at {sends_on(door, 0.4, running, events)}")
    _broker.do("kill")
    back = time.monotonic() + OUTAGE
    time.sleep(OUTAGE / 3)
    met.append(f"killed at {door.progress()}")
    good = case(f"{name}: the collector comes back without Kafka", door.kill(), door.house.log())
    time.sleep(max(0.0, back - time.monotonic()))
    started = _broker.do("start")
    return case(f"{name}: Kafka comes back", started.returncode == 0, started.stderr) and good


def trouble(name, door, running, events, kills):
    """Kills, and with Kafka the outage, while the sender sends. How far it was each time."""
    met = []
    parts = [0.1, 0.2, 0.3, 0.6, 0.7, 0.8] if _broker else [(kill + 1) / (kills + 2) for kill in range(kills)]
    for number, part in enumerate(parts):
        if _broker and number == len(parts) // 2 and not outage(name, door, running, events, met):
            return met
        met.append(f"killed at {sends_on(door, part, running, events)}")
        if not case(f"{name}: the collector comes back after kill {number + 1}", door.kill(), door.house.log()):
            return met
    return met


def settle(door, running, events, patience):
    """Until all have come, or the sender is done and nothing more comes."""
    end = time.monotonic() + patience
    last, since = None, time.monotonic()
    while time.monotonic() < end:
        now = (door.progress(), door.total().get("repeats"))
        if now != last:
            last, since = now, time.monotonic()
        still = door.quiet() and time.monotonic() - since > (2 if _broker else 0.5)
        if still and len(door.seen()) >= events:
            break
        if still and not running() and time.monotonic() - since > 4:
            break
        time.sleep(0.2 if not _broker else 1)
    return door.seen()


def counted_where(door, said):
    """What the ledger, and the sender, know of losses."""
    known = [f"{door.counted(key):,} {key}" for key in LOSSES if door.counted(key)]
    return "; ".join(known + ([said] if said else []))


def around(door, missing):
    """Coordinates of the events beside one that is missing: without a hole it never came to us."""
    lines = door.house.tool("bus", "cat", "events").stdout.splitlines()
    near = [line[:600] for line in lines
            if any(f"numbered-{number}-" in line for number in range(missing - 2, missing + 3))]
    return "\n".join(near)


def through(name, door, running, said=lambda: "", lossless=True, kills=2, events=EVENTS):
    """The campaign of one sender. running: is it (still) at work? said: what it says of losses. Gives what came."""
    begun = time.monotonic()
    met = trouble(name, door, running, events, kills)
    seen = settle(door, running, events, 60 if not LONG else 240)
    missing = sorted(set(range(events)) - set(seen))
    twice = sum(seen.values()) - len(seen)
    if lossless:
        case(f"{name}: nothing of {events} events is lost", not missing, f"{len(missing)} are missing: {missing[:20]}",
             around(door, missing[0]) if missing else "", said(), door.house.log())
    note(f"{name}: {', '.join(met)}; {door.counted('repeats')} repeats recognised, {twice} came twice")
    _rows.append((name, events, len(seen), door.counted("repeats"), twice, len(missing),
                  counted_where(door, "" if lossless else said()) or ("nowhere" if missing else "-"),
                  time.monotonic() - begun))
    return seen


def table():
    """What became of the events, a row a sender, as Markdown."""
    lines = ["| sender | sent | on the bus | repeats recognised | twice on the bus | lost | where that is counted |",
             "|---|---:|---:|---:|---:|---:|---|"]
    lines += [f"| {name} | {sent:,} | {came:,} | {repeats:,} | {twice:,} | {lost:,} | {where} |"
              for name, sent, came, repeats, twice, lost, where, _ in _rows]
    for line in lines if _rows else []:
        note(line)
    if _rows and os.environ.get("TOCSIN_TABLE"):
        with open(os.environ["TOCSIN_TABLE"], "a") as file:
            file.write("\n".join(lines) + "\n")


class Program:
    """A sender; what it prints is kept."""

    def __init__(self, door, line, environment=None, name=None):
        self.path = os.path.join(door.house.path, (name or os.path.basename(line[0])).replace("/", "-") + ".txt")
        with open(self.path, "w") as out:
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)

    def running(self):
        return self.process.poll() is None

    def said(self, all_of_it=False):
        with open(self.path, errors="replace") as file:
            return file.read()[0 if all_of_it else -2000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def fill(path, events=EVENTS, pause=0.0):
    """Numbered lines; with a pause for each 50, in ten parts, so that a kill finds the sender at work."""
    with open(path, "w", buffering=1) as log:
        for number in range(events):
            log.write(f"numbered-{number}- Hồ sơ của tỉnh {'x' * 200}\n")
            if pause and number % 5 == 4:
                time.sleep(pause / 10)


class Proxy:
    """Between a sender and the collector: takes answers away, so that the sender cannot know what is durable."""

    def __init__(self, to):
        self.to = to
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lose = threading.Event()   # answers go nowhere ...
        self.taken = threading.Event()  # ... one has
        self.links = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                near.close()
                continue
            self.links += [near, far]
            threading.Thread(target=self.pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, True), daemon=True).start()

    def pump(self, source, target, answers):
        try:
            while data := source.recv(65536):
                if answers and self.lose.is_set():
                    self.taken.set()
                else:
                    target.sendall(data)
        except OSError:
            pass
        for link in (source, target) if not (answers and self.lose.is_set()) else (source,):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Every connection breaks; what comes from here on is passed on."""
        self.lose.clear()
        self.taken.clear()
        for link in self.links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            link.close()
        self.links.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()


def through_lost_answers(name, door, proxy, running, said, events, times):
    """The collector dies when what it has answered is durable, and its answer has not come: all is sent again."""
    for time_ in range(times):
        sends_on(door, (time_ + 1) / (times + 2), running, events)
        proxy.lose.set()
        case(f"{name}: answer {time_ + 1} is lost", proxy.taken.wait(20), said())
        case(f"{name}: the collector comes back", door.kill(), door.house.log())
        proxy.cut()
    seen = settle(door, running, events, 60)
    missing = sorted(set(range(events)) - set(seen))
    twice = sum(seen.values()) - len(seen)
    case(f"{name}: nothing of {events} events is lost", not missing, missing[:20], said(), door.house.log())
    case(f"{name}: what was sent again is recognised, through kill -9", twice == 0 and door.counted("repeats") >= times,
         f"{door.counted('repeats')} repeats, {twice} came twice", door.house.log())
    told = [line for line in door.house.tool("metrics").stdout.splitlines() if "tocsin_sender_repeats_total{" in line]
    case(f"{name}: and metrics tell it", told and int(told[0].split()[-1]) == door.total().get("repeats") > 0, told)
    note(f"{name}: {door.counted('repeats')} repeats recognised, {twice} came twice")
    _rows.append((name, events, len(seen), door.counted("repeats"), twice, len(missing), counted_where(door, "") or "-", 0))
