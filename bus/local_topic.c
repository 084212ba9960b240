/*
 * local_topic.c - a topic as a chain of segments: listing, finding, rolling, retaining, waking.
 *
 * Every process keeps its own list and brings it up to date when the folder has changed; nothing
 * but the files themselves says what is there. Offsets never go back: where the newest file cannot
 * be read, the next one begins beyond what it could have held, and readers are told a gap.
 */
#include "bus/local_topic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "bus/local_record.h"

#define RETAIN_BYTES (UINT64_C(8) << 30)
#define RETAIN_NS    (7 * 86400 * NS_PER_S)
#define WAKE_BYTES   4096
#define SUFFIX       ".mdb"
enum { SEQUENCE_DIGITS = 20 };

/* ---- opening ---- */

static int tables_name(struct local_topic *topic, struct error *error)
{
	size_t count = (size_t)topic->partitions + 1;

	topic->names = calloc(count, sizeof(*topic->names));
	topic->tables = calloc(count, sizeof(*topic->tables));
	if (topic->names == NULL || topic->tables == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (size_t i = 0; i < count; i++) {
		if (i == TABLE_HEAD)
			(void)snprintf(topic->names[i], sizeof(topic->names[i]), "head");
		else
			(void)snprintf(topic->names[i], sizeof(topic->names[i]), "p%03u",
			    (unsigned)(i - TABLE_PARTITION) % 1000);
		topic->tables[i].name = topic->names[i];
	}
	return 0;
}

static int file_at(const struct local_topic *topic, const char *name)
{
	return openat(topic->folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
}

static int wake_map(struct local_topic *topic)
{
	struct stat st;
	void *map;
	int fd = file_at(topic, "wake"), failure = 0;

	if (fd < 0)
		return errno;
	/* grown once, under the lock, and never cut: what is mapped stays there */
	if (fstat(fd, &st) != 0)
		failure = errno;
	else if (st.st_size < WAKE_BYTES)
		failure = posix_fallocate(fd, 0, WAKE_BYTES);
	if (failure == 0) {
		map = mmap(NULL, WAKE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			failure = errno;
		else
			topic->wake = map;
	}
	(void)close(fd);
	return failure;
}

static int topic_files(struct local_topic *topic, struct error *error)
{
	int code = file_make_folder(topic->path, 0750, error), failure = 0;

	if (code != 0)
		return code;
	topic->folder = open(topic->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (topic->folder < 0)
		return error_system(error, errno, TEXT_base_open, topic->path);
	topic->lock = file_at(topic, "lock");
	if (topic->lock < 0)
		return error_system(error, errno, TEXT_base_open, topic->path);
	code = topic_lock(topic, error);
	if (code == 0) {
		failure = wake_map(topic);
		mark_inspect(topic);
		mark_begin(topic);
		topic_unlock(topic);
	}
	return failure == 0 ? code : error_system(error, failure, TEXT_base_open, topic->path);
}

int topic_open(struct local_topic **ret, const char *folder, enum bus_topic topic,
    uint32_t partitions, const char *identity, const struct bus_options *limits,
    struct error *error)
{
	struct local_topic *made = calloc(1, sizeof(*made));
	int code;

	if (made == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	made->limits = limits;
	made->topic = topic;
	made->partitions = partitions;
	made->folder = made->lock = made->mark_file = -1;
	made->mark = &made->unmarked;
	memcpy(made->identity, identity, LOCAL_IDENTITY);
	if (asprintf(&made->path, "%s/%.*s", folder, STR_ARG(bus_topic_name(topic))) < 0) {
		made->path = NULL;
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	} else {
		code = tables_name(made, error);
	}
	if (code == 0)
		code = topic_files(made, error);
	if (code != 0) {
		topic_close(made);
		return code;
	}
	*ret = made;
	return 0;
}

void topic_close(struct local_topic *topic)
{
	if (topic == NULL)
		return;
	for (size_t i = 0; i < topic->count; i++)
		segment_free(topic->segments[i]);
	mark_end(topic);
	if (topic->wake != NULL)
		(void)munmap(topic->wake, WAKE_BYTES);
	if (topic->folder >= 0)
		(void)close(topic->folder);
	if (topic->lock >= 0)
		(void)close(topic->lock);
	free(topic->segments);
	free(topic->names);
	free(topic->tables);
	free(topic->path);
	free(topic);
}

int topic_lock(struct local_topic *topic, struct error *error)
{
	while (flock(topic->lock, LOCK_EX) != 0)
		if (errno != EINTR)
			return error_system(error, errno, TEXT_base_open, topic->path);
	return 0;
}

void topic_unlock(struct local_topic *topic)
{
	(void)flock(topic->lock, LOCK_UN);
}

/* ---- listing ---- */

static bool sequence_parse(const char *name, uint64_t *ret)
{
	struct str text = str_of(name);

	return text.len == SEQUENCE_DIGITS + sizeof(SUFFIX) - 1 && str_ends(text, STR(SUFFIX))
	    && str_to_u64(str_slice(text, 0, SEQUENCE_DIGITS), ret);
}

static struct local_segment *segment_known(const struct local_topic *topic, uint64_t sequence)
{
	for (size_t i = topic->count; i-- > 0;)
		if (topic->segments[i]->sequence == sequence)
			return topic->segments[i];
	return NULL;
}

static struct local_segment *segment_add(struct local_topic *topic, uint64_t sequence)
{
	struct local_segment *segment, **segments = topic->segments;

	if (topic->count == topic->capacity) {
		segments = realloc(segments,
		    (topic->capacity * 2 + 16) * sizeof(struct local_segment *));
		if (segments == NULL)
			return NULL;
		topic->segments = segments;
		topic->capacity = topic->capacity * 2 + 16;
	}
	segment = calloc(1, sizeof(*segment));
	if (segment == NULL)
		return NULL;
	segment->sequence = sequence;
	segment->used_at = 0;
	segments[topic->count++] = segment;
	return segment;
}

static int segment_order(const void *a, const void *b)
{
	const struct local_segment *const *left = a, *const *right = b;

	return (*left)->sequence < (*right)->sequence ? -1 : (*left)->sequence > (*right)->sequence;
}

/* Out of the list; a reader that stands in it keeps it until it leaves (segment_leave). */
static void segment_drop(struct local_segment *segment)
{
	segment->gone = true;
	if (segment->held == 0)
		segment_free(segment);
}

static void segments_forget(struct local_topic *topic, uint64_t mark)
{
	size_t kept = 0;

	for (size_t i = 0; i < topic->count; i++) {
		if (topic->segments[i]->used_at == mark)
			topic->segments[kept++] = topic->segments[i];
		else
			segment_drop(topic->segments[i]);
	}
	topic->count = kept;
}

static int topic_list(struct local_topic *topic, struct error *error)
{
	int copy = openat(topic->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = copy < 0 ? NULL : fdopendir(copy);
	uint64_t sequence, mark = ++topic->clock;
	struct local_segment *segment;
	struct dirent *entry;

	if (folder == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return error_system(error, errno, TEXT_base_open, topic->path);
	}
	while ((entry = readdir(folder)) != NULL) {
		if (!sequence_parse(entry->d_name, &sequence))
			continue;
		segment = segment_known(topic, sequence);
		if (segment == NULL && (segment = segment_add(topic, sequence)) == NULL) {
			(void)closedir(folder);
			return error_set(error, ERR_MEMORY, TEXT_base_memory);
		}
		segment->used_at = mark;
	}
	(void)closedir(folder);
	segments_forget(topic, mark);
	if (topic->count > 0)
		qsort(topic->segments, topic->count, sizeof(struct local_segment *), segment_order);
	return 0;
}

/* At most LOCAL_OPEN_MAX files stay open beside those that are held. */
static void topic_trim(struct local_topic *topic)
{
	struct local_segment *oldest;
	unsigned open;

	do {
		oldest = NULL;
		open = 0;
		for (size_t i = 0; i < topic->count; i++) {
			struct local_segment *segment = topic->segments[i];

			if (segment->db == NULL || segment->held > 0 || i + 1 == topic->count)
				continue;
			open++;
			if (oldest == NULL || segment->used_at < oldest->used_at)
				oldest = segment;
		}
		if (open > LOCAL_OPEN_MAX) {
			db_close(oldest->db);
			oldest->db = NULL;
		}
	} while (open > LOCAL_OPEN_MAX);
}

/* The folder's time has the grain of a clock tick, so the next name is looked for as well. */
static bool topic_changed(struct local_topic *topic)
{
	char name[SEQUENCE_DIGITS + sizeof(SUFFIX)];
	struct stat st;

	if (fstat(topic->folder, &st) != 0)
		return true;
	if (st.st_mtim.tv_sec != topic->listed.tv_sec
	    || st.st_mtim.tv_nsec != topic->listed.tv_nsec) {
		topic->listed = st.st_mtim;
		return true;
	}
	if (topic->count == 0)
		return true;
	(void)snprintf(name, sizeof(name), "%020llu" SUFFIX,
	    (unsigned long long)topic->segments[topic->count - 1]->sequence + 1);
	return faccessat(topic->folder, name, F_OK, 0) == 0;
}

int topic_refresh(struct local_topic *topic, struct error *error)
{
	topic_trim(topic);
	return topic_changed(topic) ? topic_list(topic, error) : 0;
}

/* ---- finding ---- */

/* Loads; *ret_good whether it is to be read. A file that retention took meanwhile is not. */
static int segment_good(struct local_topic *topic, struct local_segment *segment, bool *ret_good,
    struct error *error)
{
	struct error why;
	int code;

	error_clear(&why);
	*ret_good = segment->state == SEGMENT_GOOD;
	if (*ret_good)
		return 0; /* its head is known; opened when it is read */
	code = segment_load(topic, segment, &why);
	topic_trim(topic);
	*ret_good = code == 0 && segment->state == SEGMENT_GOOD;
	if (code == ERR_MISSING)
		return 0;
	if (code != 0 && error != NULL && error->code == 0)
		*error = why;
	return code;
}

int topic_newest(struct local_topic *topic, struct local_segment **ret, struct error *error)
{
	bool good = false;
	int code = 0;

	*ret = NULL;
	for (size_t i = topic->count; i-- > 0 && code == 0;) {
		code = segment_good(topic, topic->segments[i], &good, error);
		if (code == 0 && good) {
			*ret = topic->segments[i];
			return 0;
		}
	}
	return code;
}

int topic_oldest(struct local_topic *topic, struct local_segment **ret, struct error *error)
{
	bool good = false;
	int code = 0;

	*ret = NULL;
	for (size_t i = 0; i < topic->count && code == 0; i++) {
		code = segment_good(topic, topic->segments[i], &good, error);
		if (code == 0 && good) {
			*ret = topic->segments[i];
			return 0;
		}
	}
	return code;
}

int topic_find(struct local_topic *topic, uint32_t partition, uint64_t offset,
    struct local_segment **ret, uint64_t *ret_end, struct error *error)
{
	bool good = false;
	int code;

	*ret = NULL;
	*ret_end = UINT64_MAX;
	for (size_t i = topic->count; i-- > 0;) {
		code = segment_good(topic, topic->segments[i], &good, error);
		if (code != 0)
			return code;
		if (!good)
			continue;
		if (topic->segments[i]->base[partition] <= offset) {
			*ret = topic->segments[i];
			return 0;
		}
		*ret_end = topic->segments[i]->base[partition];
	}
	return 0;
}

static int partition_next(struct local_topic *topic, struct local_segment *segment,
    uint32_t partition, uint64_t *ret, struct error *error)
{
	struct db_txn *txn;
	int code = segment_load(topic, segment, error);

	if (code == 0 && segment->state != SEGMENT_GOOD)
		code = error_set(error, ERR_CORRUPT, TEXT_bus_segment, topic->path,
		    (unsigned long long)segment->sequence);
	if (code == 0)
		code = db_begin(segment->db, false, &txn, error);
	if (code != 0)
		return code;
	code = segment_next(segment, txn, partition, ret, error);
	db_abort(txn);
	return code;
}

int topic_range(struct local_topic *topic, uint32_t partition, uint64_t *ret_first,
    uint64_t *ret_next, struct error *error)
{
	struct local_segment *oldest = NULL, *newest = NULL;
	int code = topic_oldest(topic, &oldest, error);

	*ret_first = *ret_next = 0;
	if (code == 0)
		code = topic_newest(topic, &newest, error);
	if (code != 0 || oldest == NULL || newest == NULL)
		return code;
	*ret_first = oldest->base[partition];
	return partition_next(topic, newest, partition, ret_next, error);
}

/* ---- rolling ---- */

/*
 * Where the next file begins. Behind unreadable files room is left for all that they could hold: an
 * offset that was receipted once is never given to another record.
 */
static int bases_next(struct local_topic *topic, uint64_t *base, struct error *error)
{
	struct local_segment *newest = NULL;
	uint64_t lost = 0;
	int code = topic_newest(topic, &newest, error);

	for (size_t i = 0; i < topic->count; i++)
		if ((newest == NULL || topic->segments[i]->sequence > newest->sequence)
		    && topic->segments[i]->state == SEGMENT_BAD)
			lost += segment_bytes(topic) / LOCAL_RECORD_HEAD;
	for (uint32_t i = 0; code == 0 && i < topic->partitions; i++) {
		base[i] = 0;
		if (newest != NULL)
			code = partition_next(topic, newest, i, &base[i], error);
		if (code == ERR_CORRUPT) {
			base[i] = newest->base[i] + segment_bytes(topic) / LOCAL_RECORD_HEAD;
			error_clear(error);
			code = 0;
		}
		base[i] += lost;
	}
	return code;
}

static int roll_to(struct local_topic *topic, uint64_t sequence, int64_t now_ns,
    struct error *error)
{
	struct local_segment *segment = segment_known(topic, sequence);
	uint64_t *base = calloc(topic->partitions, sizeof(*base));
	struct error why;
	int code;

	error_clear(&why);
	code = base == NULL ? error_set(&why, ERR_MEMORY, TEXT_base_memory)
	    : bases_next(topic, base, &why);
	if (code == 0 && segment == NULL && (segment = segment_add(topic, sequence)) == NULL)
		code = error_set(&why, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		code = segment_make(topic, segment, base, now_ns, &why);
	free(base);
	if (code != 0 && segment != NULL && segment->db == NULL
	    && segment == topic->segments[topic->count - 1]) {
		topic->count--;
		segment_free(segment);
	}
	if (code != 0 && error != NULL && error->code == 0)
		*error = why;
	return code;
}

int topic_roll(struct local_topic *topic, int64_t now_ns, struct error *error)
{
	struct local_segment *last;
	bool good = false;
	int code;

	if (topic->count == 0)
		return roll_to(topic, 1, now_ns, error);
	last = topic->segments[topic->count - 1];
	code = segment_good(topic, last, &good, error);
	if (code != 0)
		return code;
	/* what a crash left without a head is the one to use */
	return roll_to(topic, last->sequence + (last->state == SEGMENT_UNBORN ? 0 : 1), now_ns,
	    error);
}

/* ---- retaining ---- */

static uint64_t file_bytes(const struct local_topic *topic, uint64_t sequence)
{
	char *path = segment_path(topic, sequence);
	struct stat st = {0};
	uint64_t bytes = 0;

	if (path != NULL && stat(path, &st) == 0)
		bytes = (uint64_t)st.st_size;
	free(path);
	return bytes;
}

static int drop_oldest(struct local_topic *topic, struct error *error)
{
	struct local_segment *oldest = topic->segments[0];
	char *path = segment_path(topic, oldest->sequence);
	int code;

	if (path == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = db_remove(path, error);
	free(path);
	if (code == 0) {
		mark_forget(topic, oldest->sequence);
		segment_drop(oldest);
		topic->count--;
		memmove(topic->segments, topic->segments + 1,
		    topic->count * sizeof(struct local_segment *));
	}
	return code;
}

/* All records of a segment are older than the birth of the one behind it. */
static int oldest_is_due(struct local_topic *topic, int64_t now_ns, uint64_t total, bool *ret,
    struct error *error)
{
	uint64_t most = topic->limits->retain_bytes == 0
	    ? RETAIN_BYTES : topic->limits->retain_bytes;
	int64_t age = topic->limits->retain_ns == 0 ? RETAIN_NS : topic->limits->retain_ns;
	struct local_segment *behind = topic->segments[1];
	bool good = false;
	int code = segment_good(topic, behind, &good, error);

	*ret = total > most || (good && behind->birth_ns < now_ns - age);
	return code;
}

int topic_expire(struct local_topic *topic, int64_t now_ns, struct error *error)
{
	int64_t age = topic->limits->retain_ns == 0 ? RETAIN_NS : topic->limits->retain_ns;
	struct local_segment *newest = NULL;
	int code = topic_newest(topic, &newest, error);

	if (code == 0 && newest != NULL && newest->birth_ns < now_ns - age)
		code = topic_roll(topic, now_ns, error);
	return code;
}

int topic_retain(struct local_topic *topic, int64_t now_ns, uint64_t coming, struct error *error)
{
	uint64_t total = coming;
	bool due = true;
	int code = 0;

	for (size_t i = 0; i < topic->count; i++)
		total += file_bytes(topic, topic->segments[i]->sequence);
	while (code == 0 && due && topic->count > 1) {
		uint64_t bytes = file_bytes(topic, topic->segments[0]->sequence);

		code = oldest_is_due(topic, now_ns, total, &due, error);
		if (code == 0 && due)
			code = drop_oldest(topic, error);
		total -= bytes;
	}
	return code;
}

int topic_drop_before(struct local_topic *topic, uint64_t next, struct error *error)
{
	bool good = false;
	int code = 0;

	while (code == 0 && topic->count > 1) {
		code = segment_good(topic, topic->segments[1], &good, error);
		if (code != 0 || !good || topic->segments[1]->base[0] > next)
			break;
		code = drop_oldest(topic, error);
	}
	return code;
}

int topic_drop_all(struct local_topic *topic, struct error *error)
{
	int code = 0;

	while (code == 0 && topic->count > 0)
		code = drop_oldest(topic, error);
	return code;
}

/* ---- waking ---- */

static long futex(const uint32_t *at, int operation, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, at, operation, value, timeout, NULL, 0);
}

void topic_wake(struct local_topic *topic)
{
	(void)__atomic_add_fetch(topic->wake, 1, __ATOMIC_RELEASE);
	(void)futex(topic->wake, FUTEX_WAKE, INT_MAX, NULL);
}

uint32_t topic_wake_count(const struct local_topic *topic)
{
	return __atomic_load_n(topic->wake, __ATOMIC_ACQUIRE);
}

void topic_wait(const struct local_topic *topic, uint32_t seen, int64_t timeout_ns)
{
	struct timespec timeout = {timeout_ns / NS_PER_S, timeout_ns % NS_PER_S};

	if (timeout_ns > 0)
		(void)futex(topic->wake, FUTEX_WAIT, seen, &timeout);
}
