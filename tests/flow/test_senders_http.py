#!/usr/bin/env python3
"""Real senders over HTTP, unmodified, through kill -9 of the collector: nothing is lost.

npm's @elastic/elasticsearch, splunk-logging and OpenTelemetry's exporters (JSON and protobuf); Debian's
rsyslog with omelasticsearch, and syslog-ng's http. What a sender needs and is not there is said, and skipped.
"""
import glob
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import ROOT, case, done, need_binary, skip  # noqa: E402
from senders import EVENTS, Door, Program, Proxy, fill, table, through, through_lost_answers, with_broker  # noqa: E402

TOKEN = "0f7c1d2e-tinh-dong-thap-5b6a"
PACKAGES = ["@elastic/elasticsearch@9.4.3", "splunk-logging@0.11.1", "@opentelemetry/exporter-logs-otlp-http@0.223.1",
            "@opentelemetry/exporter-logs-otlp-proto@0.223.1", "@opentelemetry/sdk-logs@0.223.1",
            "@opentelemetry/resources@2.12.1"]
AGENCIES = f"unknown: {{inputs: none}}\nagencies:\n  - name: so-tttt\n    tokens: [{TOKEN}]\n"


def door_http():
    return Door("http.listen", agencies=AGENCIES)


def run(name, line, door, environment=None):
    with Program(door, line, environment) as sender:
        through(name, door, sender.running, sender.said, kills=1)
        case(f"{name}: no frame was bad", door.counted("bad_frames") == 0, door.total())


def modules():
    """The folder with npm's packages, or None and why."""
    folder = os.path.join(ROOT, "build", "npm-http")
    mark = os.path.join(folder, "packages.json")
    if os.path.exists(mark) and json.load(open(mark)) == PACKAGES:
        return folder, None
    if shutil.which("npm") is None or shutil.which("node") is None:
        return None, "node and npm are not installed"
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "package.json"), "w") as file:
        json.dump({"private": True}, file)
    try:
        got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-save", *PACKAGES], cwd=folder,
                             capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None, "npm install: not within three minutes"
    if got.returncode != 0:
        return None, "npm install: " + got.stderr.strip().replace("\n", " ")[-80:]
    with open(mark, "w") as file:
        json.dump(PACKAGES, file)
    return folder, None


def node(folder, client, *parts):
    with door_http() as door:
        script = os.path.join(ROOT, "tests", "flow", "senders_http.js")
        run(client, [shutil.which("node"), script, client, str(door.port), str(EVENTS), TOKEN], door,
            dict(os.environ, NODE_PATH=os.path.join(folder, "node_modules")))
        raw = door.raw()
        case(f"{client}: what came with the text is kept", all(part in raw for part in parts), raw[:600])
        rows = door.house.tool("sources", "--json").stdout
        case(f"{client}: it is known whose it is", '"agency":"so-tttt"' in rows, rows)


def lost_answers(folder):
    """Documents with an _id whose answers are lost: the client sends them again, and they are no second events."""
    with door_http() as door, Proxy(door.port) as proxy:
        script = os.path.join(ROOT, "tests", "flow", "senders_http.js")
        with Program(door, [shutil.which("node"), script, "elastic", str(proxy.port), "400", TOKEN],
                     dict(os.environ, NODE_PATH=os.path.join(folder, "node_modules"))) as sender:
            through_lost_answers("elastic, answers lost", door, proxy, sender.running, sender.said, 400, 3)


OMELASTICSEARCH = """global(workDirectory="{folder}")
module(load="imfile")
module(load="omelasticsearch")
input(type="imfile" file="{folder}/log" tag="numbered:" ruleset="out")
template(name="document" type="list" option.jsonf="on") {{
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
ruleset(name="out") {{
  action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" searchIndex="numbered" searchType=""
         bulkmode="on" maxbytes="8k" uid="rsyslog" pwd="{token}" template="document" action.resumeRetryCount="-1"
         action.resumeInterval="1" queue.type="LinkedList" queue.size="50000" queue.dequeueBatchSize="20" queue.dequeueSlowdown="2000")
}}
"""


