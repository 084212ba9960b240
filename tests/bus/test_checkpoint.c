/* The checkpoint: fence between processes, order of the outbox, and what a death leaves. */
#include "bus/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256], path[300];

static int setup(void **state)
{
	const char *where = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/tocsin-XXXXXX", where != NULL ? where : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/correlate.mdb", folder);
	return 0;
}

static int teardown(void **state)
{
	char lock[320];

	(void)state;
	snprintf(lock, sizeof(lock), "%s-lock", path);
	unlink(path);
	unlink(lock);
	return rmdir(folder);
}

static struct checkpoint *open_checkpoint(const char *at)
{
	struct checkpoint *checkpoint = NULL;
	struct error error = {0};
	int code = checkpoint_open(&checkpoint, at, "correlate", &error);

	if (code != 0)
		fprintf(stderr, "# %s\n", error.text);
	assert_int_equal(code, 0);
	return checkpoint;
}

static uint64_t offset_of(struct checkpoint *checkpoint, uint32_t partition)
{
	struct error error = {0};
	uint64_t offset = 0;

	assert_int_equal(
	    checkpoint_offset(checkpoint, TOPIC_EVENTS, partition, &offset, &error), 0);
	return offset;
}

struct rows {
	uint64_t count, stop_after, last;
	char text[512];
};

static bool collect(void *context, const struct outbox_row *row)
{
	struct rows *rows = context;
	size_t len = strlen(rows->text);

	assert_true(rows->count == 0 || row->sequence > rows->last);
	rows->last = row->sequence;
	snprintf(rows->text + len, sizeof(rows->text) - len, "%u/%.*s/%u:%.*s=%.*s ", row->owner,
	    STR_ARG(bus_topic_name(row->topic)), row->partition, STR_ARG(row->key),
	    STR_ARG(row->value));
	return ++rows->count != rows->stop_after;
}

/* ---- offsets ---- */

static void test_an_offset_moves_only_by_comparison(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct error error = {0};

	(void)state;
	assert_true(offset_of(checkpoint, 0) == UINT64_MAX);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(
	    checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, UINT64_MAX, 10, &error), 0);
	assert_int_equal(checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, 10, 12, &error), 0);
	assert_int_equal(offset_of(checkpoint, 0), 12);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	assert_int_equal(offset_of(checkpoint, 0), 12);
	assert_true(offset_of(checkpoint, 1) == UINT64_MAX);
	static const uint64_t wrong[] = {UINT64_MAX, 0, 10, 11, 13};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
		assert_int_equal(checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, wrong[i], 20,
		    &error), ERR_STALE);
		error_clear(&error);
		checkpoint_abort(checkpoint);
	}
	assert_int_equal(offset_of(checkpoint, 0), 12);
	checkpoint_close(checkpoint);
}

static void test_another_stage_is_refused(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct error error = {0};

	(void)state;
	checkpoint_close(checkpoint);
	assert_int_equal(checkpoint_open(&checkpoint, path, "store", &error), ERR_FOREIGN);
}

/*
 * A worker that believes in position and adds one alert a step, in a process of its own. It reports
 * how many steps its fence let through.
 */
static int worker_steps(bool compare, unsigned steps)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct error error = {0};
	uint64_t position = offset_of(checkpoint, 0), sequence;
	int done = 0;

	for (unsigned i = 0; i < steps; i++) {
		if (checkpoint_begin(checkpoint, &error) != 0)
			_exit(100);
		uint64_t expected = compare ? position : offset_of(checkpoint, 0);
		int code = checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, expected, position + 1,
		    &error);

		if (code == ERR_STALE) {
			error_clear(&error);
			checkpoint_abort(checkpoint);
			position = offset_of(checkpoint, 0);
			continue;
		}
		char name[24];
		int len = snprintf(name, sizeof(name), "alert %lu", position);

		if (code != 0 || checkpoint_outbox_put(checkpoint, 0, TOPIC_ALERTS, 0, STR(""),
		    str_from(name, (size_t)len), &sequence, &error) != 0 ||
		    checkpoint_commit(checkpoint, &error) != 0)
			_exit(101);
		position++;
		done++;
	}
	checkpoint_close(checkpoint);
	return done;
}

