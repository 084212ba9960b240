#!/usr/bin/env python3
"""The collector beside Debian's rsyslog and syslog-ng: the same lines, the same Kafka, one table.

    bench/senders.py [--rows WORDS] [--events N] [--rounds N] [--json FILE] [--quick]

TOCSIN_BIN         the binary (build/release/tocsin); bench_send and bench_count lie in bench/ beside it
TOCSIN_TEST_KAFKA  host:port of a broker; without it one of deploy/kafka.sh is started

--rows tcp,udp     only these rows, or all of a kind (tcp-1 tcp-100 tcp-10000 tls-1
                   tls-100 tls-10000 udp-150000 udp-300000 hec-1 hec-100 bulk-1 ...)
--who tocsin       only the daemons whose name holds one of these words
--profile FOLDER   perf record beside each run: FOLDER/ROW-WHO.txt says which functions its time goes to
--quick            a tenth of the events: does it work?

CPU time is user and system time of the daemon, from when all connections stand until every event is in
the topic; what is there is read back and told apart by number. acks=all everywhere, four partitions. A run
in which not every event came (UDP apart) is told as such and has no figure.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from senders_daemons import (ROOT, TOCSIN, Rsyslog, SyslogNg, Tocsin, certificates, why_not)  # noqa: E402

BENCH = os.path.join(os.path.dirname(TOCSIN), "bench")
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """Seconds of all threads: of those that live from the scheduler, in ns; of those that have ended from the
    ticks of the process."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
        except FileNotFoundError:
            pass
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    ticks = sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICK
    return total / 1e9 if ticks < total / 1e9 + 0.1 else ticks


