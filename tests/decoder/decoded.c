#include "decoded.h"

#include "base/civil.h"
#include "decoder/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define CEILING (4u << 20)
#define PAGES	32u

int64_t decoded_time(const char *text)
{
	struct timestamp stamp;
	int64_t ns = 0;

	assert_true(timestamp_parse(str_of(text), &stamp));
	assert_true(timestamp_ns(&stamp, 0, 0, &ns));
	return ns;
}

char *decoded_guarded(struct str text)
{
	static char *area;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = PAGES * page;

	if (area == NULL) {
		area = mmap(
		    NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(area != MAP_FAILED);
		assert_int_equal(mprotect(area + room, page, PROT_NONE), 0);
	}
	assert_true(text.len <= room);
	if (text.len > 0)
		memcpy(area + room - text.len, text.ptr, text.len);
	return area + room - text.len;
}

/* In a demand \1 stands for LF and \2 for NUL, which cannot be written there. */
static bool same(struct str value, struct str wanted)
{
	if (value.len != wanted.len)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = wanted.ptr[i] == '\1'	 ? '\n'
			 : wanted.ptr[i] == '\2' ? '\0'
						 : wanted.ptr[i];
		if (value.ptr[i] != c)
			return false;
	}
	return true;
}

static bool has_value(const struct record *record, struct str name, struct str value)
{
	for (size_t i = 0; i < record->field_count; i++) {
		if (str_eq(record->fields[i].name, name) && same(record->fields[i].value, value))
			return true;
	}
	return false;
}

static void flags_text(uint32_t flags, char *out, size_t size)
{
	static const char *const names[] = {
	    "no_time", "bad_pri", "no_year", "bad_sd", "fields_cut", "unsynced"};

	out[0] = '\0';
	for (unsigned bit = 0; bit < 6; bit++) {
		if (flags & 1u << bit)
			snprintf(out + strlen(out), size - strlen(out), "%s%s",
			    out[0] == '\0' ? "" : ",", names[bit]);
	}
}

static void source_text(const struct record *record, char *out, size_t size)
{
	snprintf(out, size, "%.*s/", STR_ARG(record->product));
	for (size_t i = 0; i < record->category_count; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%.*s", i == 0 ? "" : "+",
		    STR_ARG(record->categories[i]));
	snprintf(out + strlen(out), size - strlen(out), "/%.*s", STR_ARG(record->service));
}

static struct str special(const struct record *record, struct str name, char out[256])
{
	if (str_eq(name, STR(".message")))
		return record->message;
	if (str_eq(name, STR(".decoders")))
		return record->decoders;
	if (str_eq(name, STR(".time")))
		return civil_format(record->time_ns, 0, 3, out);
	if (str_eq(name, STR(".flags")))
		flags_text(record->flags, out, 256);
	else
		source_text(record, out, 256);
	return str_of(out);
}

static bool demand_holds(const struct record *record, struct str demand)
{
	size_t equals = str_find_char(demand, '=');
	struct str name = str_slice(demand, 0, equals);
	struct str value = str_slice(demand, equals + 1, demand.len);
	char out[256];

	if (demand.ptr[0] == '-')
		return record_find(record, str_slice(demand, 1, demand.len)) == NULL;
	assert_true(equals != STR_NOT_FOUND);
	if (demand.ptr[0] == '.')
		return same(special(record, name, out), value);
	return has_value(record, name, value);
}

static void explain(const struct record *record, struct str demand)
{
	char out[256];

	flags_text(record->flags, out, sizeof(out));
	print_error("line:   %.*s\nwanted: %.*s\nflags:  %s decoders: %.*s\n",
	    STR_ARG(record->event->raw), STR_ARG(demand), out, STR_ARG(record->decoders));
	source_text(record, out, sizeof(out));
	print_error("source: %s time: %.*s\nmessage: %.*s\n", out,
	    STR_ARG(special(record, STR(".time"), (char[256]){0})), STR_ARG(record->message));
	for (size_t i = 0; i < record->field_count; i++)
		print_error("  %.*s=%.*s\n", STR_ARG(record->fields[i].name),
		    STR_ARG(record->fields[i].value));
}

