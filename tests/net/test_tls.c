/*
 * TLS from the server's side, against OpenSSL's client over a pair of sockets. Certificates are
 * made by tests/certificates.sh.
 */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[64];
static char fw1_mark[80], self_mark[80]; /* "sha256:..." */

static const char *in(const char *name)
{
	static char paths[4][160];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void fingerprint_of(const char *name, char out[80])
{
	char command[256];

	/* As openssl prints it: capitals, colons. */
	snprintf(command, sizeof(command),
	    "openssl x509 -in %s -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d ':\n'", in(name));
	FILE *pipe = popen(command, "r");

	strcpy(out, "sha256:");
	assert_int_equal(fread(out + 7, 1, 64, pipe), 64);
	out[71] = '\0';
	pclose(pipe);
}

static int certificates(void **state)
{
	char command[160];
	const char *tmp = getenv("TMPDIR");

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(folder, sizeof(folder), "%s/tocsin-tls-XXXXXX",
	    tmp != NULL && strlen(tmp) < 32 ? tmp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(command, sizeof(command), "sh tests/certificates.sh %s", folder);
	if (system(command) != 0)
		return -1;
	fingerprint_of("fw1.crt", fw1_mark);
	fingerprint_of("self.crt", self_mark);
	return 0;
}

static int certificates_remove(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* ---- both ends ---- */

struct ends {
	struct tls_server *server;
	struct tls *tls;
	SSL_CTX *context;
	SSL *client;
	int fds[2]; /* ours, the client's */
	bool client_ready;
	bool client_failed;
	bool more;
};

static struct tls_options options_of(const char *name)
{
	static char certificate[96], key[96], ca[96];

	snprintf(certificate, sizeof(certificate), "%s/%s.crt", folder, name);
	snprintf(key, sizeof(key), "%s/%s.key", folder, name);
	snprintf(ca, sizeof(ca), "%s/ca.crt", folder);
	return (struct tls_options){.certificate = certificate, .key = key, .ca = ca};
}

/* client: name of its certificate, or NULL. */
static void dial(struct ends *ends, const char *client)
{
	char pem[64];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends->fds), 0);
	ends->tls = tls_new(ends->server, ends->fds[0]);
	assert_non_null(ends->tls);
	ends->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(ends->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
	if (client != NULL) {
		snprintf(pem, sizeof(pem), "%s.pem", client);
		assert_int_equal(SSL_CTX_use_certificate_chain_file(ends->context, in(pem)), 1);
		assert_int_equal(
		    SSL_CTX_use_PrivateKey_file(ends->context, in(pem), SSL_FILETYPE_PEM), 1);
	}
	ends->client = SSL_new(ends->context);
	SSL_set_fd(ends->client, ends->fds[1]);
	SSL_set_connect_state(ends->client);
	ends->client_ready = ends->client_failed = false;
}

static void hang_up(struct ends *ends)
{
	tls_close(ends->tls);
	SSL_free(ends->client);
	SSL_CTX_free(ends->context);
	close(ends->fds[0]);
	close(ends->fds[1]);
}

static void client_step(struct ends *ends)
{
	ERR_clear_error();
	int result = SSL_do_handshake(ends->client);
	int what = SSL_get_error(ends->client, result);

	ends->client_ready = result == 1;
	ends->client_failed =
	    result != 1 && what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE;
	ERR_clear_error();
}

static enum tls_step shake(struct ends *ends)
{
	enum tls_step step = TLS_WAIT;

	for (int i = 0; i < 20 && step == TLS_WAIT; i++) {
		client_step(ends);
		step = tls_handshake(ends->tls);
	}
	client_step(ends);
	return step;
}

static enum tls_step meet(struct ends *ends, const struct tls_options *options, const char *client)
{
	struct error error = {0};

	if (tls_server_new(&ends->server, options, &error) != 0)
		fail_msg("%s", error.text);
	dial(ends, client);
	return shake(ends);
}

static void part(struct ends *ends)
{
	hang_up(ends);
	tls_server_free(ends->server);
}

static char room[TLS_ROOM + 1];

/* What our end reads now; "(end)" and "(wait)". */
static const char *heard(struct ends *ends)
{
	ssize_t n = tls_read(ends->tls, room, sizeof(room) - 1, &ends->more);

	if (n < 0)
		return errno == EAGAIN ? "(wait)" : "(error)";
	room[n] = '\0';
	return n == 0 ? "(end)" : room;
}

static void say(struct ends *ends, const char *text)
{
	assert_int_equal(SSL_write(ends->client, text, (int)strlen(text)), (int)strlen(text));
}

/* ---- the tests ---- */

static void bytes_go_both_ways(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	char text[64];

	(void)unused;
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	assert_string_equal(SSL_get_version(ends.client), "TLSv1.3");
	assert_string_equal(heard(&ends), "(wait)");
	say(&ends, "7 <13>one");
	say(&ends, "7 <13>two");
	assert_string_equal(heard(&ends), "7 <13>one7 <13>two");
	assert_string_equal(heard(&ends), "(wait)");
	assert_int_equal(tls_write(ends.tls, "yes", 3), 3);
	assert_int_equal(SSL_read(ends.client, text, sizeof(text)), 3);
	SSL_shutdown(ends.client);
	assert_string_equal(heard(&ends), "(end)");
	assert_int_equal(tls_ended(ends.tls), TLS_CLOSED);
	part(&ends);
}

static void what_comes_with_the_end_is_heard_first(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};

	(void)unused;
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	say(&ends, "last");
	SSL_shutdown(ends.client);
	assert_string_equal(heard(&ends), "last");
	/* The socket stays silent: it has to be asked again. */
	assert_true(ends.more);
	assert_string_equal(heard(&ends), "(end)");
	assert_string_equal(heard(&ends), "(end)");
	part(&ends);
}

/* A client of 1.3 sends before it knows that we have heard its last word. */
static void what_comes_with_the_handshake_is_kept(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0}, other = {0};

	(void)unused;
	assert_int_equal(tls_server_new(&ends.server, &options, NULL), 0);
	other.server = ends.server;
	dial(&ends, NULL);
	dial(&other, NULL);
	for (int i = 0; i < 20 && !ends.client_ready; i++) {
		client_step(&ends);
		if (!ends.client_ready)
			assert_int_equal(tls_handshake(ends.tls), TLS_WAIT);
	}
	say(&ends, "early");
	assert_int_equal(tls_handshake(ends.tls), TLS_OPEN);
	/* Another connection uses the memory that all share. */
	assert_int_equal(shake(&other), TLS_OPEN);
	assert_string_equal(heard(&ends), "early");
	assert_true(ends.more);
	assert_string_equal(heard(&ends), "(wait)");
	hang_up(&other);
	part(&ends);
}

