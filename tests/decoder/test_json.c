#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/decoder/decoded.h"

#include "decoder/json_fields.h"
#include "decoder/json_mask.h"
#include "decoder/json_path.h"
#include "decoder/json_unescape.h"

static const char *const texts[] = {
    "{}", " {\t} \n", "{\"a\":1}", "{\"a\":\"\"}", "{\"\":\"x\"}", "{\"a\":{}}", "{\"a\":[]}",
    "{\"a\":[[],{},[{}]]}", "{\"a\":{\"b\":[1,\"x\",{\"c\":null}]},\"d\":true,\"e\":false}",
    "{ \"a\" : \"b\" , \"c\" : [ 1 , 2 ] , \"d\" : { \"e\" : -0.5e+10 } }", "{\"a\":1,\"a\":2}",
    "{\"a\":007,\"b\":-0,\"c\":1E5,\"d\":1e-5,\"e\":123456789012345678901234567890}",
    "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "{\"a\\\\\":\"x\",\"b\\\"\":\"y\"}",
    "{\"a\":\"C:\\\\Windows\\\\System32\\\\cmd.exe\",\"b\":\"\\\\\\\\host\\\\share\"}",
    "{\"a\":\"\\u0110\\u1ed3ng Th\\u00e1p\",\"b\":\"\\ud83d\\ude00\",\"c\":\"\\ud83d\"}",
    "{\"a\":\"\\ude00\\ud83d\",\"b\":\"\\ud83d\\u0041\",\"c\":\"\\u0000\"}",
    "{\"src\":\"1\",\"dst\":2,\"Channel\":\"x\",\"message\":\"y\",\"src\":\"3\",\"Image\":\"z\"}",
    "{\"sixteen.letters.\":\"1\",\"seventeen.letters\":2,\"eight888\":\"x\",\"nine99999\":\"y\"}",
    "{\"a\":\"x\\\\y\" ,\"b\":1 ,\"c\":1.5,\"d\":2e3,\"e\":[\"\\\\\"],\"f\":\"\\\\\"}",
    ("{\"123456789012345678901234567890\":{\"123456789012345678901234567890\":{\"x\":1,\"xy\":2,"
     "\"xyz\":{\"v\":3},\"1234567890123456789012345678901\":{\"w\":1}}}}"),
    "{\"a\":\"x\x01\xff\xc3\",\"b\":\"tab\ttab\"}", "{\"a\":{\"\":{\"\":1}}}",
    /* refused */
    "", "{", "}", "{}}", "{}x", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":[1,]}",
    "{\"a\":[,1]}", "{\"a\":1 \"b\":2}", "{\"a\":1]}", "{\"a\":[1}", "{\"a\":{\"b\":1}", "{a:1}",
    "{'a':1}", "{\"a\":tru}", "{\"a\":truee}", "{\"a\":nul}", "{\"a\":-}", "{\"a\":1.}",
    "{\"a\":.5}", "{\"a\":1e}", "{\"a\":+1}", "{\"a\":0x1}", "{\"a\":NaN}", "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\\"}", "{\"a\":\"\\\\\\\"}",
    "{\"a\":\"x}", "{\"a\":\"x\"y\"}", "{\"a\"\\:1}", "{\\\"a\":1}", "{\"a\":1\\}", "{\"a\":\\1}",
    "{\"a\":1}{\"b\":2}", "{\"a\" 1}", "{\"a\"::1}", "{\"a\":\"b\"\"c\":\"d\"}",
    "{\"a\":1,\"b\"}", "{\"\\x\":1}", "{\"a\":[1 2]}", "{\"a\":[\"x\":1]}", "{1:2}",
    "{\"a\":falsey}", "\v{}", "{\"a\":\v1}",
};

struct reading {
	struct arena *arena;
	struct event event;
	struct record record;
	struct keybook *book; /* NULL: none */
	struct notes notes;
	bool taken;
};

#define READINGS 7

typedef bool reader(struct record *record, struct str text, unsigned depth, struct notes *notes);

static bool walk_v3(struct record *record, struct str text, unsigned depth, struct notes *notes)
{
	return json_fields_walk(record, text, depth, notes, cpu_level());
}

static bool walk_most(struct record *record, struct str text, unsigned depth, struct notes *notes)
{
	return json_fields_walk(record, text, depth, notes, cpu_level_most());
}

static bool walk_portable(struct record *record, struct str text, unsigned depth,
    struct notes *notes)
{
	return json_fields_walk(record, text, depth, notes, CPU_PORTABLE);
}

static bool scan(struct record *record, struct str text, unsigned depth, struct notes *notes)
{
	(void)notes;
	return json_fields_scan(record, text, depth);
}

static void read_with(struct reading *reading, reader *read, struct str text, unsigned depth)
{
	arena_reset(reading->arena);
	record_begin(&reading->record, &reading->event, reading->arena, DECODER_FIELDS);
	notes_begin(&reading->notes, reading->book);
	reading->taken = read(&reading->record, text, depth, &reading->notes);
	if (reading->taken)
		notes_take(&reading->notes, &reading->record);
}

/* json_scan, and the walk on each path with and without a book of names. */
static struct reading readings[READINGS];
static reader *const readers[READINGS] = {
    scan, walk_v3, walk_portable, walk_v3, walk_portable, walk_most, walk_most};

static bool same_fields(const struct record *a, const struct record *b)
{
	if (a->field_count != b->field_count)
		return false;
	for (size_t i = 0; i < a->field_count; i++) {
		if (!str_eq(a->fields[i].name, b->fields[i].name) ||
		    !str_eq(a->fields[i].value, b->fields[i].value) ||
		    a->fields[i].kind != b->fields[i].kind ||
		    a->fields[i].id != b->fields[i].id ||
		    field_lookup(b->fields[i].name) != b->fields[i].id)
			return false;
	}
	for (unsigned id = 1; id < FIELD_COUNT; id++) {
		const struct field *x = record_get(a, id), *y = record_get(b, id);

		if ((x == NULL) != (y == NULL) ||
		    (x != NULL && x - a->fields != y - b->fields))
			return false;
	}
	return true;
}

static bool same_notes(const struct notes *a, const struct notes *b)
{
	if (a->count != b->count || a->flags != b->flags || a->looked != b->looked)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->notes[i].field != b->notes[i].field ||
		    memcmp(&a->notes[i].key, &b->notes[i].key, sizeof(struct key)) != 0)
			return false;
	}
	return true;
}

