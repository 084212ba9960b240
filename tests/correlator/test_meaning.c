/*
 * What a detection means: every modifier, value and condition, on small events. The matcher with
 * its index and the plain evaluator must both say so.
 */
#include "tests/correlator/rulebook.h"

struct meaning {
	const char *detection; /* flow style; condition s unless it names one */
	const char *fields;
	bool matches;
};

static const struct meaning meanings[] = {
    /* equality of the whole value, without case */
    {"s: {Image: 'C:\\cmd.exe'}", "Image=c:\\CMD.EXE", true},
    {"s: {Image: 'cmd.exe'}", "Image=c:\\cmd.exe", false},
    {"s: {Tỉnh: 'ĐIỆN BIÊN'}", "Tỉnh=điện biên", true},
    {"s: {A: x}", "B=x", false},
    {"s: {A: [x, y]}", "A=y", true},
    {"s: {A: x, B: y}", "A=x", false},
    {"s: {A: x, B: y}", "A=x\nB=y", true},
    {"s: [{A: x}, {B: y}]", "B=y", true},
    {"s: {a.b: x}", "a.b=x", true},
    /* any element of a field that occurs more than once */
    {"s: {A: y}", "A=x\nA=y", true},
    {"s: {A|contains|all: [x, y]}", "A=x\nA=y", true},
    /* numbers */
    {"s: {EventID: 4625}", "#EventID=4625", true},
    {"s: {EventID: 4625}", "EventID=4625", true},
    {"s: {EventID: 4625}", "#EventID=4625.0", true},
    {"s: {EventID: 4625}", "EventID=46250", false},
    {"s: {EventID: '4625'}", "#EventID=4625", true},
    {"s: {A: 9007199254740993}", "#A=9007199254740992", false},
    {"s: {A: 18446744073709551615}", "#A=18446744073709551614", false},
    {"s: {A: 18446744073709551615}", "#A=18446744073709551615.0", true},
    {"s: {A: 1.5}", "A=1.50", true},
    {"s: {A: 0x10}", "A=0X10", true},
    /* bool, null, empty, exists */
    {"s: {A: true}", "%A=true", true},
    {"s: {A: true}", "A=True", true},
    {"s: {A: false}", "%A=true", false},
    {"s: {A: null}", "B=x", true},
    {"s: {A: null}", "!A=", true},
    {"s: {A: null}", "A=", false},
    {"s: {A: []}", "B=x", true},
    {"s: {A: ''}", "A=", true},
    {"s: {A: ''}", "B=x", false},
    {"s: {A: ''}", "!A=", false},
    {"s: {A: '*'}", "A=", true},
    {"s: {A: '*'}", "!A=", false},
    {"s: {A: '*'}", "B=x", false},
    {"s: {A|exists: true}", "!A=", true},
    {"s: {A|exists: true}", "B=x", false},
    {"s: {A|exists: false}", "B=x", true},
    {"s: {A|exists: false}", "A=", false},
    /* wildcards and escapes */
    {"s: {A: 'a*z'}", "A=aBCz", true},
    {"s: {A: 'a?z'}", "A=aằz", true},
    {"s: {A: 'a\\*z'}", "A=a*z", true},
    {"s: {A: 'a\\*z'}", "A=abz", false},
    {"s: {A: '\\\\\\\\srv\\\\share*'}", "A=\\\\srv\\share\\x", true},
    /* contains, startswith, endswith, all */
    {"s: {A|contains: 'ell'}", "A=hELLo", true},
    {"s: {A|contains: ''}", "A=x", true},
    {"s: {A|contains: 'a*c'}", "A=xxabcxx", true},
    {"s: {A|startswith: 'he'}", "A=hello", true},
    {"s: {A|startswith: 'lo'}", "A=hello", false},
    {"s: {A|endswith: 'LO'}", "A=hello", true},
    {"s: {A|endswith: 'he'}", "A=hello", false},
    {"s: {A|endswith: '\\x.exe'}", "A=C:\\y\\X.EXE", true},
    {"s: {A|contains|all: [a, b]}", "A=xbxa", true},
    {"s: {A|contains|all: [a, b]}", "A=xa", false},
    {"s: {A|contains: 12}", "A=0123", true},
    {"s: {A|contains: 'abcdefgh'}", "A=xxxabcdefghxxx", true},
    {"s: {A|contains: 'abcdefgh'}", "A=abcdefg", false},
    /* cased */
    {"s: {A|cased: 'Abc'}", "A=abc", false},
    {"s: {A|cased: 'Abc'}", "A=Abc", true},
    {"s: {A|contains|cased: 'Abcdefgh'}", "A=xAbcdefghx", true},
    {"s: {A|contains|cased: 'Abcdefgh'}", "A=xabcdefghx", false},
    {"s: {A|startswith|cased: 'Abcdefgh'}", "A=ABCDEFGH", false},
    {"s: {A|endswith|cased: 'Abcdefgh'}", "A=xAbcdefgh", true},
    /* re: case counts, a search, flags */
    {"s: {A|re: 'b+c'}", "A=abbbcd", true},
    {"s: {A|re: 'B+c'}", "A=abbbcd", false},
    {"s: {A|re: '(?i)B+C'}", "A=abbbcd", true},
    {"s: {A|re|i: 'B+C'}", "A=abbbcd", true},
    {"s: {A|re|ignorecase: 'B+C'}", "A=abbbcd", true},
    {"s: {A|re: '^a.*z$'}", "A=abz", true},
    {"s: {A|re: '\\w\\*'}", "A=x*", true},
    {"s: {A|re: '^.$'}", "A=ằ", true},
    {"s: {A|re|contains: 'b'}", "A=abc", true},
    {"s: {A|re: [x, y]}", "A=ayb", true},
    {"s: {A|re|all: [x, y]}", "A=ayb", false},
    /* cidr: every form of an address */
    {"s: {A|cidr: 192.0.2.0/24}", "A=192.0.2.200", true},
    {"s: {A|cidr: 192.0.2.0/24}", "A=192.0.3.1", false},
    {"s: {A|cidr: 192.0.2.0/24}", "A=::ffff:192.0.2.9", true},
    {"s: {A|cidr: '2001:db8::/33'}", "A=2001:0DB8:0000::1", true},
    {"s: {A|cidr: '2001:db8::/33'}", "A=2001:db8:8000::1", false},
    {"s: {A|cidr: 192.0.2.7}", "A=192.0.2.7", true},
    {"s: {A|cidr: 192.0.2.0/24}", "A=router", false},
    {"s: {A|cidr: 0.0.0.0/0}", "A=203.0.113.1", true},
    {"s: {A|cidr: 0.0.0.0/0}", "A=2001:db8::1", false},
    /* neq: plain negation, of all values, absent fields too */
    {"s: {A|neq: x}", "A=y", true},
    {"s: {A|neq: x}", "A=x", false},
    {"s: {A|neq: x}", "B=y", true},
    {"s: {A|contains|neq: [x, y]}", "A=ay", false},
    {"s: {A|fieldref|neq: B}", "A=1\nB=2", true},
    /* numbers in order */
    {"s: {A|gt: 5}", "#A=6", true},
    {"s: {A|gt: 5}", "A=5", false},
    {"s: {A|gte: 5}", "A=5", true},
    {"s: {A|lt: 5}", "A=4.5", true},
    {"s: {A|gte: 9007199254740993}", "#A=9007199254740992", false},
    {"s: {A|lte: 9007199254740993}", "A=9007199254740993", true},
    {"s: {A|lt: 18446744073709551615}", "#A=18446744073709551614", true},
    {"s: {A|gt: -9007199254740993}", "#A=-9007199254740992", true},
    {"s: {A|lte: -1}", "A=-1", true},
    {"s: {A|gt: 5}", "A=nhiều", false},
    /* fieldref */
    {"s: {A|fieldref: B}", "A=x\nB=X", true},
    {"s: {A|fieldref|cased: B}", "A=x\nB=X", false},
    {"s: {A|fieldref: B}", "A=x", false},
    {"s: {A|fieldref|startswith: B}", "A=xyz\nB=XY", true},
    {"s: {A|fieldref|endswith: B}", "A=xyz\nB=yz", true},
    {"s: {A|fieldref|contains: B}", "A=xyz\nB=y", true},
    {"s: {A|fieldref|contains: B}", "A=xyz\nB=q", false},
    /* windash: five dashes, flags only, in any number without blow-up */
    {"s: {A|contains|windash: ' -enc '}", "A=p /ENC x", true},
    {"s: {A|contains|windash: ' /enc '}", "A=p \xE2\x80\x93" "enc x", true},
    {"s: {A|windash|contains: ' -enc '}", "A=p \xE2\x80\x95" "enc x", true},
    {"s: {A|contains|windash: ' -enc '}", "A=p +enc x", false},
    {"s: {A|windash: 'a-b'}", "A=a/b", false},
    {"s: {A|endswith|windash: '-x'}", "A=tool /x", true},
    {"s: {A|contains|windash: ' -a -b -c -d -e -f -g -h -i -j -k -l'}",
        "A= /a -b /c -d /e -f /g -h /i -j /k /l", true},
    {"s: {A|contains|windash|all: ['-a', '-b']}", "A=/a", false},
    /* base64 and its alignments: "Tuyên Quang" is not ASCII, so bytes and characters differ */
    {"s: {A|base64: 'foobar'}", "A=Zm9vYmFy", true},
    {"s: {A|base64: 'fooba'}", "A=Zm9vYmE=", true},
    {"s: {A|base64offset|contains: 'foobar'}", "A=xxZm9vYmFyxx", true},
    {"s: {A|base64offset|contains: 'Tuyên Quang'}", "A=VHV5w6puIFF1YW5n", true},
    {"s: {A|base64offset|contains: 'Tuyên Quang'}", "A=YVR1ecOqbiBRdWFuZ2I=", true},
    {"s: {A|base64offset|contains: 'Tuyên Quang'}", "A=YWFUdXnDqm4gUXVhbmc=", true},
    {"s: {A|base64offset|contains: 'Tuyên Quang'}", "A=VHV5ZW4gUXVhbmc=", false},
    {"s: {A|wide|base64offset|contains: 'ping'}", "A=cABpAG4AZwA=", true},
    {"s: {A|utf16le|base64: 'a'}", "A=YQA=", true},
    {"s: {A|utf16be|base64: 'a'}", "A=AGE=", true},
    {"s: {A|utf16|base64: 'a'}", "A=//5hAA==", true},
    {"s: {A|wide|base64: '\xF0\x9F\x94\x94'}", "A=Pdgd3Q==", false},
    {"s: {A|wide|base64: '\xF0\x9F\x94\x94'}", "A=Pdgg3Q==", false},
    {"s: {A|wide|base64: '\xF0\x9F\x94\x94'}", "A=Pdga3Q==", false},
    {"s: {A|wide|base64: '\xF0\x9F\x94\x94'}", "A=PdgU3Q==", true},
    /* parts of a time, no zone conversion */
    {"s: {A|minute: 30}", "A=2026-01-31T08:30:59+07:00", true},
    {"s: {A|hour: 8}", "A=2026-01-31 08:30", true},
    {"s: {A|day: 31}", "A=2026-01-31", true},
    {"s: {A|month: 1}", "A=2026-01-31T08:30:00Z", true},
    {"s: {A|year: 2026}", "A=2026-01-31T08:30:00Z", true},
    {"s: {A|week: 53}", "A=2027-01-03T00:00:00Z", true},
    {"s: {A|week: 1}", "A=2027-01-04T00:00:00Z", true},
    {"s: {A|hour: 8}", "A=hôm qua", false},
    {"s: {A|day: 30}", "A=2026-02-30", false},
    /* keywords: the raw line and all values, substrings with wildcards */
    {"s: [mimikatz, 'sekur*pass']", "A=xxMIMIKATZxx", true},
    {"s: [mimikatz, 'sekur*pass']", "A=sekurlsa::logonpasswords", true},
    {"s: mimikatz", "A=mimi\nB=katz", false},
    {"s: 4625", "A=id 4625", true},
    {"s: {'|all': [một, hai]}", "A=một\nB=hai", true},
    {"s: {'|all': [một, hai]}", "A=một", false},
    {"s: {'|re': 'm.t'}", "A=một", true},
    {"s: [{A: x}, nước]", "B=đất NƯỚC", true},
    /* conditions */
    {"a: {A: 1}, b: {B: 1}, condition: a or b", "B=1", true},
    {"a: {A: 1}, b: {B: 1}, condition: a and b", "B=1", false},
    {"a: {A: 1}, b: {B: 1}, condition: a and not b", "A=1", true},
    {"a: {A: 1}, b: {B: 1}, condition: not a", "B=1", true},
    {"a: {A: 1}, b: {B: 1}, condition: not not a", "A=1", true},
    {"a: {A: 1}, b: {B: 1}, c: {C: 1}, condition: a or b and c", "A=1", true},
    {"a: {A: 1}, b: {B: 1}, c: {C: 1}, condition: (a or b) and c", "A=1", false},
    {"a: {A: 1}, b: {B: 1}, c: {C: 1}, condition: not a and b", "B=1", true},
    {"a: {A: 1}, b: {B: 1}, c: {C: 1}, condition: not (a and b)", "A=1", true},
    {"a: {A: 1}, b: {B: 1}, condition: NOT a AND b", "B=1", true},
    {"s1: {A: 1}, s2: {B: 1}, condition: 1 of s*", "B=1", true},
    {"s1: {A: 1}, s2: {B: 1}, condition: any of s*", "B=1", true},
    {"s1: {A: 1}, s2: {B: 1}, condition: all of s*", "B=1", false},
    {"s1: {A: 1}, s2: {B: 1}, condition: all of s*", "A=1\nB=1", true},
    {"s1: {A: 1}, s2: {B: 1}, s3: {C: 1}, condition: 2 of s*", "A=1\nC=1", true},
    {"s1: {A: 1}, s2: {B: 1}, s3: {C: 1}, condition: 2 of s*", "C=1", false},
    {"s1: {A: 1}, s2: {B: 1}, s3: {C: 1}, condition: not 2 of them", "C=1", true},
    {"s1: {A: 1}, _s2: {B: 1}, condition: 1 of them", "B=1", false},
    {"s1: {A: 1}, _s2: {B: 1}, condition: 1 of _*", "B=1", true},
    {"s_x_1: {A: 1}, s_y_1: {B: 1}, condition: 1 of s_*_1", "B=1", true},
    {"s_x_1: {A: 1}, s_y_2: {B: 1}, condition: 1 of *_1", "B=1", false},
    {"s_x_1: {A: 1}, s_y_2: {B: 1}, condition: 1 of s_y_2", "B=1", true},
    {"all: {A: 1}, condition: all", "A=1", true},
    {"a: {A: 1}, b: {B: 1}, condition: [a, b]", "B=1", true},
};

