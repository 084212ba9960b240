/*
 * What a loaded rule carries, how rules refer to each other, what names a compiled form, and that
 * running out of memory anywhere is an error and no more.
 */
#include "tests/sigma/unit.h"

#include "base/file.h"
#include "sigma/modifier.h"
#include "sigma/program.h"

#include <sys/stat.h>
#include <unistd.h>

static const char whole[] =
    "title: Đăng nhập thất bại\n"
    "id: 6f7a1c1e-0000-4000-8000-000000000001\n"
    "name: login_failed\n"
    "status: stable\n"
    "description: |\n"
    "    Sai mật khẩu.\n"
    "author: [An, Bình]\n"
    "tags: [attack.credential-access, attack.t1110]\n"
    "falsepositives: [Quên mật khẩu]\n"
    "level: low\n"
    "custom_key: {a: [b]}\n"
    "logsource: {product: linux, service: sshd, definition: x, custom: y}\n"
    "detection:\n"
    "    sel: {action: failed, User|re: '^r.*t$'}\n"
    "    condition: sel\n"
    "tocsin:\n"
    "    title_vi: Đăng nhập sai\n"
    "    advice: Look at the source.\n"
    "    advice_vi: Xem địa chỉ nguồn.\n"
    "    entity: [host, src_ip]\n"
    "    fold: 90m\n"
    "    examples:\n"
    "        - name: one line\n"
    "          fires: true\n"
    "          received: 2026-01-31T08:30:00+07:00\n"
    "          lines: [Failed password for root from 192.0.2.7 port 22 ssh2]\n"
    "        - name: a block\n"
    "          fires: false\n"
    "          received: 2026-01-31T01:30:00.5Z\n"
    "          lines: |\n"
    "            first\n"
    "\n"
    "            third\n"
    "---\n"
    "title: Dò mật khẩu\n"
    "id: brute\n"
    "level: high\n"
    "correlation:\n"
    "    type: event_count\n"
    "    rules: [login_failed]\n"
    "    group-by: [src_ip, host]\n"
    "    timespan: 2m\n"
    "    condition: {gt: 4, gte: 3}\n"
    "tocsin: {suppress: {for: 90s, by: [src_ip, host]}}\n"
    "---\n"
    "title: Thành công\n"
    "id: ok\n"
    "logsource: {product: linux}\n"
    "detection: {sel: {action: accepted}, condition: sel}\n"
    "---\n"
    "title: Dò được\n"
    "id: breach\n"
    "correlation:\n"
    "    type: temporal_ordered\n"
    "    rules: [brute, ok]\n"
    "    group-by: [ip]\n"
    "    timespan: 1h\n"
    "    aliases: {ip: {brute: src_ip, ok: from_ip}}\n"
    "    generate: true\n"
    "---\n"
    "title: Nhiều người\n"
    "id: spray\n"
    "correlation:\n"
    "    type: value_count\n"
    "    rules: [6f7a1c1e-0000-4000-8000-000000000001]\n"
    "    timespan: 1d\n"
    "    condition: {field: User, gte: 10}\n"
    "tocsin: {fold: 0}\n";

static void a_rule_carries_its_metadata(void **state)
{
	struct ruleset *ruleset = load_text(whole, NULL);
	const struct rule *rule = ruleset_find(ruleset, STR("login_failed"));

	(void)state;
	assert_non_null(rule);
	assert_ptr_equal(rule, ruleset_find(ruleset, STR("6f7a1c1e-0000-4000-8000-000000000001")));
	assert_int_equal(ruleset_count(ruleset), 5);
	assert_int_equal(rule->kind, RULE_PLAIN);
	assert_true(str_eq(rule->meta.title, STR("Đăng nhập thất bại")));
	assert_true(str_eq(rule->meta.author, STR("An, Bình")));
	assert_true(str_eq(rule->meta.status, STR("stable")));
	assert_true(str_eq(rule->meta.description, STR("Sai mật khẩu.\n")));
	assert_true(str_eq(rule->meta.kind, STR("rule")));
	assert_int_equal(rule->meta.level, LEVEL_LOW);
	assert_int_equal(rule->meta.tag_count, 2);
	assert_true(str_eq(rule->meta.tags[1], STR("attack.t1110")));
	assert_int_equal(rule->meta.falsepositive_count, 1);
	assert_true(str_eq(rule->product, STR("linux")) && str_eq(rule->service, STR("sshd")));
	assert_int_equal(rule->category.len, 0);
	assert_true(str_eq(rule->meta.title_vi, STR("Đăng nhập sai")));
	assert_true(str_eq(rule->meta.advice_vi, STR("Xem địa chỉ nguồn.")));
	assert_int_equal(rule->entity_count, 2);
	assert_int_equal(rule->fold_ns, INT64_C(5400) * 1000000000);
	assert_int_equal(rule->line, 1);
	assert_string_equal(rule->file.ptr, "quy-tac.yml");
	assert_int_equal(ruleset_find(ruleset, STR("ok"))->fold_ns, RULE_DEFAULT_FOLD);
	assert_int_equal(ruleset_find(ruleset, STR("ok"))->meta.level, LEVEL_MEDIUM);
	assert_int_equal(ruleset_find(ruleset, STR("spray"))->fold_ns, 0);
	assert_int_equal(rule->suppress_ns, 0);
	rule = ruleset_find(ruleset, STR("brute"));
	assert_int_equal(rule->suppress_ns, INT64_C(90) * 1000000000);
	assert_int_equal(rule->suppress_by_count, 2);
	assert_true(str_eq(rule->suppress_by[0], STR("host")));
	ruleset_free(ruleset);
}

