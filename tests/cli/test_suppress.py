#!/usr/bin/env python3
"""Suppression as a person and a script see it: replay, alerts list and show, JSON, refusals. Prints TAP.

B names the build folder.
"""
import json
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOCSIN = os.path.join(ROOT, os.environ.get("B", "build/release"), "tocsin")
FOLDER = tempfile.mkdtemp(prefix="tocsin-suppress-")
results = []

RULES = """\
title: Failed login
id: failed
logsource: {product: linux, service: sshd}
detection: {selection: {action: failed}, condition: selection}
tocsin:
  suppress: {for: 10m, by: [src_ip, User]}
---
title: Failed login of root
id: root
logsource: {product: linux, service: sshd}
detection: {selection: {action: failed, User: root}, condition: selection}
tocsin:
  suppress: {for: 10m, by: [src_ip]}
"""


def check(name, good, why=""):
    results.append(good)
    print("%s %d - suppress: %s" % ("ok" if good else "not ok", len(results), name))
    if not good:
        print("# " + str(why).replace("\n", "\n# "))


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def tocsin(*words, lang="en"):
    done = subprocess.run([TOCSIN, *words, "-o", "data.path=" + FOLDER, "--lang", lang, "-o",
                           "rules.paths=" + os.path.join(FOLDER, "r.yml"), "-o", "site.zone=+00:00"],
                          capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def line(second, user, address):
    return ("<38>1 2026-03-02T08:%02d:%02dZ web01 sshd 811 - - Failed password for %s from %s port 40112 ssh2\n"
            % (second // 60, second % 60, user, address))


def main():
    write("r.yml", RULES)
    events = [(n * 10, user, address) for n in range(100)
              for user in ("root", "admin") for address in ("203.0.113.7", "203.0.113.8")]
    log = write("log", "".join(line(*event) for event in events))
    code, out, err = tocsin("replay", "--store", "--name", "r", "--json", log)
    check("the replay ends well", code == 0, err)
    alerts = [json.loads(text) for text in out.splitlines()]
    told = sorted((a["alert"]["rule"]["id"], tuple(p["value"] for p in a["alert"]["suppress"]),
                   a["first"][11:19], a["suppressed"], a["last"][11:19]) for a in alerts)
    wanted = sorted((rule, key, first, n, last)
                    for rule, keys in (("failed", [("203.0.113.7", "root"), ("203.0.113.7", "admin"),
                                                   ("203.0.113.8", "root"), ("203.0.113.8", "admin")]),
                                       ("root", [("203.0.113.7",), ("203.0.113.8",)]))
                    for key in keys
                    for first, n, last in (("08:00:00", 59, "08:09:50"), ("08:10:00", 39, "08:16:30")))
    # the names of a key stand in their order: User before src_ip
    wanted = sorted((r, tuple(reversed(k)) if len(k) == 2 else k, f, n, l) for r, k, f, n, l in wanted)
    check("each rule and key once every ten minutes, the others counted on it", told == wanted,
          "%s\n%s" % (told, wanted))
    until = {a["suppressed_until"][11:19] for a in alerts}
    check("how long is told", until == {"08:10:00", "08:20:00"}, until)
    one = next(a for a in alerts if a["alert"]["rule"]["id"] == "root" and a["suppressed"] == 59)
    code, out, err = tocsin("alerts", "show", one["id"], "--replay", "r", "--json")
    shown = json.loads(out)
    matches = shown["suppressed_matches"]
    check("show --json names the first of them", len(matches) == 16 and
          matches == sorted(matches, key=lambda m: m["time"]) and
          matches[0]["time"].startswith("2026-03-02T08:00:10") and "-" in matches[0]["coordinate"], out)
    code, out, err = tocsin("alerts", "show", one["id"], "--replay", "r")
    check("show says it in words", "59 further matches" in out and "src_ip = 203.0.113." in out and
          matches[0]["coordinate"] in out and "08:10:00" in out, out)
    code, out, err = tocsin("alerts", "show", one["id"], "--replay", "r", lang="vi")
    check("and in Vietnamese", "59 lần khớp sau đó" in out, out)
    code, out, err = tocsin("alerts", "--replay", "r", "--rule", "root")
    check("the list says how many", out.count("(+59 suppressed)") == 2 and
          out.count("(+39 suppressed)") == 2, out)
    write("bad.yml", RULES.replace("[src_ip, User]", "[src_ip, src_ip]"))
    code, out, err = tocsin("rules", "check", os.path.join(FOLDER, "bad.yml"))
    check("what is wrong is refused with its place", code == 1 and "bad.yml:6:" in out + err and
          "twice" in out + err, out + err)


main()
shutil.rmtree(FOLDER)
print("1..%d" % len(results))
raise SystemExit(0 if all(results) else 1)
