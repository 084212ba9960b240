/*
 * First-seen: what is told, against a naive model, live, shuffled, by several workers, and whatever
 * dies; the memory's ceiling, its expiry, and what outlives other rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/frame.h"
#include "town.h"

#define DAY    (86400 * SECOND)
#define WITHIN 10
#define LEARN  3

#define RULE(id, act, options)                                                                     \
	"title: " id "\nid: " id "\nlogsource: {definition: any}\n"                                \
	"detection: {s: {act: " act "}, condition: s}\n"                                           \
	"tocsin: {first_seen: {" options "}}\n"

static const char both[] =
    RULE("learns", "start", "fields: [Image], by: [Computer], within: 10d, learn: 3d")
    "---\n"
    RULE("tells", "start", "fields: [User, Image], by: [Computer], within: 10d, learn: 0");

/* ---- events in bursts, days apart ---- */

#define BURSTS 14
#define EACH   30
#define SENT   (BURSTS * EACH)

struct sent {
	uint64_t counter;
	int64_t at_ns, place;
	unsigned burst, computer, image, user;
};

static void traffic(struct sent *list, unsigned seed)
{
	int64_t day = 0;

	srand(seed);
	for (unsigned i = 0; i < SENT; i++) {
		if (i % EACH == 0)
			day += rand() % 7;
		list[i] = (struct sent){.counter = i, .burst = i / EACH,
		    .at_ns = TOWN_START + day * DAY + i / EACH * 3600 * SECOND + i % EACH * SECOND +
			rand() % 4 * (SECOND / 2),
		    .computer = (unsigned)rand() % 3, .image = (unsigned)rand() % 9,
		    .user = (unsigned)rand() % 2};
		/* some days a computer is off */
		if ((i / EACH + list[i].computer) % 4 == 0)
			list[i].computer = 3;
		list[i].place = i;
	}
}

static int place_compare(const void *left, const void *right)
{
	const struct sent *a = left, *b = right;

	return a->place < b->place ? -1 : a->place > b->place;
}

/* Nothing comes more than 10 s after what it should have come before; the bound is 30 s. */
static void shuffle(struct sent *list)
{
	for (unsigned i = 0; i < SENT; i++)
		list[i].place = (int64_t)(list[i].burst * 1000 + list[i].counter % EACH +
		    (unsigned)rand() % 8) * SENT + rand() % SENT;
	qsort(list, SENT, sizeof(*list), place_compare);
}

/* ---- the model ---- */

struct told {
	const char *rule;
	char group[64];
	int64_t time_ns;
};

static int order_compare(const void *left, const void *right)
{
	const struct sent *a = left, *b = right;

	if (a->at_ns != b->at_ns)
		return a->at_ns < b->at_ns ? -1 : 1;
	return a->counter < b->counter ? -1 : a->counter > b->counter;
}

struct seen {
	bool there;
	int64_t first_ns, last_ns;
};

/* True when it was not seen within the time before. */
static bool see(struct seen *seen, int64_t time_ns)
{
	bool is_new = !seen->there || time_ns - seen->last_ns > WITHIN * DAY;

	if (is_new)
		seen->first_ns = time_ns;
	seen->there = true;
	seen->last_ns = time_ns;
	return is_new;
}

static size_t model(const struct sent *from, struct told *ret)
{
	static struct sent list[SENT];
	struct seen groups[4] = {{0}}, tuples[4][9] = {{{0}}}, users[4][9][2] = {{{{0}}}};
	size_t count = 0;

	memcpy(list, from, sizeof(list));
	qsort(list, SENT, sizeof(*list), order_compare);
	for (size_t i = 0; i < SENT; i++) {
		const struct sent *e = &list[i];
		struct seen *group = &groups[e->computer];

		(void)see(group, e->at_ns);
		if (see(&tuples[e->computer][e->image], e->at_ns) &&
		    e->at_ns - group->first_ns >= LEARN * DAY) {
			ret[count] = (struct told){.rule = "learns", .time_ns = e->at_ns};
			snprintf(ret[count++].group, 64, "pc%u,i%u.exe", e->computer, e->image);
		}
		if (see(&users[e->computer][e->image][e->user], e->at_ns)) {
			ret[count] = (struct told){.rule = "tells", .time_ns = e->at_ns};
			snprintf(ret[count++].group, 64, "pc%u,i%u.exe,u%u", e->computer, e->image,
			    e->user);
		}
	}
	return count;
}