static void examples_are_read_as_written(void **state)
{
	struct ruleset *ruleset = load_text(whole, NULL);
	const struct rule *rule = ruleset_find(ruleset, STR("login_failed"));

	(void)state;
	assert_int_equal(rule->example_count, 2);
	assert_true(rule->examples[0].fires);
	assert_int_equal(rule->examples[0].line, 23);
	assert_int_equal(rule->examples[0].received_ns, INT64_C(1769823000) * 1000000000);
	assert_int_equal(rule->examples[1].received_ns, INT64_C(1769823000) * 1000000000);
	assert_false(rule->examples[1].fires);
	assert_int_equal(rule->examples[1].line_count, 3);
	assert_true(str_eq(rule->examples[1].lines[2], STR("third")));
	assert_int_equal(rule->examples[1].lines[1].len, 0);
	ruleset_free(ruleset);
}

static void correlations_are_bound(void **state)
{
	struct ruleset *ruleset = load_text(whole, NULL);
	const struct rule *base = ruleset_find(ruleset, STR("login_failed"));
	const struct rule *brute = ruleset_find(ruleset, STR("brute"));
	const struct rule *breach = ruleset_find(ruleset, STR("breach"));
	const struct rule *spray = ruleset_find(ruleset, STR("spray"));
	const struct rule *ok = ruleset_find(ruleset, STR("ok"));

	(void)state;
	assert_true(str_eq(brute->meta.kind, STR("event_count")));
	assert_int_equal(brute->correlation->condition.min, 5);
	assert_true(brute->correlation->condition.max == UINT64_MAX);
	assert_int_equal(brute->correlation->timespan_ns, INT64_C(120) * 1000000000);
	assert_int_equal(brute->correlation->rules[0], base->index);
	/* The outer key is the inner correlation's first group. */
	assert_int_equal(brute->correlation->root, breach->index);
	assert_int_equal(brute->correlation->key_group_count, 1);
	assert_int_equal(brute->correlation->key_groups[0], 0);
	assert_int_equal(breach->correlation->root, breach->index);
	assert_int_equal(breach->correlation->condition.min, 2);
	assert_true(str_eq(breach->correlation->fields[0], STR("src_ip")));
	assert_true(str_eq(breach->correlation->fields[1], STR("from_ip")));
	assert_int_equal(spray->correlation->group_count, 0);
	assert_true(str_eq(spray->correlation->value_fields[0], STR("User")));
	assert_int_equal(base->use_count, 2);
	assert_int_equal(base->uses[0].correlation, brute->index);
	assert_int_equal(base->uses[1].correlation, spray->index);
	assert_true(base->silent);
	assert_false(ok->silent); /* breach generates */
	assert_int_equal(ok->uses[0].step, 1);
	assert_false(brute->silent);
	assert_false(breach->silent);
	ruleset_free(ruleset);
}

