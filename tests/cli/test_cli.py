#!/usr/bin/env python3
"""The program as a person and a script meet it: exit codes, messages, JSON, help in both languages,
completion in bash, output that fails, terminals that must not be steered. Prints TAP."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOCSIN = os.path.abspath(os.path.join(ROOT, os.environ.get("B", "build/release"), "tocsin"))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
ENV.update(LC_ALL="C.UTF-8", PATH=os.path.dirname(TOCSIN) + ":" + os.environ.get("PATH", ""))
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]")
number = 0
failed = False


def case(name, good, *notes):
    global number, failed
    number += 1
    failed = failed or not good
    print(f"{'ok' if good else 'not ok'} {number} - cli: {name}")
    for note in notes if not good else ():
        print("# " + str(note)[:600].replace("\n", "\n# "))
    sys.stdout.flush()


def run(*words, stdin=b"", env=None, **more):
    return subprocess.run([TOCSIN, *words], input=stdin, stdout=more.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, env={**ENV, **(env or {})}, timeout=60, **more)


def commands():
    text = open(os.path.join(ROOT, "cli/commands.def"), encoding="utf-8").read()
    return re.findall(r"^COMMAND\((.*)\)$", text, re.M)


# ---- exit codes and messages: words, code, what standard error must name ----

def refusals(home):
    bad = os.path.join(home, "bad")
    os.mkdir(bad)
    for name, text in (("unknown", "data: {pathh: /x}\n"), ("value", "store: {batch: many}\n"),
                       ("tab", "data:\n\tpath: /x\n"), ("bytes", "site: {agency: \"\\xff\xfe\"}\n"),
                       ("steer", "\"da\\e[31mta\": 1\n")):
        with open(os.path.join(bad, name + ".yml"), "w", encoding="latin-1") as file:
            file.write(text)
    inputs = ("syslog.udp", "syslog.tcp", "syslog.tls", "relp", "http", "lumberjack", "forward", "gelf.udp", "gelf.tcp")
    with open(os.path.join(bad, "doors.yml"), "w", encoding="ascii") as file:
        file.write(f"data.path: {home}/doors\n")
        for name in inputs:
            file.write(f"{name}.listen: {json.dumps(['127.0.0.1:0'] * 16)}\n")
    none = ["-o", f"data.path={home}/none"]
    empty = ["-o", f"rules.paths={home}/empty"]
    os.mkdir(f"{home}/empty")
    rows = [
        ([], 2, "tocsin help"), (["--bogus"], 2, "--help"), (["-o"], 2, "--help"),
        (["bogus"], 2, "'bogus'"), (["alerts", "bogus", *none], 2, "'bogus'"),
        (["alerts", "--bogus"], 2, "'--bogus'"), (["alerts", "--since"], 2, "TIME"),
        (["alerts", "--since", "soon", *none], 1, "none"),
        (["--lang", "xx", "version"], 2, "'xx'"), (["version", "x"], 2, "'x'"),
        (["-o", "x=y", "version"], 2, "'x'"), (["-o", "x", "version"], 2, "'x'"),
        (["alerts", *none], 1, f"{home}/none/alerts"),
        (["alerts", "show", "abcd", *none], 1, f"{home}/none/alerts"),
        (["alerts", "--replay", "../x", *none], 2, "'../x'"),
        (["alerts", "--replay", "nope", *none], 1, "'nope'"),
        (["bus", "topics", *none], 3, f"{home}/none/bus"),
        (["bus", "cat", "nothing", *none], 3, f"{home}/none/bus"),
        (["sources", *none], 3, f"{home}/none/run"), (["metrics", *none], 3, f"{home}/none/run"),
        (["rules", "reload", *none], 3, f"{home}/none/run"),
        (["rules", "check", f"{home}/none"], 3, f"{home}/none"),
        (["rules", "list", "-o", f"rules.paths={home}/none"], 3, f"{home}/none"),
        (["rules", "check", bad], 1, "unknown.yml:1:1"),
        (["decode", "--decoder", "none", "x"], 2, "decode --list"),
        (["decode", "-f", f"{home}/none"], 3, f"{home}/none"),
        (["decode", "-f", home], 3, home), (["decode", "--received", "soon", "x"], 2, "'soon'"),
        (["replay"], 2, "FILE"), (["replay", f"{home}/none", *none, *empty], 3, f"{home}/none"),
        (["replay", home, *none, *empty], 3, home), (["replay", "--name", "a/b", "/dev/null", *none], 2, "'a/b'"),
        (["correlate", "--instance", "2/2", *none], 2, "'2/2'"),
        (["help", "bogus"], 2, "'bogus'"),
        (["config", "-c", f"{home}/none"], 3, f"{home}/none"),
        (["config", "-c", f"{bad}/unknown.yml"], 2, "1:8"),
        (["config", "-c", f"{bad}/value.yml"], 2, "1:16"),
        (["config", "-c", f"{bad}/tab.yml"], 2, "2:1: a tab"),
        (["config", "-c", f"{bad}/bytes.yml"], 2, "bytes.yml:1"),
        (["config", "-c", f"{bad}/steer.yml"], 2, "steer.yml:1:1"),
        (["collect", "-c", f"{bad}/doors.yml"], 2, "144"),
    ]
    for words, code, piece in rows:
        out = run(*words)
        shown = " ".join(words).replace(home, "HOME") or "no words"
        case(f"{shown}: {code}", out.returncode == code and piece.encode() in out.stderr and
             not CONTROL.search(out.stderr + out.stdout), out.returncode, out.stderr, out.stdout)
        if piece != "FILE" and words and words[0] != "rules":
            vietnamese = run("--lang=vi", *words) if "--lang" not in words else out
            case(f"{shown}: the same code in Vietnamese", vietnamese.returncode == code, vietnamese.stderr)
    out = run("status", *none)
    case("status of nothing: 2", out.returncode == 2 and out.stdout.startswith(b"CRITICAL: "), out.stdout)
    case("looking made no folder", not os.path.exists(f"{home}/none/bus"), os.listdir(home))


# ---- what is documented ----

def documentation():
    for language in ("en", "vi"):
        for name in commands():
            page = run("help", name, "--lang", language).stdout.decode()
            options = set(re.findall(r"^  (?:-.,|   ) (--[a-z-]+)", page, re.M))
            man = run("help", name, "--man", "--lang", language).stdout.decode().replace("\\-", "-")
            same = run(name, "--help", "--lang", language).stdout.decode()
            wide = [l for l in page.split("\n") if len(l) > 80 and not l.startswith("  tocsin")]
            case(f"help {name} in {language}: examples, every option also in the man page, 80 columns",
                 f"tocsin {name}" in page and "--config" in options and page == same and not wide and
                 all(f"\\fB{o}\\fR" in man for o in options), options, wide, page)
    english = run("help", "--markdown", "--lang", "en").stdout.decode()
    vietnamese = run("help", "--markdown", "--lang", "vi").stdout.decode()
    found = [re.findall(r"--[a-z-]+|^## tocsin \S+", text, re.M) for text in (english, vietnamese)]
    case("both references have the same commands and options", found[0] == found[1] and len(found[0]) > 50)
    lines = [l for l in english.split("\n") if re.match(r"tocsin|logger", l)]
    case("the reference has an example of each command",
         all(any(re.match(rf"(.*\s)?tocsin {n}\b", l) for l in lines) for n in commands()))
    if shutil.which("man") and shutil.which("groff"):
        for name in commands():
            text = run("help", name, "--man").stdout
            out = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-k"], input=text, capture_output=True)
            case(f"groff takes the man page of {name}", not out.stderr, out.stderr)


def completion():
    rows = [("al", "alerts"), ("alerts fol", "follow"), ("alerts --sin", "--since"), ("rules ch", "check"),
            ("-c /etc/x sta", "status"), ("--lang ", "vi en"), ("decode --fi", "--file"), ("help dec", "decode"),
            ("alerts --level ", ""), ("decode --file /etc/passw", "/etc/passwd"), ("bus t", "topics tail"),
            ("--conf", "--config")]
    script = "source <(tocsin help --bash)\n"
    for line, _ in rows:
        words = " ".join(f"'{w}'" for w in ("tocsin " + line).split(" "))
        script += f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _tocsin\n"
        script += 'echo "${COMPREPLY[*]}"\n'
    out = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=ENV)
    answers = out.stdout.split("\n")
    for (line, expected), answer in zip(rows, answers):
        good = set(expected.split()) <= set(answer.split()) if line.endswith("passw") else answer == expected
        case(f"completion of 'tocsin {line}' is '{expected}'", good, answer, out.stderr)


# ---- what strangers wrote ----

RULE = """title: "Alarm \\e[31m of \\u202e X"
id: 5f6e7a10-3b7c-4a0e-9d61-0d5a1f3b9c01
status: test
level: high
logsource: {product: linux}
detection: {word: {message|contains: evil}, condition: word}
"""
STRANGERS = [b"<38>Nov 22 06:27:00 web\x1b]0;x\x0701 sshd[1]: evil \x1b[2J \xff\xfe \xe2\x80\xae",
             b"<38>Nov 22 06:27:00 web01 sshd[1]: evil a\x00b \xc2\x9b31m",
             b'{"evil":"\\u001b[31m","k\\u001b":"\\ud800","message":"evil"}']


def strangers(home):
    rules, lines = os.path.join(home, "steer.yml"), os.path.join(home, "lines")
    with open(rules, "w", encoding="utf-8") as file:
        file.write(RULE)
    with open(lines, "wb") as file:
        file.write(b"\n".join(STRANGERS) + b"\n")
    settings = ["-o", f"data.path={home}/data", "-o", f"rules.paths={rules}"]
    out = run("replay", "--store", "--name", "one", lines, *settings)
    case("a replay shows its alerts", out.returncode == 0 and b"Alarm" in out.stdout, out.stderr, out.stdout)
    case("its name is taken then", run("replay", "--store", "--name", "one", lines, *settings).returncode == 2)
    listed = run("alerts", "--replay", "one", "--json", *settings)
    alerts = [json.loads(l) for l in listed.stdout.decode().split("\n") if l]
    case("alerts --json is JSON", listed.returncode == 0 and alerts and "alert" in alerts[0], listed.stderr)
    ids = [a["id"] for a in alerts]
    replay = ["--replay", "one", *settings]
    views = [("list", ["alerts", *replay], 0), ("show", ["alerts", "show", *ids, *replay], 0),
             ("show by 8 digits", ["alerts", "show", ids[0][:8], *replay], 0),
             ("show an unknown one", ["alerts", "show", "00000000", *replay], 1),
             ("show no id", ["alerts", "show", "xyz", *replay], 2), ("show nothing", ["alerts", "show", *replay], 2),
             ("words too many", ["alerts", "list", "x", *replay], 2),
             ("bad time", ["alerts", "--since", "soon", *replay], 2),
             ("bad level", ["alerts", "--level", "+", *replay], 2), ("bad limit", ["alerts", "-n", "-1", *replay], 2),
             ("nothing found", ["alerts", "--host", "nobody", *replay], 1),
             ("from tomorrow", ["alerts", "--since", "2999-01-01", *replay], 1),
             ("until the beginning", ["alerts", "--until", "1999-01-01", *replay], 1),
             ("of a level above", ["alerts", "--level", "high+", *replay], 0),
             ("of a level below", ["alerts", "--level", "medium-", *replay], 1),
             ("rules list", ["rules", "list", *settings], 0), ("rules check", ["rules", "check", *settings], 0),
             ("rules test", ["rules", "test", *settings], 0),
             ("decode", ["decode", "--file", lines], 0), ("replay", ["replay", lines, *settings], 0)]
    for name, words, code in views:
        for language in ("en", "vi"):
            out = run(*words, "--lang", language)
            case(f"{name} in {language}: {code}, nothing steers the terminal", out.returncode == code and
                 not CONTROL.search(out.stdout + out.stderr), out.returncode, out.stderr, out.stdout)
    for name, words in [("alerts show", ["alerts", "show", *ids, *replay]), ("rules list", ["rules", "list", *settings]),
                        ("rules check", ["rules", "check", lines]), ("decode", ["decode", "--file", lines]),
                        ("replay", ["replay", lines, *settings])]:
        out = run(*words, "--json")
        try:
            parsed = [json.loads(l) for l in out.stdout.decode("utf-8").split("\n") if l]
        except ValueError as error:
            parsed = None
            print("#", error)
        case(f"{name} --json is valid JSON in UTF-8", bool(parsed), out.stdout, out.stderr)
    out = run("status", "--json", *settings)
    case("status --json is JSON", json.loads(out.stdout)["health"] == "CRITICAL", out.stdout)
    return settings, ids


# ---- output ----

def output(home, settings):
    with open("/dev/full", "wb") as full:
        for words in (["help"], ["help", "--markdown"], ["config", "--defaults"], ["decode", "x"], ["rules", "list"],
                      ["alerts", "--replay", "one"], ["version"]):
            out = run(*words, *(settings if words[0] != "help" else []), stdout=full)
            case(f"{words[0]} into a full disk: 3, and told", out.returncode == 3 and out.stderr, out.stderr)
    for words in (["decode"], ["help", "--markdown"], ["alerts", "follow", "--since", "2000-01-01"]):
        line = " ".join([TOCSIN, *words, *(settings if words[0] == "alerts" else [])])
        feed = "yes evil |" if words[0] == "decode" else ""
        out = subprocess.run(["timeout", "20", "bash", "-c",
                              f"mkdir -p {home}/data/alerts; {feed} {line} | head -0; exit ${{PIPESTATUS[-2]}}"],
                             capture_output=True, env=ENV)
        case(f"{words[0]} ends when nobody reads", out.returncode in (0, 1) and not out.stderr,
             out.returncode, out.stderr)
    plain = run("decode", "x", env={"NO_COLOR": "1"})
    case("no colour outside a terminal", b"\x1b" not in plain.stdout)
    long = os.path.join(home, "long")
    with open(long, "wb") as file:
        file.write(b"x" * 3_000_000 + b"\nshort\n")
    out = run("decode", "--json", "--file", long)
    got = [json.loads(l) for l in out.stdout.decode().split("\n") if l]
    case("a line of 3 MB is cut as the collector would", len(got) == 2 and len(got[0]["message"]) == 65536)
    out = run("replay", long, *settings)
    case("and replayed", out.returncode == 0 and b"2 lines" in out.stderr, out.stderr)


def permissions(home):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        print("# no other user to be: permissions are not tried", file=sys.stderr)
        return
    secret = os.path.join(home, "secret.yml")
    with open(secret, "w") as file:
        file.write("")
    os.chmod(secret, 0o600)
    os.chmod(home, 0o755)
    away = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", TOCSIN]
    for code, words in ((3, ["config", "-c", secret]), (3, ["run", "-o", "data.path=/nope"]),
                        (3, ["decode", "--file", secret]), (1, ["rules", "check", secret])):
        out = subprocess.run([*away, *words], capture_output=True, env=ENV, timeout=60)
        case(f"{words[0]} without permission: {code}, and the file is named", out.returncode == code and
             (secret if secret in words else "/nope").encode() in out.stderr, out.returncode, out.stderr)


# ---- while it runs ----

def until(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def live(home):
    """Whoever follows sees each alert once; what is wrong is named by status."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ["-o", f"data.path={home}/live", "-o", f"rules.paths={home}/steer.yml", "-o", "correlate.workers=2",
                "-o", f"syslog.tcp.listen=127.0.0.1:{port}", "-o", "syslog.udp.listen=", "-o", "log.level=error",
                "-o", "site.agency=So Y te \x1b[31m tinh X"]
    server = subprocess.Popen([TOCSIN, "run", *settings], stderr=subprocess.DEVNULL, env=ENV)
    followers = []
    try:
        case("status is OK once all run", until(lambda: run("status", *settings).returncode == 0))
        seen = [os.path.join(home, name) for name in ("new", "since")]
        for path, more in zip(seen, ([], ["--since", "1d"])):
            with open(path, "wb") as file:
                followers.append(subprocess.Popen([TOCSIN, "alerts", "follow", "--json", *more, *settings],
                                                  stdout=file, env=ENV))
        time.sleep(0.5)
        with socket.create_connection(("127.0.0.1", port)) as link:
            for part in range(10):
                for n in range(200):
                    link.sendall(f"<38>1 - host{part * 200 + n} sshd 1 - - evil {n}\n".encode())
                time.sleep(0.15)
            link.sendall(b"<38>big app: " + b"x" * 100000 + b"\n")

        def ids(text):
            return [json.loads(l)["id"] for l in text.split(b"\n") if l]

        def listed():
            return ids(run("alerts", "--json", "-n", "0", *settings).stdout)

        def shown(path):
            with open(path, "rb") as file:
                return ids(file.read().rpartition(b"\n")[0])

        case("2000 alerts are listed, each once", until(lambda: len(listed()) == 2000) and
             len(set(listed())) == 2000, len(listed()))
        for path in seen:
            case(f"follow ({os.path.basename(path)}) shows each of them once",
                 until(lambda: len(shown(path)) >= 2000) and sorted(shown(path)) == sorted(listed()), len(shown(path)))
        out = run("sources", *settings)
        case("sources: input and agency, nothing steers", out.returncode == 0 and b"syslog-tcp" in out.stdout and
             b"So Y te" in out.stdout and not CONTROL.search(out.stdout), out.stdout)
        rows = [json.loads(l) for l in run("sources", "--json", *settings).stdout.decode().split("\n") if l]
        case("sources --json: the total is what was sent", rows[-1]["received"] == 2001, rows[-1])
        out = run("status", *settings)
        case("status names a message that was cut", out.returncode == 1 and b"frame_limit" in out.stdout, out.stdout)
        out = run("status", *settings, "-o", "correlate.workers=3")
        case("status names a worker that is missing", out.returncode == 2 and b"2 of 3" in out.stdout, out.stdout)
        pid = next(s["pid"] for s in json.loads(run("status", "--json", *settings).stdout)["stages"]
                   if s["stage"] == "store")
        os.kill(pid, signal.SIGKILL)
        case("status names a stage that died", until(lambda: b"store was started again" in
                                                     run("status", *settings).stdout), run("status", *settings).stdout)
        for topic in ("events", "detections", "alerts"):
            out = run("bus", "cat", topic, *settings)
            case(f"bus cat {topic}: one JSON object a line", out.returncode == 0 and
                 all(json.loads(l) for l in out.stdout.decode().split("\n") if l), out.stderr)
        case("metrics of every stage", until(lambda: all(s in run("metrics", *settings).stdout for s in
                                                         (b'"collect"', b'"correlate-1"', b'"store"'))))
    finally:
        for process in (*followers, server):
            process.terminate()
        for process in (*followers, server):
            process.wait(30)


