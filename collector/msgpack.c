#include "collector/msgpack.h"

#include "base/check.h"

#include <stdio.h>

/* What a first byte means. */
struct head {
	enum msgpack_kind kind;
	uint8_t size; /* of the number or length that follows */
	bool is_signed;
};

/* 0xc0 to 0xdf, in order. */
static const struct head heads[32] = {
    [0x00] = {MSGPACK_NIL, 0, false},
    [0x02] = {MSGPACK_BOOL, 0, false},
    [0x03] = {MSGPACK_BOOL, 0, false},
    [0x04] = {MSGPACK_BIN, 1, false},
    [0x05] = {MSGPACK_BIN, 2, false},
    [0x06] = {MSGPACK_BIN, 4, false},
    [0x07] = {MSGPACK_EXT, 1, false},
    [0x08] = {MSGPACK_EXT, 2, false},
    [0x09] = {MSGPACK_EXT, 4, false},
    [0x0a] = {MSGPACK_FLOAT, 4, false},
    [0x0b] = {MSGPACK_FLOAT, 8, false},
    [0x0c] = {MSGPACK_UNSIGNED, 1, false},
    [0x0d] = {MSGPACK_UNSIGNED, 2, false},
    [0x0e] = {MSGPACK_UNSIGNED, 4, false},
    [0x0f] = {MSGPACK_UNSIGNED, 8, false},
    [0x10] = {MSGPACK_UNSIGNED, 1, true},
    [0x11] = {MSGPACK_UNSIGNED, 2, true},
    [0x12] = {MSGPACK_UNSIGNED, 4, true},
    [0x13] = {MSGPACK_UNSIGNED, 8, true},
    [0x14] = {MSGPACK_EXT, 0, false}, /* 1, 2, 4, 8, 16 bytes */
    [0x15] = {MSGPACK_EXT, 0, false},
    [0x16] = {MSGPACK_EXT, 0, false},
    [0x17] = {MSGPACK_EXT, 0, false},
    [0x18] = {MSGPACK_EXT, 0, false},
    [0x19] = {MSGPACK_STR, 1, false},
    [0x1a] = {MSGPACK_STR, 2, false},
    [0x1b] = {MSGPACK_STR, 4, false},
    [0x1c] = {MSGPACK_ARRAY, 2, false},
    [0x1d] = {MSGPACK_ARRAY, 4, false},
    [0x1e] = {MSGPACK_MAP, 2, false},
    [0x1f] = {MSGPACK_MAP, 4, false},
};

static uint64_t number_at(const char *at, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | (uint8_t)at[i];
	return number;
}

/* What one byte says whole: false when it is one of heads. number: a value, or a length. */
static bool is_short(uint8_t byte, struct msgpack *ret)
{
	if (byte < 0x80)
		*ret = (struct msgpack){.kind = MSGPACK_UNSIGNED, .number = byte};
	else if (byte < 0x90)
		*ret = (struct msgpack){.kind = MSGPACK_MAP, .number = byte & 0x0f};
	else if (byte < 0xa0)
		*ret = (struct msgpack){.kind = MSGPACK_ARRAY, .number = byte & 0x0f};
	else if (byte < 0xc0)
		*ret = (struct msgpack){.kind = MSGPACK_STR, .number = byte & 0x1f};
	else if (byte >= 0xe0)
		*ret = (struct msgpack){.kind = MSGPACK_NEGATIVE, .negative = (int8_t)byte};
	else
		return false;
	return true;
}

static void set_signed(struct msgpack *ret, size_t size)
{
	unsigned shift = 64 - 8 * (unsigned)size;
	int64_t value = (int64_t)(ret->number << shift) >> shift;

	if (value >= 0)
		return;
	ret->kind = MSGPACK_NEGATIVE;
	ret->negative = value;
}

static void set_float(struct msgpack *ret, size_t size)
{
	uint32_t half = (uint32_t)ret->number;
	float real;

	if (size == 8) {
		memcpy(&ret->real, &ret->number, sizeof(ret->real));
		return;
	}
	memcpy(&real, &half, sizeof(real));
	ret->real = (double)real;
}