def resident(pid):
    """KB: resident, and anonymous."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        rows = dict(row.split(":", 1) for row in status if ":" in row)
    return int(rows["VmRSS"].split()[0]), int(rows["RssAnon"].split()[0])


def udp_drops(port):
    """What the kernel dropped at the sockets of this port."""
    with open("/proc/net/udp", encoding="ascii") as table:
        return sum(int(row.split()[-1]) for row in table.readlines()[1:]
                   if int(row.split()[1].split(":")[1], 16) == port)


class Instructions:
    """perf stat on the daemon, where there is perf."""

    def __init__(self, pid, folder):
        self.path = os.path.join(folder, "perf")
        try:
            self.process = subprocess.Popen(
                ["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-o", self.path, "-p", str(pid)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.3)
        except OSError:
            self.process = None

    def end(self):
        """In user space and in the kernel, or None."""
        if self.process is None:
            return None
        self.process.send_signal(2)
        self.process.wait(20)
        counts = {}
        try:
            with open(self.path, encoding="ascii") as rows:
                for row in rows:
                    words = row.split(",")
                    if len(words) > 2 and words[0].isdigit():
                        counts[words[2][-1]] = int(words[0])
        except OSError:
            # A thread that ended while perf looked at them: it gives up.
            return None
        return (counts["u"], counts["k"]) if len(counts) == 2 else None


class Profile:
    """perf record on the daemon instead: FOLDER/ROW-WHO.txt says which functions take its time."""

    def __init__(self, pid, path):
        self.path = path
        self.process = subprocess.Popen(["perf", "record", "-q", "-F", "2500", "-o", path + ".data", "-p", str(pid)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def end(self):
        self.process.send_signal(2)
        self.process.wait(20)
        with open(self.path + ".txt", "w", encoding="utf-8") as out:
            for by in ("comm", "comm,dso", "dso,symbol"):
                subprocess.run(["perf", "report", "-i", self.path + ".data", "--stdio", "--no-children", "--percent-limit",
                                "0.5", "--sort", by], stdout=out, stderr=subprocess.DEVNULL, check=False)
        os.unlink(self.path + ".data")


def sender(kind, port, options):
    words = [f"{name}={value}" for name, value in options.items()]
    return subprocess.Popen([os.path.join(BENCH, "bench_send"), kind, str(port), *words],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def counted(kafka, prefix, most, silent_ms):
    out = subprocess.run([os.path.join(BENCH, "bench_count"), kafka, prefix, str(most), str(silent_ms)],
                         capture_output=True, text=True, timeout=600, check=False)
    if out.returncode != 0:
        raise RuntimeError(f"bench_count: {out.stderr[-500:]}")
    return json.loads(out.stdout)


def measured(daemon, row, profiles):
    """One run of one daemon: what was sent, what came, and what it took."""
    kind, options = row["kind"], row["options"]
    figure = {"who": daemon.name}
    with daemon:
        before = daemon.prepare()
        idle = resident(daemon.pid)
        spent = cpu(daemon.pid)
        link = sender(kind, daemon.port, options)
        said = link.stdout.readline()
        if not said.startswith("ready"):
            raise RuntimeError(f"{daemon.name}: the senders did not come in: {daemon.said()}")
        time.sleep(1 if options["connections"] > 1000 else 0.3)
        figure["connect_s"] = round(cpu(daemon.pid) - spent, 3)
        figure["connection_kb"] = [round((now - then) / options["connections"], 2)
                                   for now, then in zip(resident(daemon.pid), idle)]
        instructions = (Profile(daemon.pid, os.path.join(profiles, f"{row['name']}-{daemon.name}")) if profiles
                        else Instructions(daemon.pid, daemon.folder))
        drops, spent, begin = udp_drops(daemon.port), cpu(daemon.pid), time.monotonic()
        try:
            out, _ = link.communicate("go\n", timeout=60)
        finally:
            link.kill()
        sent = json.loads(out)
        count = counted(daemon.kafka, daemon.prefix, options["events"], 2500 if kind == "udp" else 8000)
        figure["cpu_s"] = cpu(daemon.pid) - spent
        figure["seconds"] = round(time.monotonic() - begin, 2)
        figure["drops"] = udp_drops(daemon.port) - drops
        figure["rss_mb"] = round(resident(daemon.pid)[0] / 1024, 1)
        figure["instructions"] = instructions.end()
        figure.update(sent=sent["sent"], send_s=sent["seconds"], refused=sent["refused"], broken=sent["broken"],
                      different=count["different"], repeats=count["repeats"], records=count["records"],
                      told=daemon.told(before), gaps=count["gaps"])
    return figure


# ---- rows ----

def rows(events):
    """Name, kind, options of bench_send, and which daemons."""
    plain = ["tocsin", "tocsin-json", "rsyslog-json", "rsyslog-raw", "syslog-ng-json"]
    table = []
    for connections, burst in ((1, 200), (100, 50), (10000, 10)):
        table.append((f"tcp-{connections}", "tcp", connections, burst, plain, {}))
    for connections, burst in ((1, 50), (100, 50), (10000, 10)):
        # rsyslog takes a minute of CPU to let 10,000 in: once is enough.
        who = ["tocsin", "rsyslog-json"] + (["rsyslog-raw", "syslog-ng-json"] if connections < 10000 else [])
        table.append((f"tls-{connections}", "tls", connections, burst, who, {"octet": 1}))
    for rate in (150000, 300000):
        table.append((f"udp-{rate}", "udp", 100, 8, ["tocsin", "rsyslog-json", "rsyslog-raw", "syslog-ng-json"],
                      {"rate": rate, "events": rate * 4 * events // 300000}))
    for kind in ("hec", "bulk"):
        # What all of them have under way stays below the collector's queue, or they are told to come again.
        for connections, burst in ((1, 1000), (100, 200), (10000, 5)):
            table.append((f"{kind}-{connections}", kind, connections, burst, ["tocsin"],
                          {"events": events * 2}))
    for name, kind, connections, burst, who, more in table:
        yield {"name": name, "kind": kind, "who": who,
               "options": {"connections": connections, "burst": burst, "events": events, "hosts": 1, **more}}


def daemon_of(who, row, kafka, certs):
    kind = row["kind"]
    if who.startswith("tocsin"):
        return Tocsin(who, kind, kafka, certs, "json" if who.endswith("json") else "frame")
    if who.startswith("rsyslog"):
        return Rsyslog(who, kind, kafka, certs, who.split("-")[1])
    return SyslogNg(who, kind, kafka, certs)


# ---- figures ----

def median_of(figures, key):
    return statistics.median(figure[key] for figure in figures)


def summary(row, who, figures):
    """The rounds of one daemon as one object."""
    events = row["options"]["events"]
    whole = row["kind"] == "udp" or all(f["different"] == events for f in figures)
    one = {"bench": row["name"], "who": who, "events": events, "rounds": len(figures), "whole": whole}
    rates = sorted(f["different"] / f["cpu_s"] for f in figures)
    one["events_per_cpu_second"] = round(statistics.median(rates)) if whole else None
    one["least"], one["most"] = round(rates[0]), round(rates[-1])
    counts = [f["instructions"] for f in figures if f["instructions"] and f["different"]]
    if counts:
        each = [[n / f["different"] for n in f["instructions"]] for f in figures if f["instructions"]]
        one["instructions_user"] = round(statistics.median(e[0] for e in each))
        one["instructions_kernel"] = round(statistics.median(e[1] for e in each))
    for key in ("sent", "different", "repeats", "records", "drops", "told", "gaps", "refused", "broken", "seconds",
                "send_s", "connect_s", "rss_mb"):
        one[key] = figures[0][key] if figures[0][key] is None else median_of(figures, key)
    one["connection_kb"] = figures[0]["connection_kb"]
    return one


def ratios(row, runs):
    """ours over each peer, the median of the rounds' ratios."""
    found = {}
    for who, figures in runs.items():
        if who == "tocsin" or "tocsin" not in runs:
            continue
        pairs = [(mine["different"] / mine["cpu_s"]) / (theirs["different"] / theirs["cpu_s"])
                 for mine, theirs in zip(runs["tocsin"], figures) if theirs["different"] and mine["different"]]
        if pairs:
            found[who] = round(statistics.median(pairs), 2)
    return found


