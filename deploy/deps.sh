#!/bin/sh
# Installs the Debian packages that are missing, asking nothing.   deploy/deps.sh run|test
set -eu

run="gcc make libc6-dev librdkafka-dev libpcre2-dev libjansson-dev liblmdb-dev libyaml-dev zlib1g-dev libssl-dev bsdutils"
test="$run libcmocka-dev clang libclang-rt-14-dev python3 rsyslog rsyslog-relp rsyslog-kafka rsyslog-elasticsearch libcurl4 python3-fluent-logger python3-confluent-kafka kcat openjdk-17-jre-headless maven \
	openssl rsyslog-gnutls rsyslog-openssl haproxy libivykis0 libnet1 libjson-c5 libpcre3 libwrap0 \
	binutils procps iproute2 bash"

case "${1:-run}" in
run) want=$run ;;
test) want=$test ;;
*) echo "deps.sh: run or test" >&2; exit 2 ;;
esac

missing=
for package in $want; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
	installed) ;;
	*)
		# A program that came another way (a newer compiler, another JDK) is as good as its package.
		case $package in
		python3|maven|openjdk-17-jre-headless)
			tool=$package
			[ "$package" = maven ] && tool=mvn
			[ "$package" = openjdk-17-jre-headless ] && tool=java
			command -v "$tool" >/dev/null 2>&1 && continue ;;
		esac
		missing="$missing $package" ;;
	esac
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps.sh: missing packages:$missing" >&2
	echo "deps.sh: install them as root: apt-get install$missing" >&2
	exit 1
fi
echo "installing:$missing"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# An old list of packages names versions that are gone: one update, then once more.
if ! apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1; then
	apt-get update -q >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
rm -f "$log"