static struct ruleset *meaning_load(const struct meaning *meaning)
{
	char text[4096];

	snprintf(text, sizeof(text),
	    "title: Thu\nid: thu\nlogsource: {product: thu}\ndetection: {%s%s}\n", meaning->detection,
	    strstr(meaning->detection, "condition:") == NULL ? ", condition: s" : "");
	return rulebook_load(text);
}

static void detections_mean_what_they_say(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(meanings); i++) {
		const struct meaning *meaning = &meanings[i];
		struct ruleset *ruleset = meaning_load(meaning);
		struct matcher *matcher = matcher_new(ruleset);
		struct record *record = rulebook_record(arena, meaning->fields,
		    strchr(meaning->detection, '|') != NULL ? "" : NULL);
		const uint32_t *matches;
		bool indexed = matcher_run(matcher, record, &matches) == 1;
		bool plain = matcher_run_plain(matcher, record, &matches) == 1;

		if (indexed != meaning->matches || plain != meaning->matches)
			fail_msg("%s on '%s': index %d, plain %d, expected %d", meaning->detection,
			    meaning->fields, indexed, plain, meaning->matches);
		matcher_free(matcher);
		ruleset_free(ruleset);
		arena_reset(arena);
	}
	arena_free(arena);
}

/* All rules of the table in one ruleset, so that each stands in a crowd that the index sifts. */
static struct ruleset *crowd_load(void)
{
	struct buf out = BUF(1 << 20);

