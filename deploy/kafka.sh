#!/bin/sh
# A real broker of one node for tests and trials, from Maven Central.
#
#   deploy/kafka.sh fetch | start | stop | kill | wait | status | clean
#
# TOCSIN_KAFKA       folder of libraries and data (build/kafka)
# TOCSIN_KAFKA_PORT  port of the broker (19092); the controller takes the port above it
# TOCSIN_KAFKA_SASL  NAME:PASSWORD: also a listener with TLS and SASL (SCRAM-SHA-512, -256, PLAIN), two ports
#                    above; certificates are made in tls/ of the folder (ca.pem is for clients)
# TOCSIN_KAFKA_VERSION  of the libraries that are fetched (4.1.1)
#
# Every command may be repeated. 2: what is needed to run a broker cannot be had; 1: it failed.
set -eu

cd "$(dirname "$0")/.."
home=${TOCSIN_KAFKA:-build/kafka}
port=${TOCSIN_KAFKA_PORT:-19092}
control=$((port + 1))
safe=$((port + 2))
login=${TOCSIN_KAFKA_SASL:-}
version=${TOCSIN_KAFKA_VERSION:-4.1.1}

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

# An authority, and the broker's certificate for localhost and 127.0.0.1.
certify() {
	command -v openssl >/dev/null || absent "openssl is not installed"
	mkdir -p "$home/tls"
	[ -f "$home/tls/broker.pem" ] && return 0
	(
		cd "$home/tls"
		openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -keyout ca.key -out ca.pem \
			-subj '/CN=Tocsin test authority' -addext 'basicConstraints=critical,CA:TRUE'
		openssl req -newkey rsa:2048 -nodes -keyout broker.key -out broker.csr -subj /CN=localhost
		printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > san
		openssl x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -sha256 \
			-extfile san -out broker.crt
		cat broker.key broker.crt > broker.pem.part
		mv broker.pem.part broker.pem
	) >"$home/tls.log" 2>&1 || { cat "$home/tls.log" >&2; exit 1; }
}

# The second listener of server.properties.
sasl_listener() {
	scram=org.apache.kafka.common.security.scram.ScramLoginModule
	plain=org.apache.kafka.common.security.plain.PlainLoginModule
	cat <<-CONF
		sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
		listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$scram required;
		listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=$scram required;
		listener.name.sasl_ssl.plain.sasl.jaas.config=$plain required user_${login%%:*}="${login#*:}";
		ssl.keystore.type=PEM
		ssl.keystore.location=$home/tls/broker.pem
		ssl.truststore.type=PEM
		ssl.truststore.location=$home/tls/ca.pem
	CONF
}

configure() {
	more= protocols=
	if [ -n "$login" ]; then
		certify
		more=,SASL_SSL://127.0.0.1:$safe
		protocols=,SASL_SSL:SASL_SSL
	fi
	mkdir -p "$home/data"
	# Absolute, for the broker resolves the folder by itself.
	data=$(cd "$home/data" && pwd)
	cat > "$home/server.properties" <<-CONF
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$control
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control$more
		advertised.listeners=PLAINTEXT://127.0.0.1:$port$more
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAINTEXT
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT$protocols
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
	[ -z "$login" ] || sasl_listener >> "$home/server.properties"
	[ -f "$home/data/meta.properties" ] && return 0
	# 22 characters of base64url name the cluster; one may begin with '-', hence the '='.
	id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
	set -- --ignore-formatted
	if [ -n "$login" ]; then
		who=name=${login%%:*},password=${login#*:}
		set -- "$@" --add-scram "SCRAM-SHA-512=[$who]" --add-scram "SCRAM-SHA-256=[$who]"
	fi
	java -cp "$home/libs/*" kafka.tools.StorageTool format "--cluster-id=$id" \
		-c "$home/server.properties" "$@" >"$home/format.log" 2>&1 || {
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
*) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
