#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decoder/key.h"

struct row {
	const char *name;
	enum field_id id;
	unsigned flags, prefix;
};

static const struct row rows[] = {
    {"Image", FIELD_IMAGE, 0, 0},
    {"image", FIELD_OTHER, 0, 0},
    {"", FIELD_OTHER, 0, 0},
    {"a", FIELD_OTHER, 0, 0},
    {"t", FIELD_OTHER, KEY_TIME, 0},
    {"@timestamp", FIELD_OTHER, KEY_TIME, 0},
    {"@timestamq", FIELD_OTHER, 0, 0},
    {"Event.System.TimeCreated.SystemTime", FIELD_OTHER, KEY_TIME, 0},
    {"Event.System.TimeCreatex.SystemTime", FIELD_OTHER, 0, 0},
    {"message", FIELD_MESSAGE, KEY_MESSAGE, 0},
    {"log", FIELD_OTHER, KEY_MESSAGE, 0},
    {"src", FIELD_OTHER, KEY_ALIAS, 0},
    {"Channel", FIELD_CHANNEL, KEY_CHANNEL, 0},
    {"log_name", FIELD_OTHER, KEY_CHANNEL | KEY_NAMING, 0},
    {"winlog.channel", FIELD_OTHER, KEY_CHANNEL | KEY_NAMING, 0},
    {"Hostname", FIELD_OTHER, KEY_ALIAS | KEY_NAMING, 0},
    {"winlog.event_data.Image", FIELD_OTHER, KEY_RENAMED, 18},
    {"winlog.event_data.", FIELD_OTHER, 0, 0},
    {"EventData.x", FIELD_OTHER, KEY_RENAMED, 10},
    {"Account Name", FIELD_OTHER, KEY_RENAMED, 0},
};

static struct key find(struct keybook *book, struct str name)
{
	struct key room;

	return *keybook_find(book, name, &room);
}

static void check_row(struct keybook *book, const struct row *row)
{
	struct key key =
	    book == NULL ? key_ask(str_of(row->name)) : find(book, str_of(row->name));

	if (key.id != (uint16_t)row->id || key.flags != row->flags || key.prefix != row->prefix)
		fail_msg("%s: %u %x %u", row->name, key.id, key.flags, key.prefix);
}

static void names_are_known(void **state)
{
	struct keybook *book = keybook_new(NULL);

	(void)state;
	for (int times = 0; times < 3; times++) {
		keybook_begin(book);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			check_row(book, &rows[i]);
			check_row(NULL, &rows[i]);
		}
	}
	keybook_free(book);
}

/* Names of all lengths that differ in one byte only, at each place. */
static void names_that_are_nearly_alike_are_told_apart(void **state)
{
	struct keybook *book = keybook_new(NULL);
	char name[80];

	(void)state;
	for (size_t len = 1; len <= 70; len++) {
		memset(name, 'n', sizeof(name));
		enum field_id id = field_intern(str_from(name, len));

		keybook_begin(book);
		for (size_t at = 0; at < len; at++) {
			assert_int_equal(find(book, str_from(name, len)).id, id);
			name[at] = 'm';
			assert_int_equal(find(book, str_from(name, len)).id, FIELD_OTHER);
			name[at] = 'n';
		}
	}
	keybook_free(book);
}

/* What was looked up before a rule named it is looked up again. */
static void ids_are_renewed(void **state)
{
	struct keybook *book = keybook_new(NULL);
	struct str name = STR("province.code");

	(void)state;
	keybook_begin(book);
	assert_int_equal(find(book, name).id, FIELD_OTHER);
	enum field_id id = field_intern(name);

	keybook_begin(book);
	assert_int_equal(find(book, name).id, id);
	keybook_free(book);
}

static void a_flood_of_names_changes_nothing(void **state)
{
	struct keybook *book = keybook_new(NULL);
	char name[80];

	(void)state;
	keybook_begin(book);
	for (unsigned i = 0; i < 50000; i++) {
		int len = snprintf(name, sizeof(name), "made.up.%u.%0*u", i, (int)(i % 60), 1u);

		assert_int_equal(find(book, str_from(name, (size_t)len)).flags, 0);
		check_row(book, &rows[i % (sizeof(rows) / sizeof(rows[0]))]);
	}
	keybook_free(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_known),
	    cmocka_unit_test(names_that_are_nearly_alike_are_told_apart),
	    cmocka_unit_test(ids_are_renewed),
	    cmocka_unit_test(a_flood_of_names_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