	for (size_t i = 0; i < RULEBOOK_COUNT(meanings); i++)
		buf_printf(&out, "---\ntitle: Thu\nid: thu-%zu\nlogsource: {product: thu}\n"
		    "detection: {%s%s}\n", i, meanings[i].detection,
		    strstr(meanings[i].detection, "condition:") == NULL ? ", condition: s" : "");
	buf_char(&out, '\0');
	assert_false(out.failed);
	struct ruleset *ruleset = rulebook_load(out.ptr);

	assert_int_equal(ruleset_count(ruleset), RULEBOOK_COUNT(meanings));
	buf_free(&out);
	return ruleset;
}

static bool is_found(const uint32_t *matches, size_t count, uint32_t rule)
{
	for (size_t i = 0; i < count; i++) {
		if (matches[i] == rule)
			return true;
	}
	return false;
}

/* cased, keywords, null, the empty text and rules of "not" alone are what prefilters lose. */
static void a_crowd_of_rules_changes_no_meaning(void **state)
{
	struct ruleset *ruleset = crowd_load();
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);
	uint32_t *indexed = calloc(RULEBOOK_COUNT(meanings), sizeof(*indexed));

	(void)state;
	assert_non_null(indexed);
	for (size_t i = 0; i < RULEBOOK_COUNT(meanings); i++) {
		const struct meaning *meaning = &meanings[i];
		struct record *record = rulebook_record(arena, meaning->fields,
		    strchr(meaning->detection, '|') != NULL ? "" : NULL);
		const uint32_t *matches;
		size_t count = matcher_run(matcher, record, &matches);

		memcpy(indexed, matches, count * sizeof(*indexed));
		if (is_found(indexed, count, (uint32_t)i) != meaning->matches)
			fail_msg("%s on '%s'", meaning->detection, meaning->fields);
		if (matcher_run_plain(matcher, record, &matches) != count ||
		    memcmp(indexed, matches, count * sizeof(*indexed)) != 0)
			fail_msg("index and plain differ on '%s'", meaning->fields);
		arena_reset(arena);
	}
	free(indexed);
	arena_free(arena);
	matcher_free(matcher);
	ruleset_free(ruleset);
}