static void units_of_timespans(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {{"7s", 7}, {"5m", 300}, {"2h", 7200}, {"1d", 86400}, {"1w", 604800},
	    {"1M", 2629746}, {"1y", 31556952}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[512];

		snprintf(text, sizeof(text),
		    "title: a\nid: a\nlogsource: {product: thu}\ndetection: {s: {A: 1}, condition: s}\n"
		    "---\ntitle: c\nid: c\ncorrelation: {type: temporal, rules: [a], timespan: %s}\n",
		    cases[i].text);
		struct ruleset *ruleset = load_text(text, NULL);

		assert_int_equal(ruleset_find(ruleset, STR("c"))->correlation->timespan_ns,
		    cases[i].seconds * 1000000000);
		ruleset_free(ruleset);
	}
}

static void levels_and_statuses_in_any_case(void **state)
{
	struct ruleset *ruleset = load_text("title: a\nlevel: HIGH\nstatus: Stable\nlogsource: "
	    "{product: x}\ndetection: {s: {A: 1}, condition: s}\n", NULL);

	(void)state;
	assert_int_equal(ruleset_count(ruleset), 1);
	assert_int_equal(ruleset_rule(ruleset, 0)->meta.level, LEVEL_HIGH);
	ruleset_free(ruleset);
}

#define NAMED(title, source, detection)                                                            \
	"title: " title "\nid: a\nlogsource: {" source "}\ndetection: {" detection "}\n"

struct naming {
	const char *first, *second;
	bool same;
};

static const struct naming namings[] = {
    {NAMED("a", "product: x, service: y", "s: {A: [1, 2], B: 3}, condition: s"),
        "# chú thích\nlevel: high\n" NAMED("khác", "service: y, product: x",
            "s: {B: 3, A: [2, 1]}, condition: s"),
        true},
    {NAMED("a", "product: x", "s: {A: 1, B: 3}, t: {C: 1, B: 3}, condition: s or t"),
        "level: Critical\nstatus: TEST\n" NAMED("a", "product: x",
            "s: &s {A: 1, B: 3}, t: {<<: *s, A: [1, 2], C: 1}, condition: s or t"),
        false},
    {NAMED("a", "product: x", "s: {A: 1, B: 3}, t: {C: 1, B: 3}, condition: s or t"),
        NAMED("a", "product: x",
            "_base: &b {B: 3}, s: {<<: *b, A: 1}, t: {C: 1, <<: *b}, condition: s or t"),
        true},
    {NAMED("a", "product: x", "s: {A: 1}, t: {B: 1}, condition: s or t"),
        NAMED("a", "product: x", "u: {B: 1}, s: {A: 1}, condition: u or s"), true},
    {NAMED("a", "product: x", "s: {A|contains: q}, condition: s"),
        NAMED("a", "product: x", "s: {A: '*Q*'}, condition: s"), true},
    {NAMED("a", "product: x", "s: {A: 1}, condition: s"),
        NAMED("a", "product: y", "s: {A: 1}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A: 1}, condition: s"),
        NAMED("a", "product: x", "s: {A: 2}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A: 1}, condition: s"),
        NAMED("a", "product: x", "s: {B: 1}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A: 1}, condition: s"),
        NAMED("a", "product: x", "s: {A: 1}, condition: not s"), false},
    {NAMED("a", "product: x", "s: {A: q}, condition: s"),
        NAMED("a", "product: x", "s: {A|cased: q}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A|re: q}, condition: s"),
        NAMED("a", "product: x", "s: {A|re|i: q}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A|lt: 4}, condition: s"),
        NAMED("a", "product: x", "s: {A|gt: 4}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A|hour: 4}, condition: s"),
        NAMED("a", "product: x", "s: {A|day: 4}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A|cidr: 192.0.2.0/24}, condition: s"),
        NAMED("a", "product: x", "s: {A|cidr: 192.0.2.0/25}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A|cidr: 192.0.2.9/24}, condition: s"),
        NAMED("a", "product: x", "s: {A|cidr: 192.0.2.0/24}, condition: s"), true},
    {NAMED("a", "product: x", "s: {A|fieldref: B}, condition: s"),
        NAMED("a", "product: x", "s: {A|fieldref: C}, condition: s"), false},
    {NAMED("a", "product: x", "s: {A: 1, B: 1, C: 1}, condition: s"),
        NAMED("a", "product: x", "s: [{A: 1}, {B: 1}, {C: 1}], condition: s"), false},
    {NAMED("a", "product: x", "s1: {A: 1}, s2: {B: 1}, s3: {C: 1}, condition: 1 of s*"),
        NAMED("a", "product: x", "s1: {A: 1}, s2: {B: 1}, s3: {C: 1}, condition: 2 of s*"), false},
};

