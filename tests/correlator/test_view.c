/*
 * What a record is seen as: fields by slot whatever their order, and texts whether they lie in the
 * raw line, behind one another, or anywhere; compared with the plain evaluator.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/matcher_shape.h"

#define NAMES 12u

/* Rules about F0..F7; records have F0..F11. */
static const char rules[] =
    "title: fields\nid: fields\nlogsource:\n    definition: any\ndetection:\n"
    "    s:\n        F0: a\n        F1: a\n        F2: a\n        F3: a\n"
    "        F4: a\n        F5: a\n        F6: a\n        F7: a\n"
    "    condition: s\nlevel: low\n";

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(*state >> 8) * below >> 24);
}

static struct str name_of(uint32_t number)
{
	static char names[NAMES][4];

	snprintf(names[number], sizeof(names[number]), "F%u", number);
	return str_of(names[number]);
}

static struct shape *shape_of(struct shapes *shapes, const struct record *record)
{
	uint32_t *ids = shapes_ids(shapes, record->field_count);
	uint64_t hash = 0;

	assert_non_null(ids);
	for (size_t i = 0; i < record->field_count; i++) {
		ids[i] = record->fields[i].id;
		hash = shape_hash(hash, ids[i]);
	}
	return shapes_find(shapes, record, (uint32_t)record->field_count, hash);
}

static void shape_check(const struct shape *shape, const struct program *program,
    const struct record *record)
{
	assert_int_equal(shape->count, record->field_count);
	for (uint32_t slot = 0; slot < program->slot_count; slot++) {
		uint32_t at = shape->first[slot];

		for (uint32_t i = 0; i < shape->count; i++) {
			if (!str_eq(record->fields[i].name, program->slots[slot].name))
				continue;
			assert_int_equal(shape->slots[i], slot);
			assert_int_equal(at, i);
			at = shape->next[i];
		}
		assert_int_equal(at, SHAPE_NONE);
	}
	for (uint32_t i = 0; i < shape->count; i++)
		assert_int_equal(shape->slots[i],
		    program_slot_named(program, record->fields[i].name));
}

/* Up to most fields; all that follows from seed, so that it comes again. */
static struct record *record_draw(struct arena *arena, uint32_t seed, uint32_t most)
{
	static const struct event event = {.raw = {"line", 4}};
	struct record *record = arena_alloc(arena, sizeof(*record));
	uint32_t state = seed * 2654435761u;

	record_begin(record, &event, arena, 1024);
	for (uint32_t n = draw(&state, most + 1); n > 0; n--)
		record_put_named(record, name_of(draw(&state, NAMES)), FIELD_STRING, STR("a"));
	return record;
}

/* seeds: so many kinds of records, in turn at random. */
static void shapes_check(uint32_t seeds, uint32_t most, bool old)
{
	struct ruleset *ruleset = rulebook_load(rules);
	const struct program *program = ruleset_program(ruleset);
	struct shapes *shapes = shapes_new(program);
	struct arena *arena = arena_new(1 << 22);
	uint32_t state = 1;

	assert_non_null(shapes);
	for (unsigned i = 0; i < 20000; i++) {
		struct record *record = record_draw(arena, draw(&state, seeds), most);

		/* As if it had been decoded before the rules were loaded. */
		for (size_t at = 0; old && at < record->field_count; at++)
			record->fields[at].id = FIELD_OTHER;
		record->generation = old ? 0 : record->generation;
		shape_check(shape_of(shapes, record), program, record);
		arena_reset(arena);
	}
	shapes_free(shapes);
	arena_free(arena);
	ruleset_free(ruleset);
}

static void shapes_are_right_however_many_there_are(void **state)
{
	(void)state;
	shapes_check(5, 20, false);
	shapes_check(1000, 20, false);
	shapes_check(4 * SHAPES, 20, false);
	shapes_check(20, 3 * SHAPE_WIDE / 2, false);
	shapes_check(50, 20, true);
}

