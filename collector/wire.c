#include "collector/wire.h"

#include "base/clock.h"
#include "collector/agencies.h"
#include "net/address.h"
#include "net/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

struct door {
	struct intake *intake;
	struct tls_server *tls;
	struct str *peers;
	struct network *proxies;
	size_t proxy_count;
	enum tls_clients clients;
	int64_t told_ns; /* the second in which so many were told */
	unsigned told;
};

struct proxy_wait {
	size_t len;
	char bytes[PROXY_MAX];
};

#define TOLD_A_SECOND 10u

/* ---- addresses ---- */

int wire_parse(const char *text, struct wire_kind *ret, struct error *error)
{
	static const struct {
		struct str scheme;
		bool tls, proxied;
	} rows[] = {{STR_INIT("tcp://"), false, false}, {STR_INIT("tls://"), true, false},
	    {STR_INIT("proxy+tcp://"), false, true}, {STR_INIT("proxy+tls://"), true, true}};

	*ret = (struct wire_kind){.address = text};
	if (str_find(str_of(text), STR("://")) == STR_NOT_FOUND)
		return 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!str_starts(str_of(text), rows[i].scheme))
			continue;
		*ret = (struct wire_kind){
		    text + rows[i].scheme.len, rows[i].tls, rows[i].proxied};
		return 0;
	}
	return error_set(error, ERR_DOCUMENT, TEXT_collector_scheme, text);
}

/* ---- what the listeners have in common ---- */

static bool is_pinned(void *context, const uint8_t fingerprint[32])
{
	const struct door *door = context;

	return agencies_by_certificate(door->intake->agencies, NULL, 0, fingerprint) != NULL;
}

