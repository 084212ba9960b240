#include "tests/event/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void same_str(struct str a, struct str b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.ptr, b.ptr, a.len);
}

static void same_pairs(const struct alert_pair *a, size_t a_count, const struct alert_pair *b,
    size_t b_count)
{
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		same_str(a[i].name, b[i].name);
		same_str(a[i].value, b[i].value);
	}
}

static void a_suppression_reads_back(void **state)
{
	static struct alert_pair key[] = {{{"SourceIp", 8}, {"192.0.2.9", 9}},
	    {{"user", 4}, {"\xff\0x", 3}}};
	struct alert alert = sample_alert(), got;
	struct buf out = BUF(1 << 20);
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	alert.suppress_ns = 3600000000000;
	alert.suppress = key;
	alert.suppress_count = 2;
	alert_write(&out, &alert);
	assert_int_equal(alert_read(arena, buf_str(&out), &got, NULL), 0);
	assert_int_equal(got.suppress_ns, 3600000000000);
	same_pairs(got.suppress, got.suppress_count, key, 2);
	/* what is counted on what changes no id */
	assert_true(hash128_eq(alert_make_id(sample_key, &alert), alert.id));
	arena_free(arena);
	buf_free(&out);
}

static void an_alert_reads_back(void **state)
{
	struct alert alert = sample_alert(), got;
	struct buf out = BUF(1 << 20), again = BUF(1 << 20);
	struct arena *arena = arena_new(1 << 20);
	struct error error = {0};

	(void)state;
	alert_write(&out, &alert);
	assert_false(out.failed);
	assert_int_equal(alert_read(arena, buf_str(&out), &got, &error), 0);
	assert_true(hash128_eq(got.id, alert.id));
	assert_true(hash128_eq(got.replaces, alert.replaces));
	assert_true(hash128_eq(got.rule.hash, alert.rule.hash));
	assert_int_equal(got.status, ALERT_SETTLED);
	assert_int_equal(got.rule.level, LEVEL_HIGH);
	same_str(got.rule.title_vi, alert.rule.title_vi);
	assert_int_equal(got.rule.tag_count, 2);
	assert_int_equal(got.time_ns, alert.time_ns);
	assert_int_equal(got.first_ns, alert.first_ns);
	assert_int_equal(got.count, 12);
	assert_int_equal(got.address_count, 3);
	same_str(got.addresses[2], STR("\xfe"));
	same_pairs(got.matched, got.matched_count, alert.matched, alert.matched_count);
	same_pairs(got.groups, got.group_count, alert.groups, alert.group_count);
	assert_int_equal(got.event_count, 2);
	assert_int_equal(coordinate_compare(got.events[1].at, alert.events[1].at), 0);
	assert_int_equal(got.events[1].position.offset, 77);
	assert_int_equal(got.events[1].position.index, 1);
	assert_int_equal(got.events[1].time_ns, SAMPLE_TIME + 1);
	/* What the comparisons above leave out shows here. */
	alert_write(&again, &got);
	same_str(buf_str(&again), buf_str(&out));
	arena_free(arena);
	buf_free(&again);
	buf_free(&out);
}

static void what_is_no_alert_is_refused_with_its_place(void **state)
{
	struct alert alert = sample_alert(), got;
	struct buf out = BUF(1 << 20);
	struct arena *arena = arena_new(1 << 22);
	struct error error = {0};

	(void)state;
	alert_write(&out, &alert);
	for (size_t len = 0; len < out.len; len++) {
		struct guarded copy = guard_copy(str_from(out.ptr, len));

		arena_reset(arena);
		error_clear(&error);
		assert_int_equal(alert_read(arena, copy.bytes, &got, &error), ERR_DOCUMENT);
		assert_true(error.text[0] != '\0');
		guard_free(&copy);
	}
	static const char *const rows[] = {
	    "[]",
	    "{\"schema\":\"tocsin.alert/2\"}",
	    "{\"schema\":\"tocsin.alert/1\",\"id\":7}",
	    "{\"schema\":\"tocsin.alert/1\",\"id\":\"0123\"}",
	};
	static const char *const keys[] = {"schema", "schema", "'id'", "'id'"};

	for (size_t i = 0; i < 4; i++) {
		error_clear(&error);
		assert_int_equal(alert_read(arena, str_of(rows[i]), &got, &error), ERR_DOCUMENT);
		assert_non_null(strstr(error.text, keys[i]));
	}
	arena_free(arena);
	buf_free(&out);
}

static void a_full_arena_is_no_document_error(void **state)
{
	struct alert alert = sample_alert(), got;
	struct buf out = BUF(1 << 20);

	(void)state;
	alert_write(&out, &alert);
	size_t refused = 0;

	for (size_t ceiling = 0;; ceiling += 64) {
		struct arena *arena = arena_new(ceiling);
		struct error error = {0};
		int status = alert_read(arena, buf_str(&out), &got, &error);

		arena_free(arena);
		if (status == 0)
			break;
		assert_int_equal(status, ERR_MEMORY);
		refused++;
	}
	assert_true(refused > 5);
	buf_free(&out);
}

static void names(void **state)
{
	enum level level;

	(void)state;
	for (unsigned i = 0; i <= LEVEL_CRITICAL; i++) {
		assert_true(level_parse(level_name((enum level)i), &level));
		assert_int_equal(level, i);
	}
	assert_true(level_parse(STR("HIGH"), &level));
	assert_int_equal(level, LEVEL_HIGH);
	assert_false(level_parse(STR("highest"), &level));
	assert_false(level_parse(STR(""), &level));
	same_str(alert_status_name(ALERT_REPLACED), STR("replaced"));
}

/* Each part of the id counts, and no two parts can be taken for each other. */
static void an_id_is_of_all_its_parts(void **state)
{
	struct alert_pair two[2] = {{STR("a"), STR("xy")}, {STR("b"), STR("z")}};
	struct alert base = sample_alert();
	struct hash128 ids[9];
	size_t count = 0;

	(void)state;
	base.groups = two;
	base.group_count = 2;
	ids[count++] = alert_make_id(sample_key, &base);
	ids[count++] = alert_make_id((struct hash_key){1, 2}, &base);
	struct alert other = base;

	other.rule.id = STR("other");
	ids[count++] = alert_make_id(sample_key, &other);
	other = base;
	other.rule.hash.low++;
	ids[count++] = alert_make_id(sample_key, &other);
	other = base;
	other.at.counter++;
	ids[count++] = alert_make_id(sample_key, &other);
	two[0].value = STR("x");
	two[1].value = STR("yz");
	ids[count++] = alert_make_id(sample_key, &base);
	base.group_count = 1;
	ids[count++] = alert_make_id(sample_key, &base);
	base.group_count = 0;
	ids[count++] = alert_make_id(sample_key, &base);
	static char large[5000];

	two[0].value = str_from(large, sizeof(large));
	base.group_count = 1;
	ids[count++] = alert_make_id(sample_key, &base);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			assert_false(hash128_eq(ids[i], ids[k]));
	}
	other = base;
	other.time_ns++;
	other.made_ns++;
	other.status = ALERT_EARLY;
	other.rule.title = STR("new title");
	assert_true(hash128_eq(alert_make_id(sample_key, &other), ids[count - 1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_alert_reads_back),
	    cmocka_unit_test(a_suppression_reads_back),
	    cmocka_unit_test(what_is_no_alert_is_refused_with_its_place),
	    cmocka_unit_test(a_full_arena_is_no_document_error),
	    cmocka_unit_test(names),
	    cmocka_unit_test(an_id_is_of_all_its_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
