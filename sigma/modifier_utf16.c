/*
 * UTF-16 (RFC 2781) of the value, for base64 behind it. A byte that is no UTF-8 becomes U+FFFD, as
 * Windows would have it.
 */
#include "base/utf8.h"
#include "sigma/modifier.h"

extern const struct modifier modifier_utf16le, modifier_wide, modifier_utf16be, modifier_utf16;

static char *unit_put(char *to, uint32_t unit, bool big)
{
	*to++ = (char)(big ? unit >> 8 : unit & 0xFF);
	*to++ = (char)(big ? unit & 0xFF : unit >> 8);
	return to;
}

static int convert(struct item *item, struct value *value, bool big, bool mark)
{
	struct str text;
	int code = value_want_text(item, value, &text);

	if (code < 0)
		return code;
	/* A code point of n bytes is one unit, or two when n is 4. */
	char *out = arena_alloc(item->builder->arena, text.len * 2 + 2), *to = out;

	if (out == NULL)
		return builder_no_memory(item->builder);
	if (mark)
		to = unit_put(to, 0xFEFF, big);
	for (size_t at = 0, len; at < text.len; at += len) {
		uint32_t c = utf8_decode(str_slice(text, at, text.len), &len);

		if (c == UTF8_BAD)
			c = 0xFFFD;
		if (c >= 0x10000) {
			to = unit_put(to, 0xD800 + ((c - 0x10000) >> 10), big);
			c = 0xDC00 + ((c - 0x10000) & 0x3FF);
		}
		to = unit_put(to, c, big);
	}
	value->touched = true;
	return value_set_text(item, value, str_from(out, (size_t)(to - out)));
}

static int apply_le(struct item *item, struct value *value)
{
	return convert(item, value, false, false);
}

static int apply_be(struct item *item, struct value *value)
{
	return convert(item, value, true, false);
}

static int apply_mark(struct item *item, struct value *value)
{
	return convert(item, value, false, true);
}

const struct modifier modifier_utf16le = {
    .name = "utf16le", .summary = "the value in UTF-16, little-endian", .value = apply_le};
const struct modifier modifier_wide = {
    .name = "wide", .summary = "as utf16le", .value = apply_le};
const struct modifier modifier_utf16be = {
    .name = "utf16be", .summary = "the value in UTF-16, big-endian", .value = apply_be};
const struct modifier modifier_utf16 = {.name = "utf16",
    .summary = "the value in UTF-16, little-endian with byte order mark", .value = apply_mark};
