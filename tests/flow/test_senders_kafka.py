#!/usr/bin/env python3
"""Topics of a real Kafka that others write, read by the collector through kill -9: nothing is lost, and what
is read again has the name that it had. And our own connection with TLS and SASL.

Writers: Debian's rsyslog with omkafka, kcat, and python3-confluent-kafka, which writes records as Filebeat,
Vector and Fluent Bit make them. What a writer needs and is not there is said, and skipped.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from broker import Broker, older, why_not  # noqa: E402
from flow import LONG, House, case, done, need_binary, note, skip, stamp, wait_for  # noqa: E402

EVENTS = 10000 if LONG else 1000
KILLS = 6 if LONG else 2
MARK = re.compile(r"numbered-(\d+)-")
RULE = "4e5d479d-6303-4038-b900-1eab94288d5f"
PYTHON = "/usr/bin/python3"
LOGIN = "tocsin:mat-khau-cua-tinh"
WRITER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kafka_writer.py")
QUICK = ("kafka.properties.session.timeout.ms=1500", "kafka.properties.heartbeat.interval.ms=300",
         "kafka.properties.topic.metadata.refresh.interval.ms=1000")


def writer(broker, *words, text=None):
    return subprocess.run([PYTHON, WRITER, json.dumps({"bootstrap.servers": broker.address}), *words],
                          input=text, capture_output=True, text=True, timeout=120)


def records(topic, values, **more):
    return "".join(json.dumps({"topic": topic, "value": value, **more}) + "\n" for value in values)


class Door:
    """A collector alone on a local bus, that reads topics."""

    def __init__(self, broker, topics, *settings):
        self.house = House(settings=[
            f"kafka.topics={topics}", f"kafka.properties.bootstrap.servers={broker.address}", *QUICK,
            "bus.local.commit_delay=20ms", "correlate.lateness=1s", *settings])
        self.house.settings = [s for s in self.house.settings if not s.startswith("syslog.")]
        self.house.settings += ["syslog.udp.listen=", "syslog.tcp.listen="]

    def open(self):
        self.house.start("collect")
        return wait_for(lambda: "collect" in self.house.status(), 20)

    def kill(self):
        self.house.stop("collect", signal.SIGKILL)
        return self.open()

    def events(self):
        out = self.house.tool("bus", "cat", "events").stdout
        return [row["event"] for row in map(json.loads, out.splitlines()) if "event" in row]

    def names(self):
        """Each number to its coordinates, one for each time that it is on the bus."""
        found = {}
        for event in self.events():
            for number in MARK.findall(event.get("raw", "")):
                found.setdefault(int(number), []).append(event["at"])
        return found

    def close(self):
        self.house.close()


def through_kills(name, door, middle=None):
    """Kills while events come, until all are there; each has one name, and readers take it once."""
    met = []
    for kill in range(KILLS):
        wanted = EVENTS * (kill + 1) // (KILLS + 2)
        wait_for(lambda: len(door.names()) >= wanted, 60, 0.02)
        met.append(len(door.names()))
        if not case(f"{name}: the collector comes back after kill {kill + 1}", door.kill(), door.house.log()):
            return
        if middle and kill == KILLS // 2:
            middle()
    wait_for(lambda: len(door.names()) >= EVENTS, 60 if not LONG else 300, 0.2)
    names = door.names()
    missing = sorted(set(range(EVENTS)) - set(names))
    case(f"{name}: nothing of {EVENTS} events is lost through {KILLS} times kill -9", not missing,
         f"{len(missing)} are missing: {missing[:20]}", door.house.log())
    strange = {number: at for number, at in names.items() if len(set(at)) > 1}
    case(f"{name}: what came again has the name that it had", not strange, list(strange.items())[:5])
    repeats = sum(map(len, names.values())) - len(names)
    note(f"{name}: killed at {met} events; {repeats} came more than once")
    return repeats


def taken_once(name, door, repeats):
    """The worker takes each event once, and counts the rest as repeats."""
    door.house.start("correlate")
    details = {}

    def all_read():
        details.update(door.house.status().get("correlate", {}).get("details", {}))
        return details.get("events", 0) >= EVENTS and details.get("repeats", 0) >= repeats

    wait_for(all_read, 30, 0.2)
    case(f"{name}: a worker takes each event once", details.get("events") == EVENTS, details, door.house.log())
    case(f"{name}: and tells the repeats", details.get("repeats") == repeats, details.get("repeats"), repeats)
    case(f"{name}: nothing of it is damaged or foreign", details.get("damaged") == 0 and
         details.get("foreign") == 0, details)


OMKAFKA = """global(workDirectory="{folder}")
module(load="imfile" mode="inotify")
module(load="omkafka")
input(type="imfile" file="{folder}/log" tag="numbered:")
action(type="omkafka" topic="{topic}" broker=["{broker}"] template="RSYSLOG_SyslogProtocol23Format"
       action.resumeRetryCount="-1" action.resumeInterval="1" resubmitOnFailure="on" keepFailedMessages="on"
       failedMsgFile="{folder}/failed" queue.type="LinkedList")
