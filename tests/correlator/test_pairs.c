/*
 * Literals by pairs of bytes that are seldom: which pairs are chosen, and that looking for them
 * misses nothing, in plain C and as the machine can.
 */
#include "tests/correlator/rulebook.h"

#include "base/cpu.h"
#include "correlator/matcher_pairs.h"
#include "correlator/matcher_teddy.h"

#define TEXT_MOST 300u

static uint8_t common[1u << 16];

static void common_set(const char *pairs, uint8_t count)
{
	memset(common, 0, sizeof(common));
	for (; *pairs != '\0'; pairs += 2)
		common[pair_at(pairs)] = count;
}

/* Texts with '|' between, the pairs that are common, and the pairs that are chosen. */
static const struct {
	const char *texts, *common, *pairs;
} choices[] = {
    {"alpha::x|beta::y", "a:", "::|::"}, /* "a:" would serve both, too */
    {"a::|c::", "::", "a:|c:"}, /* one each, for "::" is common */
    {"kiwi|iwan|other", "", "iw|iw|?"},
    {"ab", "", "ab"},
    {"ab", "ab", "ab"}, /* there is nothing else */
    {"aaaa|aab", "", "aa|aa"},
    {"a", "", NULL},
    {"", "", NULL},
    {"ab|c", "", NULL},
    {"0a|1b|2c|3d|4e|5f|6g|7h", "", "0a|1b|2c|3d|4e|5f|6g|7h"},
    {"0a|1b|2c|3d|4e|5f|6g|7h|8i", "", NULL},                          /* nine groups */
    {"::a|::b|::c|::d|::e|::f|::g|::h|::i", "", "::|::|::|::|::|::|::|::|::"},
    {"::a|::b|::c|::d|::e|::f|::g|::h|::i|0z|1z|2z|3z|4z|5z|6z", "", NULL},
};

static size_t texts_split(const char *text, struct str *ret)
{
	size_t count = 0;
	struct str rest = str_of(text), one;

	if (rest.len == 0)
		ret[count++] = rest;
	while (str_cut(&rest, '|', &one))
		ret[count++] = one;
	return count;
}

static void a_pair_serves_many(void **state)
{
	struct str texts[PAIRS_TEXTS], pairs[PAIRS_TEXTS];
	uint32_t ends[PAIRS_TEXTS];

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(choices); i++) {
		size_t count = texts_split(choices[i].texts, texts);

		common_set(choices[i].common, 12);
		bool chosen = pairs_choose(common, texts, count, ends);

		assert_int_equal(chosen, choices[i].pairs != NULL);
		if (!chosen)
			continue;
		assert_int_equal(texts_split(choices[i].pairs, pairs), count);
		for (size_t n = 0; n < count; n++) {
			assert_in_range(ends[n], 1, texts[n].len - 1);
			struct str is = str_slice(texts[n], ends[n] - 1, ends[n] + 1);

			if (pairs[n].ptr[0] != '?')
				assert_true(str_eq(is, pairs[n]));
		}
	}
}

static void what_is_common_is_not_chosen(void **state)
{
	struct str texts[PAIRS_TEXTS + 1];
	uint32_t ends[PAIRS_TEXTS + 1];

	(void)state;
	memset(common, 25, sizeof(common));
	texts[0] = STR("anything");
	assert_false(pairs_choose(common, texts, 1, ends));
	memset(common, 24, sizeof(common));
	assert_true(pairs_choose(common, texts, 1, ends));
	memset(common, 0, sizeof(common));
	for (size_t i = 0; i <= PAIRS_TEXTS; i++)
		texts[i] = STR("same");
	assert_true(pairs_choose(common, texts, PAIRS_TEXTS, ends));
	assert_false(pairs_choose(common, texts, PAIRS_TEXTS + 1, ends));
}

/* Places by literal, as they come. */
struct places {
	uint8_t found[PAIRS_TEXTS][TEXT_MOST];
};

static void places_find(struct teddy *teddy, struct str text, struct places *ret)
{
	static struct teddy_hit hits[2 * TEDDY_STEP];
	size_t at = 0;

	memset(ret, 0, sizeof(*ret));
	while (at < text.len) {
		size_t count = teddy_find(teddy, text, &at, hits, TEDDY_STEP);

		for (size_t i = 0; i < count; i++) {
			if (hits[i].at < text.len)
				ret->found[teddy->literals[hits[i].literal].entry][hits[i].at]++;
		}
	}
}

