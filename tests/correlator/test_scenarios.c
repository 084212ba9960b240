/*
 * Scenario files on a virtual clock: tests/scenario/NAME.scn, whose names are sentences. One
 * command a line, '#' begins a comment; times are seconds since 2026-03-02T08:00:00Z, or since
 * what BEGIN says.
 *
 *   RULES ... END               Sigma documents between the two lines
 *   LATENESS seconds            before the first event; PARTITIONS events detections likewise
 *   BEGIN 2026-12-31 16:59:30   in UTC; before all that tells a time
 *   SEND time host body         an event that tells this time; body is JSON
 *   LINE time zone host text    a line as it was received then, of a sender whose zone is so many
 *                               seconds east
 *   NOW time                    the wall clock
 *   TICK time                   the wall clock, and a tick of the collector on every partition
 *   CRASH                       all workers die, and others begin from the checkpoint
 *   FINISH                      time goes on until all is settled
 *   EXPECT early|settled rule group|- count
 *   EXPECT late|unsettled|skewed count
 *
 * Each file is run by one, two and four workers, and must hold each time.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/civil.h"
#include "town.h"

#define RULES_MAX 16384

struct scene {
	const char *file;
	unsigned line;
	char rules[RULES_MAX];
	struct town_options options;
	struct town town;
	int64_t begin_ns;
	bool open;
	unsigned expectations;
};

static void scene_refuse(const struct scene *scene, const char *what)
{
	fail_msg("%s:%u: %s", scene->file, scene->line, what);
}

static struct town *scene_town(struct scene *scene)
{
	if (!scene->open) {
		scene->options.rules = scene->rules;
		town_open(&scene->town, &scene->options);
		scene->town.now_ns = scene->begin_ns;
		scene->open = true;
	}
	return &scene->town;
}

static int64_t time_of(const struct scene *scene, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0')
		scene_refuse(scene, "a time is a number of seconds");
	return scene->begin_ns + (int64_t)(seconds * 1000) * (SECOND / 1000);
}

static void do_rules(struct scene *scene, FILE *file)
{
	char line[512];
	size_t used = 0;

	while (fgets(line, sizeof(line), file) != NULL && strcmp(line, "END\n") != 0) {
		scene->line++;
		if (used + strlen(line) + 1 > RULES_MAX)
			scene_refuse(scene, "too many rules");
		memcpy(scene->rules + used, line, strlen(line) + 1);
		used += strlen(line);
	}
	scene->line++;
}

static void do_begin(struct scene *scene, char *rest)
{
	struct civil civil = {0};

	if (sscanf(rest, "%d-%d-%d %d:%d:%d", &civil.year, &civil.month, &civil.day, &civil.hour,
	    &civil.minute, &civil.second) != 6)
		scene_refuse(scene, "BEGIN year-month-day hour:minute:second");
	scene->begin_ns = civil_to_ns(&civil, 0);
}

static void do_lines(struct scene *scene, char *rest)
{
	char time[32], host[64];
	int zone_s, at = 0;

	if (sscanf(rest, "%31s %d %63s %n", time, &zone_s, host, &at) < 3 || rest[at] == '\0')
		scene_refuse(scene, "LINE time zone host text");
	town_send_line(scene_town(scene), host, time_of(scene, time), zone_s, rest + at);
}

static void do_send(struct scene *scene, char *rest)
{
	char time[32], host[64];
	int at = 0;

	if (sscanf(rest, "%31s %63s %n", time, host, &at) < 2 || rest[at] != '{')
		scene_refuse(scene, "SEND time host {...}");
	town_send(scene_town(scene), host, time_of(scene, time), rest + at);
}

static void expect_equal(const struct scene *scene, const char *what, size_t got, size_t wanted)
{
	if (got != wanted)
		fail_msg("%s:%u: %s with %u workers: %zu, expected %zu", scene->file, scene->line,
		    what, scene->options.workers, got, wanted);
}

static void expect_alerts(struct scene *scene, const char *status, const char *rest)
{
	enum alert_status wanted = strcmp(status, "early") == 0 ? ALERT_EARLY : ALERT_SETTLED;
	char rule[64], group[128];
	size_t count;

	if (sscanf(rest, "%63s %127s %zu", rule, group, &count) != 3)
		scene_refuse(scene, "EXPECT early|settled rule group count");
	expect_equal(scene, rest, strcmp(group, "-") == 0
	    ? town_count(&scene->town, rule, wanted)
	    : town_count_group(&scene->town, rule, group, wanted), count);
}

static void do_expect(struct scene *scene, char *rest)
{
	char what[32];
	int at = 0;
	size_t count = 0;

	scene->expectations++;
	town_run(scene_town(scene));
	if (sscanf(rest, "%31s %n", what, &at) < 1)
		scene_refuse(scene, "EXPECT what?");
	if (strcmp(what, "early") == 0 || strcmp(what, "settled") == 0)
		expect_alerts(scene, what, rest + at);
	else if (sscanf(rest + at, "%zu", &count) != 1)
		scene_refuse(scene, "EXPECT late|unsettled|skewed count");
	else if (strcmp(what, "late") == 0)
		expect_equal(scene, rest, town_stats(&scene->town).late, count);
	else if (strcmp(what, "skewed") == 0)
		expect_equal(scene, rest, town_stats(&scene->town).skewed, count);
	else if (strcmp(what, "unsettled") == 0)
		expect_equal(scene, rest, town_unsettled(&scene->town), count);
	else
		scene_refuse(scene, "unknown expectation");
}

static void do_lateness(struct scene *scene, char *rest)
{
	scene->options.lateness_ns = time_of(scene, rest) - scene->begin_ns;
}

static void do_partitions(struct scene *scene, char *rest)
{
	if (sscanf(rest, "%u %u", &scene->options.events, &scene->options.detections) != 2)
		scene_refuse(scene, "PARTITIONS events detections");
}

static void do_now(struct scene *scene, char *rest)
{
	scene_town(scene)->now_ns = time_of(scene, rest);
}

static void do_tick(struct scene *scene, char *rest)
{
	do_now(scene, rest);
	town_run(&scene->town);
	scene->town.now_ns = time_of(scene, rest);
	town_tick(&scene->town);
	town_run(&scene->town);
}

static void do_crash(struct scene *scene, char *rest)
{
	(void)rest;
	town_run(scene_town(scene));
	for (unsigned i = 0; i < scene->options.workers; i++)
		town_crash(&scene->town, i);
}

static void do_finish(struct scene *scene, char *rest)
{
	(void)rest;
	town_settle(scene_town(scene));
}

static const struct command {
	const char *name;
	void (*run)(struct scene *scene, char *rest);
} commands[] = {
	{"SEND", do_send}, {"EXPECT", do_expect}, {"LATENESS", do_lateness},
	{"PARTITIONS", do_partitions}, {"NOW", do_now}, {"TICK", do_tick}, {"CRASH", do_crash},
	{"FINISH", do_finish}, {"BEGIN", do_begin}, {"LINE", do_lines},
};

static void do_line(struct scene *scene, char *line)
{
	char *rest = strchr(line, ' ');

	if (rest != NULL)
		*rest++ = '\0';
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, line) == 0) {
			commands[i].run(scene, rest != NULL ? rest : line + strlen(line));
			return;
		}
	}
	scene_refuse(scene, line);
}

static void scene_play(const char *path, unsigned workers)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	FILE *file = fopen(path, "r");
	char line[1024];

	assert_non_null(scene);
	assert_non_null(file);
	scene->file = path;
	scene->begin_ns = TOWN_START;
	scene->options.workers = workers;
	while (fgets(line, sizeof(line), file) != NULL) {
		scene->line++;
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "RULES") == 0)
			do_rules(scene, file);
		else if (line[0] != '\0' && line[0] != '#')
			do_line(scene, line);
	}
	fclose(file);
	assert_true(scene->expectations > 0);
	town_close(&scene->town);
	free(scene);
}

static void test_scenario(void **state)
{
	for (unsigned workers = 1; workers <= 4; workers *= 2)
		scene_play(*state, workers);
}

int main(void)
{
	glob_t files;
	struct CMUnitTest *tests;

	if (glob("tests/scenario/*.scn", 0, NULL, &files) != 0) {
		fprintf(stderr, "no scenarios: run from the root of the repository\n");
		return 1;
	}
	tests = calloc(files.gl_pathc, sizeof(*tests));
	if (tests == NULL)
		return 1;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		tests[i].name = files.gl_pathv[i] + strlen("tests/scenario/");
		tests[i].test_func = test_scenario;
		tests[i].initial_state = files.gl_pathv[i];
	}
	int failed = _cmocka_run_group_tests("scenarios", tests, files.gl_pathc, NULL, NULL);

	free(tests);
	globfree(&files);
	return failed;
}
