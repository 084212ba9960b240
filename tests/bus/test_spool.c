/*
 * The spool when the bus behind it does not answer: what was receipted comes to the inner bus, in
 * the order of each partition, whatever dies or fails on the way; and what had to go is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bus/backend.h"
#include "bus/bus_spool.h"
#include "event/frame.h"
#include "tests/db/fault_shim.h"

enum { PARTITIONS = 2, MOST = 4000, VALUE_MAX = 400000 };
#define PATIENCE (30 * NS_PER_S)

static void remove_tree(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char *inner = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		CHECK(asprintf(&inner, "%s/%s", path, entry->d_name) > 0);
		if (entry->d_type == DT_DIR)
			remove_tree(inner);
		else
			(void)unlink(inner);
		free(inner);
	}
	if (folder != NULL)
		(void)closedir(folder);
	(void)rmdir(path);
}

/* ---- an inner bus that obeys ---- */

enum mood {
	UP,
	DOWN,    /* takes nothing */
	TRICKLE, /* takes one in eight */
	SILENT,  /* takes records and gives no receipt */
	SWALLOW, /* the same, and the records are lost */
	BROKEN,  /* every call fails */
	ABSENT   /* cannot be opened */
};

static enum mood mood;
static uint64_t lose_every; /* one publish in so many is lost and told as unknown */

static enum fault plan(void *context, const char *call, uint64_t number)
{
	bool publishes = strcmp(call, "publish") == 0, receipts = strcmp(call, "receipts") == 0;

	(void)context;
	switch (mood) {
	case UP:
		return publishes && lose_every > 0 && number % lose_every == lose_every - 1
		    ? FAULT_LOSE_RECORD : FAULT_NONE;
	case DOWN:
		return publishes ? FAULT_BUSY : FAULT_NONE;
	case TRICKLE:
		return publishes && number % 8 != 0 ? FAULT_BUSY : FAULT_NONE;
	case SILENT:
		return receipts ? FAULT_BUSY : FAULT_NONE;
	case SWALLOW:
		return publishes ? FAULT_LOSE_RECORD : receipts ? FAULT_BUSY : FAULT_NONE;
	case BROKEN:
	case ABSENT:
		return publishes || receipts ? FAULT_ERROR : FAULT_NONE;
	}
	return FAULT_NONE;
}

static int open_inner(struct bus **ret, const struct bus_options *options, struct error *error)
{
	struct bus *inner;
	int code = mood == ABSENT ? error_set(error, ERR_BUS, TEXT_bus_broken)
	    : bus_open(&inner, options, error);

	return code < 0 ? code : bus_fault_open(ret, inner, plan, NULL);
}

struct place {
	char path[300], log[340], inner[340];
	struct bus_spool_options spool;
	struct bus_options options;
};

static void place_make(struct place *place, const char *folder, const char *name)
{
	snprintf(place->path, sizeof(place->path), "%s/%s", folder, name);
	snprintf(place->log, sizeof(place->log), "%s/spool", place->path);
	snprintf(place->inner, sizeof(place->inner), "%s/inner", place->path);
	CHECK(mkdir(place->path, 0700) == 0);
	place->spool = (struct bus_spool_options){.inner = "local", .path = place->log,
		.after_ns = 20 * NS_PER_MS, .segment_bytes = 1 << 20, .open = open_inner};
	place->options = (struct bus_options){.backend = "spool", .path = place->inner,
		.partitions = {PARTITIONS, 1, 1}, .commit_ns = 1, .spool = &place->spool};
}

static struct bus *place_open(struct place *place)
{
	struct error error = {0};
	struct bus *bus = NULL;

	if (bus_open(&bus, &place->options, &error) != 0)
		fail_msg("%s", error.text);
	return bus;
}

/* ---- a publisher, as the packer is one ---- */

struct told {
	uint64_t sent;  /* from 0; what is under this was published once at least */
	uint64_t durable_count, unknowns;
	bool durable[MOST];
	size_t size;    /* of a value; 0: as a number is long */
};

/* Partition by number; value: the number in decimal, padded. */
static struct str value_of(const struct told *told, uint64_t number, char *out)
{
	int len = snprintf(out, 32, "%lu ", number);
	size_t size = told->size > (size_t)len ? told->size : (size_t)len;