"""


def fill(log):
    """Numbered lines over some seconds, so that kills find the collector at work."""
    for number in range(EVENTS):
        log.write(f"numbered-{number}- Hồ sơ của tỉnh {'x' * 200}\n")
        if number % 50 == 49:
            time.sleep(0.2 if not LONG else 0.05)


def omkafka(broker):
    name = "rsyslog's omkafka"
    program = shutil.which("rsyslogd") or shutil.which("/usr/sbin/rsyslogd")
    module = [p for p in ("/usr/lib/x86_64-linux-gnu/rsyslog/omkafka.so", "/usr/lib/rsyslog/omkafka.so",
                          "/usr/lib/aarch64-linux-gnu/rsyslog/omkafka.so") if os.path.exists(p)]
    if program is None or not module:
        skip(name, "rsyslogd or omkafka (Debian: rsyslog, rsyslog-kafka) is not installed")
        return
    writer(broker, "create", "sys.logs:3")
    door = Door(broker, "sys.logs")
    folder = os.path.join(door.house.path, "rsyslog")
    os.mkdir(folder)
    with open(os.path.join(folder, "rsyslog.conf"), "w") as file:
        file.write(OMKAFKA.format(folder=folder, topic="sys.logs", broker=broker.address))
    log = open(os.path.join(folder, "log"), "w", buffering=1)
    case(f"{name}: the collector starts", door.open(), door.house.log())
    process = subprocess.Popen([program, "-n", "-f", os.path.join(folder, "rsyslog.conf"), "-i",
                                os.path.join(folder, "pid")], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        threading.Thread(target=fill, args=(log,), daemon=True).start()
        repeats = through_kills(name, door)
        if repeats is not None:
            taken_once(name, door, repeats)
        rows = door.house.sources()
        total = rows.get("(total)", {})
        known = [row for sender, row in rows.items() if sender.startswith("sys.logs/") and row["received"]]
        case(f"{name}: their own times are read", known and all(row.get("decoded") == EVENTS and
                                                                row.get("untimed") == 0 for row in known),
             [(row.get("sender"), row.get("decoded"), row.get("untimed")) for row in known])
        case(f"{name}: each partition has a row", sum(s.startswith("sys.logs/") for s in rows) == 3, list(rows))
        good = wait_for(lambda: door.house.total().get("backlog") == 0, 10, 0.3)
        case(f"{name}: and nothing is left to read", good, total)
    finally:
        process.kill()
        process.wait()
        door.close()


def clients(broker):
    """Records as the writers make them that Debian does not have."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime())
    line = f"numbered-%d- {'y' * 200}"
    makers = {
        "Filebeat": lambda n: {"@timestamp": now, "@metadata": {"beat": "filebeat", "type": "_doc",
                                                                "version": "8.15.3"},
                               "message": line % n, "log": {"offset": 221 * n, "file": {"path": "/var/log/app"}},
                               "input": {"type": "filestream"}, "ecs": {"version": "8.0.0"},
                               "host": {"name": "web01"}, "agent": {"type": "filebeat", "version": "8.15.3"}},
        "Vector": lambda n: {"file": "/var/log/app", "host": "web01", "message": line % n, "source_type": "file",
                             "timestamp": now},
        "Fluent Bit": lambda n: {"@timestamp": time.time(), "log": line % n},
        "plain lines": lambda n: line % n,
    }
    makers = list(makers.values())
    values = [makers[n % len(makers)](n) for n in range(EVENTS)]
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def confluent(broker):
    name = "records of Filebeat, Vector, Fluent Bit"
    writer(broker, "create", "prov-a:4", "prov-b:1")
    door = Door(broker, "^prov-.*")
    case(f"{name}: the collector starts", door.open(), door.house.log())
    text = "".join(json.dumps({"topic": "prov-b" if n % 7 == 0 else "prov-a", "value": value}) + "\n"
                   for n, value in enumerate(clients(broker)))
    process = subprocess.Popen([PYTHON, WRITER, json.dumps({"bootstrap.servers": broker.address}), "write",
                                "400" if not LONG else "1000"], stdin=subprocess.PIPE, text=True)

    def outage():
        note("the broker is killed; 4 s later it comes back")
        broker.do("kill")
        time.sleep(4)
        started = broker.do("start")
        case(f"{name}: the broker is back", started.returncode == 0, started.stderr)

    try:
        threading.Thread(target=lambda: (process.stdin.write(text), process.stdin.close()), daemon=True).start()
        repeats = through_kills(name, door, outage if LONG else None)
        if repeats is not None:
            taken_once(name, door, repeats)
        kinds = {event["peer"]: event for event in door.events() if "peer" in event}
        case(f"{name}: the sender is the topic", all(event["sender"] == topic and event["transport"] == "kafka"
                                                     for topic, event in kinds.items()), kinds)
    finally:
        process.kill()
        process.wait()
        door.close()