static void only_meaning_names_the_compiled_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(namings); i++) {
		struct ruleset *first = load_text(namings[i].first, NULL);
		struct ruleset *second = load_text(namings[i].second, NULL);

		if (hash128_eq(ruleset_rule(first, 0)->meta.hash,
			ruleset_rule(second, 0)->meta.hash) != namings[i].same)
			fail_msg("%s\n%s", namings[i].first, namings[i].second);
		assert_int_equal(
		    hash128_eq(ruleset_hash(first), ruleset_hash(second)), namings[i].same);
		ruleset_free(first);
		ruleset_free(second);
	}
}

/* The name is stored with alerts, so it may never change from one version to the next. */
static void the_name_is_for_ever(void **state)
{
	struct ruleset *ruleset = load_text(
	    NAMED("a", "product: x, category: y",
	        "s1: {A: 1, B: b, C|startswith: c, D|endswith: d, E|contains: e, F: 'f*f?f'}, "
	        "s2: {A|re|i: a, B|cidr: 192.0.2.0/24, C|gte: 2, D|week: 3, E|fieldref|endswith: F}, "
	        "s3: {G: null, H|exists: false, I|neq: i, J|cased: J, K|windash: ' -k'}, "
	        "k: [từ khóa], condition: 2 of s* or not k"),
	    NULL);
	char text[HASH128_TEXT];

	(void)state;
	hash128_format(ruleset_rule(ruleset, 0)->meta.hash, text);
	assert_string_equal(text, "8d8dce08abe6b44482eff3382b5da086");
	ruleset_free(ruleset);
}

#define COUNTED(keys)                                                                              \
	"title: a\nid: a\nlogsource: {product: x}\ndetection: {s: {A: 1}, condition: s}\n---\n"        \
	"title: b\nid: b\nlogsource: {product: x}\ndetection: {s: {A: 2}, condition: s}\n---\n"        \
	"title: c\nid: c\ncorrelation: {timespan: 5m, " keys "}\n"