	memset(out + len, (int)('a' + number % 26), size - (size_t)len);
	return str_from(out, size);
}

static uint64_t number_of(struct str value)
{
	struct str word;
	uint64_t number = UINT64_MAX;

	assert_true(str_cut(&value, ' ', &word) && str_to_u64(word, &number));
	return number;
}

/* One round: sends what is not durable, in order, from *at on, and takes receipts. */
static int told_round(struct told *told, struct bus *bus, uint64_t *at, uint64_t end,
    bool *again, struct error *error)
{
	static char value[VALUE_MAX];
	struct bus_receipt receipts[64];
	int code = BUS_ACCEPTED, count;

	while (!*again && *at < end && code == BUS_ACCEPTED) {
		if (!told->durable[*at])
			code = bus_publish(bus, TOPIC_EVENTS, (uint32_t)(*at % PARTITIONS),
			    STR("k"), value_of(told, *at, value), *at);
		if (code == BUS_ACCEPTED)
			++*at;
	}
	if (code < 0)
		return error_set(error, code, TEXT_bus_broken);
	told->sent = *at > told->sent ? *at : told->sent;
	count = bus_receipts(bus, receipts, 64, NS_PER_MS, error);
	for (int i = 0; i < count; i++) {
		CHECK(receipts[i].partition == receipts[i].tag % PARTITIONS);
		if (receipts[i].status == RECEIPT_UNKNOWN) {
			told->unknowns++;
			*again = true;
		} else if (!told->durable[receipts[i].tag]) {
			told->durable[receipts[i].tag] = true;
			told->durable_count++;
		}
	}
	if (*again && bus_pending(bus) == 0 && count <= 0) {
		*again = false;
		*at = 0;
	}
	return count < 0 && count != ERR_FULL ? count : 0;
}

/* Until all of [0, end) is durable. 0 or a negative code. */
static int told_send(struct told *told, struct bus *bus, uint64_t end, struct error *error)
{
	int64_t limit = clock_monotonic_ns() + PATIENCE;
	bool again = false;
	uint64_t at = 0;
	int code = 0;

	while (code == 0 && told->durable_count < end && clock_monotonic_ns() < limit)
		code = told_round(told, bus, &at, end, &again, error);
	return code;
}

static void send_all(struct told *told, struct bus *bus, uint64_t end)
{
	struct error error = {0};

	if (told_send(told, bus, end, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(told->durable_count, end);
}

static struct bus_spool_stats stats_of(const struct bus *bus)
{
	struct bus_spool_stats stats;

	assert_true(bus_spool_stats(bus, &stats));
	return stats;
}

static void drive(struct bus *bus, int64_t for_ns)
{
	int64_t end = clock_monotonic_ns() + for_ns;
	struct bus_receipt receipt;

	while (clock_monotonic_ns() < end)
		(void)bus_receipts(bus, &receipt, 1, NS_PER_MS, NULL);
}

/* Until the log is empty and records go straight again. */
static void drain(struct bus *bus)
{
	int64_t end = clock_monotonic_ns() + PATIENCE;

	while (stats_of(bus).spooling && clock_monotonic_ns() < end)
		drive(bus, NS_PER_MS);
	assert_false(stats_of(bus).spooling);
	assert_int_equal(stats_of(bus).records, 0);
	assert_int_equal(stats_of(bus).bytes, 0);
}

/* ---- what came ---- */

/*
 * Reads the inner bus itself: all that was told durable is there, and first seen in the order of
 * its partition. ordered: whether that is asked. Returns how many records were repeats.
 */
static uint64_t expect_inner(const struct place *place, const struct told *told, bool ordered)
{
	struct bus_options options = place->options;
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "test"};
	struct bus_record records[32];
	static bool seen[MOST];
	struct bus_reader *reader;
	struct bus *bus = NULL;
	uint64_t last[PARTITIONS] = {0}, repeats = 0;
	static char value[VALUE_MAX];
	int count;

	memset(seen, 0, sizeof(seen));
	options.backend = "local";
	assert_int_equal(bus_open(&bus, &options, NULL), 0);
	assert_int_equal(bus_reader_open(&reader, bus, &reading, NULL), 0);
	while ((count = bus_poll(reader, records, 32, 0, NULL)) > 0) {
		for (int i = 0; i < count; i++) {
			uint64_t number;

			assert_int_equal(records[i].kind, BUS_RECORD);
			number = number_of(records[i].value);
			assert_true(number < MOST && str_eq(records[i].key, STR("k")));
			assert_int_equal(number % PARTITIONS, records[i].partition);
			assert_true(str_eq(records[i].value, value_of(told, number, value)));
			repeats += seen[number];
			if (ordered && !seen[number])
				assert_true(number >= last[records[i].partition]);
			if (!seen[number])
				last[records[i].partition] = number;
			seen[number] = true;
		}
	}
	assert_int_equal(count, 0);
	for (uint64_t i = 0; i < MOST; i++)
		if (told->durable[i] && !seen[i])
			fail_msg("%lu was told durable and is not there", i);
	bus_reader_close(reader);
	bus_close(bus);
	return repeats;
}

static unsigned log_files(const struct place *place)
{
	char path[400];
	unsigned count = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/log/events", place->log);
	DIR *folder = opendir(path);

	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL)
		count += strstr(entry->d_name, ".mdb") != NULL &&
		    strstr(entry->d_name, "lock") == NULL;
	closedir(folder);
	return count;
}

