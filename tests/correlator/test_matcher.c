/*
 * The index against the plain evaluator: equal match sets on made-up events, on real ones, and both
 * equal to the labels that an independent evaluator gave.
 */
#include "tests/correlator/rulebook.h"

#include "base/cpu.h"
#include "correlator/warming.h"
#include "decoder/decoder.h"

#include <ftw.h>
#include <unistd.h>

/* A generator whose results are the same for ever. */
static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(*state >> 8) * below >> 24);
}

static const char *const pieces[] = {"a", "ab", "abc", "powershell", "-enc", "C:\\", "(abcd)?x",
    "[ab]abc", "aaab+", "\\cmd.exe", "Lai Châu", "LAI CHÂU", "x", "", "4625", "192.0.2.7", "aaaa",
    "aaab", "mimikatz", "Z", "\\temp\\"};
static const char *const modifiers[] = {"", "|contains", "|startswith", "|endswith", "|cased",
    "|contains|cased", "|re", "|contains|windash", "|endswith|cased", "|neq", "|contains|all",
    "|startswith|cased", "|re|i"};
static const char *const conditions[] = {"a and b", "a or b", "not a", "a and not b", "1 of a*",
    "all of them", "2 of them", "not (a and b)", "(a or b) and not c", "c", "k", "k and a", "a"};

static void text_draw(uint32_t *state, char *out, size_t size)
{
	out[0] = '\0';
	for (uint32_t n = draw(state, 3) + 1; n > 0; n--) {
		const char *piece = pieces[draw(state, RULEBOOK_COUNT(pieces))];

		strncat(out, piece, size - strlen(out) - 1);
	}
}

static void item_draw(uint32_t *state, const char *name, char *out, size_t size)
{
	const char *modifier = modifiers[draw(state, RULEBOOK_COUNT(modifiers))];
	char value[2][128], list[300];
	bool regex = strstr(modifier, "re") != NULL;

	for (int i = 0; i < 2; i++) {
		text_draw(state, value[i], sizeof(value[i]));
		/* In an expression a backslash needs another; plain texts may get a wildcard. */
		for (char *at = value[i]; regex && *at != '\0'; at++)
			*at = *at == '\\' ? '.' : *at;
		if (!regex && draw(state, 4) == 0)
			strcat(value[i], draw(state, 2) == 0 ? "*x" : "?");
	}
	snprintf(list, sizeof(list), "['%s', '%s']", value[0], value[1]);
	snprintf(out, size, "%s: {F%u%s: %s}", name, draw(state, 3), modifier, list);
}

static struct ruleset *rules_draw(uint32_t *state, unsigned count)
{
	static char text[65536];
	size_t len = 0;

	for (unsigned i = 0; i < count; i++) {
		char items[3][400], keyword[128];

		item_draw(state, "a", items[0], sizeof(items[0]));
		item_draw(state, "ab", items[1], sizeof(items[1]));
		item_draw(state, "c", items[2], sizeof(items[2]));
		text_draw(state, keyword, sizeof(keyword));
		const char *condition = conditions[draw(state, RULEBOOK_COUNT(conditions))];

		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "---\ntitle: r\nid: r%u\nlogsource: {product: thu}\ndetection: {%s, %s, %s, b: {F1: "
		    "null}, k: ['%s'], condition: %s}\n",
		    i, items[0], items[1], items[2], keyword, condition);
		assert_true(len < sizeof(text));
	}
	return rulebook_load(text);
}

static struct record *record_draw(uint32_t *state, struct arena *arena)
{
	char fields[1024] = "", value[256];

	for (uint32_t n = draw(state, 5); n > 0; n--) {
		char name[8];

		snprintf(
		    name, sizeof(name), "%sF%u", draw(state, 8) == 0 ? "!" : "", draw(state, 3));
		text_draw(state, value, sizeof(value));
		strcat(strcat(strcat(strcat(fields, name), "="), value), "\n");
	}
	char *kept = arena_cstr(arena, str_of(fields));

