#!/usr/bin/env python3
"""Who sends: agencies.yml, a reload by SIGHUP, floods and idle connections beside a slow sender, C11, silence.

Two senders stand on 127.0.0.2 and 127.0.0.3. The ledger has to balance to the event, whatever was too much.
"""
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, House, case, done, free_port, need_binary, note, stamp, wait_for  # noqa: E402

SILENT_RULE = "6a1a2f0e-7d0c-4f52-9f3b-3c1f0b7a5d21"
AGENCIES = """unknown: {{inputs: [syslog-tcp, syslog-udp]}}
agencies:
  - name: langson
    networks: 127.0.0.2
    systems:
      - {{name: firewall, networks: 127.0.0.3, {firewall}}}
      - {{name: watched, networks: 127.0.0.4, silent: 1s, silent_times: 1}}
"""
SECONDS = 60 if LONG else 3
OTHER_QUOTA = "{events: 20000}" if LONG else "{}"  # a minute without one would fill the disk
IDLE = 10000


def dial(house, host, kind=socket.SOCK_STREAM):
    sock = socket.socket(socket.AF_INET, kind)
    sock.bind((host, 0))
    sock.connect(("127.0.0.1", house.port))
    return sock


def rows(house):
    out = house.tool("sources", "--json").stdout
    return {(row["sender"], row["input"]): row for row in map(json.loads, out.splitlines())}


def durable(house, sender, kind):
    return rows(house).get((sender, kind), {}).get("durable", 0)


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(path + ".new", path)


def tables(house):
    table = house.tool("sources").stdout
    lines = table.splitlines()
    case("sources: a table with agency, system and state", "langson/firewall" in table and "LAG" in lines[0], table)
    case("sources: the total stands last", "(total)" in lines[-1], table)
    part = house.tool("sources", "--agency", "lang*").stdout
    case("sources --agency: only those", "127.0.0.3" in part and "127.0.0.9" not in part and "(total)" not in part, part)
    found = [json.loads(line) for line in house.tool("sources", "--agency", "langson", "--json").stdout.splitlines()]
    case("sources --agency --json", found and all(row["agency"] == "langson" for row in found), found)
    by = house.tool("sources", "--sort", "received").stdout.splitlines()[1:-1]
    counts = [int(line[11:21]) for line in by]
    case("sources --sort received: the most first", counts == sorted(counts, reverse=True), by)
    case("sources --sort: an unknown column is refused", house.tool("sources", "--sort", "colour").returncode == 2)


def decoding(house):
    """What the worker knows of a sender stands in its row: what no decoder knew, how far its clock is off."""
    sock = dial(house, "127.0.0.2", socket.SOCK_DGRAM)
    sock.send(f"<38>1 {stamp(time.time() - 90)} gw sshd 7 - - Accepted password for an from 198.51.100.1 port 4".encode())
    sock.close()
    sock = dial(house, "127.0.0.9", socket.SOCK_DGRAM)
    sock.send(b"hello")
    sock.close()

    def found(host, count):
        row = rows(house).get((host, "syslog-udp"), {})
        return row if row.get("decoded") == count else {}
    late, plain = (wait_for(lambda host=host, count=count: found(host, count), 20, 0.2)
                   for host, count in (("127.0.0.2", 1), ("127.0.0.9", 2)))
    case("sources: how far a clock is behind", (late.get("undecoded"), late.get("untimed")) == (0, 0) and
         -3600e9 < late.get("skew_ns", 0) <= -90e9, late)
    case("sources: events that no decoder knew, and that told no time",
         (plain.get("decoded"), plain.get("undecoded"), plain.get("untimed")) == (2, 1, 2) and "skew_ns" not in plain, plain)
    case("sources: frames beside events", (late["frames"], late["received"]) == (1, 1), late)
    lines = [line for line in house.tool("sources").stdout.splitlines() if "127.0.0.2" in line]
    case("sources: the table shows it", lines and " -1 m" in lines[0], lines)