/* What a thread remembers of names changes nothing: it has met those of all rows before. */
static void check_remembered(struct arena *arena, const struct event *event,
    const struct record *record)
{
	static struct decoding *decoding;
	struct record again;

	if (decoding == NULL)
		decoding = decoding_new(NULL);
	assert_non_null(decoding);
	for (int i = 0; i < 2; i++) {
		decoding_run(decoding, &again, event, arena);
		assert_int_equal(again.field_count, record->field_count);
		for (size_t f = 0; f < again.field_count; f++) {
			const struct field *a = &again.fields[f], *b = &record->fields[f];

			assert_true(str_eq(a->name, b->name) && str_eq(a->value, b->value));
			assert_int_equal(a->id, b->id);
			assert_int_equal(a->id, field_lookup(a->name));
			assert_int_equal(a->kind, b->kind);
			if (a->id != FIELD_OTHER)
				assert_non_null(record_get(&again, a->id));
		}
		assert_int_equal(again.time_ns, record->time_ns);
		assert_int_equal(again.flags, record->flags);
		assert_true(str_eq(again.message, record->message));
		assert_true(str_eq(again.product, record->product));
		assert_true(str_eq(again.service, record->service));
		assert_int_equal(again.category_count, record->category_count);
	}
}

static void check(struct arena *arena, const struct event *event, const char *expect)
{
	struct str rest = str_of(expect), demand;
	struct record record;

	arena_reset(arena);
	decoder_run(&record, event, arena);
	check_remembered(arena, event, &record);
	while (str_cut(&rest, '\n', &demand)) {
		if (demand.len > 0 && !demand_holds(&record, demand)) {
			explain(&record, demand);
			fail();
		}
	}
}

/*
 * Nothing is asserted but what must always hold: the event is kept and nothing beyond it was read.
 */
static void decode_hostile(struct arena *arena, const struct event *like, struct str text)
{
	struct event event = *like;
	struct record record;

	arena_reset(arena);
	event.raw = str_from(decoded_guarded(text), text.len);
	decoder_run(&record, &event, arena);
	assert_true(record.decoders.len > 0);
	assert_true(record.field_count <= DECODER_FIELDS);
}

static void check_hostile(struct arena *arena, const struct event *event)
{
	char copy[4096];

	for (size_t len = 0; len <= event->raw.len; len++)
		decode_hostile(arena, event, str_slice(event->raw, 0, len));
	if (event->raw.len > sizeof(copy))
		return;
	memcpy(copy, event->raw.ptr, event->raw.len);
	for (size_t i = 0; i < event->raw.len; i++) {
		copy[i] = '\0';
		decode_hostile(arena, event, str_from(copy, event->raw.len));
		copy[i] = '\xFF';
		decode_hostile(arena, event, str_from(copy, event->raw.len));
		copy[i] = event->raw.ptr[i];
	}
}

/* At any ceiling of memory the event is kept; it only has fewer fields. */
static void check_memory(const struct event *event)
{
	for (size_t ceiling = 0; ceiling < 12000; ceiling += 487) {
		struct arena *arena = arena_new(ceiling);
		struct record record;

		if (arena == NULL)
			continue;
		decoder_run(&record, event, arena);
		assert_true(record.decoders.len > 0);
		arena_free(arena);
	}
}

void decoded_check_event(const struct event *event, const char *expect)
{
	struct arena *arena = arena_new(CEILING);

	check(arena, event, expect);
	check_hostile(arena, event);
	check_memory(event);
	arena_free(arena);
}

void decoded_check(const struct decoded_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct event event = {
		    .raw = rows[i].raw, .received_ns = decoded_time(DECODED_RECEIVED)};
		decoded_check_event(&event, rows[i].expect);
	}
}
