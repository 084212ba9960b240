#!/bin/bash
# The main job, shown: starts Tocsin on the embedded bus, sends it the scenario's traffic, shows the
# alerts as they appear.   make run
#
# On a terminal it goes on running until Ctrl-C. Without one it ends by itself: 0 when exactly the
# alerts of deploy/demo/expected.tsv were raised, 1 with the difference when not.
#
# TOCSIN             the binary (build/release/tocsin)
# TOCSIN_RUN         where it keeps its data (build/run); emptied first
# TOCSIN_PORT        5514
# TOCSIN_DEMO_SPEED  2 plays twice as fast
set -u
cd "$(dirname "$0")/.." || exit 3

tocsin=${TOCSIN:-build/release/tocsin}
home=${TOCSIN_RUN:-build/run}
port=${TOCSIN_PORT:-5514}
case ${TOCSIN_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-en}}}} in vi*) vi=1 ;; *) vi= ;; esac
say() { if [ -n "$vi" ]; then printf '\n%s\n' "$2"; else printf '\n%s\n' "$1"; fi; }

rm -rf "$home" && mkdir -p "$home" || exit 3
config=$home/tocsin.yml
cat > "$config" <<-YAML
	data:
	  path: "$PWD/$home"
	rules:
	  paths: ["$PWD/rules"]
	syslog:
	  udp:
	    listen: ["127.0.0.1:$port"]
	  tcp:
	    listen: ["127.0.0.1:$port"]
	bus:
	  local:
	    segment: 16M
	correlate:
	  # A demonstration settles sooner than a network would allow.
	  lateness: 5s
YAML

"$tocsin" run -c "$config" 2>"$home/tocsin.log" &
supervisor=$!
follower=
finish() {
	trap - EXIT INT TERM
	[ -n "$follower" ] && kill "$follower" 2>/dev/null
	kill "$supervisor" 2>/dev/null
	wait "$supervisor" 2>/dev/null
	exit "${1:-0}"
}
trap 'finish 130' INT
trap 'finish 143' TERM
trap 'finish $?' EXIT

for _ in $(seq 100); do
	"$tocsin" status -c "$config" >"$home/status.txt" 2>/dev/null && break
	if ! kill -0 "$supervisor" 2>/dev/null; then cat "$home/tocsin.log" >&2; exit 3; fi
	sleep 0.1
done
if ! "$tocsin" status -c "$config" >/dev/null 2>&1; then
	cat "$home/tocsin.log" >&2
	"$tocsin" status -c "$config" >&2
	exit 3
fi
"$tocsin" status -c "$config"
say "Listening for syslog on 127.0.0.1:$port, UDP and TCP. Now a minute of a small province's traffic." \
	"Đang nhận syslog tại 127.0.0.1:$port, UDP và TCP. Sau đây là một phút lưu lượng của một tỉnh nhỏ."
echo
"$tocsin" alerts follow --since 1d -c "$config" &
follower=$!
bash deploy/demo/play.sh 127.0.0.1 "$port" || { echo "play.sh: $?" >&2; exit 3; }

# What the scenario must raise, and nothing else. The store needs a moment to settle and fold.
judge() {
	"$tocsin" alerts --since 1d --limit 0 --json -c "$config" |
		bash deploy/demo/judge.sh deploy/demo/expected.tsv >"$home/judged.txt"
}
for _ in $(seq 80); do
	judge && break
	sleep 0.25
done
sleep 1
judge
verdict=$?
echo
cat "$home/judged.txt"
"$tocsin" sources -c "$config"
say "Send it your own logs:   logger --server 127.0.0.1 --port $port --udp 'hello'     Look at alerts:   $tocsin alerts -c $config" \
	"Gửi nhật ký của bạn:   logger --server 127.0.0.1 --port $port --udp 'xin chao'     Xem cảnh báo:   $tocsin alerts -c $config"
if [ -t 1 ] && [ -t 0 ] && [ -z "${CI:-}" ]; then
	wait "$supervisor"
	exit $?
fi
exit $verdict
