#!/usr/bin/env python3
"""Real senders that wait for no answer, unmodified, through kill -9 of the collector: what arrived, what was lost, and who
knows of it. Debian's rsyslog (omfwd over UDP, TCP, TLS), syslog-ng (TCP, TLS), logger, python3-fluent-logger; npm's gelf-pro.

Without TOCSIN_LONG=1 only rsyslog over TCP. That events are lost is in the nature of these protocols; that they come once,
whole, and again as soon as the collector is back, is what is tested.
"""
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, ROOT, case, done, need_binary, note, skip  # noqa: E402
from senders import EVENTS, Door, Program, fill, table, through, with_broker  # noqa: E402

RSYSLOG = """global(workDirectory="{folder}" {global})
module(load="imfile" mode="inotify")
input(type="imfile" file="{folder}/log" tag="numbered:")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{protocol}" {action}
       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1" action.resumeInterval="1"
       queue.type="LinkedList" queue.size="50000")
"""
RSYSLOG_TLS = ('defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{certs}/ca.crt" '
               'defaultNetstreamDriverCertFile="{certs}/fw1.crt" defaultNetstreamDriverKeyFile="{certs}/fw1.key"')
TLS_ACTION = 'TCP_Framing="octet-counted" StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="anon"'
SYSLOG_NG = """@version: 3.38
options {{ time-reopen(1); }};
source s {{ file("{folder}/log" follow-freq(0.1) flags(no-parse)); }};
destination d {{ syslog("127.0.0.1" port({port}) transport("{transport}") {tls}); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""


def expect(name, seen):
    """The end of what was sent came, and nothing came twice."""
    last = max(seen, default=-1)
    case(f"{name}: it goes on when the collector is back", last >= EVENTS - 10, last, len(seen))
    case(f"{name}: nothing came twice", all(count == 1 for count in seen.values()))


def certificates(door):
    certs = os.path.join(door.house.path, "certs")
    os.mkdir(certs)
    subprocess.run(["sh", os.path.join(ROOT, "tests/certificates.sh"), certs], check=True, stdout=subprocess.DEVNULL)
    door.house.settings += [f"tls.certificate={certs}/server.crt", f"tls.key={certs}/server.key",
                            f"tls.ca={certs}/ca.crt"]
    return certs


def daemon(name, door, folder, line, environment=None):
    """A daemon that follows the file "log" of folder."""
    path = os.path.join(folder, "log")
    open(path, "w").close()
    with door, Program(door, line, environment) as sender:
        filling = threading.Thread(target=fill, args=(path, EVENTS, 0.15), daemon=True)
        filling.start()
        expect(name, through(name, door, lambda: sender.running() and filling.is_alive(), lossless=False))


def rsyslog(name, key, protocol, tls=False):
    program = shutil.which("rsyslogd") or shutil.which("/usr/sbin/rsyslogd")
    if program is None or (tls and not os.path.exists("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so")):
        return skip(name, "rsyslog is not installed (Debian: rsyslog, rsyslog-openssl)")
    door = Door(key)
    certs = certificates(door) if tls else ""
    folder = os.path.join(door.house.path, "rsyslog")
    os.mkdir(folder)
    config = RSYSLOG
    for word, value in (("folder", folder), ("port", str(door.port)), ("protocol", protocol),
                        ("global", RSYSLOG_TLS.format(certs=certs) if tls else ""),
                        ("action", TLS_ACTION if tls else "")):
        config = config.replace("{" + word + "}", value)
    with open(os.path.join(folder, "conf"), "w") as file:
        file.write(config)
    return daemon(name, door, folder, [program, "-n", "-f", os.path.join(folder, "conf"), "-i", folder + "/pid"])


def syslog_ng(name, key, transport):
    root = os.path.join(ROOT, "build", "syslog-ng")
    program = os.path.join(root, "root/usr/sbin/syslog-ng")
    if not os.path.exists(program):
        os.makedirs(root, exist_ok=True)
        got = subprocess.run("apt-get download -q syslog-ng-core && dpkg -x syslog-ng-core_*.deb root", shell=True,
                             cwd=root, capture_output=True, text=True, timeout=120)
        if got.returncode != 0:
            return skip(name, "apt-get download syslog-ng-core: " + got.stderr.strip()[-80:])
    base = os.path.join(root, "root/usr/lib/syslog-ng")
    modules = next(e.path for e in os.scandir(base) if e.is_dir())
    environment = dict(os.environ, LD_LIBRARY_PATH=f"{base}:{modules}")
    if "not found" in subprocess.run(["ldd", program], env=environment, capture_output=True, text=True).stdout:
        return skip(name, "its libraries are not installed (Debian: libivykis0 libnet1 libjson-c5 libpcre3 libwrap0)")
    door = Door(key)
    certs = certificates(door) if transport == "tls" else ""
    own = os.path.join(door.house.path, "syslog-ng")
    os.mkdir(own)
    tls = f'tls(ca-file("{certs}/ca.crt") peer-verify(optional-untrusted))' if certs else ""
    with open(os.path.join(own, "conf"), "w") as file:
        file.write(SYSLOG_NG.format(folder=own, port=door.port, transport=transport, tls=tls))
    return daemon(name, door, own, [program, "-F", "--no-caps", "-f", own + "/conf", "-R", own + "/persist", "-p",
                                    own + "/pid", "-c", own + "/ctl", "--module-path", modules], environment)


def logger(name, key, flag):
    """util-linux's logger, which reads lines; over TCP it ends when its connection does, and is started anew."""
    if shutil.which("logger") is None:
        return skip(name, "logger is not installed (Debian: bsdutils)")
    door = Door(key)
    lost = []

    def send():
        process = None
        for number in range(EVENTS):
            if process is None or process.poll() is not None:
                process = subprocess.Popen(["logger", flag, "-n", "127.0.0.1", "-P", str(door.port), "-t", "numbered",
                                            "--size", "2000"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            try:
                process.stdin.write(f"numbered-{number}- Hồ sơ của tỉnh {'x' * 200}\n".encode())
                process.stdin.flush()
            except BrokenPipeError:
                lost.append(number)
                process = None
            time.sleep(0.003)
        process.stdin.close()
        process.wait(10)
    with door:
        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        expect(name, through(name, door, sending.is_alive, lambda: f"{len(lost)} by logger, which ends" if lost else "",
                             lossless=False))


FLUENT = """
import sys, time
from fluent import sender
logger = sender.FluentSender("province", host="127.0.0.1", port=int(sys.argv[1]), nanosecond_precision=True)
refused = 0
for number in range(int(sys.argv[2])):
    refused += not logger.emit("app", {"message": f"numbered-{number}- Hồ sơ của tỉnh"})
    time.sleep(0.003)
logger.close()
if refused:
    print(f"emit says no {refused:,} times, and keeps them")
"""


def fluent_logger(name):
    python = "/usr/bin/python3"
    if not os.path.exists(python) or \
            subprocess.run([python, "-c", "import fluent.sender"], capture_output=True).returncode != 0:
        return skip(name, "python3-fluent-logger is not installed")
    door = Door("forward.listen")
    with door, Program(door, [python, "-c", FLUENT, str(door.port), str(EVENTS)]) as sender:
        return expect(name, through(name, door, sender.running, lambda: sender.said().strip(), lossless=False))


def gelf(name, adapter):
    folder = os.path.join(ROOT, "build", "senders", "npm")
    if not os.path.isdir(os.path.join(folder, "node_modules", "gelf-pro")):
        return skip(name, "npm's gelf-pro is not there (test_senders_acked.py fetches it)")
    door = Door(f"gelf.{adapter}.listen")
    with door, Program(door, ["node", os.path.join(folder, "gelf.js"), adapter, str(door.port), str(EVENTS), "30"]) \
            as sender:
        def said():
            errors = sender.said(True).count("\n")
            return f"{errors:,} by gelf-pro, which tells its caller" if errors else ""
        return expect(name, through(name, door, sender.running, said, lossless=False))


SENDERS = {
    "rsyslog's omfwd, TCP": lambda name: rsyslog(name, "syslog.tcp.listen", "tcp"),
    "rsyslog's omfwd, UDP": lambda name: rsyslog(name, "syslog.udp.listen", "udp"),
    "rsyslog's omfwd, TLS": lambda name: rsyslog(name, "syslog.tls.listen", "tcp", True),
    "syslog-ng, TCP": lambda name: syslog_ng(name, "syslog.tcp.listen", "tcp"),
    "syslog-ng, TLS": lambda name: syslog_ng(name, "syslog.tls.listen", "tls"),
    "logger, UDP": lambda name: logger(name, "syslog.udp.listen", "--udp"),
    "logger, TCP": lambda name: logger(name, "syslog.tcp.listen", "--tcp"),
    "python3-fluent-logger": fluent_logger,
    "gelf-pro, UDP": lambda name: gelf(name, "udp"),
    "gelf-pro, TCP": lambda name: gelf(name, "tcp"),
}


def main():
    begun = time.monotonic()
    for number, (name, sender) in enumerate(SENDERS.items()):
        if any(word in name for word in sys.argv[1:]) or (len(sys.argv) < 2 and (LONG or number == 0)):
            sender(name)
            note(f"{name}: {time.monotonic() - begun:.0f} s")
    table()


need_binary()
with_broker(main)
done()