static void an_end_without_a_word_is_a_truncation(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};

	(void)unused;
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	say(&ends, "half a li");
	shutdown(ends.fds[1], SHUT_WR);
	assert_string_equal(heard(&ends), "half a li");
	assert_string_equal(heard(&ends), "(end)");
	assert_int_equal(tls_ended(ends.tls), TLS_TRUNCATED);
	part(&ends);
}

static void what_was_tampered_with_ends_it(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	static const char record[] = "\x17\x03\x03\x00\x20"
				     "0123456789abcdef0123456789abcdef";

	(void)unused;
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	say(&ends, "good");
	assert_int_equal(write(ends.fds[1], record, sizeof(record) - 1), sizeof(record) - 1);
	assert_string_equal(heard(&ends), "good");
	assert_string_equal(heard(&ends), "(end)");
	assert_int_equal(tls_ended(ends.tls), TLS_BROKEN);
	assert_true(strlen(tls_why(ends.tls)) > 0);
	part(&ends);
}

static void no_ticket_is_sent(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	char text[16];

	(void)unused;
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	assert_int_equal(SSL_read(ends.client, text, sizeof(text)), -1);
	/* Nothing at all lies unread at the client's end. */
	assert_int_equal(recv(ends.fds[1], text, sizeof(text), MSG_PEEK | MSG_DONTWAIT), -1);
	assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(ends.client)), 0);
	assert_int_equal(SSL_session_reused(ends.client), 0);
	part(&ends);
}

