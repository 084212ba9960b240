#!/bin/bash
# Compares alerts (tocsin alerts --json, on the standard input) with those that the scenario must raise:
#   judge.sh expected.tsv <alerts.json
# Prints what is missing, what is too much, and a line that sums up. 0: exactly these; 1: not.
set -u
expected=${1:?expected.tsv}
case ${TOCSIN_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-en}}}} in vi*) vi=1 ;; *) vi= ;; esac
say() { if [ -n "$vi" ]; then printf "$2\n" "${@:3}"; else printf "$1\n" "${@:3}"; fi; }

declare -A wanted=() about=() seen=() title=()

while IFS=$'\t' read -r id entity comment; do
	[[ $id == '' || $id == '#'* ]] && continue
	entity=${entity//'{hostname}'/"${HOSTNAME%%.*}"}
	entity=${entity//'{nodename}'/"$HOSTNAME"}
	wanted["$id $entity"]=1
	about["$id $entity"]=$comment
done <"$expected"

# "groups":[{"name":"host","value":"web01"},...] -> host=web01 ...
take_entity() {
	local rest=$1
	entity=
	while [[ $rest =~ \"name\":\"([^\"]*)\",\"value\":\"([^\"]*)\"(.*) ]]; do
		entity+=${entity:+ }${BASH_REMATCH[1]}=${BASH_REMATCH[2]}
		rest=${BASH_REMATCH[3]}
	done
}

rule='"rule":\{"id":"([^"]*)","title":"([^"]*)"'
groups='"groups":\[([^]]*)\]'
while IFS= read -r line; do
	[[ $line =~ $rule ]] || continue
	id=${BASH_REMATCH[1]} name=${BASH_REMATCH[2]}
	[[ $line =~ $groups ]] && take_entity "${BASH_REMATCH[1]}" || entity=
	seen["$id $entity"]=$((${seen["$id $entity"]:-0} + 1))
	title["$id $entity"]=$name
done

wrong=0
for one in "${!wanted[@]}"; do
	[[ -n ${seen[$one]:-} ]] && continue
	say 'missing: %s (%s)' 'thiếu: %s (%s)' "$one" "${about[$one]}"
	wrong=$((wrong + 1))
done
for one in "${!seen[@]}"; do
	if [[ -z ${wanted[$one]:-} ]]; then
		say 'not expected: %s (%s)' 'ngoài dự kiến: %s (%s)' "$one" "${title[$one]}"
		wrong=$((wrong + 1))
	elif ((seen[$one] > 1)); then
		say 'raised %s times: %s (%s)' 'phát %s lần: %s (%s)' "${seen[$one]}" "$one" "${title[$one]}"
		wrong=$((wrong + 1))
	fi
done
if ((wrong == 0)); then
	say 'Exactly the %s alerts that the scenario must raise.' \
		'Đúng %s cảnh báo mà kịch bản phải tạo ra, không thừa, không thiếu.' "${#wanted[@]}"
	exit 0
fi
say '%s differences from the %s alerts that the scenario must raise.' \
	'%s sai khác so với %s cảnh báo mà kịch bản phải tạo ra.' "$wrong" "${#wanted[@]}"
exit 1
