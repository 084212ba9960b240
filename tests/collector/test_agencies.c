#include "collector/agencies.h"

#include "base/clock.h"
#include "base/hash.h"
#include "collector/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char document[] =
    "unknown:\n"
    "  inputs: [syslog-udp]\n"
    "  quota: {events: 50, bytes: 4K, burst: 1s}\n"
    "agencies:\n"
    "  - name: langson\n"
    "    contacts: [soc@langson.example, '+84 25 0000 000']\n"
    "    systems:\n"
    "      - name: firewall\n"
    "        networks: [192.0.2.128/25, '2001:db8:1::/48']\n"
    "        decoder: kv\n"
    "        level: 4\n"
    "        inputs: syslog-tcp\n"
    "      - name: mail\n"
    "        networks: 192.0.2.200\n"
    "        zone: '-03:30'\n"
    "        tokens: [sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8]\n"
    "        certificates: [dns:Mail.langson.example, 'SHA256:" "01:02:03:04:05:06:07:08:"
    "09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F:20']\n"
    "        quota: {events: 10}\n"
    "    networks: [192.0.2.0/24]\n"
    "    zone: '+07:00'\n"
    "    level: 3\n"
    "    quota: {events: 1000, shared: true}\n"
    "    silent: 15m\n"
    "    tokens: token-of-langson\n"
    "  - name: hue\n"
    "    networks: ['::ffff:192.0.2.64/122', 198.51.100.0/24]\n"
    "    certificates: [uri:spiffe://hue.example/log, email:log@hue.example]\n"
    "    shared_keys: [forward-of-hue, another-of-hue]\n"
    "    inputs: none\n";

static struct agencies *parse(const char *yaml)
{
	struct agencies *agencies = NULL;
	struct error error = {0};

	if (agencies_parse(&agencies, str_of(yaml), "a.yml", STR("site"), &error) < 0)
		fail_msg("%u:%u %s", error.line, error.column, error.text);
	return agencies;
}

static const struct identity_of *by_address(const struct agencies *agencies, const char *text)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return agencies_by_network(agencies, (struct sockaddr *)&four);
	assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
	return agencies_by_network(agencies, (struct sockaddr *)&six);
}

static void assert_is(const struct identity_of *who, const char *agency, const char *system)
{
	assert_non_null(who);
	assert_true(str_eq(who->agency, str_of(agency)));
	assert_true(str_eq(who->system, str_of(system)));
}

static void test_networks(void **state)
{
	static const struct {
		const char *address, *agency, *system;
	} rows[] = {{"192.0.2.1", "langson", ""}, {"192.0.2.63", "langson", ""},
	    {"192.0.2.64", "hue", ""}, {"192.0.2.127", "hue", ""},
	    {"192.0.2.128", "langson", "firewall"}, {"192.0.2.199", "langson", "firewall"},
	    {"192.0.2.200", "langson", "mail"}, {"192.0.2.201", "langson", "firewall"},
	    {"::ffff:192.0.2.200", "langson", "mail"}, {"192.0.3.1", "site", ""},
	    {"192.0.1.255", "site", ""}, {"198.51.100.255", "hue", ""},
	    {"2001:db8:1::1", "langson", "firewall"}, {"2001:db8:1:ffff::1", "langson", "firewall"},
	    {"2001:db8:2::1", "site", ""}, {"c000:201::", "site", ""}, {"::1", "site", ""}};
	struct agencies *agencies = parse(document);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_is(by_address(agencies, rows[i].address), rows[i].agency, rows[i].system);
	struct sockaddr local = {.sa_family = AF_UNIX};

	assert_ptr_equal(agencies_by_network(agencies, &local), agencies_unknown(agencies));
	agencies_free(agencies);
	agencies_free(NULL);
}

static void test_what_follows(void **state)
{
	struct agencies *agencies = parse(document);
	const struct identity_of *agency = by_address(agencies, "192.0.2.1");
	const struct identity_of *firewall = by_address(agencies, "192.0.2.130");
	const struct identity_of *mail = by_address(agencies, "192.0.2.200");
	const struct identity_of *unknown = agencies_unknown(agencies);
	const struct identity_of *hue = by_address(agencies, "198.51.100.1");

	(void)state;
	assert_true(str_eq(agency->contacts, STR("soc@langson.example, +84 25 0000 000")));
	assert_true(str_eq(firewall->contacts, agency->contacts));
	assert_true(agency->known && firewall->known && !unknown->known);
	assert_int_equal(agency->level, 3);
	assert_int_equal(firewall->level, 4);
	assert_int_equal(mail->level, 3);
	assert_true(str_eq(firewall->decoder, STR("kv")));
	assert_int_equal(mail->decoder.len, 0);
	/* What its agency says behind its systems is theirs too. */
	assert_true(firewall->zone_is_set);
	assert_int_equal(firewall->zone_s, 25200);
	assert_int_equal(mail->zone_s, -12600);
	assert_false(unknown->zone_is_set);
	assert_true(firewall->silent_ns == 900 * NS_PER_S && hue->silent_ns == 0);
	assert_int_equal(firewall->silent_times, 10);
	/* One bucket for all of the agency; a quota of its own is apart. */
	assert_non_null(agency->bucket);
	assert_ptr_equal(firewall->bucket, agency->bucket);
	assert_null(mail->bucket);
	assert_int_equal(mail->quota.events, 10);
	assert_int_equal(firewall->quota.events, 1000);
	assert_int_equal(unknown->quota.bytes, 4096);
	assert_true(unknown->quota.burst_ns == NS_PER_S && mail->quota.burst_ns == 2 * NS_PER_S);
	assert_int_equal(hue->quota.events, 0);
	agencies_free(agencies);
}