static int set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	char *name = NULL;

	CHECK(asprintf(&name, "%s/tocsin-spool-XXXXXX", base == NULL ? "/tmp" : base) > 0);
	CHECK(mkdtemp(name) != NULL);
	mood = UP;
	lose_every = 0;
	*state = name;
	return 0;
}

static int tear_down(void **state)
{
	shim_arm(SHIM_OFF, 0, 0);
	remove_tree(*state);
	free(*state);
	return 0;
}

/* ---- outages ---- */

static void test_while_all_is_well_nothing_is_spooled(void **state)
{
	struct place place;
	struct told told = {0};

	place_make(&place, *state, "well");
	place.spool.after_ns = PATIENCE;
	struct bus *bus = place_open(&place);

	send_all(&told, bus, 1000);
	assert_int_equal(stats_of(bus).spooled, 0);
	assert_int_equal(stats_of(bus).outages, 0);
	bus_close(bus);
	assert_int_equal(expect_inner(&place, &told, true), 0);
}

static const enum mood outages[] = {DOWN, SILENT, SWALLOW, BROKEN};

static void test_an_outage_of_each_kind(void **state)
{
	for (size_t i = 0; i < sizeof(outages) / sizeof(*outages); i++) {
		struct place place;
		struct told told = {0};
		char name[16];

		snprintf(name, sizeof(name), "outage%zu", i);
		mood = UP;
		place_make(&place, *state, name);
		struct bus *bus = place_open(&place);

		send_all(&told, bus, 100);
		mood = outages[i];
		send_all(&told, bus, 1500);
		assert_true(stats_of(bus).spooling);
		assert_int_equal(stats_of(bus).outages, 1);
		assert_true(told.unknowns <= 1400);
		assert_in_range(stats_of(bus).records, 1300, 1500);
		assert_true(stats_of(bus).bytes > 1400 * 4 && stats_of(bus).oldest_ns > 0);
		mood = UP;
		send_all(&told, bus, 3000); /* others come while it drains */
		if (outages[i] == SWALLOW)
			mood = DOWN;        /* what was swallowed is unknown now */
		drive(bus, 10 * NS_PER_MS);
		mood = UP;
		drain(bus);
		assert_true(stats_of(bus).drained >= 1400);
		send_all(&told, bus, 3100);
		bus_close(bus);
		(void)expect_inner(&place, &told, true);
	}
}

/* What comes while the log drains goes behind it. */
static void test_nothing_overtakes_a_slow_drain(void **state)
{
	struct place place;
	struct told told = {.size = 20000}; /* several files */
	struct error error = {0};
	bool again = false;
	uint64_t at = 0;

	place_make(&place, *state, "slow");
	struct bus *bus = place_open(&place);

	mood = DOWN;
	send_all(&told, bus, 500);
	mood = TRICKLE;
	for (uint64_t end = 0; end < 1000; end++)
		assert_int_equal(told_round(&told, bus, &at, end, &again, &error), 0);
	assert_true(stats_of(bus).drained > 0 && stats_of(bus).records > 300);
	assert_true(log_files(&place) > 1);
	mood = UP;
	send_all(&told, bus, 1200);
	drain(bus);
	assert_int_equal(stats_of(bus).dropped, 0);
	bus_close(bus);
	(void)expect_inner(&place, &told, true);
}

