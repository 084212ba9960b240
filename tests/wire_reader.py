#!/usr/bin/env python3
"""Reads what travels on Tocsin's topics, from docs/wire.md alone.

Independent on purpose: no code of the project, no module outside the standard library, its own
CRC32C and SipHash. As a program it reads one record from a file or standard input and prints JSON:
    wire_reader.py [FILE]
"""

import base64
import json
import struct
import sys

MASK = (1 << 64) - 1
NO_COUNT = MASK
TRANSPORTS = ("unknown udp tcp tls unix relp http lumberjack forward gelf file kafka").split()
REASONS = {1: "kernel_drop", 2: "refused", 3: "retention", 4: "damaged"}


class Foreign(Exception):
    """No record of ours."""


class Unknown(Exception):
    """A version, type or kind of the future: skip and count."""


class Damaged(Exception):
    """Checksum, length or content do not hold."""


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def rotate(value, bits):
    return (value << bits | value >> 64 - bits) & MASK


def sip_rounds(v, count):
    a, b, c, d = v
    for _ in range(count):
        a = a + b & MASK
        b = rotate(b, 13) ^ a
        a = rotate(a, 32)
        c = c + d & MASK
        d = rotate(d, 16) ^ c
        a = a + d & MASK
        d = rotate(d, 21) ^ a
        c = c + b & MASK
        b = rotate(b, 17) ^ c
        c = rotate(c, 32)
    return [a, b, c, d]


