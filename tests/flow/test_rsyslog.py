#!/usr/bin/env python3
"""Debian's rsyslog as the sender: a program on its host logs, omfwd sends over TCP with octets counted, and the
attack is an alert."""
import os
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import House, case, done, need_binary, skip, wait_for  # noqa: E402

RULE = "4e5d479d-6303-4038-b900-1eab94288d5f"
CONFIG = """
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log" CreatePath="on" RateLimit.Interval="0")
global(workDirectory="{folder}")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
       template="{template}" action.resumeInterval="1" action.resumeRetryCount="-1"
       queue.type="linkedList")
"""


def log(path, lines):
    """What syslog(3) does: datagrams to the local socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.connect(path)
        for line in lines:
            link.send(line.encode())


def through(house, program, template, address, last):
    folder = os.path.join(house.path, "rsyslog-" + template)
    os.mkdir(folder)
    config = os.path.join(folder, "rsyslog.conf")
    with open(config, "w") as file:
        file.write(CONFIG.format(folder=folder, port=house.port, template=template))
    process = subprocess.Popen([program, "-n", "-f", config, "-i", os.path.join(folder, "pid")],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: os.path.exists(os.path.join(folder, "log")), 10)
        lines = [f"<38>Nov 22 13:27:{n:02d} sshd[812]: Failed password for root from {address} port {4000 + n} ssh2"
                 for n in range(12)]
        log(os.path.join(folder, "log"), lines + [f"<13>Nov 22 13:27:40 app: {last}"])

        def found():
            return [a for a in house.alerts("--address", address) if a["alert"]["rule"]["id"] == RULE]
        case(f"rsyslog, {template}: the attack is an alert", wait_for(found, 20, 0.2),
             house.tool("bus", "cat", "events", "--raw").stdout[-2000:], house.log())
        raw = house.tool("bus", "cat", "events", "--raw").stdout
        case(f"rsyslog, {template}: a long line with words of two languages comes whole", last in raw)
        case(f"rsyslog, {template}: one event a message", raw.count(address) == 12, raw.count(address))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def main():
    need_binary()
    program = shutil.which("rsyslogd") or shutil.which("/usr/sbin/rsyslogd")
    if program is None:
        skip("rsyslog as the sender", "rsyslogd (Debian: rsyslog) is not installed")
        done()
        return
    with House(settings=("correlate.lateness=1s", "correlate.idle=3s", "collector.tick=500ms",
                         "correlate.skew=1h")) as house:
        case("tocsin run", house.run(), house.log())
        for number, template in enumerate(("RSYSLOG_SyslogProtocol23Format", "RSYSLOG_TraditionalForwardFormat")):
            through(house, program, template, f"198.51.100.{20 + number}",
                    f"Hồ sơ của tỉnh {number} " + "dài " * 1500)
        total = house.total()
        case("no frame was bad", total["bad_frames"] == 0 and total["truncated"] == 0, total)
    done()


main()
