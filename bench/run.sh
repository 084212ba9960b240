#!/bin/bash
# All figures, in one table.   make bench
#
# B                  folder of the build (build/release)
# TOCSIN_CORPORA     rules of SigmaHQ and their events (../shared/corpora); without them they are skipped
# TOCSIN_TEST_KAFKA  host:port of a broker; without it one of deploy/kafka.sh is started, where it can be
# BENCH_ONLY         only the parts whose name holds this word
#
# Raw figures, a JSON object a line: build/bench/figures.jsonl
set -u
cd "$(dirname "$0")/.." || exit 2

build=${B:-build/release}
out=build/bench
figures=$out/figures.jsonl
export TOCSIN_CORPORA=${TOCSIN_CORPORA:-../shared/corpora}
export B=$build
export TOCSIN_BIN=${TOCSIN_BIN:-$build/tocsin}
export TOCSIN_READER=${TOCSIN_READER:-$build/bench/bench_latency}
mkdir -p "$out" && : > "$figures" || exit 2
failed=0

broker() {
	[ -n "${TOCSIN_TEST_KAFKA:-}" ] && return 0
	# A port and a folder of its own: another broker may be under test.
	export TOCSIN_KAFKA=$out/kafka TOCSIN_KAFKA_PORT=${TOCSIN_KAFKA_PORT:-19492}
	mkdir -p "$TOCSIN_KAFKA"
	[ -f build/kafka/libs/.whole ] && [ ! -e "$TOCSIN_KAFKA/libs" ] &&
		ln -s "$PWD/build/kafka/libs" "$TOCSIN_KAFKA/libs"
	if TOCSIN_TEST_KAFKA=$(sh deploy/kafka.sh start 2>"$out/kafka.log" | tail -1) &&
		[ -n "$TOCSIN_TEST_KAFKA" ]; then
		export TOCSIN_TEST_KAFKA
		trap 'sh deploy/kafka.sh clean' EXIT
	else
		unset TOCSIN_TEST_KAFKA
		echo "no broker: $(tail -1 "$out/kafka.log")" >&2
	fi
}

# part NAME COMMAND...
part() {
	name=$1
	shift
	case $name in *"${BENCH_ONLY:-}"*) ;; *) return 0 ;; esac
	echo "-- $name" >&2
	if ! "$@" >"$out/part.jsonl"; then
		echo "-- $name failed" >&2
		failed=1
	fi
	cat "$out/part.jsonl" >>"$figures"
}

broker
for program in bench/bench_*.c; do
	name=$(basename "$program" .c)
	# Those are run by latency.py, engine.py, pipeline.py and senders.py.
	case $name in bench_latency | bench_engine | bench_pipeline | bench_send | bench_count) continue ;; esac
	part "$name" "$build/bench/$name"
done
part engine python3 bench/engine.py
part pipeline python3 bench/pipeline.py
part peers python3 bench/peers.py
part latency python3 bench/latency.py
rm -f "$out/part.jsonl"
python3 bench/table.py "$figures" | tee "$out/table.txt"
exit $failed