/* Where it is told what a name is without its prefix, that is so. */
static bool bare_holds(const struct record *record, const struct notes *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		const struct note *note = &notes->notes[i];
		struct str name = record->fields[note->field].name;
		struct key key = key_ask(str_slice(name, note->key.prefix, name.len));

		if (note->is_bare && (str_find_char(name, ' ') != STR_NOT_FOUND ||
					 (note->key.flags & KEY_RENAMED) == 0 ||
					 memcmp(&key, &note->bare, sizeof(key)) != 0))
			return false;
	}
	return true;
}

static void check_as_is(struct str text, unsigned depth)
{
	struct str guarded = str_from(decoded_guarded(text), text.len);

	for (size_t i = 0; i < READINGS; i++)
		read_with(&readings[i], readers[i], guarded, depth);
	for (size_t i = 1; i < READINGS; i++) {
		const struct reading *a = &readings[0], *b = &readings[i];

		if (a->taken != b->taken ||
		    (a->taken && (!same_fields(&a->record, &b->record) ||
				     !same_notes(&a->notes, &b->notes) ||
				     !bare_holds(&b->record, &b->notes))))
			fail_msg("reader %zu: %d: %.*s", i, b->taken, STR_ARG(text));
	}
}

/* Alone, where it is near its end everywhere, and with more behind it. */
static void check_text(struct str text, unsigned depth)
{
	static const struct str more = STR_INIT(
	    ",\"Image\":\"C:\\\\x\",\"message\":\"\",\"a name of more than sixteen\":1,"
	    "\"t\":true}");
	char copy[2048];

	check_as_is(text, depth);
	if (text.len == 0 || text.len + more.len > sizeof(copy))
		return;
	memcpy(copy, text.ptr, text.len);
	memcpy(copy + text.len - 1, more.ptr, more.len);
	check_as_is(str_from(copy, text.len - 1 + more.len), depth);
}

static void the_walk_is_the_scan(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_text(str_of(texts[i]), 64);
}

