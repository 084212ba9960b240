/* The chain itself: order, hints, ceilings, purity. */
#include "decoded.h"

#include "decoder/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_table(void **state)
{
	(void)state;
	assert_true(decoder_count() > 15);
	for (size_t i = 0; i < decoder_count(); i++) {
		const struct decoder *decoder = decoder_at(i);
		assert_ptr_equal(decoder_find(str_of(decoder->name)), decoder);
		assert_true(strlen(decoder->summary) > 10);
		assert_true((decoder->decode != NULL) != (decoder->decode_noted != NULL));
	}
	assert_string_equal(decoder_at(decoder_count() - 1)->name, "plain");
	assert_null(decoder_find(STR("no such")));
}

static void test_hint(void **state)
{
	struct event event = {
	    .raw = STR("a=1"), .decoder = STR("kv"), .received_ns = decoded_time(DECODED_RECEIVED)};

	(void)state;
	decoded_check_event(&event, ".decoders=plain"); /* a hint forces nothing */
	event.raw = STR("a=1 b=2");
	decoded_check_event(&event, ".decoders=kv\nb=2");
	event.decoder = STR("rfc3164");
	event.raw = STR("<13>Nov 22 03:04:05 web01 sshd[1]: Invalid user x from 192.0.2.1");
	decoded_check_event(&event, ".decoders=rfc3164/sshd\nUser=x");
	event.decoder = STR("sshd");
	decoded_check_event(&event, ".decoders=rfc3164/sshd");
	event.decoder = STR("unheard of");
	decoded_check_event(&event, ".decoders=rfc3164/sshd");
}

/* More fields than the ceiling are dropped and flagged; the rest is there. */
static void test_field_ceiling(void **state)
{
	static char line[40000];
	size_t len = 1;

	(void)state;
	line[0] = '{';
	for (int i = 0; i < 1500; i++)
		len += (size_t)snprintf(
		    line + len, sizeof(line) - len, "%s\"f%d\":%d", i > 0 ? "," : "", i, i);
	line[len++] = '}';
	struct event event = {.raw = str_from(line, len)};
	struct arena *arena = arena_new(8u << 20);
	struct record record;
	decoder_run(&record, &event, arena);
	assert_int_equal(record.field_count, DECODER_FIELDS);
	assert_true(record.flags & RECORD_FIELDS_CUT);
	assert_true(str_eq(record_find(&record, STR("f1000"))->value, STR("1000")));
	arena_free(arena);
}

static void ignore(void *context, struct str name, enum field_kind kind, struct str value)
{
	(void)name;
	(void)kind;
	(void)value;
	++*(size_t *)context;
}

static bool nested(struct arena *arena, size_t depth, unsigned limit)
{
	char text[512];
	size_t len = 0, seen = 0;

	text[len++] = '{';
	memcpy(text + len, "\"a\":", 4);
	len += 4;
	for (size_t i = 1; i < depth; i++)
		text[len++] = '[';
	text[len++] = '1';
	for (size_t i = 1; i < depth; i++)
		text[len++] = ']';
	text[len++] = '}';
	return json_scan(str_from(text, len), limit, arena, ignore, &seen) && seen == 1;
}

static void test_depth(void **state)
{
	struct arena *arena = arena_new(1u << 20);

	(void)state;
	assert_true(nested(arena, 1, 1));
	assert_false(nested(arena, 2, 1));
	assert_true(nested(arena, DECODER_DEPTH, DECODER_DEPTH));
	assert_false(nested(arena, DECODER_DEPTH + 1, DECODER_DEPTH));
	arena_free(arena);
}

/* At any ceiling of memory the event is kept; it only has fewer fields. */
static void test_memory(void **state)
{
	static const struct str lines[] = {
	    STR_INIT("<13>1 2026-11-22T03:04:05Z h a - - [a x=\"q\\\"b\"][b y=\"1\"] t"),
	    STR_INIT(
		"{\"a\":{\"b\":\"\\u0041\",\"c\":[1,2]},\"Channel\":\"Security\",\"Event ID\":1}"),
	    STR_INIT("CEF:0|V|P|1|2|n|3|msg=a \\= b src=192.0.2.1"),
	    STR_INIT("type=PROCTITLE msg=audit(1795316645.5:7): proctitle=6361740020"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t ceiling = 0; ceiling < 6000; ceiling += 37) {
			struct arena *arena = arena_new(ceiling);
			struct event event = {.raw = lines[i]};
			struct record record;
			if (arena == NULL)
				continue;
			decoder_run(&record, &event, arena);
			assert_true(record.decoders.len > 0);
			arena_free(arena);
		}
	}
}

