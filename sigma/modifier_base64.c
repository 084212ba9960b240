/*
 * base64 (RFC 4648 section 4) of the value's bytes, and its three alignments inside a longer text:
 * what lies before and behind shares characters with the value, and those are cut off.
 */
#include "sigma/modifier.h"

extern const struct modifier modifier_base64, modifier_base64offset;

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint8_t byte_at(struct str text, size_t offset, size_t at)
{
	return at < offset || at - offset >= text.len ? 0 : (uint8_t)text.ptr[at - offset];
}

/* Of offset unknown bytes and the text, the padding included. ptr NULL without memory. */
static struct str encode(struct arena *arena, struct str text, size_t offset)
{
	size_t len = offset + text.len;
	char *out = arena_alloc(arena, (len + 2) / 3 * 4), *to = out;

	if (out == NULL)
		return STR_NONE;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t word = (uint32_t)byte_at(text, offset, i) << 16 |
		    (uint32_t)byte_at(text, offset, i + 1) << 8 | byte_at(text, offset, i + 2);

		*to++ = digits[word >> 18 & 63];
		*to++ = digits[word >> 12 & 63];
		*to++ = i + 1 < len ? digits[word >> 6 & 63] : '=';
		*to++ = i + 2 < len ? digits[word & 63] : '=';
	}
	return str_from(out, (size_t)(to - out));
}

static int apply(struct item *item, struct value *value)
{
	struct str text;
	int code = value_want_text(item, value, &text);

	if (code < 0)
		return code;
	text = encode(item->builder->arena, text, 0);
	value->touched = true;
	if (text.ptr == NULL)
		return builder_no_memory(item->builder);
	return value_set_text(item, value, text);
}

static int apply_offset(struct item *item, struct value *value)
{
	static const size_t front[3] = {0, 2, 3}, behind[3] = {0, 3, 2};
	struct str text;
	int code = value_want_text(item, value, &text);

	value->touched = true;
	value->variants = arena_array(item->builder->scratch, 3, sizeof(*value->variants));
	if (value->variants == NULL)
		return builder_no_memory(item->builder);
	for (size_t i = 0; i < 3 && code >= 0; i++) {
		struct str whole = encode(item->builder->arena, text, i);
		size_t cut = behind[(text.len + i) % 3];

		value->variants[i] = *value;
		if (whole.ptr == NULL)
			return builder_no_memory(item->builder);
		if (front[i] + cut >= whole.len)
			return builder_refuse_node(
			    item->builder, value->node, TEXT_sigma_base64_short);
		code = value_set_text(item, &value->variants[i],
		    str_slice(whole, front[i], whole.len - cut));
	}
	value->kind = VALUE_ANY_OF;
	value->variant_count = 3;
	return code;
}

const struct modifier modifier_base64 = {
    .name = "base64", .summary = "the value in base64", .value = apply};
const struct modifier modifier_base64offset = {.name = "base64offset",
    .summary = "the value in base64, wherever it begins in the encoded text",
    .value = apply_offset};