/* Nobody waits for the receipt of what is under way for ever: it goes to the log as well. */
static void test_what_was_under_way_goes_to_the_log(void **state)
{
	struct place place;
	struct told told = {0};

	place_make(&place, *state, "under-way");
	struct bus *bus = place_open(&place);

	mood = SILENT;
	send_all(&told, bus, 300);
	assert_in_range(told.unknowns, 1, 300);
	assert_true(stats_of(bus).records >= 300);
	mood = UP;
	drain(bus);
	bus_close(bus);
	assert_true(expect_inner(&place, &told, true) > 0);
}

/* It leaves the log once the inner bus has it, not when that has taken it. */
static void test_nothing_is_drained_before_it_is_durable(void **state)
{
	struct place place;
	struct told told = {.size = 50000};

	place_make(&place, *state, "durable");
	struct bus *bus = place_open(&place);

	mood = DOWN;
	send_all(&told, bus, 400);
	assert_in_range(log_files(&place), 4, 20);
	mood = SWALLOW;
	drive(bus, 300 * NS_PER_MS);
	assert_int_equal(stats_of(bus).drained, 0);
	assert_true(stats_of(bus).records >= 400);
	assert_in_range(log_files(&place), 4, 20);
	bus_close(bus); /* and the inner bus forgets what it took */
	mood = UP;
	bus = place_open(&place);
	drain(bus);
	drive(bus, NS_PER_MS);
	assert_in_range(log_files(&place), 1, 2);
	bus_close(bus);
	(void)expect_inner(&place, &told, true);
	/* what is drained is not drained again by the next handle */
	bus = place_open(&place);
	drain(bus);
	assert_int_equal(stats_of(bus).drained, 0);
	bus_close(bus);
}

static void test_unknown_receipts_of_the_drain_are_sent_again(void **state)
{
	struct place place;
	struct told told = {0};

	place_make(&place, *state, "unknown");
	struct bus *bus = place_open(&place);

	mood = DOWN;
	send_all(&told, bus, 2000);
	mood = UP;
	lose_every = 701;
	drain(bus);
	bus_close(bus);
	lose_every = 0;
	assert_true(expect_inner(&place, &told, false) > 0);
}

static void test_it_starts_without_the_inner_bus(void **state)
{
	struct place place;
	struct told told = {0};
	struct error error = {0};
	struct bus *bus = NULL, *other = NULL;

	place_make(&place, *state, "absent");
	mood = ABSENT; /* the first time nobody knows how many partitions there are */
	assert_int_equal(bus_open(&bus, &place.options, &error), ERR_BUS);
	mood = UP;
	bus = place_open(&place);
	error_clear(&error);
	assert_int_equal(bus_open(&other, &place.options, &error), ERR_USAGE);
	mood = DOWN;
	send_all(&told, bus, 50);
	bus_close(bus);
	mood = ABSENT;
	bus = place_open(&place);
	assert_int_equal(bus_partitions(bus, TOPIC_EVENTS), PARTITIONS);
	assert_false(stats_of(bus).connected);
	assert_true(stats_of(bus).records >= 50);
	send_all(&told, bus, 200);
	mood = UP;
	drain(bus);
	send_all(&told, bus, 300);
	bus_close(bus);
	(void)expect_inner(&place, &told, true);
}

/* ---- bounds ---- */

struct looked {
	uint64_t next, count;
};

static void look(void *context, struct str value)
{
	struct looked *looked = context;

	assert_true(number_of(value) >= looked->next);
	looked->next = number_of(value) + 1;
	looked->count++;
}

static struct looked look_all(struct bus *bus)
{
	struct looked looked = {0};

	assert_int_equal(bus_spool_each(bus, look, &looked, NULL), 0);
	return looked;
}

