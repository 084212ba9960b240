/*
 * bus_local.c - the bus on one machine: a folder of append-only LMDB files, no broker.
 *
 * This file opens the folder and answers questions about it; see local.h for the others. Several
 * processes may publish and read at the same time. The folder's identity and partition counts are
 * written once, when it is made, and win over the options of later openings.
 */
#include "bus/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

enum { FOLDER_TEXT = 512 };
#define FOLDER_MAGIC "tocsin.bus 1"

/* "tocsin.bus 1\nidentity 0123456789abcdef\nevents 4\ndetections 4\nalerts 1\n" */
static bool folder_parse(struct bus *bus, struct str text)
{
	struct str line, word;
	uint64_t count;

	if (!str_cut(&text, '\n', &line) || !str_eq(line, STR(FOLDER_MAGIC)))
		return false;
	if (!str_cut(&text, '\n', &line) || !str_cut(&line, ' ', &word)
	    || !str_eq(word, STR("identity")) || line.len != LOCAL_IDENTITY)
		return false;
	memcpy(bus->identity, line.ptr, LOCAL_IDENTITY);
	bus->identity[LOCAL_IDENTITY] = '\0';
	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		if (!str_cut(&text, '\n', &line) || !str_cut(&line, ' ', &word)
		    || !str_eq(word, bus_topic_name((enum bus_topic)t))
		    || !str_to_u64(line, &count) || count < 1 || count > BUS_PARTITIONS_MAX)
			return false;
		bus->partitions[t] = (uint32_t)count;
	}
	return true;
}

static int folder_make(const char *path, const uint32_t *partitions, struct error *error)
{
	struct buf text = BUF(FOLDER_TEXT);
	uint64_t identity;
	int code;

	if (!hash_random(&identity, sizeof(identity)))
		return error_system(error, EIO, TEXT_base_read, "getrandom");
	buf_printf(&text, FOLDER_MAGIC "\nidentity %016llx\n", (unsigned long long)identity);
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		buf_printf(&text, "%.*s %u\n", STR_ARG(bus_topic_name((enum bus_topic)t)),
		    partitions[t]);
	code = text.failed ? error_set(error, ERR_MEMORY, TEXT_base_memory)
	    : file_replace(path, buf_str(&text), 0640, error);
	buf_free(&text);
	return code;
}

