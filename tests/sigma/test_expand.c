/*
 * The modifier expand: lists in their three forms, what becomes of a placeholder, what is refused
 * and where; and the rules of SigmaHQ, which need one list.
 */
#include "tests/sigma/unit.h"

#include "sigma/placeholder.h"
#include "sigma/program.h"

#include <sys/stat.h>
#include <unistd.h>

struct list_case {
	const char *file, *text;
	const char *values[6];
};

static const struct list_case lists[] = {
    {"a.txt", "# chú thích\nmột\n\n  hai  # hai\r\nC#\nba bốn\n", {"một", "hai", "C#", "ba bốn"}},
    {"a", "x", {"x"}},
    {"a.b.txt", "\xEF\xBB\xBF" "x\n", {"x"}},
    {"a.csv", "# tên,ghi chú\nmột,1\n\"hai, \"\"2\"\"\",2\r\n\n,trống\nba,\"dòng\nhai\"\nbốn",
	{"một", "hai, \"2\"", "ba", "bốn"}},
    {"a.yml", "# chú thích\n- một\n- 'hai'\n- 3\n", {"một", "hai", "3"}},
    {"a.yaml", "[một, hai]", {"một", "hai"}},
    {"a.yml", "", {NULL}},
    {"a.yml", "[]", {NULL}},
    {"a.txt", "# nothing yet\n", {NULL}},
};

struct folder {
	char path[64], file[128];
};

static void folder_make(struct folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/tocsin-expand-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
}

static const char *folder_write(struct folder *folder, const char *name, const char *text)
{
	snprintf(folder->file, sizeof(folder->file), "%s/%s", folder->path, name);
	FILE *file = fopen(folder->file, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return folder->file;
}

static void folder_remove(const struct folder *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder->path);
	assert_int_equal(system(command), 0);
}

static void lists_are_read_in_three_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		struct arena *arena = arena_new(1 << 24);
		struct placeholders found = {0};
		struct folder folder;
		struct error error = {0};
		size_t count = 0;

		folder_make(&folder);
		const char *path = folder_write(&folder, lists[i].file, lists[i].text);

		if (placeholder_load(&found, arena, path, &error) != 0)
			fail_msg("%s: %s", lists[i].text, error.text);
		const struct placeholder *list = placeholder_find(
		    &found, str_starts(str_of(lists[i].file), STR("a.b")) ? STR("a.b") : STR("a"));

		assert_non_null(list);
		for (; count < 6 && lists[i].values[count] != NULL; count++) {
			assert_true(count < list->count);
			if (!str_eq(list->values[count], str_of(lists[i].values[count])))
				fail_msg("'%.*s', expected '%s'", STR_ARG(list->values[count]),
				    lists[i].values[count]);
		}
		assert_int_equal(list->count, count);
		folder_remove(&folder);
		arena_free(arena);
	}
}