/* What waits can be looked at, by the next one too, and the drain goes on as if nobody had. */
static void test_what_waits_can_be_looked_at(void **state)
{
	struct place place;
	struct told told = {0};
	struct bus *bus;

	place_make(&place, *state, "looked");
	bus = place_open(&place);
	assert_int_equal(look_all(bus).count, 0);
	send_all(&told, bus, 10);
	assert_int_equal(look_all(bus).count, 0);
	mood = DOWN;
	send_all(&told, bus, 300);
	assert_int_equal(look_all(bus).next, 300);
	bus_close(bus);
	bus = place_open(&place);
	assert_true(look_all(bus).count >= 290);
	assert_int_equal(look_all(bus).next, 300);
	mood = UP;
	drain(bus);
	assert_int_equal(look_all(bus).count, 0);
	bus_close(bus);
	(void)expect_inner(&place, &told, true);
}

static void test_a_full_spool_says_busy(void **state)
{
	struct place place;
	struct told told = {.size = 10000};
	static char large[10000];
	struct error error = {0};
	bool again = false;
	uint64_t at = 0;

	place_make(&place, *state, "full");
	place.spool.bytes = 200000;
	struct bus *bus = place_open(&place);
	int64_t end = clock_monotonic_ns() + NS_PER_S;

	mood = DOWN;
	while (clock_monotonic_ns() < end && told.durable_count < 20)
		assert_int_equal(told_round(&told, bus, &at, 100, &again, &error), 0);
	drive(bus, 50 * NS_PER_MS);
	assert_int_equal(bus_publish(bus, TOPIC_EVENTS, 0, STR_NONE,
	    str_from(large, sizeof(large)), 0), BUS_BUSY);
	assert_in_range(told.durable_count, 15, 20);
	assert_in_range(stats_of(bus).bytes, 150000, 200000);
	mood = UP;
	send_all(&told, bus, 100);
	drain(bus);
	assert_int_equal(stats_of(bus).dropped, 0);
	bus_close(bus);
	(void)expect_inner(&place, &told, true);
}

static void publish_frame(struct bus *bus, uint64_t first, uint32_t events)
{
	struct frame_head head = {.type = FRAME_EVENTS, .collector = 7, .epoch = 8, .first = first,
		.previous = first == 0 ? FRAME_NO_COUNT : first - 1, .count = events};
	struct event event = {.raw = STR("a line")};
	struct buf bytes = BUF(FRAME_MAX);
	int64_t end = clock_monotonic_ns() + PATIENCE;
	int code;

	frame_begin(&bytes);
	for (uint32_t i = 0; i < events; i++)
		frame_add(&bytes, &event);
	assert_true(frame_end(&bytes, &head));
	while ((code = bus_publish(bus, TOPIC_EVENTS, 1, STR_NONE, buf_str(&bytes), first)) ==
	    BUS_BUSY && clock_monotonic_ns() < end)
		drive(bus, NS_PER_MS);
	assert_int_equal(code, BUS_ACCEPTED);
	buf_free(&bytes);
}

struct found {
	uint64_t events, refused, damaged, gaps;
};

static struct found frames_in(const struct place *place)
{
	struct bus_options options = place->options;
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "test"};
	struct bus_reader *reader;
	struct bus_record record;
	struct found found = {0};
	struct frame_gap gap;
	struct frame frame;
	struct bus *bus;

	options.backend = "local";
	assert_int_equal(bus_open(&bus, &options, NULL), 0);
	assert_int_equal(bus_reader_open(&reader, bus, &reading, NULL), 0);
	while (bus_poll(reader, &record, 1, 0, NULL) == 1) {
		assert_int_equal(frame_read(record.value, &frame), FRAME_OK);
		assert_int_equal(frame.head.collector, 7);
		if (frame.head.type == FRAME_EVENTS) {
			found.events += frame.head.count;
			continue;
		}
		assert_true(frame_read_gap(&frame, &gap));
		assert_true(str_eq(gap.source, STR("spool")));
		found.gaps++;
		found.refused += gap.reason == GAP_REFUSED ? gap.count : 0;
		found.damaged += gap.reason == GAP_DAMAGED;
		if (gap.reason == GAP_REFUSED)
			assert_int_equal(record.partition, 1);
	}
	bus_reader_close(reader);
	bus_close(bus);
	return found;
}

