#include "collector/lumberjack.h"

static uint32_t number_at(struct str bytes, size_t at)
{
	const uint8_t *b = (const uint8_t *)bytes.ptr + at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static size_t head_of(char kind)
{
	return kind == 'J' ? 10 : kind == 'W' || kind == 'C' ? 6 : 0;
}

enum lumberjack_status lumberjack_next(
    struct str *bytes, size_t data_max, struct lumberjack_frame *ret, size_t *whole)
{
	*ret = (struct lumberjack_frame){0};
	*whole = 0;
	if (bytes->len > 0 && bytes->ptr[0] != '2')
		return LUMBERJACK_BAD;
	if (bytes->len < 2)
		return LUMBERJACK_MORE;
	size_t head = head_of(bytes->ptr[1]);

	if (head == 0)
		return LUMBERJACK_BAD;
	if (bytes->len < head)
		return LUMBERJACK_MORE;
	ret->kind = bytes->ptr[1];
	ret->number = ret->kind == 'C' ? 0 : number_at(*bytes, 2);
	size_t len = ret->kind == 'W' ? 0 : number_at(*bytes, head - 4);

	if (len > data_max)
		return LUMBERJACK_BAD;
	*whole = head + len;
	if (bytes->len < *whole)
		return LUMBERJACK_MORE;
	ret->data = str_slice(*bytes, head, *whole);
	*bytes = str_slice(*bytes, *whole, bytes->len);
	return LUMBERJACK_FRAME;
}

struct str lumberjack_ack(uint32_t sequence, char out[LUMBERJACK_ACK])
{
	out[0] = '2';
	out[1] = 'A';
	for (int i = 0; i < 4; i++)
		out[2 + i] = (char)(sequence >> (24 - 8 * i));
	return str_from(out, LUMBERJACK_ACK);
}
