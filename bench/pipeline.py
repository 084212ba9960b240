#!/usr/bin/env python3
"""The whole of `tocsin correlate`, from frames on the bus to alerts committed, beside the engine alone.

    bench/pipeline.py [EVENTS [CORPUS...]]      corpora: mixed windows syslog

TOCSIN_BIN         the binary (build/release/tocsin); bench_pipeline and bench_engine lie in bench/ beside it
TOCSIN_CORPORA     rules of SigmaHQ and their events (../shared/corpora); syslog is of our own making, with our rules
TOCSIN_TEST_KAFKA  host:port of a broker; without it the local bus alone
PIPELINE_ROUNDS    rounds (3); figures are medians
PIPELINE_OTHERS    a run in which others took more than so many percent of the CPUs is made again (5) ...
PIPELINE_TRIES     ... this often (6); the least disturbed one counts, and how much it was is told

A bus is filled first; then one worker, or two, have it, and are done when all events are decoded, every detection and
alert has its receipt, and no more of them come. CPU is user and system time of all threads of the workers. The wall
clock begins when all workers have loaded their rules: whoever is ready before the others is held (SIGSTOP) until they
are, so that none begins early, and loading is in no figure. What a worker costs that has one event is taken off.

Two workers on two CPUs have nothing to spare: whatever else runs takes its time from them and not from the one.
So a run counts only where the rest of the machine was quiet ("others": CPU time of all else, as a share of all
CPUs, without the broker and this script), and events should be so many that the 30 ms between two questions are
nothing beside the run: 1,200,000 take one worker about 3 s. A broker on the same CPUs is part of what is measured;
its CPU time an event is told ("broker_ns"), and how much of a worker's is its main thread's ("main_ns"): the rest,
librdkafka's threads, has the second CPU to itself only where there is one worker. "one CPU" confines a worker to one.

The engine alone is bench_engine, on the same events. Where `perf` may count, instructions are told as well.
"""
import json
import os
import resource
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
EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1200000
WANTED = sys.argv[2:] or ["mixed", "windows", "syslog"]
ROUNDS = int(os.environ.get("PIPELINE_ROUNDS", "3"))
OTHERS = float(os.environ.get("PIPELINE_OTHERS", "5")) / 100
TRIES = int(os.environ.get("PIPELINE_TRIES", "6"))
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


def main_ns(pid):
    """Of the main thread."""
    with open(f"/proc/{pid}/task/{pid}/schedstat", encoding="ascii") as row:
        return int(row.read().split()[0])


def machine_ns():
    """What all CPUs have spent on anything, the hypervisor's other guests among it."""
    with open("/proc/stat", encoding="ascii") as rows:
        user, nice, system, _, _, hard, soft, steal = map(int, rows.readline().split()[1:9])
    return (user + nice + system + hard + soft + steal) * 1e9 / os.sysconf("SC_CLK_TCK")


def own_ns():
    """Of this script."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e9


def listener():
    """The broker's process, if it runs here; else None."""
    port = f":{int(KAFKA.rsplit(':', 1)[1]):04X}" if KAFKA else None
    sockets = set()
    for table in ("tcp", "tcp6") if port else ():
        with open(f"/proc/net/{table}", encoding="ascii") as rows:
            sockets |= {f"socket:[{row.split()[9]}]" for row in rows
                        if row.split()[1].endswith(port) and row.split()[3] == "0A"}
    for pid in filter(str.isdigit, os.listdir("/proc")) if sockets else ():
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{fd}") in sockets for fd in os.listdir(f"/proc/{pid}/fd")):
                return int(pid)
        except OSError:
            continue
    return None


