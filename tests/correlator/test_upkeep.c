/*
 * When an index is made anew: after what it lets through has cost as much, and not before; nothing
 * is timed, so that the same events always make the same indexes.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/matcher_upkeep.h"

#define COST 1000000u

/* Events that spend so much each, until one asks for an index, or most were. */
static uint64_t run(struct upkeep *upkeep, uint64_t spent, uint64_t most, enum upkeep_answer *ret)
{
	for (uint64_t i = 1; i <= most; i++) {
		*ret = upkeep_count(upkeep, spent) ? upkeep_look(upkeep) : UPKEEP_GO_ON;
		if (*ret == UPKEEP_MAKE)
			return i;
	}
	return most;
}

static void the_first_is_made_when_it_has_cost_as_much(void **state)
{
	static const uint64_t spent[] = {100000, 10000, 1000, 100};
	enum upkeep_answer answer;

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(spent); i++) {
		struct upkeep upkeep = upkeep_begin(COST);
		uint64_t events = run(&upkeep, spent[i], 1000000, &answer);

		assert_int_equal(answer, UPKEEP_MAKE);
		assert_true(upkeep.studied >= 32);
		assert_true(events >= COST / spent[i]);
		assert_true(events < 200 || events <= COST / spent[i] * 5 / 4);
	}
}

/* Nor is a single event looked at, or memory taken, for who costs nothing. */
static void who_costs_nothing_is_not_studied(void **state)
{
	struct upkeep upkeep = upkeep_begin(COST);
	enum upkeep_answer answer;

	(void)state;
	assert_int_equal(run(&upkeep, 0, 5000000, &answer), 5000000);
	assert_int_equal(answer, UPKEEP_GO_ON);
	assert_int_equal(upkeep.studied, 0);
	/* What comes later still counts. */
	assert_true(run(&upkeep, 5000, 5000000, &answer) < 20000);
	assert_int_equal(answer, UPKEEP_MAKE);
}

static struct upkeep learned(uint64_t spent)
{
	struct upkeep upkeep = upkeep_begin(COST);
	enum upkeep_answer answer;

	(void)run(&upkeep, 10000, 100000, &answer);
	assert_int_equal(answer, UPKEEP_MAKE);
	upkeep_made(&upkeep, COST);
	(void)run(&upkeep, spent, 3000, &answer);
	assert_true(answer != UPKEEP_MAKE);
	return upkeep;
}

static void a_flood_is_answered_when_it_has_cost_twice_as_much(void **state)
{
	static const uint64_t floods[] = {4000, 10000, 100000};
	enum upkeep_answer answer;

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(floods); i++) {
		struct upkeep upkeep = learned(1000);
		uint64_t events = run(&upkeep, floods[i], 60000, &answer);

		assert_int_equal(answer, UPKEEP_MAKE);
		assert_true(events + 256 >= 2 * COST / floods[i]);
		assert_true(events <= 2 * COST / (floods[i] - 1300) + 512);
	}
}

/* However long it was calm before: that is no credit. */
static void calm_is_no_credit(void **state)
{
	struct upkeep upkeep = learned(1000);
	enum upkeep_answer answer;

	(void)state;
	assert_int_equal(run(&upkeep, 100, 60000, &answer), 60000);
	assert_true(run(&upkeep, 10000, 5000, &answer) < 1000);
	assert_int_equal(answer, UPKEEP_MAKE);
}

static void what_is_normal_is_not_answered_but_now_and_then(void **state)
{
	struct upkeep upkeep = learned(5000);
	enum upkeep_answer answer;

	(void)state;
	uint64_t events = run(&upkeep, 5100, 100000, &answer);

	assert_int_equal(answer, UPKEEP_MAKE);
	assert_in_range(events, 65536 - 3000 - 512, 65536);
	upkeep_made(&upkeep, COST);
	events = run(&upkeep, 5100, 10000000, &answer);
	assert_int_equal(answer, UPKEEP_MAKE);
	assert_in_range(events, (1 << 22) - 512, (1 << 22) + 512);
}

#define RULE(id, text, other)                                                                      \
	"---\ntitle: t\nid: " id "\nlogsource: {product: thu}\n"                                   \
	"detection: {s: {A|contains: '" text "', B|contains: '" other "'}, condition: s}\n"

static uint64_t made_after(struct matcher *matcher, struct arena *arena, const char *fields,
    unsigned events)
{
	struct matcher_stats before, after;
	const uint32_t *matches;

	matcher_stats(matcher, &before);
	for (unsigned i = 0; i < events; i++) {
		struct record *record = rulebook_record(arena, fields, NULL);

		record->product = STR("thu");
		assert_int_equal(matcher_run(matcher, record, &matches), 0);
		arena_reset(arena);
	}
	matcher_stats(matcher, &after);
	return after.indexes_made - before.indexes_made;
}

/* What is flooded is looked for no more, and the other text of the rule is, and the other way. */
static void a_matcher_gets_used_to_its_events(void **state)
{
	struct ruleset *ruleset =
	    rulebook_load(RULE("a", "dienbien", "hagiang") RULE("b", "laocai", "yenbai"));
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);
	struct matcher_stats before, after;

	(void)state;
	assert_int_equal(made_after(matcher, arena, "A=x\nB=y", 1), 1);
	assert_int_equal(made_after(matcher, arena, "A=x\nB=y", 20000), 0);
	assert_int_equal(made_after(matcher, arena, "A=dienbien laocai\nB=y", 3000), 1);
	matcher_stats(matcher, &before);
	assert_int_equal(made_after(matcher, arena, "A=dienbien laocai\nB=y", 3000), 0);
	matcher_stats(matcher, &after);
	assert_int_equal(after.candidates, before.candidates);
	assert_int_equal(made_after(matcher, arena, "A=x\nB=hagiang yenbai", 6000), 1);
	matcher_stats(matcher, &before);
	assert_int_equal(made_after(matcher, arena, "A=x\nB=hagiang yenbai", 3000), 0);
	matcher_stats(matcher, &after);
	assert_int_equal(after.candidates, before.candidates);
	arena_free(arena);
	matcher_free(matcher);
	ruleset_free(ruleset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_is_made_when_it_has_cost_as_much),
	    cmocka_unit_test(who_costs_nothing_is_not_studied),
	    cmocka_unit_test(a_flood_is_answered_when_it_has_cost_twice_as_much),
	    cmocka_unit_test(calm_is_no_credit),
	    cmocka_unit_test(what_is_normal_is_not_answered_but_now_and_then),
	    cmocka_unit_test(a_matcher_gets_used_to_its_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
