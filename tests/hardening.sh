#!/usr/bin/env bash
# Are the hardening flags in the binary?  tests/hardening.sh BINARY   Prints TAP.
set -u
binary=$1
n=0
check() { # what, command...
	n=$((n + 1))
	local what=$1
	shift
	if "$@" >/dev/null 2>&1; then echo "ok $n - hardening: $what"; else echo "not ok $n - hardening: $what"; fi
}
head=$(readelf -W -l "$binary")
dynamic=$(readelf -W -d "$binary")
symbols=$(readelf -W --dyn-syms "$binary")
check "position independent" grep -q 'DYN' <<<"$(readelf -W -h "$binary")"
check "RELRO" grep -q GNU_RELRO <<<"$head"
check "bind now" grep -qE 'BIND_NOW|NOW' <<<"$dynamic"
check "stack not executable" grep -qE 'GNU_STACK.*RW ' <<<"$head"
check "stack protector" grep -q __stack_chk_fail <<<"$symbols"
check "fortified calls" grep -qE '__(mem|str|sn|vsn|f)[a-z]*_chk' <<<"$symbols"
# Debian's start files carry no property note, so the binary has none: the code itself is looked at.
check "branch protection in the code" sh -c '[ "$(objdump -d "$1" | grep -c endbr64)" -gt 500 ]' - "$binary"
check "no text relocations" sh -c '! readelf -W -d "$1" | grep -q TEXTREL' - "$binary"
echo "1..$n"
