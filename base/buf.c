#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *buf)
{
	free(buf->ptr);
	buf->ptr = NULL;
	buf->len = buf->capacity = 0;
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

struct str buf_str(const struct buf *buf)
{
	return (struct str){buf->ptr, buf->len};
}

static bool buf_reserve(struct buf *buf, size_t more)
{
	if (buf->failed)
		return false;
	if (more <= buf->capacity - buf->len)
		return true;
	if (more > buf->ceiling || buf->len > buf->ceiling - more) {
		buf->failed = true;
		return false;
	}
	size_t want = buf->capacity < 256 ? 256 : buf->capacity * 2;

	if (want < buf->len + more)
		want = buf->len + more;
	if (want > buf->ceiling)
		want = buf->ceiling;
	char *grown = realloc(buf->ptr, want);

	if (grown == NULL) {
		buf->failed = true;
		return false;
	}
	buf->ptr = grown;
	buf->capacity = want;
	return true;
}

char *buf_extend(struct buf *buf, size_t len)
{
	if (!buf_reserve(buf, len))
		return NULL;
	char *at = buf->ptr + buf->len;

	buf->len += len;
	return at;
}

char *buf_room_make(struct buf *buf, size_t len)
{
	if (buf->failed)
		return NULL;
	if (buf_reserve(buf, len))
		return buf->ptr + buf->len;
	buf->failed = false;
	return NULL;
}

void buf_put(struct buf *buf, const void *bytes, size_t len)
{
	if (len == 0 || !buf_reserve(buf, len))
		return;
	memcpy(buf->ptr + buf->len, bytes, len);
	buf->len += len;
}

void buf_str_put(struct buf *buf, struct str s)
{
	buf_put(buf, s.ptr, s.len);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);

	va_end(args);
	if (len < 0 || !buf_reserve(buf, (size_t)len + 1)) {
		buf->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

void buf_u8(struct buf *buf, uint8_t value)
{
	buf_put(buf, &value, 1);
}

void buf_u16(struct buf *buf, uint16_t value)
{
	uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};

	buf_put(buf, bytes, sizeof(bytes));
}

void buf_u32(struct buf *buf, uint32_t value)
{
	uint8_t bytes[4];

	set_u32(bytes, value);
	buf_put(buf, bytes, sizeof(bytes));
}

void buf_u64(struct buf *buf, uint64_t value)
{
	uint8_t bytes[8];

	set_u64(bytes, value);
	buf_put(buf, bytes, sizeof(bytes));
}

void buf_varint(struct buf *buf, uint64_t value)
{
	uint8_t bytes[10];
	size_t len = 0;

	while (value >= 0x80) {
		bytes[len++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[len++] = (uint8_t)value;
	buf_put(buf, bytes, len);
}

bool take_varint(struct str *rest, uint64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < rest->len && i < 10; i++) {
		uint8_t byte = (uint8_t)rest->ptr[i];

		if (i == 9 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*ret = value;
			*rest = str_slice(*rest, i + 1, rest->len);
			return true;
		}
	}
	return false;
}

bool take_bytes(struct str *rest, uint64_t len, struct str *ret)
{
	if (len > rest->len)
		return false;
	*ret = str_slice(*rest, 0, (size_t)len);
	*rest = str_slice(*rest, (size_t)len, rest->len);
	return true;
}
