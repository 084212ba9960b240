/*
 * bus_memory.c - a bus within one process, for tests and replay.
 *
 * A log is shared by the handles that name it (path), else private to its handle. A named one goes
 * with its last handle, but for memory_durable, which keeps it for the life of the process. What is
 * published waits in its handle until bus_receipts or bus_flush, as a group commit would; bus_close
 * drops it. Nothing depends on time or chance. Records are counted references: a
 * reader keeps what it handed out until its next poll, whatever retention does meanwhile.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "bus/backend.h"

#define RETAIN_BYTES_DEFAULT (UINT64_C(256) << 20)
#define QUEUE_BYTES_DEFAULT  (UINT64_C(64) << 20)
#define RECEIPTS_MAX         65536
#define READER_BATCH_MAX     65536

struct memory_record {
	unsigned references; /* under the log's lock */
	enum bus_topic topic;
	uint32_t partition;
	uint64_t tag;
	size_t key_len, value_len;
	struct memory_record *next; /* in a handle's queue */
	char bytes[];
};

/* A ring: offset o is at ring[o % capacity], capacity a power of two. */
struct memory_partition {
	struct memory_record **ring;
	size_t capacity;
	uint64_t first, next;
	uint64_t bytes;
};

struct memory_group {
	struct memory_group *next_group;
	char *name;
	enum bus_topic topic;
	uint32_t partition;
	uint64_t next;
};

struct memory_log {
	struct memory_log *next_log;
	char *name; /* NULL: private */
	unsigned handles; /* under named_logs_lock */
	bool durable;
	uint32_t partitions[TOPIC_COUNT];
	struct memory_partition *topics[TOPIC_COUNT];
	struct memory_group *groups;
	uint64_t retain_bytes;
	pthread_mutex_t lock;
	pthread_cond_t grown;
};

struct bus_in_memory {
	struct bus bus;
	struct memory_log *log;
	uint64_t queue_bytes;
	struct memory_record *queue, **queue_end;
	struct bus_receipt *receipts; /* ring */
	size_t receipt_head, receipt_count;
};

struct memory_reader {
	struct bus_reader reader;
	char *group;
	size_t count, turn; /* turn: partition that the next poll begins with */
	bool assigned;
	struct memory_position {
		uint32_t partition;
		uint64_t offset;
	} *positions;
	struct memory_record **held;
	size_t held_count, held_capacity;
};

static struct memory_log *named_logs;
static pthread_mutex_t named_logs_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the log ---- */

static void record_release(struct memory_record *record)
{
	if (--record->references == 0)
		free(record);
}

static void log_free(struct memory_log *log)
{
	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		for (uint32_t p = 0; log->topics[t] != NULL && p < log->partitions[t]; p++) {
			struct memory_partition *part = &log->topics[t][p];

			for (uint64_t o = part->first; o < part->next; o++)
				record_release(part->ring[o & (part->capacity - 1)]);
			free(part->ring);
		}
		free(log->topics[t]);
	}
	while (log->groups != NULL) {
		struct memory_group *group = log->groups;

		log->groups = group->next_group;
		free(group->name);
		free(group);
	}
	pthread_mutex_destroy(&log->lock);
	pthread_cond_destroy(&log->grown);
	free(log->name);
	free(log);
}

static struct memory_log *log_new(const struct bus_options *options, const char *name)
{
	struct memory_log *log = calloc(1, sizeof(*log));
	pthread_condattr_t attribute;

	if (log == NULL)
		return NULL;
	pthread_mutex_init(&log->lock, NULL);
	pthread_condattr_init(&attribute);
	pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC);
	pthread_cond_init(&log->grown, &attribute);
	pthread_condattr_destroy(&attribute);
	log->retain_bytes =
	    options->retain_bytes != 0 ? options->retain_bytes : RETAIN_BYTES_DEFAULT;
	bool ok = name == NULL || (log->name = strdup(name)) != NULL;

	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		log->partitions[t] = options->partitions[t];
		log->topics[t] = calloc(log->partitions[t], sizeof(*log->topics[t]));
		ok = ok && log->topics[t] != NULL;
	}
	if (ok)
		return log;
	log_free(log);
	return NULL;
}

