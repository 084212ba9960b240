#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "town.h"

#define RULE(name, act)                                                                            \
	"title: " name "\nid: " name "\nname: " name "\nlogsource:\n    definition: any\n"            \
	"detection:\n    s:\n        act: " act "\n    condition: s\nlevel: medium\n"

static const char plain_rules[] =
    "title: Log in failed\nid: failed\nlogsource:\n    definition: any\n"
    "detection:\n    s:\n        act: fail\n    condition: s\nlevel: low\n";

static void test_plain_rule(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = plain_rules});
	town_send(&town, "web01", TOWN_START, "{\"act\":\"fail\",\"src\":\"192.0.2.1\"}");
	town_send(&town, "web01", TOWN_START, "{\"act\":\"ok\",\"src\":\"192.0.2.1\"}");
	town_send(&town, "web02", TOWN_START, "{\"act\":\"fail\",\"src\":\"192.0.2.1\"}");
	town_run(&town);
	assert_int_equal(town_stats(&town).events, 3);
	assert_int_equal(town_count(&town, "failed", ALERT_SETTLED), 2);
	assert_int_equal(town_count_group(&town, "failed", "web01,192.0.2.1", ALERT_SETTLED), 1);
	town_close(&town);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
