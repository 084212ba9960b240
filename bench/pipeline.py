#!/usr/bin/env python3
"""The whole of `tocsin correlate`, from frames on the bus to alerts committed, beside the engine alone.

    bench/pipeline.py [EVENTS [CORPUS...]]      corpora: mixed windows syslog

TOCSIN_BIN         the binary (build/release/tocsin); bench_pipeline and bench_engine lie in bench/ beside it
TOCSIN_CORPORA     rules of SigmaHQ and their events (../shared/corpora); syslog is of our own making, with our rules
TOCSIN_TEST_KAFKA  host:port of a broker; without it the local bus alone
PIPELINE_ROUNDS    rounds (3); figures are medians

A bus is filled first; then one worker, or two, start on it and are done when all events are decoded, every
detection and alert has its receipt, and no more of them come. CPU is user and system time of all threads of the
workers, less that of a worker that starts on a bus with one event. The wall clock begins when the worker's control
socket is there, which is after its rules have been loaded. Two workers on a machine that does other things as well
wait for a CPU: "less queueing" leaves out the time in which a worker was ready to run and had none. The engine
alone is bench_engine, on the same events. Where `perf` may count, instructions of the worker are told as well.
"""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN_BIN", os.path.join(ROOT, "build/release/tocsin")))
PROGRAMS = os.path.join(os.path.dirname(TOCSIN), "bench")
CORPORA = os.environ.get("TOCSIN_CORPORA", os.path.join(ROOT, "../shared/corpora"))
KAFKA = os.environ.get("TOCSIN_TEST_KAFKA", "")
EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 240000
WANTED = sys.argv[2:] or ["mixed", "windows", "syslog"]
ROUNDS = int(os.environ.get("PIPELINE_ROUNDS", "3"))
LOOK = 0.03  # seconds between two questions: answering them is work as well
QUIET = 1.5  # seconds without a change, after which nothing more is under way
LOGSOURCES = os.path.join(ROOT, "bench/logsources.yml")
PARTITIONS = 4
COUNTERS = ("instructions:u", "instructions:k")


def cpu_ns(pid):
    """Of all threads, in ns."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as row:
            total += int(row.read().split()[0])
    return total


def queued_s(pid):
    """Seconds that the main thread was ready to run and had no CPU."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as row:
        return int(row.read().split()[1]) / 1e9


def perf_counts():
    """Whether perf is here and the machine has counters."""
    if not shutil.which("perf"):
        return False
    out = subprocess.run(["perf", "stat", "-x,", "-e", ",".join(COUNTERS), "true"], capture_output=True,
                         text=True, check=False)
    return out.returncode == 0 and "not" not in out.stderr


PERF = perf_counts()