/* Each byte of each text replaced by each that means something, and the text cut there. */
static void the_walk_is_the_scan_of_broken_texts(void **state)
{
	static const char signs[] = "\"\\{}[]:,0-.eutfn /\n\xff";
	char copy[256];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct str text = str_of(texts[i]);

		for (size_t at = 0; at < text.len; at++) {
			check_text(str_slice(text, 0, at), 64);
			check_text(str_slice(text, at, text.len), 64);
			for (size_t s = 0; s < sizeof(signs); s++) {
				memcpy(copy, text.ptr, text.len);
				copy[at] = signs[s];
				check_text(str_from(copy, text.len), 64);
			}
		}
	}
}

/* What stands where in the texts below; the same few of them over and over, in any order. */
static const char *const names[] = {"a", "b", "Image", "Channel", "EventID", "winlog", "event_data",
    "EventData", "message", "@timestamp", "src_ip", "Account Name", "seventeen.letters", "",
    "thirty bytes, the most of a step", "thirty bytes, the most of one",
    "thirty.bytes.are.the.most.",
    "a name that is longer than thirty bytes", "b\\n", "x\"y", "C:\\", "tên", "user", "id"};
static const char *const scalars[] = {"1", "-1", "1.5", "2e3", "007", "true", "false", "null",
    "\"\"", "\"x\"", "\"C:\\\\Windows\\\\cmd.exe\"", "\"\\u0110\\ud83d\\ude00\"",
    "\"a value that is longer than the thirty-two bytes of a block, and than sixty-four too\"",
    /* refused */
    "tru", "-", "\"\\x\""};

#define SCALARS (sizeof(scalars) / sizeof(scalars[0]))

struct maker {
	char text[8192];
	size_t len, left;
	uint64_t seed;
};

static unsigned any(struct maker *m, unsigned below)
{
	m->seed = m->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(m->seed >> 33) % below;
}

static void put(struct maker *m, const char *text)
{
	size_t len = strlen(text);

	memcpy(m->text + m->len, text, len);
	m->len += len;
}

/* Mostly nothing. */
static void put_space(struct maker *m)
{
	put(m, any(m, 40) == 0 ? " " : "");
}

static void put_name(struct maker *m)
{
	const char *name = names[any(m, sizeof(names) / sizeof(names[0]))];

	put(m, "\"");
	for (; *name != '\0'; name++) {
		if (*name == '"' || (*name == '\\' && name[1] != 'n'))
			put(m, "\\");
		m->text[m->len++] = *name;
	}
	put(m, "\":");
}

static void put_items(struct maker *m, unsigned depth, bool object);

static void put_value(struct maker *m, unsigned depth)
{
	unsigned kind = any(m, depth < 5 ? 8 : 6);

	if (kind >= 6)
		put_items(m, depth, kind == 6 || any(m, 2) == 0);
	else /* what is refused seldom */
		put(m, scalars[any(m, any(m, 30) == 0 ? SCALARS : SCALARS - 3)]);
}

static void put_items(struct maker *m, unsigned depth, bool object)
{
	size_t count = any(m, 7);

	put(m, object ? "{" : "[");
	for (size_t i = 0; i < count && m->left > 0; i++, m->left--) {
		put(m, i > 0 ? "," : "");
		put_space(m);
		if (object)
			put_name(m);
		put_space(m);
		put_value(m, depth + 1);
		put_space(m);
	}
	put(m, object ? "}" : "]");
}

/* The guesses of the walk, right and wrong, through tables that are overwritten meanwhile. */
static void the_walk_is_the_scan_of_names_that_come_again(void **state)
{
	static struct maker m;

	(void)state;
	m.seed = 5;
	for (unsigned round = 0; round < 20000; round++) {
		if (round % 3 == 0) /* each is met again, and so are its beginnings */
			m.seed = any(&m, 500);
		m.len = 0;
		m.left = 60;
		put_items(&m, 0, true);
		check_as_is(str_from(m.text, m.len), 64);
		m.len = 0;
		put(&m, "{");
		for (unsigned i = 0; round < 2000 && i < 20; i++)
			m.len += (size_t)sprintf(m.text + m.len,
			    "\"n%u\":{\"m%u\":1,\"winlog.event_data.m%u\":\"x\"},", round * 20 + i,
			    round % 7, i);
		put(&m, "\"a\":{\"b\":{\"c\":[{\"d\":1},{\"d\":2}]}}}");
		check_as_is(str_from(m.text, m.len), 64);
	}
}

