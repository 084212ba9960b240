#include "event/record.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void every_field_is_found_by_its_name(void **state)
{
	(void)state;
	for (unsigned id = 1; id < FIELD_COUNT; id++) {
		struct str name = field_name((enum field_id)id);

		assert_true(name.len > 0);
		assert_true(field_meaning((enum field_id)id).len > 0);
		assert_int_equal(field_lookup(name), id);
		assert_int_equal(field_lookup(str_slice(name, 0, name.len - 1)) == id, false);
	}
	static const char *const unknown[] = {"", "image", "IMAGE", "Image ",
	    "no such field at all", "ParentCommandLineParentCommandLine"};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		assert_int_equal(field_lookup(str_of(unknown[i])), FIELD_OTHER);
	assert_int_equal(field_name(FIELD_OTHER).len, 0);
	assert_true(str_eq(field_ecs(FIELD_SRC_IP), STR("source.ip")));
}

static struct str made_name(unsigned index, char buffer[32])
{
	int len = snprintf(buffer, 32, "%.*s.%u", 1 + (int)(index % 13), "x.of.the.rules", index);

	return (struct str){buffer, (size_t)len};
}

#define NAMES 3000u

static void *looks_up(void *context)
{
	char buffer[32];

	(void)context;
	for (unsigned round = 0; round < 20; round++) {
		uint32_t generation = field_generation();

		for (unsigned i = 0; i < NAMES; i++) {
			struct str name = made_name(i, buffer);
			enum field_id id = field_lookup(name);

			if (i < generation ? id != FIELD_COUNT + i
			                   : id != FIELD_OTHER && id != FIELD_COUNT + i)
				return "another id";
			if (id != FIELD_OTHER && i < generation && !str_eq(field_name(id), name))
				return "another name";
		}
	}
	return NULL;
}

/* Before any other test interns: ids are given out in order. */
static void names_are_interned_while_others_look_them_up(void **state)
{
	pthread_t threads[2];
	char buffer[32];
	void *complaint;

	(void)state;
	assert_int_equal(field_generation(), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, looks_up, NULL), 0);
	for (unsigned i = 0; i < NAMES; i++)
		assert_int_equal(field_intern(made_name(i, buffer)), FIELD_COUNT + i);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &complaint), 0);
		assert_null(complaint);
	}
	assert_int_equal(field_generation(), NAMES);
	assert_int_equal(field_intern(made_name(7, buffer)), FIELD_COUNT + 7);
	assert_int_equal(field_intern(STR("Image")), FIELD_IMAGE);
	assert_int_equal(field_intern(STR("")), FIELD_OTHER);
	assert_int_equal(field_generation(), NAMES);
	assert_int_equal(field_ecs((enum field_id)(FIELD_COUNT + 7)).len, 0);
	assert_int_equal(field_meaning((enum field_id)(FIELD_COUNT + 7)).len, 0);
}

/* What was decoded before a rule named it is found all the same. */
static void fields_older_than_their_number_are_found(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct record record;

	(void)state;
	record_begin(&record, NULL, arena, 1000);
	record_put_named(&record, STR("later.one"), FIELD_STRING, STR("first"));
	record_put_named(&record, STR("later.two"), FIELD_STRING, STR("second"));
	assert_int_equal(record.generation, field_generation());
	enum field_id id = field_intern(STR("later.two"));

	assert_true(record.generation < field_generation());
	record_put_named(&record, STR("later.two"), FIELD_STRING, STR("third"));
	assert_int_equal(record.fields[2].id, id);
	assert_true(str_eq(record_find(&record, STR("later.two"))->value, STR("second")));
	assert_true(str_eq(record_find(&record, STR("later.one"))->value, STR("first")));
	assert_true(str_eq(record_value(&record, id), STR("third")));
	arena_free(arena);
}

/* The last of all tests: afterwards no name can be interned. */
static void numbers_run_out(void **state)
{
	char buffer[32];
	unsigned index = NAMES;

	(void)state;
	while (field_intern(made_name(index, buffer)) != FIELD_OTHER && index < 2 * FIELD_MOST)
		index++;
	assert_in_range(field_generation(), FIELD_MOST - FIELD_COUNT, FIELD_MOST - FIELD_COUNT);
	assert_int_equal(field_lookup(made_name(index, buffer)), FIELD_OTHER);
	assert_int_equal(field_intern(made_name(7, buffer)), FIELD_COUNT + 7);
	assert_true(str_eq(field_name((enum field_id)(FIELD_MOST - 1)),
	    made_name(index - 1, buffer)));
}

static void fields_go_in_and_come_out(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct event event = {.received_ns = 7};
	struct record record;

	(void)state;
	record_begin(&record, &event, arena, 1000);
	assert_int_equal(record.time_ns, 7);
	record_put(&record, FIELD_USER, STR("Lan"));
	record_put_number(&record, FIELD_SRC_PORT, STR("40112"));
	record_put_named(&record, STR("User"), FIELD_STRING, STR("second"));
	record_put_named(&record, STR("own.name"), FIELD_BOOL, STR("true"));
	assert_true(str_eq(record_value(&record, FIELD_USER), STR("Lan")));
	assert_int_equal(record_get(&record, FIELD_SRC_PORT)->kind, FIELD_NUMBER);
	assert_int_equal(record.fields[2].id, FIELD_USER);
	assert_true(str_eq(record_find(&record, STR("User"))->value, STR("Lan")));
	assert_true(str_eq(record_find(&record, STR("own.name"))->value, STR("true")));
	assert_null(record_find(&record, STR("Own.name")));
	assert_null(record_find(&record, STR("Image")));
	assert_null(record_value(&record, FIELD_IMAGE).ptr);
	arena_free(arena);
}

