/*
 * What a matcher counts of each rule, what goes on into the next one, and which rules are always
 * tried.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/matcher.h"

#define RULE(id, detection)                                                                        \
	"---\ntitle: t\nid: " id "\nlogsource: {product: thu}\n"                                   \
	"detection: {s: {" detection "}, condition: s}\n"

static void run(struct matcher *matcher, struct arena *arena, const char *a, const char *b,
    int64_t received_ns)
{
	struct event event = {.received_ns = received_ns, .raw = STR("x")};
	struct record record;
	const uint32_t *matches;

	record_begin(&record, &event, arena, 16);
	record.product = STR("thu");
	record_put_named(&record, STR("A"), FIELD_STRING, str_of(a));
	record_put_named(&record, STR("B"), FIELD_STRING, str_of(b));
	(void)matcher_run(matcher, &record, &matches);
}

static const struct matcher_rule_stats *stats_of(const struct ruleset *ruleset,
    const struct matcher *matcher, const char *id)
{
	return matcher_rule_stats(matcher, ruleset_find(ruleset, str_of(id))->index);
}

static void counters_go_on_where_rules_are_the_same(void **state)
{
	struct ruleset *before = rulebook_load(RULE("same", "A: whoami, B: one")
	    RULE("changed", "A: whoami") RULE("gone", "A: whoami"));
	struct ruleset *after = rulebook_load(RULE("new", "A: whoami") RULE("changed", "A: other")
	    RULE("same", "A: whoami, B: one"));
	struct matcher *old = matcher_new(before), *fresh = matcher_new(after);
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	run(old, arena, "whoami", "one", 7000);
	run(old, arena, "whoami", "two", 8000);
	run(old, arena, "nothing", "at all", 9000);
	assert_int_equal(stats_of(before, old, "same")->hits, 1);
	assert_int_equal(stats_of(before, old, "same")->last_ns, 7000);
	assert_true(stats_of(before, old, "same")->candidates <= 2);
	assert_int_equal(stats_of(before, old, "changed")->hits, 2);
	assert_int_equal(stats_of(before, old, "changed")->last_ns, 8000);
	matcher_carry(fresh, old);
	assert_memory_equal(stats_of(after, fresh, "same"), stats_of(before, old, "same"),
	    sizeof(struct matcher_rule_stats));
	assert_int_equal(stats_of(after, fresh, "changed")->hits, 0);
	assert_int_equal(stats_of(after, fresh, "new")->hits, 0);
	run(fresh, arena, "whoami", "one", 9500);
	assert_int_equal(stats_of(after, fresh, "same")->hits, 2);
	assert_int_equal(stats_of(after, fresh, "same")->last_ns, 9500);
	arena_free(arena);
	matcher_free(old);
	matcher_free(fresh);
	ruleset_free(before);
	ruleset_free(after);
}

static void rules_without_a_clause_are_always_tried(void **state)
{
	struct ruleset *ruleset = rulebook_load(RULE("absent", "A: null") RULE("not", "A|neq: word")
	    RULE("word", "A: word") RULE("both", "A: null, B: word"));
	bool always[4];

	(void)state;
	assert_int_equal(ruleset_count(ruleset), 4);
	assert_true(matcher_always(ruleset, always));
	assert_true(always[ruleset_find(ruleset, STR("absent"))->index]);
	assert_true(always[ruleset_find(ruleset, STR("not"))->index]);
	assert_false(always[ruleset_find(ruleset, STR("word"))->index]);
	assert_false(always[ruleset_find(ruleset, STR("both"))->index]);
	ruleset_free(ruleset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counters_go_on_where_rules_are_the_same),
	    cmocka_unit_test(rules_without_a_clause_are_always_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
