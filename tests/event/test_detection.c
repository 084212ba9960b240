#include "tests/event/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void same_str(struct str a, struct str b)
{
	assert_int_equal(a.ptr == NULL, b.ptr == NULL);
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.ptr, b.ptr, a.len);
}

static void same_places(const struct detection *a, const struct detection *b)
{
	assert_int_equal(coordinate_compare(a->at, b->at), 0);
	assert_int_equal(a->position.partition, b->position.partition);
	assert_int_equal(a->position.offset, b->position.offset);
	assert_int_equal(a->position.index, b->position.index);
	assert_int_equal(a->time_ns, b->time_ns);
	assert_int_equal(a->received_ns, b->received_ns);
	assert_int_equal(a->flags, b->flags);
}

static void same_detection(const struct detection *a, const struct detection *b)
{
	same_str(a->correlation, b->correlation);
	same_str(a->rule, b->rule);
	same_str(a->agency, b->agency);
	same_str(a->host, b->host);
	same_str(a->replay, b->replay);
	assert_int_equal(a->group_count, b->group_count);
	for (size_t i = 0; i < a->group_count; i++)
		same_str(a->groups[i], b->groups[i]);
	assert_int_equal(a->value_count, b->value_count);
	for (size_t i = 0; i < a->value_count; i++)
		same_str(a->values[i], b->values[i]);
	same_places(a, b);
}

static void a_detection_reads_back(void **state)
{
	struct detection detection = sample_detection(), full = {0}, got;
	struct buf out = BUF(1 << 20);

	(void)state;
	detection_write(&out, &detection);
	assert_int_equal(message_kind(buf_str(&out)), MESSAGE_DETECTION);
	assert_true(detection_read(buf_str(&out), &got));
	same_detection(&got, &detection);
	full.group_count = full.value_count = DETECTION_VALUES;
	for (size_t i = 0; i < DETECTION_VALUES; i++)
		full.groups[i] = STR("\0\xff");
	buf_clear(&out);
	detection_write(&out, &full);
	assert_true(detection_read(buf_str(&out), &got));
	assert_int_equal(got.value_count, DETECTION_VALUES);
	assert_null(got.values[15].ptr);
	same_str(got.groups[15], STR("\0\xff"));
	buf_free(&out);
}

static void a_record_is_appended(void **state)
{
	struct detection detection = sample_detection(), got;
	struct buf out = BUF(1 << 20);

	(void)state;
	buf_str_put(&out, STR("before"));
	detection_write(&out, &detection);
	assert_true(detection_read(str_slice(buf_str(&out), 6, out.len), &got));
	buf_free(&out);
}

static void progress_reads_back(void **state)
{
	static struct progress rows[PROGRESS_MAX], got[PROGRESS_MAX];
	struct buf out = BUF(1 << 20);
	size_t count;

	(void)state;
	for (uint32_t i = 0; i < PROGRESS_MAX; i++)
		rows[i] =
		    (struct progress){1, i, PROGRESS_MAX, -(int64_t)i, i, i % 2 == 1, i % 3 == 1};
	for (size_t want = 0; want <= PROGRESS_MAX; want += 128) {
		buf_clear(&out);
		progress_write(&out, rows, want);
		assert_int_equal(message_kind(buf_str(&out)), MESSAGE_PROGRESS);
		assert_true(progress_read(buf_str(&out), got, &count));
		assert_int_equal(count, want);
		for (size_t i = 0; i < want; i++) {
			assert_int_equal(got[i].partition, rows[i].partition);
			assert_int_equal(got[i].partitions, rows[i].partitions);
			assert_int_equal(got[i].time_ns, rows[i].time_ns);
			assert_int_equal(got[i].offset, rows[i].offset);
			assert_int_equal(got[i].idle, rows[i].idle);
			assert_int_equal(got[i].anew, rows[i].anew);
		}
	}
	buf_free(&out);
}

