/*
 * The score over the corpus of real vendors' lines, field by field, through decoder_run. It must
 * not fall under the floor; the figures of the peers are those of default rsyslog and syslog-ng on
 * the same kind of lines.
 */
#include "base/civil.h"
#include "base/clock.h"
#include "decoder/decoder.h"
#include "decoder/timestamp.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CEILING (8u << 20)

enum part { PRI, TIME, HOST, APP, PROCID, MSGID, MSG, SD, FIELDS, PARTS };

static const char *const part_names[PARTS] = {
    "pri", "time", "host", "app", "procid", "msgid", "msg", "sd", "fields"};

struct score {
	unsigned good[PARTS], all[PARTS];
};

struct suite {
	struct score vendor, other;
	struct arena *arena;
};

static FILE *open_corpus(void)
{
	const char *folder = getenv("TOCSIN_CORPORA");
	char path[512];

	snprintf(path, sizeof(path), "%s/syslog-cases.jsonl",
	    folder != NULL ? folder : "../shared/corpora");
	return fopen(path, "r");
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void count(struct score *score, enum part part, bool good, const json_t *one)
{
	score->all[part]++;
	score->good[part] += good;
	if (!good && getenv("SCORE_MISSES") != NULL)
		fprintf(stderr, "%s %s\n", part_names[part], text_of(one, "id"));
}

static bool is_text(struct str value, const char *expected)
{
	return expected == NULL ? value.len == 0 : str_eq(value, str_of(expected));
}

/* "1795318023.394": ours cut to as many digits. */
static bool same_epoch(int64_t ns, const char *expected)
{
	char ours[32];
	size_t len = strlen(expected);

	snprintf(ours, sizeof(ours), "%lld.%09lld", (long long)(ns / NS_PER_S),
	    (long long)(ns % NS_PER_S));
	return len < sizeof(ours) && strncmp(ours, expected, len) == 0 &&
	       (ours[len] == '.' || strchr(expected, '.') != NULL);
}

static bool any_epoch(const json_t *list, int64_t ns)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (same_epoch(ns, json_string_value(json_array_get(list, i))))
			return true;
	}
	return false;
}

static bool any_text(const json_t *list, struct str value)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (str_eq(value, str_of(json_string_value(json_array_get(list, i)))))
			return true;
	}
	return false;
}

static int64_t expected_ns(const json_t *expect, int64_t otherwise)
{
	const char *text = text_of(expect, "ts");
	struct timestamp stamp;
	int64_t ns;

	if (json_object_get(expect, "ts_epoch_us") != NULL)
		return json_integer_value(json_object_get(expect, "ts_epoch_us")) * 1000;
	if (text != NULL && timestamp_parse(str_of(text), &stamp) &&
	    timestamp_ns(&stamp, otherwise, 0, &ns))
		return ns;
	return otherwise;
}

/* Without a year only the parts of the stamp can be compared. */
static bool same_yearless(const char *text, int64_t ns)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c = civil_from_ns(ns, 0);
	char ours[40];

	snprintf(ours, sizeof(ours), "%.3s %2d %02d:%02d:%02d", months + 3 * (c.month - 1), c.day,
	    c.hour, c.minute, c.second);
	return strncmp(ours, text, strlen(ours)) == 0;
}

static void score_time(struct score *score, const struct record *record, const json_t *one)
{
	const json_t *expect = json_object_get(one, "expect");
	const json_t *list = json_object_get(expect, "ts_epoch_any");
	const char *yearless = text_of(expect, "ts_noyear");

	if (list != NULL)
		count(score, TIME, any_epoch(list, record->time_ns), one);
	else if (yearless != NULL)
		count(score, TIME, same_yearless(yearless, record->time_ns), one);
	else if (text_of(expect, "ts") != NULL)
		count(score, TIME, record->time_ns == expected_ns(expect, 0), one);
}

static void score_text(
    struct score *score, enum part part, struct str value, const char *key, const json_t *one)
{
	const json_t *expect = json_object_get(one, "expect");
	const json_t *wanted = json_object_get(expect, key);

	if (wanted != NULL && !json_is_object(wanted))
		count(score, part, is_text(value, json_string_value(wanted)), one);
}

static bool has_field(const struct record *record, struct str name, const char *value)
{
	if (str_eq(name, STR("severity")))
		name = STR("deviceSeverity");
	for (size_t i = 0; i < record->field_count; i++) {
		if (str_eq(record->fields[i].name, name) && is_text(record->fields[i].value, value))
			return true;
	}
	return false;
}

static bool same_sd(const struct record *record, json_t *sd)
{
	const char *id, *name;
	json_t *params, *value;
	char joined[256];

	json_object_foreach(sd, id, params)
	{
		json_object_foreach(params, name, value)
		{
			snprintf(joined, sizeof(joined), "%s.%s", id, name);
			if (!has_field(record, str_of(joined), json_string_value(value)))
				return false;
		}
	}
	return true;
}

static bool same_fields(const struct record *record, json_t *fields)
{
	const char *name;
	json_t *value;

	json_object_foreach(fields, name, value)
	{
		if (!json_is_string(value) ||
		    !has_field(record, str_of(name), json_string_value(value)))
			return false;
	}
	return true;
}