static void the_same_fields_are_the_same_shape(void **state)
{
	struct ruleset *ruleset = rulebook_load(rules);
	struct shapes *shapes = shapes_new(ruleset_program(ruleset));
	struct arena *arena = arena_new(1 << 22);
	struct shape *first = shape_of(shapes, record_draw(arena, 7, 20));

	(void)state;
	first->steps_of = 5;
	assert_ptr_equal(shape_of(shapes, record_draw(arena, 7, 20)), first);
	assert_int_equal(first->steps_of, 5);
	assert_true(shape_of(shapes, record_draw(arena, 8, 20)) != first);
	shapes_free(shapes);
	arena_free(arena);
	ruleset_free(ruleset);
}

/* ---- keywords ---- */

#define WORD                                                                                       \
	"title: word\nid: word\nlogsource:\n    definition: any\ndetection:\n"                      \
	"    k: [mimikatz, kiwi]\n    condition: k\nlevel: low\n"

static const char keyword_rules[] = WORD
    "---\ntitle: sign\nid: sign\nlogsource:\n    definition: any\ndetection:\n"
    "    k: ['mường tè']\n    condition: k\nlevel: low\n";

struct placed {
	const char *what, *raw;
	const char *runs; /* values: '|' next to each other, '/' somewhere else */
	size_t matches;
};

static const struct placed placed[] = {
    {"nothing", "a line", "a|b/c", 0},
    {"in the raw line", "a MimiKatz line", "", 1},
    {"in a value", "a line", "a|mimikatz|b", 1},
    {"from one value into the next", "a line", "mimi|katz", 0},
    {"from the raw line into a value", "mimi", "katz", 0},
    {"in a value beside one that is none", "a line", "mimi|katz|kiwi", 1},
    {"in the second run", "a line", "a|b/c|xkiwix", 1},
    {"in a run behind all that are kept", "a line", "a/b/c/d/e/f/g/h/i/mimikatz/k", 1},
    {"two values in one run behind these", "a line", "a/b/c/d/e/f/g/h/i|mimi|katz/k", 0},
    {"beside other letters", "dòng", "Lai Châu|mimikatz", 1},
    {"of other letters, in the raw line", "huyện Mường Tè", "a", 1},
    {"of other letters, in a value", "a line", "huyện|MƯỜNG TÈ|kiwi", 2},
    {"of other letters, over two values", "a line", "mường| tè", 0},
    {"letters that fold to ASCII", "a line", "mimi\u212Aatz", 1},
    {"the same in the raw line", "mimi\u212Aatz", "a", 1},
    {"empty values", "a line", "||kiwi||/", 1},
    {"an empty line", "", "kiwi", 1},
};

/* Values that are next to each other lie so; others do not. */
static void values_place(struct record *record, struct arena *arena, const char *runs)
{
	char *at = arena_alloc(arena, 4096), *begin = at;

	for (; *runs != '\0'; runs++) {
		if (*runs != '|' && *runs != '/') {
			*at++ = *runs;
			continue;
		}
		record_put_named(record, STR("F"), FIELD_STRING,
		    (struct str){begin, (size_t)(at - begin)});
		at += *runs == '/' ? 100 : 0;
		begin = at;
	}
	record_put_named(
	    record, STR("G"), FIELD_STRING, (struct str){begin, (size_t)(at - begin)});
}

/* as_told: of all rules; else of the first, which looks for nothing but ASCII. */
static void keywords_check(const char *text, bool as_told)
{
	struct ruleset *ruleset = rulebook_load(text);
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 22);

	for (size_t i = 0; i < RULEBOOK_COUNT(placed); i++) {
		struct event event = {.raw = str_of(placed[i].raw)};
		struct record record;
		const uint32_t *matches;

		record_begin(&record, &event, arena, 64);
		values_place(&record, arena, placed[i].runs);
		size_t count = matcher_run(matcher, &record, &matches);
		size_t plain = matcher_run_plain(matcher, &record, &matches);

		if ((as_told && count != placed[i].matches) || plain != count)
			fail_msg("%s: %zu matches, the plain evaluator %zu", placed[i].what, count,
			    plain);
		arena_reset(arena);
	}
	matcher_free(matcher);
	arena_free(arena);
	ruleset_free(ruleset);
}

static void keywords_are_found_wherever_a_text_lies(void **state)
{
	(void)state;
	keywords_check(keyword_rules, true);
	keywords_check(WORD, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shapes_are_right_however_many_there_are),
	    cmocka_unit_test(the_same_fields_are_the_same_shape),
	    cmocka_unit_test(keywords_are_found_wherever_a_text_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
