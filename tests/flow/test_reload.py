#!/usr/bin/env python3
"""Other rules while events flow: by command and by SIGHUP, refused ones, and what a death goes on with."""
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import House, case, done, need_binary, note, send_tcp, stamp, wait_for  # noqa: E402

SETTINGS = ("correlate.lateness=2s", "correlate.idle=5s", "correlate.snapshot=1s", "collector.tick=1s")
MANY = 20000

MARK = """title: Mark of {word}
id: {id}
logsource:
  definition: any
detection:
  keywords:
    - {word}
  condition: keywords
level: low
tocsin:
  fold: 0
  examples:
    - name: with it
      fires: true
      received: 2026-08-14T08:30:00+07:00
      lines: |
        <38>Aug 14 08:30:00 hue01 town[1]: {example} is here
    - name: without it
      fires: false
      received: 2026-08-14T08:30:00+07:00
      lines: |
        <38>Aug 14 08:30:00 hue01 town[1]: nothing is here
"""

WINDOW = """title: One step
id: 7f1f2fd0-6d0c-4d6c-8e0a-000000000001
name: one_step
logsource:
  definition: any
detection:
  keywords:
    - step-of-dalat
  condition: keywords
level: informational
---
title: Five steps
id: 7f1f2fd0-6d0c-4d6c-8e0a-000000000002
correlation:
  type: event_count
  rules:
    - one_step
  group-by:
    - host
  timespan: 10m
  condition:
    gte: 5
level: high
"""

ID = "7f1f2fd0-6d0c-4d6c-8e0a-0000000001{:02d}"


