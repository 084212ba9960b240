#!/usr/bin/env python3
"""The engine beside RSigma 0.23.0: the same rules, the same events, two processes that read a file
and write their hits.

    bench/engine.py [ROUNDS]

B               folder of the build (build/release)
RSIGMA          the peer (rsigma on the PATH); without it only our own figures are printed:
                cargo install rsigma --version 0.23.0 --locked --features daachorse-index
TOCSIN_CPU      v3 unless given: not what this machine could do beyond it
TOCSIN_CORPORA  SigmaHQ's rules and two corpora (../shared/corpora); without it nothing is measured

Both read the same file. Each event carries its log source, as our decoder found it, in three fields,
so that the peer can choose rules by it (its best flags: --logsource-routing); it routes by one
category, the closest one, and tries an event without a product against the rules of all, so its set of hits is larger
where the two differ; the differences are counted by kind. The two corpora of corpus.py are given to
the peer as flat JSON with the fields that our decoder found, since it would not know them otherwise.

A figure is user and system time of the process, less that of a run with one event, a median of
rounds in which both take turns; the ratio is the median of the rounds' ratios. One pass over the file
has in it that our engine makes its tables anew for each class of events as it learns what is usual;
five passes show what is left of that in a service that runs on.

Instructions an event are counted by callgrind where valgrind is there: over the first pass, learning
and all, and over a second one behind it.
"""
import collections
import gzip
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
ENGINE = os.path.join(ROOT, os.environ.get("B", "build/release"), "bench/bench_engine")
PEER = os.environ.get("RSIGMA") or shutil.which("rsigma") or ""
CORPORA = os.path.abspath(os.environ.get("TOCSIN_CORPORA") or os.path.join(ROOT, "../shared/corpora"))
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
FLAGS = ["--input-format", "json", "--output-format", "ndjson", "--logsource-routing",
         "--logsource-field-map", "product=log_product,service=log_service,category=log_category"]
PASSES = 5
# What any x86-64-v3 machine does; TOCSIN_CPU=best measures what this one can.
os.environ.setdefault("TOCSIN_CPU", "v3")


