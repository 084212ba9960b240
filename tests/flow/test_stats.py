#!/usr/bin/env python3
"""rules stats over two workers: what each rule has found and cost, in sum, and through a reload. Prints TAP."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import House, case, done, need_binary, send_tcp, stamp, wait_for  # noqa: E402

RULES = """\
title: Failed login
id: failed
level: high
logsource: {product: linux, service: sshd}
detection: {selection: {action: failed, User: root}, condition: selection}
tocsin: {title_vi: Đăng nhập thất bại}
---
title: No user
id: nobody
logsource: {product: linux, service: sshd}
detection: {selection: {User: null}, condition: selection}
---
title: Never
id: never
logsource: {product: linux, service: sshd}
detection: {selection: {User: nguoi-la}, condition: selection}
"""
LINE = "<38>1 {} gw{} sshd {} - - Failed password for {} from 198.51.100.7 port 1024 ssh2"


def main():
    need_binary()
    with House(settings=("correlate.workers=2",)) as house:
        rules = os.path.join(house.path, "r.yml")
        house.settings = [s for s in house.settings if not s.startswith("rules.paths")] + [f"rules.paths={rules}"]

        def write(text):
            with open(rules, "w", encoding="utf-8") as file:
                file.write(text)

        def stats(*words):
            out = house.tool("rules", "stats", "--json", *words)
            return {row["id"]: row for row in map(json.loads, out.stdout.splitlines())}

        def send(count, user):
            send_tcp(house.port, [LINE.format(stamp(time.time()), n % 8, n, user) for n in range(count)])

        write(RULES)
        out = house.tool("rules", "stats")
        case("without a worker: told", out.returncode == 3 and "no stage answers" in out.stderr, out.stderr)
        house.start("collect")
        house.start("correlate", "--instance", "0/2", name="c0")
        house.start("correlate", "--instance", "1/2", name="c1")
        wait_for(lambda: house.tool("rules", "stats").returncode == 0)
        send(60, "root")
        for turn in range(4):
            send_tcp(house.port, [LINE.format(stamp(time.time()), turn, 0, "admin")])
        found = wait_for(lambda: (lambda rows: rows.get("nobody", {}).get("candidates", 0) == 64 and rows)(stats()))
        case("hits and candidates of both workers, in sum", found and found["failed"]["hits"] == 60 and
             found["never"]["hits"] == found["nobody"]["hits"] == 0, found)
        case("what no index can look up is said", found and found["nobody"]["always"] and
             not found["failed"]["always"] and found["nobody"]["cost"] == 64, found)
        case("when it last hit", found and found["failed"]["last"][:4] == time.strftime("%Y") and
             found["never"]["last"] is None, found)
        out = house.tool("rules", "stats", "--top", "1").stdout
        case("text: sorted by cost, few rows, totals", "Failed login  (failed)" in out and "50.0%" in out and "... and 2 other rules" in out and
             "64 events, 2 workers; of 3 rules 2 never hit" in out, out)
        case("text: by hits, in Vietnamese", "Đăng nhập thất bại" in
             house.tool("rules", "stats", "--sort", "hits", "--top", "1", "--lang", "vi").stdout)
        case("chosen rows", set(stats("--show", "never")) == {"nobody", "never"} and
             set(stats("--show", "hit")) == {"failed"} and set(stats("--show", "always")) == {"nobody"})
        # A title is no other rule; a changed value is.
        write(RULES.replace("Failed login", "Failed logins").replace("nguoi-la", "root"))
        out = house.tool("rules", "reload")
        case("reload", out.returncode == 0, out.stdout + out.stderr)
        kept = stats()
        case("counters of unchanged rules go on", kept["failed"]["hits"] == 60 and
             kept["failed"]["title"] == "Failed logins" and kept["failed"]["last"] == found["failed"]["last"], kept)
        send(5, "root")
        found = wait_for(lambda: (lambda rows: rows["never"]["hits"] == 5 and rows)(stats()))
        case("a changed rule begins anew, the others go on", found and found["failed"]["hits"] == 65, found)
        codes = [house.tool("rules", "stats", *words).returncode for words in
                 (("--sort", "x"), ("--show", "x"), ("--top", "x"), ("word",))]
        case("usage", codes == [2, 2, 2, 2], codes)
    done()


main()