static void test_inputs(void **state)
{
	struct agencies *agencies = parse(document), *none = agencies_none(STR("x"));
	const struct identity_of *firewall = by_address(agencies, "192.0.2.130");

	(void)state;
	assert_true(identity_allows(firewall, "syslog-tcp"));
	assert_false(identity_allows(firewall, "syslog-udp"));
	assert_true(identity_allows(by_address(agencies, "192.0.2.200"), "syslog-udp"));
	assert_true(identity_allows(agencies_unknown(agencies), "syslog-udp"));
	assert_false(identity_allows(agencies_unknown(agencies), "http"));
	for (size_t i = 0; i < input_count(); i++) {
		assert_false(identity_allows(
		    by_address(agencies, "198.51.100.1"), input_at(i)->name));
		assert_true(identity_allows(agencies_unknown(none), input_at(i)->name));
	}
	assert_false(agencies_have_tokens(none) || agencies_have_certificates(none));
	assert_true(agencies_have_tokens(agencies) && agencies_have_certificates(agencies));
	agencies_free(agencies);
	agencies_free(none);
}

static void test_tokens(void **state)
{
	struct agencies *agencies = parse(document);
	struct str key;

	(void)state;
	assert_is(agencies_by_token(agencies, STR("token-of-langson")), "langson", "");
	/* Kept as its SHA-256 only. */
	assert_is(agencies_by_token(agencies, STR("password")), "langson", "mail");
	assert_null(agencies_by_token(agencies, STR("token-of-langso")));
	assert_null(agencies_by_token(agencies, STR("token-of-langson ")));
	assert_null(agencies_by_token(agencies, STR("")));
	assert_null(agencies_by_token(agencies,
	    STR("sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8")));
	/* A key that is proven is no token, and the other way round. */
	assert_null(agencies_by_token(agencies, STR("forward-of-hue")));
	assert_is(agencies_shared_key(agencies, 0, &key), "hue", "");
	assert_true(str_eq(key, STR("forward-of-hue")));
	assert_is(agencies_shared_key(agencies, 1, &key), "hue", "");
	assert_true(str_eq(key, STR("another-of-hue")));
	assert_null(agencies_shared_key(agencies, 2, &key));
	agencies_free(agencies);
}

static void test_certificates(void **state)
{
	struct agencies *agencies = parse(document);
	uint8_t print[32], other[32] = {0};
	struct str names[] = {STR("dns:elsewhere.example"), STR("dns:MAIL.langson.example"),
	    STR("uri:spiffe://hue.example/log")};

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		print[i] = (uint8_t)(i + 1);
	assert_is(agencies_by_certificate(agencies, NULL, 0, print), "langson", "mail");
	assert_is(agencies_by_certificate(agencies, names + 2, 1, print), "langson", "mail");
	assert_is(agencies_by_certificate(agencies, names, 2, other), "langson", "mail");
	assert_is(agencies_by_certificate(agencies, names + 2, 1, other), "hue", "");
	assert_null(agencies_by_certificate(agencies, names, 1, other));
	struct str unkind[] = {STR("mail.langson.example"), STR("email:mail.langson.example")};

	assert_null(agencies_by_certificate(agencies, unkind, 2, other));
	agencies_free(agencies);
}

static void test_names(void **state)
{
	struct agencies *agencies = parse(document);

	(void)state;
	assert_int_equal(agencies_count(agencies), 4);
	assert_is(agencies_by_name(agencies, STR("langson"), STR("mail")), "langson", "mail");
	assert_is(agencies_by_name(agencies, STR("hue"), STR("")), "hue", "");
	assert_null(agencies_by_name(agencies, STR("hue"), STR("mail")));
	assert_null(agencies_by_name(agencies, STR(""), STR("")));
	for (size_t i = 0; i < agencies_count(agencies); i++)
		assert_ptr_equal(agencies_by_name(agencies, agencies_at(agencies, i)->agency,
				     agencies_at(agencies, i)->system),
		    agencies_at(agencies, i));
	agencies_free(agencies);
}

