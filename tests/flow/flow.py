"""Whole stages under test: starting them, sending to them, asking them. For the scripts of this folder.

Everything is real: the binary of build/release, sockets on the loopback, files in a temporary folder.
Prints TAP through case().
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("B", "build/release"))
TOCSIN = os.path.join(BUILD, "tocsin")
CORPORA = os.environ.get("TOCSIN_CORPORA", os.path.join(ROOT, "..", "shared", "corpora"))
LONG = os.environ.get("TOCSIN_LONG") == "1"
KAFKA = os.environ.get("TOCSIN_TEST_KAFKA", "")

_cases = 0

# A script that is over its limit of time still stops what it has started and removes what it has made.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def case(name, good, *notes):
    """One line of TAP; notes say why when it is not good."""
    global _cases
    _cases += 1
    print(f"{'ok' if good else 'not ok'} {_cases} - {name}", flush=True)
    if not good:
        for note in notes:
            for line in str(note).split("\n"):
                print(f"# {line}", flush=True)
    return good


def skip(name, why):
    global _cases
    _cases += 1
    print(f"ok {_cases} - {name} # SKIP {why}", flush=True)


def note(text):
    print(f"# {text}", flush=True)


def done():
    print(f"1..{_cases}", flush=True)


def free_port():
    """A port that is free for TCP and UDP now."""
    for _ in range(100):
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
            except OSError:
                continue
            return tcp.getsockname()[1]
    raise RuntimeError("no free port")


def wait_for(condition, seconds=20, pause=0.05):
    """Polls; gives the last value of the condition."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)


class House:
    """A folder, a configuration, and the stages that run over it."""

    def __init__(self, rules=None, settings=(), kafka=None, folder=None):
        """kafka: True for the broker of the suite, or the address of another."""
        self.own = folder is None
        self.path = folder or tempfile.mkdtemp(prefix="tocsin-flow-")
        self.port = free_port()
        self.processes = {}
        self.broker = None
        self.settings = [
            f"data.path={self.path}", f"rules.paths={rules or os.path.join(ROOT, 'rules')}",
            f"syslog.udp.listen=127.0.0.1:{self.port}", f"syslog.tcp.listen=127.0.0.1:{self.port}",
            "bus.local.segment=16M", "site.zone=+00:00", "language=en"]
        if kafka:
            self.broker = KAFKA if kafka is True else kafka
            self.prefix = f"flow-{os.getpid()}-{self.port}."
            self.settings += ["bus.backend=kafka", f"bus.kafka.prefix={self.prefix}",
                              f"bus.kafka.properties.bootstrap.servers={self.broker}"]
        self.settings += list(settings)

    def beside(self, name):
        """A path for a file of the configuration: in a folder of its own, as /etc/tocsin, which collect may read."""
        folder = os.path.join(self.path, "etc")
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, name)

    def arguments(self, *words):
        line = [TOCSIN, *words]
        for setting in self.settings:
            line += ["-o", setting]
        return line

    def start(self, *words, name=None):
        """Starts a command in the background; waits until its control socket answers."""
        name = name or words[0]
        log = open(os.path.join(self.path, f"{name}.log"), "ab")
        process = subprocess.Popen(self.arguments(*words), stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL)
        log.close()
        self.processes[name] = process
        return process

    def run(self, seconds=20):
        """tocsin run, and waits until every stage answers."""
        self.start("run")
        return wait_for(lambda: self.tool("status").returncode in (0, 1), seconds, 0.1)

    def tool(self, *words, seconds=120, **more):
        return subprocess.run(self.arguments(*words), capture_output=True, text=True,
                              timeout=seconds, stdin=subprocess.DEVNULL, errors="replace", **more)

    def alerts(self, *words):
        out = self.tool("alerts", "list", "--limit", "0", "--json", *words).stdout
        return [json.loads(line) for line in out.splitlines()]

    def sources(self):
        out = self.tool("sources", "--json").stdout
        rows = {}
        for row in map(json.loads, out.splitlines()):
            # A sender by several inputs is several rows: their sum.
            known = rows.setdefault(row["sender"], row)
            if known is not row:
                for key, value in row.items():
                    if isinstance(value, int) and not isinstance(value, bool) and not key.endswith("_ns"):
                        known[key] += value
        return rows

    def total(self):
        return self.sources().get("(total)", {})

    def status(self, run=None):
        """Stage name to its status object. run: another folder of control sockets than the usual one."""
        words = ["-o", f"run.path={run}"] if run else []
        try:
            stages = json.loads(self.tool("status", "--json", *words).stdout)["stages"]
        except (ValueError, KeyError):
            return {}
        return {stage["stage"]: stage for stage in stages}

    def drained(self, seconds=60, events=None):
        """Waits until nothing is under way: all events read, all detections, all alerts stored."""
        def quiet():
            stages = self.status()
            lag = 0
            for line in self.tool("bus", "topics").stdout.splitlines()[1:]:
                pass
            workers = [s for n, s in stages.items() if n.startswith("correlate")]
            seen = sum(w["details"]["events"] for w in workers)
            outbox = sum(w["details"]["outbox"] for w in workers)
            store = stages.get("store", {}).get("details", {})
            return (events is None or seen >= events) and outbox == 0 and lag == 0 and \
                store.get("evidence_waiting") == 0
        return wait_for(quiet, seconds, 0.2)

    def stop(self, name=None, how=signal.SIGTERM):
        for key in [name] if name else list(self.processes):
            process = self.processes.pop(key, None)
            if process is None:
                continue
            try:
                process.send_signal(how)
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self):
        text = ""
        for name in sorted(os.listdir(self.path)):
            if name.endswith(".log"):
                with open(os.path.join(self.path, name), errors="replace") as file:
                    text += f"--- {name}\n" + file.read()[-4000:]
        return text

    def close(self):
        self.stop()
        if self.own and not os.environ.get("TOCSIN_KEEP"):
            shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def copy_events(house, to, seed=1, bound_ms=0):
    """The events of a house's bus into a new local bus, moved by less than bound_ms; gives their count."""
    where = ["kafka", house.prefix, house.broker] if house.broker else \
        ["local", os.path.join(house.path, "bus")]
    os.makedirs(to, exist_ok=True)
    out = subprocess.run([os.path.join(BUILD, "tests", "flow", "test_shuffle"), *where, to, str(seed),
                          str(bound_ms)], capture_output=True, text=True, timeout=300)
    if out.returncode != 0:
        raise RuntimeError(f"test_shuffle: {out.stderr}")
    return int(out.stdout)


def send_tcp(port, lines, host="127.0.0.1"):
    """All lines over one connection, LF framed."""
    with socket.create_connection((host, port)) as link:
        for at in range(0, len(lines), 1000):
            link.sendall(b"".join(line.encode() if isinstance(line, str) else line
                                  for line in (l + ("\n" if isinstance(l, str) else b"\n")
                                               for l in lines[at:at + 1000])))


def stamp(seconds):
    """RFC 5424 time in UTC."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1e6):06d}Z"


def need_binary():
    if not os.path.exists(TOCSIN):
        case("the binary is built", False, TOCSIN)
        done()
        sys.exit(1)
