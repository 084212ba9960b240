#!/usr/bin/env python3
"""Real senders that wait for an answer, unmodified, through kill -9 of the collector: nothing is lost.

Debian's rsyslog with omrelp; Elastic's go-lumber, from the Go module proxy; npm's @fluent-org/logger,
with a shared key and without. Debian's python3-fluent-logger and npm's gelf-pro do not wait; they
are only heard. What a sender needs and is not there is said, and skipped.
"""
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, ROOT, case, done, need_binary, note, skip, wait_for  # noqa: E402
from senders import EVENTS, Door, Program, fill, table, through, with_broker  # noqa: E402

RELP = """global(workDirectory="{folder}")
module(load="imfile" mode="inotify")
module(load="omrelp")
input(type="imfile" file="{folder}/log" tag="numbered:")
template(name="line" type="string" string="<%PRI%>1 - province app - - - %msg%")
action(type="omrelp" target="127.0.0.1" port="{port}" template="line" windowSize="32" conn.timeout="2" timeout="5"
       action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList" queue.size="50000")
"""


def relp():
    program = shutil.which("rsyslogd") or shutil.which("/usr/sbin/rsyslogd")
    module = [p for p in ("/usr/lib/x86_64-linux-gnu/rsyslog/omrelp.so", "/usr/lib/rsyslog/omrelp.so",
                          "/usr/lib/aarch64-linux-gnu/rsyslog/omrelp.so") if os.path.exists(p)]
    if program is None or not module:
        skip("rsyslog's omrelp", "rsyslogd or omrelp (Debian: rsyslog, rsyslog-relp) is not installed")
        return
    door = Door("relp.listen")
    folder = os.path.join(door.house.path, "rsyslog")
    os.mkdir(folder)
    with open(os.path.join(folder, "rsyslog.conf"), "w") as file:
        file.write(RELP.format(folder=folder, port=door.port))
    path = os.path.join(folder, "log")
    open(path, "w").close()
    with door, Program(door, [program, "-n", "-f", os.path.join(folder, "rsyslog.conf"), "-i",
                              os.path.join(folder, "pid")]) as sender:
        threading.Thread(target=fill, args=(path, EVENTS, 0.2), daemon=True).start()
        through("rsyslog's omrelp", door, sender.running, sender.said)
        case("rsyslog's omrelp: no frame was bad", door.counted("bad_frames") == 0, door.total())


def go_lumber():
    """The path of the built client, or None and why not."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        return None, "go is not installed"
    out = os.path.join(ROOT, "build", "senders", "lumberjack")
    if not os.path.exists(out):
        os.makedirs(os.path.dirname(out), exist_ok=True)
        try:
            made = subprocess.run([go, "build", "-mod=mod", "-o", out, "."], capture_output=True, text=True,
                                  timeout=300, cwd=os.path.join(ROOT, "tests", "flow", "lumberjack"))
        except subprocess.TimeoutExpired:
            return None, "go-lumber cannot be had from the Go module proxy in time"
        if made.returncode != 0:
            return None, "go-lumber cannot be had or built: " + (made.stderr.strip().splitlines() or [""])[-1]
    return out, ""


def through_program(name, door, command):
    """A program that sends all, by itself again what was not acknowledged, and then ends."""
    with door, Program(door, command) as sender:
        seen = through(name, door, sender.running, sender.said)
        wait_for(lambda: not sender.running(), 20, 0.1)
        case(f"{name}: it was told that all is there", sender.process.returncode == 0, sender.said())
        case(f"{name}: no frame was bad", door.counted("bad_frames") == 0, door.total())
        return seen


def lumberjack():
    program, why = go_lumber()
    for level in ("3", "0") if LONG else ("3",):
        if program is None:
            skip(f"go-lumber, compression {level}", why)
            continue
        door = Door("lumberjack.listen")
        through_program(f"go-lumber, compression {level}", door,
                        [program, f"127.0.0.1:{door.port}", str(EVENTS), level])


def npm():
    """The folder with node_modules, or None and why not."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None, "node or npm is not installed"
    out = os.path.join(ROOT, "build", "senders", "npm")
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(os.path.join(ROOT, "tests", "flow", "npm")):
        shutil.copy(os.path.join(ROOT, "tests", "flow", "npm", name), out)
    if not os.path.isdir(os.path.join(out, "node_modules", "gelf-pro")):
        try:
            made = subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=out, capture_output=True,
                                  text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return None, "npm's packages cannot be had in time"
        if made.returncode != 0:
            return None, "npm's packages cannot be had: " + (made.stderr.strip().splitlines() or [""])[-1]
    return out, ""


