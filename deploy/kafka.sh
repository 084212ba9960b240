#!/bin/sh
# A real broker of one node for tests and trials, from Maven Central.
#
#   deploy/kafka.sh fetch | start | stop | kill | wait | status | clean
#
# TOCSIN_KAFKA       folder of libraries and data (build/kafka)
# TOCSIN_KAFKA_PORT  port of the broker (19092); the controller takes the port above it
#
# Every command may be repeated. 2: what is needed to run a broker cannot be had; 1: it failed.
set -eu

cd "$(dirname "$0")/.."
home=${TOCSIN_KAFKA:-build/kafka}
port=${TOCSIN_KAFKA_PORT:-19092}
control=$((port + 1))
version=4.1.1

absent() {
	echo "kafka.sh: $1" >&2
	exit 2
}

fetch() {
	[ -f "$home/libs/.whole" ] && return 0
	command -v java >/dev/null || absent "java is not installed (Debian: openjdk-17-jre-headless)"
	command -v mvn >/dev/null || absent "mvn is not installed (Debian: maven)"
	mkdir -p "$home/libs"
	cat > "$home/pom.xml" <<-POM
		<project xmlns="http://maven.apache.org/POM/4.0.0">
		<modelVersion>4.0.0</modelVersion>
		<groupId>tocsin</groupId><artifactId>kafka</artifactId><version>1</version>
		<dependencies>
		<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
		<version>$version</version></dependency>
		<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
		<version>1.7.36</version></dependency>
		</dependencies></project>
	POM
	(cd "$home" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory=libs >fetch.log 2>&1) ||
		absent "Maven Central did not give Kafka $version (see $home/fetch.log)"
	touch "$home/libs/.whole"
}

configure() {
	mkdir -p "$home/data"
	# Absolute, for the broker resolves the folder by itself.
	data=$(cd "$home/data" && pwd)
	cat > "$home/server.properties" <<-CONF
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$control
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control
		advertised.listeners=PLAINTEXT://127.0.0.1:$port
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAINTEXT
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
		log.dirs=$data
		num.network.threads=2
		num.io.threads=2
		offsets.topic.num.partitions=1
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		share.coordinator.state.topic.num.partitions=1
		group.initial.rebalance.delay.ms=0
		group.min.session.timeout.ms=1000
		auto.create.topics.enable=false
		log.segment.bytes=67108864
		log.cleaner.dedupe.buffer.size=8388608
		broker.session.timeout.ms=1500
		broker.heartbeat.interval.ms=300
	CONF
	[ -f "$home/data/meta.properties" ] && return 0
	# 22 characters of base64url name the cluster; one may begin with '-', hence the '='.
	id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
	java -cp "$home/libs/*" kafka.tools.StorageTool format "--cluster-id=$id" \
		-c "$home/server.properties" --ignore-formatted >"$home/format.log" 2>&1 || {
		cat "$home/format.log" >&2
		exit 1
	}
}

running() {
	[ -f "$home/pid" ] && kill -0 "$(cat "$home/pid")" 2>/dev/null
}


# The port is open a moment before the broker serves; the log tells when it does.
wait_ready() {
	tries=0
	until grep -q 'Kafka Server started' "$home/broker.log" 2>/dev/null; do
		running || { tail -5 "$home/broker.log" >&2; exit 1; }
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { echo "kafka.sh: the broker is not ready after 60 s" >&2; exit 1; }
		sleep 0.1
	done
}

start() {
	if running; then
		wait_ready
		return 0
	fi
	fetch
	configure
	archive=-XX:SharedArchiveFile=$home/kafka.jsa
	[ -f "$home/kafka.jsa" ] || archive=-XX:ArchiveClassesAtExit=$home/kafka.jsa
	: > "$home/broker.log"
	# Quiet but for the line that wait_ready looks for.
	log=-Dorg.slf4j.simpleLogger
	nohup java -Xms128m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
		"$log.defaultLogLevel=warn" "$log.log.kafka.server.KafkaRaftServer=info" \
		"$archive" -cp "$home/libs/*" kafka.Kafka "$home/server.properties" \
		>"$home/broker.log" 2>&1 </dev/null &
	echo $! > "$home/pid"
	wait_ready
}

# end SIGNAL
end() {
	running || { rm -f "$home/pid"; return 0; }
	pid=$(cat "$home/pid")
	kill "-$1" "$pid"
	tries=0
	while kill -0 "$pid" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || { kill -9 "$pid"; break; }
		sleep 0.1
	done
	rm -f "$home/pid"
}

case "${1:-}" in
fetch) fetch ;;
start) start; echo "127.0.0.1:$port" ;;
stop) end TERM ;;
kill) end KILL ;;
wait) wait_ready ;;
status) if running; then echo "127.0.0.1:$port"; else echo "not running"; exit 1; fi ;;
clean) end TERM; rm -rf "$home/data" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