/* ---- one run ---- */

static uint64_t previous_of(const struct sent *list, const struct sent *one, uint32_t partitions)
{
	uint64_t previous = FRAME_NO_COUNT;

	for (unsigned i = 0; i < SENT; i++)
		if (list[i].counter < one->counter && list[i].counter % 5 % partitions ==
			one->counter % 5 % partitions &&
		    (previous == FRAME_NO_COUNT || list[i].counter > previous))
			previous = list[i].counter;
	return previous;
}

static void send_one(struct town *town, const struct sent *list, const struct sent *one)
{
	uint32_t partition = (uint32_t)(one->counter % 5 % town->options.events);
	char body[128], host[16];

	snprintf(host, sizeof(host), "web%02d", (int)(one->counter % 5));
	snprintf(body, sizeof(body),
	    "{\"act\":\"start\",\"Computer\":\"pc%u\",\"Image\":\"i%u.exe\",\"User\":\"u%u\"}",
	    one->computer, one->image, one->user);
	town->previous[partition] = previous_of(list, one, town->options.events);
	town_send_as(town, one->counter, partition, host, one->at_ns, one->at_ns, body);
}

static bool is_told(const struct town *town, const struct told *told)
{
	for (size_t i = 0; i < town->alert_count; i++) {
		const struct town_alert *alert = &town->alerts[i];

		if (alert->status == ALERT_SETTLED && alert->time_ns == told->time_ns &&
		    str_eq(alert->rule, str_of(told->rule)) &&
		    str_eq(alert->group, str_of(told->group)))
			return true;
	}
	return false;
}

static void compare(struct town *town, const struct sent *list)
{
	static struct told told[2 * SENT];
	size_t wanted = model(list, told), count;

	(void)town_settled(town, &count);
	for (size_t i = 0; i < wanted; i++)
		if (!is_told(town, &told[i]))
			fail_msg("%s %s at %+.1f d is not told", told[i].rule, told[i].group,
			    (double)(told[i].time_ns - TOWN_START) / (double)DAY);
	assert_int_equal(count, wanted);
	assert_int_equal(town_unsettled(town), 0);
	assert_int_equal(town_stats(town).late, 0);
}

static size_t early_told;

static void run(struct town_options options, const struct sent *list, unsigned kill_every)
{
	struct town town;

	options.rules = both;
	town_open(&town, &options);
	for (unsigned i = 0; i < SENT; i++) {
		if (i > 0 && list[i].burst != list[i - 1].burst) {
			town_run(&town);
			town.now_ns = list[i].at_ns;
		}
		send_one(&town, list, &list[i]);
		if (i % 7 == 0 || options.plan != NULL)
			town_run(&town);
		if (kill_every > 0 && i % kill_every == kill_every - 1)
			town_crash(&town, i / kill_every % town.options.workers);
	}
	town_run(&town);
	early_told += town_stats(&town).alerts_early;
	town_settle(&town);
	compare(&town, list);
	town_close(&town);
}

static void test_model_live_and_shuffled(void **state)
{
	static struct sent list[SENT], turned[SENT];

	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		traffic(list, seed);
		run((struct town_options){.events = 2, .detections = 1}, list, 0);
		for (unsigned workers = 1; workers <= 4; workers *= 2) {
			memcpy(turned, list, sizeof(list));
			shuffle(turned);
			run((struct town_options){.events = 3, .detections = workers + 1,
			    .workers = workers}, turned, 0);
		}
	}
	assert_true(early_told > 50);
}

static void test_deaths(void **state)
{
	static struct sent list[SENT];

	(void)state;
	for (unsigned seed = 5; seed <= 8; seed++) {
		traffic(list, seed);
		shuffle(list);
		/* room for all rows of a rule, but not for those of both in memory */
		run((struct town_options){.workers = 1 + seed % 2, .batch = 8, .detections = 1,
		    .memory_max = 80, .snapshot_ns = seed % 2 ? SECOND : 1000 * DAY}, list,
		    3 + seed);
	}
}