/* A name below a path that was forgotten is not the one that has its number now. */
static void numbers_of_paths_never_come_again(void **state)
{
	struct reading *r = &readings[3];

	(void)state;
	check_as_is(STR("{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":1,\"c\":2}}"), 64);
	uint32_t used = r->book->paths->path;

	check_as_is(STR("{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":1,\"c\":2}}"), 64);
	assert_int_equal(r->book->paths->path, used);
	r->book->paths->path = UINT32_MAX - 10;
	keybook_begin(r->book);
	assert_int_equal(r->book->paths->path, PATH_ROOT);
	check_as_is(STR("{\"d\":{\"c\":1,\"b\":2},\"a\":{\"c\":1,\"b\":2}}"), 64);
	check_as_is(STR("{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":1,\"c\":2}}"), 64);
}

/* Strings of every length with escapes at every place, so that all meet the end of a block. */
static void blocks_end_anywhere(void **state)
{
	static const char *const escapes[] = {
	    "\\\\", "\\\"", "\\n", "\\u00e9", "\\\\\\\\\\\\", "\\"};
	char text[1024];

	(void)state;
	for (size_t e = 0; e < sizeof(escapes) / sizeof(escapes[0]); e++) {
		for (size_t before = 0; before < 140; before++) {
			int len = snprintf(text, sizeof(text),
			    "{\"k\":\"%.*s%s%.*s\",\"l\":\"%s\"}", (int)before,
			    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx"
			    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx",
			    escapes[e], (int)(before % 37),
			    "0123456789abcdefghijklmnopqrstuvwxyz", escapes[e]);
			check_text(str_from(text, (size_t)len), 64);
		}
	}
}

/* Every byte behind a backslash, at every place of a block, where blocks may be read and not. */
static void letters_mean_the_same_on_every_machine(void **state)
{
	static const enum cpu_level levels[] = {CPU_PORTABLE, CPU_V3, CPU_V4};
	char text[400], wanted[400 + JSON_UNESCAPE_SLACK], out[400 + JSON_UNESCAPE_SLACK];
	struct arena *arena = readings[0].arena;
	struct json_masks masks;

	(void)state;
	for (size_t round = 0; round < 256 * 64 * 2; round++) {
		size_t place = 1 + round % 64 + round / 128 % 3, behind = round / 64 % 2 * 200;
		char c = (char)(round / 128);
		bool coded = false;

		memset(text, 'x', sizeof(text));
		for (size_t i = 0; i < 3; i++)
			memcpy(text + place + i * 55, (char[]){'\\', c, '\\', 'n'}, 4);
		text[0] = text[186] = '"';
		arena_reset(arena);
		assert_true(json_masks_make(
		    &masks, str_from(text, 187 + behind), arena, CPU_PORTABLE));
		size_t len = json_unescape_for(CPU_PORTABLE)(
		    wanted, str_from(text, 187 + behind), 1, 186, &masks, &coded);

		assert_int_equal(len != SIZE_MAX, c != '\0' && strchr("\"\\/bfnrt", c) != NULL);
		for (size_t l = 0; l < 3 && levels[l] <= cpu_level_most(); l++) {
			memset(out, '-', sizeof(out));
			assert_int_equal(json_unescape_for(levels[l])(out,
			    str_from(text, 187 + behind), 1, 186, &masks, &coded), len);
			if (len != SIZE_MAX)
				assert_memory_equal(out, wanted, len);
		}
		assert_false(coded);
	}
}

static void runs_of_backslashes(void **state)
{
	char text[512];

	(void)state;
	for (size_t before = 50; before < 80; before++) {
		for (size_t run = 0; run < 150; run++) {
			size_t at = 0;

			memcpy(text, "{\"k\":\"", 6);
			memset(text + 6, 'x', before);
			memset(text + 6 + before, '\\', run);
			at = 6 + before + run;
			memcpy(text + at, "\",\"l\":\"\\\\\"}", 11);
			check_text(str_from(text, at + 11), 64);
		}
	}
}