static void wrong_lists_are_refused_with_a_position(void **state)
{
	static const struct {
		const char *file, *text;
		unsigned line, column;
		const char *words;
	} cases[] = {
	    {"a.yml", "a: b\n", 1, 1, "expected one list"},
	    {"a.yml", "- a\n- [b]\n", 2, 3, "expected one list"},
	    {"a.yml", "- a\n- null\n", 2, 3, "expected one list"},
	    {"a.yml", "- a\n---\n- b\n", 1, 1, "expected one list"},
	    {"a.yml", "- [a\n", 2, 1, ""},
	    {"a.csv", "a,b\n\"c\n", 2, 1, "quotes of this field do not end"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct arena *arena = arena_new(1 << 24);
		struct placeholders found = {0};
		struct folder folder;
		struct error error = {0};

		folder_make(&folder);
		const char *path = folder_write(&folder, cases[i].file, cases[i].text);

		assert_int_equal(placeholder_load(&found, arena, path, &error), ERR_DOCUMENT);
		assert_int_equal(found.count, 0);
		assert_string_equal(error.file, path);
		if (error.line != cases[i].line || error.column != cases[i].column ||
		    strstr(error.text, cases[i].words) == NULL)
			fail_msg(
			    "%s: %u:%u %s", cases[i].text, error.line, error.column, error.text);
		folder_remove(&folder);
		arena_free(arena);
	}
}

static void refused(void *context, const struct error *error)
{
	struct refusals *refusals = context;

	if (refusals->count++ == 0)
		refusals->first = *error;
}

/* A rule of that detection beside the lists of the folder. */
static struct ruleset *load_beside(const struct folder *folder, const char *detection,
    struct refusals *refusals)
{
	const char *paths[] = {folder->path};
	struct ruleset_options options = {
	    .lists = paths, .list_count = 1, .refused = refused, .context = refusals};
	struct ruleset *ruleset = NULL;
	struct error error = {0};
	char text[2048];

	memset(refusals, 0, sizeof(*refusals));
	int code = ruleset_load_text(&ruleset, str_of(rule_around(detection, text, sizeof(text))),
	    "quy-tac.yml", &options, &error);

	if (code != 0)
		fail_msg("%s", error.text);
	return ruleset;
}

#define ITEM(item) "    sel:\n        " item "\n    condition: sel\n"

struct same_case {
	const char *expanded, *written;
};

/* A placeholder means what one would write without it. */
static const struct same_case sames[] = {
    {ITEM("A|expand: '%two%'"), ITEM("A: [một, hai]")},
    {ITEM("A|contains|expand: '%two%'"), ITEM("A|contains: [một, hai]")},
    {ITEM("A|expand|contains: '%two%'"), ITEM("A|contains: [một, hai]")},
    {ITEM("A|startswith|cased|expand: '%two%'"), ITEM("A|startswith|cased: [một, hai]")},
    {ITEM("A|expand: 'x%two%*y'"), ITEM("A: ['xmột*y', 'xhai*y']")},
    {ITEM("A|expand: '%two%-%pair%'"), ITEM("A: [một-1, một-2, hai-1, hai-2]")},
    {ITEM("A|expand: '\\%two\\%'"), ITEM("A: '%two%'")},
    {ITEM("A|expand: '100\\%'"), ITEM("A: '100%'")},
    {ITEM("A|contains|expand: '100\\%'"), ITEM("A|contains: '100%'")},
    {ITEM("A|expand: 'C:\\\\%two%'"), ITEM("A: ['C:\\\\một', 'C:\\\\hai']")},
    {ITEM("A|expand: '%wild%'"), ITEM("A: ['\\*.example', 'a\\?', '\\\\\\\\x']")},
    {ITEM("A|expand|cidr: '%nets%'"), ITEM("A|cidr: [192.0.2.0/24, 2001:db8::/32]")},
    {ITEM("A|expand|gt: '%pair%'"), ITEM("A|gt: [1, 2]")},
    {ITEM("A|expand|base64: '%two%'"), ITEM("A|base64: [một, hai]")},
    {ITEM("A|expand: 5"), ITEM("A: 5")},
    {ITEM("A|neq|expand: '%two%'"), ITEM("A|neq: [một, hai]")},
};

static void folder_fill(struct folder *folder)
{
	folder_make(folder);
	folder_write(folder, "two.txt", "một\nhai\n");
	folder_write(folder, "pair.yml", "[1, 2]\n");
	folder_write(folder, "wild.csv", "*.example\na?\n\\\\x\n");
	folder_write(folder, "nets", "192.0.2.0/24 # nhà\n2001:db8::/32\n");
	folder_write(folder, "none", "");
}

static struct hash128 hash_of(const struct folder *folder, const char *detection)
{
	struct refusals refusals;
	struct ruleset *ruleset = load_beside(folder, detection, &refusals);

	if (refusals.count > 0)
		fail_msg("%u:%u: %s in\n%s", refusals.first.line, refusals.first.column,
		    refusals.first.text, detection);
	struct hash128 hash = ruleset_rule(ruleset, 0)->meta.hash;

	ruleset_free(ruleset);
	return hash;
}

static void placeholders_mean_their_values(void **state)
{
	struct folder folder;

	(void)state;
	folder_fill(&folder);
	for (size_t i = 0; i < COUNT_OF(sames); i++) {
		if (!hash128_eq(hash_of(&folder, sames[i].expanded),
		        hash_of(&folder, sames[i].written)))
			fail_msg("%s\n%s", sames[i].expanded, sames[i].written);
	}
	folder_remove(&folder);
}

static const struct {
	const char *detection;
	unsigned line, column;
	const char *words;
} refusals_of[] = {
    {ITEM("A|expand: '%three%'"), 8, 19, "no list 'three'"},
    {ITEM("A|expand: ['%two%', '%three%']"), 8, 29, "no list 'three'"},
    {ITEM("'|expand': '%DC-NAME.x%'"), 8, 20, "no list 'DC-NAME.x'"},
    {ITEM("A|expand: '50%'"), 8, 19, "a '%' begins no %name%"},
    {ITEM("A|expand: '%a b%'"), 8, 19, "write '\\%'"},
    {ITEM("A|expand: '%%'"), 8, 19, "begins no"},
    {ITEM("A|base64|expand: '%two%'"), 8, 26, "'expand' cannot"},
    {ITEM("A|windash|expand: '%two%'"), 8, 27, "'expand' cannot"},
    {ITEM("A|re|expand: '%two%'"), 8, 22, "'expand' cannot"},
    {ITEM("A|expand: null"), 8, 19, "'expand' cannot"},
    {ITEM("A|cidr|expand: '%nets%'"), 8, 24, "expected a network"},
    {ITEM("A|expand|cidr: '%two%'"), 8, 24, "expected a network"},
    {ITEM("A|expand|cidr: 'x%nets%'"), 8, 24, "'cidr' cannot"},
    {ITEM("A|expand: '%big%%big%'"), 8, 19, "more than 250000 expanded"},
    {ITEM("A|expand: '%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%%two%'"),
	8, 19, "more than 16 pieces"},
};

static void wrong_placeholders_are_refused_with_a_position(void **state)
{
	struct folder folder;
	struct buf big = BUF(1 << 20);

	(void)state;
	folder_fill(&folder);
	for (size_t i = 0; i < 1000; i++)
		buf_printf(&big, "v%zu\n", i);
	buf_char(&big, '\0');
	folder_write(&folder, "big", big.ptr);
	buf_free(&big);
	for (size_t i = 0; i < COUNT_OF(refusals_of); i++) {
		struct refusals refusals;

		ruleset_free(load_beside(&folder, refusals_of[i].detection, &refusals));
		if (refusals.count != 1 || refusals.first.line != refusals_of[i].line ||
		    refusals.first.column != refusals_of[i].column ||
		    strstr(refusals.first.text, refusals_of[i].words) == NULL)
			fail_msg("%zu refusals, %u:%u %s in\n%s", refusals.count,
			    refusals.first.line, refusals.first.column, refusals.first.text,
			    refusals_of[i].detection);
	}
	folder_remove(&folder);
}

/* Whoever has not yet filled a list has rules that wait, not rules that fail. */
static void an_empty_list_holds_for_nothing(void **state)
{
	struct folder folder;
	struct refusals refusals;

	(void)state;
	folder_fill(&folder);
	struct ruleset *ruleset = load_beside(&folder, ITEM("A|expand: '%none%'"), &refusals);

	assert_int_equal(refusals.count, 0);
	assert_int_equal(ruleset_program(ruleset)->rules[0]->kind, EXPRESSION_OR);
	assert_int_equal(ruleset_program(ruleset)->rules[0]->count, 0);
	ruleset_free(ruleset);
	folder_remove(&folder);
}

static void a_wrong_list_is_refused_and_what_needs_it(void **state)
{
	struct folder folder;
	struct refusals refusals;

	(void)state;
	folder_fill(&folder);
	folder_write(&folder, "two.csv", "x\n"); /* two.txt comes later */
	struct ruleset *ruleset = load_beside(&folder, ITEM("A|expand: '%two%'"), &refusals);

	assert_int_equal(refusals.count, 1);
	assert_non_null(strstr(refusals.first.text, "the list 'two' is already in"));
	assert_int_equal(ruleset_count(ruleset), 1);
	ruleset_free(ruleset);
	folder_write(&folder, "three.yml", "- {a: b}\n");
	ruleset = load_beside(&folder, ITEM("A|expand: '%three%'"), &refusals);
	assert_int_equal(refusals.count, 3);
	assert_int_equal(ruleset_count(ruleset), 0);
	ruleset_free(ruleset);
	folder_remove(&folder);
}

/* A reload reads the lists again, and what has changed is another rule. */
static void a_changed_list_makes_another_rule(void **state)
{
	struct folder folder;

	(void)state;
	folder_fill(&folder);
	struct hash128 before = hash_of(&folder, ITEM("A|expand: '%two%'"));

	folder_write(&folder, "pair.yml", "[3]\n");
	assert_true(hash128_eq(hash_of(&folder, ITEM("A|expand: '%two%'")), before));
	folder_write(&folder, "two.txt", "hai\nmột # as before, in another order\n");
	assert_true(hash128_eq(hash_of(&folder, ITEM("A|expand: '%two%'")), before));
	folder_write(&folder, "two.txt", "một\nhai\nba\n");
	assert_false(hash128_eq(hash_of(&folder, ITEM("A|expand: '%two%'")), before));
	folder_remove(&folder);
}

static void lists_that_are_not_there_load_nothing(void **state)
{
	static const char *const paths[] = {"/nonexistent/tocsin-lists"};
	struct ruleset_options options = {.lists = paths, .list_count = 1};
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	(void)state;
	assert_true(ruleset_load_text(&ruleset, STR(""), "x", &options, &error) < 0);
	assert_null(ruleset);
}

struct tally {
	size_t refused, expand;
};

static void tally_refused(void *context, const struct error *error)
{
	struct tally *tally = context;

	tally->refused++;
	tally->expand += strstr(error->text, "no list 'known_cdcs'") != NULL && error->line > 1;
}

static size_t sigmahq_count(const struct folder *folder, const char *known, struct tally *tally)
{
	static const char *const parts[] = {
	    "rules", "rules-emerging-threats", "rules-threat-hunting", "rules-compliance"};
	char paths[4][128];
	const char *list[4];
	struct ruleset_options options = {.paths = list, .path_count = 4, .lists = &known,
	    .list_count = known == NULL ? 0 : 1, .refused = tally_refused, .context = tally};
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	*tally = (struct tally){0};
	for (size_t i = 0; i < 4; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder->path, parts[i]);
		list[i] = paths[i];
	}
	if (ruleset_load(&ruleset, &options, &error) != 0)
		fail_msg("%s", error.text);
	size_t count = ruleset_count(ruleset);

	ruleset_free(ruleset);
	return count;
}