/* m and s need a line break inside a value, which the table cannot say. */
static void regex_flags_and_dots(void **state)
{
	static const struct {
		const char *key;
		bool matches;
	} cases[] = {
	    {"A|re", false}, {"A|re|m", true}, {"A|re|multiline", true}, {"A|re|s", false}};
	static const struct {
		const char *key;
		bool matches;
	} dots[] = {{"A|re", false}, {"A|re|s", true}, {"A|re|dotall", true}, {"A|re|m", false}};
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		const char *key = i < 4 ? cases[i].key : dots[i - 4].key;
		bool expected = i < 4 ? cases[i].matches : dots[i - 4].matches;
		char detection[64];

		snprintf(
		    detection, sizeof(detection), "s: {%s: '%s'}", key, i < 4 ? "^hai$" : "m.+i");
		struct ruleset *ruleset =
		    meaning_load(&(struct meaning){detection, NULL, expected});
		struct matcher *matcher = matcher_new(ruleset);
		struct record *record = rulebook_record(arena, "", "");
		const uint32_t *matches;

		record_put_named(record, STR("A"), FIELD_STRING, STR("m\nhai\nx"));
		assert_int_equal(matcher_run(matcher, record, &matches), expected);
		assert_int_equal(matcher_run_plain(matcher, record, &matches), expected);
		matcher_free(matcher);
		ruleset_free(ruleset);
	}
	arena_free(arena);
}

