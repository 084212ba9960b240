/*
 * Rules over lists: the matcher with its index and the plain evaluator agree, also where a list is
 * empty.
 */
#include "tests/correlator/rulebook.h"

#include <unistd.h>

static const struct {
	const char *detection, *event;
	bool matches;
} cases[] = {
    {"s: {A|expand: '%provinces%'}, condition: s", "A=LÀO CAI", true},
    {"s: {A|expand: '%provinces%'}, condition: s", "A=Huế", false},
    {"s: {A|contains|expand: '%provinces%'}, condition: s", "A=tại Lào Cai", true},
    {"s: {A|contains|all|expand: ['%provinces%', x]}, condition: s", "A=lào cai x", true},
    {"s: {A|contains|all|expand: ['%provinces%', x]}, condition: s", "A=lào cai", false},
    {"s: {A|neq|expand: '%provinces%'}, condition: s", "A=Huế", true},
    {"s: {A|neq|expand: '%provinces%'}, condition: s", "A=lào cai", false},
    {"s: {A|expand: '*.%provinces%'}, condition: s", "A=a.điện biên", true},
    {"s: {A|expand|cidr: '%nets%'}, condition: s", "A=198.51.100.7", true},
    {"s: {A|expand|cidr: '%nets%'}, condition: s", "A=203.0.113.1", false},
    {"s: {A|expand: '%stars%'}, condition: s", "A=a*", true},
    {"s: {A|expand: '%stars%'}, condition: s", "A=ab", false},
    {"s: {'|expand': '%provinces%'}, condition: s", "B=ở điện biên", true},
    {"s: {A|expand: '%none%'}, condition: s", "A=x", false},
    {"s: {A|expand: '%none%'}, condition: not s", "A=x", true},
    {"s: {A|expand: '%none%', B: 1}, condition: s", "A=x\nB=1", false},
    {"s: {A|expand: ['%none%', x]}, condition: s", "A=x", true},
    {"s: {B: 1}, f: {A|expand: '%none%'}, condition: s and not f", "A=x\nB=1", true},
    {"s: {A|expand: '%none%'}, t: {B: 1}, condition: 1 of them", "B=1", true},
    {"s: {A|expand: '%none%'}, t: {B: 1}, u: {C: 1}, condition: 2 of them", "B=1\nC=1", true},
    {"s: {A|expand: '%none%'}, t: {B: 1}, u: {C: 1}, condition: 2 of them", "B=1\nA=x", false},
};

static void list_write(const char *folder, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static bool matches_both_ways(const struct ruleset *ruleset, const char *fields)
{
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);
	struct record *record = rulebook_record(arena, fields, NULL);
	const uint32_t *found;
	size_t indexed = matcher_run(matcher, record, &found);
	size_t plain = matcher_run_plain(matcher, record, &found);

	assert_int_equal(indexed, plain);
	matcher_free(matcher);
	arena_free(arena);
	return indexed == 1;
}

static void lists_mean_their_values(void **state)
{
	char folder[] = "/tmp/tocsin-lists-XXXXXX", command[64], text[1024];
	const char *paths[] = {folder};
	struct ruleset_options options = {.lists = paths, .list_count = 1};

	(void)state;
	assert_non_null(mkdtemp(folder));
	list_write(folder, "provinces.txt", "Lào Cai\nĐiện Biên\n");
	list_write(folder, "nets.csv", "192.0.2.0/24,a\n198.51.100.0/24,b\n");
	list_write(folder, "stars.yml", "['a*', '*b']\n");
	list_write(folder, "none", "");
	for (size_t i = 0; i < RULEBOOK_COUNT(cases); i++) {
		struct ruleset *ruleset = NULL;
		struct error error = {0};

		snprintf(text, sizeof(text),
		    "title: a\nlogsource: {product: thu}\ndetection: {%s}\n", cases[i].detection);
		assert_int_equal(
		    ruleset_load_text(&ruleset, str_of(text), "r.yml", &options, &error), 0);
		assert_int_equal(ruleset_count(ruleset), 1);
		if (matches_both_ways(ruleset, cases[i].event) != cases[i].matches)
			fail_msg("%s: %s", cases[i].detection, cases[i].event);
		ruleset_free(ruleset);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_mean_their_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