KEYS = """unknown: {inputs: none}
agencies:
- name: So TTTT
  shared_keys: [khóa-dùng-chung]
  users: ["tỉnh:mật khẩu của tỉnh"]
"""


def forward():
    folder, why = npm()
    modes = (("PackedForward", "khóa-dùng-chung"), ("CompressedPackedForward", ""), ("Message", ""), ("Forward", ""))
    for mode, key in modes if LONG else modes[:2]:
        name = f"@fluent-org/logger, {mode}{', shared key, user' if key else ''}"
        if folder is None:
            skip(name, why)
            continue
        door = Door("forward.listen", agencies=KEYS if key else "")
        through_program(name, door, ["node", os.path.join(folder, "forward.js"), str(door.port), mode, str(EVENTS)]
                        + ([key, "tỉnh", "mật khẩu của tỉnh"] if key else []))


FLUENT = """
import sys
from fluent import sender
logger = sender.FluentSender("province", host="127.0.0.1", port=int(sys.argv[1]), nanosecond_precision=True)
for number in range(int(sys.argv[2])):
    assert logger.emit("app", {"message": f"numbered-{number}- Hồ sơ của tỉnh"})
logger.close()
"""


def fluent_logger():
    python = "/usr/bin/python3"
    if not os.path.exists(python) or \
            subprocess.run([python, "-c", "import fluent.sender"], capture_output=True).returncode != 0:
        skip("python3-fluent-logger", "python3-fluent-logger is not installed")
        return
    door = Door("forward.listen")
    try:
        case("python3-fluent-logger: the collector starts", door.open(), door.house.log())
        said = subprocess.run([python, "-c", FLUENT, str(door.port), str(EVENTS)], capture_output=True, text=True,
                              timeout=60)
        case("python3-fluent-logger: it sends", said.returncode == 0, said.stderr)
        wait_for(lambda: len(door.seen()) >= EVENTS, 20, 0.1)
        seen = door.seen()
        case(f"python3-fluent-logger: {EVENTS} events, each once", seen == {n: 1 for n in range(EVENTS)}, len(seen),
             door.house.log())
    finally:
        door.close()


def gelf():
    folder, why = npm()
    for adapter in ("udp", "tcp"):
        if folder is None:
            skip(f"gelf-pro over {adapter}", why)
            continue
        door = Door(f"gelf.{adapter}.listen")
        name = f"gelf-pro over {adapter}"
        try:
            case(f"{name}: the collector starts", door.open(), door.house.log())
            said = subprocess.run(["node", os.path.join(folder, "gelf.js"), adapter, str(door.port), str(EVENTS)],
                                  capture_output=True, text=True, timeout=120)
            case(f"{name}: it sends", said.returncode == 0 and not said.stdout, said.stdout, said.stderr)
            wait_for(lambda: len(door.seen()) >= EVENTS, 20, 0.1)
            seen = door.seen()
            total = door.house.total()
            case(f"{name}: {EVENTS} events, each once", seen == {n: 1 for n in range(EVENTS)}, len(seen), total,
                 door.house.log())
            case(f"{name}: no frame was bad", total.get("bad_frames") == 0, total)
        finally:
            door.close()


SENDERS = {"relp": relp, "lumberjack": lumberjack, "forward": forward, "fluent-logger": fluent_logger, "gelf": gelf}


def main():
    begun = time.monotonic()
    for name, sender in SENDERS.items():
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            sender()
            note(f"{name}: {time.monotonic() - begun:.0f} s")
    table()


need_binary()
with_broker(main)
done()