def reload(house, pid, path):
    """The connection stays, under another agency; a file that is wrong changes nothing; who is barred goes."""
    tcp = dial(house, "127.0.0.3")
    tcp.sendall(b"<13>before\n")
    wait_for(lambda: durable(house, "127.0.0.3", "syslog-tcp") == 1)
    write(path, AGENCIES.format(firewall="level: 5").replace("langson", "hue"))
    os.kill(pid, signal.SIGHUP)
    case("SIGHUP: the sender is of the other agency",
         wait_for(lambda: rows(house)[("127.0.0.3", "syslog-tcp")]["agency"] == "hue", 10), house.log())
    tcp.sendall(b"<13>after\n")
    case("its connection goes on", wait_for(lambda: durable(house, "127.0.0.3", "syslog-tcp") == 2, 10))
    write(path, "agencies: [{name: hue, level: 9}]\n")
    os.kill(pid, signal.SIGHUP)
    case("a file that is wrong is told with its place", wait_for(lambda: "agencies.yml:1:" in house.log(), 10),
         house.log())
    tcp.sendall(b"<13>still\n")
    case("and changes nothing", wait_for(lambda: durable(house, "127.0.0.3", "syslog-tcp") == 3, 10) and
         rows(house)[("127.0.0.3", "syslog-tcp")]["agency"] == "hue")
    write(path, AGENCIES.format(firewall="inputs: [syslog-udp]"))
    os.kill(pid, signal.SIGHUP)
    tcp.settimeout(10)
    case("who may not use the input any more is closed", tcp.recv(1) == b"")
    tcp.close()


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def idle(house, pid):
    """Connections that say nothing, or one byte, cost a bounded amount; a sender beside them is served."""
    count = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)
    before = resident(pid)
    crowd = []
    for i in range(count):
        crowd.append(dial(house, f"127.0.{1 + i // 200 % 200}.{1 + i % 200}"))
        if i % 2:
            crowd[-1].send(b"<")
    slow = dial(house, "127.0.0.2")
    slow.sendall(b"".join(b"<13>beside the crowd %d\n" % i for i in range(1000)))
    case(f"a sender beside {count} idle and slow connections is served",
         wait_for(lambda: durable(house, "127.0.0.2", "syslog-tcp") == 1000, 20), house.log())
    each = (resident(pid) - before) / count
    note(f"{each:.0f} bytes resident a connection, half of them with a message begun")
    case("a connection costs at most 4 KiB", each < 4096, each)
    for sock in crowd:
        sock.close()
    slow.close()
    return count


def flood(house, host, seconds, sent):
    sock = dial(house, host, socket.SOCK_DGRAM)
    text = b"<13>Nov 22 06:27:00 web01 app[811]: flood %d " + b"x" * 200
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(200):
            sock.send(text % sent[host])
            sent[host] += 1
    sock.close()


def before_sockets():
    """What this machine has dropped before any socket had it (second column): no process is told whose it was."""
    with open("/proc/net/softnet_stat", encoding="ascii") as stat:
        return sum(int(line.split()[1], 16) for line in stat)


def overload(house):
    """C11: more than can be taken. sent = received + kernel drops, received = durable + refused, per sender."""
    lost = before_sockets()
    before = {key: dict(row) for key, row in rows(house).items()}
    sent = {"127.0.0.2": 0, "127.0.0.4": 0}
    threads = [threading.Thread(target=flood, args=(house, host, SECONDS, sent)) for host in sent]
    slow = dial(house, "127.0.0.3")
    for thread in threads:
        thread.start()
    for i in range(SECONDS * 20):
        slow.sendall(b"<13>slow %d\n" % i)
        time.sleep(0.04)
    for thread in threads:
        thread.join()
    slow.close()
    wait_for(lambda: house.status()["collect"]["details"]["in_flight"] == 0, 30, 0.2)
    time.sleep(1.5)
    after = rows(house)

    def grown(key, what):
        return after.get(key, {}).get(what, 0) - before.get(key, {}).get(what, 0)
    received = {host: grown((host, "syslog-udp"), "received") for host in sent}
    listener = next(key for key in after if key[0].startswith("(syslog-udp"))
    drops = grown(listener, "kernel_drops")
    quota = grown(("127.0.0.2", "syslog-udp"), "refused_quota")
    note(f"sent {sent}, received {received}, dropped by the kernel {drops}, over the quota {quota}")
    lost = before_sockets() - lost
    gone = sum(sent.values()) - sum(received.values()) - drops
    note(f"dropped by the machine before it was the collector's socket's: {gone}, of {lost} in all")
    case("C11: what was sent was received, or is counted as dropped", 0 <= gone <= lost, sent, received, drops, lost)
    for host in sent:
        row = after[(host, "syslog-udp")]
        gone = sum(row[f"refused_{why}"] for why in ("busy", "large", "quota", "barred"))
        case(f"C11: {host}: received is durable or refused, to the event",
             row["received"] == row["durable"] + gone, row)
    beside = after[("127.0.0.3", "syslog-tcp")]
    note(f"the slow sender: {beside['durable']} durable, at most {beside['lag_max_ns'] / 1e6:.0f} ms behind")
    case("C11: a slow sender beside the floods loses nothing",
         grown(("127.0.0.3", "syslog-tcp"), "durable") == SECONDS * 20, beside)
    case("C11: the quota was enforced, and only for whom it is", quota > 0 and
         (after[("127.0.0.4", "syslog-udp")]["refused_quota"] > 0) == LONG, after)
    with subprocess.Popen(house.arguments("bus", "cat", "events"), stdout=subprocess.PIPE) as cat:
        count = sum(b'"index"' in line for line in cat.stdout)
    case("C11: durable is what the bus holds", count == after[("(total)", "")]["durable"], count, after[("(total)", "")])
    text = house.tool("metrics").stdout
    case("metrics: refused by the quota, senders, lag",
         'tocsin_events_refused_total{reason="quota"' in text.replace('stage="collect",', "") and
         "tocsin_senders{" in text and "tocsin_collect_lag_max_milliseconds{" in text,
         [line for line in text.splitlines() if "refused" in line or "sender" in line])