static enum fault plan_often(void *context, const char *call, uint64_t number)
{
	unsigned *seed = context;

	(void)number;
	*seed = *seed * 1103515245u + 12345u;
	if (*seed >> 16 & 63)
		return FAULT_NONE;
	if (strcmp(call, "publish") == 0)
		return (enum fault)(FAULT_BUSY + (*seed >> 22) % 4);
	return strcmp(call, "reader_open") == 0 ? FAULT_NONE : FAULT_ERROR;
}

static void test_everything_fails_often(void **state)
{
	static struct sent list[SENT];

	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		unsigned context = seed;

		traffic(list, seed + 10);
		shuffle(list);
		run((struct town_options){.plan = plan_often, .plan_context = &context,
		    .workers = 1 + seed % 2, .batch = 8}, list, 0);
	}
}

/* ---- the ceiling ---- */

static void start(struct town *town, int64_t at_ns, const char *computer, unsigned image)
{
	char body[128];

	snprintf(body, sizeof(body),
	    "{\"act\":\"start\",\"Computer\":\"%s\",\"Image\":\"i%u.exe\",\"User\":\"u\"}",
	    computer, image);
	if (at_ns > town->now_ns)
		town->now_ns = at_ns;
	town_send(town, "web01", at_ns, body);
}

static void settle_at(struct town *town, int64_t at_ns)
{
	town_run(town);
	town->now_ns = at_ns;
	town_tick(town);
	town_run(town);
}

static const char simple[] =
    RULE("simple", "start", "fields: [Image], by: [Computer], within: 10d, learn: 0");

/* The oldest go, not those that were made first: 0 is seen again and again, and stays. */
static void test_ceiling_is_kept_and_told(void **state)
{
	struct town town;

	(void)state;
	town_open(
	    &town, &(struct town_options){.rules = simple, .detections = 1, .memory_max = 19});
	for (unsigned i = 0; i < 100; i++) {
		start(&town, TOWN_START + i * 60 * SECOND, "pc", i);
		start(&town, TOWN_START + i * 60 * SECOND + SECOND, "pc", 0);
		town_run(&town);
	}
	town_tick(&town);
	town_run(&town);
	town.now_ns += 60 * SECOND;
	town_tick(&town);
	town_run(&town);
	assert_int_equal(town_stats(&town).remembered, 20);
	assert_int_equal(town_stats(&town).forgotten, 80);
	assert_int_equal(town_count(&town, "simple", ALERT_SETTLED), 100);
	/* told, but not with each row: once in an hour of the events */
	assert_int_equal(town_count(&town, "tocsin-memory", ALERT_SETTLED), 2);
	/* One that comes back takes the place of another, and is forgotten in its turn. */
	for (unsigned i = 77; i <= 80; i++)
		start(&town, TOWN_START + (5920 + i) * SECOND, "pc", i);
	settle_at(&town, TOWN_START + 6060 * SECOND);
	assert_int_equal(town_count_group(&town, "simple", "pc,i77.exe", ALERT_SETTLED), 2);
	assert_int_equal(town_stats(&town).remembered, 20);
	assert_int_equal(town_stats(&town).forgotten, 84);
	for (unsigned i = 0; i < 40; i++)
		start(&town, TOWN_START + (6060 + i) * SECOND, "pc", 200 + i);
	for (unsigned i = 80; i < 100; i++)
		start(&town, TOWN_START + (6040 + i) * SECOND, "pc", i);
	start(&town, TOWN_START + 6150 * SECOND, "pc", 0);
	settle_at(&town, TOWN_START + 6260 * SECOND);
	assert_int_equal(town_stats(&town).remembered, 20);
	town_crash(&town, 0);
	/* What was forgotten is new again; what was not, is not. */
	start(&town, TOWN_START + 7200 * SECOND, "pc", 1);
	start(&town, TOWN_START + 7201 * SECOND, "pc", 0);
	start(&town, TOWN_START + 7202 * SECOND, "pc", 99);
	town_settle(&town);
	assert_int_equal(town_count_group(&town, "simple", "pc,i1.exe", ALERT_SETTLED), 2);
	assert_int_equal(town_count_group(&town, "simple", "pc,i99.exe", ALERT_SETTLED), 2);
	assert_int_equal(town_stats(&town).remembered, 20);
	town_close(&town);
}

