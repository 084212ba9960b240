#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define WORDS 8

/* One command line, and what it is read as: "name=value" of each option, then the words. */
static const struct {
	const char *command;
	const char *argv[WORDS];
	int code;
	const char *read; /* or a piece of the message */
} lines[] = {
    {"alerts", {NULL}, 0, ""},
    {"alerts", {"list"}, 0, "list"},
    {"alerts", {"--since", "1h"}, 0, "since=1h"},
    {"alerts", {"--since=1h"}, 0, "since=1h"},
    {"alerts", {"--since="}, 0, "since="},
    {"alerts", {"--since=a=b"}, 0, "since=a=b"},
    {"alerts", {"-s", "1h"}, 0, "since=1h"},
    {"alerts", {"-s1h"}, 0, "since=1h"},
    {"alerts", {"-aj"}, 0, "all json"},
    {"alerts", {"-ajs", "1h", "list"}, 0, "all json since=1h list"},
    {"alerts", {"-ajs1h"}, 0, "all json since=1h"},
    {"alerts", {"list", "-j"}, 0, "json list"},
    {"alerts", {"--since", "--json"}, 0, "since=--json"},
    {"alerts", {"show", "--", "-j", "--json"}, 0, "show -j --json"},
    {"alerts", {"--rule", "a", "--rule", "b"}, 0, "rule=a rule=b"},
    {"alerts", {"-c", "f", "-o", "a=b"}, 0, "config=f set=a=b"},
    {"decode", {"-"}, 0, "-"},
    {"decode", {""}, 0, ""},
    {"alerts", {"--sinc", "1h"}, ERR_USAGE, "'--sinc'"},
    {"alerts", {"--"}, 0, ""},
    {"alerts", {"---"}, ERR_USAGE, "'---'"},
    {"alerts", {"--=x"}, ERR_USAGE, "'--=x'"},
    {"alerts", {"-x"}, ERR_USAGE, "'-x'"},
    {"alerts", {"-jx"}, ERR_USAGE, "'-jx'"},
    {"alerts", {"--json=yes"}, ERR_USAGE, "--json takes no value"},
    {"alerts", {"--since"}, ERR_USAGE, "--since needs a value: TIME"},
    {"alerts", {"-js"}, ERR_USAGE, "--since needs a value: TIME"},
    {"status", {"now"}, ERR_USAGE, "'now'"},
    {"version", {"x"}, ERR_USAGE, "'x'"},
    {"version", {"x", "--help"}, 0, "help x"},
    {"bus", {"cat", "events", "more"}, ERR_USAGE, "'more'"},
};

static void put(char out[512], const char *piece, const char *value)
{
	size_t at = strlen(out);

	snprintf(out + at, 512 - at, "%s%s%s%s", at > 0 ? " " : "", piece,
	    value == NULL ? "" : "=", value == NULL ? "" : value);
}

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		static struct arguments a;
		struct error error = {0};
		char *argv[WORDS], read[512] = "";
		int argc = 0;

		for (; argc < WORDS && lines[i].argv[argc] != NULL; argc++)
			argv[argc] = (char *)(uintptr_t)lines[i].argv[argc];
		int code = arguments_parse(
		    &a, command_find(str_of(lines[i].command)), argc, argv, &error);

		for (size_t k = 0; k < a.option_count; k++)
			put(read, a.options[k].row->name, a.options[k].value);
		for (size_t k = 0; k < a.word_count; k++)
			put(read, a.words[k], NULL);
		if (code != lines[i].code ||
		    (code == 0 ? strcmp(read, lines[i].read) != 0
			       : strstr(error.text, lines[i].read) == NULL))
			fail_msg("line %zu: %d '%s' '%s', expected %d '%s'", i, code, read,
			    error.text, lines[i].code, lines[i].read);
	}
}

static void test_getters(void **state)
{
	static struct arguments a;
	struct error error = {0};
	char *argv[] = {"--rule", "a", "-j", "--rule=b"};

	(void)state;
	assert_int_equal(arguments_parse(&a, command_find(STR("alerts")), 4, argv, &error), 0);
	assert_string_equal(arguments_get(&a, "rule"), "b");
	assert_string_equal(arguments_each(&a, "rule", 0), "a");
	assert_null(arguments_each(&a, "rule", 2));
	assert_true(arguments_has(&a, "json"));
	assert_false(arguments_has(&a, "all"));
	assert_string_equal(arguments_verb(&a, "list", &error), "list");
}