def odd_records(broker):
    """Tombstones, empty ones, what is no text, what is too long; by kcat; whose it is; a topic made anew."""
    agencies = os.path.join(broker.path, "agencies.yml")
    with open(agencies, "w") as file:
        file.write("agencies:\n- name: hue\n  kafka: odd\n")
    writer(broker, "create", "odd:1")
    door = Door(broker, "odd", f"collector.agencies={agencies}")
    case("odd records: the collector starts", door.open(), door.house.log())
    try:
        writer(broker, "write", text=records("odd", ["first", None, "", "nu\0l", "z" * 200000, None, "last"]))
        wait_for(lambda: door.house.total().get("durable", 0) >= 5, 30, 0.1)
        events = door.events()
        at = [event["at"].rsplit("-", 1) for event in events]
        case("odd records: all but the tombstones are events, under their offsets",
             [int(counter) for _, counter in at] == [0, 2, 3, 4, 6], at)
        total = wait_for(lambda: door.house.total().get("durable") == 5 and door.house.total(), 10) or {}
        case("odd records: they are counted", total.get("tombstones") == 2 and total.get("truncated") == 1 and
             total.get("with_nul") == 1, total)
        case("odd records: whose it is follows from the topic",
             all(event.get("agency") == "hue" for event in events), events[:1])
        if shutil.which("kcat"):
            subprocess.run(["kcat", "-b", broker.address, "-P", "-t", "odd", "-z", "lz4"], input="by kcat",
                           text=True, timeout=30)
            good = wait_for(lambda: any(event.get("raw") == "by kcat" for event in door.events()), 20, 0.2)
            case("odd records: kcat's is there", good, door.house.log())
        else:
            skip("odd records: kcat's is there", "kcat is not installed")
        if at:
            made_anew(broker, door, at[0][0])
    finally:
        door.close()


def made_anew(broker, door, before):
    """The same offsets under the same name, and other events: they must not be taken for the old ones."""
    offset = wait_for(lambda: json.loads(writer(broker, "committed", "tocsin-collect", "odd", "1").stdout)[0] == 8,
                      10, 0.5)
    case("a topic made anew: all of the old one is committed", offset)
    writer(broker, "delete", "odd")
    time.sleep(3)
    wait_for(lambda: writer(broker, "create", "odd:1").returncode == 0, 20, 0.5)
    writer(broker, "write", text=records("odd", ["anew 0", "anew 1"]))
    wait_for(lambda: sum(e.get("raw", "").startswith("anew") for e in door.events()) == 2, 30, 0.3)
    fresh = [e["at"].rsplit("-", 1) for e in door.events() if e.get("raw", "").startswith("anew")]
    case("a topic made anew: its events are there", len(fresh) == 2, fresh, door.house.log())
    case("a topic made anew: under another name", fresh and all(at[0] != before for at in fresh), fresh, before)
    door.kill()
    writer(broker, "write", text=records("odd", ["anew 2"]))
    good = wait_for(lambda: any(e.get("raw") == "anew 2" for e in door.events()), 30, 0.3)
    case("a topic made anew: it is read on after a kill", good, door.house.log())
    later = {e["at"].rsplit("-", 1)[0] for e in door.events() if e.get("raw", "").startswith("anew")}
    case("a topic made anew: which it keeps", fresh and later == {fresh[0][0]}, later)