	return rulebook_record(arena, kept, draw(state, 2) == 0 ? "" : kept);
}

static bool same_matches(struct matcher *matcher, const struct record *record, size_t *ret_count)
{
	static uint32_t indexed[8192];
	const uint32_t *matches;
	size_t count = matcher_run(matcher, record, &matches);

	assert_true(count <= RULEBOOK_COUNT(indexed));
	memcpy(indexed, matches, count * sizeof(*indexed));
	size_t plain = matcher_run_plain(matcher, record, &matches);

	*ret_count = count;
	return plain == count && memcmp(indexed, matches, count * sizeof(*indexed)) == 0;
}

static void the_index_loses_and_adds_nothing(void **state)
{
	struct arena *arena = arena_new(1 << 22);
	size_t total = 0, runs = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++) {
		uint32_t random = seed;
		struct ruleset *ruleset = rules_draw(&random, 40);
		struct matcher *matcher = matcher_new(ruleset);

		/* Now and then for so long that the index is made anew, from what was seen. */
		for (unsigned i = 0; i < (seed % 10 == 0 ? 300u : 100u); i++, runs++) {
			size_t count;
			struct record *record = record_draw(&random, arena);

			if (!same_matches(matcher, record, &count))
				fail_msg("seed %u, event %u", seed, i);
			total += count;
			arena_reset(arena);
		}
		struct matcher_stats stats;

		matcher_stats(matcher, &stats);
		assert_true(seed % 10 != 0 || stats.indexes_made > stats.classes);
		matcher_free(matcher);
		ruleset_free(ruleset);
	}
	print_message("# %zu matches in %zu made-up events\n", total, runs);
	assert_true(total > 1000 && total < runs * 40);
	arena_free(arena);
}

static int entry_remove(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
	(void)status;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static bool corpus_path(const char *name, char *out, size_t size)
{
	const char *folder = getenv("TOCSIN_CORPORA");

	snprintf(out, size, "%s/%s", folder == NULL ? "../shared/corpora" : folder, name);
	if (access(out, R_OK) == 0)
		return true;
	fprintf(stderr, "skipped: %s is not there\n", out);
	return false;
}

static void refusal_print(void *context, const struct error *error)
{
	char text[1200];

	(void)context;
	print_message("# refused: %s\n", error_format(error, text, sizeof(text)));
}

/* The active rules of SigmaHQ, unpacked into folder. */
static struct ruleset *sigmahq_load(const char *archive, const char *folder)
{
	static const char *const parts[] = {
	    "rules", "rules-emerging-threats", "rules-threat-hunting", "rules-compliance"};
	char paths[4][256], command[1024];
	const char *list[4];
	struct ruleset_options options = {.paths = list, .path_count = 4, .refused = refusal_print};
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	snprintf(command, sizeof(command), "tar -xzf '%s' -C '%s'", archive, folder);
	assert_int_equal(system(command), 0);
	for (int i = 0; i < 4; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, parts[i]);
		list[i] = paths[i];
	}
	assert_int_equal(ruleset_load(&ruleset, &options, &error), 0);
	return ruleset;
}

struct labelled {
	struct str ids, event;
};

/* {"matches": [...], "event": {...}} */
static bool label_split(struct str line, struct labelled *ret)
{
	static const char mark[] = "\"event\": ";
	size_t at = str_find(line, STR(mark));

	if (at == STR_NOT_FOUND)
		return false;
	ret->ids = str_slice(line, 0, at);
	ret->event = str_slice(line, at + sizeof(mark) - 1, line.len - 1);
	return true;
}

static size_t label_count(struct str ids)
{
	size_t quotes = 0;

	for (size_t i = 0; i < ids.len; i++)
		quotes += ids.ptr[i] == '"';
	return quotes / 2 - 1; /* one pair is the key's */
}

struct score {
	size_t events, expected, found, extra, compared;
};

static void line_score(struct matcher *matcher, const struct ruleset *ruleset, struct str line,
    struct arena *arena, struct score *score)
{
	struct labelled labelled;
	const uint32_t *matches;
	struct record record;