/* Each place where the four bytes are, once; with fewer before it in the text, others may be. */
static void places_check(const struct places *places, struct str text, const struct str *literals,
    const uint32_t *ends, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = ends[i] + 1 < 4 ? ends[i] + 1 : 4;
		struct str asked = str_slice(literals[i], ends[i] + 1 - len, ends[i] + 1);

		for (size_t at = 4; at < text.len; at++) {
			struct str is = str_slice(text, at + 1 - len, at + 1);

			assert_int_equal(places->found[i][at], str_eq(is, asked));
		}
	}
}

/* In a copy of its own length, in either case of letters; the first four bytes tell nothing. */
static void any_check(struct teddy *teddy, struct str text, const struct places *places,
    size_t count)
{
	char *copy = malloc(text.len + 1);
	struct str is = {copy + 1, text.len};
	bool any = false, near = false, ascii = true, told;
	static struct teddy_hit room[2 * TEDDY_STEP];

	assert_non_null(copy);
	for (size_t i = 0; i < text.len; i++) {
		bool letter = text.ptr[i] >= 'a' && text.ptr[i] <= 'z' && rulebook_random(2) == 0;

		copy[i + 1] = (char)(letter ? text.ptr[i] - 'a' + 'A' : text.ptr[i]);
		ascii &= (uint8_t)text.ptr[i] < 0x80;
		for (size_t k = 0; k < count; k++) {
			any |= i >= 4 && places->found[k][i] > 0;
			near |= i < 4 && places->found[k][i] > 0;
		}
	}
	bool has = teddy_has_any(teddy, is, room, &told);

	assert_true(has == any || (has && near));
	assert_true(has || told == ascii);
	free(copy);
}

/* Few letters, so that pairs are found, and found beside what is not a literal. */
static void text_make(char *text, size_t len)
{
	uint32_t letters = 4 + rulebook_random(9);

	for (size_t i = 0; i < len; i++)
		text[i] = "abc:xyz0123\xC3"[rulebook_random(letters)];
}

static void pairs_of_round(void)
{
	static struct places places;
	char text[TEXT_MOST + TEDDY_PADDING], words[PAIRS_TEXTS][12];
	struct teddy teddy = {.pairs = true};
	struct str literals[PAIRS_TEXTS];
	uint32_t ends[PAIRS_TEXTS];
	size_t count = 1 + rulebook_random(PAIRS_TEXTS);

	memset(common, 0, sizeof(common));
	for (size_t i = 0; i < count; i++) {
		size_t len = 2 + rulebook_random(10);

		for (size_t at = 0; at < len; at++)
			words[i][at] = "abc:"[rulebook_random(4)];
		literals[i] = (struct str){words[i], len};
	}
	if (!pairs_choose(common, literals, count, ends))
		return;
	for (uint32_t i = 0; i < count; i++)
		teddy_add_pair(&teddy, literals[i], ends[i], i);
	teddy_seal(&teddy);
	for (int i = 0; i < 20; i++) {
		size_t len = rulebook_random(TEXT_MOST);

		text_make(text, sizeof(text));
		places_find(&teddy, (struct str){text, len}, &places);
		places_check(&places, (struct str){text, len}, literals, ends, count);
		any_check(&teddy, (struct str){text, len}, &places, count);
	}
}

/* Half of the events are full of all the pairs that the keywords have. */
static void a_flood_hides_nothing(void **state)
{
	static char flood[8000];
	struct arena *arena = arena_new(1u << 20);
	struct ruleset *ruleset = rulebook_load("title: Keywords\nid: keywords\nlogsource:\n"
	    "    product: windows\ndetection:\n    keywords:\n        - 'sekurlsa::logon'\n"
	    "        - 'kerberos::golden'\n    condition: keywords\n");
	struct matcher *matcher = matcher_new(ruleset);
	const uint32_t *matches;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(flood); i++)
		flood[i] = "kerberos::goldesekurlsa::logo"[i % 29];
	for (int i = 0; i < 200; i++) {
		const char *raw = i % 2 == 0 ? flood : i % 3 == 0 ? "a KERBEROS::Golden b" :
		    i % 5 == 0 ? "sekurlsa::logo" : "sekurlsa::LOGON";

		arena_reset(arena);
		struct record *record = rulebook_record(arena, "Image=a", raw);

		record->product = STR("windows");
		assert_int_equal(matcher_run(matcher, record, &matches),
		    i % 2 != 0 && (i % 3 == 0 || i % 5 != 0));
	}
	matcher_free(matcher);
	ruleset_free(ruleset);
	arena_free(arena);
}

static void nothing_is_missed(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++)
		pairs_of_round();
	cpu_limit(CPU_PORTABLE);
	for (int i = 0; i < 300; i++)
		pairs_of_round();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pair_serves_many),
	    cmocka_unit_test(what_is_common_is_not_chosen),
	    cmocka_unit_test(a_flood_hides_nothing),
	    cmocka_unit_test(nothing_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
