#!/usr/bin/env bash
# Who may include whom, as the Makefile's USES_ table says; one door to each library; no cycle.
# Prints TAP.
set -u
cd "$(dirname "$0")/.."

uses() { sed -n "s/^USES_$1[[:space:]]*:=//p" Makefile; }
rooms=$(sed -n 's/^ROOMS[[:space:]]*:=//p' Makefile)
n=0
verdict() { # what, offenders
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

for room in $rooms; do
	[ -d "$room" ] || continue
	allowed=" $room $(uses "$room") "
	bad=$(grep -nE '^[[:space:]]*#[[:space:]]*include "' "$room"/*.[ch] "$room"/*.def 2>/dev/null |
		while IFS= read -r line; do
			target=${line#*include \"}
			target=${target%%/*}
			case $allowed in *" $target "*) ;; *) echo "$line" ;; esac
		done)
	verdict "layers: $room includes only what its row allows" "$bad"
done

# A room stands above all that it uses: the rooms are listed from the ground up.
seen=" "
cycle=
for room in $rooms; do
	for used in $(uses "$room"); do
		case $seen in *" $used "*) ;; *) cycle="$cycle$room uses $used, which stands above it
" ;; esac
	done
	seen="$seen$room "
done
verdict "layers: no cycle between rooms" "${cycle%
}"

door() { # header, pattern of files that may
	verdict "layers: only $2 includes <$1>" "$(grep -lE "#[[:space:]]*include <$1>" $(git ls-files '*.c' '*.h' 2>/dev/null |
		grep -vE '^(tests|bench)/') /dev/null | grep -vE "$2")"
}
door 'librdkafka/rdkafka.h' '^bus/bus_kafka[a-z_]*\.[ch]$'
door 'lmdb.h' '^db/'
door 'pcre2.h' '^sigma/regex.c$'
door 'yaml.h' '^base/yaml.c$'
door 'openssl/[a-z0-9]*.h' '^net/(tls|digest).c$'
door 'jansson.h' '^(event/document.c|cli/[a-z_]+\.c)$'
verdict "layers: nothing below cli/ exits or prints" "$(grep -nE '\b(exit|_exit|printf|puts|fputs|perror) ?\(' \
	base/*.c event/*.c db/*.c net/*.c bus/*.c collector/*.c decoder/*.c sigma/*.c correlator/*.c storage/*.c |
	grep -vE '^base/check.c|^db/verify.c|^storage/.*_exit\(|snprintf')"
verdict "layers: only base/clock.c asks for the time" "$(grep -nE '\b(clock_gettime|gettimeofday|time|mktime|localtime_r?|gmtime_r?) ?\(' \
	base/*.c event/*.c db/*.c net/*.c bus/*.c collector/*.c decoder/*.c sigma/*.c correlator/*.c storage/*.c cli/*.c |
	grep -vE '^base/clock.c|[a-z_]time ?\(|:[[:space:]]*(/\*|\*)' )"
echo "1..$n"