/* Also when a handle dies between. */
static void test_what_is_too_old_is_dropped_and_told(void **state)
{
	struct place place;
	struct bus_receipt receipt;

	place_make(&place, *state, "old");
	struct bus *bus = place_open(&place);

	publish_frame(bus, 0, 1);
	drive(bus, 10 * NS_PER_MS);
	mood = DOWN;
	for (uint64_t i = 0; i < 10; i++)
		publish_frame(bus, 10 + 10 * i, 10);
	drive(bus, 50 * NS_PER_MS);
	bus_close(bus);
	place.spool.age_ns = 100 * NS_PER_MS;
	nanosleep(&(struct timespec){.tv_nsec = 150 * NS_PER_MS}, NULL);
	/* it ends between dropping them and the commit of the gap: they are dropped again */
	bus = place_open(&place);
	assert_int_equal(bus_receipts(bus, &receipt, 1, 0, NULL), 0);
	assert_int_equal(stats_of(bus).dropped, 10);
	bus_close(bus);
	bus = place_open(&place);
	drive(bus, 20 * NS_PER_MS);
	assert_true(stats_of(bus).dropped >= 10);
	bus_close(bus);
	place.spool.age_ns = 0;
	mood = UP;
	bus = place_open(&place);
	publish_frame(bus, 200, 5);
	drain(bus);
	bus_close(bus);
	struct found found = frames_in(&place);

	assert_int_equal(found.events, 6);
	assert_int_equal(found.refused, 100);
}

static void damage(const struct place *place, off_t from, size_t len)
{
	char path[400], noise[4096];
	int fd;

	memset(noise, 0xa5, sizeof(noise));
	snprintf(path, sizeof(path), "%s/log/events/%020d.mdb", place->log, 1);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	for (size_t at = 0; at < len; at += sizeof(noise))
		assert_int_equal(pwrite(fd, noise, sizeof(noise), from + (off_t)at),
		    (ssize_t)sizeof(noise));
	close(fd);
}

static void test_damage_is_told_as_a_gap(void **state)
{
	struct place place;

	place_make(&place, *state, "damage");
	struct bus *bus = place_open(&place);

	mood = DOWN;
	for (uint64_t i = 0; i < 1500; i++)
		publish_frame(bus, 1000 * i, 1000);
	drive(bus, 50 * NS_PER_MS);
	bus_close(bus);
	assert_true(log_files(&place) >= 3);
	damage(&place, 0, 1 << 16); /* the head of the oldest file */
	mood = UP;
	bus = place_open(&place);
	publish_frame(bus, 1500000, 1);
	drain(bus);
	assert_true(stats_of(bus).dropped > 0);
	bus_close(bus);
	struct found found = frames_in(&place);

	assert_true(found.events > 100000 && found.events < 1500001);
	assert_int_equal(found.damaged, 1);
}

/* ---- deaths and failures ---- */

static struct told *told_shared(void)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(told != MAP_FAILED);
	return told;
}

/* An outage in the middle, with files enough to be removed in draining. 0 or a negative code. */
static int life(struct place *place, struct told *told, struct error *error)
{
	struct bus *bus = NULL;
	int64_t end;
	int code;

	told->size = VALUE_MAX;
	mood = UP;
	code = bus_open(&bus, &place->options, error);
	if (code == 0 && told->durable_count < 4)
		code = told_send(told, bus, 4, error);
	mood = DOWN;
	if (code == 0 && told->durable_count < 20)
		code = told_send(told, bus, 20, error);
	mood = UP;
	if (code == 0)
		code = told_send(told, bus, 24, error);
	end = clock_monotonic_ns() + PATIENCE;
	while (code == 0 && stats_of(bus).spooling && clock_monotonic_ns() < end) {
		struct bus_receipt receipt;

		code = bus_receipts(bus, &receipt, 1, NS_PER_MS, error);
		code = code > 0 || code == ERR_FULL ? 0 : code;
	}
	if (code < 0 && bus != NULL && error->code == 0)
		error->code = code;
	bus_close(bus);
	return code;
}