/* What a raw text shows when the escapes of one letter are taken out. */
static size_t taken_out(char *out, struct str text)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\\' && text.ptr[i + 1] != 'u')
			c = meant[strchr(letters, text.ptr[++i]) - letters];
		out[len++] = c;
	}
	return len;
}

static bool lies_in(struct str text, struct str whole)
{
	return text.ptr >= whole.ptr && text.ptr + text.len <= whole.ptr + whole.len;
}

/* Either all values lie in raw or in what the record tells, which raw shows; or none is told. */
static void check_unescaped(const struct record *record, struct str raw, bool told)
{
	char plain[1024];
	size_t in = 0;

	assert_int_equal(record->unescaped.len > 0, told);
	for (size_t i = 0; told && i < record->field_count; i++) {
		const struct field *field = &record->fields[i];
		bool inside = lies_in(field->value, record->unescaped);

		assert_true(inside || lies_in(field->value, raw));
		assert_non_null(memmem(
		    plain, taken_out(plain, raw), field->value.ptr, field->value.len));
		assert_false(lies_in(field->name, record->unescaped));
		in += inside;
	}
	assert_int_equal(in > 0, told);
}

/* raw, of which only the bytes [from, to) are the text that is read. */
static const struct {
	const char *raw;
	size_t before, behind;
	bool told;
} unescapings[] = {
    {"{\"a\":\"x\\\\y\",\"b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", 0, 0, true},
    {" {\"a\":{\"b\":[\"x\\ny\",\"\\\\\"]},\"c\":\"z\"}\n", 0, 0, true},
    {"<13>cee: {\"a\":\"x\\\\y\"} more", 9, 5, true},
    {"{\"a\":\"xy\"}", 0, 0, false}, /* nothing to tell */
    {"{\"a\":\"x\\\\y\",\"b\":\"\\u0041\"}", 0, 0, false},
    {"{\"b\":\"\\u0041\",\"a\":\"x\\\\y\"}", 0, 0, false},
    {"{\"b\":\"\\ud83d\\ude00\",\"a\":\"x\\\\y\",\"c\":\"\\\\\"}", 0, 0, false},
    {"{\"a\":\"x\\\\y\",\"\\u0041\":\"b\"}", 0, 0, false},
    {"{\"a\":{\"\\u0041\":\"x\\\\y\"}}", 0, 0, false},
    {"{\"a\\\\\":\"x\\\\y\"}", 0, 0, false}, /* a name would lie there */
    {"{\"a\":{\"b\\\\\":\"x\\\\y\"}}", 0, 0, false},
};

static void what_is_unescaped_is_told(void **state)
{
	static const char more[] = ",\"c\":\"and so far from the end that whole blocks fit\"}";
	char copy[256];

	(void)state;
	for (size_t i = 0; i < sizeof(unescapings) / sizeof(unescapings[0]) * 2; i++) {
		size_t len = strlen(unescapings[i / 2].raw), before = unescapings[i / 2].before;
		size_t behind = unescapings[i / 2].behind;

		memcpy(copy, unescapings[i / 2].raw, len);
		if (i % 2 == 1 && behind == 0 && copy[len - 1] == '}') {
			memcpy(copy + len - 1, more, sizeof(more) - 1);
			len += sizeof(more) - 2;
		}
		for (size_t r = 0; r < READINGS; r++) {
			struct reading *reading = &readings[r];
			struct str raw = str_from(copy, len);

			reading->event.raw = raw;
			read_with(reading, readers[r], str_slice(raw, before, len - behind), 64);
			assert_true(reading->taken);
			check_unescaped(&reading->record, raw, r > 0 && unescapings[i / 2].told);
			/* not of this text */
			reading->event.raw = str_slice(raw, before + 2, len);
			read_with(reading, readers[r], str_slice(raw, before, len - behind), 64);
			assert_int_equal(reading->record.unescaped.len, 0);
			reading->event.raw = str_slice(raw, 0, len - behind - 2);
			read_with(reading, readers[r], str_slice(raw, before, len - behind), 64);
			assert_int_equal(reading->record.unescaped.len, 0);
			reading->event.raw = STR_NONE;
		}
	}
}

