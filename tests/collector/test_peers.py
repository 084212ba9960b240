#!/usr/bin/env python3
"""Real senders against the real collector: util-linux's logger and Debian's rsyslog, each way of
framing, numbered events. Over TCP all are on the bus exactly once; over UDP none twice, and what is
not there was counted as dropped by the kernel. Prints TAP."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOCSIN = os.path.join(os.environ.get("B", "build/release"), "tocsin")
RSYSLOGD = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
LOGGER = shutil.which("logger")
COUNT = 10000
PATIENCE = 120

LOGGERS = [
    ("logger-udp-3164", ["--udp", "--rfc3164"]),
    ("logger-udp-5424", ["--udp", "--rfc5424"]),
    ("logger-tcp-3164", ["--tcp", "--rfc3164"]),
    ("logger-tcp-5424", ["--tcp", "--rfc5424"]),
    ("logger-octets-3164", ["--tcp", "--octet-count", "--rfc3164"]),
    ("logger-octets-5424", ["--tcp", "--octet-count", "--rfc5424"]),
]
RSYSLOGS = [
    ("rsyslog-udp", 'protocol="udp"'),
    ("rsyslog-tcp", 'protocol="tcp" TCP_Framing="traditional"'),
    ("rsyslog-octets", 'protocol="tcp" TCP_Framing="octet-counted"'),
]

RSYSLOG_CONF = """
global(workDirectory="{folder}" net.enableDNS="off")
module(load="imfile")
input(type="imfile" File="{lines}" Tag="peer:" Severity="info" Facility="local0")
action(type="omfwd" target="127.0.0.1" port="{port}" {action})
"""


def free_port():
    """One that is free for both kinds of socket."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]
            except OSError:
                continue


class Collector:
    def __init__(self, folder):
        self.port = free_port()
        at = f"127.0.0.1:{self.port}"
        self.options = ["-o", f"data.path={folder}/data", "-o", f"syslog.udp.listen={at}",
                        "-o", f"syslog.tcp.listen={at}"]
        self.log = open(os.path.join(folder, "collect.log"), "wb")
        self.process = subprocess.Popen([TOCSIN, "collect", *self.options], stderr=self.log)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the collector does not listen")

    def sources(self):
        out = subprocess.run([TOCSIN, "sources", "--json", *self.options], check=True,
                             capture_output=True).stdout
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def total(self):
        return next(row for row in self.sources() if row["sender"] == "(total)")

    def wait(self, want):
        """Until so many more events came or were dropped."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            row = self.total()
            if row["received"] + row["kernel_drops"] >= want and row["received"] == row["durable"]:
                break
            time.sleep(0.1)
        return row

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.log.close()
        return code

    def raw(self):
        return subprocess.run([TOCSIN, "bus", "cat", "events", "--raw", *self.options], check=True,
                              capture_output=True).stdout


def write_lines(folder, name):
    path = os.path.join(folder, name + ".txt")
    with open(path, "w", encoding="utf-8") as out:
        for i in range(COUNT):
            out.write(f"{name} n={i:05d} thử nghiệm gửi nhật ký\n")
    return path


def run_logger(collector, lines, options):
    subprocess.run([LOGGER, "--server", "127.0.0.1", "--port", str(collector.port), *options,
                    "--tag", "peer", "--file", lines], check=True, timeout=PATIENCE)


def run_rsyslog(collector, folder, lines, action, want):
    work = tempfile.mkdtemp(dir=folder)
    conf = os.path.join(work, "rsyslog.conf")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(RSYSLOG_CONF.format(folder=work, lines=lines, port=collector.port, action=action))
    with open(os.path.join(work, "log"), "wb") as log:
        process = subprocess.Popen([RSYSLOGD, "-n", "-f", conf, "-i", os.path.join(work, "pid")],
                                   stdout=log, stderr=log)
        try:
            collector.wait(want)
        finally:
            process.terminate()
            process.wait(30)


def check(name, raw, drops):
    """What is wrong, or an empty text."""
    found = [int(n) for n in re.findall(name.encode() + rb" n=(\d{5}) th\xe1\xbb\xad ", raw)]
    missing = COUNT - len(set(found))
    if len(found) != len(set(found)):
        return f"{len(found) - len(set(found))} events are there twice"
    if missing != drops:
        return f"{missing} events are missing, {drops} were counted as dropped"
    if "udp" not in name and found != sorted(found):
        return "not in order"
    return ""


def main():
    todo = []
    skipped = []
    for name, options in LOGGERS:
        (todo if LOGGER else skipped).append((name, options))
    for name, action in RSYSLOGS:
        (todo if RSYSLOGD else skipped).append((name, action))
    print(f"1..{len(todo) + len(skipped) + 2}")
    folder = tempfile.mkdtemp(prefix="tocsin-peers-")
    failed = 0

    def ok(good, what):
        nonlocal failed
        failed += not good
        print(f"{'ok' if good else 'not ok'} - {what}", flush=True)

    try:
        collector = Collector(folder)
        want = 0
        drops = {}
        before = 0
        for name, how in todo:
            lines = write_lines(folder, name)
            want += COUNT
            if name.startswith("logger"):
                run_logger(collector, lines, how)
            else:
                run_rsyslog(collector, folder, lines, how, want)
            row = collector.wait(want)
            drops[name] = row["kernel_drops"] - before
            before = row["kernel_drops"]
        total = collector.total()
        code = collector.stop()
        raw = collector.raw()
        for name, _ in todo:
            wrong = check(name, raw, drops[name])
            ok(not wrong, f"{name}: {wrong or f'{COUNT} events, {drops[name]} dropped'}")
        for name, _ in skipped:
            print(f"ok - {name} # SKIP its program is not installed")
        events = len(re.findall(rb" n=\d{5} th\xe1\xbb\xad ", raw))
        balanced = total["received"] == total["durable"] == events and total["in_flight"] == 0 \
            if "in_flight" in total else total["received"] == total["durable"]
        ok(balanced and total["received"] + total["kernel_drops"] >= want,
           f"the ledger balances: {total['received']} received, {total['durable']} durable, "
           f"{events} on the bus, {total['kernel_drops']} dropped by the kernel")
        ok(code == 0, f"the collector ends with {code}")
        if failed:
            with open(os.path.join(folder, "collect.log"), encoding="utf-8") as log:
                print("# " + log.read()[-2000:].replace("\n", "\n# "))
    finally:
        if collector.process.poll() is None:
            collector.process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
