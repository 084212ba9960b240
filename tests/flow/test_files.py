#!/usr/bin/env python3
"""Files that are followed through rotations while the collector is killed again and again, and standard input."""
import gzip
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, House, case, done, need_binary, note, wait_for  # noqa: E402


class Writer:
    """A program that logs numbered lines, and whose log is rotated: renamed, then made anew."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "app.log")
        self.number = 0
        self.rotations = 0
        self.file = open(self.path, "a")

    def write(self, count):
        for _ in range(count):
            self.file.write(f"<13>1 - drill01 app - - - line {self.number} end\n")
            self.number += 1
        self.file.flush()

    def rotate(self):
        for n in range(40, 0, -1):
            for end in ("", ".gz"):
                if os.path.exists(f"{self.path}.{n}{end}"):
                    os.rename(f"{self.path}.{n}{end}", f"{self.path}.{n + 1}{end}")
        os.rename(self.path, f"{self.path}.1")
        # As a program does that is told a moment later.
        self.write(20)
        self.file.close()
        self.file = open(self.path, "a")
        self.rotations += 1
        # Compressed with a delay of one, as logrotate's delaycompress.
        old = f"{self.path}.2"
        if os.path.exists(old):
            with open(old, "rb") as plain, gzip.open(f"{old}.gz", "wb") as packed:
                packed.write(plain.read())
            stat = os.stat(old)
            os.utime(f"{old}.gz", ns=(stat.st_atime_ns, stat.st_mtime_ns))
            os.unlink(old)


def numbers(house):
    raw = house.tool("bus", "cat", "events", "--raw").stdout
    return [int(line.split(" line ")[1].split()[0]) for line in raw.splitlines() if " line " in line]


def kills(rounds):
    with House(settings=("bus.local.commit_delay=1ms",)) as house:
        folder = os.path.join(house.path, "logs")
        os.mkdir(folder)
        house.settings.append(f"file.follow={folder}/*.log")
        writer = Writer(folder)
        chance = random.Random(5)
        for turn in range(rounds):
            process = house.start("collect")
            for _ in range(chance.randrange(3, 10)):
                writer.write(chance.randrange(50, 500))
                time.sleep(chance.random() * 0.15)
                if chance.random() < 0.15:
                    writer.rotate()
            process.send_signal(signal.SIGKILL)
            process.wait()
            writer.write(100)
            if turn % 3 == 0:
                writer.rotate()
        house.start("collect")
        wanted = writer.number

        def all_there():
            return house.total().get("received", 0) > 0 and len(set(numbers(house))) == wanted
        wait_for(all_there, 30, 0.5)
        house.stop("collect")
        seen = numbers(house)
        missing = sorted(set(range(wanted)) - set(seen))
        note(f"{rounds} kills, {writer.rotations} rotations: {wanted} lines, {len(seen) - len(set(seen))} repeated")
        case("files: nothing is lost through kill -9 and rotations", not missing, len(missing), missing[:20],
             os.listdir(folder), house.log())
        process = house.start("collect")
        wait_for(lambda: "(total)" in house.sources(), 10, 0.1)
        time.sleep(2)
        house.stop("collect")
        case("files: an orderly end repeats nothing", len(numbers(house)) == len(seen))


def standard_input():
    with House() as house:
        lines = "".join(f"<13>1 - drill02 app - - - line {n}\n" for n in range(20000)) + "<13>no end of line 20000"
        out = subprocess.run(house.arguments("collect", "--stdin"), input=lines.encode(), capture_output=True,
                             timeout=60)
        case("stdin: 0 when the bus has all of it", out.returncode == 0, out.stderr)
        seen = numbers(house)
        case("stdin: every line, the last one without its end, once", sorted(seen) == list(range(20001)), len(seen))
        path = os.path.join(house.path, "some.txt")
        with open(path, "w") as file:
            file.write("<13>of a file line 20001\n")
        with open(path) as file:
            out = subprocess.run(house.arguments("collect", "--stdin"), stdin=file, capture_output=True, timeout=60)
        case("stdin: a file", out.returncode == 0 and numbers(house)[-1:] and 20001 in numbers(house), out.stderr)


def main():
    need_binary()
    kills(60 if LONG else 6)
    standard_input()
    done()


main()