def await_quiet():
    """Until hardly anything else runs, for ten seconds at most."""
    for _ in range(50):
        before = machine_ns()
        time.sleep(0.2)
        if machine_ns() - before <= 0.2e9 * os.cpu_count() * OTHERS:
            return


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

    def __init__(self, folder, settings, instance="0/1", only=None):
        self.counts = os.path.join(folder, f"perf-{instance[0]}")
        self.socket = os.path.join(folder, "run", f"correlate-{instance[0]}.sock")
        line = [TOCSIN, "correlate", "--instance", instance]
        for setting in settings:
            line += ["-o", setting]
        with open(os.path.join(folder, "log"), "ab") as log:
            self.process = subprocess.Popen(line, stdout=log, stderr=log)
        if only is not None:
            os.sched_setaffinity(self.process.pid, {only})
        self.perf = self.control = None

    def hold(self, held):
        """Waits until it has loaded its rules, and stops it there; those held before may hold a lock that it wants."""
        patience = time.monotonic() + 5
        while not os.path.exists(self.socket):
            if self.process.poll() is not None:
                raise RuntimeError("tocsin correlate ended")
            time.sleep(0.001)
            if time.monotonic() > patience:
                patience += 1
                for other in held:
                    other.process.send_signal(signal.SIGCONT)
                    time.sleep(0.002)
                    other.process.send_signal(signal.SIGSTOP)
        self.process.send_signal(signal.SIGSTOP)
        if not PERF:
            return
        told, self.control = os.pipe()
        answered, answer = os.pipe()
        self.perf = subprocess.Popen(["perf", "stat", "-x,", "-e", ",".join(COUNTERS), "-o", self.counts,
                                      "--control", f"fd:{told},{answer}", "-p", str(self.process.pid)],
                                     pass_fds=(told, answer), stderr=subprocess.DEVNULL)
        os.write(self.control, b"ping\n")
        os.read(answered, 16)  # it counts now
        for end in (told, answered, answer):
            os.close(end)

    def go(self):
        self.process.send_signal(signal.SIGCONT)

    def ask(self):
        """Sends the question; the worker answers it between two batches."""
        self.asked = socket.socket(socket.AF_UNIX)
        self.asked.connect(self.socket)
        self.asked.sendall(b"status\n")

    def details(self):
        answer = b""
        with self.asked as s:
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
        os.close(self.control)
        self.perf.wait(10)
        with open(self.counts, encoding="ascii") as rows:
            return {row.split(",")[2]: int(row.split(",")[0]) for row in rows if row[:1].isdigit()}


def settings_of(folder, rules, bus):
    return [f"data.path={folder}/data", f"run.path={folder}/run", f"rules.paths={rules}", "site.zone=+00:00",
            f"decode.logsources={LOGSOURCES}", f"bus.partitions.events={PARTITIONS}", f"bus.partitions.detections={PARTITIONS}", *bus]


def spent_now(workers, broker):
    """CPU ns so far: of the workers, of their main threads, of the broker, of all that is not measured."""
    own = sum(worker.spent() for worker in workers)
    main = sum(main_ns(worker.process.pid) for worker in workers)
    served = cpu_ns(broker) if broker else 0
    return own, main, served, machine_ns() - own - served - own_ns()


def until_done(workers, events, begin, broker):
    """Waits until nothing more is under way; gives the last answers, and time and CPU at the last change."""
    last, since = None, begin
    while last is None or last[0] < events or last[1] > 0 or time.monotonic() - since < QUIET:
        time.sleep(LOOK)
        for worker in workers:
            worker.ask()
        status = [worker.details() for worker in workers]
        now = [sum(row[key] for row in status) for key in ("events", "outbox", "alerts", "groups")]
        if now != last:
            last, since, spent = now, time.monotonic(), spent_now(workers, broker)
        if time.monotonic() - since > 120:
            raise RuntimeError(f"{last[0]} of {events} events and then nothing")
    return status, since, spent


