/* What is common to all backends and must never change. */
#include "bus/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static const struct { struct str key; uint32_t partitions, partition; } places[] = {
	{{"", 0}, 4, 2},
	{{"a", 1}, 1, 0},
	{{"fw-01.ha-giang.example", 22}, 16, 9},
	{{"192.0.2.7", 9}, 16, 5},
	{{"ca-mau\0web", 10}, 256, 24},
	{{"2001:db8::1", 11}, 256, 18},
};

/* Records of a sender would leave their order if one of these moved. */
static void test_keys_stay_where_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		assert_int_equal(bus_partition_of(places[i].key, places[i].partitions),
		    places[i].partition);
}

static void test_keys_spread(void **state)
{
	unsigned count[16] = {0};

	(void)state;
	for (uint32_t i = 0; i < 16000; i++)
		count[bus_partition_of(str_from(&i, sizeof(i)), 16)]++;
	for (size_t i = 0; i < 16; i++)
		assert_in_range(count[i], 850, 1150);
}

static void test_topics_have_names(void **state)
{
	enum bus_topic topic;

	(void)state;
	for (unsigned i = 0; i < TOPIC_COUNT; i++) {
		assert_true(bus_topic_parse(bus_topic_name((enum bus_topic)i), &topic));
		assert_int_equal(topic, i);
	}
	assert_false(bus_topic_parse(STR("event"), &topic));
	assert_false(bus_topic_parse(STR("Events"), &topic));
	assert_false(bus_topic_parse(STR(""), &topic));
}

static void test_options_are_checked(void **state)
{
	static const struct { const char *backend; uint32_t events; const char *says; } rows[] = {
		{"carrier-pigeon", 1, "carrier-pigeon"},
		{"memory", 0, "events"},
		{"memory", BUS_PARTITIONS_MAX + 1, "events"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bus_options options = {.backend = rows[i].backend,
		    .partitions = {rows[i].events, 1, 1}};
		struct bus *bus;
		struct error error = {0};

		assert_int_equal(bus_open(&bus, &options, &error), ERR_DOCUMENT);
		assert_non_null(strstr(error.text, rows[i].says));
	}
	bus_close(NULL);
	bus_reader_close(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_stay_where_they_are),
		cmocka_unit_test(test_keys_spread),
		cmocka_unit_test(test_topics_have_names),
		cmocka_unit_test(test_options_are_checked),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
