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

	if (colon == STR_NOT_FOUND)
		return false;
	struct str h = str_slice(s, 0, colon);
	struct str p = str_slice(s, colon + 1, s.len);

	if (h.len >= 2 && h.ptr[0] == '[' && h.ptr[h.len - 1] == ']')
		h = str_slice(h, 1, h.len - 1);
	if (h.len >= 256 || p.len == 0 || p.len >= 16)
		return false;
	snprintf(host, 256, "%.*s", STR_ARG(h));
	snprintf(port, 16, "%.*s", STR_ARG(p));
	return true;
}

static int address_resolve(const char *text, int type, int flags, struct addrinfo **ret,
    struct error *error)
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
	int fd = bind_one(list, type, shared);
	int saved = errno;

	freeaddrinfo(list);
	return fd >= 0 ? fd : error_system(error, saved, TEXT_net_bind, text);
}

int address_connect(const char *text, struct error *error)
{
	struct addrinfo *list = NULL;
	int code = address_resolve(text, SOCK_STREAM, AI_NUMERICSERV, &list, error);

	if (code < 0)
		return code;
	int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		fd = -1;
	}
	int saved = errno;

	freeaddrinfo(list);
	return fd >= 0 ? fd : error_system(error, saved, TEXT_net_connect, text);
}

struct str address_format(const struct sockaddr *address, char out[ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";
	int len = 0;

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		len = snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(in->sin_port));
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;
		bool mapped = IN6_IS_ADDR_V4MAPPED(&in->sin6_addr);

		inet_ntop(mapped ? AF_INET : AF_INET6, in->sin6_addr.s6_addr + (mapped ? 12 : 0), host,
		    sizeof(host));
		len = snprintf(out, ADDRESS_TEXT, mapped ? "%s:%u" : "[%s]:%u", host,
		    ntohs(in->sin6_port));
	} else {
		len = snprintf(out, ADDRESS_TEXT, "?");
	}
	return (struct str){out, (size_t)len};
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