def run(folder, settings, events, workers, only=None):
    """Has workers work on a filled bus; gives wall seconds, CPU ns and instructions of all of them."""
    shutil.rmtree(os.path.join(folder, "run"), ignore_errors=True)
    await_quiet()
    all_of = [Worker(folder, settings, f"{i}/{workers}", only) for i in range(workers)]
    for i, worker in enumerate(all_of):
        worker.hold(all_of[:i])
    broker = listener()
    before, begin = spent_now(all_of, broker), time.monotonic()
    for worker in all_of:
        worker.go()
    status, since, after = until_done(all_of, events, begin, broker)
    counted = {}
    for worker in all_of:
        for name, count in worker.stop().items():
            counted[name] = counted.get(name, 0) + count
    cpu, main, served, others = (b - a for a, b in zip(before, after))
    wall = since - begin
    return {"wall": wall, "cpu": cpu, "main": main, "broker": served, "alerts": sum(row["alerts"] for row in status),
            "others": max(others, 0) / (wall * 1e9 * os.cpu_count()), **counted}


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


def undisturbed(filled, rules, workers, only):
    """The least disturbed of a few runs, or the first that is not disturbed at all."""
    best = None
    for _ in range(TRIES):
        row = run(filled.folder, settings_of(filled.folder, rules, filled.bus()), filled.events, workers, only)
        if best is None or row["others"] < best["others"]:
            best = row
        if best["others"] <= OTHERS:
            break
    return best


def spread(figures, form):
    return f"{form(statistics.median(figures))} ({form(min(figures))} to {form(max(figures))})"


def times(one, two, figure):
    """What two workers give of one, of the rounds in which neither was disturbed."""
    gain = [a[figure] / b[figure] for a, b in zip(one, two) if max(a["others"], b["others"]) <= OTHERS]
    return spread(gain, "{:.2f}".format) + f", {len(gain)} of {len(one)} rounds" if gain else "never undisturbed"


def report(name, runs, idle, workers, alone, events):
    costs = [less(row, idle, workers, "cpu", events) for row in runs]
    cost = statistics.median(costs)
    row = {"bench": name, "events_per_cpu_second": round(1e9 / cost), "ns_per_event": round(cost, 1),
           "least": round(min(costs), 1), "most": round(max(costs), 1),
           "engine_ns": round(alone, 1), "engine_share": round(alone / cost, 3),
           "events_per_second": round(events / statistics.median(row["wall"] for row in runs)),
           "alerts_per_1000": round(1000 * runs[0]["alerts"] / events, 2),
           "others": spread([row["others"] for row in runs], "{:.1%}".format)}
    if "kafka" in name:
        row["main_ns"] = round(statistics.median(less(one, idle, workers, "main", events) for one in runs), 1)
        row["broker_ns"] = round(statistics.median(one["broker"] / events for one in runs), 1)
    for counter in COUNTERS:
        if counter in runs[0]:
            row[counter.replace(":", "_")] = round(
                statistics.median(less(one, idle, workers, counter, events) for one in runs))
    print(json.dumps(row), flush=True)


def measure(name, rules, file, kafka):
    idle = loading(rules, file, kafka)
    filled = Filled(file, EVENTS, kafka)
    lines = repeated(file, EVENTS)
    title = f"correlate {'kafka' if kafka else 'local'} {name}"
    kinds = {"1 worker": (1, None), "2 workers": (2, None)}
    if kafka:
        kinds["1 worker, one CPU"] = (1, max(os.sched_getaffinity(0)))
    runs = {kind: [] for kind in kinds}
    alone = []
    try:
        for _ in range(ROUNDS):
            alone.append(engine(rules, lines))
            for kind, how in kinds.items():
                runs[kind].append(undisturbed(filled, rules, *how))
        for kind, rows in runs.items():
            report(f"{title}, {kind}", rows, idle, kinds[kind][0], statistics.median(alone), EVENTS)
        row = {"bench": f"{title}, two workers"}
        for kind, key in (("1 worker", "times_one"), ("1 worker, one CPU", "times_one_on_one_cpu")):
            if kind in runs:
                row[key] = times(runs[kind], runs["2 workers"], "wall")
        row["cpu_of_one"] = times(runs["1 worker"], runs["2 workers"], "cpu")
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
