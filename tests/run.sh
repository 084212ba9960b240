#!/usr/bin/env bash
# The whole suite. Prints TAP of everything that ran, and as its last line "N passed, N failed,
# N skipped". 0 when nothing failed.
#
# TOCSIN_LONG=1        the campaigns in full
# TOCSIN_CORPORA       real rules and events; default ../shared/corpora; tests say when it is absent
# TOCSIN_ONLY=PATTERN  only steps whose name matches (for development)
set -u
cd "$(dirname "$0")/.."

out=build/test
rm -rf "$out" && mkdir -p "$out"
export TOCSIN_CORPORA=${TOCSIN_CORPORA:-$(cd .. && pwd)/shared/corpora}
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
export LC_ALL=C.UTF-8
unset TOCSIN_LANG TOCSIN_CONFIG
started=$SECONDS
only=${TOCSIN_ONLY:-.}

say() { printf '# [%4d s] %s\n' $((SECONDS - started)) "$*"; }

# One program or script; its output goes to a log of its own, so that several run side by side.
# A program that dies without a word, or whose exit code disagrees with its TAP, is a failure.
one() { # name limit command...
	local name=$1 limit=$2 log="$out/$1.log" code from=$SECONDS
	shift 2
	timeout -k 10 "$limit" "$@" >"$log" 2>"$log.err" </dev/null
	code=$?
	# cmocka writes a skipped test as "not ok N # SKIP".
	sed -i 's/^not ok \(.*# SKIP\)/ok \1/' "$log"
	# A program that skips all of itself says so instead of a plan.
	sed -i "s/^1\.\.0 # SKIP/ok 1 - $name # SKIP/" "$log"
	if [ $code -ne 0 ] && ! grep -q '^not ok' "$log"; then
		[ $code -eq 124 ] && echo "not ok - $name: over its limit of $limit s" >>"$log"
		[ $code -eq 124 ] || echo "not ok - $name: ended with code $code" >>"$log"
	elif ! grep -qE '^(not )?ok' "$log"; then
		echo "not ok - $name: said nothing" >>"$log"
	fi
	printf '# %-52s %5s ok %3s not ok %3s s\n' "$name" "$(grep -c '^ok' "$log")" \
		"$(grep -c '^not ok' "$log")" $((SECONDS - from)) >"$log.sum"
	cat "$log.sum"
	if grep -q '^not ok' "$log"; then
		grep -A12 '^not ok' "$log" | head -60
		tail -n 40 "$log.err" | sed 's/^/#! /'
	fi
}
export -f one
export out

wanted() { [[ $1 =~ $only ]]; }

# side by side on the machine's cores
queue=()
add() { wanted "$1" && queue+=("$(printf '%q ' "$@")"); return 0; }
drain() {
	[ ${#queue[@]} -eq 0 ] && return 0
	printf '%s\0' "${queue[@]}" | xargs -0 -P "${1:-2}" -I{} bash -c 'one {}'
	queue=()
}

build() { # name, make arguments
	local name=$1
	shift
	wanted "build" || [ -n "${TOCSIN_ONLY:-}" ] || return 0
	if make --no-print-directory -j2 "$@" >"$out/build-$name.log" 2>&1; then
		echo "ok - build $name" >"$out/build-$name.tap.log"
	else
		echo "not ok - build $name" >"$out/build-$name.tap.log"
		grep -E 'error|Error|undefined' "$out/build-$name.log" | head -30 | sed 's/^/# /'
	fi
	say "build $name: $(cut -d' ' -f1-2 "$out/build-$name.tap.log")"
}

say "building"
build gcc B=build/release all unit fuzzers benches
build asan MODE=asan B=build/asan all unit fuzzers
# The other compiler, warnings as errors; nothing of it is run.
[ -n "${TOCSIN_ONLY:-}" ] || build clang CC=clang B=build/clang all unit

say "structure"
add layers 60 bash tests/layers.sh
add shape 60 python3 tests/shape.py
add hardening 60 bash tests/hardening.sh build/release/tocsin
add docs 60 bash tests/docs.sh build/release/tocsin
drain

say "units, release and sanitizers"
for source in tests/*/test_*.c; do
	case $source in tests/flow/*) continue ;; esac
	program=${source%.c}
	name=$(echo "${program#tests/}" | tr / .)
	case $name in *conform_kafka) continue ;; esac
	B=build/release add "unit.$name" 300 "build/release/$program"
	add "asan.$name" 600 "build/asan/$program"
done
drain

say "fuzz corpora under sanitizers"
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "${source%.c}")
	add "replay.$name" 120 "build/asan/${source%.c}"
done
drain

say "scripts"
export B=build/release
for script in tests/wire_test.py $(ls tests/*/test_*.py tests/*/test_*.sh 2>/dev/null); do
	case $script in tests/flow/*) continue ;; esac
	run=bash
	[ "${script##*.}" = py ] && run=python3
	add "script.$(echo "${script#tests/}" | tr / .)" 600 $run "$script"
done
add rules 300 bash tests/rules.sh build/release/tocsin
drain

# A real broker where Maven Central, java and mvn can be had; then a skipped Kafka test is a failure.
kafka=
if [[ kafka =~ $only || flow =~ $only || -z ${TOCSIN_ONLY:-} ]]; then
	say "a real Kafka"
	export TOCSIN_KAFKA_PORT=${TOCSIN_KAFKA_PORT:-$(python3 tests/free_port.py 2)}
	if ! sh deploy/kafka.sh fetch >"$out/kafka.txt" 2>&1; then
		say "no Kafka: $(tail -n 1 "$out/kafka.txt"); its tests are skipped, the mock cluster still runs"
	elif sh deploy/kafka.sh start >>"$out/kafka.txt" 2>&1; then
		kafka=127.0.0.1:$TOCSIN_KAFKA_PORT
		trap 'sh deploy/kafka.sh stop >/dev/null 2>&1' EXIT
		export TOCSIN_TEST_KAFKA=$kafka
	else
		echo "not ok - kafka: the broker does not start" | tee "$out/kafka.log"
		tail -n 20 "$out/kafka.txt" | sed 's/^/# /'
	fi
fi
add "unit.bus.test_conform_kafka" 300 build/release/tests/bus/test_conform_kafka
drain 1

say "flow: whole stages, real senders, kills"
for script in $(ls tests/flow/test_*.sh tests/flow/test_*.py 2>/dev/null); do
	run=bash
	[ "${script##*.}" = py ] && run=python3
	add "flow.$(basename "$script")" 900 $run "$script"
done
drain 1
if [ -n "$kafka" ]; then
	sh deploy/kafka.sh stop >/dev/null 2>&1
	# What a broker cannot be made to do is skipped for another reason than that there is none.
	for log in "$out"/*kafka*.log; do
		grep -qE '^ok.*# SKIP.*(no broker|TOCSIN_TEST_KAFKA)' "$log" &&
			echo "not ok - $(basename "$log" .log): skipped though there is a broker" >>"$log"
	done
fi

count() { cat "$out"/*.log | grep -E "$1" | grep -vcE "${2:-^$}"; }
skipped=$(count '^ok.*# SKIP')
passed=$(count '^ok' '# SKIP')
failed=$(count '^not ok')
if [ "$skipped" -gt 0 ]; then
	say "skipped:"
	grep -hE '^ok.*# SKIP' "$out"/*.log | sort | uniq -c | sort -rn | head -20 | sed 's/^/# /'
fi
say "done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