/* The same event gives the same record, for ever. */
static void test_pure(void **state)
{
	struct event event = {
	    .raw = STR("<13>Nov 22 03:04:05 web01 sshd[1]: Invalid user x from 192.0.2.1"),
	    .received_ns = decoded_time(DECODED_RECEIVED)};
	struct arena *one = arena_new(1u << 20), *two = arena_new(1u << 20);
	struct record a, b;

	(void)state;
	decoder_run(&a, &event, one);
	decoder_run(&b, &event, two);
	assert_int_equal(a.field_count, b.field_count);
	for (size_t i = 0; i < a.field_count; i++) {
		assert_true(str_eq(a.fields[i].name, b.fields[i].name));
		assert_true(str_eq(a.fields[i].value, b.fields[i].value));
	}
	assert_true(a.time_ns == b.time_ns);
	arena_free(one);
	arena_free(two);
}

/* The machine that a Windows event is about comes before the relay that its header names. */
static void test_first_host(void **state)
{
	struct event event = {
	    .raw = STR("<14>Nov 22 05:00:00 relay01 agent: {\"Channel\":\"Security\","
		       "\"EventID\":4624,\"Computer\":\"PC09\",\"LogonType\":3}")};
	struct decoding *decoding = decoding_new(NULL);
	struct arena *arena = arena_new(1u << 20);
	struct record record;

	(void)state;
	for (int times = 0; times < 3; times++) {
		decoding_run(decoding, &record, &event, arena);
		assert_true(str_eq(record_value(&record, FIELD_HOST), STR("PC09")));
		const struct field *second = &record.fields[record.field_count - 1];

		assert_int_equal(second->id, FIELD_HOST);
		assert_true(str_eq(second->value, STR("relay01")));
	}
	arena_free(arena);
	decoding_free(decoding);
}

/* Of fields that have one name once a prefix is off, the first in the text is the first. */
static void test_first_bare(void **state)
{
	static const char *const lines[] = {
	    "{\"winlog\":{\"channel\":\"Security\",\"event_id\":4624,\"event_data\":{\"User\":"
	    "\"first\",\"Logon Type\":\"3\"}},\"User\":\"second\"}",
	    "{\"User\":\"first\",\"winlog\":{\"channel\":\"Security\",\"event_id\":4624,"
	    "\"event_data\":{\"User\":\"second\",\"LogonType\":\"3\"}}}"};
	struct decoding *decoding = decoding_new(NULL);
	struct arena *arena = arena_new(1u << 20);
	struct record record;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct event event = {.raw = str_of(lines[i % 2])};

		decoding_run(i < 6 ? decoding : NULL, &record, &event, arena);
		assert_true(str_eq(record_value(&record, FIELD_USER), STR("first")));
		assert_true(str_eq(record_find(&record, STR("LogonType"))->value, STR("3")));
		assert_non_null(record_get(&record, FIELD_EVENTID));
	}
	arena_free(arena);
	decoding_free(decoding);
}

/* What a decoder that then gave up had put is gone, for record_get too. */
static void test_given_up(void **state)
{
	static const char *const lines[] = {
	    "{\"Image\":\"C:\\\\x.exe\",\"User\":\"lan\",\"x\":12345678,}",
	    "{\"Image\":\"C:\\\\x.exe\",\"User\":\"lan\",\"x\":12345678"};
	struct decoding *decoding = decoding_new(NULL);
	struct arena *arena = arena_new(1u << 20);
	struct record record;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct event event = {.raw = str_of(lines[i % 2])};

		decoding_run(decoding, &record, &event, arena);
		assert_true(str_eq(record.decoders, STR("plain")));
		assert_null(record_get(&record, FIELD_IMAGE));
		assert_null(record_get(&record, FIELD_USER));
	}
	arena_free(arena);
	decoding_free(decoding);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_hint),
	    cmocka_unit_test(test_field_ceiling),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_pure),
	    cmocka_unit_test(test_first_bare),
	    cmocka_unit_test(test_first_host),
	    cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
