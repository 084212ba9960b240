#!/usr/bin/env python3
"""Real senders over TLS, behind HAProxy, and over Unix sockets: Debian's rsyslog (GnuTLS and OpenSSL), syslog-ng, HAProxy,
logger, unmodified. Certificates are made here; another one is put in force by SIGHUP while senders are connected."""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, ROOT, House, case, done, free_port, need_binary, skip, wait_for  # noqa: E402

EVENTS = 10000 if LONG else 2000
RSYSLOG = """
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log" CreatePath="on" RateLimit.Interval="0")
global(workDirectory="{folder}" defaultNetstreamDriver="{driver}" defaultNetstreamDriverCAFile="{certs}/ca.crt"
       defaultNetstreamDriverCertFile="{certs}/{name}.crt" defaultNetstreamDriverKeyFile="{certs}/{name}.key")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
       StreamDriver="{driver}" StreamDriverMode="1" StreamDriverAuthMode="x509/name"
       StreamDriverPermittedPeers="localhost" template="RSYSLOG_SyslogProtocol23Format"
       action.resumeInterval="1" action.resumeRetryCount="-1" queue.type="linkedList" queue.size="50000")
"""
SYSLOG_NG = """@version: 3.38
source s {{ unix-dgram("{folder}/log"); }};
destination d {{ syslog("localhost" port({port}) transport("tls")
    tls(ca-file("{certs}/ca.crt") cert-file("{certs}/{name}.crt") key-file("{certs}/{name}.key")
    peer-verify(required-trusted))); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""
HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend in
    bind 127.0.0.2:{front}
    default_backend out
frontend in1
    bind 127.0.0.2:{front1}
    default_backend out1
backend out
    server tocsin 127.0.0.1:{port} send-proxy-v2
backend out1
    server tocsin 127.0.0.1:{port1} send-proxy
"""


class Daemon:
    """A sender with a folder, of whose socket "log" it forwards what comes."""

    def __init__(self, house, name, config, line):
        self.folder = os.path.join(house.path, name)
        os.mkdir(self.folder)
        self.config = os.path.join(self.folder, "conf")
        with open(self.config, "w") as file:
            file.write(config.format(folder=self.folder))
        self.log = open(os.path.join(self.folder, "out"), "wb")
        self.process = subprocess.Popen([word.format(folder=self.folder, config=self.config) for word in line],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def feed(self, mark, count):
        path = os.path.join(self.folder, "log")
        wait_for(lambda: os.path.exists(path), 10)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.connect(path)
            for n in range(count):
                link.send(f"<38>Nov 22 13:27:00 app: {mark}-{n}-".encode())

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self):
        with open(os.path.join(self.folder, "out"), errors="replace") as file:
            return file.read()[-2000:]


def seen(house, mark):
    raw = house.tool("bus", "cat", "events", "--raw").stdout
    return len(set(re.findall(rf"{mark}-(\d+)-", raw)))


def arrives(house, name, mark, count, *notes):
    wait_for(lambda: seen(house, mark) >= count, 20, 0.2)
    case(name, seen(house, mark) == count, seen(house, mark), house.total(), house.log(), *notes)


def row(house, where):
    """The first row for which where holds."""
    out = house.tool("sources", "--json").stdout
    import json
    rows = [json.loads(line) for line in out.splitlines()]
    return next((r for r in rows if where(r)), {})


def rsyslog(house, certs, port, driver, name):
    config = RSYSLOG.replace("{folder}", "\0").format(driver=driver, certs=certs, name=name, port=port)
    return Daemon(house, f"rsyslog-{driver}-{name}", config.replace("\0", "{folder}"),
                  ["/usr/sbin/rsyslogd", "-n", "-f", "{config}", "-i", "{folder}/pid"])


def rsyslogs(house, certs, port):
    for driver, package in (("gtls", "rsyslog-gnutls"), ("ossl", "rsyslog-openssl")):
        if not os.path.exists(f"/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_{driver}.so"):
            skip(f"rsyslog with {driver}", f"Debian's {package} is not installed")
            continue
        daemon = rsyslog(house, certs, port, driver, "fw1")
        try:
            daemon.feed(driver, EVENTS)
            arrives(house, f"rsyslog over TLS ({driver}): {EVENTS} of {EVENTS} events", driver, EVENTS, daemon.said())
        finally:
            daemon.close()
    total = house.total()
    case("nobody was refused so far", total.get("tls_refused") == 0 and total.get("bad_frames") == 0, total)


