#!/usr/bin/env python3
"""From an event's sending to its alert being returned by a query; and memory, at three rates.

    bench/latency.py [SECONDS [RATE...]]

TOCSIN_BIN     the binary (build/release/tocsin)
TOCSIN_READER  bench_latency, the reader (build/release/bench/bench_latency)

`tocsin run` on the local bus with our rules and one that knows the marks. One sender over TCP, paced
in pieces of 10 ms; ten marks a second among ordinary lines. The clock begins when the piece with the
mark is handed to the kernel, and ends when a query, asked about every 2 ms, has returned the alert.
"""
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN_BIN", os.path.join(ROOT, "build/release/tocsin")))
READER = os.path.abspath(os.environ.get("TOCSIN_READER",
                                        os.path.join(ROOT, "build/release/bench/bench_latency")))
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
RATES = [int(r) for r in sys.argv[2:]] or [1000, 10000, 50000]
PIECE = 0.01
MARKS_A_SECOND = 10

RULE = """title: Mark of the bench
id: 0b6a2f6e-7a39-4c0e-9d55-2f6f0a3f7c11
status: test
description: Knows the lines whose way the bench measures.
author: Tocsin project
logsource:
  product: linux
detection:
  mark:
    User|startswith: bench-mark-
  condition: mark
level: low
tocsin:
  entity: [host]
"""


def background(count):
    """Ordinary lines: they are decoded and matched, and raise nothing."""
    rng = random.Random(7)
    lines = []
    for i in range(count):
        when, host = time.strftime("%b %e %H:%M:%S"), f"camau-{rng.randrange(40):02}"
        lines.append(rng.choice([
            f'<190>{when} {host} nginx: 198.51.100.{rng.randrange(250)} - - '
            f'[{time.strftime("%d/%b/%Y:%H:%M:%S +0000")}] "GET /tin-tuc/{i}?trang={rng.randrange(90)} '
            f'HTTP/1.1" 200 {rng.randrange(90000)} "https://dvc.example.vn/" "Mozilla/5.0 (X11; Linux)"',
            f'<30>{when} {host} dangky-so[{rng.randrange(30000)}]: tệp {i} đã được chuyển sang máy in '
            f'tầng {rng.randrange(9)}, còn {rng.randrange(400)} trang',
            f'<38>{when} {host} CRON[{rng.randrange(30000)}]: pam_unix(cron:session): session closed for '
            f'user www-data',
            f'<134>1 {time.strftime("%Y-%m-%dT%H:%M:%SZ")} {host}.example.vn portal {i} REQ - hồ sơ {i}: '
            f'nộp tại xã số {rng.randrange(160)}, mất {rng.randrange(900)} ms',
            f'<189>date={time.strftime("%Y-%m-%d")} time={time.strftime("%H:%M:%S")} devname="{host}-fw" '
            f'devid="FGT60F" logid="0000000013" type="traffic" subtype="forward" level="notice" '
            f'srcip=192.0.2.{rng.randrange(250)} srcport={1024 + rng.randrange(60000)} '
            f'dstip=198.51.100.{rng.randrange(250)} dstport=443 proto=6 action="close" '
            f'policyid={rng.randrange(200)} service="HTTPS" sentbyte={rng.randrange(90000)}'])
            .encode() + b"\n")
    return lines


def mark(number):
    when = time.strftime("%b %e %H:%M:%S")
    return (f"<38>{when} mark-{number} sshd[{number}]: Accepted publickey for bench-mark-{number} from "
            f"192.0.2.9 port 40112 ssh2\n").encode()


def memory(pid):
    """VmRSS and its anonymous part, in MB: the rest is pages of files, which the kernel can take back."""
    found = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for row in status:
            name, _, value = row.partition(":")
            if name in ("VmRSS", "RssAnon"):
                found[name] = int(value.split()[0]) / 1024
    return found["VmRSS"], found["RssAnon"]


def processes(pid):
    """The supervisor and its stages: name to pid."""
    found = {"run": pid}
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        for child in children.read().split():
            with open(f"/proc/{child}/cmdline", "rb") as line:
                found[line.read().split(b"\0")[1].decode()] = int(child)
    return found


