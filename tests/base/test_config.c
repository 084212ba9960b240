#include "base/config.h"

#include "base/clock.h"
#include "base/config_row.h"
#include "base/file.h"

#include "tests/base/alloc_fault.h"
#include "tests/base/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct config *config;
static struct error error;

static int set_up(void **state)
{
	(void)state;
	config = config_new();
	error_clear(&error);
	return config == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

static int parse(const char *yaml)
{
	error_clear(&error);
	return config_parse(config, str_of(yaml), "c.yml", &error);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_str(config_text(config, CONFIG_LANGUAGE), "auto");
	assert_str(config_text(config, CONFIG_DATA_PATH), "/var/lib/tocsin");
	assert_str(config_text(config, CONFIG_STORE_PATH), "");
	assert_int_equal(config_number(config, CONFIG_BUS_BACKEND), 0);
	assert_true(config_number(config, CONFIG_SITE_ZONE) == CONFIG_ZONE_AUTO);
	assert_true(config_number(config, CONFIG_CORRELATE_LATENESS) == 30 * NS_PER_S);
	assert_true(config_number(config, CONFIG_STORE_DAY_BYTES) == INT64_C(4) << 30);
	assert_int_equal(config_count(config, CONFIG_SYSLOG_UDP_LISTEN), 1);
	assert_str(config_item(config, CONFIG_SYSLOG_UDP_LISTEN, 0), "127.0.0.1:5514");
	assert_int_equal(config_count(config, CONFIG_BUS_KAFKA_PROPERTIES), 0);
	for (unsigned key = 0; key < CONFIG_COUNT; key++)
		assert_false(config_is_set(config, key));
}

static void test_load(void **state)
{
	(void)state;
	assert_int_equal(parse("language: vi\n"
			       "site:\n"
			       "  agency: Sở TT&TT tỉnh Cà Mau\n"
			       "  zone: +07:00\n"
			       "syslog.udp.listen: [\"0.0.0.0:514\", '[::]:514']\n"
			       "syslog:\n"
			       "  tcp: {idle: 90s, listen: []}\n"
			       "  udp:\n"
			       "bus:\n"
			       "  kafka:\n"
			       "    properties: {bootstrap.servers: \"192.0.2.10:9092\", acks: 1}\n"
			       "store: {path: ~}\n"
			       "log: {level: debug}\n"),
	    0);
	assert_int_equal(config_number(config, CONFIG_LANGUAGE), 1);
	assert_str(config_text(config, CONFIG_SITE_AGENCY), "Sở TT&TT tỉnh Cà Mau");
	assert_str(config_text(config, CONFIG_STORE_PATH), "");
	assert_int_equal(config_number(config, CONFIG_SITE_ZONE), 25200);
	assert_int_equal(config_count(config, CONFIG_SYSLOG_UDP_LISTEN), 2);
	assert_str(config_item(config, CONFIG_SYSLOG_UDP_LISTEN, 1), "[::]:514");
	assert_int_equal(config_count(config, CONFIG_SYSLOG_TCP_LISTEN), 0);
	assert_true(config_number(config, CONFIG_SYSLOG_TCP_IDLE) == 90 * NS_PER_S);
	assert_str(config_name(config, CONFIG_BUS_KAFKA_PROPERTIES, 0), "bootstrap.servers");
	assert_str(config_item(config, CONFIG_BUS_KAFKA_PROPERTIES, 1), "1");
	assert_int_equal(config_number(config, CONFIG_LOG_LEVEL), 3);
	assert_true(config_is_set(config, CONFIG_LOG_LEVEL));
	assert_false(config_is_set(config, CONFIG_LOG_FORMAT));
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse("# nothing\n"), 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *yaml;
		unsigned line, column;
		const char *words;
	} rows[] = {
	    {"log:\n  levle: info\n", 2, 3, "unknown key 'log.levle'; did you mean 'log.level'?"},
	    {"sylog:\n  udp: 1\n", 1, 1, "did you mean 'syslog'?"},
	    {"quite_another: 1\n", 1, 1, "unknown key 'quite_another'"},
	    {"log:\n  level: loud\n", 2, 10, "one of error|warning|info|debug"},
	    {"log: loud\n", 1, 1, "'log' holds further keys"},
	    {"log.level: [info]\n", 1, 12, "wrong kind"},
	    {"log.level: info\nlog: {level: debug}\n", 2, 7, "'log.level' is set twice"},
	    {"match.regex_steps: many\n", 1, 20, "a whole number"},
	    {"match.regex_steps: 5\n", 1, 20, "from 100 to 100000000"},
	    {"collector.frame_limit: 2M\n", 1, 24, "from 1K to 1M"},
	    {"collector.frame_limit: 64KB\n", 1, 24, "a size"},
	    {"correlate.lateness: 2d\n", 1, 21, "from 0 to 1d"},
	    {"correlate.lateness: 30\n", 1, 21, "a duration"},
	    {"correlate.lateness: -1s\n", 1, 21, "a duration"},
	    {"store.retain_age: 999999999999999999d\n", 1, 19, "a duration"},
	    {"site.zone: +19:00\n", 1, 12, "from -18:00 to +18:00"},
	    {"site.zone: Asia/Ho_Chi_Minh\n", 1, 12, "auto or an offset"},
	    {"data.path: ''\n", 1, 12, "1 to 4000 bytes"},
	    {"site.agency: \"a\\0b\"\n", 1, 14, "without NUL"},
	    {"rules.paths: []\n", 1, 14, "1 to 64 items"},
	    {"rules.paths: one\n", 1, 14, "a list of texts"},
	    {"rules.paths: ['']\n", 1, 15, "a list of texts"},
	    {"rules.paths: [[a]]\n", 1, 15, "a list of texts"},
	    {"bus.kafka.properties: [a]\n", 1, 23, "name: text"},
	    {"- a\n", 1, 1, "key: value"},
	    {"a: 1\n---\nb: 1\n", 1, 1, "2 were found"},
	    {"log: {level: info\n", 2, 1, "not valid YAML"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(parse(rows[i].yaml), ERR_DOCUMENT);
		if (error.line != rows[i].line || error.column != rows[i].column ||
		    strstr(error.text, rows[i].words) == NULL)
			fail_msg(
			    "%s: %u:%u: %s", rows[i].yaml, error.line, error.column, error.text);
	}
}

static int set(const char *key, const char *value)
{
	error_clear(&error);
	return config_set(config, str_of(key), str_of(value), &error);
}

static void test_overrides(void **state)
{
	(void)state;
	assert_int_equal(parse("bus.kafka.properties: {acks: 1}\nsyslog.udp.listen: ['a:1']\n"), 0);
	assert_int_equal(set("store.fold", "2h"), 0);
	assert_true(config_number(config, CONFIG_STORE_FOLD) == 7200 * NS_PER_S);
	assert_int_equal(set("syslog.udp.listen", "127.0.0.1:1, 127.0.0.1:2"), 0);
	assert_int_equal(config_count(config, CONFIG_SYSLOG_UDP_LISTEN), 2);
	assert_str(config_item(config, CONFIG_SYSLOG_UDP_LISTEN, 1), "127.0.0.1:2");
	assert_int_equal(set("syslog.udp.listen", ""), 0);
	assert_int_equal(config_count(config, CONFIG_SYSLOG_UDP_LISTEN), 0);
	assert_int_equal(set("bus.kafka.properties.sasl.mechanism", "PLAIN"), 0);
	assert_int_equal(set("bus.kafka.properties.acks", "all"), 0);
	assert_int_equal(config_count(config, CONFIG_BUS_KAFKA_PROPERTIES), 2);
	assert_str(config_item(config, CONFIG_BUS_KAFKA_PROPERTIES, 0), "all");
	assert_str(config_name(config, CONFIG_BUS_KAFKA_PROPERTIES, 1), "sasl.mechanism");
	assert_int_equal(set("bus", "local"), ERR_USAGE);
	assert_int_equal(set("bus.kafka.properties", "x"), ERR_USAGE);
	assert_int_equal(set("bus.kafka.properties.", "x"), ERR_USAGE);
	assert_int_equal(set("store.fold", "soon"), ERR_USAGE);
	assert_int_equal(set("site.agency", "a\xff"), ERR_USAGE);
	assert_int_equal(set("stor.fold", "2h"), ERR_USAGE);
	assert_non_null(strstr(error.text, "'store.fold'"));
	assert_int_equal(error.line, 0);
}

static void test_map_ceiling(void **state)
{
	char key[64];

	(void)state;
	assert_false(config_is_set(config, CONFIG_BUS_KAFKA_PROPERTIES));
	for (int i = 0; i < 128; i++) {
		snprintf(key, sizeof(key), "bus.kafka.properties.p%d", i);
		assert_int_equal(set(key, "x"), 0);
	}
	assert_true(config_is_set(config, CONFIG_BUS_KAFKA_PROPERTIES));
	assert_int_equal(set("bus.kafka.properties.one.more", "x"), ERR_USAGE);
	assert_int_equal(set("bus.kafka.properties.p5", "y"), 0);
}

/* What is printed as the defaults is read as the defaults, in both languages. */
static void test_defaults_file(void **state)
{
	struct buf out = BUF(1u << 20);
	struct config *other = config_new();

	(void)state;
	for (unsigned language = 0; language < 2; language++) {
		buf_clear(&out);
		config_write_defaults(&out, language);
		assert_false(out.failed);
		assert_true(str_find(buf_str(&out), STR("  agency: \"\"\n")) != STR_NOT_FOUND);
		error_clear(&error);
		if (config_parse(config, buf_str(&out), "defaults", &error) != 0)
			fail_msg("%u:%u: %s", error.line, error.column, error.text);
	}
	for (unsigned key = 0; key < CONFIG_COUNT; key++) {
		enum config_type type = config_rows[key].type;

		assert_true(config_is_set(config, key));
		if (type == CONFIG_TYPE_list || type == CONFIG_TYPE_map)
			assert_int_equal(config_count(config, key), config_count(other, key));
		else if (type == CONFIG_TYPE_string || type == CONFIG_TYPE_path)
			assert_true(str_eq(config_text(config, key), config_text(other, key)));
		else
			assert_true(config_number(config, key) == config_number(other, key));
	}
	config_free(other);
	buf_free(&out);
}

static void test_markdown(void **state)
{
	struct buf out = BUF(1u << 20);

	(void)state;
	config_write_markdown(&out, LANGUAGE_ENGLISH);
	assert_false(out.failed);
	for (unsigned key = 0; key < CONFIG_COUNT; key++) {
		char row[128];

		snprintf(row, sizeof(row), "\n| `%s` | ", config_rows[key].key);
		assert_true(str_find(buf_str(&out), str_of(row)) != STR_NOT_FOUND);
	}
	assert_true(str_find(buf_str(&out), STR("| auto\\|vi\\|en | ")) != STR_NOT_FOUND);
	buf_free(&out);
}

static void test_units(void **state)
{
	static const struct {
		enum config_type type;
		int64_t number;
		const char *text;
	} rows[] = {
	    {CONFIG_TYPE_size, 0, "0"},
	    {CONFIG_TYPE_size, 1000, "1000"},
	    {CONFIG_TYPE_size, 65536, "64K"},
	    {CONFIG_TYPE_size, 5 << 20, "5M"},
	    {CONFIG_TYPE_size, INT64_C(3) << 40, "3T"},
	    {CONFIG_TYPE_duration, 1, "1ns"},
	    {CONFIG_TYPE_duration, 1500000, "1500us"},
	    {CONFIG_TYPE_duration, 90 * NS_PER_S, "90s"},
	    {CONFIG_TYPE_duration, 86400 * NS_PER_S, "1d"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[CONFIG_UNIT_TEXT];
		int64_t back;

		assert_string_equal(
		    config_unit_format(rows[i].type, rows[i].number, out), rows[i].text);
		assert_true(config_unit_parse(rows[i].type, str_of(rows[i].text), &back));
		assert_true(back == rows[i].number);
	}
	assert_int_equal(CONFIG_COUNT, COUNT_OF(config_rows));
}

static void test_file(void **state)
{
	char path[256];
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(path, sizeof(path), "%s/tocsin-config.XXXXXX", base == NULL ? "/tmp" : base);
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_replace(path, STR("store.fold: 5m\n"), 0600, &error), 0);
	assert_int_equal(config_load(config, path, &error), 0);
	assert_true(config_number(config, CONFIG_STORE_FOLD) == 300 * NS_PER_S);
	assert_int_equal(file_replace(path, STR("store.fold: x\n"), 0600, &error), 0);
	assert_int_equal(config_load(config, path, &error), ERR_DOCUMENT);
	assert_string_equal(error.file, path);
	unlink(path);
	error_clear(&error);
	assert_int_equal(config_load(config, path, &error), ERR_MISSING);
}

static void test_no_memory(void **state)
{
	bool refused = true;
	size_t n;

	(void)state;
	alloc_fault_or_skip();
	for (n = 1; refused && n < 2000; n++) {
		struct error own = {0};
		long before = alloc_fault_live();
		int code = ERR_MEMORY;

		alloc_fault_arm(n);
		struct config *one = config_new();

		if (one != NULL)
			code = config_parse(one,
			    STR("syslog: {udp: {listen: [a, b]}}\nsite.agency: x\n"), "c", &own);
		if (code == 0)
			code = config_set(one, STR("bus.kafka.properties.acks"), STR("all"), &own);
		refused = alloc_fault_disarm();
		assert_int_equal(code, refused ? ERR_MEMORY : 0);
		config_free(one);
		assert_int_equal(alloc_fault_live(), before);
	}
	assert_false(refused);
	assert_true(n > 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_units),
	    TEST(test_defaults),
	    TEST(test_load),
	    TEST(test_refused),
	    TEST(test_overrides),
	    TEST(test_map_ceiling),
	    TEST(test_defaults_file),
	    TEST(test_markdown),
	    TEST(test_file),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