def reload(house, certs, port):
    """Another certificate by SIGHUP: who is connected stays, who comes sees it; one that is wrong changes nothing."""
    context = ssl.create_default_context(cafile=f"{certs}/ca.crt")
    context.load_cert_chain(f"{certs}/fw1.pem")

    def dial():
        link = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
        return link, dict(x[0] for x in link.getpeercert()["subject"])["commonName"]

    def renew(name):
        for kind in ("crt", "key"):
            shutil.copy(f"{certs}/{name}.{kind}", f"{certs}/live.{kind}")
    old, name = dial()
    renew("renewed")
    house.processes["collect"].send_signal(signal.SIGHUP)

    def renewed():
        link, now = dial()
        link.close()
        return now == "renewed"
    case("SIGHUP: who comes now sees the new certificate", name == "server" and wait_for(renewed, 10, 0.1), house.log())
    old.sendall(b"22 <13>1 - - - - - old-0-")
    arrives(house, "... and who was connected still is", "old", 1)
    with open(f"{certs}/live.key", "w") as file:
        file.write("no key\n")
    house.processes["collect"].send_signal(signal.SIGHUP)
    told = wait_for(lambda: "live.key" in house.log(), 10, 0.1)
    case("a key that does not load is told, and the old certificate stays", told and renewed(), house.log())
    old.close()
    renew("server")


def refused(house, port, certs):
    daemon = rsyslog(house, certs, port, "ossl", "stranger")
    try:
        daemon.feed("stranger", 10)
        wait_for(lambda: house.total().get("tls_refused", 0) > 0, 10, 0.2)
    finally:
        daemon.close()
    case("a certificate of another CA is refused and counted", house.total().get("tls_refused", 0) > 0 and
         seen(house, "stranger") == 0, house.total(), daemon.said())
    case("the log names it and says why", "CN=stranger" in house.log() and "issuer" in house.log(), house.log())


def syslog_ng(house, certs, port):
    folder = os.path.join(ROOT, "build", "syslog-ng")
    program = os.path.join(folder, "root/usr/sbin/syslog-ng")
    if not os.path.exists(program):
        os.makedirs(folder, exist_ok=True)
        got = subprocess.run("apt-get download -q syslog-ng-core && dpkg -x syslog-ng-core_*.deb root", shell=True,
                             cwd=folder, capture_output=True, text=True, timeout=120)
        if got.returncode != 0:
            return skip("syslog-ng over TLS", "apt-get download syslog-ng-core: " + got.stderr.strip()[-80:])
    base = os.path.join(folder, "root/usr/lib/syslog-ng")
    modules = next(e.path for e in os.scandir(base) if e.is_dir())
    environment = dict(os.environ, LD_LIBRARY_PATH=f"{base}:{modules}")
    if "not found" in subprocess.run(["ldd", program], env=environment, capture_output=True, text=True).stdout:
        return skip("syslog-ng over TLS", "its libraries are not installed (Debian: libivykis0 libnet1 libjson-c5 libpcre3 libwrap0)")
    config = SYSLOG_NG.replace("{folder}", "\0").format(certs=certs, name="fw2", port=port).replace("\0", "{folder}")
    os.environ["LD_LIBRARY_PATH"] = environment["LD_LIBRARY_PATH"]
    daemon = Daemon(house, "syslog-ng", config.replace("{", "{{").replace("}", "}}").replace("{{folder}}", "{folder}"),
                    [program, "-F", "--no-caps", "-f", "{config}", "-R", "{folder}/persist", "-p", "{folder}/pid",
                     "-c", "{folder}/ctl", "--module-path", modules])
    del os.environ["LD_LIBRARY_PATH"]
    try:
        daemon.feed("ng", EVENTS)
        arrives(house, f"syslog-ng over TLS: {EVENTS} of {EVENTS} events", "ng", EVENTS, daemon.said())
    finally:
        daemon.close()


def is_gone(link):
    try:
        return link.recv(10) == b""
    except ConnectionResetError:
        return True


