#include "base/yaml.h"

#include "base/buf.h"

#include "tests/base/alloc_fault.h"
#include "tests/base/unit.h"

static struct arena *arena;
static struct error error;
static struct yaml_node **roots;
static size_t count;

static int set_up(void **state)
{
	(void)state;
	arena = arena_new(64u << 20);
	error_clear(&error);
	return arena == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static int parse(const char *text)
{
	return yaml_parse(
	    arena, str_of(text), "t.yml", &yaml_limits_default, &roots, &count, &error);
}

static const struct yaml_node *parse_one(const char *text)
{
	if (parse(text) != 0)
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	assert_int_equal(count, 1);
	return roots[0];
}

static void test_tree(void **state)
{
	const struct yaml_node *root = parse_one("title: Brute force\n"
						 "tags:\n"
						 "  - attack.t1110\n"
						 "  - \"5\"\n"
						 "empty: {}\n"
						 "text: |\n"
						 "  two\n"
						 "  lines\n");
	const struct yaml_node *tags = yaml_get(root, STR("tags"));

	(void)state;
	assert_int_equal(root->kind, YAML_MAP);
	assert_int_equal(root->count, 4);
	assert_str(yaml_get(root, STR("title"))->scalar, "Brute force");
	assert_int_equal(tags->kind, YAML_LIST);
	assert_int_equal(tags->count, 2);
	assert_int_equal(tags->key_line, 2);
	assert_int_equal(tags->key_column, 1);
	assert_int_equal(tags->first->line, 3);
	assert_int_equal(tags->first->column, 5);
	assert_false(tags->first->quoted);
	assert_true(tags->first->next->quoted);
	assert_str(yaml_get(root, STR("text"))->scalar, "two\nlines\n");
	assert_int_equal(yaml_get(root, STR("empty"))->count, 0);
	assert_null(yaml_get(root, STR("none")));
	assert_null(yaml_get(tags, STR("title")));
	assert_null(yaml_get(NULL, STR("title")));
}

/* What a map has itself stands before what it merges, and the first of several before the next. */
static void test_merge(void **state)
{
	static const struct {
		const char *text, *at, *keys;
	} rows[] = {
	    {"b: &b {a: 1, c: 2}\nm: {<<: *b}\n", "m", "a=1 c=2 "},
	    {"b: &b {a: 1, c: 2}\nm: {<<: *b, c: 3, d: 4}\n", "m", "c=3 d=4 a=1 "},
	    {"b: &b {a: 1, c: 2}\nm: {c: 3, <<: *b}\n", "m", "c=3 a=1 "},
	    {"b: &b {a: 1}\nc: &c {a: 2, d: 5}\nm: {<<: [*b, *c]}\n", "m", "a=1 d=5 "},
	    {"m: {<<: &b {a: 1, c: 2}, d: 3}\n", "m", "d=3 a=1 c=2 "},
	    {"x: {<<: &b {a: 1, c: 2}, d: 3}\nm: *b\n", "m", "a=1 c=2 "},
	    {"b: &b {a: 1}\nc: &c {<<: *b, e: 2}\nm: {<<: *c}\n", "m", "e=2 a=1 "},
	    {"m: {<<: [], a: 1}\n", "m", "a=1 "},
	    {"m: {<<: {}}\n", "m", ""},
	    {"m: {'<<': {a: 1}}\n", "m", "<<= "},
	    {"m: {a: <<}\n", "m", "a=<< "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct yaml_node *map = yaml_get(parse_one(rows[i].text), str_of(rows[i].at));
		struct buf keys = BUF(1024);
		size_t count_of = 0;

		for (const struct yaml_node *child = map->first; child != NULL;
		     child = child->next, count_of++)
			buf_printf(&keys, "%.*s=%.*s ", STR_ARG(child->key),
			    STR_ARG(child->scalar));
		if (!str_eq(buf_str(&keys), str_of(rows[i].keys)))
			fail_msg("%s: %.*s", rows[i].text, STR_ARG(buf_str(&keys)));
		assert_int_equal(map->count, count_of);
		buf_free(&keys);
	}
	/* a mistake in what was merged is told where it stands */
	const struct yaml_node *map = yaml_get(parse_one("b: &b {a: 1}\nm:\n  <<: *b\n"), STR("m"));

	assert_int_equal(map->first->line, 1);
	assert_int_equal(map->first->key_column, 8);
}

static void test_documents(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(count, 0);
	assert_int_equal(parse("# only a comment\n"), 0);
	assert_int_equal(count, 0);
	assert_int_equal(parse("a: 1\n---\n---\n- x\n"), 0);
	assert_int_equal(count, 3);
	assert_int_equal(roots[0]->kind, YAML_MAP);
	assert_null(roots[1]);
	assert_int_equal(roots[2]->kind, YAML_LIST);
	/* the byte order mark of an editor is no text, and no column */
	assert_int_equal(parse("\xEF\xBB\xBF" "a: 1\nb: 2\n"), 0);
	assert_int_equal(count, 1);
	assert_int_equal(roots[0]->count, 2);
	assert_int_equal(roots[0]->first->key_column, 1);
	assert_int_equal(parse("\xEF\xBB\xBF"), 0);
	assert_int_equal(count, 0);
}

static void test_scalars(void **state)
{
	static const struct {
		const char *text;
		char kind; /* i f b n, or s for none of them */
		int64_t i;
	} rows[] = {
	    {"12", 'i', 12},
	    {"-7", 'i', -7},
	    {"+7", 'i', 7},
	    {"010", 'i', 10},
	    {"0x1F", 'i', 31},
	    {"0o17", 'i', 15},
	    {"0o18", 's', 0},
	    {"0x", 's', 0},
	    {"9223372036854775808", 'f', 0},
	    {"0x7fffffffffffffff", 'i', INT64_MAX},
	    {"0xffffffffffffffff", 's', 0},
	    {"1.5", 'f', 0},
	    {"1e3", 'f', 0},
	    {"+1.5", 'f', 0},
	    {"+-1.5", 's', 0},
	    {"1_000", 's', 0},
	    {"true", 'b', 1},
	    {"False", 'b', 0},
	    {"yes", 's', 0},
	    {"on", 's', 0},
	    {"tRue", 's', 0},
	    {"~", 'n', 0},
	    {"null", 'n', 0},
	    {"NULL", 'n', 0},
	    {"nULL", 's', 0},
	    {"\"12\"", 's', 0},
	    {"'true'", 's', 0},
	    {"\"\"", 's', 0},
	    {"!!str 12", 's', 0},
	    {"2026-11-22", 's', 0},
	    {"12:30", 's', 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[64] = "- ";
		int64_t integer = 0;
		double number;
		bool truth = false;

		strcat(text, rows[i].text);
		const struct yaml_node *node = parse_one(text)->first;
		bool is_integer = yaml_to_i64(node, &integer), is_bool = yaml_to_bool(node, &truth);
		char kind = is_integer			    ? 'i'
			    : is_bool			    ? 'b'
			    : yaml_is_null(node)	    ? 'n'
			    : yaml_to_double(node, &number) ? 'f'
							    : 's';

		if (kind != rows[i].kind || (is_integer && integer != rows[i].i) ||
		    (is_bool && truth != (rows[i].i == 1)))
			fail_msg("%s is taken for %c", rows[i].text, kind);
	}
}

static void test_aliases(void **state)
{
	const struct yaml_node *root = parse_one("a: &x {k: [1, 2]}\nb: *x\nc: &y z\n*y : 1\n");
	const struct yaml_node *a = yaml_get(root, STR("a")), *b = yaml_get(root, STR("b"));

	(void)state;
	assert_true(a != b);
	assert_int_equal(yaml_get(b, STR("k"))->count, 2);
	assert_str(yaml_get(b, STR("k"))->first->next->scalar, "2");
	assert_str(b->key, "b");
	assert_int_equal(b->key_line, 2);
	assert_non_null(yaml_get(root, STR("z")));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *words;
	} rows[] = {
	    {"a: 1\nb: 2\na: 3\n", 3, 1, "'a' is here twice; first on line 1"},
	    {"x:\n  a: 1\n  'a': 3\n", 3, 3, "twice"},
	    {"a: [1, 2\n", 2, 1, "not valid YAML"},
	    {"a: *nobody\n", 1, 4, "'*nobody'"},
	    {"a: &x [1, *x]\n", 1, 11, "stands inside"},
	    {"? [a]\n: 1\n", 1, 3, "key must be"},
	    {"a: &x [1]\n*x : 2\n", 2, 1, "key must be"},
	    {"<<: 1\n", 1, 5, "takes a map"},
	    {"<<: [{a: 1}, b]\n", 1, 14, "takes a map"},
	    {"a: &a {<<: *a}\n", 1, 12, "stands inside"},
	    {"<<: {a: 1}\n<<: {b: 1}\n", 2, 1, "'<<' is here twice"},
	    {"<<: [{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]\n", 1, 5, "more than 16"},
	    {"a: !!binary eA==\n", 1, 4, "tag"},
	    {"a: !mine {}\n", 1, 4, "tag"},
	    {"a: 1\n---\nb: *x\n", 3, 4, "'*x'"},
	    {"a: 1\nb: \xff\n", 2, 4, "not valid YAML"},
	    {"a: 1\nb: \x01\n", 2, 4, "not valid YAML"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		error_clear(&error);
		assert_int_equal(parse(rows[i].text), ERR_DOCUMENT);
		if (error.line != rows[i].line || error.column != rows[i].column ||
		    strstr(error.text, rows[i].words) == NULL)
			fail_msg("row %zu: %u:%u: %s", i, error.line, error.column, error.text);
		assert_string_equal(error.file, "t.yml");
	}
	assert_int_equal(
	    yaml_parse(arena, STR("a: ["), "t", &yaml_limits_default, &roots, &count, NULL),
	    ERR_DOCUMENT);
}

static void test_anchors_end_with_their_document(void **state)
{
	(void)state;
	assert_int_equal(parse("a: &x 1\n---\nb: *x\n"), ERR_DOCUMENT);
	assert_int_equal(error.line, 3);
}

static void test_ceilings(void **state)
{
	static const struct {
		struct yaml_limits limits;
		const char *fits, *passes;
	} rows[] = {
	    {{8, 100, 10}, "a: 12345", "a: 123456"},
	    {{100, 5, 10}, "[1, 2, 3, 4]", "[1, 2, 3, 4, 5]"},
	    {{100, 5, 10}, "{a: 1, b: 2}", "{a: 1, b: 2, c: 3}"},
	    {{100, 5, 10}, "[&x [1], *x]", "[&x [1, 2], *x]"},
	    {{100, 100, 3}, "[[1]]", "[[[1]]]"},
	    {{100, 100, 3}, "[&x [1], *x]", "[&x [1], [*x]]"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		error_clear(&error);
		assert_int_equal(yaml_parse(arena, str_of(rows[i].fits), "t", &rows[i].limits,
				     &roots, &count, &error),
		    0);
		assert_int_equal(yaml_parse(arena, str_of(rows[i].passes), "t", &rows[i].limits,
				     &roots, &count, &error),
		    ERR_DOCUMENT);
		assert_true(error.line == 1 && error.column >= 1);
	}
}

/* Nine levels of nine aliases each: 9^9 nodes, if it were let. */
static void test_laughs(void **state)
{
	struct buf text = BUF(4096);

	(void)state;
	buf_str_put(&text, STR("l0: &l0 [x]\n"));
	for (int level = 1; level <= 9; level++) {
		buf_printf(&text, "l%d: &l%d [", level, level);
		for (int i = 0; i < 9; i++)
			buf_printf(&text, "%s*l%d", i == 0 ? "" : ", ", level - 1);
		buf_str_put(&text, STR("]\n"));
	}
	assert_int_equal(
	    yaml_parse(arena, buf_str(&text), "t", &yaml_limits_default, &roots, &count, &error),
	    ERR_DOCUMENT);
	assert_non_null(strstr(error.text, "65536"));
	buf_free(&text);
}

static void test_anchor_ceiling(void **state)
{
	struct buf text = BUF(65536);

	(void)state;
	for (int i = 0; i < 257; i++)
		buf_printf(&text, "- &a%d x\n", i);
	assert_int_equal(
	    yaml_parse(arena, buf_str(&text), "t", &yaml_limits_default, &roots, &count, &error),
	    ERR_DOCUMENT);
	assert_int_equal(error.line, 257);
	buf_free(&text);
}

static void test_arena_too_small(void **state)
{
	(void)state;
	for (size_t ceiling = 0; ceiling < 8192; ceiling += 64) {
		struct arena *small = arena_new(ceiling);
		struct error own = {0};
		int code = yaml_parse(small, STR("a: &x [1, {b: c}]\nd: *x\n"), "t",
		    &yaml_limits_default, &roots, &count, &own);

		assert_int_equal(code, arena_failed(small) ? ERR_MEMORY : 0);
		assert_int_equal(own.code, code);
		arena_free(small);
	}
}

static void test_no_memory(void **state)
{
	bool refused = true;
	size_t n;

	(void)state;
	alloc_fault_or_skip();
	for (n = 1; refused && n < 2000; n++) {
		struct error own = {0};
		long before = alloc_fault_live();
		struct arena *small = arena_new(1u << 20);

		alloc_fault_arm(n);
		int code = yaml_parse(small, STR("a: &x [1, {b: 'c'}]\nd: *x\n--- |\n  text\n"),
		    "t", &yaml_limits_default, &roots, &count, &own);

		refused = alloc_fault_disarm();
		assert_int_equal(code, refused ? ERR_MEMORY : 0);
		arena_free(small);
		assert_int_equal(alloc_fault_live(), before);
	}
	assert_false(refused);
	assert_true(n > 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_tree),
	    TEST(test_documents),
	    TEST(test_merge),
	    TEST(test_scalars),
	    TEST(test_aliases),
	    TEST(test_refused),
	    TEST(test_anchors_end_with_their_document),
	    TEST(test_ceilings),
	    TEST(test_laughs),
	    TEST(test_anchor_ceiling),
	    TEST(test_arena_too_small),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
