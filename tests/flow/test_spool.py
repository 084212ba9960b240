#!/usr/bin/env python3
"""The spool: the broker is stopped, 20,000 events are sent, the collector is killed and started again without a
broker; with the broker back all events are on Kafka, those of each sender in their order."""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from broker import Broker, why_not  # noqa: E402
from flow import House, case, done, need_binary, note, skip, stamp, wait_for  # noqa: E402

SENDERS, EACH = 8, 2500
SETTINGS = ("collector.tick=500ms", "bus.spool.after=500ms", "bus.kafka.assign=static",
            "bus.kafka.properties.retry.backoff.ms=50")


def send(port, who, first, count):
    """Numbers of one sender over one connection."""
    with socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.0.{who + 2}", 0)) as link:
        for at in range(first, first + count, 100):
            link.sendall("".join(f"<13>1 {stamp(time.time())} s{who} app - - - sender {who} number {n} end\n"
                                 for n in range(at, min(at + 100, first + count))).encode())


def send_all(port, first, count):
    threads = [threading.Thread(target=send, args=(port, who, first, count)) for who in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def details(house):
    return house.status().get("collect", {}).get("details", {})


def all_durable(house):
    found = details(house)
    return found.get("received", 0) > 0 and found.get("in_flight", 1) == 0


def numbers(house):
    """By sender, the numbers in the order in which they were first read."""
    first = {who: [] for who in range(SENDERS)}
    seen = set()
    repeats = 0
    out = house.tool("bus", "cat", "events", "--raw", seconds=120).stdout
    for line in out.splitlines():
        if " number " not in line:
            continue
        words = line.split("sender ")[1].split()
        key = (int(words[0]), int(words[2]))
        repeats += key in seen
        if key not in seen:
            first[key[0]].append(key[1])
        seen.add(key)
    return first, repeats


def start(house):
    house.start("collect")
    return wait_for(lambda: details(house), 20, 0.1)


def outage(broker):
    with House(settings=SETTINGS, kafka=broker.address) as house:
        case("collect starts", bool(start(house)), house.log())
        send_all(house.port, 0, 100)
        case("before the outage nothing is spooled", wait_for(lambda: all_durable(house), 20) and
             details(house)["spool_spooled"] == 0, details(house), house.log())
        broker.do("kill")
        note("the broker is killed")
        send_all(house.port, 100, EACH - 200)
        good = wait_for(lambda: all_durable(house) and details(house)["durable"] == SENDERS * (EACH - 100), 30)
        state = details(house)
        case("without a broker every event becomes durable", good, state, house.log())
        case("status and metrics tell the depth", state.get("spool_records", 0) > 0 and
             state["spool_bytes"] > 500000 and "spool" in house.tool("status").stdout,
             state, house.tool("status").stdout)
        house.stop("collect", signal.SIGKILL)
        case("killed, it starts without a broker", bool(start(house)), house.log())
        case("and has what it spooled", details(house).get("spool_bytes", 0) > 500000, details(house))
        send_all(house.port, EACH - 100, 100)
        case("and takes more", wait_for(lambda: all_durable(house), 20), details(house), house.log())
        started = broker.do("start")
        case("the broker is back", started.returncode == 0, started.stderr)
        case("the spool drains", wait_for(lambda: details(house).get("spool_records") == 0 and
                                          not details(house).get("spooling"), 60, 0.2),
             details(house), house.log())
        case("nothing was dropped", details(house).get("spool_dropped") == 0, details(house))
        first, repeats = numbers(house)
        lost = {who: EACH - len(found) for who, found in first.items() if len(found) != EACH}
        case(f"all {SENDERS * EACH} events are on Kafka", not lost, lost)
        case("those of each sender in their order", all(found == sorted(found) for found in first.values()))
        note(f"{repeats} repeats, for the frames' counters to recognise")
        house.stop()




def full_disk(broker):
    """No room for the spool: senders over TCP are held, nothing that was accepted is lost."""
    place = tempfile.mkdtemp(prefix="tocsin-spool-disk-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "tmpfs", place], capture_output=True,
                             text=True)
    if mounted.returncode != 0:
        os.rmdir(place)
        skip("a full disk", f"tmpfs cannot be mounted here: {mounted.stderr.strip()}")
        return
    try:
        with House(settings=(*SETTINGS, f"bus.spool.path={place}/spool"), kafka=broker.address) as house:
            start(house)
            send(house.port, 0, 0, 100)
            wait_for(lambda: all_durable(house), 20)
            broker.do("kill")
            sent = threading.Event()

            def flood():
                pad = "x" * 1500
                with socket.create_connection(("127.0.0.1", house.port),
                                              source_address=("127.0.0.2", 0)) as link:
                    for n in range(100, 50000):
                        link.sendall(f"<13>1 {stamp(time.time())} s0 app - - - sender 0 number {n} {pad}\n".encode())
                sent.set()
            thread = threading.Thread(target=flood, daemon=True)
            thread.start()
            case("the disk fills, and status says so",
                 wait_for(lambda: house.status().get("collect", {}).get("state") == "disk-full", 60, 0.2),
                 house.status(), house.log())
            case("the sender is held back", not sent.wait(2))
            broker.do("start")
            case("with the broker back the spool drains and the sender goes on", sent.wait(90), details(house))
            thread.join(10)
            case("all becomes durable", wait_for(lambda: all_durable(house) and
                                                 details(house)["received"] == 50000, 60), details(house), house.log())
            wait_for(lambda: details(house).get("spool_records") == 0, 60, 0.2)
            first, _ = numbers(house)
            case("and every event is on Kafka, in order", first[0] == list(range(50000)), len(first[0]))
            house.stop()
    finally:
        subprocess.run(["umount", "-l", place], check=False)
        os.rmdir(place)


def main():
    need_binary()
    why = why_not()
    if why:
        skip("the spool before real Kafka", why)
        done()
        return
    begun = time.monotonic()
    with Broker() as broker:
        outage(broker)
        full_disk(broker)
    note(f"{time.monotonic() - begun:.0f} s")
    done()


main()
