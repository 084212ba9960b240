#!/usr/bin/env python3
"""Beside Debian's rsyslog: the same lines, one sender over TCP, to durable storage and to Kafka.

    bench/peers.py [EVENTS [ROUNDS]]

TOCSIN_BIN         the binary (build/release/tocsin)
TOCSIN_TEST_KAFKA  host:port of a broker; without it the Kafka part is skipped

Prints one JSON line a figure: events per CPU second of the daemon (user and system time of all its
threads, from /proc), the median of the rounds. Both take turns within each round, so that noise of the
machine meets both; the ratio is the median of the rounds' ratios. A run in which not every event
arrived is a failure.
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
KAFKA = os.environ.get("TOCSIN_TEST_KAFKA", "")
EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 300000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
TICK = os.sysconf("SC_CLK_TCK")
LINE = 300
PATIENCE = 60

PLACES = ["hue", "daklak", "camau", "sonla", "angiang", "quangtri", "laocai", "nghean"]


# omkafka gives records the time of their line, and a broker refuses those from the future.
NOW = time.strftime("%b %e %H:%M:%S")


def line(i):
    head = (f"<38>{NOW} {PLACES[i % 8]}-{i % 40:02} "
            f"sshd[{800 + i * 7919 % 30000}]: Failed password for invalid user nguyen{i} from "
            f"203.0.113.{i % 250} port {1024 + i * 31 % 60000} ssh2; ")
    return (head + "session refused by policy of the province, see the handbook of the duty room; " * 4)[:LINE]


PART = [("\n".join(line(i + part * 2000) for i in range(2000)) + "\n").encode() for part in range(10)]


def cpu(pid):
    """Seconds of all threads that live; from the scheduler, in ns, for a tick is 10 ms."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
        except FileNotFoundError:
            pass
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    # Threads that have ended are in the ticks of the process only.
    ticks = (int(fields[11]) + int(fields[12])) / TICK
    return total / 1e9 if ticks < total / 1e9 + 0.1 else ticks


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nobody listens")


def send(port):
    with connect(port) as s:
        for i in range(EVENTS // 2000):
            s.sendall(PART[i % len(PART)])
        s.shutdown(socket.SHUT_WR)


def wait(count):
    """Until every event is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if count() >= EVENTS:
            return True
        time.sleep(0.05)
    return False


class Counter:
    """Lines of a growing file."""

    def __init__(self, path):
        self.path, self.at, self.lines = path, 0, 0

    def __call__(self):
        try:
            with open(self.path, "rb") as f:
                f.seek(self.at)
                while True:
                    piece = f.read(1 << 20)
                    if not piece:
                        return self.lines
                    self.at += len(piece)
                    self.lines += piece.count(b"\n")
        except FileNotFoundError:
            return 0


def measured(start, port, count):
    """start() gives the process. CPU seconds from its readiness to the last event's arrival."""
    process = start()
    try:
        connect(port).close()
        time.sleep(0.3)
        before, begin = cpu(process.pid), time.monotonic()
        send(port)
        if not wait(count):
            raise RuntimeError(f"{process.args[0]}: {count()} of {EVENTS} arrived")
        seconds = time.monotonic() - begin
        return cpu(process.pid) - before, seconds
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# ---- topics, through tocsin for both ----

def tool(settings, *words):
    line_ = [TOCSIN, *words]
    for setting in settings:
        line_ += ["-o", setting]
    return subprocess.run(line_, capture_output=True, text=True, timeout=60, check=False)


def kafka_settings(prefix):
    return ["bus.backend=kafka", f"bus.kafka.prefix={prefix}", "bus.partitions.events=1",
            f"bus.kafka.properties.bootstrap.servers={KAFKA}"]


def records(settings):
    """Records in the topic of events: topic, partition, first, next."""
    total = 0
    for row in tool(settings, "bus", "topics").stdout.splitlines():
        words = row.split()
        if len(words) >= 4 and words[0] == "events" and words[1].isdigit():
            total += int(words[3]) - int(words[2])
    return total


# ---- rsyslog ----

TEMPLATES = '''
template(name="raw" type="string" string="%rawmsg%@NL@")
template(name="json" type="list") {
  constant(value="{") property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  constant(value=",") property(outname="received" name="timegenerated" dateFormat="rfc3339" format="jsonf")
  constant(value=",") property(outname="peer" name="fromhost-ip" format="jsonf")
  constant(value=",") property(outname="host" name="hostname" format="jsonf")
  constant(value=",") property(outname="facility" name="syslogfacility-text" format="jsonf")
  constant(value=",") property(outname="severity" name="syslogseverity-text" format="jsonf")
  constant(value=",") property(outname="program" name="programname" format="jsonf")
  constant(value=",") property(outname="procid" name="procid" format="jsonf")
  constant(value=",") property(outname="message" name="msg" format="jsonf")
  constant(value="}@NL@")
}'''.replace("@NL@", "\\n")


def rsyslog_config(folder, port, template, kafka_topic):
    if kafka_topic:
        action = f'''action(type="omkafka" broker="{KAFKA}" topic="{kafka_topic}" template="{template}"
            resubmitOnFailure="on" confParam=["compression.codec=lz4","acks=all","linger.ms=5",
            "enable.idempotence=true","queue.buffering.max.messages=200000"])'''
    else:
        action = f'''action(type="omfile" file="{folder}/out" template="{template}" ioBufferSize="256k")'''
    module = ['module(load="imptcp" threads="1")'] + \
        (['module(load="omkafka")'] if kafka_topic else [])
    return "\n".join(module) + f'''
global(workDirectory="{folder}" maxMessageSize="64k")
main_queue(queue.type="fixedArray" queue.size="100000" queue.dequeueBatchSize="4096"
    queue.workerThreads="1" queue.highWatermark="90000")
{TEMPLATES}
{action}
input(type="imptcp" port="{port}" address="127.0.0.1")
'''


def rsyslog(template, prefix):
    folder, port = tempfile.mkdtemp(prefix="tocsin-bench-"), free_port()
    config = os.path.join(folder, "conf")
    topic = prefix + "events" if prefix else None
    with open(config, "w", encoding="utf-8") as f:
        f.write(rsyslog_config(folder, port, template, topic))
    if prefix:
        settings = kafka_settings(prefix) + [f"data.path={folder}/data"]
        tool(settings, "bus", "topics")
        count = lambda: records(settings)
    else:
        count = Counter(os.path.join(folder, "out"))
    with open(os.path.join(folder, "log"), "wb") as log:
        start = lambda: subprocess.Popen(["/usr/sbin/rsyslogd", "-n", "-f", config, "-i", folder + "/pid"],
                                         stdout=log, stderr=log)
        try:
            return measured(start, port, count)
        except RuntimeError:
            with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as said:
                sys.stderr.write(said.read()[-2000:])
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)