struct version_row {
	int version;
	const char *ciphers;
	enum tls_step step;
};

static void old_versions_and_ciphers_do_not_come_in(void **unused)
{
	static const struct version_row rows[] = {{TLS1_3_VERSION, NULL, TLS_OPEN},
	    {TLS1_2_VERSION, NULL, TLS_OPEN}, {TLS1_1_VERSION, "ALL:@SECLEVEL=0", TLS_FAILED},
	    {TLS1_VERSION, "ALL:@SECLEVEL=0", TLS_FAILED},
	    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", TLS_FAILED},
	    {TLS1_2_VERSION, "AECDH-AES128-SHA:@SECLEVEL=0", TLS_FAILED}};
	struct tls_options options = options_of("server");

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ends ends = {0};

		assert_int_equal(tls_server_new(&ends.server, &options, NULL), 0);
		dial(&ends, NULL);
		SSL_set_min_proto_version(ends.client, rows[i].version);
		SSL_set_max_proto_version(ends.client, rows[i].version);
		if (rows[i].ciphers != NULL)
			assert_int_equal(SSL_set_cipher_list(ends.client, rows[i].ciphers), 1);
		assert_int_equal(shake(&ends), rows[i].step);
		if (rows[i].step == TLS_OPEN && rows[i].version == TLS1_2_VERSION) {
			assert_int_equal(
			    SSL_SESSION_has_ticket(SSL_get0_session(ends.client)), 0);
			/* Nor may it be asked to begin anew. */
			SSL_renegotiate(ends.client);
			SSL_do_handshake(ends.client);
			heard(&ends);
			SSL_do_handshake(ends.client);
			assert_int_equal(SSL_get_error(ends.client, -1), SSL_ERROR_SSL);
		}
		part(&ends);
	}
}

struct peer_row {
	enum tls_clients clients;
	const char *client;
	const char *peers[3];
	const char *why; /* NULL: it comes in */
};

static const struct peer_row peer_rows[] = {
    {TLS_CLIENTS_NONE, "stranger", {NULL}, NULL},
    {TLS_CLIENTS_WANTED, NULL, {NULL}, NULL},
    {TLS_CLIENTS_WANTED, "stranger", {NULL}, "unable to get local issuer certificate"},
    {TLS_CLIENTS_REQUIRED, NULL, {NULL}, "peer did not return a certificate"},
    {TLS_CLIENTS_REQUIRED, "fw1", {NULL}, NULL},
    {TLS_CLIENTS_REQUIRED, "stranger", {NULL}, "unable to get local issuer certificate"},
    {TLS_CLIENTS_REQUIRED, "self", {NULL}, "self-signed certificate"},
    {TLS_CLIENTS_REQUIRED, "expired", {NULL}, "certificate has expired"},
    {TLS_CLIENTS_REQUIRED, "fw1", {"dns:fw1.hue.example.vn"}, NULL},
    {TLS_CLIENTS_REQUIRED, "fw1", {"dns:FW1.Hue.example.vn"}, NULL},
    {TLS_CLIENTS_REQUIRED, "fw1", {"dns:*.hue.example.vn"}, NULL},
    {TLS_CLIENTS_REQUIRED, "fw1", {"dns:*.example.vn"}, "not among tls.peers"},
    {TLS_CLIENTS_REQUIRED, "fw1", {"uri:urn:example:fw1"}, NULL},
    {TLS_CLIENTS_REQUIRED, "fw1", {"uri:urn:example:FW1"}, "not among tls.peers"},
    {TLS_CLIENTS_REQUIRED, "fw1", {"ip:192.0.2.7"}, NULL},
    {TLS_CLIENTS_REQUIRED, "fw1", {"dns:fw1"}, "not among tls.peers"},
    {TLS_CLIENTS_REQUIRED, "fw2", {"dns:fw1.hue.example.vn"}, "not among tls.peers"},
    {TLS_CLIENTS_REQUIRED, "fw2", {"dns:fw1.hue.example.vn", "dns:fw2.example.vn"}, NULL},
    {TLS_CLIENTS_WANTED, "fw2", {"dns:fw1.hue.example.vn"}, "not among tls.peers"},
    {TLS_CLIENTS_REQUIRED, "stranger", {"dns:fw1.hue.example.vn"},
	"unable to get local issuer certificate"},
    {TLS_CLIENTS_REQUIRED, "expired", {"dns:fw1.hue.example.vn"}, "certificate has expired"},
    {TLS_CLIENTS_REQUIRED, "fw1", {fw1_mark}, NULL},
    {TLS_CLIENTS_REQUIRED, "fw2", {fw1_mark}, "not among tls.peers"},
    {TLS_CLIENTS_REQUIRED, "self", {self_mark}, NULL},
    {TLS_CLIENTS_REQUIRED, "self", {fw1_mark}, "self-signed certificate"},
};

