#include "net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void assert_text(struct str text, const char *want)
{
	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.ptr, want, text.len);
}

static const struct {
	const char *host;
	unsigned port;
	const char *text, *who;
} peers[] = {
    {"192.0.2.7", 40112, "192.0.2.7:40112", "192.0.2.7"},
    {"0.0.0.0", 0, "0.0.0.0:0", "0.0.0.0"},
    {"255.255.255.255", 65535, "255.255.255.255:65535", "255.255.255.255"},
    {"203.0.113.10", 514, "203.0.113.10:514", "203.0.113.10"},
    {"2001:db8::7", 514, "[2001:db8::7]:514", "2001:db8::7"},
    {"::1", 1, "[::1]:1", "::1"},
    {"::ffff:192.0.2.7", 99, "192.0.2.7:99", "192.0.2.7"},
    {"2001:db8:1111:2222:3333:4444:5555:6666", 65535,
	"[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "2001:db8:1111:2222:3333:4444:5555:6666"},
};

static void test_format(void **state)
{
	char out[ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++) {
		struct sockaddr_in6 six = {
		    .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)peers[i].port)};
		struct sockaddr_in four = {
		    .sin_family = AF_INET, .sin_port = htons((uint16_t)peers[i].port)};
		struct sockaddr *at = (struct sockaddr *)&four;

		if (inet_pton(AF_INET, peers[i].host, &four.sin_addr) != 1) {
			assert_int_equal(inet_pton(AF_INET6, peers[i].host, &six.sin6_addr), 1);
			at = (struct sockaddr *)&six;
		}
		struct str text = address_format(at, out);

		assert_text(text, peers[i].text);
		assert_int_equal(out[text.len], '\0');
		assert_text(address_host(text), peers[i].who);
	}
	struct sockaddr other = {.sa_family = AF_UNIX};

	assert_text(address_format(&other, out), "?");
	assert_text(address_host(STR("?")), "?");
}

static const struct {
	const char *listen, *connect; /* without its port */
} places[] = {
    {"127.0.0.1:0", "127.0.0.1"},
    {"localhost:0", "localhost"},
    {"[::1]:0", "[::1]"},
    {"*:0", "127.0.0.1"},
    {"*:0", "[::1]"},
    {":0", "127.0.0.1"},
    {"[::]:0", "127.0.0.1"},
    {"0.0.0.0:0", "127.0.0.1"},
};

static void test_bind_and_connect(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct error error = {0};
		char at[64];
		int fd = address_bind(places[i].listen, SOCK_STREAM, false, &error);

		/* A machine without IPv6, or without a name for itself (no /etc/hosts). */
		if (fd < 0 && (strchr(places[i].listen, '[') != NULL ? error.system != 0
				: places[i].listen[0] == 'l' && access("/etc/hosts", F_OK) != 0)) {
			fprintf(stderr, "# skipped: %s\n", error.text);
			continue;
		}
		assert_true(fd >= 0);
		assert_true(address_port(fd) > 0);
		snprintf(at, sizeof(at), "%s:%u", places[i].connect, address_port(fd));
		int client = address_connect(at, &error);

		if (client < 0)
			fprintf(stderr, "# %s from %s: %s\n", at, places[i].listen, error.text);
		assert_true(client >= 0);
		close(client);
		close(fd);
	}
	assert_int_equal(address_port(-1), 0);
}

static void test_refused(void **state)
{
	static const char *const wrong[] = {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
	    "127.0.0.1:65536", "127.0.0.1:99999999999999999999", "127.0.0.1:-1", "127.0.0.1: 1",
	    "127.0.0.1:+1", "127.0.0.1:syslog", "2001:db8::7", "::1:514", "[::1:514", "[]:514x",
	    "300.1.1.1.:1", "[zz]:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct error error = {0};
		int code = address_bind(wrong[i], SOCK_STREAM, false, &error);

		if (code != ERR_DOCUMENT)
			fprintf(stderr, "# '%s': %d\n", wrong[i], code);
		assert_int_equal(code, ERR_DOCUMENT);
		assert_true(error.text[0] != '\0');
	}
	struct error error = {0};

	/* An address of documentation (RFC 5737) is not ours to bind. */
	assert_int_equal(address_bind("192.0.2.1:0", SOCK_DGRAM, false, &error), ERR_IO);
	assert_true(error.system != 0);
}

/* A second socket on a port is refused, unless both share it, for datagrams too. */
static void test_shared(void **state)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	char at[64];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int alone = address_bind("127.0.0.1:0", types[i], false, NULL);

		assert_true(alone >= 0);
		snprintf(at, sizeof(at), "127.0.0.1:%u", address_port(alone));
		assert_int_equal(address_bind(at, types[i], false, NULL), ERR_IO);
		assert_int_equal(address_bind(at, types[i], true, NULL), ERR_IO);
		close(alone);
		int first = address_bind("127.0.0.1:0", types[i], true, NULL);

		snprintf(at, sizeof(at), "127.0.0.1:%u", address_port(first));
		int second = address_bind(at, types[i], true, NULL);

		assert_true(first >= 0 && second >= 0);
		assert_int_equal(address_bind(at, types[i], false, NULL), ERR_IO);
		close(first);
		close(second);
	}
	struct error error = {0};

	assert_int_equal(address_connect("127.0.0.1:1", &error), ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_bind_and_connect),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
