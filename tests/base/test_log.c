#include "base/log.h"

#include "base/clock.h"

#include "tests/base/unit.h"

#include <unistd.h>

/* 2026-11-22T06:27:00.123Z */
#define NOW (INT64_C(1795328820) * NS_PER_S + 123 * NS_PER_MS)

static int ends[2];
static char said[65536];

static int set_up(void **state)
{
	(void)state;
	return pipe(ends);
}

static int tear_down(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static struct str read_said(void)
{
	char mark = '!';

	/* So that an empty pipe does not wait. */
	assert_int_equal(write(ends[1], &mark, 1), 1);
	ssize_t got = read(ends[0], said, sizeof(said));

	assert_true(got > 0);
	return str_from(said, (size_t)got - 1);
}

static struct log log_to_pipe(enum log_format format)
{
	return (struct log){ends[1], LOG_LEVEL_INFO, format, 25200, STR("collect")};
}

static void test_text(void **state)
{
	struct log log = log_to_pipe(LOG_FORMAT_TEXT);

	(void)state;
	log_put(&log, NOW, LOG_LEVEL_WARNING, TEXT_base_open, "a\n\x1b[31mb");
	assert_str(read_said(),
	    "2026-11-22T13:27:00.123+07:00 warning collect: cannot open 'a\\x0A\\x1B[31mb'\n");
	log.stage = STR_NONE;
	log.zone_s = 0;
	log_put(&log, NOW, LOG_LEVEL_INFO, TEXT_base_memory);
	assert_str(read_said(), "2026-11-22T06:27:00.123Z info out of memory\n");
}

static void test_level(void **state)
{
	struct log log = log_to_pipe(LOG_FORMAT_TEXT);

	(void)state;
	log_put(&log, NOW, LOG_LEVEL_DEBUG, TEXT_base_memory);
	assert_str(read_said(), "");
	log.level = LOG_LEVEL_DEBUG;
	log_put(&log, NOW, LOG_LEVEL_DEBUG, TEXT_base_memory);
	assert_true(read_said().len > 0);
}

static void test_json(void **state)
{
	struct log log = log_to_pipe(LOG_FORMAT_JSON);

	(void)state;
	log_put(&log, NOW, LOG_LEVEL_INFO, TEXT_base_open, "a\"\n");
	assert_str(read_said(),
	    "{\"time\":\"2026-11-22T13:27:00.123+07:00\",\"level\":\"info\",\"stage\":\"collect\","
	    "\"text\":\"cannot open 'a\\\"\\n'\"}\n");
}

static void test_error(void **state)
{
	struct log log = log_to_pipe(LOG_FORMAT_TEXT);
	struct error error = {0};

	(void)state;
	error_at(&error, ERR_DOCUMENT, "luật.yml", 3, 7, TEXT_base_memory);
	log_error(&log, NOW, &error);
	assert_str(read_said(),
	    "2026-11-22T13:27:00.123+07:00 error collect: luật.yml:3:7: out of memory\n");
}

/* The worst that can be put into a line grows under escaping, and is one line still. */
static void test_longest(void **state)
{
	struct log log = log_to_pipe(LOG_FORMAT_TEXT);
	char longest[9000];

	(void)state;
	memset(longest, 0xff, sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned format = 0; format < 2; format++) {
		log.format = format;
		log_put(&log, NOW, LOG_LEVEL_ERROR, TEXT_base_open, longest);
		struct str line = read_said();

		assert_true(line.len > 4000);
		assert_int_equal(str_find_char(line, '\n'), line.len - 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_text),
	    TEST(test_level),
	    TEST(test_json),
	    TEST(test_error),
	    TEST(test_longest),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