/* Of two agencies, not of one and its systems. */
static void test_overlaps(void **state)
{
	struct agencies *agencies = parse(document);

	(void)state;
	assert_non_null(agencies_overlap(agencies, 0));
	assert_non_null(strstr(agencies_overlap(agencies, 0), "hue"));
	assert_non_null(strstr(agencies_overlap(agencies, 0), "langson"));
	assert_null(agencies_overlap(agencies, 1));
	agencies_free(agencies);
}

static void test_refusals(void **state)
{
#define A "agencies:\n  - name: a\n    "
	static const struct {
		const char *yaml;
		unsigned line, column;
		enum text_id id;
	} rows[] = {
	    {"- a\n", 1, 1, TEXT_collector_agencies_root},
	    {"agency: []\n", 1, 1, TEXT_collector_agencies_key},
	    {"agencies: x\n", 1, 11, TEXT_collector_agencies_list},
	    {"agencies: [x]\n", 1, 12, TEXT_collector_agencies_list},
	    {"agencies: [{level: 1}]\n", 1, 12, TEXT_collector_agencies_nameless},
	    {"agencies: [{name: ''}]\n", 1, 19, TEXT_collector_agencies_name},
	    {"agencies: [{name: \"a\\nb\"}]\n", 1, 19, TEXT_collector_agencies_name},
	    {"agencies: [{name: [a]}]\n", 1, 19, TEXT_collector_agencies_name},
	    {"agencies: [{name: a}, {name: a}]\n", 1, 30, TEXT_collector_agencies_who},
	    {A "systems: [{name: s}, {name: s}]\n", 3, 33, TEXT_collector_agencies_who},
	    {A "systems: {name: s}\n", 3, 14, TEXT_collector_agencies_list},
	    {A "systems: [{name: s, systems: []}]\n", 3, 25, TEXT_collector_agencies_key},
	    {A "nam: b\n", 3, 5, TEXT_collector_agencies_key},
	    {A "level: 0\n", 3, 12, TEXT_collector_agencies_level},
	    {A "level: 6\n", 3, 12, TEXT_collector_agencies_level},
	    {A "level: '3'\n", 3, 12, TEXT_collector_agencies_level},
	    {A "zone: 7\n", 3, 11, TEXT_collector_agencies_zone},
	    {A "zone: '+19:00'\n", 3, 11, TEXT_collector_agencies_zone},
	    {A "zone: '+07:60'\n", 3, 11, TEXT_collector_agencies_zone},
	    {A "zone: '07:000'\n", 3, 11, TEXT_collector_agencies_zone},
	    {A "inputs: [syslog]\n", 3, 14, TEXT_collector_agencies_inputs},
	    {A "inputs: [{a: b}]\n", 3, 14, TEXT_collector_agencies_text},
	    {A "quota: 5\n", 3, 12, TEXT_collector_agencies_map},
	    {A "quota: {rate: 5}\n", 3, 13, TEXT_collector_agencies_key},
	    {A "quota: {events: -1}\n", 3, 21, TEXT_collector_agencies_number},
	    {A "quota: {events: 1000000001}\n", 3, 21, TEXT_collector_agencies_number},
	    {A "quota: {bytes: 5X}\n", 3, 20, TEXT_collector_agencies_size},
	    {A "quota: {burst: 5}\n", 3, 20, TEXT_collector_agencies_duration},
	    {A "quota: {shared: 5}\n", 3, 21, TEXT_collector_agencies_bool},
	    {A "silent: soon\n", 3, 13, TEXT_collector_agencies_duration},
	    {A "loud_times: x\n", 3, 17, TEXT_collector_agencies_number},
	    {A "networks: [192.0.2.0/33]\n", 3, 16, TEXT_collector_agencies_network},
	    {A "networks: [192.0.2.0/]\n", 3, 16, TEXT_collector_agencies_network},
	    {A "networks: [192.0.2]\n", 3, 16, TEXT_collector_agencies_network},
	    {A "networks: ['2001:db8::/129']\n", 3, 16, TEXT_collector_agencies_network},
	    {A "networks: [example.org]\n", 3, 16, TEXT_collector_agencies_network},
	    {A "networks: [192.0.2.7/24]\n", 3, 16, TEXT_collector_agencies_bits},
	    {A "networks: [192.0.2.0/24, 192.0.2.0/24]\n", 3, 30, TEXT_collector_agencies_twice},
	    {A "networks: [192.0.2.9, '::ffff:192.0.2.9']\n", 3, 27,
		TEXT_collector_agencies_twice},
	    {A "certificates: [mail.example]\n", 3, 20, TEXT_collector_agencies_certificate},
	    {A "certificates: ['dns:']\n", 3, 20, TEXT_collector_agencies_certificate},
	    {A "certificates: [sha256:00]\n", 3, 20, TEXT_collector_agencies_certificate},
	    {A "certificates: [dns:a.example, DNS:A.example]\n", 3, 35,
		TEXT_collector_agencies_twice},
	    {A "tokens: [short]\n", 3, 14, TEXT_collector_agencies_token},
	    {A "tokens: [sha256:12345678]\n", 3, 14, TEXT_collector_agencies_token},
	    {A "tokens: [~]\n", 3, 14, TEXT_collector_agencies_text},
	    {A "tokens: [password, sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef72"
	       "1d1542d8]\n", 3, 24, TEXT_collector_agencies_secret_twice},
	    {A "shared_keys: short\n", 3, 18, TEXT_collector_agencies_token},
	    {A "users: long-enough\n", 3, 12, TEXT_collector_agencies_token},
	    {A "users: 'an:short'\n", 3, 12, TEXT_collector_agencies_token},
	    {A "users: ':long-enough'\n", 3, 12, TEXT_collector_agencies_token},
	    {"unknown: {networks: 192.0.2.1}\n", 1, 11, TEXT_collector_agencies_key},
	    {"a: b\n---\nc: d\n", 3, 1, TEXT_config_documents},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agencies *agencies = NULL;
		struct error error = {0};
		int code = agencies_parse(
		    &agencies, str_of(rows[i].yaml), "a.yml", STR(""), &error);

		if (code != ERR_DOCUMENT || error.id != rows[i].id ||
		    error.line != rows[i].line || error.column != rows[i].column)
			fail_msg("%s: %d %u:%u %s", rows[i].yaml, code, error.line, error.column,
			    error.text);
		assert_string_equal(error.file, "a.yml");
		assert_null(agencies);
		assert_null(strstr(error.text, "password"));
	}
}