class Worker:
    """One `tocsin correlate`."""

    def __init__(self, folder, settings, instance="0/1"):
        self.counts = os.path.join(folder, f"perf-{instance[0]}")
        self.socket = os.path.join(folder, "run", f"correlate-{instance[0]}.sock")
        line = [TOCSIN, "correlate", "--instance", instance]
        for setting in settings:
            line += ["-o", setting]
        with open(os.path.join(folder, "log"), "ab") as log:
            self.process = subprocess.Popen(line, stdout=log, stderr=log)
        self.perf = None
        if PERF:
            self.perf = subprocess.Popen(["perf", "stat", "-x,", "-e", ",".join(COUNTERS), "-o", self.counts,
                                          "-p", str(self.process.pid)])

    def ready(self):
        while not os.path.exists(self.socket):
            if self.process.poll() is not None:
                raise RuntimeError("tocsin correlate ended")
            time.sleep(0.002)
        return time.monotonic()

    def details(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            s.sendall(b"status\n")
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        return json.loads(answer)["details"]

    def spent(self):
        return cpu_ns(self.process.pid)

    def stop(self):
        """Ends it and gives what perf counted, by name."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        if not self.perf:
            return {}
        self.perf.wait(10)
        with open(self.counts, encoding="ascii") as rows:
            return {row.split(",")[2]: int(row.split(",")[0]) for row in rows if row[:1].isdigit()}


def settings_of(folder, rules, bus):
    return [f"data.path={folder}/data", f"run.path={folder}/run", f"rules.paths={rules}", "site.zone=+00:00",
            f"decode.logsources={LOGSOURCES}", f"bus.partitions.events={PARTITIONS}", f"bus.partitions.detections={PARTITIONS}", *bus]


def run(folder, settings, events, workers):
    """Starts workers on a filled bus; gives wall seconds, CPU ns and instructions of all of them."""
    all_of = [Worker(folder, settings, f"{i}/{workers}") for i in range(workers)]
    begin = max(worker.ready() for worker in all_of)
    before = [queued_s(worker.process.pid) for worker in all_of]
    last, since = None, begin
    while last is None or last[0] < events or last[1] > 0 or time.monotonic() - since < QUIET:
        time.sleep(LOOK)
        status = [worker.details() for worker in all_of]
        now = [sum(row[key] for row in status) for key in ("events", "outbox", "alerts", "groups")]
        if now != last:
            last, since = now, time.monotonic()
            spent = sum(worker.spent() for worker in all_of)
            queued = [queued_s(worker.process.pid) for worker in all_of]
        if time.monotonic() - since > 120:
            raise RuntimeError(f"{last[0]} of {events} events and then nothing")
    wall = since - begin
    alone = max(wall - (late - early) for early, late in zip(before, queued))
    counted = {}
    for worker in all_of:
        for name, count in worker.stop().items():
            counted[name] = counted.get(name, 0) + count
    alerts = sum(row["alerts"] for row in status)
    return {"wall": wall, "alone": alone, "cpu": spent, "alerts": alerts, **counted}


def repeated(file, events):
    """A file with so many events: what the bus is filled with."""
    with open(file, "rb") as lines:
        text = [line for line in lines if line.strip()]
    with open(f"{file}.all", "wb") as out:
        for i in range(0, events, len(text)):
            out.writelines(text[:events - i])
    return f"{file}.all"


def engine(rules, file):
    """CPU ns an event of the engine alone."""
    line = [os.path.join(PROGRAMS, "bench_engine"), rules, file]
    told = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True).stderr
    return 1e9 / float(told.split(" events per CPU-second")[0].rsplit(" ", 1)[1])


class Filled:
    """A bus with the events of a file; each run begins with a copy of what the workers change."""

    def __init__(self, file, events, kafka):
        self.folder = tempfile.mkdtemp(prefix="tocsin-bench-")
        self.kafka, self.file, self.events, self.round = kafka, file, events, 0
        if not kafka:
            self.fill("local", f"{self.folder}/bus")

    def fill(self, *where):
        subprocess.run([os.path.join(PROGRAMS, "bench_pipeline"), self.file, str(self.events),
                        str(PARTITIONS), *where], check=True)

    def bus(self):
        """Settings of a bus that nobody has read yet."""
        self.round += 1
        shutil.rmtree(f"{self.folder}/data", ignore_errors=True)
        if self.kafka:
            prefix = f"bench-{os.getpid()}-{self.round}."
            self.fill("kafka", prefix, KAFKA)
            return ["bus.backend=kafka", f"bus.kafka.prefix={prefix}", "bus.kafka.assign=static",
                    f"bus.kafka.properties.bootstrap.servers={KAFKA}"]
        for name in os.listdir(f"{self.folder}/bus"):
            place = f"{self.folder}/bus/{name}"
            if name in ("detections", "alerts"):
                shutil.rmtree(place)
            elif os.path.isdir(place):
                for file in os.listdir(place):
                    if file.startswith("correlate."):
                        os.unlink(f"{place}/{file}")
        return [f"bus.path={self.folder}/bus"]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def loading(rules, file, kafka):
    """What a worker costs that finds one event: rules, the bus, the first commit."""
    filled = Filled(file, 1, kafka)
    try:
        return run(filled.folder, settings_of(filled.folder, rules, filled.bus()), 1, 1)
    finally:
        filled.close()


def less(figure, idle, workers, name, events):
    return (figure[name] - workers * idle[name]) / events


def report(name, runs, idle, workers, alone, events):
    costs = [less(row, idle, workers, "cpu", events) for row in runs]
    cost = statistics.median(costs)
    row = {"bench": name, "events_per_cpu_second": round(1e9 / cost), "ns_per_event": round(cost, 1),
           "least": round(min(costs), 1), "most": round(max(costs), 1),
           "engine_ns": round(alone, 1), "engine_share": round(alone / cost, 3),
           "events_per_second": round(events / statistics.median(row["wall"] for row in runs)),
           "alerts_per_1000": round(1000 * runs[0]["alerts"] / events, 2)}
    for counter in COUNTERS:
        if counter in runs[0]:
            row[counter.replace(":", "_")] = round(
                statistics.median(less(one, idle, workers, counter, events) for one in runs))
    print(json.dumps(row), flush=True)


def measure(name, rules, file, kafka):
    idle = loading(rules, file, kafka)
    filled = Filled(file, EVENTS, kafka)
    lines = repeated(file, EVENTS)
    place = "kafka" if kafka else "local"
    try:
        runs = {1: [], 2: []}
        alone = []
        for _ in range(ROUNDS):
            alone.append(engine(rules, lines))
            for workers in runs:
                settings = settings_of(filled.folder, rules, filled.bus())
                runs[workers].append(run(filled.folder, settings, EVENTS, workers))
        for workers, rows in runs.items():
            report(f"correlate {place} {name}, {workers} worker{'s' * (workers > 1)}", rows, idle, workers,
                   statistics.median(alone), EVENTS)
        row = {"bench": f"correlate {place} {name}, two workers"}
        for key, title in (("wall", "times_one"), ("alone", "times_one_less_queueing")):
            gain = [a[key] / b[key] for a, b in zip(runs[1], runs[2])]
            row[title] = f"{statistics.median(gain):.2f} ({min(gain):.2f}-{max(gain):.2f})"
        print(json.dumps(row), flush=True)
    finally:
        filled.close()
        os.unlink(lines)


def corpora(folder):
    """Name, rules and file of what is there."""
    rules = os.path.join(CORPORA, "sigmahq-rules.tar.gz")
    if os.path.exists(rules):
        subprocess.run(["tar", "-xzf", rules, "-C", folder], check=True)
    for name in WANTED:
        file, rules = f"{folder}/{name}", f"{folder}/rules"
        packed = os.path.join(CORPORA, f"{name}-events-bench.ndjson.gz")
        if name == "syslog":
            rules = os.path.join(ROOT, "rules")
            with open(file, "wb") as out:
                subprocess.run([os.path.join(PROGRAMS, "bench_pipeline"), "syslog", "20000"], stdout=out, check=True)
        elif os.path.exists(packed) and os.path.exists(rules):
            with open(file, "wb") as out:
                subprocess.run(["gzip", "-dc", packed], stdout=out, check=True)
        else:
            print(json.dumps({"bench": f"correlate {name}", "skipped": "the corpus is not there: TOCSIN_CORPORA"}))
            continue
        yield name, rules, file


def main():
    folder = tempfile.mkdtemp(prefix="tocsin-bench-")
    try:
        for name, rules, file in corpora(folder):
            for kafka in [False, True] if KAFKA else [False]:
                measure(name, rules, file, kafka)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
