#!/usr/bin/env python3
"""Sizes and banned calls: taste that is executed. Prints TAP.

A function is at most 80 lines, the median under 20; a file at most 800; a header 200 (most stay under
100); a line 100 columns (tabs count 8); no banned call; no exported variable that can change; own
header included first; a table row for each file that promises one.
"""
import glob
import os
import re
import statistics
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
ROOMS = "base event db net bus collector decoder sigma correlator storage cli".split()
BANNED = ("strcpy strcat sprintf vsprintf gets strtok strncpy strncat alloca atoi atol atof "
          "mktime localtime gmtime system popen tmpnam mktemp setjmp longjmp").split()
number = 0


def verdict(what, bad):
    global number
    number += 1
    print(f"{'not ok' if bad else 'ok'} {number} - shape: {what}")
    for line in bad[:20]:
        print(f"# {line}")


def strip(text):
    """Comments and strings become blanks, lines stay."""
    out = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*',
                 lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    return out


def functions(lines):
    """(name, first line, length) of each function: a '{' in column 0 to the '}' in column 0."""
    for i, line in enumerate(lines):
        if line.rstrip() != "{":
            continue
        end = next((k for k in range(i, len(lines)) if lines[k].rstrip() == "}"), None)
        head = "".join(lines[max(0, i - 4):i])
        names = re.findall(r"(\w+)\s*\(", head)
        if end is not None and names:
            yield names[-1], i + 1, end - i + 1


sources = sorted(p for r in ROOMS for p in glob.glob(f"{r}/*.c"))
headers = sorted(p for r in ROOMS for p in glob.glob(f"{r}/*.h"))
tests = sorted(glob.glob("tests/*/*.[ch]") + glob.glob("bench/*.[ch]"))
long_functions, lengths, long_files, wide, banned, order, variables, tabs = [], [], [], [], [], [], [], []
for path in sources + headers + tests:
    text = open(path, encoding="utf-8").read()
    lines = text.split("\n")
    limit = 800 if path.endswith(".c") else 200
    if len(lines) > limit and path not in tests:
        long_files.append(f"{path}: {len(lines)} lines")
    for i, line in enumerate(lines):
        if len(line.expandtabs(8)) > 100 and "/fuzz" not in path and not re.search(r'"[^"]{60,}', line):
            wide.append(f"{path}:{i + 1}: {len(line.expandtabs(8))} columns")
        if re.match(r" {8,}[^ *\"]", line) and path not in tests:
            tabs.append(f"{path}:{i + 1}: spaces for tabs")
    bare = strip(text)
    for i, line in enumerate(bare.split("\n")):
        for name in re.findall(r"\b(\w+)\s*\(", line):
            if name in BANNED and path not in tests:
                banned.append(f"{path}:{i + 1}: {name}")
    if path in sources:
        for name, at, length in functions(bare.split("\n")):
            lengths.append(length)
            if length > 80:
                long_functions.append(f"{path}:{at}: {name} has {length} lines")
        own = path[:-2] + ".h"
        first = re.search(r'#include ["<]([^">]+)[">]', text)
        # Jansson's own name json_null is taken for ours: its header comes before base/json.h.
        near = (own, "jansson.h", "db/private.h", "cli/command.h", "storage/store_file.h")
        if os.path.exists(own) and first and first.group(1) not in near:
            order.append(f"{path}: includes {first.group(1)} before {own}")
    if path in headers:
        for i, line in enumerate(bare.split("\n")):
            if re.match(r"extern\s+(?!const\b)(?!.*\bconst\b)[^(]*;", line):
                variables.append(f"{path}:{i + 1}: {line.strip()}")

verdict("no function over 80 lines", long_functions)
median = statistics.median(lengths)
verdict(f"half of the {len(lengths)} functions are under 20 lines (median {median:g})",
        [] if median < 20 else [f"median {median}"])
verdict("no source over 800 lines, no header over 200", long_files)
verdict("no line over 100 columns", wide)
verdict("tabs indent", tabs)
verdict("no banned call", banned)
verdict("own header first", order)
verdict("no exported variable that can change", variables)
marks = [f"{p}:{i + 1}" for p in sources + headers + tests
         for i, line in enumerate(open(p, encoding="utf-8")) if re.search(r"\b(TODO|FIXME|XXX)\b", line)]
verdict("no unfinished marks", marks)
print(f"1..{number}")