static void neither_prefix_nor_flipped_bit_passes(void **state)
{
	static struct progress rows[PROGRESS_MAX];
	struct detection detection = sample_detection(), got;
	struct buf out = BUF(1 << 20);
	size_t count;

	(void)state;
	detection_write(&out, &detection);
	for (size_t len = 0; len < out.len; len++) {
		struct guarded copy = guard_copy(str_from(out.ptr, len));

		message_kind(copy.bytes);
		assert_false(detection_read(copy.bytes, &got));
		assert_false(progress_read(copy.bytes, rows, &count));
		guard_free(&copy);
	}
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		out.ptr[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(detection_read(buf_str(&out), &got));
		out.ptr[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_free(&out);
}

/* A record of kind with these tagged values, its checksum right. */
static void forge(struct buf *out, enum message_kind kind, struct str values)
{
	buf_clear(out);
	buf_str_put(out, STR("TCSD\1"));
	buf_u8(out, (uint8_t)kind);
	buf_str_put(out, values);
	buf_u32(out, hash_crc32c(0, out->ptr, out->len));
}

static void values_that_do_not_hold(void **state)
{
	static const struct {
		const char *name;
		struct str values;
		bool good;
	} rows[] = {
	    {"nothing", {"", 0}, true},
	    {"unknown tag", {"\xc8\2ab", 4}, true},
	    {"length past the end", {"\1\3ab", 4}, false},
	    {"length of 2^64-1", {"\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11}, false},
	    {"no length", {"\1", 1}, false},
	    {"time of 4 bytes", {"\6\4abcd", 6}, false},
	    {"coordinate of 8 bytes", {"\x8\x8" "12345678", 10}, false},
	    {"position of 8 bytes", {"\x9\x8" "12345678", 10}, false},
	    {"absent value with bytes", {"\5\1a", 3}, false},
	    {"flags of 1 byte", {"\xc\1a", 3}, false},
	    {"17 groups", {"\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0\3\0",
		34}, false},
	};
	struct buf out = BUF(1 << 20);
	struct detection got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		forge(&out, MESSAGE_DETECTION, rows[i].values);
		if (detection_read(buf_str(&out), &got) != rows[i].good)
			fail_msg("%s", rows[i].name);
	}
	buf_free(&out);
}

static void progress_that_does_not_hold(void **state)
{
	static struct progress got[PROGRESS_MAX];
	struct buf out = BUF(1 << 20), values = BUF(1 << 20);
	char row[28] = {1, 26};
	size_t count;

	(void)state;
	row[8] = 1; /* partition 0 of 1 */
	for (size_t i = 0; i <= PROGRESS_MAX; i++) {
		buf_put(&values, row, sizeof(row));
		forge(&out, MESSAGE_PROGRESS, buf_str(&values));
		assert_int_equal(progress_read(buf_str(&out), got, &count), i < PROGRESS_MAX);
	}
	row[4] = 1; /* partition 1 of 1 */
	forge(&out, MESSAGE_PROGRESS, str_from(row, sizeof(row)));
	assert_false(progress_read(buf_str(&out), got, &count));
	row[1] = 25;
	forge(&out, MESSAGE_PROGRESS, str_from(row, sizeof(row) - 1));
	assert_false(progress_read(buf_str(&out), got, &count));
	buf_free(&out);
	buf_free(&values);
}

static void kinds_are_told_from_the_head(void **state)
{
	static const struct {
		struct str bytes;
		enum message_kind kind;
	} rows[] = {
	    {{"{\"schema\":\"tocsin.alert/1\"}", 27}, MESSAGE_UNKNOWN},
	    {{"", 0}, MESSAGE_UNKNOWN},
	    {{"TCSD", 4}, MESSAGE_DAMAGED},
	    {{"TCSD\1\1abc", 9}, MESSAGE_DAMAGED},
	    {{"TCSD\1\1abcd", 10}, MESSAGE_DETECTION},
	    {{"TCSD\1\2abcd", 10}, MESSAGE_PROGRESS},
	    {{"TCSD\1\3abcd", 10}, MESSAGE_UNKNOWN},
	    {{"TCSD\2\1abcd", 10}, MESSAGE_UNKNOWN},
	    {{"TCSN\1\1abcd", 10}, MESSAGE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(message_kind(rows[i].bytes), rows[i].kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_detection_reads_back),
	    cmocka_unit_test(a_record_is_appended),
	    cmocka_unit_test(progress_reads_back),
	    cmocka_unit_test(neither_prefix_nor_flipped_bit_passes),
	    cmocka_unit_test(values_that_do_not_hold),
	    cmocka_unit_test(progress_that_does_not_hold),
	    cmocka_unit_test(kinds_are_told_from_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