	if (!label_split(line, &labelled))
		return;
	struct event event = {.raw = labelled.event};

	arena_reset(arena);
	decoder_run(&record, &event, arena);
	size_t count = matcher_run(matcher, &record, &matches);

	score->expected += label_count(labelled.ids);
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = ruleset_rule(ruleset, matches[i]);

		if (str_find(labelled.ids, rule->meta.id) != STR_NOT_FOUND)
			score->found++;
		else
			score->extra++;
	}
	/* The plain evaluator takes milliseconds an event. */
	if (score->events++ % 10 == 0) {
		score->compared++;
		assert_true(same_matches(matcher, &record, &count));
	}
}

/* Every stride-th event of a corpus without labels: the index against the plain evaluator. */
static void corpus_compare(struct matcher *matcher, struct arena *arena, const char *name,
    size_t stride)
{
	char path[512], command[600];
	size_t at = 0, compared = 0, matches = 0, capacity = 0, count;
	char *line = NULL;
	ssize_t len;

	if (!corpus_path(name, path, sizeof(path)))
		return;
	snprintf(command, sizeof(command), "gzip -dc '%s'", path);
	FILE *file = popen(command, "r");

	assert_non_null(file);
	while ((len = getline(&line, &capacity, file)) > 0) {
		struct event event = {.raw = str_trim(str_from(line, (size_t)len))};
		const uint32_t *rules;
		struct record record;

		/* Most are only run, so that the index learns; it is then made again. */
		if (++at % 3 != 0)
			continue;
		arena_reset(arena);
		decoder_run(&record, &event, arena);
		if (at % stride != 0) {
			(void)matcher_run(matcher, &record, &rules);
			continue;
		}
		assert_true(same_matches(matcher, &record, &count));
		matches += count;
		compared++;
	}
	assert_int_equal(pclose(file), 0);
	free(line);
	print_message("# %s: %zu events compared, %zu matches\n", name, compared, matches);
	assert_true(compared > 10);
}

static void labels_check(struct matcher *matcher, struct ruleset *ruleset, struct arena *arena,
    const char *events)
{
	struct score score = {0};
	char command[600], *line = NULL;
	size_t capacity = 0;
	ssize_t len;

	snprintf(command, sizeof(command), "gzip -dc '%s'", events);
	FILE *file = popen(command, "r");

	assert_non_null(file);
	while ((len = getline(&line, &capacity, file)) > 0)
		line_score(matcher, ruleset, str_trim(str_from(line, (size_t)len)), arena, &score);
	assert_int_equal(pclose(file), 0);
	free(line);
	print_message("# %zu events, %zu of %zu labelled matches found, %zu others, %zu compared\n",
	    score.events, score.found, score.expected, score.extra, score.compared);
	assert_true(score.events > 3000);
	assert_int_equal(score.found, score.expected);
	assert_int_equal(score.extra, 0);
}

static void real_events_match_as_labelled(void **state)
{
	char rules[512], events[512];
	char folder[] = "/tmp/tocsin-matcher-XXXXXX";

	(void)state;
	if (!corpus_path("sigmahq-rules.tar.gz", rules, sizeof(rules)) ||
	    !corpus_path("windows-events-labelled.ndjson.gz", events, sizeof(events)))
		skip();
	assert_non_null(mkdtemp(folder));
	struct ruleset *ruleset = sigmahq_load(rules, folder);
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 24);
	struct matcher_stats stats;

	nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	print_message("# %zu rules loaded, %zu refused\n", ruleset_count(ruleset),
	    ruleset_refused(ruleset));
	assert_true(ruleset_count(ruleset) >= 3755); /* the two that are left need "expand" */
	assert_true(warming_run(matcher, ruleset));
	labels_check(matcher, ruleset, arena, events);
	corpus_compare(matcher, arena, "windows-events-bench.ndjson.gz", 999);
	corpus_compare(matcher, arena, "mixed-events-bench.ndjson.gz", 999);
	labels_check(matcher, ruleset, arena, events);
	matcher_stats(matcher, &stats);
	print_message("# %lu indexes made for %lu classes, %lu bytes of tables and %lu of studies\n",
	    stats.indexes_made, stats.classes, stats.table_bytes, stats.study_bytes);
	assert_true(stats.table_bytes < (size_t)32 << 20);
	matcher_free(matcher);
	ruleset_free(ruleset);
	arena_free(arena);
}