static void who_may_come_and_why_not(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(peer_rows) / sizeof(peer_rows[0]); i++) {
		const struct peer_row *row = &peer_rows[i];
		struct tls_options options = options_of("server");
		struct str peers[3];
		struct ends ends = {0};

		for (; options.peer_count < 3 && row->peers[options.peer_count] != NULL;
		     options.peer_count++)
			peers[options.peer_count] = str_of(row->peers[options.peer_count]);
		options.peers = peers;
		options.clients = row->clients;
		enum tls_step step = meet(&ends, &options, row->client);

		if ((step == TLS_OPEN) != (row->why == NULL))
			fail_msg("row %zu: %s", i, tls_why(ends.tls));
		if (row->why != NULL && strstr(tls_why(ends.tls), row->why) == NULL)
			fail_msg("row %zu: '%s' instead of '%s'", i, tls_why(ends.tls), row->why);
		part(&ends);
	}
}

/* A certificate that is refused is named. */
static void the_refused_is_named(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	char hex[80];

	(void)unused;
	options.clients = TLS_CLIENTS_REQUIRED;
	assert_int_equal(meet(&ends, &options, "stranger"), TLS_FAILED);
	assert_non_null(strstr(tls_why(ends.tls), "/CN=stranger"));
	assert_non_null(strstr(tls_why(ends.tls), "dns:fw1.hue.example.vn"));
	fingerprint_of("stranger.crt", hex);
	for (size_t i = 0; i < 71; i++)
		hex[i] = char_lower(hex[i]);
	assert_non_null(strstr(tls_why(ends.tls), hex));
	/* It hears so itself. */
	client_step(&ends);
	char text[8];

	assert_true(SSL_read(ends.client, text, sizeof(text)) <= 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_UNKNOWN_CA);
	part(&ends);
}

static void names_and_fingerprint_are_told(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	struct tls_peer peer;
	char hex[80];

	(void)unused;
	options.clients = TLS_CLIENTS_WANTED;
	assert_int_equal(meet(&ends, &options, "fw1"), TLS_OPEN);
	tls_peer(ends.tls, &peer);
	assert_true(peer.has_certificate);
	assert_int_equal(peer.name_count, 3);
	assert_true(str_eq(peer.names[0], STR("dns:fw1.hue.example.vn")));
	assert_true(str_eq(peer.names[1], STR("uri:urn:example:fw1")));
	assert_true(str_eq(peer.names[2], STR("ip:192.0.2.7")));
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02X", peer.fingerprint[i]);
	assert_string_equal(hex, fw1_mark + 7);
	part(&ends);
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	tls_peer(ends.tls, &peer);
	assert_false(peer.has_certificate);
	assert_int_equal(peer.name_count, 0);
	part(&ends);
}

