#include "event/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, struct str bytes)
{
	for (size_t i = 0; i < bytes.len; i += 3) {
		struct str group = str_slice(bytes, i, i + 3);
		uint32_t bits = 0;
		char four[4] = {'=', '=', '=', '='};

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < group.len ? (uint8_t)group.ptr[k] : 0);
		for (size_t k = 0; k <= group.len; k++)
			four[k] = letters[bits >> (18 - 6 * k) & 63];
		buf_put(out, four, sizeof(four));
	}
}

static int letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool base64_read(struct arena *arena, struct str text, struct str *ret)
{
	if (text.len % 4 != 0)
		return false;
	size_t size = text.len / 4 * 3;

	for (int pad = 0; pad < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; pad++) {
		text.len--;
		size--;
	}
	char *bytes = arena_alloc(arena, size);
	uint32_t bits = 0;
	size_t len = 0;
	unsigned have = 0;

	if (bytes == NULL)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int value = letter_value(text.ptr[i]);

		if (value < 0)
			return false;
		bits = (bits << 6 | (uint32_t)value) & 0xffffu;
		have += 6;
		if (have >= 8) {
			have -= 8;
			bytes[len++] = (char)(uint8_t)(bits >> have);
		}
	}
	if ((bits & ((1u << have) - 1)) != 0)
		return false;
	*ret = (struct str){bytes, len};
	return true;
}