static struct memory_log *log_named(const struct bus_options *options)
{
	struct memory_log *log;

	pthread_mutex_lock(&named_logs_lock);
	for (log = named_logs; log != NULL; log = log->next_log) {
		if (strcmp(log->name, options->path) == 0)
			break;
	}
	if (log == NULL) {
		log = log_new(options, options->path);
		if (log != NULL) {
			log->durable = options->memory_durable;
			log->next_log = named_logs;
			named_logs = log;
		}
	}
	if (log != NULL)
		log->handles++;
	pthread_mutex_unlock(&named_logs_lock);
	return log;
}

/* The last handle takes a named log with it, unless it was made to stay. */
static void log_leave(struct memory_log *log)
{
	struct memory_log **at = &named_logs;

	if (log->name == NULL) {
		log_free(log);
		return;
	}
	pthread_mutex_lock(&named_logs_lock);
	if (--log->handles == 0 && !log->durable) {
		while (*at != log)
			at = &(*at)->next_log;
		*at = log->next_log;
		log_free(log);
	}
	pthread_mutex_unlock(&named_logs_lock);
}

static bool partition_grow(struct memory_partition *part)
{
	size_t capacity = part->capacity == 0 ? 64 : part->capacity * 2;
	struct memory_record **ring = calloc(capacity, sizeof(*ring));

	if (ring == NULL)
		return false;
	for (uint64_t o = part->first; o < part->next; o++)
		ring[o & (capacity - 1)] = part->ring[o & (part->capacity - 1)];
	free(part->ring);
	part->ring = ring;
	part->capacity = capacity;
	return true;
}

static size_t record_bytes(const struct memory_record *record)
{
	return record->key_len + record->value_len;
}

/* Each partition has its share of the topic's bytes, and keeps its last record in any case. */
static void partition_retain(struct memory_partition *part, uint64_t most)
{
	while (part->bytes > most && part->next - part->first > 1) {
		struct memory_record *oldest = part->ring[part->first & (part->capacity - 1)];

		part->bytes -= record_bytes(oldest);
		part->first++;
		record_release(oldest);
	}
}

/* The log takes over the reference. */
static bool log_append(struct memory_log *log, struct memory_record *record, uint64_t *ret)
{
	struct memory_partition *part = &log->topics[record->topic][record->partition];

	if (part->next - part->first == part->capacity && !partition_grow(part))
		return false;
	*ret = part->next++;
	part->ring[*ret & (part->capacity - 1)] = record;
	part->bytes += record_bytes(record);
	partition_retain(part, log->retain_bytes / log->partitions[record->topic]);
	return true;
}

/* ---- the handle ---- */