static bool count_doubles(void *context, const struct outbox_row *row)
{
	struct { char last[32]; unsigned doubles; } *seen = context;
	char name[32];

	snprintf(name, sizeof(name), "%.*s", STR_ARG(row->value));
	seen->doubles += strcmp(name, seen->last) == 0;
	memcpy(seen->last, name, sizeof(name));
	return true;
}

/*
 * Two processes hold the same position; the first goes on by three while the second is frozen, then
 * the second wakes and works from its old belief.
 */
static unsigned doubles_after_a_zombie(bool compare)
{
	int go[2], ready[2];
	char byte = 0;
	int status;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(ready), 0);
	struct checkpoint *first = open_checkpoint(path);
	struct error error = {0};

	assert_int_equal(checkpoint_begin(first, &error), 0);
	assert_int_equal(checkpoint_advance(first, TOPIC_EVENTS, 0, UINT64_MAX, 0, &error), 0);
	assert_int_equal(checkpoint_commit(first, &error), 0);
	checkpoint_close(first);
	pid_t zombie = fork();

	if (zombie == 0) {
		struct checkpoint *checkpoint = open_checkpoint(path);
		uint64_t position = offset_of(checkpoint, 0), sequence;

		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(100);
		if (checkpoint_begin(checkpoint, &error) != 0)
			_exit(101);
		uint64_t expected = compare ? position : offset_of(checkpoint, 0);
		int code = checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, expected, position + 1,
		    &error);

		if (code == ERR_STALE)
			_exit(1);
		if (code != 0 || checkpoint_outbox_put(checkpoint, 0, TOPIC_ALERTS, 0, STR(""),
		    STR("alert 0"), &sequence, &error) != 0 || checkpoint_commit(checkpoint, &error) != 0)
			_exit(102);
		_exit(0);
	}
	assert_true(zombie > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	pid_t healthy = fork();

	if (healthy == 0)
		_exit(worker_steps(true, 1));
	assert_int_equal(waitpid(healthy, &status, 0), healthy);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(zombie, &status, 0), zombie);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), compare ? 1 : 0);
	close(go[0]), close(go[1]), close(ready[0]), close(ready[1]);
	struct { char last[32]; unsigned doubles; } seen = {0};
	struct checkpoint *checkpoint = open_checkpoint(path);

	assert_int_equal(checkpoint_outbox_each(checkpoint, 0, count_doubles, &seen, &error), 0);
	checkpoint_close(checkpoint);
	return seen.doubles;
}

static void test_a_woken_zombie_is_stale(void **state)
{
	(void)state;
	assert_int_equal(doubles_after_a_zombie(true), 0);
}

/* The test of the test: a worker that does not compare does double. */
static void test_without_the_comparison_the_zombie_doubles(void **state)
{
	(void)state;
	assert_int_equal(doubles_after_a_zombie(false), 1);
}

static void test_two_workers_race_and_each_step_counts_once(void **state)
{
	int status;
	unsigned done = 0;
	pid_t children[2];
	struct error error = {0};
	struct { char last[32]; unsigned doubles; } seen = {0};

	(void)state;
	struct checkpoint *checkpoint = open_checkpoint(path);

	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, UINT64_MAX, 0, &error), 0);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	checkpoint_close(checkpoint);
	for (int i = 0; i < 2; i++)
		if ((children[i] = fork()) == 0)
			_exit(worker_steps(true, 60));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 60);
		done += (unsigned)WEXITSTATUS(status);
	}
	checkpoint = open_checkpoint(path);
	assert_int_equal(offset_of(checkpoint, 0), done);
	assert_true(done >= 60);
	assert_int_equal(checkpoint_outbox_each(checkpoint, 0, count_doubles, &seen, &error), 0);
	assert_int_equal(seen.doubles, 0);
	checkpoint_close(checkpoint);
}