static int folder_load(struct local_bus *bus, const char *path, struct error *error)
{
	struct arena *arena = arena_new(16 * FOLDER_TEXT);
	struct str text;
	int code;

	if (arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = access(path, F_OK) == 0 ? 0 : folder_make(path, bus->limits.partitions, error);
	if (code == 0)
		code = file_read(arena, path, FOLDER_TEXT, &text, error);
	if (code == 0 && !folder_parse(&bus->bus, text))
		code = error_set(error, ERR_FOREIGN, TEXT_bus_folder, path);
	arena_free(arena);
	return code;
}

static int folder_open_locked(struct local_bus *bus, int lock, struct error *error)
{
	char *path = NULL;
	int code;

	while (flock(lock, LOCK_EX) != 0)
		if (errno != EINTR)
			return error_system(error, errno, TEXT_base_open, bus->limits.path);
	if (asprintf(&path, "%s/bus", bus->limits.path) < 0)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = folder_load(bus, path, error);
	free(path);
	return code;
}

static int folder_open(struct local_bus *bus, struct error *error)
{
	int lock, code = file_make_folder(bus->limits.path, 0750, error);

	if (code != 0)
		return code;
	lock = open(bus->limits.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return error_system(error, errno, TEXT_base_open, bus->limits.path);
	code = folder_open_locked(bus, lock, error);
	(void)close(lock);
	for (unsigned t = 0; t < TOPIC_COUNT && code == 0; t++)
		code = topic_open(&bus->topics[t], bus->limits.path, (enum bus_topic)t,
		    bus->bus.partitions[t], bus->bus.identity, &bus->limits, error);
	return code;
}

static void local_close(struct bus *base)
{
	struct local_bus *bus = (struct local_bus *)base;

	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		local_queue_free(&bus->queues[t]);
		topic_close(bus->topics[t]);
	}
	free(bus->receipts);
	free((char *)(uintptr_t)bus->limits.path);
	free(bus);
}

static int local_open(struct bus **ret, const struct bus_options *options, struct error *error)
{
	struct local_bus *bus = calloc(1, sizeof(*bus));
	int code;

	if (bus == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		bus->queues[t].end = &bus->queues[t].first;
	bus->limits = *options;
	bus->limits.path = options->path == NULL ? NULL : strdup(options->path);
	bus->receipts = calloc(LOCAL_RECEIPTS, sizeof(*bus->receipts));
	if (bus->limits.path == NULL || bus->receipts == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	else
		code = folder_open(bus, error);
	if (code != 0) {
		local_close(&bus->bus);
		return code;
	}
	bus->bus.stats.connected = true;
	*ret = &bus->bus;
	return 0;
}

static int local_range(struct bus *base, enum bus_topic topic, uint32_t partition,
    uint64_t *ret_first, uint64_t *ret_next, struct error *error)
{
	struct local_topic *chain = ((struct local_bus *)base)->topics[topic];
	int code = topic_refresh(chain, error);

	if (code == 0)
		code = topic_range(chain, partition, ret_first, ret_next, error);
	mark_set(chain, 0);
	return code;
}

static int row_fetch(struct local_segment *segment, uint32_t partition, uint64_t offset,
    struct buf *out, struct error *error)
{
	struct local_record record;
	struct db_txn *txn;
	struct str row;
	char key[8];
	int code = db_begin(segment->db, false, &txn, error);

	if (code != 0)
		return code;
	db_key_u64(key, offset);
	code = db_get(txn, TABLE_PARTITION + partition, str_from(key, sizeof(key)), &row, error);
	if (code == DB_FOUND && !local_record_parse(row, &record))
		code = error_set(error, ERR_CORRUPT, TEXT_bus_segment, db_path(segment->db),
		    (unsigned long long)segment->sequence);
	else if (code == DB_FOUND)
		buf_str_put(out, record.value);
	db_abort(txn);
	if (code == DB_FOUND && out->failed)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	return code;
}

static int local_fetch(struct bus *base, enum bus_topic topic, uint32_t partition,
    uint64_t offset, struct buf *out, struct error *error)
{
	struct local_topic *chain = ((struct local_bus *)base)->topics[topic];
	struct local_segment *segment = NULL;
	struct error why;
	uint64_t end;
	int code = topic_refresh(chain, error);

	if (code == 0)
		code = topic_find(chain, partition, offset, &segment, &end, error);
	if (code != 0) {
		mark_set(chain, 0);
		return code;
	}
	error_clear(&why);
	code = segment == NULL ? ERR_MISSING : segment_load(chain, segment, &why);
	if (code == 0)
		code = segment->state != SEGMENT_GOOD ? ERR_MISSING
		    : row_fetch(segment, partition, offset, out, &why);
	mark_set(chain, 0);
	if (code == DB_NOT_FOUND || code == ERR_MISSING)
		return error_set(error, ERR_MISSING, TEXT_bus_record_missing,
		    bus_topic_name(topic).ptr, partition, offset);
	if (code != 0 && error != NULL && error->code == 0)
		*error = why;
	return code;
}

static int local_committed(struct bus *base, const char *group, enum bus_topic topic,
    uint32_t partition, uint64_t *ret, struct error *error)
{
	return group_get(((struct local_bus *)base)->topics[topic], group, partition, ret, error);
}

int local_trim(struct bus *base, const char *group, enum bus_topic topic, uint64_t next,
    struct error *error)
{
	struct local_topic *chain = ((struct local_bus *)base)->topics[topic];
	int code;

	/* most often there is nothing to remove */
	if (chain->count < 2 || (chain->segments[1]->state == SEGMENT_GOOD &&
	    chain->segments[1]->base[0] > next))
		return 0;
	code = group_sync(chain, group, 0, error);
	if (code == 0)
		code = topic_lock(chain, error);
	if (code != 0)
		return code;
	code = topic_refresh(chain, error);
	if (code == 0)
		code = topic_drop_before(chain, next, error);
	mark_set(chain, 0);
	topic_unlock(chain);
	return code;
}

int local_clear(struct bus *base, const char *group, enum bus_topic topic, struct error *error)
{
	struct local_topic *chain = ((struct local_bus *)base)->topics[topic];
	/* first the position: a death between repeats records, the other order loses some */
	int code = group_put(chain, group, 0, 0, error);

	if (code == 0)
		code = group_sync(chain, group, 0, error);
	if (code == 0)
		code = topic_lock(chain, error);
	if (code != 0)
		return code;
	code = topic_refresh(chain, error);
	if (code == 0)
		code = topic_drop_all(chain, error);
	mark_set(chain, 0);
	topic_unlock(chain);
	return code;
}

const struct bus_backend bus_local = {
	.name = "local",
	.open = local_open,
	.close = local_close,
	.publish = local_publish,
	.receipts = local_receipts,
	.flush = local_flush,
	.reader_open = local_reader_open,
	.reader_close = local_reader_close,
	.poll = local_poll,
	.seek = local_seek,
	.commit = local_commit,
	.range = local_range,
	.fetch = local_fetch,
	.committed = local_committed,
};
