/*
 * Connections behind TLS and PROXY headers, and Unix sockets, as the whole collector has them. The
 * clients are OpenSSL's.
 */
#include "collector/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "net/address.h"
#include "tests/collector/rig.h"

enum { TLS, TLS_TCP, PROXY_TCP, PROXY_TLS, WEB, LISTENERS };

static char certs[64];
static int64_t now_ns;
static unsigned told_count;
static char told[800];

struct stand {
	struct rig rig;
	struct loop *loop;
	struct config *config;
	struct collector *collector;
	struct collector_listener listeners[LISTENERS + 2];
	size_t listener_count;
	char agencies[128];
};

static int64_t test_clock(void)
{
	return now_ns;
}

static void tell(void *context, const struct error *error)
{
	(void)context;
	told_count++;
	snprintf(told, sizeof(told), "%s", error->text);
}

static void set(struct stand *stand, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set(struct stand *stand, const char *key, const char *format, ...)
{
	char value[256];
	va_list list;

	va_start(list, format);
	vsnprintf(value, sizeof(value), format, list);
	va_end(list);
	assert_int_equal(config_set(stand->config, str_of(key), str_of(value), NULL), 0);
}

static void prepare(struct stand *stand, uint64_t queue)
{
	*stand = (struct stand){.listener_count = LISTENERS};
	now_ns = RIG_TIME;
	told_count = 0;
	rig_open(&stand->rig, queue);
	assert_int_equal(loop_open(&stand->loop, NULL), 0);
	stand->config = config_new();
	stand->listeners[TLS] = (struct collector_listener){"syslog-tls", "127.0.0.1:0"};
	stand->listeners[TLS_TCP] = (struct collector_listener){"syslog-tcp", "tls://127.0.0.1:0"};
	stand->listeners[PROXY_TCP] =
	    (struct collector_listener){"syslog-tcp", "proxy+tcp://127.0.0.1:0"};
	stand->listeners[PROXY_TLS] =
	    (struct collector_listener){"syslog-tls", "proxy+tls://127.0.0.1:0"};
	stand->listeners[WEB] = (struct collector_listener){"http", "tls://127.0.0.1:0"};
	set(stand, "tls.certificate", "%s/server.crt", certs);
	set(stand, "tls.key", "%s/server.key", certs);
	set(stand, "tls.ca", "%s/ca.crt", certs);
	set(stand, "tls.clients", "wanted");
}

static int start(struct stand *stand, struct error *error)
{
	struct collector_options options = {.bus = stand->rig.bus,
	    .loop = stand->loop,
	    .config = stand->config,
	    .identity_path = stand->rig.identity,
	    .listeners = stand->listeners,
	    .listener_count = stand->listener_count,
	    .connections_max = 1000,
	    .connections_per_peer = 20,
	    .idle_ns = 600 * NS_PER_S,
	    .frame_limit = 65536,
	    .frame_bytes = 32768,
	    .frame_delay_ns = 5 * NS_PER_MS,
	    .tick_ns = 5 * NS_PER_S,
	    .queue_bytes = 1u << 20,
	    .senders_max = 100,
	    .agency = STR("langson"),
	    .agencies_path = stand->agencies[0] != '\0' ? stand->agencies : NULL,
	    .tell = tell,
	    .clock = test_clock};

	return collector_open(&stand->collector, &options, error);
}

static void begin(struct stand *stand)
{
	struct error error = {0};

	prepare(stand, 0);
	if (start(stand, &error) < 0)
		fail_msg("%s", error.text);
}

static void finish(struct stand *stand)
{
	collector_close(stand->collector);
	loop_close(stand->loop);
	config_free(stand->config);
	if (stand->agencies[0] != '\0')
		unlink(stand->agencies);
	rig_close(&stand->rig);
}

static void step(struct stand *stand)
{
	assert_true(collector_step(stand->collector, NS_PER_MS, NULL) >= 0);
}

static void serve(struct stand *stand)
{
	for (int i = 0; i < 12; i++) {
		now_ns += 5 * NS_PER_MS;
		step(stand);
	}
	rig_read(&stand->rig);
}

static struct source_row total(struct stand *stand)
{
	struct source_row row;

	collector_total(stand->collector, &row);
	return row;
}

/* ---- clients ---- */

struct client {
	int fd;
	SSL_CTX *context;
	SSL *ssl;
};

static struct client dial(struct stand *stand, int listener)
{
	struct client client = {.fd = -1};
	char address[64];

	snprintf(address, sizeof(address), "127.0.0.1:%u",
	    collector_port(stand->collector, (size_t)listener));
	client.fd = address_connect(address, NULL);
	assert_true(client.fd >= 0);
	fcntl(client.fd, F_SETFL, O_NONBLOCK);
	return client;
}

/* True: the handshake is done, and the collector did not close at once. */
static bool secure(struct stand *stand, struct client *client, const char *certificate)
{
	char path[128], byte;
	int done = 0;

	client->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(client->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
	if (certificate != NULL) {
		snprintf(path, sizeof(path), "%s/%s.pem", certs, certificate);
		SSL_CTX_use_certificate_chain_file(client->context, path);
		SSL_CTX_use_PrivateKey_file(client->context, path, SSL_FILETYPE_PEM);
	}
	client->ssl = SSL_new(client->context);
	SSL_set_fd(client->ssl, client->fd);
	for (int i = 0; i < 20 && done != 1; i++) {
		done = SSL_connect(client->ssl);
		serve(stand);
	}
	serve(stand);
	return done == 1 && recv(client->fd, &byte, 1, MSG_PEEK) < 0;
}

static void say(struct client *client, const char *text)
{
	int len = (int)strlen(text);

	if (client->ssl != NULL)
		assert_int_equal(SSL_write(client->ssl, text, len), len);
	else
		assert_int_equal(send(client->fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

static void leave(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->context);
	close(client->fd);
}

static bool is_closed(const struct client *client)
{
	char byte;
	ssize_t n = recv(client->fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* ---- the tests ---- */

static void events_come_over_tls(void **unused)
{
	struct stand stand;

	(void)unused;
	begin(&stand);
	struct client one = dial(&stand, TLS), two = dial(&stand, TLS_TCP);

	assert_true(secure(&stand, &one, NULL));
	assert_true(secure(&stand, &two, "fw1"));
	say(&one, "7 <13>one9 <13>o");
	say(&two, "<13>two\n");
	serve(&stand);
	say(&one, "ther");
	serve(&stand);
	const struct seen *seen = rig_find(&stand.rig, "<13>one");

	assert_non_null(seen);
	assert_int_equal(seen->transport, TRANSPORT_TLS);
	assert_non_null(rig_find(&stand.rig, "<13>other"));
	assert_int_equal(rig_find(&stand.rig, "<13>two")->transport, TRANSPORT_TLS);
	/* One says that it goes, the other does not. */
	SSL_shutdown(one.ssl);
	serve(&stand);
	assert_int_equal(total(&stand).tls_truncated, 0);
	leave(&one);
	leave(&two);
	serve(&stand);
	assert_int_equal(total(&stand).tls_truncated, 1);
	assert_int_equal(total(&stand).tls_refused, 0);
	finish(&stand);
}

static void an_answer_comes_over_tls(void **unused)
{
	struct stand stand;
	char text[200] = "";

	(void)unused;
	begin(&stand);
	struct client one = dial(&stand, WEB);

	assert_true(secure(&stand, &one, NULL));
	say(&one, "GET /nothing HTTP/1.1\r\nHost: example.vn\r\n\r\n");
	serve(&stand);
	assert_true(SSL_read(one.ssl, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "HTTP/1.1 404"));
	leave(&one);
	finish(&stand);
}

static void who_is_refused_is_counted_and_told(void **unused)
{
	struct stand stand;

	(void)unused;
	begin(&stand);
	struct client plain = dial(&stand, TLS), stranger = dial(&stand, TLS);

	say(&plain, "<13>Nov 22 03:04:05 host app: plain\n");
	serve(&stand);
	assert_true(is_closed(&plain));
	assert_int_equal(total(&stand).tls_refused, 1);
	assert_int_equal(told_count, 1);
	assert_non_null(strstr(told, "127.0.0.1:"));
	/* The same of the same sender is counted, and told again after a minute. */
	assert_false(secure(&stand, &stranger, "stranger"));
	assert_int_equal(total(&stand).tls_refused, 2);
	assert_int_equal(told_count, 1);
	leave(&stranger);
	now_ns += 61 * NS_PER_S;
	stranger = dial(&stand, TLS);
	assert_false(secure(&stand, &stranger, "stranger"));
	assert_int_equal(told_count, 2);
	assert_non_null(strstr(told, "CN=stranger"));
	leave(&plain);
	leave(&stranger);
	finish(&stand);
}

/* The oldest goes for a new one; all go after their time, however many they are. */
static void half_open_ones_are_few_and_do_not_stay(void **unused)
{
	struct client clients[8];
	struct stand stand;

	(void)unused;
	prepare(&stand, 0);
	set(&stand, "tls.handshakes", "4");
	assert_int_equal(start(&stand, NULL), 0);
	struct client good = dial(&stand, TLS);

	assert_true(secure(&stand, &good, NULL));
	for (int i = 0; i < 8; i++) {
		clients[i] = dial(&stand, i < 6 ? TLS : PROXY_TCP);
		serve(&stand);
	}
	assert_true(is_closed(&clients[0]) && is_closed(&clients[1]));
	for (int i = 2; i < 8; i++)
		assert_false(is_closed(&clients[i]));
	assert_int_equal(total(&stand).tls_refused, 2);
	now_ns += 11 * NS_PER_S;
	serve(&stand);
	for (int i = 2; i < 8; i++)
		assert_true(is_closed(&clients[i]));
	assert_int_equal(total(&stand).tls_refused, 6);
	assert_int_equal(total(&stand).proxy_refused, 2);
	say(&good, "<13>still here\n");
	serve(&stand);
	assert_non_null(rig_find(&stand.rig, "<13>still here"));
	for (int i = 0; i < 8; i++)
		leave(&clients[i]);
	leave(&good);
	finish(&stand);
}

static bool of_agency(void *context, const struct source_row *row)
{
	if (row->received > 0 && str_eq(row->agency, *(struct str *)context))
		*(struct str *)context = STR_NONE;
	return true;
}

static void a_certificate_says_who_it_is(void **unused)
{
	struct str agency = STR("hue");
	struct stand stand;

	(void)unused;
	prepare(&stand, 0);
	snprintf(stand.agencies, sizeof(stand.agencies), "%s/agencies.yml", certs);
	FILE *file = fopen(stand.agencies, "w");

	fputs("agencies:\n  - name: hue\n    certificates: [\"dns:fw1.hue.example.vn\"]\n", file);
	fclose(file);
	struct error error = {0};

	if (start(&stand, &error) < 0)
		fail_msg("%s", error.text);
	struct client one = dial(&stand, TLS), two = dial(&stand, TLS), none = dial(&stand, TLS);

	assert_true(secure(&stand, &one, "fw1"));
	say(&one, "<13>of hue\n");
	/* Some certificate is known, so one of nobody is refused; who shows none is unknown. */
	assert_false(secure(&stand, &two, "fw2"));
	assert_int_equal(total(&stand).barred_connections, 1);
	assert_true(secure(&stand, &none, NULL));
	serve(&stand);
	collector_sources(stand.collector, of_agency, &agency);
	assert_null(agency.ptr);
	leave(&one);
	leave(&two);
	leave(&none);
	finish(&stand);
}

static void the_peer_is_who_is_announced(void **unused)
{
	struct stand stand;

	(void)unused;
	begin(&stand);
	struct client one = dial(&stand, PROXY_TCP), two = dial(&stand, PROXY_TLS);

	/* In pieces, and with the first line right behind. */
	say(&one, "PROXY TCP4 192.0");
	serve(&stand);
	say(&one, ".2.7 198.51.100.1 40112 6514\r\n<13>behind\n");
	serve(&stand);
	const struct seen *seen = rig_find(&stand.rig, "<13>behind");

	assert_non_null(seen);
	assert_string_equal(seen->peer, "192.0.2.7:40112");
	assert_string_equal(seen->sender, "192.0.2.7");
	assert_int_equal(send(two.fd,
	    "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\xc6\x33\x64\x01\x9c\xb0\x19\x72",
	    28, 0), 28);
	assert_true(secure(&stand, &two, "fw1"));
	say(&two, "<13>secret\n");
	serve(&stand);
	assert_string_equal(rig_find(&stand.rig, "<13>secret")->peer, "192.0.2.8:40112");
	leave(&one);
	leave(&two);
	serve(&stand);
	assert_int_equal(total(&stand).proxy_refused, 0);
	finish(&stand);
}

/* Ceilings are those of the announced; the proxy itself may have more connections. */
static void each_announced_sender_has_its_ceiling(void **unused)
{
	struct client clients[30];
	struct stand stand;
	int closed = 0;

	(void)unused;
	begin(&stand);
	for (int i = 0; i < 30; i++) {
		char line[80];

		clients[i] = dial(&stand, PROXY_TCP);
		snprintf(line, sizeof(line), "PROXY TCP4 192.0.2.%d 198.51.100.1 1 2\r\n",
		    i < 25 ? 9 : i);
		say(&clients[i], line);
		serve(&stand);
	}
	for (int i = 0; i < 30; i++)
		closed += is_closed(&clients[i]);
	assert_int_equal(closed, 5);
	assert_int_equal(total(&stand).refused_connections, 5);
	for (int i = 0; i < 30; i++)
		leave(&clients[i]);
	finish(&stand);
}

static void nobody_else_may_announce(void **unused)
{
	struct stand stand;

	(void)unused;
	prepare(&stand, 0);
	set(&stand, "collector.proxies", "192.0.2.0/24");
	assert_int_equal(start(&stand, NULL), 0);
	struct client one = dial(&stand, PROXY_TCP);

	serve(&stand);
	assert_true(is_closed(&one));
	assert_int_equal(total(&stand).proxy_refused, 1);
	leave(&one);
	finish(&stand);
	begin(&stand);
	one = dial(&stand, PROXY_TCP);
	say(&one, "<13>direct\n");
	serve(&stand);
	assert_true(is_closed(&one));
	assert_int_equal(total(&stand).proxy_refused, 1);
	assert_null(rig_find(&stand.rig, "<13>direct"));
	leave(&one);
	finish(&stand);
}

/* What lies decrypted in memory while the bus takes nothing is not forgotten. */
static void a_bus_that_is_behind_loses_nothing(void **unused)
{
	static char line[1000];
	struct stand stand;
	size_t sent = 0, wanted = 6000;

	(void)unused;
	prepare(&stand, 0);
	assert_int_equal(start(&stand, NULL), 0);
	struct client one = dial(&stand, TLS);

	assert_true(secure(&stand, &one, NULL));
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 2] = '\n';
	stand.rig.fault = FAULT_BUSY;
	stand.rig.fault_call = "publish";
	for (int quiet = 0; quiet < 20 && sent < wanted;) {
		int n = SSL_write(one.ssl, line, (int)sizeof(line) - 1);

		quiet = n > 0 ? 0 : quiet + 1;
		sent += n > 0;
		collector_step(stand.collector, 0, NULL);
	}
	assert_true(sent < wanted);
	stand.rig.fault = FAULT_NONE;
	for (int i = 0; i < 20000 && stand.rig.seen_count < wanted; i++) {
		while (sent < wanted && SSL_write(one.ssl, line, (int)sizeof(line) - 1) > 0)
			sent++;
		now_ns += 5 * NS_PER_MS;
		collector_step(stand.collector, 0, NULL);
		rig_read(&stand.rig);
	}
	assert_int_equal(stand.rig.seen_count, wanted);
	SSL_shutdown(one.ssl);
	serve(&stand);
	leave(&one);
	finish(&stand);
}

static void what_is_wrong_is_told_at_the_start(void **unused)
{
	static const char *const keys[][2] = {{"tls.certificate", ""}, {"tls.key", "/nowhere"},
	    {"tls.peers", "somebody"}, {"collector.proxies", "example.vn"}};
	struct stand stand;

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		prepare(&stand, 0);
		set(&stand, keys[i][0], "%s", keys[i][1]);
		assert_int_equal(start(&stand, NULL), ERR_DOCUMENT);
		stand.collector = NULL;
		finish(&stand);
	}
	prepare(&stand, 0);
	stand.listeners[0].address = "ssl://127.0.0.1:0";
	assert_int_equal(start(&stand, NULL), ERR_DOCUMENT);
	stand.collector = NULL;
	finish(&stand);
}

static void unix_sockets(void **unused)
{
	char path[96], stream[96];
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct stand stand;
	struct stat status;

	(void)unused;
	prepare(&stand, 0);
	snprintf(path, sizeof(path), "%s/log", certs);
	snprintf(stream, sizeof(stream), "%s/stream", certs);
	stand.listeners[LISTENERS] = (struct collector_listener){"syslog-unix", path};
	stand.listeners[LISTENERS + 1] = (struct collector_listener){"syslog-unix-stream", stream};
	stand.listener_count = LISTENERS + 2;
	/* Left behind by one that was killed. */
	close(address_bind_unix(path, SOCK_DGRAM, NULL));
	assert_int_equal(start(&stand, NULL), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0666);
	int datagram = socket(AF_UNIX, SOCK_DGRAM, 0), link = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(at.sun_path, path);
	assert_int_equal(connect(datagram, (struct sockaddr *)&at, sizeof(at)), 0);
	strcpy(at.sun_path, stream);
	assert_int_equal(connect(link, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(write(datagram, "<13>by datagram\n", 16), 16);
	assert_int_equal(write(link, "<13>by stream\n", 14), 14);
	serve(&stand);
	const struct seen *seen = rig_find(&stand.rig, "<13>by datagram");
	char who[64];

	snprintf(who, sizeof(who), "[pid %d, uid %d]", getpid(), getuid());
	assert_non_null(seen);
	assert_int_equal(seen->transport, TRANSPORT_UNIX);
	assert_string_equal(seen->sender, "127.0.0.1");
	assert_non_null(strstr(seen->peer, who));
	assert_non_null(strstr(seen->peer, "/log"));
	seen = rig_find(&stand.rig, "<13>by stream");
	assert_non_null(seen);
	assert_int_equal(seen->transport, TRANSPORT_UNIX);
	assert_non_null(strstr(seen->peer, who));
	/* Somebody serves it, or it is no socket: it stays. */
	assert_true(address_bind_unix(path, SOCK_DGRAM, NULL) < 0);
	assert_true(address_bind_unix("/dev/null", SOCK_DGRAM, NULL) < 0);
	close(datagram);
	close(link);
	finish(&stand);
}

static int certificates(void **state)
{
	char command[160];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	strcpy(certs, "/tmp/tocsin-wire-XXXXXX");
	if (mkdtemp(certs) == NULL)
		return -1;
	snprintf(command, sizeof(command), "sh tests/certificates.sh %s", certs);
	return system(command);
}

static int certificates_remove(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", certs);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(events_come_over_tls),
	    cmocka_unit_test(an_answer_comes_over_tls),
	    cmocka_unit_test(who_is_refused_is_counted_and_told),
	    cmocka_unit_test(half_open_ones_are_few_and_do_not_stay),
	    cmocka_unit_test(a_certificate_says_who_it_is),
	    cmocka_unit_test(the_peer_is_who_is_announced),
	    cmocka_unit_test(each_announced_sender_has_its_ceiling),
	    cmocka_unit_test(nobody_else_may_announce),
	    cmocka_unit_test(a_bus_that_is_behind_loses_nothing),
	    cmocka_unit_test(what_is_wrong_is_told_at_the_start),
	    cmocka_unit_test(unix_sockets),
	};

	return cmocka_run_group_tests_name("wire", tests, certificates, certificates_remove);
}
