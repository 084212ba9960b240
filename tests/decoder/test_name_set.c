#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "decoder/name_set.h"

struct row {
	struct str name;
	int more;
};

/* Equal beginnings and ends, the empty name, one name twice. */
static const struct row rows[] = {{STR_INIT("src"), 1}, {STR_INIT("srcip"), 2}, {STR_INIT(""), 3},
    {STR_INIT("Event.System.TimeCreated"), 4}, {STR_INIT("Event.Systom.TimeCreated"), 5},
    {STR_INIT("src"), 6}, {STR_INIT("t"), 7}, {STR_INIT("eight888"), 8}};

static void every_name_is_found_where_it_first_stands(void **state)
{
	(void)state;
	static const size_t expected[] = {0, 1, 2, 3, 4, 0, 6, 7};
	struct name_set names;

	name_set_build(&names, &rows[0].name, sizeof(rows[0]), 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(name_set_find(&names, rows[i].name), expected[i]);
}

static void what_is_not_there_is_not_found(void **state)
{
	(void)state;
	static const struct str absent[] = {STR_INIT("Src"), STR_INIT("sr"), STR_INIT("srcipp"),
	    STR_INIT("Event.System.TimeCreatee"), STR_INIT("\0"), STR_INIT("tt"),
	    STR_INIT("eight88")};
	struct name_set names;

	name_set_build(&names, &rows[0].name, sizeof(rows[0]), 8);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_int_equal(name_set_find(&names, absent[i]), NAME_SET_NONE);
}

static void a_full_table_finds_all_and_only_its_own(void **state)
{
	(void)state;
	static char text[2 * NAME_SET_SLOTS][16];
	static struct str many[2 * NAME_SET_SLOTS];
	struct name_set names;

	for (size_t i = 0; i < 2 * NAME_SET_SLOTS; i++) {
		snprintf(text[i], sizeof(text[i]), "name-%zu", i);
		many[i] = str_of(text[i]);
	}
	name_set_build(&names, many, sizeof(many[0]), NAME_SET_SLOTS / 4);
	for (size_t i = 0; i < 2 * NAME_SET_SLOTS; i++)
		assert_int_equal(
		    name_set_find(&names, many[i]), i < NAME_SET_SLOTS / 4 ? i : NAME_SET_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_name_is_found_where_it_first_stands),
	    cmocka_unit_test(what_is_not_there_is_not_found),
	    cmocka_unit_test(a_full_table_finds_all_and_only_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
