#include "bus/bus.h"

#include "base/check.h"
#include "base/hash.h"
#include "bus/backend.h"

/* Never to change: records of a key would move to another partition. */
static const struct hash_key partition_key = {0x746f6373696e2e70, 0x6172746974696f6e};

static const struct bus_backend *const backends[] = {
#define BACKEND(name) &bus_##name,
#include "bus/backends.def"
#undef BACKEND
};

static const struct str topic_names[TOPIC_COUNT] = {
	[TOPIC_EVENTS] = {"events", 6},
	[TOPIC_DETECTIONS] = {"detections", 10},
	[TOPIC_ALERTS] = {"alerts", 6},
};

struct str bus_topic_name(enum bus_topic topic)
{
	CHECK(topic < TOPIC_COUNT);
	return topic_names[topic];
}

bool bus_topic_parse(struct str name, enum bus_topic *ret)
{
	for (unsigned i = 0; i < TOPIC_COUNT; i++) {
		if (str_eq(name, topic_names[i])) {
			*ret = (enum bus_topic)i;
			return true;
		}
	}
	return false;
}

static const struct bus_backend *backend_find(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++)
		if (str_eq(str_of(name), str_of(backends[i]->name)))
			return backends[i];
	return NULL;
}

int bus_open(struct bus **ret, const struct bus_options *options, struct error *error)
{
	const struct bus_backend *backend = backend_find(options->backend);

	if (backend == NULL)
		return error_set(error, ERR_DOCUMENT, TEXT_bus_backend, options->backend);
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		if (options->partitions[i] < 1 || options->partitions[i] > BUS_PARTITIONS_MAX)
			return error_set(error, ERR_DOCUMENT, TEXT_bus_partitions,
			    topic_names[i].ptr, BUS_PARTITIONS_MAX);
	int code = backend->open(ret, options, error);

	if (code == 0)
		(*ret)->backend = backend;
	return code;
}

void bus_close(struct bus *bus)
{
	if (bus != NULL)
		bus->backend->close(bus);
}

uint32_t bus_partitions(const struct bus *bus, enum bus_topic topic)
{
	CHECK(topic < TOPIC_COUNT);
	return bus->partitions[topic];
}

struct str bus_identity(const struct bus *bus)
{
	return str_of(bus->identity);
}

int bus_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag)
{
	CHECK(topic < TOPIC_COUNT && partition < bus->partitions[topic]);
	if (key.len > BUS_RECORD_MAX || value.len > BUS_RECORD_MAX - key.len)
		return BUS_TOO_LARGE;
	int code = bus->backend->publish(bus, topic, partition, key, value, tag);

	if (code == BUS_ACCEPTED) {
		bus->stats.published++;
		bus->stats.published_bytes += key.len + value.len;
	}
	return code;
}

static void stats_receipt(struct bus_stats *stats, enum receipt_status status)
{
	switch (status) {
	case RECEIPT_DURABLE:
		stats->durable++;
		break;
	case RECEIPT_UNKNOWN:
		stats->unknown++;
		break;
	case RECEIPT_REFUSED:
		stats->refused++;
		break;
	}
}

int bus_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	int count = bus->backend->receipts(bus, ret, max, timeout_ns, error);

	for (int i = 0; i < count; i++)
		stats_receipt(&bus->stats, ret[i].status);
	return count;
}

size_t bus_pending(const struct bus *bus)
{
	return bus->pending;
}

bool bus_is_eager(const struct bus *bus)
{
	return bus->eager;
}

int bus_flush(struct bus *bus, int64_t timeout_ns, struct error *error)
{
	return bus->backend->flush(bus, timeout_ns, error);
}

int bus_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error)
{
	CHECK(options->topic < TOPIC_COUNT);
	CHECK(options->group != NULL);
	for (size_t i = 0; options->partitions != NULL && i < options->partition_count; i++)
		CHECK(options->partitions[i] < bus->partitions[options->topic]);
	int code = bus->backend->reader_open(ret, bus, options, error);

	if (code == 0) {
		(*ret)->bus = bus;
		(*ret)->topic = options->topic;
		(*ret)->assignment = options->assignment;
	}
	return code;
}

void bus_reader_close(struct bus_reader *reader)
{
	if (reader != NULL)
		reader->bus->backend->reader_close(reader);
}

int bus_poll(struct bus_reader *reader, struct bus_record *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct bus_stats *stats = &reader->bus->stats;
	int count = reader->bus->backend->poll(reader, ret, max, timeout_ns, error);

	for (int i = 0; i < count; i++) {
		if (ret[i].kind == BUS_RECORD) {
			stats->polled++;
			continue;
		}
		stats->gaps++;
		if (ret[i].next > ret[i].offset)
			stats->gap_records += ret[i].next - ret[i].offset;
	}
	return count;
}

int bus_seek(struct bus_reader *reader, uint32_t partition, uint64_t offset, struct error *error)
{
	return reader->bus->backend->seek(reader, partition, offset, error);
}

int bus_commit(struct bus_reader *reader, uint32_t partition, uint64_t next, struct error *error)
{
	return reader->bus->backend->commit(reader, partition, next, error);
}

int bus_range(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t *ret_first,
    uint64_t *ret_next, struct error *error)
{
	CHECK(topic < TOPIC_COUNT && partition < bus->partitions[topic]);
	return bus->backend->range(bus, topic, partition, ret_first, ret_next, error);
}

int bus_fetch(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t offset,
    struct buf *out, struct error *error)
{
	CHECK(topic < TOPIC_COUNT);
	buf_clear(out);
	/* The place may come from stored evidence: a partition that is gone is only missing. */
	if (partition >= bus->partitions[topic])
		return error_set(error, ERR_MISSING, TEXT_bus_record_missing,
		    topic_names[topic].ptr, partition, offset);
	return bus->backend->fetch(bus, topic, partition, offset, out, error);
}

int bus_committed(struct bus *bus, const char *group, enum bus_topic topic, uint32_t partition,
    uint64_t *ret, struct error *error)
{
	CHECK(topic < TOPIC_COUNT && partition < bus->partitions[topic]);
	return bus->backend->committed(bus, group, topic, partition, ret, error);
}

uint32_t bus_partition_of(struct str key, uint32_t partitions)
{
	CHECK(partitions > 0);
	return (uint32_t)(hash_sip64(partition_key, key) % partitions);
}

void bus_stats(const struct bus *bus, struct bus_stats *ret)
{
	*ret = bus->stats;
}
