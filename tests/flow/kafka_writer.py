"""Writes to Kafka as others do, by Debian's python3-confluent-kafka; so it is run by /usr/bin/python3.

    kafka_writer.py '{"bootstrap.servers": ...}' create NAME:PARTITIONS ...
    kafka_writer.py ... delete NAME ...
    kafka_writer.py ... write [RATE]      lines of JSON: topic, value (null: a tombstone), partition?, at_ms?
    kafka_writer.py ... committed GROUP NAME PARTITIONS
"""
import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def write(settings, rate):
    # As Filebeat, Vector and Fluent Bit are set up by default or may be: compressed, batched.
    producer = Producer({"compression.codec": "zstd", "linger.ms": 20, "queue.buffering.max.messages": 1000000,
                         **settings})
    failed = []
    for number, line in enumerate(sys.stdin):
        record = json.loads(line)
        value = record["value"]
        more = {"partition": record["partition"]} if "partition" in record else {}
        if "at_ms" in record:
            more["timestamp"] = record["at_ms"]
        producer.produce(record["topic"], None if value is None else value.encode("utf-8", "surrogateescape"),
                         on_delivery=lambda error, _: failed.append(error) if error else None, **more)
        producer.poll(0)
        if rate and number % 20 == 19:
            time.sleep(20 / rate)
    producer.flush(60)
    for error in failed[:5]:
        print(error, file=sys.stderr)
    return 1 if failed else 0


def main():
    settings, what, words = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if what == "write":
        return write(settings, float(words[0]) if words else 0)
    if what == "committed":
        consumer = Consumer({**settings, "group.id": words[0]})
        places = [TopicPartition(words[1], p) for p in range(int(words[2]))]
        print(json.dumps([max(p.offset, -1) for p in consumer.committed(places, timeout=10)]))
        return 0
    admin = AdminClient(settings)
    if what == "create":
        made = admin.create_topics([NewTopic(name, int(count), 1) for name, count in
                                    (word.split(":") for word in words)])
    else:
        made = admin.delete_topics(words, operation_timeout=10)
    for future in made.values():
        future.result()
    return 0


sys.exit(main())
