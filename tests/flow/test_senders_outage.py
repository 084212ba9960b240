#!/usr/bin/env python3
"""All senders that wait for an answer at once, unmodified, while Kafka goes away and the collector is killed without it:
nothing is lost. test_senders_acked.py and test_senders_http.py fetch what they need, and have the long form of this."""
import json
import os
import shutil
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import ROOT, case, done, free_port, need_binary, note, skip, wait_for  # noqa: E402
from senders import EVENT, Door, Program, broker_do, fill, with_broker  # noqa: E402

EVENTS = 1000
TOKEN = "0f7c1d2e-tinh-dong-thap-5b6a"
RELP = """global(workDirectory="{folder}")
module(load="imfile" mode="inotify")
module(load="omrelp")
input(type="imfile" file="{folder}/log" tag="numbered:")
template(name="line" type="string" string="<%PRI%>1 - province app - - - %msg%")
action(type="omrelp" target="127.0.0.1" port="{port}" template="line" windowSize="32" conn.timeout="2" timeout="5"
       action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList" queue.size="50000")
"""


def relp(door, port):
    program = shutil.which("rsyslogd") or shutil.which("/usr/sbin/rsyslogd")
    if program is None or not os.path.exists("/usr/lib/x86_64-linux-gnu/rsyslog/omrelp.so"):
        return None
    folder = os.path.join(door.house.path, "rsyslog")
    os.mkdir(folder)
    with open(os.path.join(folder, "conf"), "w") as file:
        file.write(RELP.format(folder=folder, port=port))
    open(os.path.join(folder, "log"), "w").close()
    # It goes on behind the outage, for rsyslog sends again what was not answered when it has something to send.
    threading.Thread(target=fill, args=(os.path.join(folder, "log"), EVENTS, 0.8), daemon=True).start()
    return [program, "-n", "-f", os.path.join(folder, "conf"), "-i", folder + "/pid"], None


def lumberjack(_, port):
    program = os.path.join(ROOT, "build", "senders", "lumberjack")
    return ([program, f"127.0.0.1:{port}", str(EVENTS), "3"], None) if os.path.exists(program) else None


def forward(_, port):
    folder = os.path.join(ROOT, "build", "senders", "npm")
    line = ["node", os.path.join(folder, "forward.js"), str(port), "PackedForward", str(EVENTS)]
    return (line, None) if os.path.isdir(os.path.join(folder, "node_modules", "gelf-pro")) else None


def http(client):
    def line(door, _):
        folder = os.path.join(ROOT, "build", "npm-http", "node_modules")
        script = os.path.join(ROOT, "tests", "flow", "senders_http.js")
        return (["node", script, client, str(door.port), str(EVENTS), TOKEN], dict(os.environ, NODE_PATH=folder)) \
            if os.path.isdir(folder) else None
    return line


# What tells the events of each on the bus.
SENDERS = {"rsyslog's omrelp": (relp, "relp.listen", ("relp", "")),
           "go-lumber": (lumberjack, "lumberjack.listen", ("lumberjack", "")),
           "@fluent-org/logger": (forward, "forward.listen", ("forward", "")),
           "elastic": (http("elastic"), None, ("http", "bulk")),
           "hec": (http("hec"), None, ("http", "hec")),
           "otlp-http": (http("otlp-http"), None, ("http", "otlp"))}


def numbers(door):
    """By what tells the sender: the numbers that are there."""
    found = {}
    for line in door.house.tool("bus", "cat", "events").stdout.splitlines():
        event = EVENT.search(line)
        if event:
            known = json.loads(line)["event"]
            found.setdefault((known["transport"], known.get("decoder", "")), set()).add(int(event[2]))
    return found


def main():
    begun = time.monotonic()
    door = Door("http.listen")
    programs = {}
    for name, (line, key, which) in SENDERS.items():
        port = free_port() if key else door.port
        if key:
            door.house.settings.append(f"{key}=127.0.0.1:{port}")
        command = line(door, port)
        if command is None:
            skip(f"{name}: through an outage of Kafka", "it is not installed, or could not be fetched")
        else:
            programs[name] = command, which
    with door:
        running = [Program(door, line, environment, name=name) for name, ((line, environment), _) in programs.items()]
        try:
            wait_for(lambda: door.progress() >= 20 * len(programs), 30, 0.05)
            broker_do("kill")
            at = door.progress()
            wait_for(lambda: door.progress() >= at + 30 * len(programs), 20, 0.1)
            case("the collector comes back without Kafka", door.kill(), door.house.log())
            started = broker_do("start")
            case("Kafka comes back", started.returncode == 0, started.stderr)
            wait_for(lambda: door.quiet() and all(len(numbers(door).get(which, ())) == EVENTS
                                                  for _, which in programs.values()), 60, 0.5)
            found = numbers(door)
            for name, (_, which) in programs.items():
                missing = sorted(set(range(EVENTS)) - found.get(which, set()))
                case(f"{name}: nothing of {EVENTS} events is lost", not missing, len(missing), missing[:20],
                     door.house.log())
        finally:
            for program in running:
                program.__exit__()
    note(f"Kafka away at {at} events; {time.monotonic() - begun:.0f} s")


need_binary()
with_broker(main, always=True)
done()
