/*
 * What a rule set is made of, as one run of bytes: read from files, named by its hash, and the same
 * set again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sigma/bundle.h"

#define RULE(id, value)                                                                            \
	"title: " id "\nid: " id "\nlogsource:\n    product: linux\ndetection:\n    s:\n"          \
	"        User" value "\n    condition: s\n"

static char folder[128];

static void file_put(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	const char *where = getenv("TMPDIR");
	char path[256];

	(void)state;
	snprintf(folder, sizeof(folder), "%.80s/bundle-XXXXXX", where != NULL ? where : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/lists", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	file_put("b.yml", RULE("b", ": binh"));
	file_put("a.yml", RULE("a", "|expand: '%staff%'") "---\n" RULE("old", ": x")
	    "status: deprecated\n");
	file_put("notes.txt", "no rule");
	file_put("lists/staff.txt", "lan\nhoa\n");
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"a.yml", "b.yml", "notes.txt", "lists/staff.txt"};
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		chmod(path, 0600);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/lists", folder);
	rmdir(path);
	return rmdir(folder);
}

static void count_refusal(void *context, const struct error *error)
{
	assert_int_not_equal(error->code, 0);
	(*(size_t *)context)++;
}

static int gather(struct buf *out, uint32_t steps, size_t *unread, size_t *told)
{
	char lists[256];
	const char *paths[] = {folder}, *list_paths[] = {lists};
	struct ruleset_options options = {.paths = paths, .path_count = 1, .lists = list_paths,
	    .list_count = 1, .regex_steps = steps, .skip_deprecated = true,
	    .refused = count_refusal, .context = told};
	struct error error = {0};

	snprintf(lists, sizeof(lists), "%s/lists", folder);
	return bundle_gather(out, &options, unread, &error);
}

static void test_files_become_the_same_set_again(void **state)
{
	struct buf one = BUF(BUNDLE_MAX), two = BUF(BUNDLE_MAX);
	size_t unread = 9, told = 0;
	struct ruleset *ruleset = NULL;
	struct bundle_head head;
	struct bundle_file file;

	(void)state;
	assert_int_equal(gather(&one, 500, &unread, &told), 0);
	assert_int_equal(unread, 0);
	struct str rest = buf_str(&one);

	assert_int_equal(bundle_open(&rest, &head), 0);
	assert_int_equal(head.regex_steps, 500);
	assert_true(head.skip_deprecated);
	assert_int_equal(bundle_next(&rest, &file), 0);
	assert_int_equal(file.kind, BUNDLE_LIST);
	assert_true(str_ends(file.name, STR("/staff.txt")));
	assert_true(str_eq(file.text, STR("lan\nhoa\n")));
	assert_int_equal(bundle_next(&rest, &file), 0);
	assert_int_equal(file.kind, BUNDLE_RULES);
	assert_true(str_ends(file.name, STR("/a.yml")));
	assert_int_equal(bundle_next(&rest, &file), 0);
	assert_true(str_ends(file.name, STR("/b.yml")));
	assert_int_equal(rest.len, 0);
	/* The options of the caller that the bundle has too are not looked at. */
	struct ruleset_options options = {.refused = count_refusal, .context = &told};

	assert_int_equal(ruleset_load_bundle(&ruleset, buf_str(&one), &options, NULL), 0);
	assert_int_equal(told, 0);
	assert_int_equal(ruleset_count(ruleset), 2);
	assert_non_null(ruleset_find(ruleset, STR("a")));
	assert_true(str_ends(ruleset_find(ruleset, STR("b"))->file, STR("/b.yml")));
	ruleset_free(ruleset_share(ruleset));
	assert_int_equal(ruleset_count(ruleset), 2);
	ruleset_free(ruleset);
	/* Every byte counts. */
	assert_int_equal(gather(&two, 500, &unread, &told), 0);
	assert_true(hash128_eq(bundle_hash(buf_str(&one)), bundle_hash(buf_str(&two))));
	assert_int_equal(gather(&two, 501, &unread, &told), 0);
	assert_false(hash128_eq(bundle_hash(buf_str(&one)), bundle_hash(buf_str(&two))));
	file_put("lists/staff.txt", "lan\nhue\n");
	assert_int_equal(gather(&two, 500, &unread, &told), 0);
	assert_false(hash128_eq(bundle_hash(buf_str(&one)), bundle_hash(buf_str(&two))));
	buf_free(&one);
	buf_free(&two);
}