/* What a person cannot have meant by hand is refused, not written past the end. */
static void test_ceiling(void **state)
{
	static struct arguments a;
	static char *argv[ARGUMENTS_MAX + 1];

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct error error = {0};

		for (size_t i = 0; i < ARGUMENTS_MAX + 1; i++)
			argv[i] = kind == 0 ? "-j" : "word";
		assert_int_equal(arguments_parse(&a, command_find(STR("alerts")),
				     ARGUMENTS_MAX + 1, argv, &error),
		    ERR_USAGE);
		error_clear(&error);
		assert_int_equal(arguments_parse(&a, command_find(STR("alerts")), ARGUMENTS_MAX,
				     argv, &error),
		    0);
	}
}

#define HOUR 3600

static void test_times(void **state)
{
	/* 2026-11-22T06:00:00Z, and a zone of +07:00 */
	const int64_t now_s = 1795327200, zone = 7 * HOUR;
	static const struct {
		const char *text;
		int64_t s; /* since 1970; -1: refused */
	} rows[] = {
	    {"now", 1795327200},
	    {"0s", 1795327200},
	    {"90s", 1795327200 - 90},
	    {"15m", 1795327200 - 900},
	    {"24h", 1795327200 - 24 * HOUR},
	    {"7d", 1795327200 - 168 * HOUR},
	    {"2w", 1795327200 - 336 * HOUR},
	    {"2026-11-22", 1795327200 - 13 * HOUR},
	    {"2026-11-22T13:00", 1795327200},
	    {"2026-11-22 13:00:30", 1795327230},
	    {"2026-11-22T13:00:00.5", 1795327200},
	    {"2026-11-22T06:00:00Z", 1795327200},
	    {"2026-11-22T06:00Z", 1795327200},
	    {"2026-11-22T13:00:00+07:00", 1795327200},
	    {"2026-11-22T01:00-05:00", 1795327200},
	    {"2026-11-22Z", 1795327200 - 6 * HOUR},
	    {"2024-02-29", 1709164800 - 7 * HOUR},
	    {"", -1}, {"s", -1}, {"1", -1}, {"-1h", -1}, {"1.5h", -1}, {"1y", -1}, {"1hh", -1},
	    {"9999999d", -1}, {"yesterday", -1}, {"2026", -1}, {"2026-11", -1},
	    {"2026-13-01", -1}, {"2026-02-29", -1}, {"2026-00-01", -1}, {"2026-11-22T", -1},
	    {"2026-11-22T25:00", -1}, {"2026-11-22T13", -1}, {"2026-11-22T13:61", -1},
	    {"2026-11-22T13:00x", -1}, {"2026-11-22T13:00.", -1}, {"2026-11-22T13:00+", -1},
	    {"2026-11-22T13:00+07", -1}, {"2026-11-22T13:00+99:00", -1},
	    {"2026-11-22T13:00+07:99", -1}, {"2026-11-22T13:00ZZ", -1},
	    {"2026-11-22T13:00:00.000000000000000000000000000000000000", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ns = -1;
		bool good = parse_time(
		    str_of(rows[i].text), now_s * NS_PER_S, (int32_t)zone, &ns);

		if (good != (rows[i].s >= 0) || (good && ns / NS_PER_S != rows[i].s))
			fail_msg("'%s': %d, %lld", rows[i].text, good, (long long)(ns / NS_PER_S));
	}
}

static void test_durations(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {{0, "0 s"}, {59, "59 s"}, {60, "1 m"}, {61, "1 m 1 s"}, {3600, "1 h"},
	    {3660, "1 h 1 m"}, {3659, "1 h"}, {86400, "1 d"}, {90000, "1 d 1 h"}, {-5, "0 s"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[32];

		assert_string_equal(format_duration(rows[i].s * NS_PER_S, out).ptr, rows[i].text);
	}
}

/* Nothing is listed, documented or completed but what these tables hold. */
static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count(); i++) {
		const struct command *c = command_at(i);

		assert_non_null(c->run);
		assert_non_null(c->synopsis);
		assert_non_null(c->examples);
		assert_non_null(c->examples[0].line);
		assert_true(c->verbs == NULL || c->words_max > 0);
		for (const struct option_row *o = c->options; o != NULL && o->name != NULL; o++) {
			for (const struct option_row *p = o + 1; p->name != NULL; p++) {
				assert_string_not_equal(o->name, p->name);
				assert_true(o->letter == 0 || o->letter != p->letter);
			}
			for (const struct option_row *p = command_common_options; p->name != NULL;
			     p++) {
				assert_string_not_equal(o->name, p->name);
				assert_true(o->letter == 0 || o->letter != p->letter);
			}
		}
		for (const struct example_row *e = c->examples; e->line != NULL; e++) {
			char name[64];

			snprintf(name, sizeof(name), "tocsin %s", c->name);
			if (strstr(e->line, name) == NULL && strcmp(c->name, "replay") != 0)
				fail_msg("an example of %s without it: %s", c->name, e->line);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_getters),
	    cmocka_unit_test(test_ceiling),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}
