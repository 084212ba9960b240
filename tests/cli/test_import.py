#!/usr/bin/env python3
"""tocsin rules import: what comes in, what stays out, what stays as it is. Prints TAP.

B names the build folder.
"""
import json
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOCSIN = os.path.join(ROOT, os.environ.get("B", "build/release"), "tocsin")
FOLDER = tempfile.mkdtemp(prefix="tocsin-import-")
results = []
RULE = """\
title: {title}
id: 5a4d0f7e-0000-4000-8000-0000000000{id:02d}
status: {status}
author: {author}
date: 2026-01-01
modified: {modified}
level: {level}
logsource: {{product: {product}}}
detection:
  selection: {{A: {value}}}
  condition: {condition}
"""


def check(name, good, why=""):
    results.append(good)
    print("%s %d - import: %s" % ("ok" if good else "not ok", len(results), name))
    if not good:
        print("# " + str(why).replace("\n", "\n# "))


def path(*names):
    return os.path.join(FOLDER, *names)


def write(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "w", encoding="utf-8") as out:
        out.write(text)
    return text


def read(name):
    with open(path(name), encoding="utf-8") as text:
        return text.read()


def rule(number, **more):
    values = dict(title="Luật %d" % number, id=number, status="test", author="An", modified="2026-02-01",
                  level="medium", product="linux", value=number, condition="selection")
    values.update(more)
    return RULE.format(**values)


