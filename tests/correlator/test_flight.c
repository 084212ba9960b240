/*
 * Events that fly together become what they become one by one: in their order, however many there
 * are, however large they are, and however little memory there is.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/flight.h"

#define EVENTS_MAX 300
#define CEILING    ((size_t)64 << 20)
#define RECEIVED   INT64_C(1772438400000000000)

static const char rules[] =
    "title: a\nid: a\nlogsource:\n    definition: any\n"
    "detection:\n    s:\n        act: fail\n    condition: s\nlevel: low\n"
    "---\ntitle: b\nid: b\nlogsource:\n    definition: any\n"
    "detection:\n    s:\n        user|startswith: an\n    condition: s\nlevel: low\n";

/* What the events are made of, in turn. */
static const char *const lines[] = {
    "{\"act\":\"fail\",\"user\":\"an\",\"nested\":{\"a\":[1,2],\"text\":\"x\\u0041y\"}}",
    "<38>1 2026-03-02T08:00:00Z web01 sshd 7 - - Failed password for an from 192.0.2.1 port 22",
    "{\"act\":\"ok\",\"user\":\"b\\u00ecnh\",\"EventID\":4624,\"Channel\":\"Security\"}",
    "<13>Mar  2 08:00:00 web02 town: act=fail user=anh dst=198.51.100.9",
    "{\"act\":\"ok\",\"user\":\"an.t\\\"ran\",\"other\":{\"name\":\"v\"}}",
    "plain",
};

/* A made-up event of so many bytes; 0: one of lines. */
static struct event made(size_t which, size_t bytes)
{
	struct event event = {.at = {7, 7, which}, .received_ns = RECEIVED,
	    .peer = STR("192.0.2.7:40112"), .raw = str_of(lines[which % RULEBOOK_COUNT(lines)])};

	if (bytes > 0) {
		static const char head[] = "{\"act\":\"fail\",\"text\":\"";
		char *text = malloc(bytes);

		assert_true(text != NULL && bytes > sizeof(head) + 2);
		memset(text, 'x', bytes);
		memcpy(text, head, sizeof(head) - 1);
		memcpy(text + bytes - 2, "\"}", 2);
		event.raw = str_from(text, bytes);
	}
	return event;
}

/* The same events, one by one. */
struct expected {
	struct arena *arena;
	struct record record;
	uint32_t matches[2];
	size_t match_count;
	bool whole;
};

struct passengers {
	struct event events[EVENTS_MAX];
	struct expected expected[EVENTS_MAX];
	size_t count, landed, runs;
	struct matcher *matcher; /* that of the flight */
	size_t fails_at;         /* SIZE_MAX: never */
};

static void expect(struct expected *ret, struct decoding *decoding, struct matcher *matcher,
    const struct event *event, size_t ceiling)
{
	const uint32_t *matches;

	ret->arena = arena_new(ceiling);
	assert_non_null(ret->arena);
	decoding_run(decoding, &ret->record, event, ret->arena);
	ret->whole = !arena_failed(ret->arena);
	ret->match_count = matcher_run(matcher, &ret->record, &matches);
	assert_true(ret->match_count <= 2);
	if (ret->match_count > 0)
		memcpy(ret->matches, matches, ret->match_count * sizeof(*matches));
}

static void assert_same(const struct record *a, const struct record *b)
{
	assert_int_equal(a->field_count, b->field_count);
	for (size_t i = 0; i < a->field_count; i++) {
		assert_true(str_eq(a->fields[i].name, b->fields[i].name));
		assert_true(str_eq(a->fields[i].value, b->fields[i].value));
		assert_int_equal(a->fields[i].id, b->fields[i].id);
		assert_int_equal(a->fields[i].kind, b->fields[i].kind);
	}
	assert_int_equal(a->time_ns, b->time_ns);
	assert_int_equal(a->flags, b->flags);
	assert_true(str_eq(a->decoders, b->decoders));
	assert_true(str_eq(a->product, b->product) && str_eq(a->service, b->service));
	assert_true(str_eq(a->message, b->message));
	assert_memory_equal(a->first, b->first, sizeof(a->first));
}

