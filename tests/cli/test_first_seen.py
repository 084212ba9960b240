#!/usr/bin/env python3
"""First-seen as a person and a script see it: replay, alerts show, JSON, refusals. Prints TAP.

B names the build folder.
"""
import json
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOCSIN = os.path.join(ROOT, os.environ.get("B", "build/release"), "tocsin")
FOLDER = tempfile.mkdtemp(prefix="tocsin-first-")
results = []

RULES = """\
title: Account from a new address
id: new-address
logsource: {product: linux, service: sshd}
detection: {selection: {action: accepted}, condition: selection}
tocsin:
  title_vi: Tài khoản từ địa chỉ mới
  first_seen: {fields: [src_ip], by: [User], within: 30d, learn: 7d}
---
title: Any new account on a host
id: new-account
logsource: {product: linux, service: sshd}
detection: {selection: {action: accepted}, condition: selection}
tocsin:
  first_seen: {fields: [User], by: [host], within: 30d, learn: 0}
  suppress: {for: 30d, by: [host]}
"""


def check(name, good, why=""):
    results.append(good)
    print("%s %d - first-seen: %s" % ("ok" if good else "not ok", len(results), name))
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


def line(day, user, address):
    return ("<86>1 2026-%02d-%02dT08:00:00Z web01 sshd 811 - - Accepted password for %s from %s port 40112 ssh2\n"
            % (3 + (day - 1) // 30, 1 + (day - 1) % 30, user, address))


def told(text, rule):
    return sorted((a["alert"]["time"][5:10], *(g["value"] for g in a["alert"]["groups"]))
                  for a in map(json.loads, text.splitlines()) if a["alert"]["rule"]["id"] == rule)


def main():
    write("r.yml", RULES)
    events = [(1, "lan", "192.0.2.1"), (3, "lan", "192.0.2.2"), (3, "minh", "192.0.2.1"), (9, "lan", "192.0.2.1"),
              (10, "lan", "192.0.2.3"), (12, "minh", "192.0.2.9"), (32, "lan", "192.0.2.2"), (35, "lan", "192.0.2.3"),
              (70, "minh", "192.0.2.1"), (71, "minh", "192.0.2.5")]
    log = write("log", "".join(line(*event) for event in events))
    code, out, err = tocsin("replay", "--store", "--name", "r", "--json", log)
    check("the replay ends well", code == 0, err)
    # day 32: 29 days after day 3. minh begins anew on day 70
    check("new values once, none while a group is learnt",
          told(out, "new-address") == [("03-10", "lan", "192.0.2.3"), ("03-12", "minh", "192.0.2.9")], out)
    check("suppression counts what follows", told(out, "new-account") == [("03-01", "web01", "lan"),
                                                                         ("05-10", "web01", "minh")] and
          sorted(a["suppressed"] for a in map(json.loads, out.splitlines())
                 if a["alert"]["rule"]["id"] == "new-account") == [0, 1], out)
    one = next(a for a in map(json.loads, out.splitlines()) if a["alert"]["rule"]["id"] == "new-address")
    check("the alert says for how long, and of which kind", one["alert"]["unseen_ns"] == 30 * 86400 * 10**9 and
          one["alert"]["rule"]["kind"] == "first_seen" and one["alert"]["user"] in ("lan", "minh") and
          one["alert"]["addresses"] and one["status"] == "settled" and len(one["alert"]["events"]) == 1, one)
    code, out, err = tocsin("alerts", "show", one["id"], "--replay", "r")
    check("show says why", code == 0 and "not seen for 30 d before" in out and "src_ip = 192.0.2." in out and
          "Accepted password" in out, out)
    code, out, err = tocsin("alerts", "show", one["id"], "--replay", "r", lang="vi")
    check("and in Vietnamese", "chưa từng thấy trong 30 d trước đó" in out and "Tài khoản từ địa chỉ mới" in out, out)
    code, out, err = tocsin("replay", "--store", "--name", "again", "--json", log)
    check("another replay remembers nothing of the first", len(told(out, "new-address")) == 2 and
          len(told(out, "new-account")) == 2, out)
    code, out, err = tocsin("rules", "explain", "new-address", line(1, "lan", "192.0.2.1").strip())
    check("explain says what is asked beyond the condition", "not seen for 30 d" in out and "src_ip = 192.0.2.1" in out
          and "User = lan" in out and "learnt for 7 d" in out and "not there" not in out, out + err)
    code, out, err = tocsin("rules", "explain", "--json", "new-address", line(1, "lan", "192.0.2.1").strip())
    first = json.loads(out)["first_seen"]
    check("and in JSON", first["fields"] == [{"name": "src_ip", "there": True, "value": "192.0.2.1"}] and
          first["within_ns"] == 30 * 86400 * 10**9, out)
    code, out, err = tocsin("rules", "explain", "new-address", "<78>1 2026-03-01T08:00:00Z web01 CRON 1 - - x")
    check("a field that is missing is told", "A field is not there" in out, out + err)
    write("bad.yml", RULES.replace("learn: 7d", "learn: 31d"))
    code, out, err = tocsin("rules", "check", os.path.join(FOLDER, "bad.yml"))
    check("what is wrong is refused with its place", code == 1 and "bad.yml:7:" in out + err and
          "'within'" in out + err, out + err)


main()
shutil.rmtree(FOLDER)
print("1..%d" % len(results))
raise SystemExit(0 if all(results) else 1)