def spent(command, out=subprocess.DEVNULL):
    """User and system time of a process that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=out, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def ours(rules, path, *mode):
    return [ENGINE, rules, path, *mode]


def theirs(rules, path, *more):
    return [PEER, "engine", "eval", "-r", rules, *FLAGS, *more, "-e", "@" + path]


def lines_of(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as text:
        return text.read().splitlines()


def is_process_creation(event):
    return str(event.get("EventID")) == "4688" or \
        str(event.get("EventID")) == "1" and "Sysmon" in event.get("Channel", "")


def prepare(folder, name, rules):
    """The events as they are, and as both read them: with number and log source."""
    raw = os.path.join(folder, name + ".raw")
    if name.startswith("own"):
        with open(raw, "wb") as out:
            subprocess.run([sys.executable, os.path.join(ROOT, "bench/corpus.py"), name[4:], "30000"],
                           check=True, stdout=out)
    elif name == "process creations":
        with open(raw, "wb") as out:
            for corpus in ("mixed", "windows"):
                with gzip.open(os.path.join(CORPORA, corpus + "-events-bench.ndjson.gz")) as text:
                    out.writelines(line for line in text if is_process_creation(json.loads(line)))
    else:
        with gzip.open(os.path.join(CORPORA, name + "-events-bench.ndjson.gz")) as text, \
                open(raw, "wb") as out:
            shutil.copyfileobj(text, out)
    fields = os.path.join(folder, name + ".fields")
    with open(fields, "wb") as out:
        subprocess.run(ours(rules, raw, "fields"), check=True, stdout=out,
                       stderr=subprocess.DEVNULL)
    flat = os.path.join(folder, name + ".json")
    with open(flat, "w", encoding="utf-8") as out:
        for number, (line, found) in enumerate(zip(lines_of(raw), lines_of(fields)), 1):
            found = json.loads(found)
            event = found if name.startswith("own") else json.loads(line)
            if name == "own syslog": # flat, it says nothing else of where it comes from
                event["_ls"] = "|".join(found[k] or "-" for k in (
                    "log_product", "log_category", "log_service"))
            event = dict(event, log_line=number,
                         **{k: found[k] for k in ("log_product", "log_service", "log_category")
                            if found[k]})
            out.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")
    return raw, flat


def part_of(path, count):
    """Every so many lines, for what is slow."""
    lines = lines_of(path)
    step = max(1, len(lines) // count)
    part = path + ".part"
    with open(part, "w", encoding="utf-8", errors="surrogateescape") as out:
        for line in lines[::step][:count]:
            out.write(line + "\n")
    return part


def many(path, times):
    """The file so many times over."""
    longer = f"{path}.{times}"
    with open(longer, "wb") as out:
        for _ in range(times):
            with open(path, "rb") as text:
                shutil.copyfileobj(text, out)
    return longer


def counted(rules, path, mode="match"):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--toggle-collect=engine_run", *ours(rules, path, mode)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def instructions(rules, raw):
    """An event: of the first pass, of the second, and of decoding alone."""
    if shutil.which("valgrind") is None:
        return {}
    events = len(lines_of(raw))
    first, both = counted(rules, raw), counted(rules, many(raw, 2))
    return {"instructions_first_pass": round(first / events),
            "instructions_second_pass": round((both - first) / events),
            "of_which_decoding": round(counted(rules, raw, "decode") / events)}


def hits_ours(rules, path):
    out = subprocess.run(ours(rules, path), check=True, capture_output=True, text=True).stdout
    return {(hit["line"], hit["rule"]) for hit in map(json.loads, out.splitlines())}


def hits_theirs(rules, path):
    out = subprocess.run(theirs(rules, path, "--include-event", "-q"), check=True,
                         capture_output=True, text=True).stdout
    return {(hit["event"]["log_line"], hit["rule_id"]) for hit in map(json.loads, out.splitlines())}


def measure_self(name, rules, raw, flat):
    once = part_of(flat, 1)
    count = len(lines_of(flat))
    stats = subprocess.run(ours(rules, raw), check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True).stderr
    candidates, predicates = re.search(r"([\d.]+) candidates and ([\d.]+) pred", stats).groups()
    figure = {"bench": "engine " + name, "events": count, "candidates_per_event": float(candidates),
              "predicates_per_event": float(predicates), **instructions(rules, raw)}
    rates = []
    for _ in range(ROUNDS):
        rates.append(count / max(1e-9, spent(ours(rules, flat)) - spent(ours(rules, once))))
    figure["events_per_cpu_second"] = round(statistics.median(rates))
    figure["ns_per_event"] = round(1e9 / statistics.median(rates), 1)
    figure["least"] = round(1e9 / max(rates), 1)
    figure["most"] = round(1e9 / min(rates), 1)
    return figure


def measure_beside(figure, name, rules, flat):
    once = part_of(flat, 1)
    count = len(lines_of(flat))
    rates, ratios, longer = [], [], []
    for _ in range(ROUNDS):
        mine = spent(ours(rules, flat)) - spent(ours(rules, once))
        other = spent(theirs(rules, flat)) - spent(theirs(rules, once))
        rates.append(count / other)
        ratios.append(other / mine)
    long = many(flat, PASSES)
    for _ in range(ROUNDS):
        mine = spent(ours(rules, long)) - spent(ours(rules, once))
        longer.append((spent(theirs(rules, long)) - spent(theirs(rules, once))) / mine)
    mine, other = hits_ours(rules, flat), hits_theirs(rules, flat)
    figure["times_rsigma"] = round(statistics.median(ratios), 1)
    figure["times_rsigma_five_passes"] = round(statistics.median(longer), 1)
    figure["hits"] = len(mine)
    figure["hits_only_ours"] = len(mine - other)
    figure["hits_only_rsigma"] = len(other - mine)
    ns = [1e9 / rate for rate in rates]
    differences = {"only ours": collections.Counter(rule for _, rule in mine - other),
                   "only RSigma": collections.Counter(rule for _, rule in other - mine)}
    for side, rules_of in differences.items():
        for rule, times in rules_of.most_common(5):
            print(f"{name}: {side}: {times} times {rule}", file=sys.stderr)
    return {"bench": "rsigma " + name, "events_per_cpu_second": round(statistics.median(rates)),
            "ns_per_event": round(statistics.median(ns), 1), "least": round(min(ns), 1),
            "most": round(max(ns), 1), "hits": len(other)}


def main():
    if not os.path.exists(os.path.join(CORPORA, "sigmahq-rules.tar.gz")):
        print(json.dumps({"bench": "engine", "skipped": "the corpora are not there: TOCSIN_CORPORA"}))
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        with tarfile.open(os.path.join(CORPORA, "sigmahq-rules.tar.gz")) as archive:
            archive.extractall(folder)
        rules = os.path.join(folder, "rules")
        for name in ("mixed", "windows", "process creations", "own windows", "own syslog"):
            raw, flat = prepare(folder, name, rules)
            figure = measure_self(name, rules, raw, flat)
            beside = measure_beside(figure, name, rules, flat) if PEER else {
                "bench": "rsigma " + name, "skipped": "rsigma is not there: RSIGMA"}
            print(json.dumps(figure), flush=True)
            print(json.dumps(beside), flush=True)


if __name__ == "__main__":
    main()