/* The bytes that a text has, or an extension behind its type. */
static enum msgpack_status take_content(struct str *rest, struct msgpack *ret, size_t *lacks)
{
	uint64_t want = ret->number + (ret->kind == MSGPACK_EXT);

	if (rest->len < want) {
		*lacks = (size_t)want - rest->len;
		return MSGPACK_MORE;
	}
	ret->bytes = str_slice(*rest, 0, (size_t)want);
	*rest = str_slice(*rest, (size_t)want, rest->len);
	if (ret->kind == MSGPACK_EXT) {
		ret->type = (int8_t)ret->bytes.ptr[0];
		ret->bytes = str_slice(ret->bytes, 1, ret->bytes.len);
	}
	return MSGPACK_OK;
}

static enum msgpack_status take_long(
    struct str *rest, uint8_t byte, struct msgpack *ret, size_t *lacks)
{
	const struct head *head = &heads[byte - 0xc0];

	if (byte == 0xc1)
		return MSGPACK_BAD;
	if (rest->len < head->size) {
		*lacks = head->size - rest->len;
		return MSGPACK_MORE;
	}
	*ret = (struct msgpack){.kind = head->kind, .number = number_at(rest->ptr, head->size)};
	*rest = str_slice(*rest, head->size, rest->len);
	if (head->kind == MSGPACK_BOOL)
		ret->number = byte == 0xc3;
	if (head->kind == MSGPACK_EXT && head->size == 0)
		ret->number = 1u << (byte - 0xd4);
	if (head->kind == MSGPACK_FLOAT)
		set_float(ret, head->size);
	if (head->is_signed)
		set_signed(ret, head->size);
	return MSGPACK_OK;
}

enum msgpack_status msgpack_take(struct str *bytes, struct msgpack *ret, size_t *lacks)
{
	struct str rest = str_slice(*bytes, 1, bytes->len);
	enum msgpack_status status = MSGPACK_OK;

	*lacks = 1;
	if (bytes->len == 0)
		return MSGPACK_MORE;
	if (!is_short((uint8_t)bytes->ptr[0], ret))
		status = take_long(&rest, (uint8_t)bytes->ptr[0], ret, lacks);
	if (status == MSGPACK_OK && (ret->kind == MSGPACK_STR || ret->kind == MSGPACK_BIN ||
	    ret->kind == MSGPACK_EXT))
		status = take_content(&rest, ret, lacks);
	if (status != MSGPACK_OK)
		return status;
	if (ret->kind == MSGPACK_MAP)
		ret->number *= 2;
	*bytes = rest;
	return MSGPACK_OK;
}

static bool is_nested(const struct msgpack *value)
{
	return value->kind == MSGPACK_ARRAY || value->kind == MSGPACK_MAP;
}

enum msgpack_status msgpack_find_end(struct msgpack_end *end, struct str bytes, size_t max)
{
	if (!end->begun)
		*end = (struct msgpack_end){.begun = true, .left = {1}};
	for (;;) {
		while (end->left[end->depth] == 0) {
			if (end->depth == 0)
				return MSGPACK_OK;
			end->depth--;
		}
		struct str rest = str_slice(bytes, end->at, bytes.len);
		struct msgpack value;
		size_t lacks, before = rest.len;
		enum msgpack_status status = msgpack_take(&rest, &value, &lacks);

		if (status == MSGPACK_MORE)
			return lacks > max || bytes.len > max - lacks ? MSGPACK_BAD : MSGPACK_MORE;
		end->at += before - rest.len;
		end->left[end->depth]--;
		/* Each element has a byte at least. */
		if (status != MSGPACK_OK || end->at > max ||
		    (is_nested(&value) && value.number > max - end->at))
			return MSGPACK_BAD;
		if (is_nested(&value)) {
			if (end->depth == MSGPACK_DEPTH)
				return MSGPACK_BAD;
			end->left[++end->depth] = value.number;
		}
	}
}