static void link_to(const char *name)
{
	char command[300];

	snprintf(command, sizeof(command),
	    "cd %s && cp %s.crt live.crt && cp %s.key live.key", folder, name, name);
	assert_int_equal(system(command), 0);
}

static const char *server_name(struct ends *ends)
{
	static char text[64];
	X509 *certificate = SSL_get1_peer_certificate(ends->client);

	X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof(text));
	X509_free(certificate);
	return text;
}

static void another_certificate_leaves_connections_alone(void **unused)
{
	struct ends old = {0}, new = {0};
	struct error error = {0};

	(void)unused;
	link_to("server");
	struct tls_options options = options_of("live");

	assert_int_equal(meet(&old, &options, NULL), TLS_OPEN);
	assert_string_equal(server_name(&old), "/CN=server");
	/* Of a handshake that is under way, too. */
	new.server = old.server;
	dial(&new, NULL);
	client_step(&new);
	assert_int_equal(tls_handshake(new.tls), TLS_WAIT);
	link_to("renewed");
	assert_int_equal(tls_server_reload(old.server, NULL), 0);
	assert_int_equal(shake(&new), TLS_OPEN);
	assert_string_equal(server_name(&new), "/CN=server");
	hang_up(&new);
	dial(&new, NULL);
	assert_int_equal(shake(&new), TLS_OPEN);
	assert_string_equal(server_name(&new), "/CN=renewed");
	say(&old, "still here");
	assert_string_equal(heard(&old), "still here");
	hang_up(&new);
	/* The key of another: nothing changes, and it is told. */
	char command[200];

	snprintf(command, sizeof(command), "cp %s/server.key %s/live.key", folder, folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(tls_server_reload(old.server, &error), ERR_DOCUMENT);
	assert_non_null(strstr(error.text, "live.key"));
	dial(&new, NULL);
	assert_int_equal(shake(&new), TLS_OPEN);
	assert_string_equal(server_name(&new), "/CN=renewed");
	hang_up(&new);
	part(&old);
}

static const struct {
	const char *crl, *client;
	bool pinned;
	enum tls_step step;
	const char *why;
} revocations[] = {
    {"none.crl", "fw2", false, TLS_OPEN, ""},
    {"revoked.crl", "fw1", false, TLS_OPEN, ""},
    {"revoked.crl", "fw2", false, TLS_FAILED, "revoked"},
    {"revoked.crl", "fw2", true, TLS_FAILED, "revoked"},
    {"outdated.crl", "fw1", false, TLS_FAILED, "CRL has expired"},
    {"none.crl", "self", true, TLS_OPEN, ""},
    {"none.crl", "self", false, TLS_FAILED, "self"},
};

static bool anybody(void *context, const uint8_t fingerprint[32])
{
	(void)context;
	(void)fingerprint;
	return true;
}

static void what_is_revoked_is_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(revocations) / sizeof(revocations[0]); i++) {
		struct tls_options options = options_of("server");
		struct ends ends = {0};
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", folder, revocations[i].crl);
		options.crl = path;
		options.clients = TLS_CLIENTS_REQUIRED;
		options.pinned = revocations[i].pinned ? anybody : NULL;
		if (meet(&ends, &options, revocations[i].client) != revocations[i].step ||
		    strstr(tls_why(ends.tls), revocations[i].why) == NULL)
			fail_msg("%s, %s: %s", revocations[i].crl, revocations[i].client,
			    tls_why(ends.tls));
		part(&ends);
	}
}