static void expect_goes_on(struct place *place, struct told *told)
{
	struct error error = {0};

	shim_arm(SHIM_OFF, 0, 0);
	if (life(place, told, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(told->durable_count, 24);
	(void)expect_inner(place, told, true);
}

/* Step: LONG does all. */
static void fault_everywhere(const char *folder, enum shim_mode mode, int failure)
{
	struct told *told = told_shared();
	uint64_t n = 1, step = getenv("TOCSIN_LONG") != NULL ? 1 : 19;
	int status = 0;

	for (; n < 5000; n += step) {
		struct place place;
		char name[24];

		snprintf(name, sizeof(name), "%d-%lu", failure, n);
		memset(told, 0, sizeof(*told));
		place_make(&place, folder, name);
		pid_t child = fork();

		if (child == 0) {
			struct error error = {0};

			shim_arm(mode, n, failure);
			int code = life(&place, told, &error);

			_exit(code != 0 ? 2 : mode == SHIM_FAIL && shim_failed() != NULL ? 3 : 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0)
			break;
		assert_true(WEXITSTATUS(status) == (mode == SHIM_KILL ? SHIM_DEAD : 2) ||
		    (mode == SHIM_FAIL && WEXITSTATUS(status) == 3));
		expect_goes_on(&place, told);
		remove_tree(place.path);
	}
	assert_in_range(n, 50, 4999);
	(void)munmap(told, sizeof(*told));
}

static void test_it_dies_before_every_call(void **state)
{
	fault_everywhere(*state, SHIM_KILL, 0);
}

static void test_every_call_fails_once(void **state)
{
	fault_everywhere(*state, SHIM_FAIL, EIO);
}

static void test_the_disk_is_full_for_a_moment(void **state)
{
	fault_everywhere(*state, SHIM_FAIL, ENOSPC);
}

static _Noreturn void run_until_killed(struct place *place, struct told *told, unsigned seed)
{
	struct bus *bus = NULL;
	struct error error = {0};
	bool again = false;
	uint64_t at = 0;

	if (bus_open(&bus, &place->options, &error) != 0) {
		fprintf(stderr, "# %s\n", error.text);
		_exit(1);
	}
	srandom(seed);
	for (;;) {
		long dice = random() % 100;

		mood = dice < 20 ? DOWN : dice < 30 ? SILENT : dice < 31 ? UP : mood;
		if (dice > 85)
			mood = UP;
		uint64_t end = at + 20 < MOST ? at + 20 : MOST;

		if (told_round(told, bus, &at, end, &again, &error) != 0)
			_exit(2);
	}
}

static void test_kill_9_at_any_moment(void **state)
{
	unsigned lives = getenv("TOCSIN_LONG") != NULL ? 500 : 25;
	struct told *told = told_shared();
	struct place place;
	int status;

	told->size = 2000;
	place_make(&place, *state, "kill");
	for (unsigned i = 0; i < lives; i++) {
		pid_t child = fork();

		if (child == 0)
			run_until_killed(&place, told, i);
		nanosleep(&(struct timespec){.tv_nsec = (20 + (long)i * 37 % 90) * NS_PER_MS},
		    NULL);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status))
			fail_msg("it ended by itself with %d", WEXITSTATUS(status));
	}
	assert_true(told->durable_count > 100);
	mood = UP;
	struct bus *bus = place_open(&place);

	drain(bus);
	bus_close(bus);
	(void)expect_inner(&place, told, false);
	(void)munmap(told, sizeof(*told));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_while_all_is_well_nothing_is_spooled), TEST(test_an_outage_of_each_kind),
		TEST(test_nothing_overtakes_a_slow_drain),
		TEST(test_what_was_under_way_goes_to_the_log),
		TEST(test_nothing_is_drained_before_it_is_durable),
		TEST(test_unknown_receipts_of_the_drain_are_sent_again),
		TEST(test_it_starts_without_the_inner_bus),
		TEST(test_what_waits_can_be_looked_at), TEST(test_a_full_spool_says_busy),
		TEST(test_what_is_too_old_is_dropped_and_told), TEST(test_damage_is_told_as_a_gap),
		TEST(test_it_dies_before_every_call), TEST(test_every_call_fails_once),
		TEST(test_the_disk_is_full_for_a_moment), TEST(test_kill_9_at_any_moment),
	};

	return cmocka_run_group_tests_name("bus_spool", tests, NULL, NULL);
}