bool msgpack_pass(struct str *bytes, struct str *ret)
{
	struct msgpack_end end = {0};

	if (msgpack_find_end(&end, *bytes, bytes->len) != MSGPACK_OK)
		return false;
	*ret = str_slice(*bytes, 0, end.at);
	*bytes = str_slice(*bytes, end.at, bytes->len);
	return true;
}

/* ---- as JSON ---- */

/* Names that are no texts are written as one: an agent that has numbers for names means them. */
static void json_key_of(struct json *json, struct str *bytes)
{
	struct str whole = STR_NONE;
	struct msgpack key = {0};
	char text[32] = "";
	size_t lacks;

	CHECK(msgpack_pass(bytes, &whole));
	msgpack_take(&whole, &key, &lacks);
	switch (key.kind) {
	case MSGPACK_STR:
	case MSGPACK_BIN:
		json_key(json, key.bytes);
		return;
	case MSGPACK_UNSIGNED:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)key.number);
		break;
	case MSGPACK_NEGATIVE:
		snprintf(text, sizeof(text), "%lld", (long long)key.negative);
		break;
	case MSGPACK_FLOAT:
		snprintf(text, sizeof(text), "%g", key.real);
		break;
	case MSGPACK_BOOL:
		snprintf(text, sizeof(text), "%s", key.number != 0 ? "true" : "false");
		break;
	case MSGPACK_NIL:
	case MSGPACK_EXT:
	case MSGPACK_ARRAY:
	case MSGPACK_MAP:
		break;
	}
	json_key(json, str_of(text));
}

void msgpack_json_pairs(struct json *json, struct str *bytes, uint64_t count)
{
	for (uint64_t i = 0; i < count; i += 2) {
		json_key_of(json, bytes);
		msgpack_json(json, bytes);
	}
}

/* Of a type that is not known: its bytes in hexadecimal, the first of them. */
static void json_ext(struct json *json, const struct msgpack *value)
{
	char text[2 * 64 + 1];
	size_t len = 0;

	for (size_t i = 0; i < value->bytes.len && len < sizeof(text) - 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%02x",
		    (uint8_t)value->bytes.ptr[i]);
	json_str(json, str_from(text, len));
}

void msgpack_json(struct json *json, struct str *bytes)
{
	struct msgpack value = {0};
	size_t lacks;

	CHECK(msgpack_take(bytes, &value, &lacks) == MSGPACK_OK);
	switch (value.kind) {
	case MSGPACK_NIL:
		json_null(json);
		break;
	case MSGPACK_BOOL:
		json_bool(json, value.number != 0);
		break;
	case MSGPACK_UNSIGNED:
		json_u64(json, value.number);
		break;
	case MSGPACK_NEGATIVE:
		json_i64(json, value.negative);
		break;
	case MSGPACK_FLOAT:
		json_double(json, value.real);
		break;
	case MSGPACK_STR:
	case MSGPACK_BIN:
		json_str(json, value.bytes);
		break;
	case MSGPACK_EXT:
		json_ext(json, &value);
		break;
	case MSGPACK_ARRAY:
		json_open(json, '[');
		for (uint64_t i = 0; i < value.number; i++)
			msgpack_json(json, bytes);
		json_close(json, ']');
		break;
	case MSGPACK_MAP:
		json_open(json, '{');
		msgpack_json_pairs(json, bytes, value.number);
		json_close(json, '}');
		break;
	}
}

/* ---- written ---- */

void msgpack_put_str(struct buf *out, struct str text)
{
	CHECK(text.len <= UINT8_MAX);
	buf_u8(out, 0xd9);
	buf_u8(out, (uint8_t)text.len);
	buf_str_put(out, text);
}

void msgpack_put_bin(struct buf *out, struct str bytes)
{
	CHECK(bytes.len <= UINT8_MAX);
	buf_u8(out, 0xc4);
	buf_u8(out, (uint8_t)bytes.len);
	buf_str_put(out, bytes);
}
