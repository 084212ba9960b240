#!/usr/bin/env python3
"""`tocsin run` with Debian's logger(1) as the sender, and every command that an analyst or a monitor uses."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import ROOT, House, case, done, need_binary, skip, wait_for  # noqa: E402

SETTINGS = ("correlate.lateness=1s", "correlate.idle=3s", "collector.tick=500ms")
BRUTE, BREAK_IN = "4e5d479d-6303-4038-b900-1eab94288d5f", "d01bceae-ac44-44b3-8a8d-ea23d513161a"
NEW_RULE = """title: Probe of the drill
id: 1f0c7c1a-52c1-4f0e-9a35-6d2f0d2e9b11
status: test
level: medium
logsource:
    product: linux
    service: sshd
detection:
    words:
        - 'drill-of-langson'
    condition: words
"""
BAD_RULE = """title: Broken
id: 1f0c7c1a-52c1-4f0e-9a35-6d2f0d2e9b12
level: medium
logsource:
    product: linux
detection:
    words:
        field|nosuchmodifier: x
    condition: words
"""


def logger(port, how, tag, message, priority="auth.info"):
    return subprocess.run(["logger", "--server", "127.0.0.1", "--port", str(port), *how, "--priority", priority,
                           "--tag", tag, "--", message], capture_output=True, text=True).returncode


WAYS = {"UDP, RFC 3164": ["--udp", "--rfc3164"], "UDP, RFC 5424": ["--udp", "--rfc5424"],
        "TCP, RFC 3164": ["--tcp", "--rfc3164"], "TCP, RFC 5424": ["--tcp", "--rfc5424"],
        "TCP, octets counted": ["--tcp", "--rfc5424", "--octet-count"]}


def brute_force(house):
    """From each address twelve refusals, each way one address; the alert of each must come."""
    addresses = {way: f"198.51.100.{n + 10}" for n, way in enumerate(WAYS)}
    for way, how in WAYS.items():
        for n in range(12):
            logger(house.port, how, "sshd", f"Failed password for root from {addresses[way]} port {4000 + n} ssh2")
    logger(house.port, WAYS["TCP, RFC 5424"], "sshd",
           f"Accepted password for root from {addresses['TCP, RFC 5424']} port 4100 ssh2")

    def found():
        return {a["alert"]["groups"][0]["value"]: a for a in house.alerts() if a["alert"]["rule"]["id"] == BRUTE}
    wait_for(lambda: len(found()) == len(WAYS), 20, 0.2)
    alerts = found()
    for way, address in addresses.items():
        case(f"logger, {way}: the attack is an alert", address in alerts, sorted(alerts), house.log())
    wait_for(lambda: any(a["alert"]["rule"]["id"] == BREAK_IN for a in house.alerts()), 20, 0.2)
    return alerts.get(addresses["UDP, RFC 5424"])


def views(house, alert):
    names = {"--rule": "SSH*", "--level": "high+", "--since": "1h", "--address": "198.51.100.*"}
    every = house.alerts()
    case("alerts: all of them", len(every) >= len(WAYS) + 1, every)
    for option, value in names.items():
        rows = house.alerts(option, value)
        case(f"alerts {option} {value}", 0 < len(rows) <= len(every), house.tool("alerts", option, value).stderr)
    host = alert["alert"].get("host") or alert["host"]
    case("alerts --host: of this host", len(house.alerts("--host", host)) > 0, host)
    case("alerts --host: of another there are none", house.alerts("--host", "no-such-host") == [])
    case("alerts --since: none of the future", house.alerts("--since", "2099-01-01") == [])
    critical = house.alerts("--level", "critical")
    case("alerts --level: critical alone", all(a["alert"]["rule"]["level"] == "critical" for a in critical))
    for language, word in (("en", "SSH"), ("vi", "mật khẩu")):
        text = house.tool("alerts", "--lang", language)
        case(f"alerts in {language}", text.returncode == 0 and word in text.stdout, text.stdout, text.stderr)

    def shown():
        return house.tool("alerts", "show", alert["id"], "--lang", "en").stdout
    wait_for(lambda: shown().count("Failed password") >= 10, 15, 0.3)
    text = shown()
    advice = alert["alert"]["rule"].get("advice", "")
    case("alerts show: the raw lines", text.count("Failed password") >= 10, text)
    case("alerts show: the advice", advice and advice.split()[0] in text, text)
    vietnamese = house.tool("alerts", "show", alert["id"][:12], "--lang", "vi").stdout
    case("alerts show: by the head of the id, in Vietnamese",
         alert["alert"]["rule"].get("title_vi", "?") in vietnamese, vietnamese)
    case("alerts show: an id that is not there is an error",
         house.tool("alerts", "show", "00000000000000000000000000000000").returncode != 0)


def prometheus(text):
    """The samples of an exposition; ValueError where it is none."""
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            if name in types:
                raise ValueError(f"a second TYPE: {line}")
            types[name] = kind
        elif line and not line.startswith("#"):
            match = re.fullmatch(r'([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)', line)
            if match is None:
                raise ValueError(line)
            key = match[1] + (match[2] or "")
            if key in samples:
                raise ValueError(f"twice: {line}")
            if match[1] not in types and re.sub(r"_(bucket|sum|count)$", "", match[1]) not in types:
                raise ValueError(f"no TYPE before: {line}")
            samples[key] = float(match[3])
    return samples


def monitors(house):
    total = house.total()
    sent = len(WAYS) * 12 + 1
    case("sources: everything that was sent is durable", total.get("received") == total.get("durable") == sent, total)
    case("sources: a table", "127.0.0.1" in house.tool("sources").stdout)
    status = house.tool("status")
    case("status: 0 while all is well", status.returncode == 0, status.stdout, status.stderr)
    out = house.tool("metrics")
    try:
        samples = prometheus(out.stdout)
        received = sum(v for k, v in samples.items() if k.startswith("tocsin_events_received"))
        case("metrics: Prometheus text", received == sent, received, out.stdout[:3000])
    except ValueError as error:
        case("metrics: Prometheus text", False, error)
    topics = house.tool("bus", "topics").stdout
    case("bus topics", all(topic in topics for topic in ("events", "detections", "alerts")), topics)
    offsets = house.tool("bus", "offsets")
    case("bus offsets", "correlate" in offsets.stdout and "store" in offsets.stdout, offsets.stdout)
    raw = house.tool("bus", "cat", "events", "--raw").stdout.splitlines()
    case("bus cat: every line as it was sent", len(raw) == sent and all("sshd" in line for line in raw), len(raw))
    alerts = [json.loads(line) for line in house.tool("bus", "cat", "alerts").stdout.splitlines()]
    case("bus cat alerts: JSON", sum("rule" in alert for alert in alerts) > 0, alerts[:3])


def reloads(house, rules):
    def probe(word):
        logger(house.port, WAYS["TCP, RFC 5424"], "sshd", f"error: the {word} begins")

    def seen():
        return [a for a in house.alerts() if a["alert"]["rule"]["title"] == "Probe of the drill"]
    with open(os.path.join(rules, "drill.yml"), "w") as file:
        file.write(NEW_RULE)
    out = house.tool("rules", "reload")
    probe("drill-of-langson")
    case("rules reload: a rule that was dropped in finds what comes now", out.returncode == 0 and
         wait_for(seen, 15, 0.2), out.stdout, out.stderr, house.log())
    with open(os.path.join(rules, "broken.yml"), "w") as file:
        file.write(BAD_RULE)
    out = house.tool("rules", "check", os.path.join(rules, "broken.yml"))
    case("rules check: a broken rule is told with line and column", out.returncode != 0 and
         re.search(r"broken\.yml:8:\d+", out.stdout + out.stderr), out.stdout, out.stderr)
    with open(os.path.join(rules, "drill.yml"), "w") as file:
        file.write(NEW_RULE.replace("drill-of-langson", "drill-of-sonla"))
    house.processes["run"].send_signal(signal.SIGHUP)
    before = len(seen())
    wait_for(lambda: house.status()["correlate-0"]["details"]["rules_refused"] == 1, 10, 0.1)
    probe("drill-of-sonla")
    case("SIGHUP: the changed rule is in force", wait_for(lambda: len(seen()) > before, 15, 0.2), house.log())
    case("a broken rule among them: refused, counted, the others work; status warns",
         house.tool("status").returncode == 1, house.tool("status").stdout)


def refusals(house):
    out = house.tool("run")
    case("a second run over the same data is refused", out.returncode != 0 and len(out.stderr) > 20, out.stderr)
    case("and the first goes on", house.processes["run"].poll() is None and house.tool("status").returncode in (0, 1))
    path = os.path.join(house.path, "bad.yml")
    for what, text, place in (("an unknown key", "data:\n  path: /tmp\n  pathh: /tmp\n", "3:3"),
                              ("a bad value", "collector:\n  tick: soon\n", "2:9"),
                              ("no YAML", "data: [\n", "")):
        with open(path, "w") as file:
            file.write(text)
        out = subprocess.run([house.arguments()[0], "status", "-c", path], capture_output=True, text=True)
        case(f"configuration: {what} is told with its place", out.returncode != 0 and
             re.search(rf"bad\.yml:{place or '[0-9]+:[0-9]+'}", out.stderr), out.stderr)


def ending(house):
    count = 2000
    before = house.total()["received"]
    lines = "".join(f"<13>1 - drill01 app - - - line {n}\n" for n in range(count))
    with socket.create_connection(("127.0.0.1", house.port)) as link:
        link.sendall(lines.encode())
        wait_for(lambda: house.total()["received"] >= before + count, 10, 0.05)
    process = house.processes["run"]
    house.tool("status")
    process.send_signal(signal.SIGTERM)
    code = process.wait(30)
    case("SIGTERM: an orderly end, 0", code == 0, code, house.log())
    raw = house.tool("bus", "cat", "events", "--raw").stdout
    case("and nothing that was received is lost", raw.count("drill01 app") == count, raw.count("drill01 app"))
    case("status: 2 when nothing runs", house.tool("status").returncode == 2, house.tool("status").stdout)
    left = subprocess.run(["pgrep", "-f", f"data.path={house.path}"], capture_output=True, text=True).stdout
    case("no stage is left behind", left.strip() == "", left)


def main():
    need_binary()
    if shutil.which("logger") is None:
        skip("logger as the sender", "logger (Debian: bsdutils) is not installed")
        done()
        return
    with House(settings=SETTINGS) as house:
        rules = os.path.join(house.path, "rules")
        shutil.copytree(os.path.join(ROOT, "rules"), rules)
        house.settings[1] = f"rules.paths={rules}"
        case("tocsin run: every stage answers", house.run(), house.log())
        alert = brute_force(house)
        if alert:
            views(house, alert)
        monitors(house)
        reloads(house, rules)
        refusals(house)
        ending(house)
    done()


main()
