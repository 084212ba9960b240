/*
 * Day files: rolled, dropped, fenced, and whole after a kill at any moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rig.h"
#include "storage/day.h"

static size_t files(struct rig *rig)
{
	struct day_name *names;
	size_t count;

	assert_int_equal(day_list(rig->arena, rig->path, &names, &count, NULL), 0);
	return count;
}

static void put(struct rig *rig, const char *host, int64_t time_ns, uint64_t counter)
{
	struct alert alert = rig_alert(rig, "r", host, time_ns, counter);

	rig_publish(rig, &alert);
}

static void test_names(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
	    {"2026-11-22.mdb", true},
	    {"2026-11-22.7.mdb", true},
	    {"2026-11-22.0.mdb", false},
	    {"2026-11-22.07.mdb", false},
	    {"2026-13-22.mdb", false},
	    {"2026-02-30.mdb", false},
	    {"2026-11-22", false},
	    {"x2026-11-22.mdb", false},
	    {"2026-11-22.x.mdb", false},
	    {"new.part", false},
	    {"2026-11-22..mdb", false},
	    {"", false},
	};
	struct day_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(day_name_parse(str_of(rows[i].text), &name), rows[i].good);
}

static void test_rolls_at_midnight_and_carries_on(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[8];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 2);
	rig.options.fold_default_ns = 3600 * RIG_S;
	rig_store_open(&rig);
	put(&rig, "h", RIG_NOW, 1);
	rig_settle(&rig);
	rig_progress(&rig, TOPIC_EVENTS, RIG_NOW);
	rig_settle(&rig);
	assert_int_equal(files(&rig), 1);
	rig.now_ns += 86400 * RIG_S;
	put(&rig, "h", RIG_NOW, 1);		 /* known from the day before */
	put(&rig, "h", RIG_NOW + 10 * RIG_S, 2); /* folds into its head */
	rig_settle(&rig);
	assert_int_equal(files(&rig), 2);
	assert_int_equal(rig_stats(&rig).repeats, 1);
	assert_int_equal(rig_list(&rig, &filter, found, 8), 1);
	assert_int_equal(found[0].folded, 2);
	/* an older clock makes no older file */
	rig.now_ns -= 86400 * RIG_S;
	put(&rig, "other", RIG_NOW, 3);
	rig_settle(&rig);
	assert_int_equal(files(&rig), 2);
	rig_store_close(&rig);
	rig_store_open(&rig);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 8), 2);
	rig_close(&rig);
}

static void test_rolls_at_size(void **state)
{
	struct query_filter filter = rig_filter();
	static struct query_alert found[3000];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.day_bytes = 1u << 20;
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 3000; i++)
		put(&rig, "h", RIG_NOW + (int64_t)i, i);
	rig_settle(&rig);
	assert_in_range(files(&rig), 2, 10);
	assert_int_equal(rig_stats(&rig).files, files(&rig));
	assert_int_equal(rig_list(&rig, &filter, found, 3000), 3000);
	for (size_t i = 1; i < 3000; i++)
		assert_true(found[i].alert.time_ns < found[i - 1].alert.time_ns);
	rig_close(&rig);
}

static void test_retention_drops_whole_files(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[8];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.retain_ns = 3 * 86400 * RIG_S;
	rig_store_open(&rig);
	for (int day = 0; day < 6; day++) {
		put(&rig, "h", rig.now_ns, (uint64_t)day);
		rig_settle(&rig);
		rig.now_ns += 86400 * RIG_S;
	}
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 8), 3);
	assert_int_equal(files(&rig), 4);
	rig_store_close(&rig);
	rig_store_open(&rig);
	assert_int_equal(rig_stats(&rig).files, 4);
	rig_close(&rig);
}

/* Both live; what one has stored makes the other drop its batch and read on from there. */
static void test_two_stores_one_is_stale(void **state)
{
	struct query_filter filter = rig_filter();
	static struct query_alert found[64];
	struct store_stats stats;
	struct store *other;
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 2);
	rig.options.batch = 3;
	rig_store_open(&rig);
	assert_int_equal(store_open(&other, &rig.options, rig.now_ns, NULL), 0);
	for (uint64_t i = 0; i < 50; i++) {
		put(&rig, "h", RIG_NOW + (int64_t)i, i);
		assert_true(store_step(i % 3 == 0 ? rig.store : other, rig.now_ns, 0, NULL) >= 0);
		if (i == 25)
			rig.now_ns += 86400 * RIG_S; /* one rolls, the other finds the seal */
	}
	rig_settle(&rig);
	for (int i = 0; i < 10; i++)
		assert_true(store_step(other, rig.now_ns, 0, NULL) >= 0);
	store_stats(other, &stats);
	assert_true(rig_stats(&rig).stale > 0 && stats.stale > 0);
	assert_int_equal(rig_stats(&rig).alerts + stats.alerts, 50);
	assert_int_equal(rig_stats(&rig).repeats + stats.repeats, 0);
	assert_int_equal(rig_list(&rig, &filter, found, 64), 50);
	assert_int_equal(files(&rig), 2);
	store_close(other);
	rig_close(&rig);
}