/* ---- outbox ---- */

static uint64_t put(struct checkpoint *checkpoint, uint32_t owner, struct str key, struct str value)
{
	struct error error = {0};
	uint64_t sequence = UINT64_MAX;

	assert_int_equal(checkpoint_outbox_put(checkpoint, owner, TOPIC_DETECTIONS, owner + 1, key,
	    value, &sequence, &error), 0);
	return sequence;
}

static void test_the_outbox_keeps_its_order(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct rows rows = {0}, some = {.stop_after = 1}, later = {0};
	struct error error = {0};

	(void)state;
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	uint64_t a = put(checkpoint, 0, STR("ha-giang"), STR("one"));
	uint64_t b = put(checkpoint, 1, STR(""), STR("two"));
	uint64_t c = put(checkpoint, 0, STR("ca-mau"), STR(""));

	assert_true(a < b && b < c);
	assert_int_equal(checkpoint_outbox_each(checkpoint, 0, collect, &rows, &error), 0);
	assert_int_equal(rows.count, 0);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	assert_int_equal(checkpoint_outbox_each(checkpoint, 0, collect, &rows, &error), 0);
	assert_string_equal(rows.text, "0/detections/1:ha-giang=one 1/detections/2:=two "
	    "0/detections/1:ca-mau= ");
	assert_int_equal(checkpoint_outbox_each(checkpoint, b, collect, &some, &error), 0);
	assert_string_equal(some.text, "1/detections/2:=two ");
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(checkpoint_outbox_delete(checkpoint, b, &error), 0);
	assert_int_equal(checkpoint_outbox_delete(checkpoint, b, &error), 0);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	assert_int_equal(checkpoint_outbox_each(checkpoint, b, collect, &later, &error), 0);
	assert_string_equal(later.text, "0/detections/1:ca-mau= ");
	checkpoint_close(checkpoint);
}

static void test_a_sequence_is_never_used_again(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct error error = {0};
	uint64_t last = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
		uint64_t sequence = put(checkpoint, 0, STR("k"), STR("v"));

		assert_true(round == 0 || sequence > last);
		last = sequence;
		assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
		assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
		assert_int_equal(checkpoint_outbox_delete(checkpoint, sequence, &error), 0);
		assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
		checkpoint_close(checkpoint);
		checkpoint = open_checkpoint(path);
	}
	checkpoint_close(checkpoint);
}

static void test_the_largest_record_fits(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	char *bytes = calloc(1, BUS_RECORD_MAX);
	struct error error = {0};

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	put(checkpoint, 0, STR("k"), str_from(bytes, BUS_RECORD_MAX - 1));
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	checkpoint_close(checkpoint);
	free(bytes);
}

/* ---- state and gaps ---- */

static void test_state_comes_back_whole(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct buf out = BUF(4 << 20);
	struct error error = {0};
	size_t size = 3 << 20;
	char *large = malloc(size);

	(void)state;
	assert_non_null(large);
	memset(large, 'w', size);
	assert_int_equal(
	    checkpoint_state_get(checkpoint, STR("windows"), &out, &error), ERR_MISSING);
	error_clear(&error);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(checkpoint_state_put(checkpoint, STR("windows"), str_from(large, size),
	    &error), 0);
	assert_int_equal(checkpoint_state_put(checkpoint, STR("rules"), STR("v1"), &error), 0);
	assert_int_equal(checkpoint_state_put(checkpoint, STR("rules"), STR("v\0002"), &error), 0);
	assert_int_equal(checkpoint_state_get(checkpoint, STR("rules"), &out, &error), 0);
	assert_true(str_eq(buf_str(&out), STR("v\0002")));
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	checkpoint_close(checkpoint);
	checkpoint = open_checkpoint(path);
	assert_int_equal(checkpoint_state_get(checkpoint, STR("windows"), &out, &error), 0);
	assert_true(str_eq(buf_str(&out), str_from(large, size)));
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(checkpoint_state_delete(checkpoint, STR("windows"), &error), 0);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	assert_int_equal(
	    checkpoint_state_get(checkpoint, STR("windows"), &out, &error), ERR_MISSING);
	checkpoint_close(checkpoint);
	buf_free(&out);
	free(large);
}

