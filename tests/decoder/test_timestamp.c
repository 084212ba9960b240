/* Every form of stamp, where it ends, and the instant that it says. */
#include "decoder/timestamp.h"

#include "base/civil.h"
#include "decoded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *text;
	const char *instant; /* NULL: no stamp; "": a stamp without an instant */
	const char *rest;
};

static const struct row rows[] = {
    {"Nov 22 03:04:05 host", "2026-11-22T03:04:05.000000000Z", " host"},
    {"Nov 22 03:04:05.5 host", "2026-11-22T03:04:05.500000000Z", " host"},
    {"Nov 22 03:04:05,678 host", "2026-11-22T03:04:05.678000000Z", " host"},
    {"November 22 03:04:05", "2026-11-22T03:04:05.000000000Z", ""},
    {"Nov 22 03:04:05 2026 host", "2026-11-22T03:04:05.000000000Z", " host"},
    {"Nov 22 03:04:05 20261 host", "2026-11-22T03:04:05.000000000Z", " 20261 host"},
    {"Nov 22 03:04:05 2001:db8::1 app", "2026-11-22T03:04:05.000000000Z", " 2001:db8::1 app"},
    {"Nov 22 2026 03:04:05", "2026-11-22T03:04:05.000000000Z", ""},
    {"Nov 22, 2026 03:04:05", "2026-11-22T03:04:05.000000000Z", ""},
    {"Nov 22 2026 03:04:05 PM.394 UTC : x", "2026-11-22T15:04:05.394000000Z", " : x"},
    {"Nov 22 2026 12:04:05 AM", "2026-11-22T00:04:05.000000000Z", ""},
    {"Sun Nov 22 03:04:05 2026", "2026-11-22T03:04:05.000000000Z", ""},
    {"Sun Nov 22 03:04:05 ICT 2026", "2026-11-21T20:04:05.000000000Z", ""},
    {"Sun, 22 Nov 2026 03:04:05 +0700", "2026-11-21T20:04:05.000000000Z", ""},
    {"2026-11-22T03:04:05Z", "2026-11-22T03:04:05.000000000Z", ""},
    {"2026-11-22t03:04:05z", "2026-11-22T03:04:05.000000000Z", ""},
    {"2026-11-22T03:04:05.1234567890Z", "2026-11-22T03:04:05.123456789Z", ""},
    {"2026-11-22T03:04Z", "2026-11-22T03:04:00.000000000Z", ""},
    {"2026-11-22T03:04:05+07", "2026-11-21T20:04:05.000000000Z", ""},
    {"2026-11-22T03:04:05+0700", "2026-11-21T20:04:05.000000000Z", ""},
    {"2026-11-22T03:04:05-03:30", "2026-11-22T06:34:05.000000000Z", ""},
    {"2026-11-22 03:04:05 +0000 host", "2026-11-22T03:04:05.000000000Z", " host"},
    {"2026/11/22 03:04:05", "2026-11-22T03:04:05.000000000Z", ""},
    {"2026-Nov-22 03:04 AM (UTC-01:00)", "2026-11-22T04:04:00.000000000Z", ""},
    {"2026 Nov 22 03:04:05 CEST: x", "2026-11-22T01:04:05.000000000Z", ": x"},
    {"22/Nov/2026:03:04:05 +0700]", "2026-11-21T20:04:05.000000000Z", "]"},
    {"22-Nov-2026 03:04:05.205 client", "2026-11-22T03:04:05.205000000Z", " client"},
    {"22 Nov 2026 03:04:05", "2026-11-22T03:04:05.000000000Z", ""},
    {"11/22/2026:03:04:05 GMT", "2026-11-22T03:04:05.000000000Z", ""},
    {"22/11/2026:03:04:05 GMT", "2026-11-22T03:04:05.000000000Z", ""},
    {"11/10/2026 03:04:05", "2026-11-10T03:04:05.000000000Z", ""},
    {"10/11/2026 03:04:05", "2026-11-10T03:04:05.000000000Z", ""},
    {"1795316645", "2026-11-22T03:04:05.000000000Z", ""},
    {"1795316645.25 x", "2026-11-22T03:04:05.250000000Z", " x"},
    {"1795316645250", "2026-11-22T03:04:05.250000000Z", ""},
    {"1795316645250001", "2026-11-22T03:04:05.250001000Z", ""},
    {"1795316645250001002", "2026-11-22T03:04:05.250001002Z", ""},
    {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z", ""},
    {"*Nov 22 03:04:05: x", "2026-11-22T03:04:05.000000000Z", ": x"},
    {"Nov 22 03:04:05 EST-host", "2026-11-22T03:04:05.000000000Z", " EST-host"},
    {"Nov 22 03:04:05 DST: %SYS-5-X: y", "2026-11-22T03:04:05.000000000Z", ": %SYS-5-X: y"},
    {"Nov 22 24:00:00 host", "", " host"},
    {"Nov 22 03:60:05 host", "", " host"},
    {"Feb 30 03:04:05 host", "", " host"},
    {"2026-02-29T03:04:05Z", "", ""},
    {"00:01:01: x", "", ": x"},
    {"3d04h: x", "", ": x"},
    {"1w2d: x", "", ": x"},
    {"1 2: x", "", ": x"},
    {"", NULL, ""},
    {"Nov", NULL, ""},
    {"Nov 22", NULL, ""},
    {"Nov 22 03:04", NULL, ""},
    {"Nov22 03:04:05", NULL, ""},
    {"Nox 22 03:04:05", NULL, ""},
    {"643: x", NULL, ""},
    {"12345", NULL, ""},
    {"0795316645", NULL, ""},
    {"2026", NULL, ""},
    {"2026-11-22", NULL, ""},
    {"2026-11-22T", NULL, ""},
    {"192.0.2.1", NULL, ""},
    {"9999999999999999999", NULL, ""},
};

static void check_row(const struct row *row)
{
	struct str text = str_of(row->text);
	struct str rest = str_from(decoded_guarded(text), text.len);
	struct timestamp stamp;
	char out[CIVIL_TEXT];
	int64_t ns;

	if (timestamp_take(&rest, &stamp) != (row->instant != NULL)) {
		print_error("%s\n", row->text);
		fail();
	}
	if (row->instant == NULL) {
		assert_int_equal(rest.len, text.len);
		return;
	}
	if (!str_eq(rest, str_of(row->rest)))
		print_error("%s: rest '%.*s'\n", row->text, STR_ARG(rest));
	assert_true(str_eq(rest, str_of(row->rest)));
	bool instant = timestamp_ns(&stamp, decoded_time(DECODED_RECEIVED), 0, &ns);
	assert_int_equal(instant, row->instant[0] != '\0');
	if (instant && !str_eq(civil_format(ns, 0, 9, out), str_of(row->instant))) {
		print_error("%s: %s\n", row->text, out);
		fail();
	}
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

/* Every zone of the table is found, and only whole. */
static void test_zones(void **state)
{
	static const struct {
		const char *name;
		int minutes;
	} zones[] = {
#define ZONE(name, minutes) {name, minutes},
#include "decoder/zones.def"
#undef ZONE
	};
	int32_t zone;

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		struct str rest = str_of(zones[i].name);
		assert_true(timestamp_zone(&rest, &zone));
		assert_int_equal(zone, zones[i].minutes * 60);
		assert_int_equal(rest.len, 0);
	}
	struct str rest = STR("ICTX");
	assert_false(timestamp_zone(&rest, &zone));
	rest = STR("+19:00");
	assert_false(timestamp_zone(&rest, &zone));
}

static bool same_stamp(const struct timestamp *a, const struct timestamp *b)
{
	return a->form == b->form && a->has_zone == b->has_zone && a->zone_s == b->zone_s &&
	    a->unsynced == b->unsynced && a->day_first == b->day_first &&
	    a->epoch_ns == b->epoch_ns && a->civil.year == b->civil.year &&
	    a->civil.month == b->civil.month && a->civil.day == b->civil.day &&
	    a->civil.hour == b->civil.hour && a->civil.minute == b->civil.minute &&
	    a->civil.second == b->civil.second && a->civil.ns == b->civil.ns;
}

/* A whole value is read by timestamp_parse as timestamp_take reads it, if on a way of its own. */
static void check_whole(struct str text)
{
	struct str rest = text;
	struct timestamp taken = {0}, parsed = {0};
	bool whole = timestamp_take(&rest, &taken) && str_trim(rest).len == 0;

	if (whole != timestamp_parse(text, &parsed) || (whole && !same_stamp(&taken, &parsed)))
		fail_msg("%.*s", STR_ARG(text));
}

/* What timestamp_quick tells, with months known and not, is what the slow way tells. */
static void check_quick(struct str text)
{
	static struct timestamp_months known;
	struct timestamp_months none = {0};
	struct timestamp stamp;
	int64_t ns, slow_ns;
	bool zone;

	for (int way = 0; way < 3; way++) {
		if (!timestamp_quick(way == 0 ? &none : &known, text, 25200, &zone, &ns))
			continue;
		if (!timestamp_parse(text, &stamp) || !timestamp_ns(&stamp, 0, 25200, &slow_ns) ||
		    zone != stamp.has_zone || ns != slow_ns || stamp.civil.year == 0 ||
		    stamp.unsynced)
			fail_msg("%.*s", STR_ARG(text));
	}
}

static void test_quick(void **state)
{
	static const char *const quick[] = {"2026-11-22T03:04:05Z", "2026-11-22 03:04:05",
	    "2024-02-29T23:59:59.999999999Z", "2026-12-31 00:00:00.5", "1700-01-01 00:00:00",
	    "2200-12-31T23:59:59.123Z"};
	static const char *const slow[] = {"2026-02-29T03:04:05Z", "2026-11-31 03:04:05",
	    "2026-11-00 03:04:05", "2026-13-01 03:04:05", "2026-11-22T24:00:00Z",
	    "2026-11-22T23:60:00Z", "2026-11-22T23:59:60Z", "2026-11-22T03:04:05.Z",
	    "2026-11-22T03:04:05.1234567890Z", "2026-11-22T03:04:05+07:00", "2026-11-22T03:04",
	    "2026-11-22T03:04:05Zx", "2026-11-22T03:04:05 ", "1677-01-01 00:00:00", ""};
	struct timestamp_months months = {0};
	int64_t ns;
	bool zone;

	(void)state;
	for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++) {
		assert_true(timestamp_quick(&months, str_of(quick[i]), 0, &zone, &ns));
		check_quick(str_of(quick[i]));
	}
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		assert_false(timestamp_quick(&months, str_of(slow[i]), 0, &zone, &ns));
		check_quick(str_of(slow[i]));
	}
}