struct source_case {
	const char *rule, *product, *service, *category, *category2;
	bool matches;
};

static const struct source_case sources[] = {
    {"product: windows", "windows", "sysmon", "process_creation", "", true},
    {"product: windows", "linux", "", "", "", false},
    {"product: windows", "", "", "", "", false},
    {"product: windows, service: security", "windows", "sysmon", "", "", false},
    {"product: windows, service: security", "windows", "security", "process_creation", "", true},
    {"category: process_creation", "linux", "auditd", "process_creation", "", true},
    {"category: registry_set", "windows", "sysmon", "registry_event", "registry_set", true},
    {"category: registry_add", "windows", "sysmon", "registry_event", "registry_set", false},
    {"category: proxy, product: windows", "windows", "sysmon", "", "", false},
    {"definition: bật ghi nhật ký, tỉnh: Hà Giang", "linux", "sshd", "", "", true},
};

static void log_sources_cover_what_they_name(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(sources); i++) {
		char text[512];

		snprintf(text, sizeof(text),
		    "title: Thu\nlogsource: {%s}\ndetection: {s: {A: 1}, condition: s}\n",
		    sources[i].rule);
		struct ruleset *ruleset = rulebook_load(text);
		struct matcher *matcher = matcher_new(ruleset);
		struct record *record = rulebook_record(arena, "A=1", NULL);
		const uint32_t *matches;

		record->product = str_of(sources[i].product);
		record->service = str_of(sources[i].service);
		record_category(record, str_of(sources[i].category));
		record_category(record, str_of(sources[i].category2));
		if ((matcher_run(matcher, record, &matches) == 1) != sources[i].matches ||
		    (matcher_run_plain(matcher, record, &matches) == 1) != sources[i].matches)
			fail_msg("logsource {%s}, case %zu", sources[i].rule, i);
		matcher_free(matcher);
		ruleset_free(ruleset);
	}
	arena_free(arena);
}