def tocsin(*words, lang="en"):
    done = subprocess.run([TOCSIN, "rules", "import", *words, "--lang", lang, "-o", "rules.paths=" + path("home")],
                          capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def imported(*words):
    code, out, err = tocsin(*words, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    return code, {row["name"]: row["outcome"] for row in rows}, {row["name"]: row for row in rows}, err


def files(folder):
    found = []
    for here, _, names in os.walk(path(folder)):
        found += [os.path.relpath(os.path.join(here, name), path(folder)) for name in names]
    return sorted(found)


def sources():
    write("src/win/one.yml", rule(1))
    write("src/win/two.yml", rule(2, level="high", product="windows", status="stable"))
    write("src/old.yml", rule(3, status="deprecated"))
    write("src/bad.yml", rule(4, condition="other"))
    write("src/notes.txt", "no rule\n")
    write("src/broken.yml", "title: [\n")
    write("src/licensed.yaml", "license: DRL 1.1\n" + rule(5, author="Bình"))
    write("secret.yml", rule(6))
    os.symlink(path("secret.yml"), path("src/link.yml"))
    os.makedirs(path("elsewhere"))
    write("elsewhere/far.yml", rule(7))
    os.symlink(path("elsewhere"), path("src/folder"))
    write("src/a\x1b[2J.yml", rule(8))


WANTED = {"win/one.yml": "added", "win/two.yml": "added", "old.yml": "deprecated", "bad.yml": "refused",
          "broken.yml": "refused", "licensed.yaml": "added", "link.yml": "unsafe", "a\x1b[2J.yml": "unsafe"}


def the_first_time():
    code, found, rows, err = imported(path("src"), "--into", path("into"), "--dry-run")
    check("a dry run tells all and writes nothing", code == 0 and found == WANTED and not os.path.exists(path("into")),
          (found, err))
    check("why one is refused, and where", rows["bad.yml"]["line"] == 11 and rows["bad.yml"]["column"] == 14 and
          "other" in rows["bad.yml"]["reason"] and rows["broken.yml"]["line"] > 0, rows["bad.yml"])
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("what is good comes in, in its folders; links are not followed", code == 0 and found == WANTED and
          files("into") == [".tocsin-import.json", "licensed.yaml", "win/one.yml", "win/two.yml"], files("into"))
    check("the bytes are the same", read("into/win/one.yml") == read("src/win/one.yml"))
    code, out, err = tocsin(path("src"), "--into", path("into"))
    check("again: nothing is new; authors and licences are told", "3  the same already" in out and
          "3 rules by 2 authors; 0 name no author, 2 no licence" in out and "1  DRL 1.1" in out and
          "\x1b" not in out, out + err)


def what_is_newer_and_what_is_edited():
    newer = write("src/win/one.yml", rule(1, modified="2026/03/01", value="newer"))
    write("src/win/two.yml", rule(2, value="silently"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("newer takes the place, what only differs does not",
          (found["win/one.yml"], found["win/two.yml"]) == ("updated", "older") and
          read("into/win/one.yml") == newer and "silently" not in read("into/win/two.yml"), found)
    before = write("src/licensed.yaml", read("src/licensed.yaml").replace("2026-02-01", "2026/01/15"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("dates count, not how they are written", found["licensed.yaml"] == "older", found)
    write("src/licensed.yaml", before.replace("2026/01/15", "2026-02-01"))
    by_hand = write("into/hand.yml", rule(40))
    write("src/hand.yml", by_hand)
    imported(path("src"), "--into", path("into"))
    write("src/hand.yml", rule(40, modified="2026-08-01"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("what is the same is ours no longer: it goes on with the source", found["hand.yml"] == "updated", found)
    os.remove(path("into/hand.yml"))
    os.rename(path("src/hand.yml"), path("src/other.yml"))
    first = imported(path("src"), "--into", path("into"))[1]
    os.rename(path("src/other.yml"), path("src/hand.yml"))
    again = imported(path("src"), "--into", path("into"))[1]
    check("what was thrown out here stays out, under another name too", first["other.yml"] == "removed" and
          again["hand.yml"] == "removed" and "hand.yml" not in files("into"), (first, again))
    code, found, rows, err = imported(path("src"), "--into", path("into"), "--force", "--dry-run")
    check("but not by force", found["hand.yml"] == "added", found)
    os.remove(path("src/hand.yml"))
    edited = write("into/win/one.yml", newer + "# của chúng tôi\n")
    write("src/win/one.yml", rule(1, modified="2026-04-01", value="newest"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("what was edited here stays", found["win/one.yml"] == "edited" and read("into/win/one.yml") == edited, found)
    code, found, rows, err = imported(path("src"), "--into", path("into"), "--force")
    check("but not by force", found["win/one.yml"] == "updated" and found["win/two.yml"] == "updated" and
          "newest" in read("into/win/one.yml"), found)
    write("into/own.yml", rule(20))
    write("src/own.yml", rule(21, modified="2026-05-01"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("a file of ours with that name stays", found["own.yml"] == "edited" and "Luật 20" in read("into/own.yml"))
    os.remove(path("src/own.yml"))


def what_has_moved():
    os.makedirs(path("src/lin"))
    os.rename(path("src/win/one.yml"), path("src/lin/one.yml"))
    code, found, rows, err = imported(path("src"), "--into", path("into"), "--dry-run")
    check("moved: a dry run moves nothing", found["lin/one.yml"] == "moved" and "lin/one.yml" not in files("into"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("moved: it is there once", rows["lin/one.yml"]["before"] == "win/one.yml" and
          "lin/one.yml" in files("into") and "win/one.yml" not in files("into"), files("into"))
    names = [entry["name"] for entry in json.loads(read("into/.tocsin-import.json"))["files"]]
    check("moved: the record knows the new name alone", "lin/one.yml" in names and "win/one.yml" not in names, names)
    write("into/lin/one.yml", read("into/lin/one.yml") + "# sửa\n")
    os.rename(path("src/lin/one.yml"), path("src/one.yml"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("moved, but edited here: it stays where it is", found["one.yml"] == "taken" and
          "one.yml" not in files("into") and "# sửa" in read("into/lin/one.yml"), found)
    swap = read("src/one.yml"), read("src/win/two.yml")
    shutil.rmtree(path("into"))
    imported(path("src"), "--into", path("into"))
    write("src/one.yml", swap[1].replace("2026-02-01", "2026-07-01"))
    write("src/win/two.yml", swap[0].replace("2026-04-01", "2026-07-01"))
    code, found, rows, err = imported(path("src"), "--into", path("into"))
    check("two that changed names are both there", (found["one.yml"], found["win/two.yml"]) == ("updated", "updated")
          and {"one.yml", "win/two.yml"} <= set(files("into")), found)


    write("turn/x.yml", rule(30))
    imported(path("turn"), "--into", path("turned"))
    os.rename(path("turn/x.yml"), path("turn/y.yml"))
    write("turn/x.yml", rule(32, modified="2026-09-01"))
    code, found, rows, err = imported(path("turn"), "--into", path("turned"))
    check("moved, with another rule under the old name", found == {"x.yml": "updated", "y.yml": "moved"} and
          "Luật 32" in read("turned/x.yml") and "Luật 30" in read("turned/y.yml"), found)


def which_are_taken():
    for words, names in ((("--level", "high+"), {"b.yml"}), (("--level", "medium-"), {"a.yml", "c.yml"}),
                         (("--status", "stable", "--status", "test"), {"a.yml", "b.yml"}),
                         (("--product", "windows"), {"b.yml"}),
                         (("--product", "linux", "--level", "low"), {"c.yml"})):
        code, found, rows, err = imported(path("pick"), "--into", path("picked"), "--dry-run", *words)
        check("selection: " + " ".join(words), {n for n, o in found.items() if o == "added"} == names and
              set(found.values()) == {"added", "unselected"}, found)
    code, found, rows, err = imported(path("pick"), path("src"), "--into", path("both"), "--dry-run")
    check("several sources keep their names", "pick/a.yml" in found and "src/bad.yml" in found, found)
    code, found, rows, err = imported(path("pick/a.yml"), "--dry-run")
    check("one file, into the default folder", found == {"a.yml": "added"} and code == 0, err)
    imported(path("pick/a.yml"))
    check("which is below rules.paths", files("home") == ["imported/.tocsin-import.json", "imported/a.yml"],
          files("home"))


def what_is_wrong():
    rows = [((), "needs a folder"), ((path("none"),), "none"), ((path("pick"), "--level", "loud"), "no level"),
            ((path("pick"), "--into", path("pick/below")), None), ((path("pick"), "--into", path("pick")), "holds")]
    for words, what in rows:
        code, out, err = tocsin(*words)
        check("usage: %s" % (what or "a folder below itself"), code in (2, 3) and (what or "holds") in err,
              (code, out, err))
    write("into/.tocsin-import.json", "{]")
    before = files("into")
    code, out, err = tocsin(path("src"), "--into", path("into"), "--force")
    check("a damaged record is told, and nothing is touched", code == 3 and "tocsin-import.json" in err and
          files("into") == before, err)
    os.makedirs(path("empty"))
    check("an empty source is told by the exit code", tocsin(path("empty"), "--into", path("into2"))[0] == 1)
    code, out, err = tocsin(path("pick"), "--into", path("vi"), lang="vi")
    check("in Vietnamese", "đã thêm" in out and "3 luật của 1 tác giả" in out, out)


try:
    sources()
    write("pick/a.yml", rule(11))
    write("pick/b.yml", rule(12, level="critical", product="windows", status="stable"))
    write("pick/c.yml", rule(13, level="low", status="experimental"))
    the_first_time()
    what_is_newer_and_what_is_edited()
    what_has_moved()
    which_are_taken()
    what_is_wrong()
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
print("1..%d" % len(results))
raise SystemExit(0 if all(results) else 1)