static int read_proxies(struct door *door, const struct config *config, struct error *error)
{
	size_t count = config_count(config, CONFIG_COLLECTOR_PROXIES);

	door->proxies = calloc(count + 1, sizeof(*door->proxies));
	if (door->proxies == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (size_t i = 0; i < count; i++) {
		struct str text = config_item(config, CONFIG_COLLECTOR_PROXIES, i);

		if (!network_parse(text, &door->proxies[i]))
			return error_set(
			    error, ERR_DOCUMENT, TEXT_collector_proxies, STR_ARG(text));
	}
	door->proxy_count = count;
	return 0;
}

static int read_tls(struct door *door, const struct config *config, struct error *error)
{
	size_t count = config_count(config, CONFIG_TLS_PEERS);

	door->clients = (enum tls_clients)config_number(config, CONFIG_TLS_CLIENTS);
	free(door->peers);
	door->peers = calloc(count + 1, sizeof(*door->peers));
	if (door->peers == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (size_t i = 0; i < count; i++)
		door->peers[i] = config_item(config, CONFIG_TLS_PEERS, i);
	struct tls_options options = {
	    .certificate = config_text(config, CONFIG_TLS_CERTIFICATE).ptr,
	    .key = config_text(config, CONFIG_TLS_KEY).ptr,
	    .ca = config_text(config, CONFIG_TLS_CA).ptr,
	    .crl = config_text(config, CONFIG_TLS_CRL).ptr,
	    .clients = door->clients,
	    .peers = door->peers,
	    .peer_count = count,
	    .pinned = is_pinned,
	    .context = door};

	return tls_server_new(&door->tls, &options, error);
}

int door_open(struct intake *intake, const struct wire_kind *kind, struct error *error)
{
	int code = 0;

	if (!kind->tls && !kind->proxied)
		return 0;
	if (intake->door == NULL) {
		intake->door = calloc(1, sizeof(*intake->door));
		if (intake->door == NULL)
			return error_set(error, ERR_MEMORY, TEXT_base_memory);
		intake->door->intake = intake;
		code = read_proxies(intake->door, intake->config, error);
	}
	if (code == 0 && kind->tls && intake->door->tls == NULL)
		code = read_tls(intake->door, intake->config, error);
	return code;
}

int door_reload(struct door *door, struct error *error)
{
	return door == NULL || door->tls == NULL ? 0 : tls_server_reload(door->tls, error);
}

void door_free(struct door *door)
{
	if (door == NULL)
		return;
	tls_server_free(door->tls);
	free(door->peers);
	free(door->proxies);
	free(door);
}

bool door_trusts(const struct door *door, const struct sockaddr *proxy)
{
	for (size_t i = 0; i < door->proxy_count; i++) {
		if (network_has(&door->proxies[i], proxy))
			return true;
	}
	return false;
}

int64_t door_patience_ns(const struct door *door)
{
	return config_number(door->intake->config, CONFIG_TLS_HANDSHAKE);
}

size_t door_ceiling(const struct door *door)
{
	return (size_t)config_number(door->intake->config, CONFIG_TLS_HANDSHAKES);
}

bool door_asks(const struct door *door)
{
	return door->clients != TLS_CLIENTS_NONE;
}

/* A clock that was set back tells at once. */
void door_tell(struct intake *intake, struct ledger_row *row, enum text_id id, struct str peer,
    const char *why)
{
	const struct collector_options *options = intake->options;
	struct door *door = intake->door;
	int64_t now_ns = intake->now_ns, since_ns = now_ns - row->told_ns;
	struct error error = {0};

	if (options->tell == NULL || (row->told_ns != 0 && row->told == id && since_ns >= 0 &&
	    since_ns < 60 * NS_PER_S))
		return;
	if (now_ns / NS_PER_S != door->told_ns / NS_PER_S)
		door->told = 0;
	door->told_ns = now_ns;
	if (door->told++ >= TOLD_A_SECOND)
		return;
	row->told_ns = now_ns;
	row->told = id;
	error_set(&error, ERR_FOREIGN, id, row->counts.input, STR_ARG(peer), why);
	options->tell(options->tell_context, &error);
}

/* ---- one connection ---- */

void wire_begin(struct wire *wire, struct door *door, const struct wire_kind *kind, int fd)
{
	*wire = (struct wire){
	    .fd = fd, .door = door, .proxied = kind->proxied, .secured = kind->tls};
}

void wire_close(struct wire *wire)
{
	tls_close(wire->tls);
	free(wire->header);
	close(wire->fd);
	*wire = (struct wire){.fd = -1};
}

/* As much as belongs to the header is taken from the socket, and not a byte more. */
static enum wire_step header_read(struct wire *wire, struct sockaddr_storage *from)
{
	struct proxy_wait *wait = wire->header;
	struct proxy_header header;

	if (wait == NULL)
		wait = wire->header = calloc(1, sizeof(*wait));
	if (wait == NULL)
		return WIRE_FAILED;
	ssize_t n = recv(wire->fd, wait->bytes + wait->len, sizeof(wait->bytes) - wait->len,
	    MSG_DONTWAIT | MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return WIRE_WAIT;
	if (n <= 0)
		return WIRE_FAILED;
	enum proxy_step step = proxy_parse(str_from(wait->bytes, wait->len + (size_t)n), &header);

	if (step == PROXY_BAD || (step == PROXY_MORE && wait->len + (size_t)n == PROXY_MAX))
		return WIRE_FAILED;
	size_t taken = step == PROXY_DONE ? header.length - wait->len : (size_t)n;

	if (recv(wire->fd, wait->bytes + wait->len, taken, MSG_DONTWAIT) != (ssize_t)taken)
		return WIRE_FAILED;
	wait->len += taken;
	if (step == PROXY_MORE)
		return WIRE_WAIT;
	free(wait);
	wire->header = NULL;
	wire->proxied = false;
	if (!header.announced)
		return WIRE_OPEN;
	*from = header.peer;
	return WIRE_ANNOUNCED;
}

enum wire_step wire_open(struct wire *wire, struct sockaddr_storage *from)
{
	if (wire->proxied) {
		enum wire_step step = header_read(wire, from);

		if (step != WIRE_OPEN)
			return step;
	}
	if (!wire->secured)
		return WIRE_OPEN;
	if (wire->tls == NULL)
		wire->tls = tls_new(wire->door->tls, wire->fd);
	if (wire->tls == NULL)
		return WIRE_FAILED;
	int on = 1;

	switch (tls_handshake(wire->tls)) {
	case TLS_WAIT:
		return WIRE_WAIT;
	case TLS_OPEN:
		wire->more = true;
		/*
		 * The client's last word of a handshake of 1.3 gets no answer, and its first line
		 * would wait 40 ms behind it (RFC 896) for our acknowledgement.
		 */
		setsockopt(wire->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
		return WIRE_OPEN;
	case TLS_FAILED:
		break;
	}
	return WIRE_FAILED;
}

ssize_t wire_read(struct wire *wire, void *out, size_t room)
{
	if (wire->tls != NULL)
		return tls_read(wire->tls, out, room, &wire->more);
	ssize_t n = recv(wire->fd, out, room, MSG_DONTWAIT);

	wire->more = n == (ssize_t)room;
	return n;
}

ssize_t wire_write(struct wire *wire, const void *bytes, size_t len)
{
	return wire->tls != NULL ? tls_write(wire->tls, bytes, len)
				 : send(wire->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool wire_unsent(const struct wire *wire)
{
	return wire->tls != NULL && tls_unsent(wire->tls);
}
