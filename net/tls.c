#include "net/tls.h"

#include "base/buf.h"
#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define WIRE_BYTES  (64u << 10)
#define RECORD_MAX  (16u << 10)
/* A record, its head and tag, and answers to key updates, of which a peer can ask many. */
#define UNSENT_MAX  (64u << 10)
#define WHY_BYTES   400
#define FINGERPRINT 32

struct tls_server {
	struct tls_options options;
	SSL_CTX *context;
	BIO_METHOD *method;
	size_t connections;
	char wire[WIRE_BYTES]; /* what a socket brought, while it is being taken apart */
};

struct tls {
	struct tls_server *server;
	SSL *ssl;
	int fd;
	bool open;
	bool gone;              /* nothing can be sent any more */
	bool wire_ended;        /* the peer sends nothing more */
	enum tls_end ended;
	const char *wire;       /* of the server's, or kept */
	size_t wire_len;
	char *kept;             /* what came right behind the handshake */
	struct buf unsent;
	size_t unsent_at;
	char *why;
};

/* ---- what went wrong ---- */

static void why_put(struct tls *tls, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first one counts. */
static void why_put(struct tls *tls, const char *format, ...)
{
	va_list list;

	if (tls->why != NULL)
		return;
	tls->why = malloc(WHY_BYTES);
	if (tls->why == NULL)
		return;
	va_start(list, format);
	vsnprintf(tls->why, WHY_BYTES, format, list);
	va_end(list);
}

/* OpenSSL's first reason; empties its queue, or the next connection would be blamed for it. */
static const char *reason_take(void)
{
	unsigned long code = ERR_get_error();
	const char *text =
	    ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

	ERR_clear_error();
	return text != NULL ? text : "?";
}

/* ---- bytes between OpenSSL and the socket ---- */

static int wire_read(BIO *bio, char *out, size_t len, size_t *ret)
{
	struct tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*ret = 0;
	if (tls->wire_len == 0) {
		if (!tls->wire_ended)
			BIO_set_retry_read(bio);
		return 0;
	}
	*ret = len < tls->wire_len ? len : tls->wire_len;
	memcpy(out, tls->wire, *ret);
	tls->wire += *ret;
	tls->wire_len -= *ret;
	return 1;
}

bool tls_flush(struct tls *tls)
{
	while (tls->unsent_at < tls->unsent.len && !tls->gone) {
		ssize_t n = send(tls->fd, tls->unsent.ptr + tls->unsent_at,
		    tls->unsent.len - tls->unsent_at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			tls->unsent_at += (size_t)n;
		else if (errno == EAGAIN || errno == EINTR)
			return true;
		else
			tls->gone = true;
	}
	/* Most connections never write: their memory goes back. */
	buf_free(&tls->unsent);
	tls->unsent = BUF(UNSENT_MAX);
	tls->unsent_at = 0;
	return !tls->gone;
}

/* Takes everything, so that OpenSSL never has to be called again for want of room. */
static int wire_write(BIO *bio, const char *bytes, size_t len, size_t *ret)
{
	struct tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_put(&tls->unsent, bytes, len);
	if (tls->unsent.failed)
		tls->gone = true;
	if (!tls_flush(tls)) {
		*ret = 0;
		return 0;
	}
	*ret = len;
	return 1;
}

static long wire_control(BIO *bio, int command, long number, void *argument)
{
	const struct tls *tls = BIO_get_data(bio);

	(void)number;
	(void)argument;
	if (command == BIO_CTRL_EOF)
		return tls->wire_ended && tls->wire_len == 0;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *wire_method(void)
{
	BIO_METHOD *method =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tocsin wire");

	if (method != NULL && BIO_meth_set_read_ex(method, wire_read) == 1 &&
	    BIO_meth_set_write_ex(method, wire_write) == 1 &&
	    BIO_meth_set_ctrl(method, wire_control) == 1)
		return method;
	BIO_meth_free(method);
	return NULL;
}

/* ---- certificates of clients ---- */

static bool name_put(struct tls_peer *peer, size_t *at, const char *kind, struct str name)
{
	size_t kind_len = strlen(kind), len = kind_len + name.len;

	if (peer->name_count == TLS_NAMES_MAX || len > sizeof(peer->text) - *at || name.len == 0)
		return false;
	memcpy(peer->text + *at, kind, kind_len);
	memcpy(peer->text + *at + kind_len, name.ptr, name.len);
	peer->names[peer->name_count++] = str_from(peer->text + *at, len);
	*at += len;
	return true;
}

/* The subject's common name is no name: RFC 5425, 5.2, has it for old certificates only. */
static void name_read(struct tls_peer *peer, size_t *at, const GENERAL_NAME *name)
{
	int type;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
	const char *kind = type == GEN_DNS ? "dns:" : type == GEN_URI ? "uri:"
		: type == GEN_EMAIL ? "email:" : NULL;
	char ip[INET6_ADDRSTRLEN];

	if (kind != NULL) {
		name_put(peer, at, kind,
		    str_from(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
	} else if (type == GEN_IPADD) {
		int len = ASN1_STRING_length(value);

		if ((len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET : AF_INET6,
			ASN1_STRING_get0_data(value), ip, sizeof(ip)) != NULL)
			name_put(peer, at, "ip:", str_of(ip));
	}
}

static void peer_read(X509 *certificate, struct tls_peer *ret)
{
	size_t at = 0;
	unsigned len = FINGERPRINT;

	ret->name_count = 0;
	ret->has_certificate = certificate != NULL;
	if (certificate == NULL)
		return;
	if (X509_digest(certificate, EVP_sha256(), ret->fingerprint, &len) != 1)
		memset(ret->fingerprint, 0, sizeof(ret->fingerprint));
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		name_read(ret, &at, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
}

void tls_peer(const struct tls *tls, struct tls_peer *ret)
{
	peer_read(SSL_get0_peer_certificate(tls->ssl), ret);
}

static void hex_write(const uint8_t *bytes, char out[2 * FINGERPRINT + 1])
{
	for (size_t i = 0; i < FINGERPRINT; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* With or without colons between the octets. */
static bool same_fingerprint(struct str hex, const uint8_t *bytes)
{
	char text[2 * FINGERPRINT + 1], plain[2 * FINGERPRINT + 1];
	size_t len = 0;

	for (size_t i = 0; i < hex.len; i++) {
		if (hex.ptr[i] == ':')
			continue;
		if (len == 2 * (size_t)FINGERPRINT)
			return false;
		plain[len++] = char_lower(hex.ptr[i]);
	}
	hex_write(bytes, text);
	return str_eq(str_from(plain, len), str_from(text, 2 * (size_t)FINGERPRINT));
}

/* "dns:*.example.vn" is any one label before that (RFC 5425, 5.2). */
static bool same_name(struct str wanted, struct str name)
{
	if (str_starts(wanted, STR("dns:*.")) && str_starts(name, STR("dns:"))) {
		size_t dot = str_find_char(name, '.');

		struct str rest = str_slice(name, dot, name.len);

		return dot != STR_NOT_FOUND && dot > 4 &&
		       str_eq_fold(str_slice(wanted, 5, wanted.len), rest);
	}
	return str_starts(wanted, STR("dns:")) || str_starts(wanted, STR("email:"))
		   ? str_eq_fold(wanted, name) : str_eq(wanted, name);
}

static bool is_permitted(const struct tls_options *options, const struct tls_peer *peer)
{
	for (size_t i = 0; i < options->peer_count; i++) {
		struct str wanted = options->peers[i];

		if (str_starts_fold(wanted, STR("sha256:")) &&
		    same_fingerprint(str_slice(wanted, 7, wanted.len), peer->fingerprint))
			return true;
		for (size_t j = 0; j < peer->name_count; j++) {
			if (same_name(wanted, peer->names[j]))
				return true;
		}
	}
	return options->peer_count == 0;
}

static bool is_pinned(const struct tls_options *options, const struct tls_peer *peer)
{
	for (size_t i = 0; i < options->peer_count; i++) {
		struct str wanted = options->peers[i];

		if (str_starts_fold(wanted, STR("sha256:")) &&
		    same_fingerprint(str_slice(wanted, 7, wanted.len), peer->fingerprint))
			return true;
	}
	return options->pinned != NULL && options->pinned(options->context, peer->fingerprint);
}

/* Nobody vouches for it; all else about it may be well. */
static bool is_about_trust(int error)
{
	return error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
	       error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
	       error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
	       error == X509_V_ERR_CERT_UNTRUSTED || error == X509_V_ERR_UNABLE_TO_GET_CRL;
}

static void why_certificate(
    struct tls *tls, X509 *certificate, const struct tls_peer *peer, const char *why)
{
	char subject[160] = "", hex[2 * FINGERPRINT + 1];

	X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
	hex_write(peer->fingerprint, hex);
	why_put(tls, "%s: %s sha256:%s%s%.*s", why, subject, hex,
	    peer->name_count > 0 ? " " : "",
	    STR_ARG(peer->name_count > 0 ? peer->names[0] : STR_NONE));
}

/* Called for each fault of a chain, and at last for the certificate itself. */
static int verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);
	const struct tls_options *options = &tls->server->options;
	X509 *certificate = X509_STORE_CTX_get0_cert(store);
	int error = X509_STORE_CTX_get_error(store);
	struct tls_peer peer;

	if (good && X509_STORE_CTX_get_error_depth(store) > 0)
		return 1;
	peer_read(certificate, &peer);
	if (!good && is_about_trust(error) && is_pinned(options, &peer)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (good && (is_permitted(options, &peer) || is_pinned(options, &peer)))
		return 1;
	if (good)
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	why_certificate(tls, certificate, &peer,
	    good ? "not among tls.peers" : X509_verify_cert_error_string(error));
	return 0;
}

/* ---- the server ---- */

/* A key that wants a pass phrase does not load; OpenSSL would ask the terminal for it. */
static int no_phrase(char *out, int size, int writing, void *context)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)context;
	return 0;
}

static bool is_told(const char *path)
{
	return path != NULL && path[0] != '\0';
}

static void context_set(SSL_CTX *context, enum tls_clients clients)
{
	int asks = clients == TLS_CLIENTS_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;

	if (clients == TLS_CLIENTS_REQUIRED)
		asks |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(context, asks, verify);
	SSL_CTX_set_verify_depth(context, 8);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_default_passwd_cb(context, no_phrase);
	/* Certificates of a client are few and small; the default would let it send 100 KB. */
	SSL_CTX_set_max_cert_list(context, 32 << 10);
}

/* Looked up for the certificate itself; those of authorities are the administrator's. */
static int crl_load(SSL_CTX *context, const char *path, struct error *error)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (lookup == NULL || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
		return error_set(error, ERR_DOCUMENT, TEXT_net_tls_file, path, reason_take());
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return 0;
}

static int context_load(SSL_CTX *context, const struct tls_options *o, struct error *error)
{
	const char *key = is_told(o->key) ? o->key : o->certificate;

	if (!is_told(o->certificate))
		return error_set(error, ERR_DOCUMENT, TEXT_net_tls_none);
	if (SSL_CTX_use_certificate_chain_file(context, o->certificate) != 1)
		return error_set(
		    error, ERR_DOCUMENT, TEXT_net_tls_file, o->certificate, reason_take());
	/* Checks that the key is the certificate's. */
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return error_set(error, ERR_DOCUMENT, TEXT_net_tls_file, key, reason_take());
	if (is_told(o->ca) && SSL_CTX_load_verify_file(context, o->ca) != 1)
		return error_set(error, ERR_DOCUMENT, TEXT_net_tls_file, o->ca, reason_take());
	return is_told(o->crl) ? crl_load(context, o->crl, error) : 0;
}

static int context_new(SSL_CTX **ret, const struct tls_options *options, struct error *error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	ERR_clear_error();
	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM") != 1) {
		SSL_CTX_free(context);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	context_set(context, options->clients);
	int code = context_load(context, options, error);

	if (code < 0)
		SSL_CTX_free(context);
	else
		*ret = context;
	return code;
}

static bool is_mark(struct str peer)
{
	static const struct str kinds[] = {STR_INIT("dns:"), STR_INIT("uri:"), STR_INIT("email:"),
	    STR_INIT("ip:")};
	size_t digits = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (str_starts(peer, kinds[i]))
			return peer.len > kinds[i].len;
	}
	if (!str_starts_fold(peer, STR("sha256:")))
		return false;
	for (size_t i = 7; i < peer.len; i++) {
		char c = char_lower(peer.ptr[i]);

		if (char_is_digit(c) || (c >= 'a' && c <= 'f'))
			digits++;
		else if (c != ':')
			return false;
	}
	return digits == 2 * (size_t)FINGERPRINT;
}

int tls_server_new(
    struct tls_server **ret, const struct tls_options *options, struct error *error)
{
	for (size_t i = 0; i < options->peer_count; i++) {
		if (!is_mark(options->peers[i]))
			return error_set(error, ERR_DOCUMENT, TEXT_net_tls_peer,
			    STR_ARG(options->peers[i]));
	}
	struct tls_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	server->options = *options;
	server->method = wire_method();
	int code = server->method == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
					  : context_new(&server->context, options, error);

	if (code < 0)
		tls_server_free(server);
	else
		*ret = server;
	return code;
}

int tls_server_reload(struct tls_server *server, struct error *error)
{
	SSL_CTX *context;
	int code = context_new(&context, &server->options, error);

	if (code < 0)
		return code;
	/* Connections hold on to the one that they began with. */
	SSL_CTX_free(server->context);
	server->context = context;
	return 0;
}

void tls_server_free(struct tls_server *server)
{
	if (server == NULL)
		return;
	CHECK(server->connections == 0);
	SSL_CTX_free(server->context);
	BIO_meth_free(server->method);
	free(server);
}

/* ---- a connection ---- */

struct tls *tls_new(struct tls_server *server, int fd)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO *bio = BIO_new(server->method);
	SSL *ssl = SSL_new(server->context);

	ERR_clear_error();
	if (tls == NULL || bio == NULL || ssl == NULL) {
		free(tls);
		BIO_free(bio);
		SSL_free(ssl);
		return NULL;
	}
	*tls = (struct tls){.server = server, .ssl = ssl, .fd = fd, .unsent = BUF(UNSENT_MAX)};
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, tls);
	SSL_set_accept_state(ssl);
	server->connections++;
	return tls;
}

void tls_close(struct tls *tls)
{
	if (tls == NULL)
		return;
	if (tls->open && !tls->gone && tls->ended != TLS_BROKEN)
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
	tls->server->connections--;
	SSL_free(tls->ssl);
	buf_free(&tls->unsent);
	free(tls->kept);
	free(tls->why);
	free(tls);
}

/* One read of the socket, into memory that all connections share. False: nothing has come. */
static bool wire_receive(struct tls *tls, bool *full)
{
	ssize_t n = recv(tls->fd, tls->server->wire, WIRE_BYTES, MSG_DONTWAIT);

	*full = n == (ssize_t)WIRE_BYTES;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		why_put(tls, "%s", strerror(errno));
	tls->wire = tls->server->wire;
	tls->wire_len = n > 0 ? (size_t)n : 0;
	tls->wire_ended = n <= 0;
	return true;
}

/* What OpenSSL's result means when it is not success. True: nothing is wrong, more has to come. */
static bool goes_on(struct tls *tls, int result)
{
	int what = SSL_get_error(tls->ssl, result);

	if (what == SSL_ERROR_WANT_READ && !tls->gone)
		return true;
	if (what == SSL_ERROR_ZERO_RETURN) {
		tls->ended = TLS_CLOSED;
	} else if (tls->wire_ended || tls->gone) {
		tls->ended = TLS_TRUNCATED;
		why_put(tls, "connection ended");
	} else {
		tls->ended = TLS_BROKEN;
		why_put(tls, "%s", reason_take());
	}
	ERR_clear_error();
	return false;
}

/* The rest of what the socket brought, which the next connection would write over. */
static bool keep_rest(struct tls *tls)
{
	if (tls->wire_len == 0)
		return true;
	tls->kept = malloc(tls->wire_len);
	if (tls->kept == NULL)
		return false;
	memcpy(tls->kept, tls->wire, tls->wire_len);
	tls->wire = tls->kept;
	return true;
}

enum tls_step tls_handshake(struct tls *tls)
{
	bool full = true;

	if (!tls_flush(tls))
		return TLS_FAILED;
	while (full && wire_receive(tls, &full)) {
		int result = SSL_accept(tls->ssl);

		if (result == 1) {
			tls->open = true;
			return keep_rest(tls) ? TLS_OPEN : TLS_FAILED;
		}
		if (!goes_on(tls, result) || tls->wire_ended)
			return TLS_FAILED;
	}
	return TLS_WAIT;
}

/* A peer that has ended is heard to its last byte first, and its end told by the next call. */
ssize_t tls_read(struct tls *tls, void *out, size_t room, bool *more)
{
	size_t len = 0;
	bool kept = tls->kept != NULL;

	CHECK(tls->open && room >= TLS_ROOM);
	*more = false;
	if (tls->ended != TLS_NOT_ENDED)
		return 0;
	if (!kept && !wire_receive(tls, more)) {
		errno = EAGAIN;
		return -1;
	}
	for (;;) {
		size_t n = 0;
		int result = SSL_read_ex(tls->ssl, (char *)out + len, room - len, &n);

		len += n;
		if (result == 1)
			continue;
		if (!goes_on(tls, result))
			*more = true;
		break;
	}
	if (kept) {
		free(tls->kept);
		tls->kept = NULL;
		*more = true;
	}
	if (len > 0)
		return (ssize_t)len;
	if (tls->ended != TLS_NOT_ENDED)
		return 0;
	errno = EAGAIN;
	return -1;
}

ssize_t tls_write(struct tls *tls, const void *bytes, size_t len)
{
	size_t n = 0;

	CHECK(tls->open);
	if (!tls_flush(tls) || tls->ended == TLS_BROKEN) {
		errno = EPIPE;
		return -1;
	}
	if (tls_unsent(tls)) {
		errno = EAGAIN;
		return -1;
	}
	if (len > RECORD_MAX)
		len = RECORD_MAX;
	if (SSL_write_ex(tls->ssl, bytes, len, &n) != 1) {
		ERR_clear_error();
		errno = EPIPE;
		return -1;
	}
	return (ssize_t)n;
}

bool tls_unsent(const struct tls *tls)
{
	return tls->unsent_at < tls->unsent.len;
}

enum tls_end tls_ended(const struct tls *tls)
{
	return tls->ended;
}

const char *tls_why(const struct tls *tls)
{
	return tls->why != NULL ? tls->why : "";
}