/* ---- kill ---- */

/* Stores what is on the bus in steps, until somebody kills it or the coin says so. */
_Noreturn static void victim(struct rig *rig, uint64_t seed)
{
	struct store *store;

	rig->options.batch = 1 + rig_random(&seed) % 6;
	if (store_open(&store, &rig->options, rig->now_ns, NULL) != 0)
		_exit(2);
	for (int i = 0; i < 200; i++) {
		if (store_step(
			store, rig->now_ns + rig_random(&seed) % 2 * 86400 * RIG_S, 0, NULL) < 0)
			_exit(3);
		if (rig_random(&seed) % 12 == 0)
			_exit(0); /* nothing closed, nothing said */
	}
	_exit(0);
}

static void test_kill_at_random(void **state)
{
	struct query_filter filter = rig_filter();
	static struct query_alert found[700], again[700];
	uint64_t seed = 42;
	struct rig rig, calm;
	size_t count;

	(void)state;
	rig_open(&rig, 1, 1, 3);
	rig_open(&calm, 1, 1, 3);
	rig.options.fold_default_ns = calm.options.fold_default_ns = 5 * RIG_S;
	rig.options.quick = false;
	for (uint64_t i = 0; i < 600; i++) {
		int64_t at = RIG_NOW + (int64_t)(i / 4) * RIG_S;
		const char *host = i % 4 == 0 ? "a" : i % 4 == 1 ? "b" : "c";

		put(&rig, host, at, i);
		put(&calm, host, at, i);
		if (i % 50 == 49) {
			rig_progress(&rig, TOPIC_EVENTS, at - RIG_S);
			rig_progress(&calm, TOPIC_EVENTS, at - RIG_S);
		}
	}
	for (int round = 0; round < 40; round++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			victim(&rig, seed + (uint64_t)round);
		assert_true(pid > 0);
		usleep(rig_random(&seed) % 12000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	}
	rig.now_ns += 2 * 86400 * RIG_S;
	rig_store_open(&rig);
	rig_settle(&rig);
	rig_store_open(&calm);
	rig_settle(&calm);
	count = rig_list(&calm, &filter, again, 700);
	assert_int_equal(rig_list(&rig, &filter, found, 700), count);
	for (size_t i = 0; i < count; i++) {
		assert_true(hash128_eq(found[i].alert.id, again[i].alert.id));
		assert_int_equal(found[i].alert.count, again[i].alert.count);
		assert_int_equal(found[i].folded, again[i].folded);
		assert_int_equal(found[i].alert.last_ns, again[i].alert.last_ns);
	}
	rig_close(&calm);
	rig_close(&rig);
}

/* What an interrupted roll leaves: a sealed file and nothing after it. */
static void test_interrupted_roll_goes_on(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[8];
	struct day_name *names;
	struct rig rig;
	size_t count;
	char path[600];

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig_store_open(&rig);
	put(&rig, "h", RIG_NOW, 1);
	rig_settle(&rig);
	rig.now_ns += 86400 * RIG_S;
	rig_settle(&rig);
	rig_store_close(&rig);
	assert_int_equal(day_list(rig.arena, rig.path, &names, &count, NULL), 0);
	assert_int_equal(count, 2);
	snprintf(path, sizeof(path), "%s/%s", rig.path, names[1].text);
	assert_int_equal(db_remove(path, NULL), 0);
	put(&rig, "h", RIG_NOW + 1, 2);
	rig_store_open(&rig);
	rig_settle(&rig);
	assert_int_equal(files(&rig), 2);
	assert_int_equal(rig_list(&rig, &filter, found, 8), 2);
	assert_int_equal(rig_stats(&rig).repeats, 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_rolls_at_midnight_and_carries_on),
	    cmocka_unit_test(test_rolls_at_size),
	    cmocka_unit_test(test_retention_drops_whole_files),
	    cmocka_unit_test(test_two_stores_one_is_stale),
	    cmocka_unit_test(test_kill_at_random),
	    cmocka_unit_test(test_interrupted_roll_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