static int land(void *context, const struct flown *flown)
{
	struct passengers *all = context;
	size_t which = all->landed++;
	struct alert_pair pair;

	assert_true(which < all->count);
	const struct event *event = &all->events[which];
	const struct expected *expected = &all->expected[which];

	assert_int_equal(flown->position.offset, which);
	assert_int_equal(flown->position.partition, 3);
	assert_int_equal(flown->record->event->at.counter, which);
	assert_true(str_eq(flown->record->event->raw, event->raw));
	assert_int_equal(flown->whole, expected->whole);
	assert_same(flown->record, &expected->record);
	assert_int_equal(flown->match_count, all->matcher != NULL ? expected->match_count : 0);
	for (size_t i = 0; i < flown->match_count; i++) {
		assert_int_equal(flown->matches[i], expected->matches[i]);
		/* The matcher's last run was for this one. */
		assert_int_equal(matcher_explain(all->matcher, flown->record, flown->matches[i],
				     &pair, 1), 1);
	}
	return which == all->fails_at ? ERR_MEMORY : 0;
}

static int run(struct passengers *all, struct flight *flight)
{
	all->runs++;
	return flight_run(flight, all->matcher, land, all);
}

static bool add(struct flight *flight, const struct event *event, size_t offset)
{
	*flight_seat(flight) = *event;
	return flight_add(flight, &(struct position){3, offset, 0});
}

/* All of them from the first on, and what is left in the flight at the end. */
static void fly(struct passengers *all, struct flight *flight)
{
	all->landed = all->runs = 0;
	for (size_t i = 0; i < all->count; i++)
		if (add(flight, &all->events[i], i))
			assert_int_equal(run(all, flight), 0);
	assert_int_equal(run(all, flight), 0);
	assert_int_equal(all->landed, all->count);
}

struct row {
	const char *name;
	size_t count, bytes; /* of which the one at huge has so many bytes */
	size_t huge;         /* SIZE_MAX: all have */
	size_t runs;         /* the last of them may be empty */
};

static void passengers_make(struct passengers *all, const struct row *row,
    struct decoding *decoding, struct matcher *matcher, size_t ceiling)
{
	*all = (struct passengers){.count = row->count, .fails_at = SIZE_MAX};
	for (size_t i = 0; i < row->count; i++) {
		bool is_huge = row->huge == SIZE_MAX || row->huge == i;

		all->events[i] = made(i, is_huge ? row->bytes : 0);
		expect(&all->expected[i], decoding, matcher, &all->events[i], ceiling);
	}
}

static void passengers_free(struct passengers *all, const struct row *row)
{
	for (size_t i = 0; i < all->count; i++) {
		arena_free(all->expected[i].arena);
		if (row->bytes > 0 && (row->huge == SIZE_MAX || row->huge == i))
			free((void *)(uintptr_t)all->events[i].raw.ptr);
	}
}

static struct passengers all;

static void test_as_one_by_one(void **state)
{
	static const struct row rows[] = {
	    {"none", 0, 0, 0, 1},
	    {"one", 1, 0, 0, 1},
	    {"one less", FLIGHT_MOST - 1, 0, 0, 1},
	    {"full", FLIGHT_MOST, 0, 0, 2},
	    {"one more", FLIGHT_MOST + 1, 0, 0, 2},
	    {"a frame", EVENTS_MAX, 0, 0, EVENTS_MAX / FLIGHT_MOST + 1},
	    {"a huge one first", 3, 1u << 20, 0, 2},
	    {"a huge one among others", FLIGHT_MOST, 1u << 20, 5, 2},
	    {"a huge one last", FLIGHT_MOST, 1u << 20, FLIGHT_MOST - 1, 2},
	    {"all are huge", FLIGHT_MOST, 1u << 20, SIZE_MAX, FLIGHT_MOST + 1},
	    {"all are large", 9, FLIGHT_BYTES / 4, SIZE_MAX, 3},
	};
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *alone = matcher_new(ruleset), *matcher = matcher_new(ruleset);
	struct decoding *one = decoding_new(NULL), *other = decoding_new(NULL);
	struct flight *flight = flight_new(other, CEILING);

	(void)state;
	assert_true(alone != NULL && matcher != NULL && one != NULL && flight != NULL);
	for (size_t i = 0; i < RULEBOOK_COUNT(rows); i++) {
		passengers_make(&all, &rows[i], one, alone, CEILING);
		for (int with = 0; with < 2; with++) {
			all.matcher = with == 1 ? matcher : NULL;
			fly(&all, flight);
			if (all.runs != rows[i].runs)
				fail_msg("%s: %zu runs", rows[i].name, all.runs);
		}
		passengers_free(&all, &rows[i]);
	}
	flight_free(flight);
	decoding_free(one);
	decoding_free(other);
	matcher_free(alone);
	matcher_free(matcher);
	ruleset_free(ruleset);
}