def haproxy(house, certs, port_tls, port_tcp):
    if not os.path.exists("/usr/sbin/haproxy"):
        return skip("behind HAProxy", "Debian's haproxy is not installed")
    front, front1 = free_port(), free_port()
    daemon = Daemon(house, "haproxy", HAPROXY.format(front=front, front1=front1, port=port_tls, port1=port_tcp),
                    ["/usr/sbin/haproxy", "-db", "-f", "{config}"])
    try:
        def up():
            try:
                return socket.create_connection(("127.0.0.2", front1), source_address=("127.0.0.9", 0))
            except OSError:
                return None
        link = wait_for(up, 10, 0.1)
        with link:
            link.sendall(b"".join(b"<13>1 - - - - - v1-%d-\n" % n for n in range(100)))
        arrives(house, "behind HAProxy, PROXY version 1", "v1", 100, daemon.said())
        context = ssl.create_default_context(cafile=f"{certs}/ca.crt")
        context.load_cert_chain(f"{certs}/fw1.pem")
        raw = socket.create_connection(("127.0.0.2", front), source_address=("127.0.0.8", 0))
        with context.wrap_socket(raw, server_hostname="localhost") as link:
            link.sendall(b"".join(b"<13>1 - - - - - v2-%d-\n" % n for n in range(100)))
        arrives(house, "behind HAProxy, PROXY version 2 before TLS", "v2", 100, daemon.said())
    finally:
        daemon.close()
    rows = [row(house, lambda r, who=who: r["sender"] == who) for who in ("127.0.0.8", "127.0.0.9")]
    case("the senders are those that HAProxy announces", all(r.get("received") == 100 for r in rows), rows)
    with socket.create_connection(("127.0.0.1", port_tcp)) as link:
        link.sendall(b"<13>1 - - - - - direct-0-\n")
        gone = is_gone(link)
    with socket.create_connection(("127.0.0.1", port_tcp), source_address=("127.0.0.7", 0)) as link:
        link.sendall(b"PROXY TCP4 192.0.2.66 192.0.2.1 1 2\r\n<13>1 - - - - - direct-1-\n")
        gone = is_gone(link) and gone
    case("no header, or one of a stranger: refused and counted", gone and seen(house, "direct") == 0 and
         house.total().get("proxy_refused", 0) >= 2, house.total(), house.log())


def local(house, path):
    before = house.total()["received"]
    for n in range(20):
        subprocess.run(["logger", "-u", path, "-t", "app", f"unix-{n}-"], check=True, timeout=10)
    arrives(house, "logger -u to a Unix socket", "unix", 20)
    for n in range(20):
        subprocess.run(["logger", "-u", path + ".stream", "--octet-count", "-t", "app", f"ustream-{n}-"], timeout=10)
    arrives(house, "logger -u to a Unix socket with connections", "ustream", 20)
    case("... as events of this machine", house.total()["received"] == before + 40 and
         row(house, lambda r: r["input"] == "syslog-unix" and r["sender"] == "127.0.0.1").get("received") == 20,
         house.total())
    house.stop("collect", signal.SIGKILL)
    house.start("collect")
    wait_for(lambda: "collect" in house.status(), 20)
    subprocess.run(["logger", "-u", path, "-t", "app", "again-0-"], timeout=10)
    arrives(house, "after kill -9 the old socket is replaced", "again", 1)


def main():
    need_binary()
    if shutil.which("openssl") is None:
        skip("TLS", "openssl is not installed")
        return done()
    ports = [free_port() for _ in range(3)]
    with House() as house:
        certs = os.path.join(house.path, "certs")
        os.mkdir(certs)
        subprocess.run(["sh", os.path.join(ROOT, "tests/certificates.sh"), certs], check=True)
        for kind in ("crt", "key"):
            shutil.copy(f"{certs}/server.{kind}", f"{certs}/live.{kind}")
        path = os.path.join(house.path, "sock")
        house.settings = [s for s in house.settings if not s.startswith("syslog.")]
        house.settings += [
            "syslog.udp.listen=", f"syslog.tcp.listen=proxy+tls://127.0.0.1:{ports[1]},proxy+tcp://127.0.0.1:{ports[2]}",
            f"syslog.tls.listen=127.0.0.1:{ports[0]}", f"syslog.unix.listen={path}",
            f"syslog.unix.stream={path}.stream", f"tls.certificate={certs}/live.crt", f"tls.key={certs}/live.key",
            f"tls.ca={certs}/ca.crt", "tls.clients=required", "collector.proxies=127.0.0.1",
            "tls.peers=dns:fw1.hue.example.vn,dns:fw2.example.vn"]
        house.start("collect")
        if case("the collector listens", wait_for(lambda: "collect" in house.status(), 20), house.log()):
            started = time.monotonic()
            for step in (lambda: rsyslogs(house, certs, ports[0]), lambda: syslog_ng(house, certs, ports[0]),
                         lambda: reload(house, certs, ports[0]), lambda: refused(house, ports[0], certs),
                         lambda: haproxy(house, certs, ports[1], ports[2]), lambda: local(house, path)):
                step()
                print(f"# {time.monotonic() - started:.1f} s", flush=True)
    done()


main()