static void hostile_text_costs_a_bounded_amount(void **state)
{
	struct ruleset *ruleset =
	    rulebook_load("title: Thu\nlogsource: {product: thu}\n"
			  "detection: {s: {A|re: '(a|aa)+$'}, condition: s}\n");
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);
	struct record *record = rulebook_record(arena, "", "");
	struct matcher_stats stats;
	const uint32_t *matches;
	static char hostile[20000];

	(void)state;
	memset(hostile, 'a', sizeof(hostile));
	hostile[60] = 'b';
	record_put_named(record, STR("A"), FIELD_STRING, str_from(hostile, 61));
	assert_int_equal(matcher_run(matcher, record, &matches), 0);
	matcher_stats(matcher, &stats);
	assert_int_equal(stats.regex_limit_hits, 1);
	record = rulebook_record(arena, "", "");
	record_put_named(record, STR("A"), FIELD_STRING, str_from(hostile, sizeof(hostile)));
	(void)matcher_run(matcher, record, &matches);
	matcher_stats(matcher, &stats);
	assert_int_equal(stats.regex_cut_subjects, 1);
	matcher_free(matcher);
	ruleset_free(ruleset);
	arena_free(arena);
}

static void a_match_is_explained_by_its_fields(void **state)
{
	struct ruleset *ruleset =
	    rulebook_load("title: Thu\nlogsource: {product: thu}\n"
	                  "detection: {s: {A: x, B|contains: [q, y]}, f: {C: z}, k: [yy], "
	                  "condition: (s or k) and not f}\n");
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new(1 << 20);
	struct record *record = rulebook_record(arena, "A=w\nA=X\nB=ayy\nD=d", "");
	struct alert_pair pairs[4];
	const uint32_t *matches;

	(void)state;
	assert_int_equal(matcher_run(matcher, record, &matches), 1);
	assert_int_equal(matcher_explain(matcher, record, matches[0], pairs, 4), 2);
	assert_true(str_eq(pairs[0].name, STR("A")) && str_eq(pairs[0].value, STR("X")));
	assert_true(str_eq(pairs[1].name, STR("B")) && str_eq(pairs[1].value, STR("ayy")));
	assert_int_equal(matcher_explain(matcher, record, 0, pairs, 1), 1);
	matcher_free(matcher);
	ruleset_free(ruleset);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(detections_mean_what_they_say),
	    cmocka_unit_test(a_crowd_of_rules_changes_no_meaning),
	    cmocka_unit_test(regex_flags_and_dots),
	    cmocka_unit_test(log_sources_cover_what_they_name),
	    cmocka_unit_test(hostile_text_costs_a_bounded_amount),
	    cmocka_unit_test(a_match_is_explained_by_its_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