/* Who is revoked later is refused from the reload on. */
static void a_list_is_read_again(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	char command[300], path[128];

	(void)unused;
	snprintf(path, sizeof(path), "%s/live.crl", folder);
	snprintf(command, sizeof(command), "cp %s/none.crl %s", folder, path);
	assert_int_equal(system(command), 0);
	options.crl = path;
	options.clients = TLS_CLIENTS_REQUIRED;
	assert_int_equal(meet(&ends, &options, "fw2"), TLS_OPEN);
	hang_up(&ends);
	snprintf(command, sizeof(command), "cp %s/revoked.crl %s", folder, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(tls_server_reload(ends.server, NULL), 0);
	dial(&ends, "fw2");
	assert_int_equal(shake(&ends), TLS_FAILED);
	part(&ends);
	options.crl = in("ca.key");
	assert_int_equal(tls_server_new(&ends.server, &options, NULL), ERR_DOCUMENT);
}

static void what_does_not_load_is_told(void **unused)
{
	static const struct str wrong[] = {STR_INIT("fw1.example.vn"), STR_INIT("dns:"),
	    STR_INIT("sha256:12"), STR_INIT("sha256:xy")};
	struct tls_options options = options_of("server");
	struct tls_server *server;
	struct error error = {0};

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		options.peers = &wrong[i];
		options.peer_count = 1;
		assert_int_equal(tls_server_new(&server, &options, NULL), ERR_DOCUMENT);
	}
	options.peer_count = 0;
	options.key = in("nothing.key");
	assert_int_equal(tls_server_new(&server, &options, &error), ERR_DOCUMENT);
	assert_non_null(strstr(error.text, "nothing.key"));
	assert_non_null(strstr(error.text, "No such file"));
	options = options_of("server");
	options.ca = in("ca.key");
	assert_int_equal(tls_server_new(&server, &options, NULL), ERR_DOCUMENT);
	options.certificate = "";
	assert_int_equal(tls_server_new(&server, &options, NULL), ERR_DOCUMENT);
	/* Both in one file. */
	options = options_of("server");
	options.certificate = in("server.pem");
	options.key = NULL;
	assert_int_equal(tls_server_new(&server, &options, NULL), 0);
	tls_server_free(server);
}

/* A megabyte one way while nobody reads, then all of it. */
static void a_slow_reader_gets_everything(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	static char bytes[1 << 20], got[1 << 20];
	size_t out = 0, back = 0;
	bool was_full = false;

	(void)unused;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	while (back < sizeof(got)) {
		ssize_t n = 1;

		while (out < sizeof(bytes) && n > 0) {
			n = tls_write(ends.tls, bytes + out, sizeof(bytes) - out);
			if (n > 0)
				out += (size_t)n;
			else
				assert_int_equal(errno, EAGAIN);
		}
		was_full |= tls_unsent(ends.tls);
		int m = SSL_read(ends.client, got + back, 10000);

		if (m > 0)
			back += (size_t)m;
		assert_true(tls_flush(ends.tls));
	}
	assert_true(was_full);
	assert_false(tls_unsent(ends.tls));
	assert_memory_equal(bytes, got, sizeof(bytes));
	part(&ends);
}

/* Records in pieces of a few bytes, and then very many at once. */
static void a_slow_writer_is_understood(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	char wire[400];
	size_t total = 0;
	static char bytes[100000];

	(void)unused;
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	BIO *memory = BIO_new(BIO_s_mem());

	SSL_set0_wbio(ends.client, memory);
	say(&ends, "in pieces");
	int len = BIO_read(memory, wire, sizeof(wire));

	for (int i = 0; i < len; i++) {
		assert_int_equal(write(ends.fds[1], wire + i, 1), 1);
		assert_string_equal(heard(&ends), i == len - 1 ? "in pieces" : "(wait)");
	}
	SSL_set_fd(ends.client, ends.fds[1]);
	memset(bytes, 'x', sizeof(bytes));
	for (size_t out = 0; total < sizeof(bytes);) {
		int n = out < sizeof(bytes)
			    ? SSL_write(ends.client, bytes + out, (int)(sizeof(bytes) - out)) : 0;
		out += n > 0 ? (size_t)n : 0;
		ssize_t m = tls_read(ends.tls, room, sizeof(room), &ends.more);

		assert_true(m > 0 || (m < 0 && errno == EAGAIN));
		total += m > 0 ? (size_t)m : 0;
	}
	assert_int_equal(total, sizeof(bytes));
	part(&ends);
}