HEAD = (f"{'':<12}{'':<16}{'per CPU s':>11}{'spread':>18}{'ours is':>9}{'instr. user':>12}{'kernel':>8}"
        f"{'wall s':>8}{'RSS MB':>8}  notes")


def notes(one):
    text = []
    if not one["whole"]:
        text.append(f"only {one['different']:,.0f} of {one['events']:,} came")
    if one["bench"].startswith("udp"):
        lost = one["sent"] - one["different"]
        told = "tells nothing" if one["told"] is None else f"tells {one['told']:,.0f}"
        if one["told"] is not None:
            told += f", gaps on the bus {one['gaps']:,.0f}"
        text.append(f"sent {one['sent']:,.0f} in {one['send_s']:.1f} s, lost {lost:,.0f} "
                    f"({100 * lost / one['sent']:.2f} %), kernel {one['drops']:,.0f}, {told}")
    if one["repeats"]:
        text.append(f"{one['repeats']:,.0f} twice")
    if one["refused"] or one["broken"]:
        text.append(f"{one['refused']:.0f} answers refused, {one['broken']:.0f} connections broken")
    if one["bench"].endswith("-10000"):
        text.append(f"an idle connection {one['connection_kb'][0]:.1f} KB resident, "
                    f"{one['connect_s'] * 1e6 / 10000:.0f} us of CPU to come in")
    return "; ".join(text)


def show(one):
    figure = one["events_per_cpu_second"]
    cells = [f"{one['bench']:<12}{one['who']:<16}{'-' if figure is None else format(figure, ','):>11}",
             f"{one['least']:>9,}-{one['most']:<,}".rjust(18),
             f"{one.get('ours_is_times', ''):>9}{one.get('instructions_user', ''):>12}",
             f"{one.get('instructions_kernel', ''):>8}{one['seconds']:>8.1f}{one['rss_mb']:>8.0f}  {notes(one)}"]
    print("".join(cells).rstrip(), flush=True)


def skip(name, who, why, out):
    print(f"{name:<12}{who:<16}skipped: {why}", flush=True)
    out.append({"bench": name, "who": who, "skipped": why})


def run_row(row, arguments, kafka, certs, out):
    runs, wanted = {}, []
    for who in row["who"]:
        if arguments.who and not any(word in who for word in arguments.who.split(",")):
            continue
        why = why_not(who)
        if why:
            skip(row["name"], who, why, out)
        else:
            wanted.append(who)
    for _ in range(arguments.rounds):
        for who in wanted:
            try:
                runs.setdefault(who, []).append(measured(daemon_of(who, row, kafka, certs), row,
                                                       arguments.profile))
            except (RuntimeError, subprocess.TimeoutExpired, ValueError) as what:
                skip(row["name"], who, str(what)[-300:], out)
                wanted = [w for w in wanted if w != who]
                runs.pop(who, None)
    times = ratios(row, runs)
    for who, figures in runs.items():
        one = summary(row, who, figures)
        if who in times:
            one["ours_is_times"] = times[who]
        show(one)
        out.append(one)


def named(name, word):
    """tcp names all of tcp-1, tcp-100; tcp-1 only itself."""
    return name == word or name.startswith(word + "-")


def broker():
    """The address of one, and what ends it."""
    given = os.environ.get("TOCSIN_TEST_KAFKA", "")
    if given:
        return given, lambda: None
    folder = os.path.join(ROOT, "build", "bench", "kafka")
    libs = os.path.join(ROOT, "build", "kafka", "libs")
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(os.path.join(libs, ".whole")) and not os.path.exists(os.path.join(folder, "libs")):
        os.symlink(libs, os.path.join(folder, "libs"))
    environment = dict(os.environ, TOCSIN_KAFKA=folder, TOCSIN_KAFKA_PORT=os.environ.get("TOCSIN_KAFKA_PORT", "19492"))

    def do(what):
        return subprocess.run(["sh", os.path.join(ROOT, "deploy", "kafka.sh"), what], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False)
    started = do("start")
    address = started.stdout.strip().split("\n")[-1]
    if started.returncode != 0 or not address:
        raise SystemExit(f"no broker: {started.stderr.strip()[-300:]}")
    return address, lambda: do("clean")


def main():
    parser = argparse.ArgumentParser(description="the collector beside rsyslog and syslog-ng")
    parser.add_argument("--rows", default="")
    parser.add_argument("--who", default="")
    parser.add_argument("--events", type=int, default=300000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", default="")
    parser.add_argument("--profile", default="")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.profile:
        os.makedirs(arguments.profile, exist_ok=True)
    if arguments.quick:
        arguments.events = 30000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kafka, end = broker()
    out = []
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
            certs = certificates(folder)
            print(HEAD, flush=True)
            for row in rows(arguments.events):
                if not arguments.rows or any(named(row["name"], word) for word in arguments.rows.split(",")):
                    run_row(row, arguments, kafka, certs, out)
    finally:
        end()
    print(f"{time.monotonic() - begin:.0f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