/*
 * Keywords are looked for in the raw line as it is, and in values that lie one behind the other as
 * in one text: a word that goes from one into the next is in none, and what folds to ASCII is met.
 */
static void keywords_are_met_where_they_are(void **state)
{
	static const struct {
		const char *raw, *values[3];
		bool matches;
	} rows[] = {
	    {"a long line in front of it, longer than a block: lodgekey::golden", {"x"}, true},
	    {"nothing", {"a value that has lodgekey::GOLDEN in it", "y"}, true},
	    {"nothing", {"one that ends in lodgekey", "::golden and goes on"}, false},
	    {"nothing", {"lodge", "key::gold", "en"}, false},
	    {"nothing", {"lodgekey::gold", "lodgekey::golden", "en"}, true},
	    {"lodge\xE2\x84\xAA" "ey::golden", {"x"}, true},
	    {"th\xE1\xBA\xBF", {"lodge\xE2\x84\xAA" "ey::golden"}, true},
	    {"th\xE1\xBA\xBF", {"\xC5\xBF" "econd::", "lodgekey::golden"}, true},
	    {"th\xE1\xBA\xBF \xE2\x84\xAA", {"lodgekey::", "golden"}, false},
	};
	struct ruleset *ruleset = rulebook_load("title: t\nid: r\nlogsource: {product: thu}\n"
	    "detection: {a: ['lodgekey::golden', 'another::word'], condition: a}\n");
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(rows); i++) {
		struct record *record = rulebook_record(arena, "", rows[i].raw);
		char room[256];
		size_t used = 0, count;

		for (size_t k = 0; k < 3 && rows[i].values[k] != NULL; k++) {
			struct str value = str_of(rows[i].values[k]);

			memcpy(room + used, value.ptr, value.len);
			record_put_named(record, STR("F"), FIELD_STRING,
			    (struct str){room + used, value.len});
			used += value.len;
		}
		assert_true(same_matches(matcher, record, &count));
		if ((count == 1) != rows[i].matches)
			fail_msg("row %zu", i);
		arena_reset(arena);
	}
	matcher_free(matcher);
	ruleset_free(ruleset);
	arena_free(arena);
}

/* ---- what one event may cost ---- */

#define CROWD 2000u

/* Rules that have nothing in common but the field: two texts each, of which an event has one. */
static struct ruleset *crowd_load(unsigned count)
{
	struct buf text = BUF((size_t)64 << 20);

	for (unsigned i = 0; i < count; i++)
		buf_printf(&text, "---\ntitle: t\nid: r%u\nlogsource: {product: thu}\ndetection: {a: "
		    "{F|contains|all: ['left-%05u-side', 'right-%05u-side'], G: x%u}, condition: a}\n",
		    i, i * 7919 % 99991, i * 104729 % 99991, i);
	buf_char(&text, '\0');
	struct ruleset *ruleset = rulebook_load(text.ptr);

	buf_free(&text);
	return ruleset;
}

/* Every left text of the crowd, or both of every third rule; then filling up to len bytes. */
static char *crowd_line(struct arena *arena, bool both, size_t len)
{
	struct buf text = BUF((size_t)8 << 20);

	buf_printf(&text, "F=");
	for (unsigned i = 0; i < CROWD; i++) {
		buf_printf(&text, "left-%05u-side ", i * 7919 % 99991);
		if (both && i % 3 == 0)
			buf_printf(&text, "right-%05u-side ", i * 104729 % 99991);
	}
	while (text.len < len)
		buf_printf(&text, "right-side left-side ");
	buf_char(&text, '\n');
	for (unsigned i = 0; i < CROWD; i += 2)
		buf_printf(&text, "G=x%u\n", i);
	char *line = arena_cstr(arena, buf_str(&text));

	buf_free(&text);
	return line;
}

