#include "collector/http_head.h"

#include "base/str.h"

#include <string.h>

#define TARGET_MAX    8192u
#define CHUNK_LINE    1024u /* the size of a chunk and its extensions */
#define TRAILERS_MAX  8192u

/* RFC 9110, 5.6.2: what names and methods are made of. */
static bool is_token_char(char c)
{
	return char_is_digit(c) || char_is_alpha(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_token_char(text.ptr[i]))
			return false;
	return text.len > 0;
}

/* Visible, white space inside, and what lies above ASCII. */
static bool is_value(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool is_target(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c <= 0x20 || c == 0x7f)
			return false;
	}
	return text.len > 0;
}

static struct str blank_trim(struct str text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = str_slice(text, 1, text.len);
	while (text.len > 0 &&
	    (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* A line ends with CR LF and with nothing else. False: it has not come yet, or *bad. */
static bool line_take(struct str *rest, struct str *ret, bool *bad)
{
	size_t lf = str_find_char(*rest, '\n');
	size_t cr = str_find_char(*rest, '\r');

	*bad = (lf != STR_NOT_FOUND && (lf == 0 || rest->ptr[lf - 1] != '\r' || cr != lf - 1)) ||
	    (lf == STR_NOT_FOUND && cr != STR_NOT_FOUND && cr + 1 < rest->len);
	if (*bad || lf == STR_NOT_FOUND)
		return false;
	*ret = str_slice(*rest, 0, lf - 1);
	*rest = str_slice(*rest, lf + 1, rest->len);
	return true;
}

static unsigned version_read(struct str version, struct http_head *ret)
{
	if (str_eq(version, STR("HTTP/1.1"))) {
		ret->keep_alive = true;
		return HTTP_HEAD_WHOLE;
	}
	if (str_eq(version, STR("HTTP/1.0")))
		return HTTP_HEAD_WHOLE;
	return str_starts(version, STR("HTTP/")) ? 505 : 400;
}

static unsigned target_read(struct http_head *ret)
{
	struct str target = ret->target;

	if (target.len > TARGET_MAX)
		return 414;
	if (!is_target(target))
		return 400;
	/* The absolute form, as to a proxy: what stands behind the authority counts. */
	if (str_starts_fold(target, STR("http://")) || str_starts_fold(target, STR("https://"))) {
		struct str rest = str_slice(target, str_find_char(target, '/') + 2, target.len);
		size_t slash = str_find_char(rest, '/');

		target = slash == STR_NOT_FOUND ? STR("/") : str_slice(rest, slash, rest.len);
	}
	if (target.ptr[0] != '/' && !str_eq(target, STR("*")))
		return 400;
	size_t question = str_find_char(target, '?');

	ret->path = str_slice(target, 0, question);
	if (question != STR_NOT_FOUND)
		ret->query = str_slice(target, question + 1, target.len);
	return HTTP_HEAD_WHOLE;
}

static unsigned request_line(struct str line, struct http_head *ret)
{
	size_t first = str_find_char(line, ' '), last = str_find_last(line, ' ');

	if (first == STR_NOT_FOUND || first == last)
		return 400;
	ret->method = str_slice(line, 0, first);
	ret->target = str_slice(line, first + 1, last);
	if (!is_token(ret->method))
		return 400;
	if (str_eq(ret->method, STR("CONNECT")))
		return 405;
	unsigned status = version_read(str_slice(line, last + 1, line.len), ret);

	return status != HTTP_HEAD_WHOLE ? status : target_read(ret);
}

static unsigned header_line(struct str line, struct http_head *ret)
{
	size_t colon = str_find_char(line, ':');

	if (ret->header_count == HTTP_HEADERS_MAX)
		return 431;
	if (colon == STR_NOT_FOUND)
		return 400;
	struct http_header header = {str_slice(line, 0, colon),
	    blank_trim(str_slice(line, colon + 1, line.len))};

	/* A name with white space, and so a folded line too, is no token. */
	if (!is_token(header.name) || !is_value(header.value))
		return 400;
	ret->headers[ret->header_count++] = header;
	return HTTP_HEAD_WHOLE;
}

static bool has_word(struct str list, struct str word)
{
	struct str item;

	while (str_cut(&list, ',', &item))
		if (str_eq_fold(blank_trim(item), word))
			return true;
	return false;
}

static unsigned length_read(struct http_head *ret, struct str value, bool *known)
{
	uint64_t length;

	/* Said twice, even if alike: no client does. */
	if (!str_to_u64(value, &length) || *known)
		return 400;
	*known = true;
	ret->length = length;
	return HTTP_HEAD_WHOLE;
}

/* RFC 9112, 6.3, at its strictest. */
static unsigned body_read(struct http_head *ret)
{
	bool known = false;
	unsigned status = HTTP_HEAD_WHOLE, hosts = 0;

	for (size_t i = 0; i < ret->header_count && status == HTTP_HEAD_WHOLE; i++) {
		const struct http_header *header = &ret->headers[i];

		if (str_eq_fold(header->name, STR("Host"))) {
			hosts++;
		} else if (str_eq_fold(header->name, STR("Content-Length"))) {
			status = length_read(ret, header->value, &known);
		} else if (str_eq_fold(header->name, STR("Transfer-Encoding"))) {
			if (ret->chunked)
				return 400;
			ret->chunked = str_eq_fold(header->value, STR("chunked"));
			status = ret->chunked ? HTTP_HEAD_WHOLE : 501;
		} else if (str_eq_fold(header->name, STR("Connection"))) {
			if (has_word(header->value, STR("close")))
				ret->keep_alive = false;
			else if (has_word(header->value, STR("keep-alive")))
				ret->keep_alive = true;
		} else if (str_eq_fold(header->name, STR("Expect"))) {
			ret->expects_continue = str_eq_fold(header->value, STR("100-continue"));
		}
	}
	if (status == HTTP_HEAD_WHOLE && ((ret->chunked && known) || hosts > 1))
		return 400;
	return status;
}

unsigned http_head_read(struct str bytes, struct http_head *ret, size_t *used)
{
	struct str rest = bytes, line;
	bool bad = false, request = false;

	*ret = (struct http_head){.header_count = 0};
	while (line_take(&rest, &line, &bad)) {
		unsigned status = HTTP_HEAD_WHOLE;

		if (!request && line.len == 0)
			continue; /* RFC 9112, 2.2: an empty line in front */
		if (line.len == 0) {
			*used = bytes.len - rest.len;
			return *used > HTTP_HEAD_MAX ? 431 : body_read(ret);
		}
		status = request ? header_line(line, ret) : request_line(line, ret);
		request = true;
		if (status != HTTP_HEAD_WHOLE)
			return status;
	}
	if (bad)
		return 400;
	return bytes.len > HTTP_HEAD_MAX ? 431 : HTTP_HEAD_MORE;
}

struct str http_head_value(const struct http_head *head, struct str name)
{
	for (size_t i = 0; i < head->header_count; i++)
		if (str_eq_fold(head->headers[i].name, name))
			return head->headers[i].value;
	return STR_NONE;
}

bool http_head_query(const struct http_head *head, struct str name, struct str *ret)
{
	struct str rest = head->query, pair;

	while (str_cut(&rest, '&', &pair)) {
		size_t equals = str_find_char(pair, '=');

		if (!str_eq(str_slice(pair, 0, equals), name))
			continue;
		*ret = equals == STR_NOT_FOUND ? STR_NONE : str_slice(pair, equals + 1, pair.len);
		return true;
	}
	return false;
}

bool http_unescape(struct str text, bool plus, char *out, struct str *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '%') {
			int high = i + 2 < text.len ? char_hex(text.ptr[i + 1]) : -1;
			int low = i + 2 < text.len ? char_hex(text.ptr[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[n++] = c;
	}
	*ret = (struct str){out, n};
	return true;
}

/* ---- chunks ---- */

static enum http_chunk size_read(struct http_chunks *chunks, struct str line)
{
	struct str size = blank_trim(str_slice(line, 0, str_find_char(line, ';')));
	uint64_t value = 0;

	if (size.len == 0 || size.len > 8)
		return HTTP_CHUNK_BAD;
	for (size_t i = 0; i < size.len; i++) {
		int digit = char_hex(size.ptr[i]);

		if (digit < 0)
			return HTTP_CHUNK_BAD;
		value = value * 16 + (uint64_t)digit;
	}
	chunks->left = value;
	chunks->at = value > 0 ? CHUNKS_DATA : CHUNKS_TRAILER;
	return HTTP_CHUNK_MORE;
}

/* A line of the frame around the data. HTTP_CHUNK_MORE with *moved: go on. */
static enum http_chunk frame_line(struct http_chunks *chunks, struct str *bytes, bool *moved)
{
	size_t before = bytes->len;
	struct str line;
	bool bad;

	*moved = line_take(bytes, &line, &bad);
	if (bad)
		return HTTP_CHUNK_BAD;
	if (!*moved)
		return bytes->len > CHUNK_LINE ? HTTP_CHUNK_BAD : HTTP_CHUNK_MORE;
	if (chunks->at == CHUNKS_SIZE)
		return line.len > CHUNK_LINE ? HTTP_CHUNK_BAD : size_read(chunks, line);
	if (chunks->at == CHUNKS_END) {
		chunks->at = CHUNKS_SIZE;
		return line.len == 0 ? HTTP_CHUNK_MORE : HTTP_CHUNK_BAD;
	}
	chunks->trailer += before - bytes->len;
	if (chunks->trailer > TRAILERS_MAX)
		return HTTP_CHUNK_BAD;
	if (line.len == 0)
		chunks->at = CHUNKS_DONE;
	return line.len == 0 ? HTTP_CHUNK_LAST : HTTP_CHUNK_MORE;
}

enum http_chunk http_chunks_next(struct http_chunks *chunks, struct str *bytes, struct str *ret)
{
	bool moved = true;

	while (moved && chunks->at != CHUNKS_DATA) {
		enum http_chunk result = frame_line(chunks, bytes, &moved);

		if (result != HTTP_CHUNK_MORE)
			return result;
	}
	if (!moved || bytes->len == 0)
		return HTTP_CHUNK_MORE;
	*ret = str_slice(*bytes, 0, chunks->left);
	*bytes = str_slice(*bytes, ret->len, bytes->len);
	chunks->left -= ret->len;
	if (chunks->left == 0)
		chunks->at = CHUNKS_END;
	return HTTP_CHUNK_DATA;
}