/* A text that is no JSON after all tells nothing; of two texts the first that may tells. */
static void one_text_tells_what_is_unescaped(void **state)
{
	static const struct str raw = STR_INIT(
	    "{\"a\":\"x\\\\y\"} {\"a\":\"x\\\\z\"} {\"a\":\"\\\\\",}");
	struct str first = str_slice(raw, 0, 12), second = str_slice(raw, 13, 25);
	static const struct str elsewhere = STR_INIT("{\"a\":\"x\\\\y\"}");

	(void)state;
	for (size_t r = 1; r < READINGS; r++) {
		struct reading *reading = &readings[r];
		struct record *record = &reading->record;

		reading->event.raw = raw;
		read_with(reading, readers[r], str_slice(raw, 26, raw.len), 64);
		assert_false(reading->taken);
		assert_int_equal(record->unescaped.len, 0);
		read_with(reading, readers[r], elsewhere, 64);
		assert_true(readers[r](record, first, 64, &reading->notes));
		assert_true(str_eq(record->unescaped, STR("x\\y")));
		assert_true(readers[r](record, elsewhere, 64, &reading->notes));
		assert_true(readers[r](record, second, 64, &reading->notes));
		assert_int_equal(record->field_count, 4);
		assert_true(str_eq(record->unescaped, STR("x\\y")));
		reading->event.raw = STR_NONE;
	}
}

/* Through all decoders: a message that is JSON in JSON is not what the bytes of the event show. */
static void decoders_tell_what_is_unescaped(void **state)
{
	static const struct str raws[] = {
	    STR_INIT("{\"a\":\"x\\\\y\"}"), STR_INIT("@cee: {\"a\":\"x\\\\y\"}"),
	    STR_INIT("<13>1 2026-11-22T06:27:00Z h a 1 - - {\"a\":\"x\\\\y\"}"),
	    STR_INIT("{\"event\":{\"a\":\"x\\\\y\"}}"),
	    STR_INIT("{\"event\":\"{\\\"a\\\":\\\"x\\\\\\\\y\\\"}\"}")};
	struct arena *arena = readings[0].arena;

	(void)state;
	for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
		struct event event = {.raw = raws[i], .decoder = i < 3 ? STR_NONE : STR("hec")};
		struct record record;

		arena_reset(arena);
		decoder_run(&record, &event, arena);
		const struct field *field = record_find(&record, STR("a"));

		assert_non_null(field);
		assert_true(str_eq(field->value, STR("x\\y")));
		assert_int_equal(lies_in(field->value, record.unescaped), i < 4);
		assert_int_equal(record.unescaped.len, i < 4 ? 3 : 0);
	}
}

static void depth_is_bounded_alike(void **state)
{
	char text[512];

	(void)state;
	for (size_t deep = 1; deep < 70; deep++) {
		size_t at = 0;

		at += (size_t)sprintf(text, "{\"a\":");
		for (size_t i = 1; i < deep; i++)
			text[at++] = '[';
		text[at++] = '1';
		for (size_t i = 1; i < deep; i++)
			text[at++] = ']';
		text[at++] = '}';
		for (unsigned depth = 0; depth <= 64; depth++)
			check_text(str_from(text, at), depth);
	}
}

/* Past the ceiling of fields json_scan takes over, and drops; so does json_fields as a whole. */
static void fields_past_the_ceiling_are_dropped(void **state)
{
	static char text[16384];
	size_t at = (size_t)sprintf(text, "{\"a\":[");
	struct reading *r = &readings[0];

	(void)state;
	for (size_t i = 0; i < DECODER_FIELDS; i++)
		at += (size_t)sprintf(text + at, "%zu,", i);
	text[at - 1] = ']';
	text[at++] = '}';
	read_with(r, json_fields, str_from(text, at), 64);
	assert_true(r->taken);
	assert_int_equal(r->record.field_count, DECODER_FIELDS);
	assert_int_equal(r->record.flags, 0);
	at -= 2;
	at += (size_t)sprintf(text + at, ",\"one more\"]}");
	read_with(r, json_fields, str_from(text, at), 64);
	assert_true(r->taken);
	assert_int_equal(r->record.field_count, DECODER_FIELDS);
	assert_int_equal(r->record.flags, RECORD_FIELDS_CUT);
}

