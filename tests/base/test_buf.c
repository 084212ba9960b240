#include "base/buf.h"

#include "tests/base/alloc_fault.h"
#include "tests/base/unit.h"

static void test_ceiling(void **state)
{
	struct buf buf = BUF(10);

	(void)state;
	buf_str_put(&buf, STR("12345678"));
	buf_str_put(&buf, STR("abc"));
	assert_true(buf.failed);
	assert_str(buf_str(&buf), "12345678");
	buf_char(&buf, '9'); /* would fit, but a failed buffer takes nothing */
	assert_str(buf_str(&buf), "12345678");
	buf_clear(&buf);
	assert_false(buf.failed);
	buf_str_put(&buf, STR("0123456789"));
	assert_false(buf.failed);
	assert_null(buf_extend(&buf, SIZE_MAX));
	buf_free(&buf);
}

/* Room that is not there is no failure; what has failed stays so. */
static void test_room(void **state)
{
	struct buf buf = BUF(10);
	char *room = buf_room(&buf, 8);

	(void)state;
	assert_non_null(room);
	memcpy(room, "12345", 5);
	assert_int_equal(buf.len, 0);
	buf.len += 5;
	assert_null(buf_room(&buf, 8));
	assert_false(buf.failed);
	buf_str_put(&buf, STR("67890"));
	assert_str(buf_str(&buf), "1234567890");
	buf_char(&buf, 'x');
	assert_true(buf.failed);
	assert_null(buf_room(&buf, 1));
	assert_true(buf.failed);
	buf_free(&buf);
}

static void test_little_endian(void **state)
{
	struct buf buf = BUF(100);

	(void)state;
	buf_u8(&buf, 0x01);
	buf_u16(&buf, 0x0302);
	buf_u32(&buf, 0x07060504);
	buf_u64(&buf, 0x0f0e0d0c0b0a0908);
	assert_str(buf_str(&buf), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
	assert_int_equal(get_u16(buf.ptr + 1), 0x0302);
	assert_int_equal(get_u32(buf.ptr + 3), 0x07060504);
	assert_true(get_u64(buf.ptr + 7) == 0x0f0e0d0c0b0a0908);
	buf_clear(&buf);
	buf_printf(&buf, "%s-%d", "x", 5);
	assert_str(buf_str(&buf), "x-5");
	buf_free(&buf);
}

static void test_varint(void **state)
{
	static const struct {
		uint64_t value;
		size_t len;
	} rows[] = {{0, 1}, {127, 1}, {128, 2}, {16383, 2}, {16384, 3}, {UINT32_MAX, 5},
	    {INT64_MAX, 9}, {UINT64_MAX, 10}};
	struct buf buf = BUF(100);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint64_t value = 0;

		buf_clear(&buf);
		buf_varint(&buf, rows[i].value);
		assert_int_equal(buf.len, rows[i].len);
		for (size_t cut = 0; cut < buf.len; cut++) {
			struct str part = str_slice(buf_str(&buf), 0, cut);

			assert_false(take_varint(&part, &value));
		}
		struct str rest = buf_str(&buf);

		assert_true(take_varint(&rest, &value));
		assert_true(value == rows[i].value && rest.len == 0);
	}
	buf_free(&buf);
}

static void test_varint_beyond_64_bits(void **state)
{
	struct str over = STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
	struct str longer = STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
	uint64_t value;

	(void)state;
	assert_false(take_varint(&over, &value));
	assert_false(take_varint(&longer, &value));
}

static void test_take_bytes(void **state)
{
	struct str rest = STR("abcdef"), taken;

	(void)state;
	assert_true(take_bytes(&rest, 2, &taken));
	assert_str(taken, "ab");
	assert_false(take_bytes(&rest, 5, &taken));
	assert_false(take_bytes(&rest, UINT64_MAX, &taken));
	assert_str(rest, "cdef");
}

static void test_no_memory(void **state)
{
	bool refused = true;
	size_t n;

	(void)state;
	alloc_fault_or_skip();
	for (n = 1; refused && n < 50; n++) {
		struct buf buf = BUF(1u << 20);
		long before = alloc_fault_live();

		alloc_fault_arm(n);
		for (size_t i = 0; i < 1000; i++)
			buf_str_put(&buf, STR("0123456789"));
		refused = alloc_fault_disarm();
		assert_int_equal(buf.failed, refused);
		assert_int_equal(buf.len % 10, 0);
		buf_free(&buf);
		assert_int_equal(alloc_fault_live(), before);
	}
	assert_false(refused);
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ceiling),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_little_endian),
	    cmocka_unit_test(test_varint),
	    cmocka_unit_test(test_varint_beyond_64_bits),
	    cmocka_unit_test(test_take_bytes),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