static void test_empty(void **state)
{
	(void)state;
	struct agencies *agencies = parse("");

	assert_int_equal(agencies_count(agencies), 0);
	assert_is(by_address(agencies, "192.0.2.1"), "site", "");
	agencies_free(agencies);
	assert_int_equal(agencies_read(&agencies, "/no/such/file", STR(""), NULL), ERR_MISSING);
}

static void test_example(void **state)
{
	struct agencies *agencies;
	struct error error = {0};

	(void)state;
	if (agencies_read(&agencies, "deploy/agencies.yml", STR(""), &error) < 0)
		fail_msg("%u:%u %s", error.line, error.column, error.text);
	assert_is(by_address(agencies, "192.0.2.1"), "langson", "firewall");
	assert_null(agencies_overlap(agencies, 0));
	agencies_free(agencies);
}

/* Ten thousand networks of all lengths: as a plain walk over all of them finds it. */
static void test_many(void **state)
{
	struct { uint32_t base; unsigned bits; } all[10000];
	struct buf yaml = BUF(4u << 20);
	uint32_t seed = 12345;
	size_t count = 0;

	(void)state;
	buf_str_put(&yaml, STR("agencies:\n"));
	for (size_t i = 0; i < 10000; i++) {
		seed = seed * 1103515245 + 12345;
		unsigned bits = 12 + (seed >> 16) % 21;
		uint32_t mask = ~(uint32_t)0 << (32 - bits);
		uint32_t base = (0x0a000000u | (seed >> 8 & 0xffffff)) & mask;
		bool known = false;

		for (size_t j = 0; j < count; j++)
			known = known || (all[j].base == base && all[j].bits == bits);
		if (known)
			continue;
		buf_printf(&yaml, "  - {name: a%zu, networks: %u.%u.%u.%u/%u}\n", count, base >> 24,
		    base >> 16 & 255, base >> 8 & 255, base & 255, bits);
		all[count].base = base;
		all[count++].bits = bits;
	}
	buf_char(&yaml, '\0');
	struct agencies *agencies = parse(yaml.ptr);

	for (size_t i = 0; i < 2000; i++) {
		seed = seed * 1103515245 + 12345;
		uint32_t address = 0x0a000000u | (seed >> 8 & 0xffffff);
		size_t best = count;

		for (size_t j = 0; j < count; j++)
			if ((address & ~(uint32_t)0 << (32 - all[j].bits)) == all[j].base &&
			    (best == count || all[j].bits > all[best].bits))
				best = j;
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(address)}};
		const struct identity_of *who = agencies_by_network(agencies, (void *)&at);
		char name[16];

		snprintf(name, sizeof(name), "a%zu", best);
		assert_is(who, best == count ? "site" : name, "");
	}
	agencies_free(agencies);
	buf_free(&yaml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_what_follows),
	    cmocka_unit_test(test_inputs),
	    cmocka_unit_test(test_tokens),
	    cmocka_unit_test(test_certificates),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_overlaps),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_example),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