def two_collectors(broker):
    """They share a group; one is killed while records come, and comes back: partitions go to and fro."""
    name = "two collectors"
    writer(broker, "create", "many:6")
    settings = ("kafka.topics=many", *QUICK, "correlate.lateness=1s", "bus.kafka.assign=static",
                "bus.kafka.properties.session.timeout.ms=1500", "bus.kafka.properties.heartbeat.interval.ms=300",
                f"kafka.properties.bootstrap.servers={broker.address}")
    with House(settings=settings, kafka=broker.address) as house, \
            House(settings=settings, kafka=broker.address) as other:
        other.settings = [s.replace(other.prefix, house.prefix) for s in other.settings]
        other.prefix = house.prefix
        for one in (house, other):
            one.start("collect")
        wait_for(lambda: "collect" in house.status() and "collect" in other.status(), 20)
        house.start("correlate")

        def rows(one):
            return [row for sender, row in one.sources().items() if sender.startswith("many/")]

        process = subprocess.Popen([PYTHON, WRITER, json.dumps({"bootstrap.servers": broker.address}), "write",
                                    "250" if not LONG else "1000"], stdin=subprocess.PIPE, text=True)
        wait_for(lambda: rows(house) and rows(other), 20, 0.1)
        # To each partition in turn: a writer's own choice is mostly one.
        text = "".join(json.dumps({"topic": "many", "partition": n % 6, "value": f"<38>1 - gw app - - - numbered-{n}-"})
                       + "\n" for n in range(EVENTS))
        threading.Thread(target=lambda: (process.stdin.write(text), process.stdin.close()), daemon=True).start()
        wait_for(lambda: sum(row["received"] for row in rows(house) + rows(other)) > EVENTS // 4, 30, 0.1)
        shared = min(len([row for row in rows(one) if row["received"]]) for one in (house, other))
        case(f"{name}: both have read", shared > 0, rows(house), rows(other))
        other.stop("collect", signal.SIGKILL)
        wait_for(lambda: sum(row["received"] for row in rows(house)) > EVENTS // 2, 30, 0.1)
        other.start("collect")
        details = {}

        def all_read():
            details.update(house.status().get("correlate", {}).get("details", {}))
            return process.poll() is not None and details.get("events", 0) >= EVENTS

        wait_for(all_read, 60, 0.3)
        time.sleep(2)
        all_read()
        case(f"{name}: each of {EVENTS} events is taken once, through a kill and both rebalances",
             details.get("events") == EVENTS, details, house.log(), other.log())
        note(f"{name}: {details.get('repeats')} came more than once")


# ---- TLS and SASL ----
#
# librdkafka before 2.6.1 builds a last message of SCRAM that Kafka 4 no longer takes (librdkafka #4895), and
# Debian 12 has 2.0.2. So SCRAM is proved on the last Kafka of the third line, and PLAIN, within the same TLS,
# on the fourth.

def safe_settings(broker, **other):
    password = os.path.join(broker.path, other.get("file", "password"))
    with open(password, "w") as file:
        file.write(other.get("password", LOGIN.split(":", 1)[1]) + "\n")
    os.chmod(password, 0o640)
    return ["bus.kafka.properties.security.protocol=SASL_SSL",
            f"bus.kafka.properties.sasl.mechanism={other.get('mechanism', 'PLAIN')}",
            f"bus.kafka.properties.sasl.username={LOGIN.split(':')[0]}", f"bus.kafka.password_file={password}",
            f"bus.kafka.properties.ssl.ca.location={other.get('ca', broker.authority)}",
            "correlate.lateness=1s", "correlate.idle=2s", "collector.tick=500ms", "bus.kafka.assign=static"]


def safe_end_to_end(broker, mechanism="PLAIN"):
    """All stages over SASL_SSL; the collector reads a topic of others with the same login."""
    topic = f"safe.{mechanism}"
    writer(broker, "create", f"{topic}:1")
    settings = [*safe_settings(broker, mechanism=mechanism), f"kafka.topics={topic}"]
    with House(settings=settings, kafka=broker.safe) as house:
        for name in ("store", "correlate", "collect"):
            house.start(name)
        good = wait_for(lambda: len(house.status()) == 3, 30, 0.2)
        case(f"SASL_SSL, {mechanism}: all stages are connected", good, house.log())
        now = stamp(time.time())
        lines = {who: [f"<38>1 {now} gw sshd {n} - - Failed password for root from {who} port {n} ssh2"
                       for n in range(12)] for who in ("198.51.100.7", "198.51.100.8")}
        with socket.create_connection(("127.0.0.1", house.port)) as link:
            link.sendall("".join(text + "\n" for text in lines["198.51.100.7"]).encode())
        writer(broker, "write", text=records(topic, lines["198.51.100.8"]))

        def found():
            return sorted(a["alert"]["groups"][0]["value"] for a in house.alerts()
                          if a["alert"]["rule"]["id"] == RULE)

        wait_for(lambda: found() == sorted(lines), 40, 0.3)
        case(f"SASL_SSL, {mechanism}: an attack told by syslog, and one told by a topic, are found",
             found() == sorted(lines), found(), house.log())
        waiting = wait_for(lambda: house.status()["store"]["details"]["evidence_waiting"] == 0, 20, 0.3)
        case(f"SASL_SSL, {mechanism}: with their evidence", waiting and
             house.status()["store"]["details"]["evidence_missing"] == 0)


def refused(what, settings, kafka, expected, command="correlate"):
    """The stage says why, in both languages, and ends."""
    for language, says in expected.items():
        with House(settings=[*settings, f"language={language}"], kafka=kafka) as house:
            house.settings.remove("language=en")
            begun = time.monotonic()
            try:
                ended = house.tool(command, seconds=60)
                case(f"SASL_SSL: {what} ({command}, {language}): it ends and says why", ended.returncode not in
                     (0, None) and re.search(says, ended.stderr), ended.returncode, ended.stderr)
                note(f"{time.monotonic() - begun:.1f} s: {(ended.stderr.strip().splitlines() or [''])[-1]}")
            except subprocess.TimeoutExpired as error:
                case(f"SASL_SSL: {what} ({command}, {language}): it ends and says why", False, error.stderr)


def safe_refusals(broker):
    login = {"en": "does not let us in", "vi": "không cho đăng nhập"}
    certificate = {"en": "certificate of the broker", "vi": "chứng thư của máy chủ"}
    wrong = safe_settings(broker, password="sai mật khẩu", file="wrong")
    refused("a wrong password", wrong, broker.safe, login)
    refused("a wrong password", wrong, broker.safe, {"en": login["en"]}, "collect")
    stranger = os.path.join(broker.path, "tls", "stranger.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", os.devnull, "-out",
                    stranger, "-subj", "/CN=stranger"], capture_output=True, timeout=60)
    refused("the certificate of another authority", safe_settings(broker, ca=stranger), broker.safe,
            certificate)
    # 127.1 is the same machine, and no name that the certificate has.
    port = broker.safe.split(":")[1]
    refused("a name that the certificate has not", safe_settings(broker), f"127.1:{port}",
            {"en": certificate["en"]})
    open_to_all = safe_settings(broker, file="open")
    os.chmod(os.path.join(broker.path, "open"), 0o644)
    refused("a password that all may read", open_to_all, broker.safe, {"en": "may be read by others"})
    shown = [*safe_settings(broker), "bus.kafka.properties.sasl.password=x"]
    refused("a password on the command line", shown, broker.safe, {"en": "bus.kafka.password_file"})
    unchecked = [*safe_settings(broker), "bus.kafka.properties.ssl.endpoint.identification.algorithm=none"]
    starts("that name, unchecked", unchecked, f"127.1:{port}")
    scram_on_four(broker)


def scram_on_four(broker):
    """Good, or it says what is too old."""
    with House(settings=safe_settings(broker, mechanism="SCRAM-SHA-512"), kafka=broker.safe) as house:
        house.start("collect")
        wait_for(lambda: "collect" in house.status() or "2.6.1" in house.log(), 20)
        case("SASL_SSL: SCRAM with Kafka 4 is good, or it says which librdkafka is needed",
             "collect" in house.status() or "2.6.1" in house.log(), house.log())


def scram():
    libs, why = older("3.9.1")
    if libs is None:
        skip("SASL_SSL with SCRAM", why)
        return
    with Broker(login=LOGIN, libs=libs) as broker:
        for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")[:2 if LONG else 1]:
            safe_end_to_end(broker, mechanism)
        wrong = safe_settings(broker, password="sai mật khẩu", file="wrong", mechanism="SCRAM-SHA-512")
        refused("a wrong password, by SCRAM", wrong, broker.safe, {"en": "does not let us in"})


def starts(what, settings, kafka):
    with House(settings=settings, kafka=kafka) as house:
        house.start("collect")
        case(f"SASL_SSL: {what} is good", wait_for(lambda: "collect" in house.status(), 20), house.log())


def safe_spool(broker):
    """A collector that has a spool starts with a wrong password, keeps what comes, and says why."""
    with House(settings=safe_settings(broker), kafka=broker.safe) as house:
        house.start("collect")
        wait_for(lambda: "collect" in house.status(), 20)
        house.stop("collect")
        right = list(house.settings)
        wrong = safe_settings(broker, password="sai", file="wrong")[3]
        house.settings = [s for s in right if not s.startswith("bus.kafka.password_file")] + [wrong]
        house.start("collect")
        said = wait_for(lambda: "does not let us in" in house.log(), 15, 0.2)
        case("SASL_SSL: with a spool, a wrong password is told while events are kept", said and
             "kept in the spool" in house.log(), house.log())
        with socket.create_connection(("127.0.0.1", house.port)) as link:
            link.sendall(b"<38>1 - gw app - - - kept\n")
        good = wait_for(lambda: house.status().get("collect", {}).get("details", {}).get("spool_records"), 20, 0.2)
        case("SASL_SSL: they are kept", good, house.status())
        house.stop("collect")
        house.settings = right
        house.start("collect")
        good = wait_for(lambda: any("kept" in line for line in
                                    house.tool("bus", "cat", "events", "--raw").stdout.splitlines()), 30, 0.3)
        case("SASL_SSL: and go on when the password is right", good, house.log())


def safe_topics(broker):
    """Wrong password for topics of others alone: the collector runs, and says so."""
    door = Door(broker, "sys.logs")
    wrong = safe_settings(broker, password="sai mật khẩu", file="wrong")
    password = next(s.split("=", 1)[1] for s in wrong if s.startswith("bus.kafka.password_file="))
    door.house.settings = [s for s in door.house.settings if "bootstrap.servers" not in s]
    door.house.settings += [f"kafka.properties.bootstrap.servers={broker.safe}",
                            "kafka.properties.security.protocol=SASL_SSL",
                            "kafka.properties.sasl.mechanism=SCRAM-SHA-512",
                            "kafka.properties.sasl.username=tocsin", f"kafka.password_file={password}",
                            f"kafka.properties.ssl.ca.location={broker.authority}"]
    try:
        case("SASL_SSL: with a wrong password for topics alone the collector runs", door.open(), door.house.log())
        said = wait_for(lambda: "does not let us in" in door.house.log(), 15, 0.2)
        time.sleep(2)
        case("SASL_SSL: and says so, once a minute", said and door.house.log().count("does not let us in") == 1,
             door.house.log())
    finally:
        door.close()


def main():
    need_binary()
    why = why_not()
    if not why and (not os.path.exists(PYTHON) or subprocess.run(
            [PYTHON, "-c", "import confluent_kafka"], capture_output=True).returncode != 0):
        why = "python3-confluent-kafka is not installed"
    if why:
        skip("topics of others on real Kafka", why)
        done()
        return
    begun = time.monotonic()
    with Broker(login=LOGIN) as broker:
        for test in (omkafka, confluent, odd_records, *([two_collectors] if LONG else []), safe_end_to_end,
                     safe_refusals, safe_topics, safe_spool):
            if os.environ.get("TOCSIN_PART", test.__name__) != test.__name__:
                continue
            test(broker)
            note(f"{test.__name__}: {time.monotonic() - begun:.0f} s since the start")
    if os.environ.get("TOCSIN_PART", "scram") == "scram":
        scram()
        note(f"scram: {time.monotonic() - begun:.0f} s since the start")
    done()


main()