class Watch(threading.Thread):
    """Samples memory and, at the end, CPU."""

    def __init__(self, stages):
        super().__init__(daemon=True)
        self.stages, self.samples, self.over = stages, {name: [] for name in stages}, threading.Event()
        self.begin = {name: self.cpu(pid) for name, pid in stages.items()}

    @staticmethod
    def cpu(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self):
        while not self.over.wait(1):
            for name, pid in self.stages.items():
                self.samples[name].append(memory(pid))

    def figures(self, events):
        out = {}
        for name, pid in self.stages.items():
            rows = self.samples[name]
            third = max(1, len(rows) // 3)
            out[name] = {"rss_first_mb": round(rows[0][0], 1), "rss_last_mb": round(rows[-1][0], 1),
                         "anon_first_mb": round(rows[0][1], 1),
                         "anon_middle_mb": round(rows[third][1], 1),
                         "anon_last_mb": round(rows[-1][1], 1),
                         "cpu_us_per_event": round((self.cpu(pid) - self.begin[name]) * 1e6 / events, 2)}
        return out


def play(port, rate, lines):
    """Sends for SECONDS; gives when each mark went, how many events, and how late the pace was."""
    sent, total, number, late = {}, 0, 0, 0.0
    each = rate * PIECE
    with socket.create_connection(("127.0.0.1", port)) as s:
        begin = time.monotonic()
        pieces = int(SECONDS / PIECE)
        for piece in range(pieces):
            due = int((piece + 1) * each) - total
            chunk = [lines[(total + i) % len(lines)] for i in range(due)]
            marked = piece % int(1 / PIECE / MARKS_A_SECOND) == 0
            if marked:
                number += 1
                chunk.insert(random.randrange(len(chunk) + 1), mark(number))
            total += due
            wait = begin + piece * PIECE - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            late = max(late, -wait)
            if marked:
                sent[f"mark-{number}"] = time.time_ns()
            s.sendall(b"".join(chunk))
    return sent, total + number, late


def start(folder, port):
    with open(os.path.join(folder, "mark.yml"), "w", encoding="utf-8") as f:
        f.write(RULE)
    settings = [f"data.path={folder}/data", f"store.path={folder}/data/store",
                f"rules.paths={ROOT}/rules,{folder}/mark.yml", f"syslog.tcp.listen=127.0.0.1:{port}",
                "syslog.udp.listen=", "site.zone=+00:00"]
    line = [TOCSIN]
    for setting in settings:
        line += ["-o", setting]
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen([TOCSIN, "run", *line[1:]], stdout=log, stderr=log)
    for _ in range(200):
        if subprocess.run([TOCSIN, "status", *line[1:]], capture_output=True, check=False).returncode == 0:
            return process
        time.sleep(0.1)
    with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as log:
        sys.stderr.write(log.read()[-2000:])
    raise RuntimeError("tocsin run does not answer")


def read_marks(reader, marks):
    """When each mark was first returned."""
    for row in reader.stdout:
        host, when = row.split()
        marks.setdefault(host, int(when))


def measure(rate, lines):
    folder = tempfile.mkdtemp(prefix="tocsin-bench-")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    os.environ["TZ"] = "UTC"
    process, marks = start(folder, port), {}
    try:
        reader = subprocess.Popen([READER, f"{folder}/data/store"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        listener = threading.Thread(target=read_marks, args=(reader, marks), daemon=True)
        listener.start()
        watch = Watch(processes(process.pid))
        watch.start()
        sent, events, late = play(port, rate, lines)
        end = time.monotonic() + 15
        while time.monotonic() < end and len(marks) < len(sent):
            time.sleep(0.05)
        watch.over.set()
        watch.join()
        stages = watch.figures(events)
        reader.stdin.close()
        listener.join(10)
        reader.wait(10)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    times = sorted((marks[name] - at) / 1e6 for name, at in sent.items() if name in marks)
    lost = len(sent) - len(times)
    figure = {"bench": f"latency at {rate} events/s", "marks": len(sent), "not_returned": lost,
              "p50_ms": round(statistics.median(times), 1) if times else None,
              "p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))], 1) if times else None,
              "most_ms": round(times[-1], 1) if times else None,
              "sender_late_ms": round(late * 1000, 1), "events": events}
    print(json.dumps(figure), flush=True)
    for name, row in stages.items():
        print(json.dumps({"bench": f"memory at {rate} events/s: {name}", **row}), flush=True)
    return lost == 0


def main():
    lines = background(20000)
    return 0 if all([measure(rate, lines) for rate in RATES]) else 1


if __name__ == "__main__":
    sys.exit(main())
