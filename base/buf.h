/*
 * buf.h - a growing run of bytes with a ceiling.
 *
 * A struct buf owns its bytes. It is given its ceiling at birth; what would pass it, or what finds
 * no memory, is not written, and the buffer stays marked as failed until buf_clear: check once, at
 * the end. Integers are written little-endian, the byte order of everything that Tocsin stores.
 */
#ifndef TOCSIN_BASE_BUF_H
#define TOCSIN_BASE_BUF_H

#include "base/str.h"

struct buf {
	char *ptr;
	size_t len;
	size_t capacity;
	size_t ceiling;
	bool failed;
};

#define BUF(ceiling_bytes) ((struct buf){.ceiling = (ceiling_bytes)})

void buf_free(struct buf *buf);
/* Empties it and forgets a failure; keeps the memory. */
void buf_clear(struct buf *buf);
struct str buf_str(const struct buf *buf);

void buf_put(struct buf *buf, const void *bytes, size_t len);
void buf_str_put(struct buf *buf, struct str s);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_u8(struct buf *buf, uint8_t value);
void buf_u16(struct buf *buf, uint16_t value);
void buf_u32(struct buf *buf, uint32_t value);
void buf_u64(struct buf *buf, uint64_t value);
/* LEB128: 7 bits a byte, least first. At most 10 bytes. */
void buf_varint(struct buf *buf, uint64_t value);
/* Inline, for texts are written with a quote or a comma at a time. */
static inline void buf_char(struct buf *buf, char c)
{
	if (buf->len < buf->capacity && !buf->failed)
		buf->ptr[buf->len++] = c;
	else
		buf_put(buf, &c, 1);
}
/* Room for len bytes at the end, which the caller fills; NULL when that fails. */
char *buf_extend(struct buf *buf, size_t len);

/*
 * Room for len bytes at the end, without taking it: what is filled is added to buf->len by the
 * caller. NULL, and nothing has failed, when the ceiling is nearer or there is no memory.
 */
char *buf_room_make(struct buf *buf, size_t len);
static inline char *buf_room(struct buf *buf, size_t len)
{
	return len <= buf->capacity - buf->len && !buf->failed ? buf->ptr + buf->len
	    : buf_room_make(buf, len);
}

/* Compilers make one load or store of each. */
static inline uint16_t get_u16(const void *at)
{
	const uint8_t *b = at;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t get_u32(const void *at)
{
	const uint8_t *b = at;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t get_u64(const void *at)
{
	return get_u32(at) | (uint64_t)get_u32((const uint8_t *)at + 4) << 32;
}

static inline void set_u32(void *at, uint32_t value)
{
	uint8_t *b = at;

	b[0] = (uint8_t)value;
	b[1] = (uint8_t)(value >> 8);
	b[2] = (uint8_t)(value >> 16);
	b[3] = (uint8_t)(value >> 24);
}

static inline void set_u64(void *at, uint64_t value)
{
	set_u32(at, (uint32_t)value);
	set_u32((uint8_t *)at + 4, (uint32_t)(value >> 32));
}

/* Takes a varint off the front of *rest; false when it is cut short or longer than 64 bits. */
bool take_varint(struct str *rest, uint64_t *ret);
/* Takes len bytes off the front of *rest; false when there are fewer. */
bool take_bytes(struct str *rest, uint64_t len, struct str *ret);

#endif