static void fields_are_written_in_place(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct record record;

	(void)state;
	record_begin(&record, NULL, arena, 1000);
	record_put(&record, FIELD_IMAGE, STR("x"));
	assert_true(record_room(&record));
	record.fields[1] = (struct field){FIELD_OTHER, FIELD_STRING, STR("User"), STR("Lan")};
	record.fields[2] = (struct field){FIELD_OTHER, FIELD_STRING, STR("Image"), STR("y")};
	record.field_count += 2;
	assert_null(record_get(&record, FIELD_USER));
	record_mark(&record, 1, FIELD_USER);
	record_mark(&record, 2, FIELD_IMAGE);
	assert_true(str_eq(record_value(&record, FIELD_USER), STR("Lan")));
	assert_true(str_eq(record_value(&record, FIELD_IMAGE), STR("x")));
	assert_int_equal(record.fields[2].id, FIELD_IMAGE);
	arena_free(arena);
}

/* Fields that were put and taken back have never been there. */
static void fields_are_taken_back(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct record record;

	(void)state;
	record_begin(&record, NULL, arena, 1000);
	record_put(&record, FIELD_HOST, STR("a"));
	record_put(&record, FIELD_USER, STR("b"));
	record_put(&record, FIELD_USER, STR("c"));
	record_shorten(&record, 1);
	assert_null(record_get(&record, FIELD_USER));
	record_put(&record, FIELD_IMAGE, STR("d"));
	assert_null(record_get(&record, FIELD_USER));
	record_put(&record, FIELD_USER, STR("e"));
	assert_true(str_eq(record_value(&record, FIELD_USER), STR("e")));
	assert_true(str_eq(record_value(&record, FIELD_IMAGE), STR("d")));
	record_shorten(&record, 0);
	record_put(&record, FIELD_USER, STR("f"));
	record_put(&record, FIELD_HOST, STR("g"));
	record_put(&record, FIELD_USER, STR("h"));
	assert_ptr_equal(record_get(&record, FIELD_USER), &record.fields[0]);
	assert_ptr_equal(record_get(&record, FIELD_HOST), &record.fields[1]);
	arena_free(arena);
}

static void the_ceiling_cuts(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct event event = {0};
	struct record record;

	(void)state;
	record_begin(&record, &event, arena, 100);
	for (int i = 0; i < 100; i++)
		record_put(&record, FIELD_USER, STR("x"));
	assert_int_equal(record.flags, 0);
	record_put(&record, FIELD_USER, STR("x"));
	assert_int_equal(record.flags, RECORD_FIELDS_CUT);
	assert_int_equal(record.field_count, 100);
	arena_free(arena);
	arena = arena_new(64);
	record_begin(&record, &event, arena, 100);
	record_put(&record, FIELD_USER, STR("x"));
	assert_int_equal(record.flags, RECORD_FIELDS_CUT);
	assert_int_equal(record.field_count, 0);
	arena_free(arena);
}

static void categories_are_few_and_distinct(void **state)
{
	struct record record;
	static const char *const names[] = {"a", "b", "a", "c", "d", "e"};

	(void)state;
	record_begin(&record, NULL, NULL, 0);
	for (size_t i = 0; i < 6; i++)
		record_category(&record, str_of(names[i]));
	assert_int_equal(record.category_count, RECORD_CATEGORIES);
	assert_true(str_eq(record.categories[3], STR("d")));
}

static void coordinates(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
	    {"c0ffee0123456789-16b0f2a3c4d5e6f7-42", true},
	    {"ffffffffffffffff-ffffffffffffffff-18446744073709551615", true},
	    {"0000000000000000-0000000000000000-0", true},
	    {"c0ffee0123456789-16b0f2a3c4d5e6f7-18446744073709551616", false},
	    {"c0ffee0123456789-16b0f2a3c4d5e6f7-", false},
	    {"c0ffee0123456789-16b0f2a3c4d5e6f7--1", false},
	    {"c0ffee0123456789-16b0f2a3c4d5e6f742", false},
	    {"g0ffee0123456789-16b0f2a3c4d5e6f7-42", false},
	    {"c0ffee0123456789", false},
	    {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct coordinate at;
		char text[COORDINATE_TEXT];

		assert_int_equal(coordinate_parse(str_of(rows[i].text), &at), rows[i].good);
		if (rows[i].good)
			assert_true(str_eq(coordinate_format(at, text), str_of(rows[i].text)));
	}
	const struct coordinate order[] = {{1, 1, 1}, {1, 1, 2}, {1, 2, 0}, {2, 0, 0},
	    {UINT64_MAX, 0, 0}};

	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 5; k++)
			assert_int_equal(coordinate_compare(order[i], order[k]),
			    i < k ? -1 : i > k);
	}
}

static void transports(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TRANSPORT_COUNT; i++) {
		enum transport got;

		assert_true(transport_parse(transport_name((enum transport)i), &got));
		assert_int_equal(got, i);
	}
	assert_true(str_eq(transport_name((enum transport)200), STR("unknown")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_field_is_found_by_its_name),
	    cmocka_unit_test(names_are_interned_while_others_look_them_up),
	    cmocka_unit_test(fields_older_than_their_number_are_found),
	    cmocka_unit_test(fields_go_in_and_come_out),
	    cmocka_unit_test(fields_are_written_in_place),
	    cmocka_unit_test(fields_are_taken_back),
	    cmocka_unit_test(the_ceiling_cuts),
	    cmocka_unit_test(categories_are_few_and_distinct),
	    cmocka_unit_test(coordinates),
	    cmocka_unit_test(transports),
	    cmocka_unit_test(numbers_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