struct told {
	char names[128];
	size_t left; /* of visits */
};

static bool tell(void *context, struct str name, struct str value)
{
	struct told *told = context;
	size_t used = strlen(told->names);

	snprintf(told->names + used, sizeof(told->names) - used, "%.*s=%.*s ", STR_ARG(name),
	    STR_ARG(value));
	return --told->left > 0;
}

static void test_state_is_told_by_the_beginning_of_its_name(void **state)
{
	static const char *const names[] = {"rules/1", "rules/0", "rulesets", "rule", "seen/0"};
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct told all = {.left = 9}, one = {.left = 1}, none = {.left = 9}, open = {.left = 9};

	(void)state;
	assert_int_equal(checkpoint_state_each(checkpoint, STR("rules/"), tell, &none, NULL), 0);
	assert_int_equal(checkpoint_begin(checkpoint, NULL), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(checkpoint_state_put(checkpoint, str_of(names[i]), STR("v"),
		    NULL), 0);
	assert_int_equal(checkpoint_state_each(checkpoint, STR("rules/"), tell, &open, NULL), 0);
	assert_int_equal(checkpoint_commit(checkpoint, NULL), 0);
	assert_int_equal(checkpoint_state_each(checkpoint, STR("rules"), tell, &all, NULL), 0);
	assert_int_equal(checkpoint_state_each(checkpoint, STR("rules"), tell, &one, NULL), 0);
	assert_int_equal(checkpoint_state_each(checkpoint, STR("z"), tell, &none, NULL), 0);
	assert_string_equal(none.names, "");
	assert_string_equal(open.names, "rules/0=v rules/1=v ");
	assert_string_equal(all.names, "rules/0=v rules/1=v rulesets=v ");
	assert_string_equal(one.names, "rules/0=v ");
	checkpoint_close(checkpoint);
}

static void test_gaps_are_kept_and_counted_once(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct error error = {0};
	uint64_t count = 9;

	(void)state;
	assert_int_equal(checkpoint_gaps(checkpoint, &count, &error), 0);
	assert_int_equal(count, 0);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(checkpoint_gap(checkpoint, TOPIC_EVENTS, 0, 5, 9, &error), 0);
	assert_int_equal(checkpoint_gap(checkpoint, TOPIC_EVENTS, 0, 5, 9, &error), 0);
	assert_int_equal(checkpoint_gap(checkpoint, TOPIC_EVENTS, 1, 5, 9, &error), 0);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	checkpoint_close(checkpoint);
	checkpoint = open_checkpoint(path);
	assert_int_equal(checkpoint_gaps(checkpoint, &count, &error), 0);
	assert_int_equal(count, 2);
	checkpoint_close(checkpoint);
}

static void test_a_memory_checkpoint_leaves_nothing(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(NULL);
	struct error error = {0};

	(void)state;
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, UINT64_MAX, 3, &error), 0);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	assert_int_equal(offset_of(checkpoint, 0), 3);
	checkpoint_close(checkpoint);
	checkpoint = open_checkpoint(NULL);
	assert_true(offset_of(checkpoint, 0) == UINT64_MAX);
	checkpoint_close(checkpoint);
}

/* ---- death ---- */

static const unsigned last_step = 5;

