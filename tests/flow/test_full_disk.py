#!/usr/bin/env python3
"""A full disk: senders over TCP are held back, it is said so, and when there is room again all goes on; nothing
that was accepted is lost."""
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import House, case, done, need_binary, note, skip, stamp, wait_for  # noqa: E402

DISK_MB, BALLAST_MB = 200, 150
RULE = "4e5d479d-6303-4038-b900-1eab94288d5f"
SETTINGS = ("correlate.lateness=1s", "correlate.idle=3s", "collector.tick=500ms", "correlate.snapshot=1s",
            "bus.local.segment=4M")


class Sender(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.sent, self.stopping, self.trouble = port, 0, threading.Event(), None

    def run(self):
        try:
            link = socket.create_connection(("127.0.0.1", self.port))
            while not self.stopping.is_set():
                batch = "".join(f"<13>1 {stamp(time.time())} web01 app - - - number {self.sent + n} {'x' * 400}\n"
                                for n in range(20))
                link.sendall(batch.encode())
                self.sent += 20
                time.sleep(0.002)
            link.close()
        except OSError as error:
            self.trouble = error


def attack(port, address):
    with socket.create_connection(("127.0.0.1", port)) as link:
        for n in range(12):
            link.sendall(f"<38>1 {stamp(time.time())} gw sshd {n} - - Failed password for root from {address} "
                         "port 22 ssh2\n".encode())


def numbers(house):
    out = house.tool("bus", "cat", "events", "--raw", seconds=300).stdout
    return sorted(int(line.split(" number ")[1].split()[0]) for line in out.splitlines() if " number " in line)


def campaign(house, ballast):
    case("tocsin run", house.run(), house.log())
    attack(house.port, "198.51.100.31")
    case("an attack before is found", wait_for(lambda: house.alerts("--address", "198.51.100.31"), 15, 0.2))
    sender = Sender(house.port)
    sender.start()

    def full():
        return any(stage["state"] == "disk-full" for stage in house.status().values()) or \
            "full" in house.tool("status").stdout.lower()
    case("the disk fills, and status says so", wait_for(full, 60, 0.2), house.tool("status").stdout, house.log())
    status = house.tool("status")
    case("status: critical", status.returncode == 2, status.returncode, status.stdout)

    def stands():
        at = sender.sent
        time.sleep(2)
        return sender.sent == at
    held = wait_for(stands, 40)  # what waits in the collector and in the kernel has its bound too
    before = sender.sent
    case("the sender over TCP is held back, its connection stays", held and sender.trouble is None,
         before, sender.sent, sender.trouble)
    alive = house.processes["run"].poll() is None
    os.remove(ballast)
    note(f"{before} lines were taken before the disk was full")
    case("with room again the sender goes on", wait_for(lambda: sender.sent > before + 2000, 30, 0.1), sender.sent)
    sender.stopping.set()
    sender.join(30)
    case("status is well again", wait_for(lambda: house.tool("status").returncode == 0, 30, 0.3),
         house.tool("status").stdout, house.log())
    wait_for(lambda: house.status()["collect"]["details"]["in_flight"] == 0, 20, 0.2)
    found = numbers(house)
    case("every line that was sent is on the bus, once", found == list(range(sender.sent)),
         len(found), sender.sent, len(set(found)))
    attack(house.port, "198.51.100.32")
    case("an attack afterwards is found", wait_for(lambda: house.alerts("--address", "198.51.100.32"), 30, 0.3),
         house.log())
    case("and the one before is still there", bool(house.alerts("--address", "198.51.100.31")))
    wait_for(lambda: house.drained(1), 20)
    gaps = sum(stage["details"].get("gaps", 0) for stage in house.status().values())
    case("no gap, no damage", gaps == 0 and not any(stage["details"].get("damaged")
                                                    for stage in house.status().values()), house.status())
    case("the supervisor has lived on", alive and house.processes["run"].poll() is None)


def main():
    need_binary()
    place = tempfile.mkdtemp(prefix="tocsin-disk-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}M", "tmpfs", place],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        os.rmdir(place)
        skip("a full disk", f"tmpfs cannot be mounted here: {mounted.stderr.strip()}")
        done()
        return
    try:
        ballast = os.path.join(place, "ballast")
        with open(ballast, "wb") as file:
            for _ in range(BALLAST_MB):
                file.write(b"\0" * (1 << 20))
        with House(settings=SETTINGS, folder=place) as house:
            campaign(house, ballast)
    finally:
        subprocess.run(["umount", "-l", place], check=False)
        os.rmdir(place)
    done()


main()
