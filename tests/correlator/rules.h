/*
 * rules.h - the rules that most tests of this room run.
 */
#ifndef TOCSIN_TESTS_CORRELATOR_RULES_H
#define TOCSIN_TESTS_CORRELATOR_RULES_H

#define BASE_RULE(id, act)                                                                         \
	"title: " id "\nid: " id "\nlogsource:\n    definition: any\n"                             \
	"detection:\n    s:\n        act: " act "\n    condition: s\nlevel: low\n"

#define CORRELATION_RULE(id, type, rules, by, span, condition)                                     \
	"---\ntitle: " id "\nid: " id "\ncorrelation:\n    type: " type "\n    rules: " rules      \
	"\n    group-by: " by "\n    timespan: " span "\n" condition "level: high\n"

#define BASES                                                                                      \
	BASE_RULE("failed", "fail") "---\n" BASE_RULE("accepted", "ok") "---\n"                    \
	BASE_RULE("scanned", "scan")

/* Five failures of one address within a minute. */
#define BRUTE                                                                                      \
	CORRELATION_RULE("brute", "event_count", "[failed]", "[src_ip]", "60s",                    \
	    "    condition:\n        gte: 5\n")
/* Three accounts tried from one address. */
#define SPRAY                                                                                      \
	CORRELATION_RULE("spray", "value_count", "[failed]", "[src_ip]", "60s",                    \
	    "    condition:\n        field: User\n        gte: 3\n")
#define TOGETHER                                                                                   \
	CORRELATION_RULE("together", "temporal", "[failed, scanned]", "[src_ip]", "60s", "")
/* Brute force, then success: a chain. */
#define BREAKIN                                                                                    \
	CORRELATION_RULE("breakin", "temporal_ordered", "[brute, accepted]", "[src_ip]", "5m", "")
/* A scan, a failure, a success, in that order. */
#define STEPS                                                                                      \
	CORRELATION_RULE("steps", "temporal_ordered", "[scanned, failed, accepted]", "[src_ip]",   \
	    "60s", "")

#define FAIL(ip, user) "{\"act\":\"fail\",\"src_ip\":\"" ip "\",\"User\":\"" user "\"}"
#define OK(ip)         "{\"act\":\"ok\",\"src_ip\":\"" ip "\",\"User\":\"an\"}"
#define SCAN(ip)       "{\"act\":\"scan\",\"src_ip\":\"" ip "\"}"

#endif
