"""The daemons of senders.py: each is told its configuration, started, and asked what it says of what it lost.

The peers are tuned for events per CPU second: one worker, large batches, the parser that the lines need; rsyslog's
imptcp instead of imtcp where there is no TLS; the buffers of UDP sockets as large as ours; lz4, acks=all and as much
linger as the whole takes.
"""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN_BIN", os.path.join(ROOT, "build/release/tocsin")))
RSYSLOGD = "/usr/sbin/rsyslogd"
SYSLOG_NG = os.path.join(ROOT, "build", "syslog-ng-kafka")
CONNECTIONS = 15000
UDP_BUFFER = 64 << 20


def certificates(folder):
    """An authority and a server's certificate on P-256, which is what one makes today."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost")
    return folder


def free_port():
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def tool(settings, *words):
    line = [TOCSIN, *words]
    for setting in settings:
        line += ["-o", setting]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


class Daemon:
    """A folder, a port, topics, a process."""
    made = 0

    def __init__(self, name, kind, kafka, certs):
        self.name, self.kind, self.kafka, self.certs = name, kind, kafka, certs
        Daemon.made += 1
        self.prefix = f"senders-{os.getpid()}-{Daemon.made}."
        self.port = free_port()
        self.folder = self.process = None
        self.environment = dict(os.environ)

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="tocsin-bench-")
        # Topics are made by ours for all of them.
        tool(self.kafka_settings() + [f"data.path={self.folder}/topics"], "bus", "topics")
        words = self.words()
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)
        try:
            self.wait()
        except RuntimeError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kafka_settings(self):
        return ["bus.backend=kafka", f"bus.kafka.prefix={self.prefix}", "bus.partitions.events=4",
                f"bus.kafka.properties.bootstrap.servers={self.kafka}"]

    def topic(self):
        return self.prefix + "events"

    def listens(self):
        table = "udp" if self.kind == "udp" else "tcp"
        state = "07" if self.kind == "udp" else "0A"
        for name in (table, table + "6"):
            with open(f"/proc/net/{name}", encoding="ascii") as rows:
                for row in rows.readlines()[1:]:
                    words = row.split()
                    if int(words[1].split(":")[1], 16) == self.port and words[3] == state:
                        return True
        return False

    def wait(self):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            if self.listens():
                time.sleep(0.5)
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not listen: {self.said()}")

    def said(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return log.read()[-600:]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def words(self):
        """The command line."""
        raise NotImplementedError

    def prepare(self):
        """Before the first event; the value is given to told."""

    def told(self, _before):
        """How many events it says it has lost; None: it says nothing."""
        return None


class Tocsin(Daemon):
    KEYS = {"tcp": "syslog.tcp.listen", "tls": "syslog.tls.listen", "udp": "syslog.udp.listen",
            "hec": "http.listen", "bulk": "http.listen"}

    def __init__(self, name, kind, kafka, certs, form):
        super().__init__(name, kind, kafka, certs)
        self.form = form
        self.settings = []

    def words(self):
        self.settings = [f"data.path={self.folder}", "syslog.tcp.listen=", "syslog.udp.listen=", f"bus.format={self.form}",
                         f"syslog.tcp.connections={CONNECTIONS}", f"syslog.tcp.connections_per_peer={CONNECTIONS}",
                         f"collector.senders={CONNECTIONS}", f"syslog.udp.receive_buffer={UDP_BUFFER >> 20}M",
                         f"tls.certificate={self.certs}/server.crt", f"tls.key={self.certs}/server.key",
                         f"tls.handshakes={CONNECTIONS}", f"rules.paths={ROOT}/rules", *self.kafka_settings(),
                         *os.environ.get("TOCSIN_BENCH_SETTINGS", "").split()]
        self.settings = [s for s in self.settings if s != self.KEYS[self.kind] + "="]
        self.settings.append(f"{self.KEYS[self.kind]}=127.0.0.1:{self.port}")
        line = [*os.environ.get("TOCSIN_BENCH_UNDER", "").split(), TOCSIN, "collect"]
        for setting in self.settings:
            line += ["-o", setting]
        return line

    def told(self, _before):
        for _ in range(3):
            for row in map(json.loads, tool(self.settings, "sources", "--json").stdout.splitlines()):
                if row["sender"] == "(total)":
                    return sum(row[key] for key in ("kernel_drops", "refused_busy", "refused_large", "refused_quota",
                                                    "refused_barred"))
        return None


RSYSLOG_TEMPLATES = '''
template(name="raw" type="string" string="%rawmsg%")
template(name="json" type="list") {
  constant(value="{") property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  constant(value=",") property(outname="received" name="timegenerated" dateFormat="rfc3339" format="jsonf")
  constant(value=",") property(outname="peer" name="fromhost-ip" format="jsonf")
  constant(value=",") property(outname="host" name="hostname" format="jsonf")
  constant(value=",") property(outname="facility" name="syslogfacility-text" format="jsonf")
  constant(value=",") property(outname="severity" name="syslogseverity-text" format="jsonf")
  constant(value=",") property(outname="program" name="app-name" format="jsonf")
  constant(value=",") property(outname="procid" name="procid" format="jsonf")
  constant(value=",") property(outname="msgid" name="msgid" format="jsonf")
  constant(value=",") property(outname="sd" name="structured-data" format="jsonf")
  constant(value=",") property(outname="message" name="msg" format="jsonf")
  constant(value="}")
}
'''
RSYSLOG_INPUTS = {
    "tcp": ('module(load="imptcp" threads="1" processOnPoller="on")',
            'input(type="imptcp" port="{port}" address="127.0.0.1" socketBacklog="4096")'),
    "tls": ('module(load="imtcp" maxSessions="{connections}" streamDriver.name="ossl" streamDriver.mode="1" '
            'streamDriver.authMode="anon")', 'input(type="imtcp" port="{port}" address="127.0.0.1" socketBacklog="4096")'),
    "udp": ('module(load="imudp" batchSize="256" timeRequery="64" threads="1")',
            'input(type="imudp" port="{port}" address="127.0.0.1" rcvbufSize="{buffer}")'),
}


class Rsyslog(Daemon):
    def __init__(self, name, kind, kafka, certs, template):
        super().__init__(name, kind, kafka, certs)
        self.template = template

    def words(self):
        module, source = (text.format(port=self.port, connections=CONNECTIONS, buffer=f"{UDP_BUFFER >> 20}m")
                          for text in RSYSLOG_INPUTS[self.kind])
        config = self.write("conf", f'''
global(workDirectory="{self.folder}" maxMessageSize="64k" net.enableDNS="off"
  defaultNetstreamDriverCAFile="{self.certs}/server.crt" defaultNetstreamDriverCertFile="{self.certs}/server.crt"
  defaultNetstreamDriverKeyFile="{self.certs}/server.key")
module(load="omkafka")
{module}
main_queue(queue.type="fixedArray" queue.size="500000" queue.dequeueBatchSize="4096" queue.workerThreads="1"
  queue.highWatermark="490000")
parser.escapeControlCharactersOnReceive="off"
{RSYSLOG_TEMPLATES}
action(type="omkafka" broker="{self.kafka}" topic="{self.topic()}" template="{self.template}" resubmitOnFailure="on" partitions.auto="on"
  confParam=["compression.codec=lz4","acks=all","linger.ms=50","batch.num.messages=10000","batch.size=1000000",
  "queue.buffering.max.messages=500000","queue.buffering.max.kbytes=1000000"])
{source}
'''.replace('parser.escapeControlCharactersOnReceive="off"\n', ""))
        return [RSYSLOGD, "-n", "-f", config, "-i", os.path.join(self.folder, "pid")]


SYSLOG_NG_SOURCES = {
    "tcp": 'network(ip("127.0.0.1") port({port}) transport("tcp") flags(syslog-protocol) {more})',
    "tls": 'syslog(ip("127.0.0.1") port({port}) transport("tls") {more} tls(key-file("{certs}/server.key") '
           'cert-file("{certs}/server.crt") peer-verify(optional-untrusted)))',
    "udp": 'network(ip("127.0.0.1") port({port}) transport("udp") flags(syslog-protocol) so-rcvbuf({buffer}) '
           'log-fetch-limit(1000) log-iw-size(200000))',
}


class SyslogNg(Daemon):
    def words(self):
        more = f"max-connections({CONNECTIONS}) log-fetch-limit(1000) log-iw-size({CONNECTIONS * 100})"
        source = SYSLOG_NG_SOURCES[self.kind].format(port=self.port, certs=self.certs, buffer=UDP_BUFFER, more=more)
        config = self.write("conf", f'''@version: 3.38
options {{ use-dns(no); dns-cache(no); keep-hostname(yes); stats-freq(0); log-fifo-size(2000000); time-reopen(1);
  create-dirs(yes); threaded(yes); }};
source s {{ {source}; }};
destination d {{ kafka-c(bootstrap-servers("{self.kafka}") topic("{self.topic()}") workers(1)
  message("$(format-json --scope rfc5424 --key ISODATE --pair peer=$SOURCEIP --pair received=$R_ISODATE)")
  batch-lines(10000) batch-timeout(50) sync-send(no) log-fifo-size(2000000)
  config(compression.codec("lz4") acks("all") linger.ms("50") batch.num.messages("10000")
    queue.buffering.max.messages("500000"))); }};
log {{ source(s); destination(d); flags(flow-control); }};
''')
        base = os.path.join(SYSLOG_NG, "root/usr/lib/syslog-ng")
        modules = next(e.path for e in os.scandir(base) if e.is_dir())
        self.environment["LD_LIBRARY_PATH"] = f"{base}:{modules}"
        at = self.folder
        return [os.path.join(SYSLOG_NG, "root/usr/sbin/syslog-ng"), "-F", "--no-caps", "-f", config, "-R", f"{at}/persist",
                "-p", f"{at}/pid", "-c", f"{at}/ctl", "--module-path", modules]


def install(package):
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", package], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def why_no_rsyslog():
    if not os.path.exists(RSYSLOGD):
        return "rsyslog is not installed"
    if not glob.glob("/usr/lib/*/rsyslog/omkafka.so"):
        install("rsyslog-kafka")
    return "" if glob.glob("/usr/lib/*/rsyslog/omkafka.so") else "rsyslog-kafka is not installed and could not be"


def why_no_syslog_ng():
    """Its package and rsyslog's exclude one another, so it is unpacked, not installed."""
    if not glob.glob(SYSLOG_NG + "/root/usr/lib/syslog-ng/*/libkafka.so"):
        os.makedirs(SYSLOG_NG, exist_ok=True)
        got = subprocess.run("apt-get download -q syslog-ng-core syslog-ng-mod-rdkafka && "
                             "for package in *.deb; do dpkg -x $package root; done", shell=True, cwd=SYSLOG_NG,
                             capture_output=True, text=True, timeout=120, check=False)
        if got.returncode != 0:
            return "apt-get download: " + got.stderr.strip()[-80:]
    base = os.path.join(SYSLOG_NG, "root/usr/lib/syslog-ng")
    program = os.path.join(SYSLOG_NG, "root/usr/sbin/syslog-ng")
    needs = subprocess.run(["ldd", program], capture_output=True, text=True, check=False,
                           env=dict(os.environ, LD_LIBRARY_PATH=base)).stdout
    return "its libraries are not installed (libivykis0 libnet1 libjson-c5 libpcre3 libwrap0)" \
        if "not found" in needs else ""


def why_not(who):
    """Why this daemon cannot be had; empty when it can."""
    if who.startswith("rsyslog"):
        return why_no_rsyslog()
    if who.startswith("syslog-ng"):
        return why_no_syslog_ng()
    return "" if os.path.exists(TOCSIN) else f"{TOCSIN} is not built"
