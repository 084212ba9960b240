/*
 * Damaged files: told and passed over, never believed, never the end of who reads them (F15, F16);
 * a full disk: nothing half written, and on it goes when there is room (F12).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "storage/day.h"

#define ALERTS 150

static struct query_alert sound[ALERTS], found[ALERTS];

struct image {
	char path[600];
	char *bytes;
	size_t len;
};

static void image_read(struct image *image, const char *folder, const char *name)
{
	struct stat st;
	int fd;

	snprintf(image->path, sizeof(image->path), "%s/%s", folder, name);
	fd = open(image->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	image->len = (size_t)st.st_size;
	image->bytes = malloc(image->len);
	assert_non_null(image->bytes);
	assert_int_equal(read(fd, image->bytes, image->len), (ssize_t)image->len);
	close(fd);
}

static void image_write(const struct image *image, size_t len)
{
	int fd = open(image->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->bytes, len), (ssize_t)len);
	close(fd);
}

static size_t two_days(struct rig *rig, struct image images[2])
{
	struct query_filter filter = rig_filter();
	struct day_name *names;
	size_t count;

	rig_open(rig, 1, 1, 1);
	rig_store_open(rig);
	for (uint64_t i = 0; i < ALERTS; i++) {
		struct alert alert = rig_alert(
		    rig, "rule", i % 3 == 0 ? "web01" : "db01", RIG_NOW + (int64_t)i * RIG_S, i);

		rig_publish(rig, &alert);
		if (i == ALERTS / 2) {
			rig_settle(rig);
			rig->now_ns += 86400 * RIG_S;
		}
	}
	rig_settle(rig);
	rig_store_close(rig);
	assert_int_equal(day_list(rig->arena, rig->path, &names, &count, NULL), 0);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < 2; i++)
		image_read(&images[i], rig->path, names[i].text);
	count = rig_list(rig, &filter, sound, ALERTS);
	assert_int_equal(count, ALERTS);
	return count;
}

/* What is shown is what was stored; what is not shown, somebody was told about. */
static void must_be_honest(struct rig *rig, const struct query_filter *filter, size_t all)
{
	struct arena *kept = rig->arena;
	size_t count, at = 0;

	rig->arena = arena_new(64u << 20);
	count = rig_list(rig, filter, found, ALERTS);
	for (size_t i = 0; i < count; i++) {
		while (at < ALERTS && !hash128_eq(sound[at].alert.id, found[i].alert.id))
			at++;
		assert_true(at < ALERTS);
		assert_true(str_eq(sound[at].json, found[i].json));
		assert_int_equal(sound[at].alert.count, found[i].alert.count);
	}
	if (count < all && rig_damaged(rig) == 0)
		fail_msg("%zu of %zu alerts, and nobody was told", count, all);
	arena_free(rig->arena);
	rig->arena = kept;
}

/* A store over a damaged file refuses it or goes on; it does not die of it. */
static void must_survive_opening(struct rig *rig)
{
	struct error error = {0};
	struct store *store;
	int code = store_open(&store, &rig->options, rig->now_ns, &error);

	if (code != 0)
		assert_true(code == ERR_CORRUPT || code == ERR_FOREIGN || code == ERR_VERSION);
	if (code != 0)
		assert_true(error.text[0] != '\0');
	store_close(store);
}

static void test_bit_flips(void **state)
{
	struct query_filter filter = rig_filter();
	struct image images[2];
	uint64_t seed = 16;
	struct rig rig;
	size_t all = two_days(&rig, images);

	(void)state;
	for (int trial = 0; trial < 300; trial++) {
		struct image *image = &images[trial % 2];
		unsigned bits = trial % 3 == 0 ? 100 : 1;
		char *copy = malloc(image->len);

		assert_non_null(copy);
		memcpy(copy, image->bytes, image->len);
		for (unsigned i = 0; i < bits; i++)
			image->bytes[rig_random(&seed) % image->len] ^=
			    (char)(1 << rig_random(&seed) % 8);
		image_write(image, image->len);
		must_be_honest(&rig, &filter, all);
		if (trial % 10 == 0)
			must_survive_opening(&rig);
		free(image->bytes);
		image->bytes = copy;
		image_write(image, image->len);
	}
	must_be_honest(&rig, &filter, all);
	assert_int_equal(rig_damaged(&rig), 0);
	free(images[0].bytes);
	free(images[1].bytes);
	rig_close(&rig);
}

static void test_truncation(void **state)
{
	struct query_filter filter = rig_filter();
	struct image images[2];
	uint64_t seed = 15;
	struct rig rig;
	size_t all = two_days(&rig, images);

	(void)state;
	for (int trial = 0; trial < 100; trial++) {
		struct image *image = &images[trial % 2];

		image_write(image, rig_random(&seed) % image->len);
		must_be_honest(&rig, &filter, all);
		if (trial % 10 == 0)
			must_survive_opening(&rig);
		image_write(image, image->len);
	}
	must_be_honest(&rig, &filter, all);
	assert_int_equal(rig_damaged(&rig), 0);
	free(images[0].bytes);
	free(images[1].bytes);
	rig_close(&rig);
}