static int memory_open(struct bus **ret, const struct bus_options *options, struct error *error)
{
	struct bus_in_memory *memory = calloc(1, sizeof(*memory));
	bool named = options->path != NULL;

	if (memory == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	memory->receipts = calloc(RECEIPTS_MAX, sizeof(*memory->receipts));
	memory->log = named ? log_named(options) : log_new(options, NULL);
	if (memory->receipts == NULL || memory->log == NULL) {
		free(memory->receipts);
		free(memory);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	memory->queue_end = &memory->queue;
	memory->queue_bytes =
	    options->queue_bytes != 0 ? options->queue_bytes : QUEUE_BYTES_DEFAULT;
	memcpy(memory->bus.partitions, memory->log->partitions, sizeof(memory->bus.partitions));
	snprintf(memory->bus.identity, sizeof(memory->bus.identity), "memory-%016lx",
	    hash_sip64((struct hash_key){0, 0}, named ? str_of(options->path) : STR("")));
	memory->bus.stats.connected = true;
	*ret = &memory->bus;
	return 0;
}

static void memory_close(struct bus *bus)
{
	struct bus_in_memory *memory = (struct bus_in_memory *)bus;

	while (memory->queue != NULL) {
		struct memory_record *record = memory->queue;

		memory->queue = record->next;
		free(record);
	}
	log_leave(memory->log);
	free(memory->receipts);
	free(memory);
}

static int memory_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag)
{
	struct bus_in_memory *memory = (struct bus_in_memory *)bus;
	size_t size = key.len + value.len;

	if (bus->pending > 0 && bus->stats.pending_bytes + size > memory->queue_bytes)
		return BUS_BUSY;
	if (bus->pending + memory->receipt_count >= RECEIPTS_MAX)
		return BUS_BUSY;
	struct memory_record *record = malloc(sizeof(*record) + size);

	if (record == NULL)
		return ERR_MEMORY;
	*record = (struct memory_record){.references = 1, .topic = topic, .partition = partition,
	    .tag = tag, .key_len = key.len, .value_len = value.len};
	if (key.len > 0)
		memcpy(record->bytes, key.ptr, key.len);
	if (value.len > 0)
		memcpy(record->bytes + key.len, value.ptr, value.len);
	*memory->queue_end = record;
	memory->queue_end = &record->next;
	bus->pending++;
	bus->stats.pending_bytes += size;
	return BUS_ACCEPTED;
}

static void receipt_add(struct bus_in_memory *memory, const struct bus_receipt *receipt)
{
	size_t at = (memory->receipt_head + memory->receipt_count++) % RECEIPTS_MAX;

	memory->receipts[at] = *receipt;
}

static int memory_commit_queue(struct bus_in_memory *memory, struct error *error)
{
	struct memory_log *log = memory->log;
	struct memory_record *record;
	int code = 0;

	if (memory->queue == NULL)
		return 0;
	pthread_mutex_lock(&log->lock);
	while ((record = memory->queue) != NULL) {
		struct bus_receipt receipt = {record->tag, RECEIPT_DURABLE, record->topic,
		    record->partition, 0};
		struct memory_record *next = record->next;
		size_t size = record_bytes(record);

		if (!log_append(log, record, &receipt.offset)) {
			code = error_set(error, ERR_MEMORY, TEXT_base_memory);
			break;
		}
		memory->queue = next;
		memory->bus.pending--;
		memory->bus.stats.pending_bytes -= size;
		receipt_add(memory, &receipt);
	}
	if (memory->queue == NULL)
		memory->queue_end = &memory->queue;
	pthread_cond_broadcast(&log->grown);
	pthread_mutex_unlock(&log->lock);
	memory->bus.stats.commits++;
	return code;
}

static int memory_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct bus_in_memory *memory = (struct bus_in_memory *)bus;
	int code = memory_commit_queue(memory, error);
	int count = 0;

	(void)timeout_ns; /* nothing can arrive later */
	if (code < 0)
		return code;
	while ((size_t)count < max && memory->receipt_count > 0) {
		ret[count++] = memory->receipts[memory->receipt_head];
		memory->receipt_head = (memory->receipt_head + 1) % RECEIPTS_MAX;
		memory->receipt_count--;
	}
	return count;
}

static int memory_flush(struct bus *bus, int64_t timeout_ns, struct error *error)
{
	(void)timeout_ns;
	return memory_commit_queue((struct bus_in_memory *)bus, error);
}

/* ---- the reader ---- */

static void reader_free(struct memory_reader *reader)
{
	free(reader->group);
	free(reader->positions);
	free(reader->held);
	free(reader);
}