/* Rows that no answer needs any more go, some with each commit. */
static void test_rows_go_when_their_time_has_come(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = simple, .detections = 1});
	for (unsigned i = 0; i < 600; i++)
		start(&town, TOWN_START + i * SECOND / 16, "pc", i);
	town_run(&town);
	start(&town, TOWN_START + 5 * DAY, "pc", 7);
	town_run(&town);
	town_tick(&town);
	town_run(&town);
	assert_int_equal(town_stats(&town).remembered, 600);
	for (unsigned i = 0; i < 8; i++) {
		town.now_ns = TOWN_START + 11 * DAY + i * 60 * SECOND;
		town_tick(&town);
		town_run(&town);
	}
	assert_int_equal(town_stats(&town).remembered, 1);
	assert_int_equal(town_stats(&town).forgotten, 0);
	start(&town, TOWN_START + 12 * DAY, "pc", 7);
	start(&town, TOWN_START + 12 * DAY, "pc", 8);
	town_settle(&town);
	assert_int_equal(town_count_group(&town, "simple", "pc,i7.exe", ALERT_SETTLED), 1);
	assert_int_equal(town_count_group(&town, "simple", "pc,i8.exe", ALERT_SETTLED), 2);
	town_close(&town);
}

/* Events that are met again elsewhere are told again, under the same ids, and change nothing. */
static void test_the_same_events_are_the_same_alerts(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = simple});
	for (unsigned turn = 0; turn < 2; turn++) {
		town.counter = 0;
		memset(town.previous, 0xff, sizeof(town.previous));
		start(&town, TOWN_START, "pc", 1);
		start(&town, TOWN_START + SECOND, "pc", 1);
		start(&town, TOWN_START + 2 * SECOND, "pc", 2);
		settle_at(&town, TOWN_START + 100 * SECOND);
		assert_int_equal(town_count(&town, "simple", ALERT_SETTLED), 2);
		town_anew(&town, true);
		town.now_ns = TOWN_START;
	}
	for (size_t i = 0; i < town.alert_count; i++)
		assert_true(town.alerts[i].told >= 3);
	town_close(&town);
}

/* A row as it stands in the file: first and last seen, coordinate. */
static unsigned rows_damage(const struct town *town, int64_t time_ns)
{
	char wanted[16];
	unsigned count = 0;
	FILE *file = fopen(town->file, "r+");
	struct buf all = BUF(64 << 20);
	char chunk[65536];
	size_t n;

	assert_non_null(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_put(&all, chunk, n);
	set_u64(wanted, (uint64_t)time_ns);
	set_u64(wanted + 8, (uint64_t)time_ns);
	for (size_t at = 0; at + 40 < all.len; at++) {
		if (memcmp(all.ptr + at, wanted, sizeof(wanted)) != 0)
			continue;
		fseek(file, (long)at + 32, SEEK_SET);
		fputc(~all.ptr[at + 32], file);
		count++;
	}
	assert_int_equal(fclose(file), 0);
	buf_free(&all);
	return count;
}

/* What a damaged row said is told once more, and counted; nobody stops for it. */
static void test_a_damaged_row_is_forgotten(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = simple, .detections = 1, .on_disk = true});
	start(&town, TOWN_START + 7000, "pc", 1);
	start(&town, TOWN_START + 8000, "pc", 2);
	settle_at(&town, TOWN_START + 100 * SECOND);
	town_crash(&town, 0);
	assert_true(rows_damage(&town, TOWN_START + 7000) > 0);
	for (int i = 1; i < 4; i++) {
		start(&town, TOWN_START + i * DAY, "pc", 1);
		start(&town, TOWN_START + i * DAY, "pc", 2);
		settle_at(&town, TOWN_START + i * DAY + 100 * SECOND);
		if (i == 1)
			assert_int_equal(town_stats(&town).forgotten, 1);
		town_crash(&town, 0);
	}
	town_run(&town);
	assert_int_equal(town_count_group(&town, "simple", "pc,i1.exe", ALERT_SETTLED), 2);
	assert_int_equal(town_count_group(&town, "simple", "pc,i2.exe", ALERT_SETTLED), 1);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

/* ---- other rules ---- */