def fetch(port, request):
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(request)
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def scrape(port):
    """GET /metrics and nothing else; who says nothing keeps nobody out for long."""
    silent = socket.create_connection(("127.0.0.1", port), 10)
    answer = fetch(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition("\r\n\r\n")
    case("GET /metrics: of all stages", head.startswith("HTTP/1.1 200 ") and "version=0.0.4" in head and
         'tocsin_events_received_total{stage="collect"}' in body and 'stage="store"' in body, answer[:2000])
    case("its length is right", f"Content-Length: {len(body.encode())}\r\n" in head + "\r\n", head)
    for request, status in ((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404), (b"nonsense\r\n\r\n", 400),
                            (b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405)):
        answer = fetch(port, request)
        case(f"{request.split(chr(13).encode())[0].decode()}: {status}", answer.startswith(f"HTTP/1.1 {status} "), answer)
    silent.close()


def main():
    need_binary()
    # For the crowd, here and in the collector, which has it from here.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(IDLE + 500, most), most))
    monitor = free_port()
    house = House(settings=("syslog.tcp.connections=20000", "syslog.tcp.connections_per_peer=20000",
                            "collector.senders=20000", "syslog.udp.receive_buffer=65536",
                            "correlate.lateness=1s", "correlate.idle=2s", "collector.tick=500ms",
                            f"metrics.listen=127.0.0.1:{monitor}"))
    path = house.beside("agencies.yml")
    house.settings.append(f"collector.agencies={path}")
    try:
        write(path, AGENCIES.format(firewall="level: 4, decoder: nosuch"))
        house.run()
        case("a decoder that is none is told", wait_for(lambda: "'nosuch', of 'langson', is no decoder" in house.log(), 5))
        pid = house.status()["collect"]["pid"]
        watched = dial(house, "127.0.0.4", socket.SOCK_DGRAM)
        for _ in range(3):
            watched.send(b"<13>watched")
        for host in ("127.0.0.3", "127.0.0.9"):
            sock = dial(house, host, socket.SOCK_DGRAM)
            sock.send(b"<13>hello")
            sock.close()
        wait_for(lambda: durable(house, "127.0.0.9", "syslog-udp") == 1)
        tables(house)
        decoding(house)
        scrape(monitor)
        reload(house, pid, path)
        idle(house, pid)

        def silent():
            return [a for a in house.alerts() if a["alert"]["rule"]["id"] == SILENT_RULE]
        case("a sender that became silent is an alert", wait_for(silent, 40, 0.5), house.tool("sources").stdout, house.log())
        write(path, AGENCIES.format(firewall="level: 4").replace(
            "networks: 127.0.0.2\n", "networks: 127.0.0.2\n    quota: {events: 2000, burst: 1s}\n").replace(
            "name: watched,", f"name: watched, quota: {OTHER_QUOTA},"))
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.5)
        overload(house)
    finally:
        house.close()
    done()


main()