/* A BOM before the text says that it is UTF-8 and is no part of it. */
static struct str without_bom(const char *text)
{
	struct str s = str_of(text);

	return str_starts(s, STR("\xEF\xBB\xBF")) ? str_slice(s, 3, s.len) : s;
}

static void score_header(struct score *score, const struct record *record, const json_t *one)
{
	json_t *expect = json_object_get(one, "expect");
	const json_t *pri = json_object_get(expect, "pri");
	const char *msg = text_of(expect, "msg");
	uint64_t value = 999;

	if (json_is_integer(pri)) {
		str_to_u64(record_value(record, FIELD_PRI), &value);
		count(score, PRI, value == (uint64_t)json_integer_value(pri), one);
	}
	score_time(score, record, one);
	if (json_object_get(expect, "host_any") != NULL)
		count(score, HOST,
		    any_text(json_object_get(expect, "host_any"), record_value(record, FIELD_HOST)),
		    one);
	score_text(score, HOST, record_value(record, FIELD_HOST), "host", one);
	score_text(score, APP, record_value(record, FIELD_APP), "app", one);
	score_text(score, PROCID, record_value(record, FIELD_PROCID), "procid", one);
	score_text(score, MSGID, record_value(record, FIELD_MSGID), "msgid", one);
	if (msg != NULL)
		count(score, MSG, str_eq(record->message, without_bom(msg)), one);
	if (json_object_get(expect, "sd") != NULL)
		count(score, SD, same_sd(record, json_object_get(expect, "sd")), one);
}

static int64_t received(const json_t *one)
{
	const json_t *expect = json_object_get(one, "expect");
	const char *now = text_of(json_object_get(one, "options"), "now");
	struct civil day = {2026, 11, 22, 3, 30, 0, 0};
	struct timestamp stamp;
	int64_t ns = civil_to_ns(&day, 0);

	if (now != NULL && timestamp_parse(str_of(now), &stamp) && timestamp_ns(&stamp, ns, 0, &ns))
		return ns;
	return expected_ns(expect, ns - 3600 * NS_PER_S) + 3600 * NS_PER_S;
}

static bool is_scored(const json_t *one)
{
	const char *proto = text_of(one, "proto");

	return json_is_true(json_object_get(one, "valid")) && strcmp(proto, "framing") != 0 &&
	       text_of(one, "input") != NULL;
}

static void score_one(struct suite *suite, const json_t *one)
{
	bool vendor = strcmp(text_of(one, "proto"), "vendor") == 0;
	struct score *score = vendor ? &suite->vendor : &suite->other;
	json_t *expect = json_object_get(one, "expect");
	struct record record;
	struct event event = {.raw = str_of(text_of(one, "input")), .received_ns = received(one)};

	event.zone_s = (int32_t)json_integer_value(json_object_get(expect, "ts_off"));
	arena_reset(suite->arena);
	decoder_run(&record, &event, suite->arena);
	if (json_object_get(expect, "fields") != NULL)
		count(score, FIELDS, same_fields(&record, json_object_get(expect, "fields")), one);
	else
		score_header(score, &record, one);
}

static double percent(const struct score *score, enum part part)
{
	return score->all[part] == 0 ? 100.0 : 100.0 * score->good[part] / score->all[part];
}

static void report(const char *name, const struct score *score)
{
	for (int part = 0; part < PARTS; part++) {
		if (score->all[part] > 0)
			fprintf(stderr, "# %-6s %-7s %3u of %3u  %.1f %%\n", name, part_names[part],
			    score->good[part], score->all[part], percent(score, (enum part)part));
	}
}

/* Just under what is reached: a change that loses cases must be seen. */
static void check_floors(const struct suite *suite)
{
	static const double vendor[PARTS] = {[PRI] = 99, [TIME] = 98, [HOST] = 95};
	static const double other[PARTS] = {[PRI] = 99,
	    [TIME] = 99,
	    [HOST] = 98,
	    [APP] = 94,
	    [PROCID] = 99,
	    [MSGID] = 99,
	    [MSG] = 94,
	    [SD] = 99,
	    [FIELDS] = 50};

	for (int part = 0; part < PARTS; part++) {
		assert_true(percent(&suite->vendor, (enum part)part) >= vendor[part]);
		assert_true(percent(&suite->other, (enum part)part) >= other[part]);
	}
}

static void test_score(void **state)
{
	struct suite suite = {.arena = arena_new(CEILING)};
	FILE *file = open_corpus();
	static char line[65536];

	(void)state;
	if (file == NULL) {
		fprintf(
		    stderr, "# no syslog-cases.jsonl under TOCSIN_CORPORA or ../shared/corpora\n");
		arena_free(suite.arena);
		skip();
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		json_t *one = json_loads(line, JSON_ALLOW_NUL, NULL);
		assert_non_null(one);
		if (is_scored(one))
			score_one(&suite, one);
		json_decref(one);
	}
	fclose(file);
	arena_free(suite.arena);
	report("vendor", &suite.vendor);
	report("other", &suite.other);
	fprintf(stderr,
	    "# peers, vendors' lines: host rsyslog 68 %%, syslog-ng 73 %%; time 74 %%, 81 %%\n");
	check_floors(&suite);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_score)};

	return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