def rsyslog():
    program = shutil.which("rsyslogd") or shutil.which("/usr/sbin/rsyslogd")
    if program is None or not glob.glob("/usr/lib/*/rsyslog/omelasticsearch.so"):
        return skip("rsyslog's omelasticsearch", "not installed (Debian: rsyslog, rsyslog-elasticsearch)")
    with door_http() as door:
        folder = os.path.join(door.house.path, "rsyslog")
        os.mkdir(folder)
        fill(os.path.join(folder, "log"))
        with open(os.path.join(folder, "rsyslog.conf"), "w") as file:
            file.write(OMELASTICSEARCH.format(folder=folder, port=door.port, token=TOKEN))
        return run("omelasticsearch", [program, "-n", "-f", os.path.join(folder, "rsyslog.conf"), "-i",
                                       os.path.join(folder, "pid")], door)


SYSLOG_NG = """@version: 3.38
options {{ time-reopen(1); }};
source s {{ file("{folder}/log" follow-freq(0.2) flags(no-parse) log-fetch-limit(100)); }};
destination d {{ http(url("http://127.0.0.1:{port}/_bulk") method("POST") user("syslog-ng") password("{token}")
  headers("Content-Type: application/x-ndjson") batch-lines(20) batch-timeout(100) retries(100)
  body("{{\\"index\\":{{\\"_index\\":\\"numbered\\"}}}}\\n$(format-json message=$MSG)") delimiter("\\n")
  body-suffix("\\n")); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""


def syslog_ng():
    folder = os.path.join(ROOT, "build", "syslog-ng-http")
    program = os.path.join(folder, "root/usr/sbin/syslog-ng")
    if not os.path.exists(program) or not glob.glob(folder + "/root/usr/lib/syslog-ng/*/libhttp.so"):
        os.makedirs(folder, exist_ok=True)
        got = subprocess.run("apt-get download -q syslog-ng-core syslog-ng-mod-http"
                             " && dpkg -x syslog-ng-core_*.deb root && dpkg -x syslog-ng-mod-http_*.deb root", shell=True, cwd=folder,
                             capture_output=True, text=True, timeout=120)
        if got.returncode != 0:
            return skip("syslog-ng's http", "apt-get download: " + got.stderr.strip()[-80:])
    base = os.path.join(folder, "root/usr/lib/syslog-ng")
    plugins = next(e.path for e in os.scandir(base) if e.is_dir())
    environment = dict(os.environ, LD_LIBRARY_PATH=f"{base}:{plugins}")
    for name in (program, os.path.join(plugins, "libhttp.so")):
        if "not found" in subprocess.run(["ldd", name], env=environment, capture_output=True, text=True).stdout:
            return skip("syslog-ng's http", "its libraries are not installed "
                        "(Debian: libivykis0 libnet1 libjson-c5 libpcre3 libwrap0 libcurl4)")
    with door_http() as door:
        own = os.path.join(door.house.path, "syslog-ng")
        os.mkdir(own)
        fill(os.path.join(own, "log"))
        config = os.path.join(own, "syslog-ng.conf")
        with open(config, "w") as file:
            file.write(SYSLOG_NG.format(folder=own, port=door.port, token=TOKEN))
        return run("syslog-ng", [program, "-F", "--no-caps", "-f", config, "-R", own + "/persist", "-p", own + "/pid",
                                 "-c", own + "/ctl", "--module-path", plugins], door, environment)


def main():
    folder, why = modules()
    clients = {"elastic": ['{"create":{"_index":"numbered","_id":"n-7"}}', '"_id":"một-1"}}', "single undefined"],
               "hec": ['"host":"may-1"', '"sourcetype":"numbered"'],
               "otlp-http": ['"service.name"', '"severityText":"INFO"', '"half"'],
               "otlp-proto": ['"service.name"', '"severityText":"INFO"', '{"doubleValue":0.5}']}
    for client, parts in clients.items():
        if len(sys.argv) > 1 and client not in sys.argv[1:]:
            continue
        if folder is None:
            skip(f"npm's client for {client}", why)
        else:
            node(folder, client, *parts)
    if folder is None:
        skip("lost answers", why)
    elif len(sys.argv) < 2 or "lost" in sys.argv[1:]:
        lost_answers(folder)
    for name, sender in (("omelasticsearch", rsyslog), ("syslog-ng", syslog_ng)):
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            sender()
    table()


need_binary()
with_broker(main)
done()
