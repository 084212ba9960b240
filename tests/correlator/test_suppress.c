/*
 * Which key an alert tells that its rule's suppression goes by; the counting is the store's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "town.h"

static const char rules[] =
    "title: failed\n"
    "id: failed\n"
    "logsource: {definition: any}\n"
    "detection: {s: {act: fail}, condition: s}\n"
    "tocsin: {suppress: {for: 1h, by: [user, SourceIp]}}\n"
    "---\n"
    "title: whole\n"
    "id: whole\n"
    "logsource: {definition: any}\n"
    "detection: {s: {act: fail}, condition: s}\n"
    "tocsin: {suppress: {for: 10m, by: []}}\n"
    "---\n"
    "title: plain\n"
    "id: plain\n"
    "logsource: {definition: any}\n"
    "detection: {s: {act: fail}, condition: s}\n"
    "---\n"
    "title: base\n"
    "id: base\n"
    "logsource: {definition: any}\n"
    "detection: {s: {act: fail}, condition: s}\n"
    "---\n"
    "title: twice\n"
    "id: twice\n"
    "correlation: {type: event_count, rules: [base], group-by: [user, host], timespan: 1m,\n"
    "    condition: {gte: 2}}\n"
    "tocsin: {suppress: {for: 1d, by: [host]}}\n";

#define ALERTS 64

struct seen {
	size_t count;
	struct {
		char rule[32], key[2048];
		int64_t for_ns;
		enum alert_status status;
	} list[ALERTS];
};

static void seen_add(struct seen *seen, const struct alert *alert)
{
	char *key = seen->list[seen->count].key;
	size_t used = 0;

	assert_true(seen->count < ALERTS);
	snprintf(seen->list[seen->count].rule, 32, "%.*s", STR_ARG(alert->rule.id));
	seen->list[seen->count].for_ns = alert->suppress_ns;
	seen->list[seen->count].status = alert->status;
	key[0] = '\0';
	for (size_t i = 0; i < alert->suppress_count; i++)
		used += (size_t)snprintf(key + used, 2048 - used, "%.*s=%.*s;",
		    STR_ARG(alert->suppress[i].name), STR_ARG(alert->suppress[i].value));
	seen->count++;
}

static void seen_read(struct town *town, struct arena *arena, struct seen *seen)
{
	struct buf value = BUF(BUS_RECORD_MAX);
	uint64_t first, next;
	struct alert alert;

	for (uint32_t p = 0; p < town->options.alerts; p++) {
		assert_int_equal(bus_range(town->bus, TOPIC_ALERTS, p, &first, &next, NULL), 0);
		for (; first < next; first++) {
			buf_clear(&value);
			bus_fetch(town->bus, TOPIC_ALERTS, p, first, &value, NULL);
			if (alert_read(arena, buf_str(&value), &alert, NULL) == 0)
				seen_add(seen, &alert);
		}
	}
	buf_free(&value);
}

static size_t seen_count(const struct seen *seen, const char *rule, const char *key, int64_t for_s)
{
	size_t count = 0;

	for (size_t i = 0; i < seen->count; i++)
		count += strcmp(seen->list[i].rule, rule) == 0 &&
		    strcmp(seen->list[i].key, key) == 0 &&
		    seen->list[i].for_ns == for_s * SECOND;
	return count;
}

static void test_the_key_is_told(void **state)
{
	struct town_options options = {.rules = rules};
	struct arena *arena = arena_new(16 << 20);
	struct seen *seen = calloc(1, sizeof(*seen));
	struct town town;

	(void)state;
	town_open(&town, &options);
	town_send(&town, "web01", TOWN_START,
	    "{\"act\":\"fail\",\"user\":\"an\",\"SourceIp\":\"192.0.2.1\"}");
	town_send(&town, "web01", TOWN_START + SECOND, "{\"act\":\"fail\",\"user\":\"an\"}");
	town_send(&town, "web01", TOWN_START + 2 * SECOND,
	    "{\"act\":\"fail\",\"user\":null,\"SourceIp\":\"\"}");
	town_finish(&town);
	seen_read(&town, arena, seen);
	/* The names in order; a field that is absent or null is left out, an empty one is not. */
	assert_int_equal(seen_count(seen, "failed", "SourceIp=192.0.2.1;user=an;", 3600), 1);
	assert_int_equal(seen_count(seen, "failed", "user=an;", 3600), 1);
	assert_int_equal(seen_count(seen, "failed", "SourceIp=;", 3600), 1);
	assert_int_equal(seen_count(seen, "whole", "", 600), 3);
	assert_int_equal(seen_count(seen, "plain", "", 0), 3);
	/* A correlation: of its groups; both told, early and settled. */
	assert_int_equal(seen_count(seen, "twice", "host=web01;", 86400), 2);
	town_close(&town);
	arena_free(arena);
	free(seen);
}

/* Values that differ far behind are different keys, and none is as long as it likes. */
static void test_long_values_stay_apart(void **state)
{
	struct town_options options = {.rules = rules};
	struct arena *arena = arena_new(16 << 20);
	struct seen *seen = calloc(1, sizeof(*seen));
	char body[3000], text[2048];
	struct town town;
	const char *keys[2];
	size_t count = 0;

	(void)state;
	town_open(&town, &options);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 2; i++) {
		text[sizeof(text) - 2] = (char)('a' + i);
		snprintf(body, sizeof(body), "{\"act\":\"fail\",\"user\":\"%s\"}", text);
		town_send(&town, "web01", TOWN_START + i, body);
	}
	town_finish(&town);
	seen_read(&town, arena, seen);
	for (size_t i = 0; i < seen->count; i++)
		if (strcmp(seen->list[i].rule, "failed") == 0 && count < 2)
			keys[count++] = seen->list[i].key;
	assert_int_equal(count, 2);
	assert_string_not_equal(keys[0], keys[1]);
	assert_true(strlen(keys[0]) < 1100);
	town_close(&town);
	arena_free(arena);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_key_is_told),
	    cmocka_unit_test(test_long_values_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