# ---- ours ----

def tocsin(form, prefix):
    folder, port = tempfile.mkdtemp(prefix="tocsin-bench-"), free_port()
    settings = [f"data.path={folder}", f"syslog.tcp.listen=127.0.0.1:{port}", "syslog.udp.listen=",
                f"bus.format={form}", f"rules.paths={ROOT}/rules"]
    settings += kafka_settings(prefix) if prefix else []

    def durable():
        for row in tool(settings, "sources", "--json").stdout.splitlines():
            row = json.loads(row)
            if row["sender"] == "(total)":
                return row["durable"]
        return 0
    arguments = [TOCSIN, "collect"]
    for setting in settings:
        arguments += ["-o", setting]
    with open(os.path.join(folder, "log"), "wb") as log:
        try:
            return measured(lambda: subprocess.Popen(arguments, stdout=log, stderr=log), port, durable)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


# ---- figures ----

def compare(name, ours, peers):
    """ours: a function; peers: name to function. Turns within each round."""
    costs = {}
    for _ in range(ROUNDS):
        for who, run in [("tocsin", ours), *peers.items()]:
            spent, seconds = run()
            costs.setdefault(who, []).append((spent, seconds))
    for who, rows in costs.items():
        rates = sorted(EVENTS / spent for spent, _ in rows)
        figure = {"bench": f"{name}: {who}", "events_per_cpu_second": round(statistics.median(rates)),
                  "ns_per_event": round(1e9 / statistics.median(rates), 1),
                  "least": round(1e9 / rates[-1], 1), "most": round(1e9 / rates[0], 1),
                  "events_per_second": round(EVENTS / statistics.median(s for _, s in rows))}
        if who != "tocsin":
            ratios = [theirs[0] / mine[0] for mine, theirs in zip(costs["tocsin"], rows)]
            figure["ours_is_times"] = round(statistics.median(ratios), 2)
        print(json.dumps(figure), flush=True)


def skip(name, why):
    print(json.dumps({"bench": name, "skipped": why}), flush=True)


def omkafka():
    """Debian has it in a package of its own."""
    where = "/usr/lib/x86_64-linux-gnu/rsyslog/omkafka.so"
    if not os.path.exists(where) and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "rsyslog-kafka"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    found = subprocess.run(["find", "/usr/lib", "-name", "omkafka.so"], capture_output=True, text=True,
                           check=False)
    return found.stdout.strip() != ""


def main():
    if not os.path.exists("/usr/sbin/rsyslogd"):
        skip("beside rsyslog", "rsyslog is not installed")
        return 0
    compare("TCP to disk", lambda: tocsin("frame", None),
            {"rsyslog, raw lines": lambda: rsyslog("raw", None),
             "rsyslog, JSON": lambda: rsyslog("json", None)})
    if not KAFKA:
        skip("TCP to Kafka", "no broker: TOCSIN_TEST_KAFKA is not set")
        return 0
    if not omkafka():
        skip("TCP to Kafka", "rsyslog-kafka is not installed and could not be")
        return 0
    number = [0]

    def prefix():
        number[0] += 1
        return f"peers-{os.getpid()}-{number[0]}."
    compare("TCP to Kafka, frames beside lines", lambda: tocsin("frame", prefix()),
            {"rsyslog, raw lines": lambda: rsyslog("raw", prefix())})
    compare("TCP to Kafka, an event a record as JSON", lambda: tocsin("json", prefix()),
            {"rsyslog, JSON": lambda: rsyslog("json", prefix())})
    return 0


if __name__ == "__main__":
    sys.exit(main())
