/*
 * How a window keeps its marks, beside a plain list of them: rings, chains, what comes late, what
 * is renewed, and what is left when memory is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlator/evidence.h"
#include "tests/base/alloc_fault.c" /* this program's allocator alone is to refuse */

#define MODEL_MAX 5000u

struct model {
	struct mark marks[MODEL_MAX];
	uint32_t count;
};

static struct window_table table;

static void model_drop(struct model *model, uint32_t index)
{
	model->count--;
	memmove(&model->marks[index], &model->marks[index + 1],
	    (model->count - index) * sizeof(model->marks[0]));
}

static void model_insert(struct model *model, const struct mark *mark)
{
	uint32_t at = model->count++;

	for (; at > 0 && mark_compare(&model->marks[at - 1], mark) > 0; at--)
		model->marks[at] = model->marks[at - 1];
	model->marks[at] = *mark;
}

static enum renew_result model_renew(struct model *model, const struct mark *mark)
{
	for (uint32_t i = 0; i < model->count; i++) {
		if (model->marks[i].value != mark->value)
			continue;
		if (mark_compare(&model->marks[i], mark) >= 0)
			return RENEW_LATE;
		model_drop(model, i);
		break;
	}
	model_insert(model, mark);
	return RENEW_DONE;
}

static void marks_equal(const struct mark *a, const struct mark *b)
{
	assert_int_equal(mark_compare(a, b), 0);
	assert_true(a->value == b->value && a->rule == b->rule && a->used == b->used);
	assert_true(a->position.partition == b->position.partition &&
	    a->position.offset == b->position.offset && a->position.index == b->position.index);
	assert_ptr_equal(a->parts, b->parts);
}

static void model_holds(const struct model *model, const struct window *window)
{
	assert_int_equal(window->count, model->count);
	for (uint32_t i = 0; i < model->count; i++) {
		struct mark mark = window_mark(window, i);

		marks_equal(&mark, &model->marks[i]);
	}
	if (model->count == 0)
		return;
	/* Here and there, and backwards. */
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t at = (uint32_t)rand() % model->count;
		struct mark mark = window_mark(window, at);

		marks_equal(&mark, &model->marks[at]);
	}
}

static struct mark mark_some(int64_t time_ns, uint64_t number, uint64_t value)
{
	return (struct mark){.time_ns = time_ns, .at = {number % 3, number % 7, number},
	    .position = {(uint32_t)(number % 5), number * 3, (uint32_t)number & 63},
	    .value = value, .rule = (uint32_t)number & 0xffff, .used = number & 1};
}

/* Late by less than what is carried, so that the plain list does the same. */
static void any_order(uint32_t most, bool distinct)
{
	static struct model model;
	struct window *window = window_get(&table, 0, STR("k"));
	int64_t now = 0;

	model.count = 0;
	for (uint64_t i = 0; i < 20u * most + 200u; i++) {
		now += rand() % 4;
		struct mark mark = mark_some(now - rand() % (rand() % 50 ? 3 : 100), i,
		    (uint64_t)rand() % (most + most / 2 + 1));

		if (distinct)
			assert_int_equal(window_renew(window, &mark), model_renew(&model, &mark));
		else if (assert_true(window_insert(window, &mark)), true)
			model_insert(&model, &mark);
		while (model.count > most) {
			uint32_t at = rand() % 3 ? 0 : (uint32_t)rand() % model.count;

			window_drop(window, at);
			model_drop(&model, at);
		}
		if (rand() % 20 == 0) {
			window_drop_before(window, now - (int64_t)most);
			while (model.count > 0 && model.marks[0].time_ns < now - (int64_t)most)
				model_drop(&model, 0);
		}
		if (i % (most / 4 + 1) == 0)
			model_holds(&model, window);
	}
	model_holds(&model, window);
	window_remove(&table, window);
}