/* One batch, dying after so many steps; last_step is after the commit. */
static _Noreturn void die_after(unsigned steps)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct error error = {0};
	uint64_t sequence;

	for (unsigned step = 0; step < steps; step++) {
		int code = 0;

		switch (step) {
		case 0:
			code = checkpoint_begin(checkpoint, &error);
			break;
		case 1:
			code =
			    checkpoint_advance(checkpoint, TOPIC_EVENTS, 0, UINT64_MAX, 7, &error);
			break;
		case 2:
			code = checkpoint_outbox_put(checkpoint, 0, TOPIC_ALERTS, 0, STR("k"),
			    STR("v"), &sequence, &error);
			break;
		case 3:
			code = checkpoint_state_put(checkpoint, STR("s"), STR("v"), &error);
			break;
		default:
			code = checkpoint_commit(checkpoint, &error);
			break;
		}
		if (code != 0)
			_exit(1);
	}
	kill(getpid(), SIGKILL);
	_exit(2);
}

static void test_death_leaves_all_or_nothing(void **state)
{
	int status;

	(void)state;
	for (unsigned steps = 0; steps <= last_step; steps++) {
		pid_t child = fork();

		if (child == 0)
			die_after(steps);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		struct checkpoint *checkpoint = open_checkpoint(path);
		struct rows rows = {0};
		struct buf out = BUF(64);
		struct error error = {0};
		bool whole = steps == last_step;

		assert_true(offset_of(checkpoint, 0) == (whole ? 7 : UINT64_MAX));
		assert_int_equal(checkpoint_outbox_each(checkpoint, 0, collect, &rows, &error), 0);
		assert_int_equal(rows.count, whole ? 1 : 0);
		assert_int_equal(checkpoint_state_get(checkpoint, STR("s"), &out, &error),
		    whole ? 0 : ERR_MISSING);
		buf_free(&out);
		checkpoint_close(checkpoint);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static uint64_t rows_seen(struct checkpoint *checkpoint);

/* Offsets of another bus are not used; alerts that nobody has sent yet are. */
static void test_another_bus_and_another_site(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	struct error error = {0};
	struct buf out = BUF(64);
	uint64_t sequence, gaps;
	bool is_new = true;

	(void)state;
	assert_int_equal(checkpoint_bind(checkpoint, 7, STR("one"), &is_new, &error), 0);
	assert_false(is_new);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(checkpoint_advance(checkpoint, TOPIC_EVENTS, i, UINT64_MAX,
		    100 + i, &error), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(checkpoint_outbox_put(checkpoint, 0,
		    i % 2 == 0 ? TOPIC_ALERTS : TOPIC_DETECTIONS, 0, STR("k"), STR("v"), &sequence,
		    &error), 0);
	assert_int_equal(checkpoint_state_put(checkpoint, STR("seen/0"), STR("s"), &error), 0);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	assert_int_equal(checkpoint_bind(checkpoint, 7, STR("one"), &is_new, &error), 0);
	assert_false(is_new);
	assert_int_equal(offset_of(checkpoint, 2), 102);
	assert_int_equal(checkpoint_bind(checkpoint, 8, STR("one"), &is_new, &error), ERR_FOREIGN);
	error_clear(&error);
	assert_int_equal(checkpoint_bind(checkpoint, 7, STR("two"), &is_new, &error), 0);
	assert_true(is_new);
	assert_true(offset_of(checkpoint, 2) == UINT64_MAX);
	assert_int_equal(rows_seen(checkpoint), 3);
	assert_int_equal(checkpoint_state_get(checkpoint, STR("seen/0"), &out, NULL), ERR_MISSING);
	assert_int_equal(checkpoint_gaps(checkpoint, &gaps, &error), 0);
	assert_int_equal(gaps, 3);
	buf_free(&out);
	checkpoint_close(checkpoint);
}

static bool row_is_alert(void *context, const struct outbox_row *row)
{
	*(uint64_t *)context += row->topic == TOPIC_ALERTS ? 1 : 100;
	return true;
}

static uint64_t rows_seen(struct checkpoint *checkpoint)
{
	uint64_t count = 0;

	assert_int_equal(checkpoint_outbox_each(checkpoint, 0, row_is_alert, &count, NULL), 0);
	return count;
}

static int row_at(struct checkpoint *checkpoint, const char *from, const char *prefix,
    struct checkpoint_row *ret)
{
	return checkpoint_row_next(
	    checkpoint, CHECKPOINT_ORDER, str_of(from), str_of(prefix), ret, NULL);
}

static bool row_is(const struct checkpoint_row *row, const char *key, const char *value)
{
	return str_eq(str_from(row->key, row->key_len), str_of(key)) &&
	    str_eq(str_from(row->value, row->value_len), str_of(value));
}

/* Two tables apart, in the order of their keys; what was not committed is not there. */
static void test_rows_stand_in_their_order(void **state)
{
	struct checkpoint *checkpoint = open_checkpoint(path);
	static const char *const keys[] = {"b2", "a1", "b1", "c"};
	struct checkpoint_row row;
	struct error error = {0};
	bool is_new;

	(void)state;
	assert_int_equal(checkpoint_bind(checkpoint, 7, STR("one"), &is_new, &error), 0);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(checkpoint_row_put(checkpoint, CHECKPOINT_ORDER, str_of(keys[i]),
		    STR("v"), &error), 0);
	assert_int_equal(checkpoint_row_put(checkpoint, CHECKPOINT_MEMORY, STR("b1"), STR(""),
	    &error), 0);
	assert_int_equal(row_at(checkpoint, "b", "b", &row), CHECKPOINT_ROW);
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	assert_int_equal(checkpoint_row_put(checkpoint, CHECKPOINT_ORDER, STR("b0"), STR("x"),
	    &error), 0);
	checkpoint_abort(checkpoint);
	checkpoint_close(checkpoint);
	checkpoint = open_checkpoint(path);
	/* another bus: these rows stay */
	assert_int_equal(checkpoint_bind(checkpoint, 7, STR("two"), &is_new, &error), 0);
	assert_true(is_new);
	assert_int_equal(row_at(checkpoint, "b", "b", &row), CHECKPOINT_ROW);
	assert_true(row_is(&row, "b1", "v"));
	assert_int_equal(row_at(checkpoint, "b2", "b", &row), CHECKPOINT_ROW);
	assert_true(row_is(&row, "b2", "v"));
	assert_int_equal(row_at(checkpoint, "b3", "b", &row), CHECKPOINT_NO_ROW);
	assert_int_equal(row_at(checkpoint, "d", "d", &row), CHECKPOINT_NO_ROW);
	assert_int_equal(checkpoint_row_get(checkpoint, CHECKPOINT_MEMORY, STR("b1"), &row, &error),
	    CHECKPOINT_ROW);
	assert_int_equal(row.value_len, 0);
	assert_int_equal(checkpoint_row_get(checkpoint, CHECKPOINT_MEMORY, STR("b2"), &row, &error),
	    CHECKPOINT_NO_ROW);
	assert_int_equal(checkpoint_begin(checkpoint, &error), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(checkpoint_row_delete(checkpoint, CHECKPOINT_ORDER, STR("b1"),
		    &error), 0);
	assert_int_equal(row_at(checkpoint, "b", "b", &row), CHECKPOINT_ROW);
	assert_true(row_is(&row, "b2", "v"));
	assert_int_equal(checkpoint_commit(checkpoint, &error), 0);
	checkpoint_close(checkpoint);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_an_offset_moves_only_by_comparison),
		TEST(test_another_stage_is_refused),
		TEST(test_a_woken_zombie_is_stale),
		TEST(test_without_the_comparison_the_zombie_doubles),
		TEST(test_two_workers_race_and_each_step_counts_once),
		TEST(test_the_outbox_keeps_its_order),
		TEST(test_a_sequence_is_never_used_again),
		TEST(test_the_largest_record_fits),
		TEST(test_state_comes_back_whole),
		TEST(test_state_is_told_by_the_beginning_of_its_name),
		TEST(test_gaps_are_kept_and_counted_once),
		TEST(test_a_memory_checkpoint_leaves_nothing),
		TEST(test_death_leaves_all_or_nothing),
		TEST(test_another_bus_and_another_site),
		TEST(test_rows_stand_in_their_order),
	};

	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
