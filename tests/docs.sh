#!/usr/bin/env bash
# Are the generated references those that the tables give today?  tests/docs.sh BINARY   Prints TAP.
set -u
cd "$(dirname "$0")/.."
tocsin=$1
n=0
same() { # file, command...
	n=$((n + 1))
	local file=$1
	shift
	if "$@" | diff -q - "$file" >/dev/null 2>&1; then
		echo "ok $n - docs: $file is fresh"
	else
		echo "not ok $n - docs: $file is stale; make docs"
	fi
}
same docs/CONFIGURATION.md "$tocsin" config --markdown --lang en
same docs/COMMANDS.md "$tocsin" help --markdown --lang en
same docs/COMMANDS.vi.md "$tocsin" help --markdown --lang vi
same docs/DECODERS.md "$tocsin" decode --markdown --lang en
same docs/LINT.md "$tocsin" rules check --markdown --lang en
for page in "" $(sed -n 's/^COMMAND(\(.*\))$/\1/p' cli/commands.def); do
	n=$((n + 1))
	if [ -n "$("$tocsin" help $page --man 2>&1 | head -c 3 | grep '^\.TH')" ]; then
		echo "ok $n - docs: man page of '$page'"
	else
		echo "not ok $n - docs: man page of '$page'"
	fi
done
n=$((n + 1))
if bash -n <("$tocsin" help --bash); then echo "ok $n - docs: completion parses"; else echo "not ok $n - docs: completion"; fi
echo "1..$n"