# ---- no memory ----

# Debian's Jansson asserts that what it has scanned once scans again, which needs memory.
JANSSON = b"lex_scan_string: Assertion"
FAULT = r"""
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
static long left = -1;
__attribute__((constructor)) static void begin(void)
{
	const char *n = getenv("FAULT_AT");
	left = n == NULL ? 0 : atol(n);
}
/* From the n-th allocation on there is no memory, or only the n-th fails (FAULT_ONCE). */
static int fails(void)
{
	if (left <= 0 || --left > 0)
		return 0;
	left = getenv("FAULT_ONCE") == NULL ? 1 : 0;
	errno = ENOMEM;
	return 1;
}
void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return fails() ? NULL : __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return fails() ? NULL : __libc_realloc(p, n); }
"""


def memory(home, settings, ids):
    source, shim = os.path.join(home, "fault.c"), os.path.join(home, "fault.so")
    with open(source, "w") as file:
        file.write(FAULT)
    made = shutil.which("gcc") and subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source], capture_output=True)
    if not made or made.returncode != 0:
        print("# no gcc: malloc is not made to fail", file=sys.stderr)
        return
    rules = settings[-1].split("=", 1)[1]
    rows = [("decode", ["decode", "--json", STRANGERS[1].replace(b"\0", b"")]), ("rules check", ["rules", "check", rules]),
            ("config", ["config", "--defaults"]), ("alerts", ["alerts", "--replay", "one", *settings]),
            ("alerts show", ["alerts", "show", ids[0], "--replay", "one", *settings])]
    long = os.environ.get("TOCSIN_LONG") == "1"
    for name, words in rows:
        wrong, tried, known, ended, n = [], 0, 0, False, 1
        while not ended and n < 20000:
            for once in ({}, {"FAULT_ONCE": "1"}):
                out = run(*words, env={"LD_PRELOAD": shim, "FAULT_AT": str(n), **once})
                tried += 1
                if out.returncode == -6 and JANSSON in out.stderr:
                    known += 1
                elif out.returncode not in (0, 1, 2, 3) or (out.returncode == 3 and not out.stderr):
                    wrong.append((n, once, out.returncode, out.stderr[:200]))
                ended = not once and out.returncode == 0
                if ended:
                    break
            n += 1 if n < 150 or long else 1 + n // 12
        case(f"{name}: {tried} times without memory, never a crash", not wrong and ended and tried > 1,
             len(wrong), wrong[:6])
        if known:
            print(f"# {name}: {known} times Jansson's own assertion: it takes no memory for bad JSON")


def main():
    if not os.access(TOCSIN, os.X_OK):
        print(f"1..0 # SKIP no {TOCSIN}")
        return 0
    home = tempfile.mkdtemp(prefix="tocsin-cli-")
    try:
        refusals(home)
        documentation()
        completion()
        settings, ids = strangers(home)
        output(home, settings)
        permissions(home)
        live(home)
        memory(home, settings, ids)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"1..{number}")
    return 1 if failed else 0


sys.exit(main())
