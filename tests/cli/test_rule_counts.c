/*
 * Answers of several workers are one table; what is no answer is told apart.
 */
#include "cli/rule_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROW(id, hits, candidates, cost, last, always)                                              \
	"{\"id\":\"" id "\",\"title\":\"T\",\"level\":\"low\",\"hits\":" #hits \
	",\"candidates\":" #candidates ",\"predicates\":" #cost \
	",\"last_ns\":" #last ",\"always\":" #always "}\n"

static void answers_are_summed(void **state)
{
	struct rule_counts counts = {.arena = arena_new(1 << 20)};

	(void)state;
	assert_true(rule_counts_add(&counts, STR("{\"events\":10,\"rules\":2}\n"
	    ROW("a", 1, 5, 50, 7000, false) ROW("b", 0, 0, 0, 0, true))));
	assert_true(rule_counts_add(&counts, STR("{\"events\":20,\"rules\":2}\n"
	    ROW("c", 3, 3, 3, 5, false) ROW("a", 2, 6, 60, 6000, false))));
	assert_int_equal(counts.workers, 2);
	assert_int_equal(counts.events, 30);
	assert_int_equal(counts.count, 3);
	assert_int_equal(counts.hits, 6);
	assert_int_equal(counts.predicates, 113);
	assert_true(str_eq(counts.rows[0].id, STR("a")));
	assert_int_equal(counts.rows[0].hits, 3);
	assert_int_equal(counts.rows[0].candidates, 11);
	assert_int_equal(counts.rows[0].predicates, 110);
	assert_int_equal(counts.rows[0].last_ns, 7000);
	assert_true(counts.rows[1].always);
	assert_int_equal(counts.rows[1].last_ns, 0);
	arena_free(counts.arena);
}

static void what_is_no_answer_is_refused(void **state)
{
	static const char *const wrong[] = {"", "\n", "error: no\n", "{\"events\":1}\n{]\n",
	    "{\"events\":1}\n{\"title\":\"no id\"}\n", "{\"events\":1}\n[]\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct rule_counts counts = {.arena = arena_new(1 << 20)};

		if (rule_counts_add(&counts, str_of(wrong[i])))
			fail_msg("taken: %s", wrong[i]);
		assert_int_equal(counts.workers, 0);
		arena_free(counts.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_are_summed),
	    cmocka_unit_test(what_is_no_answer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
