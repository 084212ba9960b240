/*
 * Indexes made before any event: that they are those that events need, and change no match.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/warming.h"

#define RULE(id, source, detection)                                                                \
	"---\ntitle: t\nid: " id "\nlogsource: {" source "}\n"                                     \
	"detection: {s: {" detection "}, condition: s}\n"

static const char rules[] = RULE("a", "product: windows, category: process_creation",
    "CommandLine|contains: ' -hatinh '") RULE("b", "product: windows, service: sysmon",
    "Image|endswith: '\\sonla.exe'") RULE("c", "product: windows, category: registry_set",
    "TargetObject|contains: '\\Run\\'") RULE("d", "category: proxy",
    "c-uri|contains: '/thaibinh'") RULE("e", "product: aws, service: cloudtrail",
    "eventName: DeleteTrail") RULE("f", "product: windows", "EventID: 7");

struct source {
	const char *product, *service, *categories[2];
	bool made; /* ahead */
};

static const struct source met[] = {
    {"windows", "sysmon", {"process_creation", ""}, true},
    {"windows", "security", {"process_creation", ""}, true},
    {"windows", "sysmon", {"registry_set", "registry_event"}, true},
    {"windows", "application", {"", ""}, true},
    {"", "", {"proxy", ""}, true},
    {"aws", "cloudtrail", {"", ""}, true},
    {"linux", "sshd", {"", ""}, true},
    {"aws", "", {"proxy", ""}, false},
};

static struct record *record_of(struct arena *arena, const struct source *source, unsigned i)
{
	static const char *const texts[] = {
	    "CommandLine=x -hatinh y\nImage=C:\\sonla.exe\nEventID=7",
	    "TargetObject=HKLM\\Run\\x\nImage=C:\\other.exe\nc-uri=/thaibinh/1",
	    "eventName=DeleteTrail\nEventID=8\nCommandLine=-hatinh"};
	struct record *record = rulebook_record(arena, texts[i % RULEBOOK_COUNT(texts)], NULL);

	record->product = str_of(source->product);
	record->service = str_of(source->service);
	record->category_count = 0;
	for (size_t j = 0; j < 2; j++)
		if (source->categories[j][0] != '\0')
			record->categories[record->category_count++] =
			    str_of(source->categories[j]);
	return record;
}

static void what_is_made_ahead_is_what_events_need(void **state)
{
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);
	struct matcher_stats before, after;
	const uint32_t *matches;

	(void)state;
	assert_true(warming_run(matcher, ruleset));
	matcher_stats(matcher, &before);
	assert_int_equal(before.study_bytes, 0); /* that is for who has events */
	for (size_t i = 0; i < RULEBOOK_COUNT(met); i++) {
		matcher_stats(matcher, &before);
		(void)matcher_run(matcher, record_of(arena, &met[i], 0), &matches);
		matcher_stats(matcher, &after);
		if ((after.classes == before.classes) != met[i].made)
			fail_msg("source %zu", i);
		assert_true(!met[i].made || after.indexes_made == before.indexes_made);
	}
	arena_free(arena);
	matcher_free(matcher);
	ruleset_free(ruleset);
}

static void warm_and_cold_agree(void **state)
{
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *warm = matcher_new(ruleset), *cold = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);
	size_t total = 0;

	(void)state;
	assert_true(warming_run(warm, ruleset));
	for (unsigned i = 0; i < 30 * RULEBOOK_COUNT(met); i++) {
		struct record *record = record_of(arena, &met[i % RULEBOOK_COUNT(met)], i);
		const uint32_t *left, *right;
		size_t count = matcher_run(warm, record, &left);

		assert_int_equal(matcher_run(cold, record, &right), count);
		assert_true(count == 0 || memcmp(left, right, count * sizeof(*left)) == 0);
		total += count;
		arena_reset(arena);
	}
	assert_true(total > 100);
	arena_free(arena);
	matcher_free(warm);
	matcher_free(cold);
	ruleset_free(ruleset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_made_ahead_is_what_events_need),
	    cmocka_unit_test(warm_and_cold_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
