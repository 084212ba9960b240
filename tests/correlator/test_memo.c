/*
 * Values that come again: what was found in them once is found again, whatever else was known of
 * the event in which it was learned.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/matcher_memo.h"

#define TIMES 5 /* the first tells nothing, the second learns, the others are told */

static const struct memo_findings two = {2, {7, 9}};

static void keep(struct memo *memo, struct str text, const struct memo_findings *findings)
{
	memo_keep(memo, text, memo_hash(text), findings);
}

static const struct memo_findings *find(struct memo *memo, struct str text)
{
	return memo_find(memo, text, memo_hash(text));
}

static void what_is_kept_is_found(void **state)
{
	struct memo *memo = memo_new();
	struct memo_findings many = {MEMO_FOUND + 1, {0}};
	char text[MEMO_TEXT + 1];

	(void)state;
	assert_non_null(memo);
	memset(text, 'x', sizeof(text));
	for (size_t len = 1; len <= MEMO_TEXT; len++) {
		struct str is = {text, len};

		assert_null(find(memo, is));
		assert_false(memo_wants(memo, memo_hash(is)));
		assert_true(memo_wants(memo, memo_hash(is)));
		keep(memo, is, &two);
		assert_non_null(find(memo, is));
		assert_memory_equal(find(memo, is), &two, sizeof(two));
	}
	keep(memo, (struct str){text, sizeof(text)}, &two);
	assert_null(find(memo, (struct str){text, sizeof(text)}));
	keep(memo, STR("too many"), &many);
	assert_null(find(memo, STR("too many")));
	memo_free(memo);
}

static void a_value_is_only_its_own(void **state)
{
	static const char *const pairs[][2] = {{"a", "b"}, {"ab", "ba"}, {"abc", "abd"},
	    {"12345678", "12345679"}, {"C:\\Windows\\a.exe", "C:\\Windows\\b.exe"},
	    {"middle-one-middle-two-middle", "middle-one-middle-TWO-middle"}};
	struct memo *memo = memo_new();

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(pairs); i++) {
		struct str one = str_of(pairs[i][0]), other = str_of(pairs[i][1]);

		keep(memo, one, &two);
		/* As if the hashes were the same. */
		assert_non_null(memo_find(memo, one, memo_hash(one)));
		assert_null(memo_find(memo, other, memo_hash(one)));
	}
	memo_free(memo);
}

static void values_that_never_come_again_push_out_nothing(void **state)
{
	struct memo *memo = memo_new();
	char text[32];
	size_t left = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * MEMO_PLACES; i++) {
		snprintf(text, sizeof(text), "kept %u", i);
		keep(memo, str_of(text), &two);
	}
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "only once %u", i);
		assert_null(find(memo, str_of(text)));
		assert_false(memo_wants(memo, memo_hash(str_of(text))));
	}
	for (unsigned i = 0; i < 2 * MEMO_PLACES; i++) {
		snprintf(text, sizeof(text), "kept %u", i);
		left += find(memo, str_of(text)) != NULL;
	}
	assert_true(left > MEMO_PLACES / 2 && left <= MEMO_PLACES);
	memo_free(memo);
}

#define RULE(id, detection)                                                                        \
	"title: " id "\nid: " id "\nlogsource:\n    definition: any\ndetection:\n    s:\n"         \
	"        " detection "\n    condition: s\nlevel: low\n"
#define NEXT "---\n"

static const char rules[] =
    RULE("contains", "F|contains: mimikatz") NEXT RULE("suffix", "F|endswith: '\\cmd.exe'")
    NEXT RULE("prefix", "F|startswith: 'C:\\Temp'") NEXT RULE("exact", "F: whoami")
    NEXT RULE("cased", "F|contains|cased: MimiKatz") NEXT RULE("regex", "F|re: 'kiwi[0-9]+x'")
    NEXT RULE("glob", "F: '*kiwi*legit*'") NEXT RULE("number", "F: 4625")
    NEXT RULE("sign", "F|contains: 'mường tè'") NEXT RULE("other", "G|contains: mimikatz")
    NEXT RULE("many", "F|contains: [abca, abcb, abcc, abcd, abce, abcf, abcg, abch, abci, abcj]")
    NEXT RULE("all", "F|contains|all: [abca, abcj]") NEXT RULE("nil", "F: null")
    NEXT RULE("word", "F: 'null'");

/* Each is run TIMES times, then the next; the plain evaluator says what is right. */
static const char *const records[] = {"F=nothing\n", "F=x mimikatz\n", "F=x MimiKatz\n",
    "F=C:\\Windows\\cmd.exe\n", "F=C:\\temp\\CMD.EXE\n", "F=WHOAMI\n", "F=kiwi12x\n",
    "F=kiwi12\n", "F=KIWI very LEGIT\n", "#F=4625\n", "F=4625\n", "F=4625.0\n", "F=04625\n",
    "F=huyện Mường Tè\n", "F=HUYỆN MƯỜNG TÈ\n", "G=x mimikatz\nF=other\n", "G=other\n",
    "F=abca abcb abcc abcd abce abcf abcg abch abci abcj\n", "F=abca abcj\n", "F=abcj\n",
    "!F=null\n", "F=null\n", "F=\n", "F=mimi\u212Aatz\n"};

static void run_check(struct matcher *matcher, struct arena *arena, const char *fields)
{
	uint32_t found[32];
	const uint32_t *matches;
	struct record *record = rulebook_record(arena, fields, "a line");
	size_t count = matcher_run(matcher, record, &matches);

	assert_true(count <= RULEBOOK_COUNT(found));
	memcpy(found, matches, count * sizeof(*found));
	size_t plain = matcher_run_plain(matcher, record, &matches);

	if (plain != count || memcmp(found, matches, count * sizeof(*found)) != 0)
		fail_msg("%s: %zu matches, the plain evaluator %zu", fields, count, plain);
	arena_reset(arena);
}

static void what_was_learned_is_what_a_search_finds(void **state)
{
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 22);

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < RULEBOOK_COUNT(records); i++) {
			for (unsigned times = 0; times < TIMES; times++)
				run_check(matcher, arena, records[i]);
		}
	}
	matcher_free(matcher);
	arena_free(arena);
	ruleset_free(ruleset);
}

/* What an earlier value of the field has told is found in the later one all the same. */
static void learning_does_not_depend_on_what_is_known(void **state)
{
	static const char *const both[] = {"F=a mimikatz\nF=b mimikatz\n",
	    "F=c\\cmd.exe\nF=d\\cmd.exe\n", "F=1 kiwi1x\nF=2 kiwi1x\n",
	    "F=1 Mường Tè\nF=2 mường tè\n"};
	static const char *const later[] = {"F=b mimikatz\n", "F=d\\cmd.exe\n", "F=2 kiwi1x\n",
	    "F=2 mường tè\n"};
	struct ruleset *ruleset = rulebook_load(rules);
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 22);

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(both); i++) {
		for (unsigned times = 0; times < TIMES; times++)
			run_check(matcher, arena, both[i]);
		for (unsigned times = 0; times < TIMES; times++)
			run_check(matcher, arena, later[i]);
	}
	matcher_free(matcher);
	arena_free(arena);
	ruleset_free(ruleset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_kept_is_found),
	    cmocka_unit_test(a_value_is_only_its_own),
	    cmocka_unit_test(values_that_never_come_again_push_out_nothing),
	    cmocka_unit_test(what_was_learned_is_what_a_search_finds),
	    cmocka_unit_test(learning_does_not_depend_on_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
