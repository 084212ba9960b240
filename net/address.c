#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 512

static bool address_split(const char *text, char host[256], char port[16])
{
	struct str s = str_of(text);
	size_t colon = str_find_last(s, ':');
	uint64_t number;

	if (colon == STR_NOT_FOUND)
		return false;
	struct str h = str_slice(s, 0, colon);
	struct str p = str_slice(s, colon + 1, s.len);

	if (h.len >= 2 && h.ptr[0] == '[' && h.ptr[h.len - 1] == ']')
		h = str_slice(h, 1, h.len - 1);
	else if (str_find_char(h, ':') != STR_NOT_FOUND)
		return false; /* an IPv6 address without brackets: its last group is no port */
	if (h.len >= 256 || !str_to_u64(p, &number) || number > UINT16_MAX)
		return false;
	snprintf(host, 256, "%.*s", STR_ARG(h));
	snprintf(port, 16, "%u", (unsigned)number);
	return true;
}

static int address_resolve(
    const char *text, int type, int flags, struct addrinfo **ret, struct error *error)
{
	struct addrinfo hints = {.ai_socktype = type, .ai_flags = flags};
	char host[256], port[16];

	if (!address_split(text, host, port))
		return error_set(error, ERR_DOCUMENT, TEXT_net_address, text);
	bool any = strcmp(host, "*") == 0 || host[0] == '\0';

	if (any)
		hints.ai_family = AF_INET6;
	int status = getaddrinfo(any ? "::" : host, port, &hints, ret);

	if (status != 0)
		return error_set(error, ERR_DOCUMENT, TEXT_net_resolve, text, gai_strerror(status));
	return 0;
}

static int bind_one(const struct addrinfo *at, int type, bool shared)
{
	int fd = socket(at->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, zero = 0;

	if (fd < 0)
		return -1;
	/* For datagrams Linux takes it as leave to steal a port that is in use. */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* "[::]" takes IPv4 too, as administrators expect of an address that means all. */
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int address_bind(const char *text, int type, bool shared, struct error *error)
{
	struct addrinfo *list = NULL;
	int code = address_resolve(text, type, AI_PASSIVE | AI_NUMERICSERV, &list, error);

	if (code < 0)
		return code;
	int fd = -1;

	for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
		fd = bind_one(at, type, shared);
	int saved = errno;

	freeaddrinfo(list);
	/* "*" on a machine without IPv6. */
	if (fd < 0 && saved == EAFNOSUPPORT && (text[0] == '*' || text[0] == ':')) {
		char ipv4[32];

		snprintf(ipv4, sizeof(ipv4), "0.0.0.0%s", strchr(text, ':'));
		return address_bind(ipv4, type, shared, error);
	}
	return fd >= 0 ? fd : error_system(error, saved, TEXT_net_bind, text);
}

static int connect_one(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, at->ai_addr, at->ai_addrlen) == 0)
		return fd;
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int address_connect(const char *text, struct error *error)
{
	struct addrinfo *list = NULL;
	int code = address_resolve(text, SOCK_STREAM, AI_NUMERICSERV, &list, error);

	if (code < 0)
		return code;
	int fd = -1;

	for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
		fd = connect_one(at);
	int saved = errno;

	freeaddrinfo(list);
	return fd >= 0 ? fd : error_system(error, saved, TEXT_net_connect, text);
}

/* Done for each datagram, so by hand: snprintf takes ten times as long. */
static char *put_decimal(char *at, unsigned value)
{
	char digits[10];
	size_t len = 0;

	do {
		digits[len++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (len > 0)
		*at++ = digits[--len];
	return at;
}

static char *put_ipv4(char *at, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_decimal(at, bytes[i]);
	}
	return at;
}

struct str address_format(const struct sockaddr *address, char out[ADDRESS_TEXT])
{
	char *at = out;
	unsigned port = 0;

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
		uint8_t bytes[4];

		memcpy(bytes, &in->sin_addr, sizeof(bytes));
		at = put_ipv4(at, bytes);
		port = ntohs(in->sin_port);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;

		port = ntohs(in->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr)) {
			at = put_ipv4(at, in->sin6_addr.s6_addr + 12);
		} else {
			*at++ = '[';
			inet_ntop(AF_INET6, &in->sin6_addr, at, INET6_ADDRSTRLEN);
			at += strlen(at);
			*at++ = ']';
		}
	} else {
		out[0] = '?';
		out[1] = '\0';
		return (struct str){out, 1};
	}
	*at++ = ':';
	at = put_decimal(at, port);
	*at = '\0';
	return (struct str){out, (size_t)(at - out)};
}

struct str address_host(struct str text)
{
	size_t colon = str_find_last(text, ':');

	if (colon != STR_NOT_FOUND)
		text = str_slice(text, 0, colon);
	if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
		text = str_slice(text, 1, text.len - 1);
	return text;
}

unsigned address_port(int fd)
{
	struct sockaddr_storage at = {0};
	socklen_t len = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return 0;
	if (at.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&at)->sin_port);
	return at.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&at)->sin6_port) : 0;
}
