/*
 * tls.h - TLS for those who connect to us.
 *
 * A server is a certificate, its key, and what is asked of clients; a connection lives on a
 * descriptor that stays the caller's. Nothing here blocks: what the socket does not take is kept
 * (bounded), and what the socket has brought is taken out of TLS at once, so that nothing ever
 * waits inside without the descriptor telling. TLS 1.2 and later; no tickets and no resumption (a
 * client that only writes never reads a ticket, and its close then becomes a reset that loses its
 * last lines), no renegotiation, no compression.
 */
#ifndef TOCSIN_NET_TLS_H
#define TOCSIN_NET_TLS_H

#include "base/error.h"

#include <sys/types.h>

struct tls_server;
struct tls;

/* Are certificates asked of clients? In the order of the choices of tls.clients. */
enum tls_clients { TLS_CLIENTS_NONE, TLS_CLIENTS_WANTED, TLS_CLIENTS_REQUIRED };

/* Texts outlive the server. */
struct tls_options {
	const char *certificate; /* PEM, with the chain behind it */
	const char *key;         /* PEM; NULL or empty: in the file of the certificate */
	const char *ca;          /* PEM: who vouches for clients; NULL or empty: nobody */
	/*
	 * PEM: what the authorities have revoked, one list or several; NULL or empty: nothing is
	 * looked up. Else a certificate is refused that is on one, or whose authority has none
	 * here, or an old one.
	 */
	const char *crl;
	enum tls_clients clients;
	/*
	 * Who may come: "dns:fw1.example.vn", "dns:*.example.vn" (one label), "uri:", "email:",
	 * "ip:", "sha256:" and the fingerprint. None: whoever the CA vouches for.
	 */
	const struct str *peers;
	size_t peer_count;
	/* Is this certificate good though no CA vouches for it? May be NULL. */
	bool (*pinned)(void *context, const uint8_t fingerprint[32]);
	void *context;
};

#define TLS_NAMES_MAX 16

/* Who has proved to be there. Names are as in agencies.h. */
struct tls_peer {
	bool has_certificate;
	uint8_t fingerprint[32]; /* SHA-256 of its DER */
	struct str names[TLS_NAMES_MAX];
	size_t name_count;
	char text[2048]; /* names point here */
};

enum tls_step { TLS_WAIT, TLS_OPEN, TLS_FAILED };

/* How it ended, or has not. */
enum tls_end {
	TLS_NOT_ENDED,
	TLS_CLOSED,    /* it said that it would */
	TLS_TRUNCATED, /* without that (RFC 8446, 6.1): something may be lost */
	TLS_BROKEN     /* what came is no TLS, or was tampered with */
};

/* ERR_DOCUMENT: a file does not load, or a peer is no mark of a certificate. */
int tls_server_new(
    struct tls_server **ret, const struct tls_options *options, struct error *error);
/* Reads the files again, for connections from now on. Failing, it leaves what was there. */
int tls_server_reload(struct tls_server *server, struct error *error);
void tls_server_free(struct tls_server *server); /* accepts NULL; connections must be gone */

struct tls *tls_new(struct tls_server *server, int fd); /* NULL: no memory */
/* Says goodbye where that can be heard, and frees. Accepts NULL. Before closing fd. */
void tls_close(struct tls *tls);
/* Goes on with the handshake when fd is ready. FAILED: tls_why. */
enum tls_step tls_handshake(struct tls *tls);
/* After OPEN. */
void tls_peer(const struct tls *tls, struct tls_peer *ret);
/*
 * Reads once from fd and gives all that this brings: room is at least TLS_ROOM. As recv: 0 at the
 * end (tls_ended tells which), -1 with EAGAIN when nothing has come. *more: call again before
 * waiting for fd.
 */
ssize_t tls_read(struct tls *tls, void *out, size_t room, bool *more);
/* As send. What it has taken may still be inside: tls_unsent, tls_flush. */
ssize_t tls_write(struct tls *tls, const void *bytes, size_t len);
bool tls_unsent(const struct tls *tls);
/* False: the connection is gone. */
bool tls_flush(struct tls *tls);
enum tls_end tls_ended(const struct tls *tls);
/* What went wrong, in OpenSSL's words and with the certificate that it was about; or "". */
const char *tls_why(const struct tls *tls);

/* What one read of the socket can bring, and a record begun before. */
#define TLS_ROOM ((64u << 10) + (17u << 10))

#endif