static void test_what_cannot_be_read_is_told_and_counted(void **state)
{
	struct buf out = BUF(BUNDLE_MAX);
	char path[256];
	size_t unread = 0, told = 0;
	FILE *file;

	(void)state;
	/* Larger than a file of rules may be; root reads what nobody may. */
	snprintf(path, sizeof(path), "%s/b.yml", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), (off_t)RULESET_FILE + 1), 0);
	fclose(file);
	assert_int_equal(gather(&out, 1, &unread, &told), 0);
	assert_int_equal(unread, 1);
	assert_int_equal(told, 1);
	struct str rest = buf_str(&out);
	struct bundle_head head;
	struct bundle_file one;
	size_t count = 0;

	assert_int_equal(bundle_open(&rest, &head), 0);
	for (; rest.len > 0; count++)
		assert_int_equal(bundle_next(&rest, &one), 0);
	assert_int_equal(count, 2);
	/* A path that is not there is no empty set. */
	snprintf(folder + strlen(folder), 2, "x");
	assert_true(gather(&out, 1, &unread, &told) < 0);
	folder[strlen(folder) - 1] = '\0';
	struct buf small = BUF(64);

	assert_int_equal(gather(&small, 1, &unread, &told), ERR_MEMORY);
	buf_free(&small);
	buf_free(&out);
}

static void test_cut_and_foreign_bytes_are_refused(void **state)
{
	struct buf whole = BUF(BUNDLE_MAX);
	struct ruleset *ruleset = NULL;

	(void)state;
	bundle_begin(&whole, &(struct bundle_head){0});
	bundle_add(
	    &whole, &(struct bundle_file){BUNDLE_RULES, STR("a.yml"), STR(RULE("a", ": x"))});
	for (size_t len = 0; len < whole.len; len++) {
		struct error error = {0};

		/* A bundle without files is one. */
		if (len == 16)
			continue;
		assert_int_equal(ruleset_load_bundle(&ruleset, str_from(whole.ptr, len), NULL,
		    &error), ERR_CORRUPT);
		assert_int_equal(error.code, ERR_CORRUPT);
	}
	static const struct {
		size_t at;
		char byte;
		int code;
	} rows[] = {
	    {0, 'x', ERR_CORRUPT}, {4, 2, ERR_VERSION}, {12, 2, ERR_VERSION},
	    {16, 0, ERR_CORRUPT}, {16, 3, ERR_CORRUPT}, {20, 1, ERR_CORRUPT},
	    {24, 1, ERR_CORRUPT}, {25, '\0', ERR_CORRUPT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char before = whole.ptr[rows[i].at];

		whole.ptr[rows[i].at] = rows[i].byte;
		assert_int_equal(ruleset_load_bundle(&ruleset, buf_str(&whole), NULL, NULL),
		    rows[i].code);
		whole.ptr[rows[i].at] = before;
	}
	assert_int_equal(ruleset_load_bundle(&ruleset, buf_str(&whole), NULL, NULL), 0);
	ruleset_free(ruleset);
	buf_free(&whole);
}

/* Fixed for ever: checkpoints name sets by it. */
static void test_the_name_is_fixed(void **state)
{
	struct buf bundle = BUF(BUNDLE_MAX);
	char text[HASH128_TEXT];

	(void)state;
	bundle_begin(&bundle, &(struct bundle_head){100000, true});
	bundle_add(&bundle, &(struct bundle_file){BUNDLE_LIST, STR("l/ten.txt"), STR("lan\n")});
	bundle_add(&bundle, &(struct bundle_file){BUNDLE_RULES, STR("r/a.yml"), STR("title: a\n")});
	assert_string_equal(hash128_format(bundle_hash(buf_str(&bundle)), text).ptr,
	    "2cd9f228eb5337cfd87ca5fa434b13c0");
	buf_free(&bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_files_become_the_same_set_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_cannot_be_read_is_told_and_counted, setup, teardown),
	    cmocka_unit_test(test_cut_and_foreign_bytes_are_refused),
	    cmocka_unit_test(test_the_name_is_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
