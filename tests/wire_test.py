#!/usr/bin/env python3
"""docs/wire.md, the C code and an independent reader agree. Prints TAP.

B names the build folder; the program test_vectors is built there when it is missing.
"""

import datetime
import json
import os
import re
import subprocess
import sys

import wire_reader as wire

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SITE = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
results = []


def check(name, good, why=""):
    results.append(good)
    print("%s %d - %s" % ("ok" if good else "not ok", len(results), name))
    if not good:
        print("# " + str(why).replace("\n", "\n# "))


def blocks(document, kind):
    pattern = r"^```%s ([a-z-]+)\n(.*?)^```$" % kind
    return dict(re.findall(pattern, document, re.M | re.S))


def program():
    build = os.environ.get("B", "build/release")
    path = os.path.join(ROOT, build, "tests/event/test_vectors")
    if not os.path.exists(path):
        subprocess.run(["make", "-s", "-C", ROOT, "B=" + build,
                        os.path.join(build, "tests/event/test_vectors")],
                       check=True, stdout=sys.stderr)
    return path


def written():
    """What the C code writes now: one of each vector, and pairs of random frame and its events."""
    lines = subprocess.run([program(), "write"], check=True, capture_output=True).stdout.split(b"\n")
    single, frames, events = {}, [], []
    for line in lines[:-1]:
        name, digits = line.decode().split(" ")
        data = bytes.fromhex(digits)
        if name == "random-frame":
            frames.append(data)
        elif name == "random-events":
            events.append(data)
        else:
            single[name] = data
    return single, list(zip(frames, events))


def from_json(line):
    """An event written as JSON in the form in which the reader shows one out of a frame."""
    event = json.loads(line)
    assert event.pop("schema") == "tocsin.event/1"
    for key in list(event):
        if key.endswith("_base64"):
            event[key[:-len("_base64")]] = {"base64": event.pop(key)}
    if "received" in event:
        stamp = event.pop("received")
        when = datetime.datetime.strptime(stamp[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
        event["received_ns"] = int(when.timestamp()) * 10**9 + int(stamp[20:29])
    return event


def check_reader():
    check("CRC32C of 123456789", wire.crc32c(b"123456789") == 0xE3069283)
    check("SipHash-2-4 of 15 bytes, as its authors publish it",
          wire.siphash(SITE, bytes(range(15)), False) == 0xA129CA6149BE45E5)
    check("SipHash-2-4-128 of nothing, as its authors publish it",
          b"".join(half.to_bytes(8, "little") for half in wire.siphash(SITE, b"", True)) ==
          bytes.fromhex("a3817f04ba25a8e66df67214c7550293"))


def check_document(document, single):
    vectors, meanings = blocks(document, "vector"), blocks(document, "json")
    for name, digits in vectors.items():
        data = bytes.fromhex("".join(digits.split()))
        check("%s decodes to what the document says" % name,
              wire.read(data) == json.loads(meanings.get(name, "null")),
              json.dumps(wire.read(data), indent=1, ensure_ascii=False))
        check("%s is what the program writes" % name, single.get(name) == data)
    check("no vector is missing", sorted(vectors) == sorted(single) == sorted(meanings))


def check_random(pairs):
    good, count = True, 0
    for frame, lines in pairs:
        shown = wire.read_frame(frame)["events"]
        told = [from_json(line) for line in lines.decode().split("\n")[:-1]]
        good = good and shown == told
        count += len(told)
    check("%d random events in %d frames" % (count, len(pairs)), good and count > 500)


def check_damage(single):
    frame = single["frame-events"]
    passed = 0
    for bit in range(len(frame) * 8):
        bad = bytearray(frame)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            wire.read_frame(bytes(bad))
            passed += 1
        except (wire.Foreign, wire.Unknown, wire.Damaged):
            pass
    check("no frame with a flipped bit passes", passed == 0)


def refusal(data, read=wire.read):
    try:
        read(data)
    except (wire.Foreign, wire.Unknown, wire.Damaged) as problem:
        return type(problem)
    return None


def sealed(head, body=b""):
    """A message of ours with its checksum."""
    data = b"TCSD" + head + body
    return data + wire.crc32c(data).to_bytes(4, "little")


def check_future(single):
    """What this version does not know is skipped, and is no damage."""
    frame, body = single["frame-tick"], single["progress"][6:-4]
    newer, other = bytearray(frame), bytearray(frame)
    newer[4], other[5] = 2, 9
    other[60:64] = bytes(4)
    other[60:64] = wire.crc32c(bytes(other)).to_bytes(4, "little")
    check("a frame of another version is unknown", refusal(bytes(newer)) is wire.Unknown)
    check("a frame of another type is unknown", refusal(bytes(other)) is wire.Unknown)
    check("a message of another version or kind is unknown",
          refusal(sealed(b"\2\2", body)) is refusal(sealed(b"\1\3", body)) is wire.Unknown)
    check("unknown tags are skipped",
          wire.read(sealed(b"\1\2", b"\x63\3abc" + body)) == wire.read(single["progress"]))
    check("no detection with a flipped bit passes", all(
        refusal(bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0)
                      for at, byte in enumerate(single["detection"])), wire.read_message)
        for bit in range(len(single["detection"]) * 8)))


def check_partitions(document):
    """The sentence of the document, in the terms of the reader."""
    places = [(b"192.0.2.7", 16, 5), (b"fw-01.ha-giang.example", 16, 9), (b"2001:db8::1", 256, 18),
              (b"", 4, 2)]
    check("keys go to the partitions that the document tells",
          all(wire.partition_of(key, of) == to for key, of, to in places) and
          all("`%s`" % key.decode() in document for key, _, _ in places[:3]))


def check_ids(single):
    alert = wire.read(single["alert-json"])
    check("the id of the alert", wire.alert_id(SITE, alert) == alert["id"],
          wire.alert_id(SITE, alert))
    foreign = wire.read(single["foreign-json"])
    mine = wire.foreign_coordinate(b"langson-cluster", b"events", 3, 99)
    check("the coordinate of a foreign record", foreign["at"] == mine, mine)


def main():
    with open(os.path.join(ROOT, "docs/wire.md"), encoding="utf-8") as file:
        document = file.read()
    single, pairs = written()
    check_reader()
    check_document(document, single)
    check_random(pairs)
    check_damage(single)
    check_future(single)
    check_partitions(document)
    check_ids(single)
    print("1..%d" % len(results))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
