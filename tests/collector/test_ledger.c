#include "collector/ledger.h"
#include "tests/collector/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static struct ledger_row *four(struct ledger *ledger, uint32_t host, uint16_t port)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(host)}};

	return ledger_peer(ledger, "syslog-udp", (struct sockaddr *)&at);
}

static struct ledger_row *six(struct ledger *ledger, const char *host)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6};

	assert_int_equal(inet_pton(AF_INET6, host, &at.sin6_addr), 1);
	return ledger_peer(ledger, "syslog-udp", (struct sockaddr *)&at);
}

static void test_one_row_a_sender(void **state)
{
	struct ledger *ledger = ledger_new(1000, 8, rig_nobody(STR("langson")));

	(void)state;
	struct ledger_row *row = four(ledger, 0xc0000207, 514);

	assert_string_equal(row->text, "192.0.2.7");
	assert_true(str_eq(row->counts.sender, STR("192.0.2.7")));
	assert_true(str_eq(row->counts.agency, STR("langson")));
	assert_int_equal(row->partition, bus_partition_of(STR("192.0.2.7"), 8));
	assert_ptr_equal(four(ledger, 0xc0000207, 40000), row);
	/* The same sender through a socket that takes both families. */
	assert_ptr_equal(six(ledger, "::ffff:192.0.2.7"), row);
	assert_ptr_not_equal(four(ledger, 0xc0000208, 514), row);
	assert_string_equal(six(ledger, "2001:db8::7")->text, "2001:db8::7");
	/* Four bytes that are those of an IPv4 address do not make it the same. */
	assert_ptr_not_equal(six(ledger, "c000:207::"), row);
	ledger_free(ledger);
	ledger_free(NULL);
}

static bool count(void *context, const struct source_row *row)
{
	(void)row;
	return ++*(size_t *)context < 100000;
}

static bool first_only(void *context, const struct source_row *row)
{
	(void)row;
	++*(size_t *)context;
	return false;
}

static void test_ceiling(void **state)
{
	struct ledger *ledger = ledger_new(2000, 8, rig_nobody(STR("")));
	struct source_row total;
	size_t rows = 0, one = 0;

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		struct ledger_row *row = four(ledger, 0x0a000000 + i, 1);

		assert_true(row->shared == (i >= 2000));
		row->counts.received++;
		row->counts.durable++;
		row->counts.kernel_drops += i;
	}
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(four(ledger, 0x0a000000 + i, 2)->counts.received, 1);
	ledger_each(ledger, count, &rows);
	assert_int_equal(rows, 2001);
	assert_int_equal(ledger_count(ledger), 2001);
	assert_true(ledger_at(ledger, 2000)->shared);
	assert_int_equal(ledger_at(ledger, 2000)->counts.received, 1000);
	ledger_each(ledger, first_only, &one);
	assert_int_equal(one, 1);
	ledger_total(ledger, &total);
	assert_int_equal(total.received, 3000);
	assert_int_equal(total.durable, 3000);
	assert_int_equal(total.kernel_drops, 2999 * 3000 / 2);
	ledger_free(ledger);
}

static void test_listener(void **state)
{
	struct ledger *ledger = ledger_new(0, 8, rig_nobody(STR("")));
	struct ledger_row *row = ledger_listener(ledger, "syslog-udp", "[::]:514");
	size_t rows = 0;

	(void)state;
	assert_string_equal(row->text, "(syslog-udp [::]:514)");
	assert_false(row->shared);
	/* No room for a sender at all; connections that were refused show nevertheless. */
	assert_true(four(ledger, 1, 1)->shared);
	ledger_each(ledger, count, &rows);
	assert_int_equal(rows, 1);
	four(ledger, 1, 1)->counts.refused_connections++;
	ledger_each(ledger, count, &rows);
	assert_int_equal(rows, 3);
	struct sockaddr local = {.sa_family = AF_UNIX};

	assert_true(ledger_peer(ledger, "syslog-udp", &local)->shared);
	ledger_free(ledger);
}

static struct agencies *parse(const char *yaml)
{
	struct agencies *agencies;
	struct error error = {0};

	if (agencies_parse(&agencies, str_of(yaml), "a", STR("site"), &error) < 0)
		fail_msg("%s", error.text);
	return agencies;
}

static struct ledger_row *known(struct ledger *ledger, const struct agencies *agencies,
    const char *agency, uint32_t host)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(host)}};
	const struct identity_of *who = agencies_by_name(agencies, str_of(agency), STR(""));

	assert_non_null(who);
	return ledger_known(ledger, "http", (struct sockaddr *)&at, who);
}

/* By an address several can send: each who has shown a token has a row, and whoever has not. */
static void test_known(void **state)
{
	struct agencies *first =
	    parse("agencies: [{name: a}, {name: b, inputs: http}, {name: c}]\n");
	struct agencies *second = parse("agencies: [{name: a, inputs: none}, {name: b},\n"
					"  {name: d, networks: 0.0.0.0/0}]\n");
	struct ledger *ledger = ledger_new(4, 8, first);

	(void)state;
	struct ledger_row *none = four(ledger, 7, 1), *a = known(ledger, first, "a", 7);
	struct ledger_row *b = known(ledger, first, "b", 7), *c = known(ledger, first, "c", 7);

	assert_true(none != a && a != b && none != b && c != b);
	assert_ptr_equal(known(ledger, first, "a", 7), a);
	assert_ptr_equal(four(ledger, 7, 1), none);
	assert_false(none->counts.known || !a->counts.known);
	assert_true(a->partition == none->partition);
	/* Beyond the ceiling: the others of each, and they do not grow. */
	struct ledger_row *others = known(ledger, first, "a", 8);

	assert_true(others->shared && str_eq(others->counts.agency, STR("a")));
	assert_ptr_equal(known(ledger, first, "a", 9), others);
	assert_true(known(ledger, first, "b", 8) != others);
	assert_true(four(ledger, 8, 1)->shared && !four(ledger, 8, 1)->counts.known);
	/* Other agencies: by name, by network, or nobody any more. */
	ledger_identify(ledger, second);
	agencies_free(first);
	assert_true(a->barred && str_eq(a->counts.agency, STR("a")));
	assert_true(!b->barred && str_eq(b->counts.agency, STR("b")));
	assert_true(c->barred && !c->counts.known);
	assert_true(!none->barred && str_eq(none->counts.agency, STR("d")));
	assert_true(others->barred && str_eq(others->counts.agency, STR("a")));
	ledger_free(ledger);
	agencies_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_row_a_sender),
	    cmocka_unit_test(test_ceiling),
	    cmocka_unit_test(test_listener),
	    cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