static void correlations_are_named_by_meaning(void **state)
{
	static const struct naming cases[] = {
	    {COUNTED("type: temporal, rules: [a, b], group-by: [U, H]"),
	        COUNTED("type: temporal, rules: [b, a], group-by: [H, U]"), true},
	    {COUNTED("type: temporal_ordered, rules: [a, b]"),
	        COUNTED("type: temporal_ordered, rules: [b, a]"), false},
	    {COUNTED("type: temporal, rules: [a, b]"),
	        COUNTED("type: temporal_ordered, rules: [a, b]"), false},
	    {COUNTED("type: temporal, rules: [a, b]"),
	        COUNTED("type: temporal, rules: [a, b], condition: {gte: 1}"), false},
	    {COUNTED("type: temporal, rules: [a, b]"),
	        COUNTED("type: temporal, rules: [a, b], generate: true"), false},
	    {COUNTED("type: temporal, rules: [a, b], group-by: [U]"),
	        COUNTED("type: temporal, rules: [a, b], group-by: [H]"), false},
	    {COUNTED("type: event_count, rules: [a], condition: {gte: 3}"),
	        COUNTED("type: event_count, rules: [a], condition: {gt: 2}"), true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ruleset *first = load_text(cases[i].first, NULL);
		struct ruleset *second = load_text(cases[i].second, NULL);
		struct hash128 left = ruleset_find(first, STR("c"))->meta.hash;

		if (hash128_eq(left, ruleset_find(second, STR("c"))->meta.hash) != cases[i].same)
			fail_msg("%s\n%s", cases[i].first, cases[i].second);
		ruleset_free(first);
		ruleset_free(second);
	}
}

static void equal_predicates_are_one(void **state)
{
	struct ruleset *ruleset = load_text(
	    NAMED("a", "product: x", "s: {A|contains: q, B: [1, 2]}, t: {A: '*Q*', B: 2}, condition: s or t"),
	    NULL);

	(void)state;
	assert_int_equal(ruleset_program(ruleset)->predicate_count, 3);
	assert_int_equal(ruleset_program(ruleset)->slot_count, 2);
	ruleset_free(ruleset);
}

/* Forty flags of five dashes each are one pattern, not 5^40. */
static void many_dashes_are_one_predicate(void **state)
{
	char flags[40 * 4 + 1] = "", text[512];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		memcpy(flags + i * 4, i % 2 == 0 ? " -ab" : " /cd", 4);
	snprintf(text, sizeof(text),
	    "title: a\nid: a\nlogsource: {product: x}\ndetection:\n  s:\n    A|contains|windash: '%s'\n"
	    "  condition: s\n", flags);
	struct ruleset *ruleset = load_text(text, NULL);
	const struct predicate *predicate = &ruleset_program(ruleset)->predicates[0];

	assert_int_equal(ruleset_program(ruleset)->predicate_count, 1);
	assert_int_equal(predicate->kind, PREDICATE_GLOB);
	assert_int_equal(predicate->glob.count, 40 + 41 + 2); /* dashes, what is around, stars */
	ruleset_free(ruleset);
}

/* What a rule may ask of the compiler of expressions has a ceiling, too. */
static void expressions_without_end_are_refused(void **state)
{
	static char longest[REGEX_PATTERN + 2], text[REGEX_PATTERN + 512];
	const char *const patterns[] = {longest, "((((a{1,200}){1,200}){1,200}){1,200}){1,200}",
	    "(a(?R)?b", "\\p{Nothing}"};

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	for (size_t i = 0; i < COUNT_OF(patterns); i++) {
		struct refusals refusals;

		snprintf(text, sizeof(text),
		    "title: a\nlogsource: {}\ndetection:\n  s:\n    A|re: '%s'\n  condition: s\n",
		    patterns[i]);
		struct ruleset *ruleset = load_text(text, &refusals);

		if (refusals.count != 1 || refusals.first.line != 5 || refusals.first.column != 11)
			fail_msg("%.60s: %zu refusals, %u:%u", patterns[i], refusals.count,
			    refusals.first.line, refusals.first.column);
		ruleset_free(ruleset);
	}
}

static void no_memory_is_an_error_and_no_more(void **state)
{
	size_t failures = 0;
	int code = ERR_MEMORY;

	(void)state;
	for (size_t memory = 1; code == ERR_MEMORY; memory += 1021, failures++) {
		struct ruleset_options options = {.memory = memory};
		struct ruleset *ruleset = NULL;
		struct error error = {0};

		code = ruleset_load_text(&ruleset, STR(whole), "quy-tac.yml", &options, &error);
		assert_int_equal(error.code, code);
		assert_true(code == 0 || code == ERR_MEMORY);
		assert_true((code == 0) == (ruleset != NULL));
		ruleset_free(ruleset);
	}
	print_message("# %zu ceilings were too low\n", failures - 1);
	assert_true(failures > 20);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void folders_are_walked(void **state)
{
	char folder[] = "/tmp/tocsin-sigma-XXXXXX", path[4][64];
	const char *paths[2] = {folder, NULL};
	struct ruleset_options options = {.paths = paths, .path_count = 1, .skip_deprecated = true};
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path[0], sizeof(path[0]), "%s/b.yml", folder);
	snprintf(path[1], sizeof(path[1]), "%s/a", folder);
	snprintf(path[2], sizeof(path[2]), "%s/a/c.yaml", folder);
	snprintf(path[3], sizeof(path[3]), "%s/notes.txt", folder);
	assert_int_equal(mkdir(path[1], 0700), 0);
	write_file(path[0], NAMED("a", "product: x", "s: {A: 1}, condition: s"));
	write_file(path[2], "status: deprecated\ntitle: cũ\n---\ntitle: mới\nid: n\nlogsource: {product: "
	                    "x}\ndetection: {s: {A: 1}, condition: s}\n");
	write_file(path[3], "không phải quy tắc");
	assert_int_equal(ruleset_load(&ruleset, &options, &error), 0);
	assert_int_equal(ruleset_count(ruleset), 2);
	assert_int_equal(ruleset_refused(ruleset), 0);
	assert_int_equal(ruleset_find(ruleset, STR("n"))->index, 0); /* in order of paths */
	assert_string_equal(ruleset_find(ruleset, STR("a"))->file.ptr, path[0]);
	ruleset_free(ruleset);
	unlink(path[0]);
	unlink(path[2]);
	unlink(path[3]);
	rmdir(path[1]);
	rmdir(folder);
	ruleset = NULL;
	assert_true(ruleset_load(&ruleset, &options, &error) < 0);
	assert_null(ruleset);
}

static void modifiers_have_a_name_and_a_summary(void **state)
{
	(void)state;
	for (size_t i = 0; i < modifier_count(); i++) {
		const struct modifier *modifier = modifier_at(i);

		assert_ptr_equal(modifier_find(str_of(modifier->name)), modifier);
		assert_true(strlen(modifier->summary) > 3);
		assert_true((modifier->value == NULL) != (modifier->item == NULL));
	}
}

#define FIRST_SEEN(id, names, rest)                                                                \
	"title: " id "\nid: " id "\nlogsource: {product: x}\ndetection: {s: {A: 1" rest            \
	"}, condition: s}\ntocsin: {first_seen: {" names "}}\n---\n"

/* Order means nothing; what is remembered outlives a change of the selection and of the times. */
static void first_seen_has_a_scope_of_its_own(void **state)
{
	struct ruleset *ruleset;

	(void)state;
	assert_int_equal(
	    ruleset_load_text(&ruleset,
		STR(FIRST_SEEN("a", "fields: [P, Q], by: [H, G], within: 9d, learn: 1d", "")
			FIRST_SEEN("b", "fields: [P, Q], by: [H, G], within: 9d, learn: 1d", "")),
		"x", NULL, NULL),
	    0);
	const struct rule a = *ruleset_find(ruleset, STR("a")),
			  *b = ruleset_find(ruleset, STR("b"));
	const struct first_seen seen = *a.first_seen;
	const struct hash128 scope = seen.scope, hash = a.meta.hash;

	assert_true(str_eq(a.meta.kind, STR("first_seen")));
	assert_int_equal(a.kind, RULE_PLAIN);
	assert_int_equal(seen.within_ns, 9 * INT64_C(86400) * 1000000000);
	assert_int_equal(seen.learn_ns, 1 * INT64_C(86400) * 1000000000);
	assert_int_equal(seen.by_count, 2);
	assert_true(str_eq(seen.by[0], STR("G")) && str_eq(seen.fields[0], STR("P")));
	assert_false(hash128_eq(scope, b->first_seen->scope));
	ruleset_free(ruleset);
	static const struct {
		const char *text;
		bool same_scope, same_hash;
	} others[] = {
	    {FIRST_SEEN("a", "fields: [Q, P], by: [G, H], within: 9d, learn: 1d", ""), true, true},
	    {FIRST_SEEN("a", "fields: [Q, P], by: [G, H], within: 8d, learn: 1d", ""), true, false},
	    {FIRST_SEEN("a", "fields: [Q, P], by: [G, H], within: 9d, learn: 0", ""), true, false},
	    {FIRST_SEEN("a", "fields: [Q, P], by: [G, H], within: 9d, learn: 1d", ", B: 2"), true,
		false},
	    {FIRST_SEEN("a", "fields: [Q], by: [G, H], within: 9d, learn: 1d", ""), false, false},
	    {FIRST_SEEN("a", "fields: [Q, P], within: 9d, learn: 1d", ""), false, false},
	    {FIRST_SEEN("a", "fields: [G, H, P, Q], within: 9d, learn: 1d", ""), false, false},
	};

	for (size_t i = 0; i < COUNT_OF(others); i++) {
		assert_int_equal(
		    ruleset_load_text(&ruleset, str_of(others[i].text), "x", NULL, NULL), 0);
		const struct rule *rule = ruleset_find(ruleset, STR("a"));

		assert_int_equal(hash128_eq(rule->first_seen->scope, scope), others[i].same_scope);
		assert_int_equal(hash128_eq(rule->meta.hash, hash), others[i].same_hash);
		ruleset_free(ruleset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_seen_has_a_scope_of_its_own),
	    cmocka_unit_test(a_rule_carries_its_metadata),
	    cmocka_unit_test(examples_are_read_as_written),
	    cmocka_unit_test(correlations_are_bound),
	    cmocka_unit_test(units_of_timespans),
	    cmocka_unit_test(only_meaning_names_the_compiled_form),
	    cmocka_unit_test(levels_and_statuses_in_any_case),
	    cmocka_unit_test(the_name_is_for_ever),
	    cmocka_unit_test(correlations_are_named_by_meaning),
	    cmocka_unit_test(equal_predicates_are_one),
	    cmocka_unit_test(many_dashes_are_one_predicate),
	    cmocka_unit_test(expressions_without_end_are_refused),
	    cmocka_unit_test(no_memory_is_an_error_and_no_more),
	    cmocka_unit_test(folders_are_walked),
	    cmocka_unit_test(modifiers_have_a_name_and_a_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
