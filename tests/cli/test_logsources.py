#!/usr/bin/env python3
"""decode.logsources, as decode, rules explain, rules test and replay see it. Prints TAP.

B names the build folder.
"""
import json
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOCSIN = os.path.join(ROOT, os.environ.get("B", "build/release"), "tocsin")
FOLDER = tempfile.mkdtemp(prefix="tocsin-logsources-")
results = []

SOURCES = """\
- has: [eventVersion, awsRegion]
  fields: {eventSource: [iam.example.com, s3.example.com]}
  product: aws
  service: cloudtrail
- fields: {_path: dns}
  product: zeek
  service: dns
  category: [dns, dns_query]
- from: source_type
  split: '|'
  parts: [product, category, service]
  none: '-'
"""
RULES = """\
title: Khoá truy cập mới
name: key
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateAccessKey}
  condition: selection
tocsin:
  examples:
    - name: a key
      fires: true
      received: 2026-03-01T10:00:00Z
      lines: ['{"eventVersion":"1","awsRegion":"x","eventSource":"iam.example.com","eventName":"CreateAccessKey"}']
    - name: elsewhere
      fires: false
      received: 2026-03-01T10:00:00Z
      lines: ['{"eventVersion":"1","eventSource":"iam.example.com","eventName":"CreateAccessKey"}']
"""
CLOUD = json.dumps({"eventVersion": "1.08", "awsRegion": "ap-southeast-1", "eventSource": "iam.example.com",
                    "eventName": "CreateAccessKey", "eventTime": "2026-03-01T10:00:00Z"})
OTHER = CLOUD.replace("iam.", "ec2.")


def check(name, good, why=""):
    results.append(good)
    print("%s %d - logsources: %s" % ("ok" if good else "not ok", len(results), name))
    if not good:
        print("# " + str(why).replace("\n", "\n# "))


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def tocsin(*words, sources="sources.yml"):
    command = [TOCSIN, *words, "--lang", "en", "-o", "data.path=" + FOLDER,
               "-o", "rules.paths=" + os.path.join(FOLDER, "rules.yml")]
    if sources:
        command += ["-o", "decode.logsources=" + os.path.join(FOLDER, sources)]
    done = subprocess.run(command, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def decoded(line, **more):
    code, out, err = tocsin("decode", "--json", line, **more)
    source = json.loads(out)["logsource"] if code == 0 else {}
    return source.get("product"), source.get("category"), source.get("service")


def decode_shows_it():
    for line, expected in ((CLOUD, ("aws", [], "cloudtrail")), (OTHER, ("", [], "")),
                           ('{"_path":"dns"}', ("zeek", ["dns", "dns_query"], "dns")),
                           ('{"source_type":"linux|process_creation|-"}', ("linux", ["process_creation"], ""))):
        found = decoded(line)
        check("decode: " + line[:40], found == expected, found)
    check("without the key it is not told", decoded(CLOUD, sources=None) == ("", [], ""))


def rules_see_it():
    code, out, err = tocsin("rules", "explain", "key", CLOUD)
    check("explain: a match", code == 0, out + err)
    code, out, err = tocsin("rules", "explain", "key", OTHER)
    check("explain: another log source", code == 1 and "another log source" in out, out + err)
    code, out, err = tocsin("rules", "test")
    check("rules test", code == 0, out + err)
    code, out, err = tocsin("rules", "test", sources=None)
    check("rules test without the log sources fails", code == 1, out + err)
    path = write("events.ndjson", CLOUD + "\n" + OTHER + "\n")
    code, out, err = tocsin("replay", "--json", path)
    alerts = [line for line in out.splitlines() if "Khoá truy cập" in line]
    check("replay: one alert", code == 0 and len(alerts) == 1, out + err)


def mistakes_have_a_place():
    write("bad.yml", "- has: a\n  produkt: b\n")
    for words in (("decode", CLOUD), ("rules", "explain", "key", CLOUD), ("rules", "test"), ("correlate",),
                  ("replay", os.path.join(FOLDER, "events.ndjson"))):
        code, out, err = tocsin(*words, sources="bad.yml")
        check("refused with its place: " + words[0],
              code == 2 and "bad.yml:2:3: unknown key 'produkt'" in err, (code, out, err))
    code, out, err = tocsin("decode", CLOUD, sources="none.yml")
    check("a missing file is named", code == 3 and "none.yml" in err, (code, err))


try:
    write("sources.yml", SOURCES)
    write("rules.yml", RULES)
    decode_shows_it()
    rules_see_it()
    mistakes_have_a_place()
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
print("1..%d" % len(results))
raise SystemExit(0 if all(results) else 1)
