#!/usr/bin/env python3
"""Strangers at the door while a good sender sends numbered lines: none of those is lost, the ledger balances,
the collector's memory stays bounded, and what strangers wrote does nothing to a terminal."""
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import House, case, done, need_binary, note, wait_for  # noqa: E402

RATE, SECONDS = 2000, 12
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x1b[31m\xc2\x9b5m\xe2\x80\xae"


def good(port, stopping, sent):
    """Numbered lines over one connection; sent[0] counts them."""
    link = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.9", 0))
    begun = time.monotonic()
    while not stopping.is_set():
        due = int((time.monotonic() - begun) * RATE) - sent[0]
        if due > 0:
            link.sendall(b"".join(b"<13>1 - good app - - - number %d\n" % (sent[0] + n) for n in range(due)))
            sent[0] += due
        time.sleep(0.005)
    link.close()


class Strangers:
    """Each method is one; they end by themselves, what they expect is noted."""

    def __init__(self, port):
        self.port = port
        self.random = random.Random(7)
        self.held = []
        self.whole = []  # lines that must be on the bus as they are

    def connect(self, source="127.0.0.1"):
        """Those that hold connections come from an address of their own: its ceiling is not the others'."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    def say(self, *parts):
        link = self.connect()
        try:
            for part in parts:
                link.sendall(part)
        except OSError:
            pass  # closed by the collector: it may
        link.close()

    def long_lines(self):
        for size in (65535, 65536, 65537, 1 << 20, 3 << 20):
            self.say(b"<13>1 - long app - - - size " + b"x" * size + b"\n", b"<13>1 - long app - - - after %d\n" % size)
            self.whole.append("<13>1 - long app - - - after %d" % size)

    def octets(self):
        for count in (b"1000000000 ", b"99999999999999999999 ", b"0 ", b"-1 ", b"000000012 ", b"4294967296 "):
            self.say(count + b"<13>1 - octets app - - - never ends", b"\n")
        self.say(b"35 <13>1 - octets app - - - wellcounted")
        self.whole.append("<13>1 - octets app - - - wellcounted"[:35])

    def bytes_of_all_kinds(self):
        self.say(b"<13>1 - odd app - - - nul \0 inside\n", b"<13>1 - odd app - - - bad \xff\xfe\xc0\x80 utf8\n",
                 b"<13>1 - odd app - - - escapes " + ESCAPES + b"\n")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for size in (0, 1, 100, 60000, 65000):
            udp.sendto(b"u" * size, ("127.0.0.1", self.port))
        for _ in range(200):
            udp.sendto(self.random.randbytes(self.random.randrange(1, 1400)), ("127.0.0.1", self.port))
        for _ in range(30):
            self.say(self.random.randbytes(self.random.randrange(1, 200000)))

    def half_open(self):
        """Connections that say nothing, or half of something, and stay."""
        for n in range(200):
            try:
                link = self.connect("127.0.0.3")
                link.sendall([b"", b"<13>1 - half", b"500 <13>1 - half", b"9"][n % 4])
                self.held.append(link)
            except OSError:
                pass

    def drip(self):
        link = self.connect()
        for byte in b"<13>1 - drip app - - - slow\n":
            link.sendall(bytes([byte]))
            time.sleep(0.1)
        self.whole.append("<13>1 - drip app - - - slow")
        link.close()

    def resets(self):
        for _ in range(100):
            link = self.connect("127.0.0.4")
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            try:
                link.sendall(b"<13>1 - reset app - - - x\n<13>1 - re")
            except OSError:
                pass
            link.close()


def resident_mb(house):
    with open(f"/proc/{house.status()['collect']['pid']}/status") as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith("VmRSS"))


def numbers(raw):
    mark = "<13>1 - good app - - - number "
    return sorted(int(line[len(mark):]) for line in raw if line.startswith(mark))


def main():
    need_binary()
    with House(settings=("correlate.lateness=1s", "correlate.idle=3s", "collector.tick=500ms",
                         "bus.local.segment=64M")) as house:
        case("tocsin run", house.run(), house.log())
        stopping, sent = threading.Event(), [0]
        sender = threading.Thread(target=good, args=(house.port, stopping, sent), daemon=True)
        sender.start()
        strangers = Strangers(house.port)
        begun, most = time.monotonic(), resident_mb(house)
        threads = [threading.Thread(target=method, daemon=True) for method in (
            strangers.long_lines, strangers.octets, strangers.bytes_of_all_kinds, strangers.half_open,
            strangers.drip, strangers.resets)]
        for thread in threads:
            thread.start()
        while time.monotonic() - begun < SECONDS or any(t.is_alive() for t in threads):
            most = max(most, resident_mb(house))
            time.sleep(0.2)
            if time.monotonic() - begun > 60:
                break
        case("every stranger has been served or turned away", not any(t.is_alive() for t in threads))
        stopping.set()
        sender.join(20)
        for link in strangers.held:
            link.close()
        wait_for(lambda: house.status()["collect"]["details"]["in_flight"] == 0, 20, 0.2)
        time.sleep(1)
        raw = house.tool("bus", "cat", "events", "--raw", seconds=300).stdout.splitlines()
        total = house.total()
        note(f"{sent[0]} good lines; collector at most {most} MB; ledger {json.dumps(total)}")
        case("every good line is on the bus, once", numbers(raw) == list(range(sent[0])), len(numbers(raw)), house.log())
        missing = [line for line in strangers.whole if line not in raw]
        case("what strangers said right is there too", not missing, missing)
        case("the ledger balances: received is durable or refused", total["received"] ==
             total["durable"] + sum(total[f"refused_{why}"] for why in ("busy", "large", "quota", "barred")), total)
        count = sum('"index"' in line for line in
                    house.tool("bus", "cat", "events", seconds=300).stdout.splitlines())
        case("and durable is what the bus holds", count == total["durable"], count, total)
        case("what was cut, or was no frame, or held NUL or bad UTF-8, is counted", total["truncated"] >= 3 and
             total["bad_frames"] >= 1 and total["with_nul"] >= 1 and total["bad_utf8"] >= 1, total)
        case("the collector's memory is bounded", most < 200, most)
        case("no stage has died", all(" ended" not in line and "killed" not in line for line in
                                      house.log().splitlines()), house.log())
        rules(house)
    done()


def rules(house):
    """Escapes that come to the eye: in an alert, its evidence, and the list of senders."""
    with socket.create_connection(("127.0.0.1", house.port)) as link:
        for n in range(12):
            link.sendall(b"<38>1 - evil\x1b[2Jhost sshd 1 - - Failed password for \x1b]0;owned\x07root from 198.51.100.66 "
                         b"port 22 ssh2\n")
    alerts = wait_for(lambda: house.alerts("--address", "198.51.100.66"), 15, 0.2)
    case("an attack with escapes in it is an alert", bool(alerts), house.log())
    if not alerts:
        return
    wait_for(lambda: "Failed password" in house.tool("alerts", "show", alerts[0]["id"]).stdout, 10, 0.2)
    for what, words in (("alerts", ["alerts"]), ("alerts show", ["alerts", "show", alerts[0]["id"]]),
                        ("alerts --json", ["alerts", "--json"]), ("sources", ["sources"]),
                        ("bus cat", ["bus", "cat", "events", "--raw"])):
        out = house.tool(*words, seconds=300).stdout
        case(f"{what}: no escape reaches the terminal", out and not any(
            c in out for c in ("\x1b", "\x07", "\x9b", "\u202e")), [line for line in out.splitlines() if "\x1b" in line][:3])


main()
