/*
 * What rules are told of log sources and fields: by the decoders, and by the configuration.
 */
#include "decoder/source.h"

#include "decoder/logsource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *product, *category, *service;
	bool given;
} sources[] = {
    {"windows", "", "", true},
    {"windows", "process_creation", "", true},
    {"windows", "process_creation", "security", true},
    {"windows", "process_creation", "application", false},
    {"windows", "", "security", true},
    {"", "process_creation", "", true},
    {"linux", "process_creation", "", true},
    {"linux", "", "sshd", true},
    {"linux", "", "auditd", true},
    {"linux", "file_event", "", true},
    {"linux", "network_connection", "sysmon", true},
    {"linux", "registry_set", "", false},
    {"", "webserver", "", true},
    {"", "webserver", "nginx", true},
    {"", "", "apache", true},
    {"", "firewall", "", true},
    {"fortigate", "", "event", true},
    {"cisco", "", "aaa", true},
    {"cisco", "", "duo", false},
    {"aws", "", "cloudtrail", false},
    {"", "proxy", "", false},
};

static void log_sources_are_those_of_the_decoders(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		bool given = source_is_given(str_of(sources[i].product),
		    str_of(sources[i].category), str_of(sources[i].service));

		if (given != sources[i].given)
			fail_msg("%s/%s/%s", sources[i].product, sources[i].category,
			    sources[i].service);
	}
}

static bool is_next(const char *product, const char *service, const char *one, const char *other)
{
	struct source_given given;

	for (size_t at = 0; source_next(&at, &given);) {
		bool has[2] = {one[0] == '\0', other[0] == '\0'};

		for (size_t i = 0; i < given.category_count; i++) {
			has[0] |= str_eq(given.categories[i], str_of(one));
			has[1] |= str_eq(given.categories[i], str_of(other));
		}
		if (str_eq(given.product, str_of(product)) &&
		    str_eq(given.service, str_of(service)) && has[0] && has[1] &&
		    given.category_count == (size_t)(one[0] != '\0') + (other[0] != '\0'))
			return true;
	}
	return false;
}

static void log_sources_are_told_as_events_have_them(void **state)
{
	struct source_given given;
	size_t count = 0;

	(void)state;
	assert_true(is_next("windows", "sysmon", "process_creation", ""));
	assert_true(is_next("windows", "security", "process_creation", ""));
	assert_true(is_next("windows", "security", "", ""));
	/* One event is of two categories, when its fields say so. */
	assert_true(is_next("windows", "sysmon", "registry_event", "registry_set"));
	assert_true(is_next("windows", "sysmon", "registry_event", "registry_delete"));
	assert_true(is_next("windows", "sysmon", "registry_event", ""));
	assert_false(is_next("windows", "sysmon", "registry_add", "registry_set"));
	assert_true(is_next("", "nginx", "webserver", "") || is_next("", "", "webserver", ""));
	assert_true(is_next("linux", "sshd", "", ""));
	assert_true(is_next("linux", "sudo", "process_creation", ""));
	for (size_t at = 0; source_next(&at, &given); count++) {
		struct str none = STR_NONE;

		assert_false(str_eq(given.service, STR("*")));
		for (size_t i = 0; i < given.category_count; i++)
			assert_true(
			    source_is_given(given.product, given.categories[i], given.service));
		assert_true(given.category_count > 0 ||
		    source_is_given(given.product, none, given.service));
	}
	assert_true(count > 100 && count < 400);
}

static const struct {
	const char *product, *category, *field;
	bool has;
	const char *near;
} fields[] = {
    {"windows", "process_creation", "CommandLine", true, ""},
    {"windows", "process_creation", "commandline", false, "CommandLine"},
    {"windows", "process_creation", "EventID", true, ""},
    {"windows", "process_creation", "TargetObject", false, ""},
    {"windows", "process_creation", "host", true, ""},
    {"", "process_creation", "CommandLine", true, ""}, /* of any product: not known */
    {"windows", "", "WhatEver", true, ""},
    {"windows", "", "eventid", false, "EventID"},
    {"linux", "", "USER", true, ""},
    {"", "webserver", "cs-method", true, ""},
    {"", "webserver", "cs-path", false, ""},
    {"", "webserver", "src_ip", true, ""},
};

static void fields_are_known_where_they_can_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct str near;
		bool has = source_has_field(str_of(fields[i].product),
		    str_of(fields[i].category), str_of(fields[i].field), &near);

		if (has != fields[i].has || !str_eq(near, str_of(fields[i].near)))
			fail_msg("%s/%s: %s: %.*s", fields[i].product, fields[i].category,
			    fields[i].field, STR_ARG(near));
	}
}

static void the_configuration_gives_more(void **state)
{
	struct logsources *own = NULL;
	struct error error = {0};

	(void)state;
	assert_int_equal(logsources_parse(&own,
	    STR("- {has: x, product: aws, service: trail, category: [a, b]}\n"), "f", &error), 0);
	assert_true(logsources_give(own, STR("aws"), STR(""), STR("")));
	assert_true(logsources_give(own, STR("aws"), STR("b"), STR("trail")));
	assert_false(logsources_give(own, STR("aws"), STR("c"), STR("trail")));
	assert_false(logsources_give(own, STR("gcp"), STR(""), STR("")));
	assert_false(logsources_give(own, STR(""), STR(""), STR("other")));
	logsources_free(own);
	assert_int_equal(logsources_parse(&own,
	    STR("- {from: source, split: '|', parts: [product, service]}\n"), "f", &error), 0);
	assert_true(logsources_give(own, STR("any"), STR("thing"), STR("at all")));
	logsources_free(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(log_sources_are_those_of_the_decoders),
	    cmocka_unit_test(log_sources_are_told_as_events_have_them),
	    cmocka_unit_test(fields_are_known_where_they_can_be),
	    cmocka_unit_test(the_configuration_gives_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
