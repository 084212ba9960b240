#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/* Somebody may be behind a name that exists: only one that refuses is taken away. */
static int unix_remove_stale(const struct sockaddr_un *at, int type, struct error *error)
{
	struct stat status;

	if (lstat(at->sun_path, &status) != 0)
		return errno == ENOENT
			   ? 0 : error_system(error, errno, TEXT_net_bind, at->sun_path);
	if (!S_ISSOCK(status.st_mode))
		return error_system(error, EEXIST, TEXT_net_bind, at->sun_path);
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 &&
	    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	if (!refused)
		return error_system(error, EADDRINUSE, TEXT_net_bind, at->sun_path);
	return unlink(at->sun_path) == 0 || errno == ENOENT
		   ? 0 : error_system(error, errno, TEXT_net_bind, at->sun_path);
}

int address_bind_unix(const char *path, int type, struct error *error)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(at.sun_path))
		return error_set(
		    error, ERR_DOCUMENT, TEXT_net_path_long, path, sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, path, strlen(path) + 1);
	int code = unix_remove_stale(&at, type, error);

	if (code < 0)
		return code;
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_system(error, errno, TEXT_net_bind, path);
	/* Every program on this machine may log, as with /dev/log; the folder says who comes in. */
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || chmod(path, 0666) != 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
		code = error_system(error, errno, TEXT_net_bind, path);
		close(fd);
		return code;
	}
	return fd;
}

struct sockaddr_storage address_of_this_machine(void)
{
	struct sockaddr_storage ret = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&ret;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return ret;
}

struct str address_format_local(const char *path, long pid, long uid, char out[ADDRESS_TEXT])
{
	char who[48];
	int who_len = snprintf(who, sizeof(who), "[pid %ld, uid %ld]", pid, uid);
	size_t len = strlen(path), room = ADDRESS_TEXT - 1 - (size_t)who_len;

	if (len > room)
		path += len - room;
	int all = snprintf(out, ADDRESS_TEXT, "%s%s", path, who);

	return str_from(out, (size_t)all);
}

/* ---- networks ---- */

static uint8_t bytes_of(const struct sockaddr *address, const uint8_t **ret)
{
	if (address->sa_family == AF_INET) {
		*ret = (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)
			   ->sin_addr;
		return 4;
	}
	if (address->sa_family != AF_INET6)
		return 0;
	const struct in6_addr *in =
	    &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	bool mapped = IN6_IS_ADDR_V4MAPPED(in);

	*ret = in->s6_addr + (mapped ? 12 : 0);
	return mapped ? 4 : 16;
}

bool network_parse(struct str text, struct network *ret)
{
	size_t slash = str_find_char(text, '/');
	struct str host = str_slice(text, 0, slash);
	char copy[INET6_ADDRSTRLEN];
	uint64_t prefix;

	if (host.len >= sizeof(copy) || str_find_char(host, '\0') != STR_NOT_FOUND)
		return false;
	snprintf(copy, sizeof(copy), "%.*s", STR_ARG(host));
	if (inet_pton(AF_INET, copy, ret->bytes) == 1)
		ret->size = 4;
	else if (inet_pton(AF_INET6, copy, ret->bytes) == 1)
		ret->size = 16;
	else
		return false;
	prefix = ret->size * 8u;
	if (slash != STR_NOT_FOUND &&
	    (!str_to_u64(str_slice(text, slash + 1, text.len), &prefix) || prefix > ret->size * 8u))
		return false;
	ret->prefix = (uint8_t)prefix;
	return true;
}

bool network_has(const struct network *network, const struct sockaddr *address)
{
	const uint8_t *bytes = NULL;
	size_t whole = network->prefix / 8u, rest = network->prefix % 8u;

	if (bytes_of(address, &bytes) != network->size ||
	    memcmp(bytes, network->bytes, whole) != 0)
		return false;
	return rest == 0 || (bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}