static int memory_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error)
{
	struct memory_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	reader->count = options->partitions != NULL ? options->partition_count
	    : bus->partitions[options->topic];
	reader->group = strdup(options->group);
	reader->positions = calloc(reader->count + 1, sizeof(*reader->positions));
	if (reader->group == NULL || reader->positions == NULL) {
		reader_free(reader);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	for (size_t i = 0; i < reader->count; i++)
		reader->positions[i].partition =
		    options->partitions != NULL ? options->partitions[i] : (uint32_t)i;
	*ret = &reader->reader;
	return 0;
}

static struct memory_log *reader_log(const struct memory_reader *reader)
{
	return ((struct bus_in_memory *)reader->reader.bus)->log;
}

static void reader_let_go(struct memory_reader *reader)
{
	struct memory_log *log = reader_log(reader);

	if (reader->held_count == 0)
		return;
	pthread_mutex_lock(&log->lock);
	while (reader->held_count > 0)
		record_release(reader->held[--reader->held_count]);
	pthread_mutex_unlock(&log->lock);
}

static void memory_reader_close(struct bus_reader *base)
{
	struct memory_reader *reader = (struct memory_reader *)base;
	const struct bus_assignment *assignment = &base->assignment;

	reader_let_go(reader);
	if (reader->assigned && assignment->on_revoke != NULL)
		for (size_t i = 0; i < reader->count; i++)
			assignment->on_revoke(assignment->context, base->topic,
			    reader->positions[i].partition, false);
	reader_free(reader);
}

static struct memory_group *group_find(struct memory_log *log, const char *name,
    enum bus_topic topic, uint32_t partition)
{
	for (struct memory_group *group = log->groups; group != NULL; group = group->next_group)
		if (group->topic == topic && group->partition == partition &&
		    strcmp(group->name, name) == 0)
			return group;
	return NULL;
}

static int memory_committed(struct bus *bus, const char *name, enum bus_topic topic,
    uint32_t partition, uint64_t *ret, struct error *error)
{
	struct memory_log *log = ((struct bus_in_memory *)bus)->log;

	(void)error;
	pthread_mutex_lock(&log->lock);
	struct memory_group *group = group_find(log, name, topic, partition);

	*ret = group != NULL ? group->next : UINT64_MAX;
	pthread_mutex_unlock(&log->lock);
	return 0;
}

static int memory_range(struct bus *bus, enum bus_topic topic, uint32_t partition,
    uint64_t *ret_first, uint64_t *ret_next, struct error *error)
{
	struct memory_log *log = ((struct bus_in_memory *)bus)->log;

	(void)error;
	pthread_mutex_lock(&log->lock);
	*ret_first = log->topics[topic][partition].first;
	*ret_next = log->topics[topic][partition].next;
	pthread_mutex_unlock(&log->lock);
	return 0;
}

static int reader_assign(struct memory_reader *reader, struct error *error)
{
	const struct bus_assignment *assignment = &reader->reader.assignment;
	struct bus *bus = reader->reader.bus;
	enum bus_topic topic = reader->reader.topic;
	uint64_t next;

	for (size_t i = 0; i < reader->count; i++) {
		struct memory_position *at = &reader->positions[i];
		int code = 0;

		at->offset = UINT64_MAX;
		if (assignment->on_assign != NULL)
			code = assignment->on_assign(assignment->context, topic, at->partition,
			    &at->offset);
		if (code == 0 && at->offset == UINT64_MAX)
			code = memory_committed(bus, reader->group, topic, at->partition,
			    &at->offset, error);
		if (code == 0 && at->offset == UINT64_MAX)
			code = memory_range(bus, topic, at->partition, &at->offset, &next, error);
		if (code < 0)
			return code;
	}
	reader->assigned = true;
	return 0;
}

/* What is at a position: a gap, a record, or nothing yet. Under the log's lock. */
static bool reader_take(struct memory_reader *reader, struct memory_position *at,
    struct bus_record *ret)
{
	const struct memory_partition *part =
	    &reader_log(reader)->topics[reader->reader.topic][at->partition];

	*ret = (struct bus_record){.topic = reader->reader.topic, .partition = at->partition,
	    .offset = at->offset};
	if (at->offset < part->first || at->offset > part->next) {
		ret->kind = BUS_GAP;
		ret->next = at->offset = part->first;
		return true;
	}
	if (at->offset == part->next)
		return false;
	struct memory_record *record = part->ring[at->offset & (part->capacity - 1)];

	record->references++;
	reader->held[reader->held_count++] = record;
	ret->kind = BUS_RECORD;
	ret->next = ++at->offset;
	ret->key = str_from(record->bytes, record->key_len);
	ret->value = str_from(record->bytes + record->key_len, record->value_len);
	return true;
}

static int reader_collect(struct memory_reader *reader, struct bus_record *ret, size_t max)
{
	int count = 0;

	for (size_t i = 0; i < reader->count && (size_t)count < max; i++) {
		struct memory_position *at = &reader->positions[(reader->turn + i) % reader->count];

		while ((size_t)count < max && reader_take(reader, at, &ret[count]))
			count++;
	}
	if (reader->count > 0)
		reader->turn = (reader->turn + 1) % reader->count;
	return count;
}

static struct timespec deadline_after(int64_t timeout_ns)
{
	int64_t at = clock_monotonic_ns() + timeout_ns;

	return (struct timespec){.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};
}

static int memory_poll(struct bus_reader *base, struct bus_record *ret, size_t max,
    int64_t timeout_ns, struct error *error)
{
	struct memory_reader *reader = (struct memory_reader *)base;
	struct memory_log *log = reader_log(reader);
	struct timespec deadline = deadline_after(timeout_ns);
	int code = reader->assigned ? 0 : reader_assign(reader, error);

	if (code < 0)
		return code;
	reader_let_go(reader);
	max = max < READER_BATCH_MAX ? max : READER_BATCH_MAX;
	if (reader->held_capacity < max) {
		struct memory_record **held = realloc(reader->held, max * sizeof(*held));

		if (held == NULL)
			return error_set(error, ERR_MEMORY, TEXT_base_memory);
		reader->held = held;
		reader->held_capacity = max;
	}
	pthread_mutex_lock(&log->lock);
	int count = reader_collect(reader, ret, max);

	while (count == 0 && timeout_ns > 0 &&
	    pthread_cond_timedwait(&log->grown, &log->lock, &deadline) == 0)
		count = reader_collect(reader, ret, max);
	pthread_mutex_unlock(&log->lock);
	return count;
}

static struct memory_position *reader_position(struct memory_reader *reader, uint32_t partition)
{
	for (size_t i = 0; i < reader->count; i++)
		if (reader->positions[i].partition == partition)
			return &reader->positions[i];
	return NULL;
}

static int memory_seek(struct bus_reader *base, uint32_t partition, uint64_t offset,
    struct error *error)
{
	struct memory_reader *reader = (struct memory_reader *)base;
	int code = reader->assigned ? 0 : reader_assign(reader, error);

	if (code < 0)
		return code;
	struct memory_position *at = reader_position(reader, partition);

	CHECK(at != NULL);
	at->offset = offset;
	return 0;
}

static int memory_commit(struct bus_reader *base, uint32_t partition, uint64_t next,
    struct error *error)
{
	struct memory_reader *reader = (struct memory_reader *)base;
	struct memory_log *log = reader_log(reader);

	pthread_mutex_lock(&log->lock);
	struct memory_group *group = group_find(log, reader->group, base->topic, partition);

	if (group == NULL && (group = calloc(1, sizeof(*group))) != NULL) {
		group->name = strdup(reader->group);
		group->topic = base->topic;
		group->partition = partition;
		if (group->name == NULL) {
			free(group);
			group = NULL;
		} else {
			group->next_group = log->groups;
			log->groups = group;
		}
	}
	if (group != NULL)
		group->next = next;
	pthread_mutex_unlock(&log->lock);
	return group != NULL ? 0 : error_set(error, ERR_MEMORY, TEXT_base_memory);
}

static int memory_fetch(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t offset,
    struct buf *out, struct error *error)
{
	struct memory_log *log = ((struct bus_in_memory *)bus)->log;
	struct memory_partition *part = &log->topics[topic][partition];
	bool found = false;

	pthread_mutex_lock(&log->lock);
	if (offset >= part->first && offset < part->next) {
		struct memory_record *record = part->ring[offset & (part->capacity - 1)];

		buf_put(out, record->bytes + record->key_len, record->value_len);
		found = true;
	}
	pthread_mutex_unlock(&log->lock);
	if (!found)
		return error_set(error, ERR_MISSING, TEXT_bus_record_missing,
		    bus_topic_name(topic).ptr, partition, offset);
	return out->failed ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
}

const struct bus_backend bus_memory = {
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.publish = memory_publish,
	.receipts = memory_receipts,
	.flush = memory_flush,
	.reader_open = memory_reader_open,
	.reader_close = memory_reader_close,
	.poll = memory_poll,
	.seek = memory_seek,
	.commit = memory_commit,
	.range = memory_range,
	.fetch = memory_fetch,
	.committed = memory_committed,
};
