/* What decoding came to, by sender: told apart by name and transport, bounded. */
#include "correlator/census.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"

#define TIME INT64_C(1795328820000000000)

static void note(struct census *census, const char *sender, enum transport transport,
    const char *decoders, int64_t skew_ns, uint32_t flags)
{
	struct event event = {
	    .sender = str_of(sender), .transport = transport, .received_ns = TIME};
	struct record record = {.event = &event, .decoders = str_of(decoders),
	    .time_ns = TIME + skew_ns, .flags = flags};

	census_note(census, &record, skew_ns > 3600 * NS_PER_S);
}

struct wanted {
	const char *sender;
	enum transport transport;
	struct census_row row, all;
	size_t rows;
};

static bool visit(void *context, const struct census_row *row)
{
	struct wanted *wanted = context;

	wanted->rows++;
	wanted->all.decoded += row->decoded;
	if (str_eq(row->sender, str_of(wanted->sender)) && row->transport == wanted->transport)
		wanted->row = *row;
	return true;
}

static struct wanted find(
    const struct census *census, const char *sender, enum transport transport)
{
	struct wanted wanted = {.sender = sender, .transport = transport};

	census_each(census, visit, &wanted);
	return wanted;
}

static void what_is_counted(void **state)
{
	struct census *census = census_new(10);

	(void)state;
	assert_int_equal(find(census, "hue", TRANSPORT_TCP).rows, 0);
	note(census, "hue", TRANSPORT_TCP, "rfc5424/sshd", -NS_PER_S, 0);
	note(census, "hue", TRANSPORT_TCP, "rfc5424/plain", 5 * NS_PER_S, 0);
	note(census, "hue", TRANSPORT_UDP, "plain", 0, RECORD_NO_TIME);
	note(census, "hue", TRANSPORT_TCP, "rfc3164/plain", 7 * NS_PER_S, RECORD_NO_TIME);
	note(census, "hue", TRANSPORT_TCP, "rfc5424/cron", 7200 * NS_PER_S, 0);
	note(census, "hue", TRANSPORT_TCP, "rfc5424/cron", 2 * NS_PER_S, RECORD_NO_YEAR);
	struct census_row row = find(census, "hue", TRANSPORT_TCP).row;

	assert_int_equal(row.decoded, 5);
	assert_int_equal(row.undecoded, 2);
	assert_int_equal(row.untimed, 1);
	assert_int_equal(row.skewed, 1);
	assert_int_equal(row.skew_ns, 2 * NS_PER_S);
	assert_int_equal(row.skew_least_ns, -NS_PER_S);
	assert_int_equal(row.skew_most_ns, 7200 * NS_PER_S);
	row = find(census, "hue", TRANSPORT_UDP).row;
	assert_int_equal(row.decoded, 1);
	assert_int_equal(row.untimed, 1);
	assert_int_equal(find(census, "hue", TRANSPORT_UDP).rows, 2);
	census_free(census);
}

/* Those of a first event without a time begin with the first that has one. */
static void times_from_the_first_that_has_one(void **state)
{
	struct census *census = census_new(10);

	(void)state;
	note(census, "hue", TRANSPORT_TCP, "json", 0, RECORD_NO_TIME);
	note(census, "hue", TRANSPORT_TCP, "json", 9 * NS_PER_S, 0);
	assert_int_equal(find(census, "hue", TRANSPORT_TCP).row.skew_least_ns, 9 * NS_PER_S);
	/* No clock shows that; it is left out of the three, and does not overflow. */
	note(census, "hue", TRANSPORT_TCP, "json", INT64_MIN, 0);
	assert_int_equal(find(census, "hue", TRANSPORT_TCP).row.decoded, 3);
	census_free(census);
}

static void bounded(void **state)
{
	struct census *census = census_new(500);
	char name[100];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < 700; i++) {
			snprintf(name, sizeof(name), "10.0.%u.%u", i / 256, i % 256);
			note(census, name, TRANSPORT_TCP, "json", 0, 0);
		}
	struct wanted wanted = find(census, "10.0.1.243", TRANSPORT_TCP);

	assert_int_equal(wanted.rows, 501);
	assert_int_equal(wanted.all.decoded, 1400);
	assert_int_equal(wanted.row.decoded, 2);
	assert_int_equal(find(census, "(others)", TRANSPORT_UNKNOWN).row.decoded, 400);
	/* A longer name is cut. */
	snprintf(name, sizeof(name), "%099d", 7);
	note(census, name, TRANSPORT_TCP, "json", 0, 0);
	note(census, "", TRANSPORT_TCP, "json", 0, 0);
	assert_int_equal(find(census, "(others)", TRANSPORT_UNKNOWN).row.decoded, 402);
	census_free(census);
	census = census_new(500);
	note(census, name, TRANSPORT_TCP, "json", 0, 0);
	name[CENSUS_SENDER] = '\0';
	assert_int_equal(find(census, name, TRANSPORT_TCP).row.decoded, 1);
	census_free(census);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_counted),
	    cmocka_unit_test(times_from_the_first_that_has_one),
	    cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