/* A newest file that is gone: what is on the bus is stored once more, nothing twice. */
static void test_lost_newest_file_is_rebuilt(void **state)
{
	struct query_filter filter = rig_filter();
	struct image images[2];
	struct rig rig;
	size_t all = two_days(&rig, images);

	(void)state;
	assert_int_equal(db_remove(images[1].path, NULL), 0);
	rig_store_open(&rig);
	rig_settle(&rig);
	must_be_honest(&rig, &filter, all);
	assert_int_equal(rig_list(&rig, &filter, found, ALERTS), all);
	free(images[0].bytes);
	free(images[1].bytes);
	rig_close(&rig);
}

static void test_unknown_version_and_foreign_file_are_refused(void **state)
{
	static const struct db_table_options none[] = {{"doc", 0}};
	struct db_options options = {.format = "tocsin.alerts",
	    .version = DAY_VERSION + 1,
	    .max_bytes = 1u << 24,
	    .tables = none,
	    .table_count = 1};
	struct query_filter filter = rig_filter();
	struct error error = {0};
	struct store *store;
	struct rig rig;
	char path[600];
	struct db *db;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	snprintf(path, sizeof(path), "%s/2026-11-22.mdb", rig.path);
	assert_int_equal(db_open(&db, path, &options, NULL), 0);
	db_close(db);
	assert_int_equal(store_open(&store, &rig.options, rig.now_ns, &error), ERR_VERSION);
	assert_true(error.text[0] != '\0');
	assert_int_equal(rig_list(&rig, &filter, found, ALERTS), 0);
	assert_int_equal(rig_damaged(&rig), 1);
	assert_int_equal(db_remove(path, NULL), 0);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (int i = 0; i < 4000; i++)
		fprintf(file, "not a day file\n");
	fclose(file);
	error_clear(&error);
	assert_int_equal(store_open(&store, &rig.options, rig.now_ns, &error), ERR_FOREIGN);
	assert_int_equal(rig_list(&rig, &filter, found, ALERTS), 0);
	assert_int_equal(rig_damaged(&rig), 1);
	unlink(path);
	rig_close(&rig);
}

static void fill_disk(const char *folder, char path[600])
{
	static char zeros[65536];
	int fd;

	snprintf(path, 600, "%s/filler", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (size_t size = sizeof(zeros); size >= 512; size /= 2)
		while (write(fd, zeros, size) == (ssize_t)size)
			continue;
	close(fd);
}

static void test_full_disk(void **state)
{
	struct query_filter filter = rig_filter();
	static struct query_alert many[3000];
	struct rig rig;
	char filler[600];
	bool full = false;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	if (geteuid() != 0 || mount("tmpfs", rig.path, "tmpfs", 0, "size=3m") != 0) {
		fprintf(stderr, "full disk: skipped, no tmpfs can be mounted here\n");
		rig_close(&rig);
		skip();
	}
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 3000; i++) {
		struct alert alert = rig_alert(&rig, "rule", "web01", RIG_NOW + (int64_t)i, i);

		rig_publish(&rig, &alert);
	}
	assert_int_equal(store_step(rig.store, rig.now_ns, 0, NULL), 100);
	fill_disk(rig.path, filler);
	for (int i = 0; i < 40 && !full; i++)
		full = store_step(rig.store, rig.now_ns, 0, NULL) == ERR_FULL;
	assert_true(full);
	size_t before = rig_list(&rig, &filter, many, 3000);

	/* what is there is whole, and stays so while it is tried again */
	assert_true(before >= 100 && before % 100 == 0 && rig_damaged(&rig) == 0);
	assert_int_equal(store_step(rig.store, rig.now_ns, 0, NULL), ERR_FULL);
	assert_int_equal(rig_list(&rig, &filter, many, 3000), before);
	/* nor can the next day begin, and what was sealed for it goes on when there is room */
	rig.now_ns += 86400 * RIG_S;
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_step(rig.store, rig.now_ns, 0, NULL), ERR_FULL);
	assert_int_equal(rig_list(&rig, &filter, many, 3000), before);
	unlink(filler);
	assert_int_equal(mount("tmpfs", rig.path, "tmpfs", MS_REMOUNT, "size=64m"), 0);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, many, 3000), 3000);
	assert_int_equal(rig_stats(&rig).repeats, 0);
	assert_int_equal(rig_stats(&rig).files, 2);
	rig_store_close(&rig);
	assert_int_equal(umount(rig.path), 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bit_flips),
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_lost_newest_file_is_rebuilt),
	    cmocka_unit_test(test_unknown_version_and_foreign_file_are_refused),
	    cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