def siphash(key, data, wide):
    """SipHash-2-4 of 64 bits, or the pair of 64-bit halves of the 128-bit variant."""
    k0, k1 = key
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261,
         k1 ^ 0x7465646279746573]
    if wide:
        v[1] ^= 0xEE
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        v = sip_rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xEE if wide else 0xFF
    v = sip_rounds(v, 4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    if not wide:
        return first
    v[1] ^= 0xDD
    v = sip_rounds(v, 4)
    return first, v[0] ^ v[1] ^ v[2] ^ v[3]


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def more(self):
        return self.at < len(self.data)

    def bytes(self, count):
        if count > len(self.data) - self.at:
            raise Damaged("cut short")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.bytes(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > MASK:
                    raise Damaged("length of more than 64 bits")
                return value
        raise Damaged("length of more than 64 bits")

    def tags(self):
        while self.more():
            tag = self.bytes(1)[0]
            yield tag, self.bytes(self.varint())


def number(value, size, signed=False):
    if len(value) != size:
        raise Damaged("a number of %d bytes, not %d" % (len(value), size))
    return int.from_bytes(value, "little", signed=signed)


def coordinate(collector, epoch, counter):
    return "%016x-%016x-%d" % (collector, epoch, counter)


def plain(value):
    """Text where it is text, else an object with base64, as in JSON arrays of the wire."""
    if value is None:
        return None
    try:
        if b"\0" not in value:
            return value.decode("utf-8")
    except UnicodeDecodeError:
        pass
    return {"base64": base64.b64encode(value).decode()}


EVENT_TEXT = {3: "peer", 4: "sender", 5: "agency", 6: "system", 8: "decoder"}


def read_meta(meta, event):
    for tag, value in Cursor(meta).tags():
        if tag == 1:
            event["received_ns"] = number(value, 8, True)
        elif tag == 2:
            code = number(value, 1)
            event["transport"] = TRANSPORTS[code] if code < len(TRANSPORTS) else "unknown"
        elif tag in EVENT_TEXT:
            event[EVENT_TEXT[tag]] = plain(value)
        elif tag == 7:
            event["zone_s"] = number(value, 4, True)
        elif tag == 9:
            event["encoding"] = "json" if number(value, 1) == 1 else "text"
        elif tag == 10:
            event["flags"] = number(value, 4)
        elif tag == 11:
            if len(value) != 16:
                raise Damaged("a hash of %d bytes" % len(value))
            event["message"] = "%016x%016x" % struct.unpack("<QQ", value)


def read_events(head, body):
    cursor, events = Cursor(body), []
    for index in range(head["count"]):
        raw_len, meta_len = cursor.varint(), cursor.varint()
        event = {"at": coordinate(head["collector"], head["epoch"], head["first"] + index)}
        read_meta(cursor.bytes(meta_len), event)
        event["raw"] = plain(cursor.bytes(raw_len))
        events.append(event)
    if cursor.more():
        raise Damaged("bytes behind the last event")
    return events


def read_gap(body):
    gap = {}
    for tag, value in Cursor(body).tags():
        if tag == 1:
            gap["reason"] = REASONS.get(number(value, 1), "unknown")
        elif tag in (2, 3, 4):
            gap[{2: "count", 3: "from", 4: "to"}[tag]] = number(value, 8)
        elif tag == 5:
            gap["source"] = plain(value)
    if "reason" not in gap:
        raise Damaged("a gap without a reason")
    return gap


HEAD = struct.Struct("<4sBBHQQQQqIIII")


def read_frame(data):
    if data[:4] != b"TCSN":
        raise Foreign()
    if not 64 <= len(data) <= 2 << 20:
        raise Damaged("length")
    (_, version, kind, flags, collector, epoch, first, previous, made, count, length, _,
     crc) = HEAD.unpack(data[:64])
    if version != 1:
        raise Unknown("version %d" % version)
    if length != len(data) - 64 or crc != crc32c(data[:60] + bytes(4) + data[64:]):
        raise Damaged("length or checksum")
    if kind not in (1, 2, 3):
        raise Unknown("type %d" % kind)
    if previous != NO_COUNT and previous >= first:
        raise Damaged("previous")
    if (count == 0) == (kind == 1) or count > length // 2 or first + count > NO_COUNT:
        raise Damaged("count")
    head = {"type": {1: "events", 2: "tick", 3: "gap"}[kind], "flags": flags,
            "collector": collector, "epoch": epoch, "first": first,
            "previous": None if previous == NO_COUNT else previous, "count": count,
            "made_ns": made}
    shown = dict(head, collector="%016x" % collector, epoch="%016x" % epoch)
    if kind == 1:
        shown["events"] = read_events(head, data[64:])
    if kind == 3:
        shown["gap"] = read_gap(data[64:])
    return shown


MESSAGE_TEXT = {1: "correlation", 2: "rule", 10: "agency", 11: "host", 13: "replay"}


def read_detection(body):
    out = {"groups": [], "values": []}
    for tag, value in Cursor(body).tags():
        if tag in MESSAGE_TEXT:
            out[MESSAGE_TEXT[tag]] = plain(value)
        elif tag == 3:
            out["groups"].append(plain(value))
        elif tag in (4, 5):
            out["values"].append(plain(value) if tag == 4 else None)
        elif tag in (6, 7):
            out["time_ns" if tag == 6 else "received_ns"] = number(value, 8, True)
        elif tag == 8:
            if len(value) != 24:
                raise Damaged("coordinate")
            out["at"] = coordinate(*struct.unpack("<QQQ", value))
        elif tag == 9:
            if len(value) != 16:
                raise Damaged("position")
            out["position"] = list(struct.unpack("<IQI", value))
        elif tag == 12:
            out["flags"] = number(value, 4)
    if len(out["groups"]) > 16 or len(out["values"]) > 16:
        raise Damaged("more than 16 values")
    return out


def read_progress(body):
    rows = []
    for tag, value in Cursor(body).tags():
        if tag != 1:
            continue
        if len(value) != 26:
            raise Damaged("progress")
        topic, idle, partition, partitions, time_ns, offset = struct.unpack("<BBIIqQ", value)
        if partition >= partitions:
            raise Damaged("partition")
        rows.append({"topic": topic, "idle": bool(idle & 1), "partition": partition,
                     "partitions": partitions, "time_ns": time_ns, "offset": offset})
        if idle & 2:
            rows[-1]["anew"] = True
    return rows


def read_message(data):
    if data[:4] != b"TCSD":
        raise Foreign()
    if len(data) < 10:
        raise Damaged("length")
    if data[4] != 1 or data[5] not in (1, 2):
        raise Unknown("version %d, kind %d" % (data[4], data[5]))
    if number(data[-4:], 4) != crc32c(data[:-4]):
        raise Damaged("checksum")
    return (read_detection if data[5] == 1 else read_progress)(data[6:-4])


def unplain(value):
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()


def member(record, key):
    """The bytes of a text member, under its key or with _base64 behind it."""
    if key + "_base64" in record:
        return base64.b64decode(record[key + "_base64"])
    return record.get(key, "").encode()


def alert_id(site, alert):
    hashes = alert["rule"]["hash"]
    groups = [member(group, "value") for group in alert.get("groups", [])]
    collector, epoch, counter = alert["at"].split("-")
    parts = [member(alert["rule"], "id"),
             struct.pack("<QQ", int(hashes[:16], 16), int(hashes[16:], 16)),
             struct.pack("<I", len(groups))] + groups
    parts.append(struct.pack("<QQQ", int(collector, 16), int(epoch, 16), int(counter)))
    material = b"".join(struct.pack("<I", len(part)) + part for part in parts)
    return "%016x%016x" % siphash(site, material, True)


def foreign_coordinate(cluster, topic, partition, offset):
    key = (siphash((0, 0), cluster, False), 0)
    return coordinate(siphash(key, topic, False), partition, offset)


def partition_of(key, partitions):
    return siphash((0x746F6373696E2E70, 0x6172746974696F6E), key, False) % partitions


def read(data):
    if data[:4] == b"TCSN":
        return read_frame(data)
    if data[:4] == b"TCSD":
        return read_message(data)
    record = json.loads(data.decode("utf-8"))
    if record.get("schema") not in ("tocsin.event/1", "tocsin.alert/1"):
        raise Foreign()
    return record


def main():
    data = open(sys.argv[1], "rb").read() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    try:
        json.dump(read(data), sys.stdout, ensure_ascii=False, indent=1)
        print()
    except (Foreign, Unknown, Damaged, ValueError) as problem:
        sys.exit("%s: %s" % (type(problem).__name__, problem))


if __name__ == "__main__":
    main()