class Rules:
    """A folder of rules."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="tocsin-rules-")

    def put(self, name, text):
        with open(os.path.join(self.path, name), "w") as file:
            file.write(text)

    def remove(self, name):
        os.remove(os.path.join(self.path, name))

    def mark(self, number, word, example=None):
        self.put(f"mark{number}.yml", MARK.format(word=word, id=ID.format(number), example=example or word))


def send(house, *words, host="hue01"):
    send_tcp(house.port, [f"<38>1 {stamp(time.time())} {host} town 1 - - {word} is here" for word in words])


def details(house, name="correlate"):
    return house.status().get(name, {}).get("details", {})


def titles(house):
    return [a["alert"]["rule"]["title"] for a in house.alerts()]


def found(house, title, count=1, seconds=20):
    return wait_for(lambda: titles(house).count(title) >= count, seconds, 0.2)


def start(house):
    for name in ("store", "correlate", "collect"):
        house.start(name)
    return wait_for(lambda: len(house.status()) == 3, 30)


def in_mid_window(house, rules):
    send(house, *["step-of-dalat"] * 3)
    wait_for(lambda: details(house).get("detections") == 3, 20)
    rules.mark(1, "lotus-of-hue")
    out = house.tool("rules", "reload")
    case("rules reload: says what was added, and that examples hold", out.returncode == 0 and
         "1 added" in out.stdout and "2 examples hold" in out.stdout, out.stdout, out.stderr)
    send(house, *["step-of-dalat"] * 2, "lotus-of-hue")
    case("a window of an unchanged rule goes on over the switch", found(house, "Five steps"), titles(house))
    case("the new rule is in force", found(house, "Mark of lotus-of-hue"), titles(house))
    out = house.tool("rules", "reload")
    case("nothing has changed: said, and no switch", out.returncode == 0 and "in force: 3" in out.stdout and
         details(house)["rule_switches"] == 1, out.stdout)


def refused(house, rules):
    """What fails leaves the running rules in force, and says why."""
    rules.mark(2, "tea-of-thainguyen", example="coffee")
    out = house.tool("rules", "reload")
    case("an example that fails: told with file and line, the running rules stay", out.returncode == 1 and
         "mark2.yml:" in out.stdout and "did not fire" in out.stdout and details(house)["rules"] == 3 and
         details(house)["reload_failed"] == 1, out.stdout, out.stderr)
    case("and logged", "mark2.yml" in house.log() and "running rules stay" in house.log(), house.log())
    case("and status warns", "not in force" in house.tool("status").stdout)
    house.processes["correlate"].send_signal(signal.SIGHUP)
    case("SIGHUP: the same", wait_for(lambda: details(house)["rule_switches_failed"] == 2, 10) and
         details(house)["rules"] == 3)
    rules.remove("mark2.yml")
    rules.put("mark1.yml", "title: Mark of lotus-of-hue\nid: [\n")
    out = house.tool("rules", "reload", "--json")
    case("a rule in force that would be refused: the running rules stay", out.returncode == 1 and
         '"state":"failed"' in out.stdout and "mark1.yml" in out.stdout and details(house)["rules"] == 3, out.stdout)
    os.rename(rules.path, rules.path + ".away")
    out = house.tool("rules", "reload")
    case("no rules at all: the running rules stay", out.returncode == 1 and details(house)["rules"] == 3, out.stdout)
    os.mkdir(rules.path)
    out = house.tool("rules", "reload", "--force")
    case("an empty folder: not even by force", out.returncode == 1 and details(house)["rules"] == 3, out.stdout)
    os.rmdir(rules.path)
    os.rename(rules.path + ".away", rules.path)
    send(house, "lotus-of-hue")
    case("and match", found(house, "Mark of lotus-of-hue", 2), titles(house))
    out = house.tool("rules", "reload", "--force")
    case("by force: taken, with what it lost", out.returncode == 0 and "1 removed" in out.stdout and
         "mark1.yml" in out.stdout and details(house)["rules"] == 2, out.stdout)
    rules.mark(1, "lotus-of-hue")
    house.processes["correlate"].send_signal(signal.SIGHUP)
    case("mended, SIGHUP takes it", wait_for(lambda: details(house)["rules"] == 3, 10) and
         details(house)["reload_failed"] == 0)


def after_death(house, rules):
    """kill -9 with other rules on the disk."""
    house.stop("correlate", signal.SIGKILL)
    rules.mark(1, "plum-of-mocchau", example="no such thing")  # the same id; and it cannot be proved
    send(house, "lotus-of-hue", "plum-of-mocchau")
    house.start("correlate")
    case("after kill -9: the rules that were in force match what waits, not those on the disk",
         found(house, "Mark of lotus-of-hue", 3), titles(house), house.log())
    case("and the disk's are tried as any reload", wait_for(lambda: details(house).get("reload_failed") == 1, 10) and
         details(house)["rules"] == 3 and "beginning with the 3 rules" in house.log(), house.log())
    house.stop("correlate", signal.SIGKILL)
    rules.mark(1, "plum-of-mocchau")
    house.start("correlate")
    case("a good set on the disk is switched to after the start",
         wait_for(lambda: details(house).get("rule_switches") == 1, 10) and "1 changed" in house.log(), house.log())
    send(house, "lotus-of-hue", "plum-of-mocchau")
    case("and is in force", found(house, "Mark of plum-of-mocchau") and
         wait_for(lambda: titles(house).count("Mark of lotus-of-hue") == 3, 5), titles(house))


def damaged(house, rules):
    """A byte of the kept set is another one."""
    house.stop("correlate", signal.SIGKILL)
    rules.mark(3, "pearl-of-phuquoc")
    path = os.path.join(house.path, "correlate.mdb")
    with open(path, "r+b") as file:
        data = file.read()
        at = data.find(b"Mark of plum-of-mocchau")
        while at >= 0:
            file.seek(at)
            file.write(b"Mask")
            at = data.find(b"Mark of plum-of-mocchau", at + 1)
    house.start("correlate")
    wait_for(lambda: details(house).get("rules"), 10)
    case("a damaged kept set: told, counted, and the disk's rules are used", details(house)["rules"] == 4 and
         details(house)["rules_kept_damaged"] == 1 and "is damaged" in house.log(), details(house), house.log())
    send(house, "pearl-of-phuquoc")
    case("which match", found(house, "Mark of pearl-of-phuquoc"), titles(house))
    house.stop("correlate", signal.SIGKILL)
    house.start("correlate")
    case("and are kept from then on", wait_for(lambda: details(house).get("rules") == 4, 10) and
         details(house)["rules_kept_damaged"] == 0, details(house))


def ask(house, request):
    """The worker's control socket, without a process between."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(10)
        link.connect(os.path.join(house.path, "run", "correlate.sock"))
        link.sendall(request.encode() + b"\n")
        answer = b""
        while part := link.recv(65536):
            answer += part
    return json.loads(answer)


