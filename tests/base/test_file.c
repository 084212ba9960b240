#include "base/file.h"

#include "tests/base/unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char folder[PATH_MAX / 2];
	char path[PATH_MAX];
	struct arena *arena;
	struct error error;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	const char *base = getenv("TMPDIR");

	*state = place;
	snprintf(place->folder, sizeof(place->folder), "%s/tocsin-file.XXXXXX",
	    base == NULL ? "/tmp" : base);
	place->arena = arena_new(1u << 20);
	return mkdtemp(place->folder) == NULL;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
	int failed = system(command);

	arena_free(place->arena);
	free(place);
	return failed;
}

static const char *path_of(struct place *place, const char *name)
{
	snprintf(place->path, sizeof(place->path), "%s/%s", place->folder, name);
	return place->path;
}

static void put(struct place *place, const char *name, struct str bytes)
{
	assert_int_equal(file_replace(path_of(place, name), bytes, 0640, &place->error), 0);
}

static void test_replace_and_read(void **state)
{
	struct place *place = *state;
	struct str read;
	struct stat stat_;

	put(place, "a", STR("one"));
	put(place, "a", STR("two\0three"));
	assert_int_equal(stat(path_of(place, "a"), &stat_), 0);
	assert_int_equal(stat_.st_mode & 0777, 0640);
	assert_int_equal(file_read(place->arena, path_of(place, "a"), 9, &read, &place->error), 0);
	assert_str(read, "two\0three");
	assert_int_equal(
	    file_read(place->arena, path_of(place, "a"), 8, &read, &place->error), ERR_DOCUMENT);
	put(place, "empty", STR(""));
	assert_int_equal(file_read(place->arena, path_of(place, "empty"), 0, &read, NULL), 0);
	assert_int_equal(read.len, 0);
	assert_int_equal(
	    file_read(place->arena, path_of(place, "none"), 9, &read, NULL), ERR_MISSING);
	assert_int_equal(file_read(place->arena, place->folder, 9, &read, NULL), ERR_IO);
}

static void test_failed_replace(void **state)
{
	struct place *place = *state;
	struct str *paths;
	size_t count;

	put(place, "a", STR("x"));
	assert_int_equal(file_make_folder(path_of(place, "taken"), 0750, NULL), 0);
	assert_true(file_replace(path_of(place, "taken"), STR("x"), 0600, NULL) < 0);
	assert_int_equal(
	    file_replace(path_of(place, "no/such"), STR("x"), 0600, NULL), ERR_MISSING);
	/* Nothing is left of the failed ones. */
	assert_int_equal(
	    file_list(place->arena, place->folder, STR(""), 9, &paths, &count, NULL), 0);
	assert_int_equal(count, 1);
}

static void test_make_folder(void **state)
{
	struct place *place = *state;
	struct stat stat_;

	assert_int_equal(file_make_folder(path_of(place, "x//y/z/"), 0750, &place->error), 0);
	assert_int_equal(stat(path_of(place, "x/y/z"), &stat_), 0);
	assert_true(S_ISDIR(stat_.st_mode));
	assert_int_equal(file_make_folder(path_of(place, "x/y"), 0750, &place->error), 0);
	assert_int_equal(file_make_folder("/", 0750, NULL), 0);
	put(place, "file", STR("x"));
	assert_true(file_make_folder(path_of(place, "file/below"), 0750, NULL) < 0);
	assert_true(file_make_folder(path_of(place, "file"), 0750, NULL) < 0);
	assert_true(file_make_folder("", 0750, NULL) < 0);
}

static void test_list(void **state)
{
	static const char *const expected[] = {"b.yml", "d/a.yml", "d/e/c.yml", "link.yml"};
	struct place *place = *state;
	char target[PATH_MAX];
	struct str *paths;
	size_t count, head = strlen(place->folder) + 1;

	assert_int_equal(file_make_folder(path_of(place, "d/e"), 0750, NULL), 0);
	assert_int_equal(file_make_folder(path_of(place, ".hidden"), 0750, NULL), 0);
	for (size_t i = 0; i < 3; i++)
		put(place, expected[i], STR("x"));
	put(place, ".b.yml", STR("x"));
	put(place, ".hidden/b.yml", STR("x"));
	put(place, "b.txt", STR("x"));
	snprintf(target, sizeof(target), "%s/b.yml", place->folder);
	assert_int_equal(symlink(target, path_of(place, "link.yml")), 0);
	assert_int_equal(symlink(place->folder, path_of(place, "loop.yml")), 0);
	assert_int_equal(symlink("/nowhere/at/all", path_of(place, "dangling.yml")), 0);
	assert_int_equal(
	    file_list(place->arena, place->folder, STR(".yml"), 4, &paths, &count, NULL), 0);
	assert_int_equal(count, COUNT_OF(expected));
	for (size_t i = 0; i < count; i++)
		assert_string_equal(paths[i].ptr + head, expected[i]);
	assert_int_equal(
	    file_list(place->arena, place->folder, STR(".yml"), 3, &paths, &count, NULL),
	    ERR_DOCUMENT);
	/* A file is itself the list. */
	assert_int_equal(
	    file_list(place->arena, path_of(place, "b.txt"), STR(".yml"), 3, &paths, &count, NULL),
	    0);
	assert_int_equal(count, 1);
	assert_int_equal(
	    file_list(place->arena, path_of(place, "none"), STR(""), 3, &paths, &count, NULL),
	    ERR_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_replace_and_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_failed_replace, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_make_folder, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
