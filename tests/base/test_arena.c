#include "base/arena.h"

#include "tests/base/alloc_fault.h"
#include "tests/base/unit.h"

static void test_ceiling_marks_until_reset(void **state)
{
	struct arena *arena = arena_new(1024);

	(void)state;
	assert_non_null(arena_alloc(arena, 1000));
	assert_null(arena_alloc(arena, 100));
	assert_true(arena_failed(arena));
	assert_int_equal(arena_used(arena), 1008); /* rounded up to 16 */
	arena_reset(arena);
	assert_false(arena_failed(arena));
	assert_int_equal(arena_used(arena), 0);
	assert_non_null(arena_alloc(arena, 1024));
	assert_null(arena_alloc(arena, SIZE_MAX));
	arena_free(arena);
	arena_free(NULL);
}

static void test_pieces_do_not_overlap(void **state)
{
	struct arena *arena = arena_new(8u << 20);
	unsigned char *pieces[300];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		pieces[i] = arena_alloc(arena, i * 17);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i & 0xff), i * 17);
	}
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		for (size_t at = 0; at < i * 17; at++)
			assert_int_equal(pieces[i][at], i & 0xff);
	}
	arena_free(arena);
}

static void test_copies(void **state)
{
	struct arena *arena = arena_new(4096);
	char bytes[] = "a\0b";
	struct str copy = arena_dup(arena, str_from(bytes, 3));

	(void)state;
	bytes[0] = 'x';
	assert_str(copy, "a\0b");
	assert_string_equal(arena_cstr(arena, STR("tinh")), "tinh");
	assert_non_null(arena_dup(arena, STR_NONE).ptr);
	assert_str(arena_printf(arena, "%d/%s", 7, "x"), "7/x");
	assert_str(arena_join(arena, STR("tinh"), '.', STR("xa")), "tinh.xa");
	assert_str(arena_join(arena, STR_NONE, '_', STR_NONE), "_");
	const unsigned char *zero = arena_zalloc(arena, 64);

	for (size_t i = 0; i < 64; i++)
		assert_int_equal(zero[i], 0);
	assert_null(arena_array(arena, SIZE_MAX / 2, 3));
	assert_true(arena_failed(arena));
	arena_free(arena);
}

static void test_no_memory(void **state)
{
	bool refused = true;
	size_t n;

	(void)state;
	alloc_fault_or_skip();
	for (n = 1; refused && n < 50; n++) {
		long before = alloc_fault_live();

		alloc_fault_arm(n);
		struct arena *arena = arena_new(1u << 20);
		bool got = arena != NULL;

		for (size_t i = 0; got && i < 10; i++)
			got = arena_alloc(arena, 10000) != NULL;
		bool failed = arena == NULL || arena_failed(arena);

		arena_free(arena);
		refused = alloc_fault_disarm();
		assert_int_equal(failed, refused);
		assert_int_equal(got, !refused);
		assert_int_equal(alloc_fault_live(), before);
	}
	assert_false(refused);
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ceiling_marks_until_reset),
	    cmocka_unit_test(test_pieces_do_not_overlap),
	    cmocka_unit_test(test_copies),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