static void fields_that_were_there_stay(void **state)
{
	struct reading *r = &readings[0];

	(void)state;
	for (int times = 0; times < 2; times++) {
		arena_reset(r->arena);
		record_begin(&r->record, &r->event, r->arena, DECODER_FIELDS);
		record_put(&r->record, FIELD_HOST, STR("ha-noi"));
		notes_begin(&r->notes, NULL);
		assert_true(json_fields(&r->record,
		    times == 0 ? STR("{\"a\":1}") : STR("{\"a\":[1,2]}"), 64, &r->notes));
		assert_int_equal(r->record.field_count, 2 + times);
		assert_int_equal(r->record.fields[0].id, FIELD_HOST);
		assert_true(str_eq(r->record.fields[1].name, STR("a")));
	}
}

/* Without memory nothing is given that is not whole. */
static void memory_runs_out(void **state)
{
	struct str text =
	    STR("{\"a\":{\"b\":\"c\\nd\",\"e\":[1,2,3]},\"C:\\\\\":\"x\\u0041\",\"f\":{\"g\":{}}}");

	(void)state;
	for (size_t ceiling = 0; ceiling < 6000; ceiling += 16) {
		struct reading r = {.arena = arena_new(ceiling)};

		read_with(&r, json_fields, text, 64);
		if (r.taken && (r.record.flags & RECORD_FIELDS_CUT) == 0)
			assert_int_equal(r.record.field_count, 5);
		arena_free(r.arena);
	}
}

static void masks_are_the_same_on_every_machine(void **state)
{
	uint64_t seed = 7;
	char text[300];
	struct json_masks a, b, most;
	struct arena *arena = arena_new(1u << 20);

	(void)state;
	for (size_t round = 0; round < 3000; round++) {
		size_t len = round % sizeof(text);

		for (size_t i = 0; i < len; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			text[i] = "\\\\\\\"\"nx\xff"[seed >> 61];
		}
		arena_reset(arena);
		assert_true(json_masks_make(&a, str_from(text, len), arena, CPU_PORTABLE));
		assert_true(json_masks_make(&b, str_from(text, len), arena, cpu_level()));
		assert_true(
		    json_masks_make(&most, str_from(text, len), arena, cpu_level_most()));
		assert_int_equal(a.words, (len + 63) / 64);
		bool escaped = false;
		for (size_t i = 0; i < (a.words + 2) * 64; i++) {
			char c = i < len ? text[i] : 'x';
			bool all = i >= (a.words + 1) * 64;
			bool quote = (c == '"' && !escaped) || all;
			bool escape = (c == '\\' && !escaped) || all;

			assert_int_equal(a.quotes[i / 64] >> i % 64 & 1, quote);
			assert_int_equal(a.marks[i / 64] >> i % 64 & 1, quote || escape);
			escaped = escape;
		}
		assert_memory_equal(a.quotes, b.quotes, 2 * (a.words + 2) * sizeof(uint64_t));
		assert_memory_equal(a.quotes, most.quotes, 2 * (a.words + 2) * sizeof(uint64_t));
	}
	arena_free(arena);
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < READINGS; i++)
		readings[i].arena = arena_new(1u << 20);
	readings[3].book = keybook_new(NULL);
	readings[4].book = keybook_new(NULL);
	readings[5].book = keybook_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < READINGS; i++) {
		arena_free(readings[i].arena);
		keybook_free(readings[i].book);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(masks_are_the_same_on_every_machine),
	    cmocka_unit_test(the_walk_is_the_scan),
	    cmocka_unit_test(the_walk_is_the_scan_of_broken_texts),
	    cmocka_unit_test(the_walk_is_the_scan_of_names_that_come_again),
	    cmocka_unit_test(numbers_of_paths_never_come_again),
	    cmocka_unit_test(blocks_end_anywhere),
	    cmocka_unit_test(letters_mean_the_same_on_every_machine),
	    cmocka_unit_test(runs_of_backslashes),
	    cmocka_unit_test(what_is_unescaped_is_told),
	    cmocka_unit_test(one_text_tells_what_is_unescaped),
	    cmocka_unit_test(decoders_tell_what_is_unescaped),
	    cmocka_unit_test(depth_is_bounded_alike),
	    cmocka_unit_test(fields_past_the_ceiling_are_dropped),
	    cmocka_unit_test(fields_that_were_there_stay),
	    cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
