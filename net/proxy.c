#include "net/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define LINE_MAX_BYTES 107
#define HEAD_BYTES     16

static const struct str signature = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

/* ---- version 2 ---- */

static void set_ipv4(struct sockaddr_storage *at, const char *address, const char *port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)at;

	in->sin_family = AF_INET;
	memcpy(&in->sin_addr, address, 4);
	memcpy(&in->sin_port, port, 2);
}

static void set_ipv6(struct sockaddr_storage *at, const char *address, const char *port)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)at;

	in->sin6_family = AF_INET6;
	memcpy(&in->sin6_addr, address, 16);
	memcpy(&in->sin6_port, port, 2);
}

/* Source, destination, their ports. */
static enum proxy_step read_binary(struct str bytes, struct proxy_header *ret)
{
	if (bytes.len < HEAD_BYTES)
		return PROXY_MORE;
	const uint8_t *head = (const uint8_t *)bytes.ptr;
	size_t body = (size_t)(head[14] << 8 | head[15]);
	unsigned command = head[12] & 15u, family = head[13] >> 4;
	const char *at = bytes.ptr + HEAD_BYTES;

	if (head[12] >> 4 != 2 || command > 1 || family > 3 || (head[13] & 15) > 2 ||
	    HEAD_BYTES + body > PROXY_MAX)
		return PROXY_BAD;
	if (command == 1 && ((family == 1 && body < 12) || (family == 2 && body < 36)))
		return PROXY_BAD;
	if (bytes.len < HEAD_BYTES + body)
		return PROXY_MORE;
	ret->length = HEAD_BYTES + body;
	ret->announced = command == 1 && (family == 1 || family == 2);
	if (ret->announced && family == 1)
		set_ipv4(&ret->peer, at, at + 8);
	else if (ret->announced)
		set_ipv6(&ret->peer, at, at + 32);
	return PROXY_DONE;
}

/* ---- version 1: "PROXY TCP4 192.0.2.7 198.51.100.1 40112 6514\r\n" ---- */

/* What stands before the next single space, or before the end. */
static struct str word_take(struct str *line)
{
	size_t space = str_find_char(*line, ' ');
	struct str word = str_slice(*line, 0, space);

	*line = str_slice(*line, space == STR_NOT_FOUND ? line->len : space + 1, line->len);
	return word;
}

static bool address_read(int family, struct str word, char out[16])
{
	char text[INET6_ADDRSTRLEN];

	if (word.len == 0 || word.len >= sizeof(text) || str_find_char(word, '\0') != STR_NOT_FOUND)
		return false;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	return inet_pton(family, text, out) == 1;
}

static bool port_read(struct str word, char out[2])
{
	uint64_t number = 0;

	if (word.len == 0 || word.len > 5 || (word.len > 1 && word.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (!char_is_digit(word.ptr[i]))
			return false;
		number = number * 10 + (uint64_t)(word.ptr[i] - '0');
	}
	out[0] = (char)(number >> 8);
	out[1] = (char)number;
	return number <= UINT16_MAX;
}

static bool read_line(struct str line, struct proxy_header *ret)
{
	char source[16], destination[16], from[2], to[2];
	struct str kind = word_take(&line);
	int family = str_eq(kind, STR("TCP4")) ? AF_INET : AF_INET6;

	ret->announced = !str_eq(kind, STR("UNKNOWN"));
	if (!ret->announced)
		return true;
	if (family == AF_INET6 && !str_eq(kind, STR("TCP6")))
		return false;
	if (!address_read(family, word_take(&line), source) ||
	    !address_read(family, word_take(&line), destination) ||
	    !port_read(word_take(&line), from) || !port_read(word_take(&line), to) || line.len > 0)
		return false;
	if (family == AF_INET)
		set_ipv4(&ret->peer, source, from);
	else
		set_ipv6(&ret->peer, source, from);
	return true;
}

static enum proxy_step read_text(struct str bytes, struct proxy_header *ret)
{
	const struct str begin = STR("PROXY ");
	size_t end = str_find(str_slice(bytes, 0, LINE_MAX_BYTES), STR("\r\n"));

	if (end == STR_NOT_FOUND)
		return bytes.len < LINE_MAX_BYTES ? PROXY_MORE : PROXY_BAD;
	if (end < begin.len)
		return PROXY_BAD;
	ret->length = end + 2;
	return read_line(str_slice(bytes, begin.len, end), ret) ? PROXY_DONE : PROXY_BAD;
}

enum proxy_step proxy_parse(struct str bytes, struct proxy_header *ret)
{
	const struct str begin = STR("PROXY ");

	*ret = (struct proxy_header){.length = 0};
	if (bytes.len == 0)
		return PROXY_MORE;
	bool binary = bytes.ptr[0] == signature.ptr[0];
	struct str wanted = binary ? signature : begin;

	/* As much as is there has to be right, or a stranger would be waited for. */
	if (!str_starts(bytes, str_slice(wanted, 0, bytes.len)))
		return PROXY_BAD;
	if (bytes.len < wanted.len)
		return PROXY_MORE;
	return binary ? read_binary(bytes, ret) : read_text(bytes, ret);
}