static void test_marks_as_a_plain_list(void **state)
{
	static const uint32_t most[] = {1, 2, 3, 4, 5, 11, 12, 13, 24, 25, 100, 400};

	(void)state;
	srand(7);
	assert_true(window_table_begin(&table, 1, 100000));
	for (size_t i = 0; i < sizeof(most) / sizeof(*most); i++) {
		any_order(most[i], false);
		any_order(most[i], true);
	}
	assert_int_equal(table.pool.taken, 0);
	assert_int_equal(table.marks_late, 0);
	window_table_end(&table);
}

/* A mark that would be carried past hundreds is left out and counted; the cost is bounded. */
static void test_what_comes_far_too_late(void **state)
{
	(void)state;
	assert_true(window_table_begin(&table, 1, 100));
	for (unsigned chained = 0; chained < 2; chained++) {
		struct window *window = window_get(&table, 0, STR("k"));

		for (uint64_t i = 0; i < 600; i++) {
			struct mark mark = mark_some((int64_t)i, i, i);

			if (chained)
				assert_int_equal(window_renew(window, &mark), RENEW_DONE);
			else
				assert_true(window_insert(window, &mark));
		}
		struct mark late = mark_some(86, 1000, 1000), later = mark_some(87, 1001, 1001);

		assert_true(window_insert(window, &late));
		assert_int_equal(window->count, 600);
		assert_int_equal(table.marks_late, 1 + chained);
		assert_true(window_insert(window, &later));
		assert_int_equal(window->count, 601);
		assert_int_equal(table.marks_late, 1 + chained);
		window_remove(&table, window);
	}
	window_table_end(&table);
}

static struct parts *parts_some(void)
{
	struct parts *parts = calloc(1, sizeof(*parts) + sizeof(parts->list[0]));

	if (parts != NULL) {
		parts->references = 1;
		parts->count = 1;
	}
	return parts;
}

static void all_given_back(void)
{
	for (uint32_t list = 0; list < table.order.list_count; list++)
		window_expire(&table, list, INT64_MAX);
	assert_int_equal(table.count, 0);
	assert_int_equal(table.pool.taken, 0);
}

/* Parts live as long as the last mark that has them, however it goes. */
static void test_parts_are_shared(void **state)
{
	struct parts *parts = parts_some();

	(void)state;
	assert_true(window_table_begin(&table, 2, 100));
	for (unsigned i = 0; i < 40; i++) {
		struct window *ring = window_get(&table, 0, i % 2 ? STR("a") : STR("b"));
		struct window *chain = window_get(&table, 1, i % 2 ? STR("a") : STR("b"));
		struct mark mark = mark_some((int64_t)i, i, i / 4);

		mark.parts = i % 3 ? parts : NULL;
		assert_true(window_insert(ring, &mark));
		assert_int_equal(window_renew(chain, &mark), RENEW_DONE);
		if (i % 5 == 0)
			window_drop(ring, ring->count / 2);
		if (i % 7 == 0)
			window_drop_first(chain);
		if (i % 11 == 0 && ring->count > 0)
			assert_true(window_mark_set(ring, 0, &mark));
	}
	unsigned held = 0;

	for (uint32_t list = 0; list < 2; list++)
		for (const struct window *window = window_oldest(&table, list); window != NULL;
		     window = window_newer(window))
			for (uint32_t i = 0; i < window->count; i++)
				held += window_mark(window, i).parts != NULL;
	assert_true(held > 10);
	assert_int_equal(parts->references, 1 + held);
	window_remove(&table, window_find(&table, 0, STR("a")));
	window_remove(&table, window_find(&table, 1, STR("b")));
	assert_true(parts->references > 1 && parts->references < 1 + held);
	all_given_back();
	assert_int_equal(parts->references, 1);
	window_table_end(&table);
	parts_release(parts);
}

/* ---- memory that is refused ---- */

static void key_some(char key[64], unsigned number)
{
	snprintf(key, 64, "198.51.100.%u", number);
}