def under_load(house, rules):
    """Many rules come while events flow: they go on, and each is matched."""
    before = details(house)
    bare = MARK.split("tocsin:")[0]
    for file in range(MANY // 1000):
        rules.put(f"many{file}.yml", "---\n".join(bare.format(
            word=f"'*rare{n} *of{n % 7}*thing*'", id=f"7f1f2fd0-6d0c-4d6c-8e0a-{n:012d}")
            for n in range(1000 + 1000 * file, 2000 + 1000 * file)))
    case("a number that nobody was given is no reload under way", ask(house, "reload state 99999")["state"] == "lost")
    number = ask(house, "reload")["number"]
    sent, seen, answer = 0, [], {"state": "loading"}
    while answer["state"] == "loading" or sent < 3000:
        send(house, *["pearl-of-phuquoc"] * 50)
        sent += 50
        answer = ask(house, f"reload state {number}")
        if answer["state"] == "loading":
            seen.append(ask(house, "status")["details"]["events"])
    case(f"rules reload: {MANY} more", answer["state"] == "switched" and answer["added"] == MANY, answer)
    note(f"{sent} events sent; {len(seen)} looks while loading, {len(set(seen))} different counts of events")
    case("events are matched while rules are loading", len(set(seen)) >= 2 and seen[-1] > before["events"], seen[:20])
    good = wait_for(lambda: details(house)["matches"] - before["matches"] >= sent, 60)
    case("and none is lost or matched twice", good and details(house)["matches"] - before["matches"] == sent,
         details(house), before, sent)


def two_workers():
    rules = Rules()
    rules.mark(1, "lotus-of-hue")
    with House(rules=rules.path, settings=(*SETTINGS, "correlate.workers=2")) as house:
        house.run()
        wait_for(lambda: len(house.status()) >= 4, 20)
        rules.mark(9, "rice-of-dienbien")
        out = house.tool("rules", "reload")
        case("two workers: both tell", out.returncode == 0 and out.stdout.count("1 added") == 2 and
             "correlate-1: " in out.stdout, out.stdout, out.stderr)
        rules.remove("mark1.yml")
        house.processes["run"].send_signal(signal.SIGHUP)
        case("SIGHUP to run reaches both", wait_for(lambda: all(
            details(house, f"correlate-{i}").get("rules") == 1 for i in range(2)), 15), house.log())
        send(house, "rice-of-dienbien", "lotus-of-hue")
        case("and they match by the new ones", found(house, "Mark of rice-of-dienbien") and
             "Mark of lotus-of-hue" not in titles(house), titles(house))
    shutil.rmtree(rules.path, ignore_errors=True)


def main():
    need_binary()
    rules = Rules()
    rules.put("window.yml", WINDOW)
    with House(rules=rules.path, settings=SETTINGS) as house:
        case("three stages run", start(house), house.log())
        in_mid_window(house, rules)
        refused(house, rules)
        after_death(house, rules)
        damaged(house, rules)
        under_load(house, rules)
    two_workers()
    shutil.rmtree(rules.path, ignore_errors=True)
    done()


main()