/* All active rules, but for the two that need a list nobody has given. */
static void every_active_sigmahq_rule_loads(void **state)
{
	const char *corpora = getenv("TOCSIN_CORPORA");
	char archive[512], command[1024];
	struct folder folder;
	struct tally tally;

	(void)state;
	snprintf(archive, sizeof(archive), "%s/sigmahq-rules.tar.gz",
	    corpora == NULL ? "../shared/corpora" : corpora);
	if (access(archive, R_OK) != 0) {
		fprintf(stderr, "skipped: %s is not there\n", archive);
		skip();
	}
	folder_make(&folder);
	snprintf(command, sizeof(command), "tar -xzf '%s' -C '%s'", archive, folder.path);
	assert_int_equal(system(command), 0);
	assert_int_equal(sigmahq_count(&folder, NULL, &tally), 3755);
	assert_int_equal(tally.refused, 2);
	assert_int_equal(tally.expand, 2);
	const char *list = folder_write(&folder, "known_cdcs.txt", "dc01.example.com\n");

	assert_int_equal(sigmahq_count(&folder, list, &tally), 3757);
	assert_int_equal(tally.refused, 0);
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_are_read_in_three_forms),
	    cmocka_unit_test(wrong_lists_are_refused_with_a_position),
	    cmocka_unit_test(placeholders_mean_their_values),
	    cmocka_unit_test(wrong_placeholders_are_refused_with_a_position),
	    cmocka_unit_test(an_empty_list_holds_for_nothing),
	    cmocka_unit_test(a_wrong_list_is_refused_and_what_needs_it),
	    cmocka_unit_test(a_changed_list_makes_another_rule),
	    cmocka_unit_test(lists_that_are_not_there_load_nothing),
	    cmocka_unit_test(every_active_sigmahq_rule_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