/*
 * C13: a stranger who knows all rules makes every one a candidate, in a value of a megabyte. What
 * is compared stays bounded, which is counted, and nothing that matches is lost.
 */
static void a_hostile_event_asks_for_a_bounded_amount(void **state)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct ruleset *ruleset = crowd_load(CROWD);
	struct matcher *matcher = matcher_new(ruleset);
	struct record *record =
	    rulebook_record(arena, crowd_line(arena, true, (size_t)1 << 20), "");
	struct matcher_stats before, after;
	const uint32_t *matches;

	(void)state;
	matcher_stats(matcher, &before);
	size_t count = matcher_run(matcher, record, &matches);

	matcher_stats(matcher, &after);
	assert_int_equal(after.over_budget - before.over_budget, 1);
	assert_true(after.predicates - before.predicates < 40);
	assert_int_equal(count, CROWD / 6 + 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(matches[i], i * 6);
	/* The index of all texts stays, and the next ordinary event does not ask for it. */
	record = rulebook_record(arena, "F=left-00000-side right-00000-side\nG=x0\n", "");
	assert_int_equal(matcher_run(matcher, record, &matches), 1);
	matcher_stats(matcher, &after);
	assert_int_equal(after.over_budget - before.over_budget, 1);
	matcher_free(matcher);
	ruleset_free(ruleset);
	arena_free(arena);
}

/* Candidates and tests an event, over events of which a few match. */
static double crowd_cost(unsigned count)
{
	struct arena *arena = arena_new((size_t)4 << 20);
	struct ruleset *ruleset = crowd_load(count);
	struct matcher *matcher = matcher_new(ruleset);
	struct matcher_stats stats;
	const uint32_t *matches;
	char line[256];
	size_t found = 0;

	for (unsigned i = 0; i < 500; i++) {
		unsigned rule = i * 31 % 100;

		snprintf(line, sizeof(line), "F=left-%05u-side and right-%05u-side of %u\nG=x%u\n",
		    rule * 7919 % 99991, (rule + i % 2) * 104729 % 99991, i, rule);
		found += matcher_run(matcher, rulebook_record(arena, line, ""), &matches);
		arena_reset(arena);
	}
	assert_int_equal(found, 250);
	matcher_stats(matcher, &stats);
	matcher_free(matcher);
	ruleset_free(ruleset);
	arena_free(arena);
	return (double)(stats.candidates + stats.predicates) / 500;
}

/* C12: what an event costs depends on what it is, and hardly on how many rules there are. */
static void the_cost_does_not_grow_with_the_rules(void **state)
{
	double few = crowd_cost(100), many = crowd_cost(1000), most = crowd_cost(10000);

	(void)state;
	print_message("# candidates and tests an event: %.2f of 100 rules, %.2f of 1,000, %.2f of "
	              "10,000\n", few, many, most);
	assert_true(few > 0 && many < 2 * few && most < 2 * few);
}

/* The last of all: afterwards the loops for better machines are not taken any more. */
static void the_plain_loops_find_the_same(void **state)
{
	if (cpu_level() == CPU_PORTABLE)
		skip();
	cpu_limit(CPU_PORTABLE);
	the_index_loses_and_adds_nothing(state);
	keywords_are_met_where_they_are(state);
	a_hostile_event_asks_for_a_bounded_amount(state);
	real_events_match_as_labelled(state);
}

/* ---- main ---- */

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_index_loses_and_adds_nothing),
	    cmocka_unit_test(keywords_are_met_where_they_are),
	    cmocka_unit_test(a_hostile_event_asks_for_a_bounded_amount),
	    cmocka_unit_test(the_cost_does_not_grow_with_the_rules),
	    cmocka_unit_test(real_events_match_as_labelled),
	    cmocka_unit_test(the_plain_loops_find_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
