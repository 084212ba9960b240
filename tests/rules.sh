#!/usr/bin/env bash
# Our rules load, and do what their examples say, through the production code.  Prints TAP.
set -u
cd "$(dirname "$0")/.."
tocsin=$1
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
set -- -o data.path="$data" --lang en

if "$tocsin" rules check rules "$@" >"$data/check" 2>&1; then
	echo "ok 1 - rules: all are accepted ($(tail -n 1 "$data/check"))"
else
	echo "not ok 1 - rules: some are refused"
	sed 's/^/# /' "$data/check"
fi
loud=$("$tocsin" rules list --json rules "$@" | grep -c '"id"')
if [ "$loud" -ge 25 ]; then echo "ok 2 - rules: $loud of our own"; else echo "not ok 2 - rules: only $loud"; fi
if "$tocsin" rules test rules "$@" >"$data/test" 2>&1 && ! grep -qvE '; 0 rules lack' <(tail -n 1 "$data/test"); then
	echo "ok 3 - rules: $(tail -n 1 "$data/test")"
else
	echo "not ok 3 - rules: examples"
	sed 's/^/# /' "$data/test"
fi
untranslated=$("$tocsin" rules list --json rules "$@" | grep -c '"title_vi":""')
if [ "$untranslated" = 0 ]; then echo "ok 4 - rules: every title in Vietnamese"; else echo "not ok 4 - rules: $untranslated titles without Vietnamese"; fi
echo 1..4