static void test_whole(void **state)
{
	static const char *const texts[] = {"2026-11-22T03:04:05Z", "2026-11-22 03:04:05",
	    "2026-11-22 03:04:05,678", "1999-12-31T23:59:60.123456789012Z",
	    "2026-11-22T03:04:05.25+07:00", "2026-11-22T03:04:05-18:59", "9876-54-32 98:76:54"};
	static const char signs[] = "09:;/.,-+TtZz apA?@\n\x80";
	char copy[64];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i]);

		for (size_t at = 0; at < len; at++) {
			memcpy(copy, texts[i], len + 1);
			check_whole(str_from(copy, at));
			check_quick(str_from(copy, at));
			for (size_t s = 0; s < sizeof(signs); s++) {
				copy[at] = signs[s];
				check_whole(str_from(copy, len));
				check_quick(str_from(copy, len));
				copy[len] = signs[s];
				check_whole(str_from(copy, len + 1));
				check_quick(str_from(copy, len + 1));
			}
		}
	}
	assert_true(timestamp_parse(STR("2026-11-22 03:04:05"), &(struct timestamp){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows), cmocka_unit_test(test_zones),
	    cmocka_unit_test(test_whole), cmocka_unit_test(test_quick)};

	return cmocka_run_group_tests_name("timestamp", tests, NULL, NULL);
}
