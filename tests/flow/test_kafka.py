#!/usr/bin/env python3
"""End to end over real Kafka: two workers in a group, then with partitions of their own; events as JSON for
others; and events that others have written."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import KAFKA, House, case, done, need_binary, note, skip, stamp, wait_for  # noqa: E402

RULE = "4e5d479d-6303-4038-b900-1eab94288d5f"
SETTINGS = ("correlate.lateness=2s", "correlate.idle=4s", "collector.tick=500ms",
            "bus.kafka.properties.session.timeout.ms=3000",
            "bus.kafka.properties.heartbeat.interval.ms=500")


def lines(addresses):
    """Twelve refusals of each address, in turn."""
    return [f"<38>1 {stamp(time.time())} gw sshd {n} - - Failed password for root from {address} port {n} ssh2"
            for n in range(12) for address in addresses]


def send(port, texts, senders=4):
    for who in range(senders):
        with socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.0.{who + 2}", 0)) as link:
            link.sendall("".join(text + "\n" for text in texts[who::senders]).encode())


def found(house):
    return sorted(a["alert"]["groups"][0]["value"] for a in house.alerts() if a["alert"]["rule"]["id"] == RULE)


def workers(house):
    """Events that each worker has read, by the folder of its control socket."""
    counts = []
    for number in range(2):
        stage = house.status(os.path.join(house.path, f"run{number}"))
        counts += [s["details"]["events"] for name, s in stage.items() if name.startswith("correlate")]
    return counts


def two_workers(assign):
    with House(settings=(*SETTINGS, f"bus.kafka.assign={assign}"), kafka=True) as house:
        house.start("store")
        for number in range(2):
            words = ["--instance", f"{number}/2"] if assign == "static" else []
            house.start("correlate", *words, "-o", f"run.path={house.path}/run{number}",
                        name=f"correlate{number}")
        house.start("collect")
        wait_for(lambda: len(workers(house)) == 2 and len(house.status()) == 2, 30, 0.2)
        time.sleep(6 if assign == "group" else 1)  # the group finds itself
        first = [f"198.51.100.{n}" for n in range(40)]
        send(house.port, lines(first))
        wait_for(lambda: found(house) == sorted(first), 40, 0.3)
        case(f"{assign}: every attack is found, once", found(house) == sorted(first),
             len(found(house)), house.log())
        counts = workers(house)
        case(f"{assign}: both workers have read", len(counts) == 2 and min(counts) > 0, counts)
        wait_for(lambda: all(a["status"] == "settled" for a in house.alerts()), 30, 0.3)
        case(f"{assign}: all is settled", all(a["status"] == "settled" for a in house.alerts()))
        if assign == "group":
            # One leaves in the middle of attacks; the other goes on with its partitions.
            second = [f"198.51.101.{n}" for n in range(40)]
            texts = lines(second)
            send(house.port, texts[:len(texts) // 2])
            house.stop("correlate1", signal.SIGKILL)
            send(house.port, texts[len(texts) // 2:])
            wait_for(lambda: found(house) == sorted(first + second), 40, 0.3)
            case("group: with one worker killed in the middle, the other finds all", found(house) ==
                 sorted(first + second), len(found(house)), house.log())
        waiting = wait_for(lambda: house.status()["store"]["details"]["evidence_waiting"] == 0, 30, 0.3)
        case(f"{assign}: evidence is kept", waiting and
             house.status()["store"]["details"]["evidence_missing"] == 0, house.status().get("store"))


def kcat(*words, text=None):
    return subprocess.run(["kcat", "-b", KAFKA, *words], input=text, capture_output=True, text=True, timeout=60,
                          errors="replace")


def json_events():
    with House(settings=(*SETTINGS, "bus.kafka.assign=static", "bus.format=json"), kafka=True) as house:
        for name in ("store", "correlate", "collect"):
            house.start(name)
        wait_for(lambda: len(house.status()) == 3, 30, 0.2)
        own = ["198.51.100.7", "198.51.100.8"]
        send(house.port, lines(own))
        wait_for(lambda: found(house) == own, 30, 0.3)
        case("events as JSON: attacks are found", found(house) == own, found(house), house.log())
        wait_for(lambda: house.status()["store"]["details"]["evidence_waiting"] == 0, 20, 0.3)
        case("events as JSON: evidence is kept", house.status()["store"]["details"]["evidence_missing"] == 0)
        if shutil.which("kcat") is None:
            skip("kcat reads and writes", "kcat is not installed")
            return
        out = kcat("-C", "-q", "-e", "-o", "beginning", "-t", f"{house.prefix}events").stdout
        events = []
        for line in out.splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                pass  # ticks stay frames
        raw = [event["raw"] for event in events if "raw" in event]
        case("kcat reads every event as JSON", sum("Failed password" in text for text in raw) == 24, len(raw))
        for partition in (1, 2):
            address = f"198.51.100.{76 + partition}"
            kcat("-P", "-l", "-t", f"{house.prefix}events", "-p", str(partition), "/dev/stdin",
                 text="".join(line + "\n" for line in lines([address])))
            good = wait_for(lambda: address in found(house), 30, 0.3)
            case(f"kcat writes lines of syslog to partition {partition}: the attack is found, once",
                 good and found(house).count(address) == 1, found(house), house.log())
        foreign = house.status()["correlate"]["details"]["foreign"]
        case("they are counted as foreign", foreign == 24, foreign)
        wait_for(lambda: all(a["status"] == "settled" for a in house.alerts()), 30, 0.3)
        case("what others wrote is settled too", all(a["status"] == "settled" for a in house.alerts()))
        wait_for(lambda: house.status()["store"]["details"]["evidence_waiting"] == 0, 20, 0.3)
        shown = house.tool("alerts", "show", next(a["id"] for a in house.alerts("--address", "198.51.100.77")))
        case("and its evidence is kept", shown.stdout.count("Failed password") >= 10, shown.stdout)


def main():
    need_binary()
    if not KAFKA:
        skip("end to end over real Kafka", "TOCSIN_TEST_KAFKA names no Kafka broker")
        done()
        return
    begun = time.monotonic()
    two_workers("group")
    two_workers("static")
    json_events()
    note(f"{time.monotonic() - begun:.0f} s")
    done()


main()