/* Each asks for an answer, none of which is read: the memory for them has an end. */
static void key_updates_without_end_are_given_up(void **unused)
{
	struct tls_options options = options_of("server");
	struct ends ends = {0};
	int small = 1, i;

	(void)unused;
	assert_int_equal(meet(&ends, &options, NULL), TLS_OPEN);
	setsockopt(ends.fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (i = 0; i < 100000; i++) {
		if (SSL_key_update(ends.client, SSL_KEY_UPDATE_REQUESTED) != 1 ||
		    SSL_do_handshake(ends.client) != 1)
			break;
		if (strcmp(heard(&ends), "(wait)") != 0)
			break;
	}
	assert_true(i > 0 && i < 100000);
	assert_int_not_equal(tls_ended(ends.tls), TLS_NOT_ENDED);
	part(&ends);
}

static void many_that_never_finish_do_no_harm(void **unused)
{
	struct tls_options options = options_of("server");
	static struct ends half[200];
	struct ends ends = {0};

	(void)unused;
	assert_int_equal(tls_server_new(&ends.server, &options, NULL), 0);
	for (size_t i = 0; i < 200; i++) {
		half[i].server = ends.server;
		dial(&half[i], NULL);
		if (i % 2 == 0)
			client_step(&half[i]);
		assert_int_equal(tls_handshake(half[i].tls), TLS_WAIT);
	}
	dial(&ends, NULL);
	assert_int_equal(shake(&ends), TLS_OPEN);
	for (size_t i = 0; i < 200; i++)
		hang_up(&half[i]);
	part(&ends);
}

static void what_is_no_tls_is_refused(void **unused)
{
	static const char *const texts[] = {"<13>Nov 22 03:04:05 host app: plain\n",
	    "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "\x80\x2e\x01\x00\x02"};
	struct tls_options options = options_of("server");

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		struct ends ends = {0};

		assert_int_equal(tls_server_new(&ends.server, &options, NULL), 0);
		dial(&ends, NULL);
		assert_true(write(ends.fds[1], texts[i], strlen(texts[i])) > 0);
		assert_int_equal(tls_handshake(ends.tls), i < 3 ? TLS_FAILED : TLS_WAIT);
		shutdown(ends.fds[1], SHUT_WR);
		if (i == 3)
			assert_int_equal(tls_handshake(ends.tls), TLS_FAILED);
		assert_true(strlen(tls_why(ends.tls)) > 0);
		part(&ends);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_go_both_ways),
	    cmocka_unit_test(what_comes_with_the_end_is_heard_first),
	    cmocka_unit_test(what_comes_with_the_handshake_is_kept),
	    cmocka_unit_test(an_end_without_a_word_is_a_truncation),
	    cmocka_unit_test(what_was_tampered_with_ends_it),
	    cmocka_unit_test(no_ticket_is_sent),
	    cmocka_unit_test(old_versions_and_ciphers_do_not_come_in),
	    cmocka_unit_test(who_may_come_and_why_not),
	    cmocka_unit_test(the_refused_is_named),
	    cmocka_unit_test(names_and_fingerprint_are_told),
	    cmocka_unit_test(another_certificate_leaves_connections_alone),
	    cmocka_unit_test(what_is_revoked_is_refused),
	    cmocka_unit_test(a_list_is_read_again),
	    cmocka_unit_test(what_does_not_load_is_told),
	    cmocka_unit_test(a_slow_reader_gets_everything),
	    cmocka_unit_test(a_slow_writer_is_understood),
	    cmocka_unit_test(key_updates_without_end_are_given_up),
	    cmocka_unit_test(many_that_never_finish_do_no_harm),
	    cmocka_unit_test(what_is_no_tls_is_refused),
	};

	return cmocka_run_group_tests_name("tls", tests, certificates, certificates_remove);
}
