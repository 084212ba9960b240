#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "correlator/repeat.h"

static void test_repeats_and_what_only_comes_late(void **state)
{
	const struct {
		struct repeat_key key;
		enum repeat_result result;
	} rows[] = {
	    {{5, 0, 1}, REPEAT_NEW},
	    {{5, 0, 1}, REPEAT_KNOWN},
	    {{5, 0, 2}, REPEAT_NEW}, /* the same event for another correlation */
	    {{5, 1, 1}, REPEAT_NEW},
	    {{9, 0, 1}, REPEAT_NEW},
	    {{7, 0, 1},
		REPEAT_NEW}, /* below the mark, not known: its producer had to send it again */
	    {{7, 0, 1}, REPEAT_KNOWN},
	    {{5, 0, 2}, REPEAT_KNOWN},
	    {{0, 0, 1}, REPEAT_NEW},
	};
	struct repeat repeat = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(repeat_check(&repeat, rows[i].key), rows[i].result);
	repeat_end(&repeat);
}

static void test_older_than_the_window(void **state)
{
	struct repeat repeat = {0};

	(void)state;
	for (uint64_t i = 0; i < 2 * REPEAT_WINDOW; i++)
		assert_int_equal(repeat_check(&repeat, (struct repeat_key){i * 2, 0, 1}),
		    REPEAT_NEW);
	assert_int_equal(repeat.count, REPEAT_WINDOW);
	for (uint64_t i = REPEAT_WINDOW; i < 2 * REPEAT_WINDOW; i++)
		assert_int_equal(repeat_check(&repeat, (struct repeat_key){i * 2, 0, 1}),
		    REPEAT_KNOWN);
	uint32_t slots = 0;

	for (uint32_t i = 0; i < 2 * repeat.capacity; i++)
		slots += repeat.slots[i] != 0;
	assert_int_equal(slots, REPEAT_WINDOW);
	/* In the window, older than it though never seen, and a hole within it. */
	assert_int_equal(repeat_check(&repeat, (struct repeat_key){3 * REPEAT_WINDOW, 0, 1}),
	    REPEAT_KNOWN);
	assert_int_equal(repeat_check(&repeat, (struct repeat_key){101, 0, 1}), REPEAT_KNOWN);
	assert_int_equal(repeat_check(&repeat, (struct repeat_key){3 * REPEAT_WINDOW + 1, 0, 1}),
	    REPEAT_NEW);
	repeat_end(&repeat);
}

/* Against a plain list, with keys that come again and again. */
static void test_as_a_plain_list_would(void **state)
{
	enum { KEYS = 3000 };
	bool *seen = calloc(KEYS * 4, sizeof(*seen));
	struct repeat repeat = {0};

	(void)state;
	assert_non_null(seen);
	srand(7);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned at = (unsigned)rand() % (KEYS * 4);
		struct repeat_key key = {at / 4, at / 2 % 2, at % 2};

		assert_int_equal(repeat_check(&repeat, key), seen[at] ? REPEAT_KNOWN : REPEAT_NEW);
		seen[at] = true;
	}
	free(seen);
	repeat_end(&repeat);
}

static void test_written_and_read(void **state)
{
	struct repeat repeat = {0}, again = {0};
	struct buf bytes = BUF(8 << 20);

	(void)state;
	for (uint64_t i = 0; i < REPEAT_WINDOW + 100; i++)
		repeat_check(&repeat, (struct repeat_key){i, 0, 1});
	repeat_write(&bytes, &repeat);
	struct str rest = buf_str(&bytes);

	assert_true(repeat_read(&rest, &again));
	assert_int_equal(rest.len, 0);
	assert_int_equal(repeat_check(&again, (struct repeat_key){50, 0, 1}), REPEAT_KNOWN);
	assert_int_equal(repeat_check(&again, (struct repeat_key){REPEAT_WINDOW, 0, 1}),
	    REPEAT_KNOWN);
	assert_int_equal(repeat_check(&again, (struct repeat_key){REPEAT_WINDOW + 100, 0, 1}),
	    REPEAT_NEW);
	repeat_end(&repeat);
	repeat_end(&again);
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_repeats_and_what_only_comes_late),
	    cmocka_unit_test(test_older_than_the_window),
	    cmocka_unit_test(test_as_a_plain_list_would),
	    cmocka_unit_test(test_written_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