/* False as soon as something was refused. */
static bool use_all(unsigned keys, struct parts *parts, struct arena *arena)
{
	char key[64];

	for (unsigned i = 0; i < 4000; i++) {
		key_some(key, i % keys);
		struct window *window = window_get(&table, i % 2, str_of(key));
		struct mark mark = mark_some((int64_t)i, i, i / keys % 40);

		mark.parts = i % 31 == 0 ? parts : NULL;
		if (window == NULL)
			return false;
		if (i % 2 ? !window_insert(window, &mark) : window_renew(window, &mark) < 0)
			return false;
		if (window->count == 41)
			window_remove(&table, window);
	}
	struct parts *evidence = evidence_collect(window_oldest(&table, 1), arena);

	parts_release(evidence);
	return evidence != NULL;
}

/* After a refusal everything that is there can be read, used on and given back. */
static void still_whole(void)
{
	size_t count = 0;

	for (uint32_t list = 0; list < table.order.list_count; list++)
		for (struct window *window = window_oldest(&table, list); window != NULL;
		     window = window_newer(window)) {
			struct str key = window_key(window);

			assert_ptr_equal(window_find(&table, list, key), window);
			for (uint32_t i = 1; i < window->count; i++) {
				struct mark a = window_mark(window, i - 1);
				struct mark b = window_mark(window, i);

				assert_true(mark_compare(&a, &b) < 0);
			}
			count++;
		}
	assert_int_equal(count, table.count);
}

/* It keeps its block from the first use on. */
static struct arena *arena_used_once(void)
{
	struct arena *arena = arena_new(1 << 20);

	assert_non_null(arena_alloc(arena, 100000));
	arena_reset(arena);
	return arena;
}

static void used_to_the_end(struct parts *parts, struct arena *arena, long before)
{
	still_whole();
	/* What was refused once may come later. */
	assert_true(use_all(97, parts, arena));
	still_whole();
	all_given_back();
	window_table_end(&table);
	assert_int_equal(parts->references, 1);
	assert_int_equal(alloc_fault_live(), before);
	arena_reset(arena);
}

static void test_memory_that_is_refused(void **state)
{
	bool fails = true;
	unsigned failures = 0;

	(void)state;
	alloc_fault_or_skip();
	struct arena *arena = arena_used_once();
	struct parts *parts = parts_some();
	long before = alloc_fault_live();

	for (size_t n = 1; fails; n++) {
		alloc_fault_arm(n);
		bool begun = window_table_begin(&table, 2, 80);
		bool done = begun && use_all(97, parts, arena);

		fails = alloc_fault_disarm();
		failures += fails;
		assert_true(fails || done);
		if (begun)
			used_to_the_end(parts, arena, before);
		else
			window_table_end(&table);
		assert_int_equal(alloc_fault_live(), before);
	}
	assert_true(failures >= 5);
	parts_release(parts);
	arena_free(arena);
}

/* The chunk is full at each line in turn, and there is no other. Few keys: the index is to do. */
static void test_a_pool_that_is_full(void **state)
{
	(void)state;
	alloc_fault_or_skip();
	struct arena *arena = arena_used_once();
	struct parts *parts = parts_some();
	long before = alloc_fault_live();

	for (uint32_t lines = 0; lines < 1000; lines += lines < 700 ? 1 : 37) {
		assert_true(window_table_begin(&table, 2, 80));
		assert_non_null(window_get(&table, 0, STR("first")));
		table.pool.end = table.pool.next + lines;
		alloc_fault_arm(1);
		assert_false(use_all(23, parts, arena));
		alloc_fault_disarm();
		used_to_the_end(parts, arena, before);
	}
	parts_release(parts);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_marks_as_a_plain_list),
	    cmocka_unit_test(test_what_comes_far_too_late),
	    cmocka_unit_test(test_parts_are_shared),
	    cmocka_unit_test(test_memory_that_is_refused),
	    cmocka_unit_test(test_a_pool_that_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
