#!/bin/bash
# Plays scenario.txt to a syslog listener: play.sh HOST PORT
#
# Needs only bash and what every Debian has (logger, sort, sleep). The form of the lines stands at the
# head of scenario.txt; the narrative is acts.tsv.
#
# TOCSIN_DEMO_SPEED  2 plays twice as fast (default 1)
# TOCSIN_LANG        vi or en; else LC_ALL, LC_MESSAGES, LANG decide
set -u
host=${1:?host} port=${2:?port}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 3
case ${TOCSIN_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-en}}}} in vi*) column=2 ;; *) column=1 ;; esac
unset LC_ALL
export LC_TIME=C LC_NUMERIC=C

# Milliseconds of a decimal number of seconds.
to_ms() {
	local whole=${1%%.*} part=0
	[[ $1 == *.* ]] && part=${1#*.}000
	ms=$((10#${whole:-0} * 1000 + 10#${part:0:3}))
}
to_ms "${TOCSIN_DEMO_SPEED:-1}"
speed=$ms
((speed > 0)) || { echo "play.sh: TOCSIN_DEMO_SPEED=$TOCSIN_DEMO_SPEED" >&2; exit 2; }

now_ms() {
	local micro=${EPOCHREALTIME//[!0-9]/}
	now=$((micro / 1000))
}

vias=() lines=() order=()

# "12x40/8" -> forty entries "MS INDEX N", spread over eight seconds
schedule() {
	local at=$1 index=$2 times=1 over=0 first n
	if [[ $at =~ ^([0-9.]+)x([0-9]+)/([0-9.]+)$ ]]; then
		at=${BASH_REMATCH[1]} times=${BASH_REMATCH[2]}
		to_ms "${BASH_REMATCH[3]}"
		over=$ms
	fi
	to_ms "$at"
	first=$ms
	for ((n = 1; n <= times; n++)); do
		order+=("$((first + over * (n - 1) / times)) $index $n")
	done
}

read_scenario() {
	local at via about line
	while IFS='|' read -r at via about line; do
		[[ $at == '' || $at == '#'* ]] && continue
		vias+=("$via")
		lines+=("$line")
		schedule "$at" $((${#vias[@]} - 1))
	done <"$here/scenario.txt"
}

read_acts() {
	local at text
	while IFS=$'\t' read -r -a text; do
		at=${text[0]:-#}
		[[ $at == '#'* ]] && continue
		vias+=(say)
		lines+=("${text[column]}")
		schedule "$at" $((${#vias[@]} - 1))
	done <"$here/acts.tsv"
}

# Puts the time of now, and the number of the repetition, in the place of their marks.
fill() {
	local n=$1 zone
	printf -v zone '%(%z)T' -1
	if [[ $line == *'{rfc3164}'* ]]; then
		printf -v stamp '%(%b %e %H:%M:%S)T' -1
		line=${line//'{rfc3164}'/"$stamp"}
	fi
	if [[ $line == *'{iso}'* ]]; then
		printf -v stamp '%(%Y-%m-%dT%H:%M:%S)T' -1
		line=${line//'{iso}'/"$stamp${zone:0:3}:${zone:3}"}
	fi
	if [[ $line == *'{clf}'* ]]; then
		printf -v stamp '%(%d/%b/%Y:%H:%M:%S %z)T' -1
		line=${line//'{clf}'/"$stamp"}
	fi
	if [[ $line == *'{utc}'* ]]; then
		stamp=$(TZ=UTC0 printf '%(%Y-%m-%dT%H:%M:%S)T' -1)
		line=${line//'{utc}'/"${stamp}.000Z"}
	fi
	line=${line//'{epoch}'/"${EPOCHREALTIME%[!0-9]*}"}
	line=${line//'{n}'/"$n"}
}

# "auth.info sshd[5200] Failed password ..."
send_logger() {
	local prio=${line%% *} rest=${line#* } tag pid options=()
	tag=${rest%% *}
	rest=${rest#* }
	if [[ $tag == *']' ]]; then
		pid=${tag##*[}
		tag=${tag%[*}
		options+=("--id=${pid%]}")
	fi
	case $1 in
	logger-udp-*) options+=(--udp) ;;
	logger-tcp-*) options+=(--tcp) ;;
	esac
	options+=("--rfc${1##*-}")
	logger --server "$host" --port "$port" "${options[@]}" --priority "$prio" --tag "$tag" -- "$rest"
}

send() {
	line=${lines[$1]}
	case ${vias[$1]} in
	say) printf '\n-- %s\n' "$line" ;;
	tcp) fill "$2" && printf '%s\n' "$line" >&3 ;;
	logger-*) fill "$2" && send_logger "${vias[$1]}" ;;
	*) echo "play.sh: ${vias[$1]}" >&2 && return 1 ;;
	esac
}

read_acts
read_scenario
exec 3<>"/dev/tcp/$host/$port" || exit 3
now_ms
start=$now
while read -r at index n; do
	now_ms
	wait_ms=$((start + at * 1000 / speed - now))
	if ((wait_ms > 0)); then
		printf -v pause '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000))
		sleep "$pause"
	fi
	send "$index" "$n" || exit 3
done < <(printf '%s\n' "${order[@]}" | sort -s -n -k 1,1)
exec 3>&-