/* At each ceiling the same events lack memory as one by one, and none because of another. */
static void test_memory_is_of_each_alone(void **state)
{
	static const struct row row = {"tight", 2 * FLIGHT_MOST, 8000, 4, 3};
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *matcher = matcher_new(ruleset);
	size_t all_whole = 0, some_whole = 0, none_whole = 0;

	(void)state;
	for (size_t ceiling = 0; ceiling < 40000; ceiling += ceiling < 6000 ? 144 : 2000) {
		struct flight *flight = flight_new(NULL, ceiling);
		size_t whole = 0;

		assert_non_null(flight);
		passengers_make(&all, &row, NULL, matcher, ceiling);
		all.matcher = matcher;
		fly(&all, flight);
		for (size_t i = 0; i < all.count; i++)
			whole += all.expected[i].whole;
		*(whole == all.count ? &all_whole : whole > 0 ? &some_whole : &none_whole) += 1;
		passengers_free(&all, &row);
		flight_free(flight);
	}
	assert_true(all_whole > 5 && some_whole > 5 && none_whole > 0);
	matcher_free(matcher);
	ruleset_free(ruleset);
}

/* More fields than the arena is meant to hold: they are matched in between. */
static void test_records_without_end(void **state)
{
	static char text[24000];
	size_t len = 0;
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *alone = matcher_new(ruleset), *matcher = matcher_new(ruleset);
	struct flight *flight = flight_new(NULL, 1500u << 10);

	(void)state;
	len += (size_t)snprintf(text, sizeof(text), "{\"act\":\"fail\"");
	for (unsigned i = 0; i < 1000; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ",\"f%u\":\"%u\"", i, i);
	text[len++] = '}';
	all = (struct passengers){.count = FLIGHT_MOST - 1, .fails_at = SIZE_MAX,
	    .matcher = matcher};
	for (size_t i = 0; i < all.count; i++) {
		all.events[i] = made(i, 0);
		all.events[i].raw = str_from(text, i % 5 == 4 ? 0 : len);
		expect(&all.expected[i], NULL, alone, &all.events[i], CEILING);
	}
	fly(&all, flight);
	assert_true(all.expected[0].record.field_count > 1000);
	for (size_t i = 0; i < all.count; i++)
		arena_free(all.expected[i].arena);
	flight_free(flight);
	matcher_free(alone);
	matcher_free(matcher);
	ruleset_free(ruleset);
}

/* What stands behind the one that failed never lands, and the flight is empty again. */
static void test_given_up_where_it_fails(void **state)
{
	static const struct row row = {"full", FLIGHT_MOST, 0, 0, 1};
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *matcher = matcher_new(ruleset);
	struct flight *flight = flight_new(NULL, CEILING);

	(void)state;
	for (size_t at = 0; at < FLIGHT_MOST; at++) {
		passengers_make(&all, &row, NULL, matcher, CEILING);
		all.fails_at = at;
		for (size_t i = 0; i < FLIGHT_MOST; i++)
			assert_int_equal(add(flight, &all.events[i], i), i == FLIGHT_MOST - 1);
		assert_int_equal(run(&all, flight), ERR_MEMORY);
		assert_int_equal(all.landed, at + 1);
		assert_int_equal(run(&all, flight), 0);
		assert_int_equal(all.landed, at + 1);
		all.fails_at = SIZE_MAX;
		fly(&all, flight);
		passengers_free(&all, &row);
	}
	flight_free(flight);
	flight_free(NULL);
	matcher_free(matcher);
	ruleset_free(ruleset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_one_by_one),
	    cmocka_unit_test(test_memory_is_of_each_alone),
	    cmocka_unit_test(test_records_without_end),
	    cmocka_unit_test(test_given_up_where_it_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