static void reload(struct town *town, const char *rules)
{
	struct error error = {0};

	town_run(town);
	town->options.rules = rules;
	assert_int_equal(town_reload(town, 0, &error), WORKER_SWITCHED);
}

/* Another selection, another time: the same memory. Other fields: another one. */
static void test_memory_outlives_other_rules(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = simple});
	start(&town, TOWN_START, "pc", 1);
	settle_at(&town, TOWN_START + 100 * SECOND);
	reload(&town,
	    RULE("simple", "'st*'", "fields: [Image], by: [Computer], within: 12d, learn: 0"));
	start(&town, TOWN_START + 11 * DAY, "pc", 1);
	settle_at(&town, TOWN_START + 11 * DAY + 100 * SECOND);
	assert_int_equal(town_count(&town, "simple", ALERT_SETTLED), 1);
	reload(&town, RULE("simple", "start", "fields: [Image], within: 12d, learn: 0"));
	start(&town, TOWN_START + 12 * DAY, "pc", 1);
	settle_at(&town, TOWN_START + 12 * DAY + 100 * SECOND);
	assert_int_equal(town_count(&town, "simple", ALERT_SETTLED), 2);
	/* and the one before is there when it is wanted again */
	reload(&town, simple);
	start(&town, TOWN_START + 13 * DAY, "pc", 1);
	settle_at(&town, TOWN_START + 13 * DAY + 100 * SECOND);
	assert_int_equal(town_count(&town, "simple", ALERT_SETTLED), 2);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

/* Nobody asks for them any more; they go all the same. */
static void test_rows_of_rules_that_have_gone_go(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = simple, .detections = 1});
	for (unsigned i = 0; i < 20; i++)
		start(&town, TOWN_START + i * SECOND, "pc", i);
	settle_at(&town, TOWN_START + 100 * SECOND);
	assert_int_equal(town_stats(&town).remembered, 20);
	reload(&town, RULE("other", "stop", "fields: [Image], within: 1d, learn: 0"));
	settle_at(&town, TOWN_START + 9 * DAY);
	assert_int_equal(town_stats(&town).remembered, 20);
	settle_at(&town, TOWN_START + 11 * DAY);
	assert_int_equal(town_stats(&town).remembered, 0);
	town_close(&town);
}

/* A switch between what waits and its answer: what has not changed goes on. */
static void test_reload_while_something_waits(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = simple});
	start(&town, TOWN_START, "pc", 1);
	town_run(&town);
	assert_int_equal(town_count(&town, "simple", ALERT_EARLY), 1);
	reload(&town, simple);
	start(&town, TOWN_START + SECOND, "pc", 1);
	town_run(&town);
	town_settle(&town);
	assert_int_equal(town_count(&town, "simple", ALERT_SETTLED), 1);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

/* Another bus: nothing of the offsets is left, and what was seen is still known. */
static void test_memory_outlives_the_bus(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = simple});
	start(&town, TOWN_START, "pc", 1);
	settle_at(&town, TOWN_START + 100 * SECOND);
	assert_int_equal(town_count(&town, "simple", ALERT_SETTLED), 1);
	town_anew(&town, true);
	start(&town, TOWN_START + DAY, "pc", 1);
	start(&town, TOWN_START + DAY, "pc", 2);
	town_settle(&town);
	assert_int_equal(town_count_group(&town, "simple", "pc,i1.exe", ALERT_SETTLED), 1);
	assert_int_equal(town_count_group(&town, "simple", "pc,i2.exe", ALERT_SETTLED), 1);
	town_close(&town);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model_live_and_shuffled),
	    cmocka_unit_test(test_deaths),
	    cmocka_unit_test(test_everything_fails_often),
	    cmocka_unit_test(test_ceiling_is_kept_and_told),
	    cmocka_unit_test(test_rows_go_when_their_time_has_come),
	    cmocka_unit_test(test_the_same_events_are_the_same_alerts),
	    cmocka_unit_test(test_a_damaged_row_is_forgotten),
	    cmocka_unit_test(test_rows_of_rules_that_have_gone_go),
	    cmocka_unit_test(test_memory_outlives_other_rules),
	    cmocka_unit_test(test_reload_while_something_waits),
	    cmocka_unit_test(test_memory_outlives_the_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
