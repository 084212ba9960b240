#include "collector/forward.h"

#include "base/civil.h"
#include "net/digest.h"

#include <math.h>

static bool take_kind(struct str *bytes, enum msgpack_kind kind, struct msgpack *ret)
{
	size_t lacks;

	return msgpack_take(bytes, ret, &lacks) == MSGPACK_OK && ret->kind == kind;
}

/* Older senders write texts as binary. */
static bool take_text(struct str *bytes, struct str *ret)
{
	struct msgpack value;
	size_t lacks;

	if (msgpack_take(bytes, &value, &lacks) != MSGPACK_OK ||
	    (value.kind != MSGPACK_STR && value.kind != MSGPACK_BIN))
		return false;
	*ret = value.bytes;
	return true;
}

static void read_option(struct str name, struct msgpack *value, struct forward_message *ret)
{
	bool text = value->kind == MSGPACK_STR || value->kind == MSGPACK_BIN;

	if (str_eq(name, STR("chunk")) && text)
		ret->chunk = value->bytes;
	else if (str_eq(name, STR("compressed")) && text)
		ret->compressed = value->bytes;
	else if (str_eq(name, STR("fluent_signal")) && value->kind == MSGPACK_UNSIGNED)
		ret->signal = value->number;
}

/* A map, nil, or not there. */
static bool read_options(struct str rest, struct forward_message *ret)
{
	struct msgpack map, value;
	struct str name, whole;
	size_t lacks;

	if (rest.len == 0)
		return true;
	if (msgpack_take(&rest, &map, &lacks) != MSGPACK_OK ||
	    (map.kind != MSGPACK_MAP && map.kind != MSGPACK_NIL))
		return false;
	for (uint64_t i = 0; map.kind == MSGPACK_MAP && i < map.number; i += 2) {
		if (!take_text(&rest, &name) || !msgpack_pass(&rest, &whole) ||
		    msgpack_take(&whole, &value, &lacks) != MSGPACK_OK)
			return false;
		read_option(name, &value, ret);
	}
	return rest.len == 0 && ret->chunk.len <= FORWARD_CHUNK_MAX;
}

/* What stands behind the tag says which mode it is. */
static bool read_body(struct str *rest, struct forward_message *ret)
{
	struct str body, record;
	struct msgpack head;
	size_t lacks;

	if (!msgpack_pass(rest, &body))
		return false;
	struct str inside = body;

	if (msgpack_take(&inside, &head, &lacks) != MSGPACK_OK)
		return false;
	if (head.kind == MSGPACK_ARRAY) {
		ret->mode = FORWARD_ENTRIES;
		ret->count = head.number;
		ret->entries = inside;
		return true;
	}
	if (head.kind == MSGPACK_STR || head.kind == MSGPACK_BIN) {
		ret->mode = FORWARD_PACKED;
		ret->entries = head.bytes;
		return true;
	}
	ret->mode = FORWARD_MESSAGE;
	if (!msgpack_pass(rest, &record))
		return false;
	ret->entries = str_from(body.ptr, body.len + record.len);
	return true;
}

bool forward_read(struct str message, struct forward_message *ret)
{
	struct msgpack head;
	size_t lacks;

	*ret = (struct forward_message){.mode = FORWARD_HEARTBEAT};
	if (msgpack_take(&message, &head, &lacks) != MSGPACK_OK)
		return false;
	if (head.kind == MSGPACK_NIL)
		return true;
	return head.kind == MSGPACK_ARRAY && head.number >= 2 && head.number <= 4 &&
	    take_text(&message, &ret->tag) && read_body(&message, ret) &&
	    read_options(message, ret);
}

/* Seconds, or an extension of type 0: seconds and nanoseconds. */
static bool is_time(const struct msgpack *time)
{
	switch (time->kind) {
	case MSGPACK_UNSIGNED:
	case MSGPACK_NEGATIVE:
	case MSGPACK_FLOAT:
		return true;
	case MSGPACK_EXT:
		return time->type == 0 && time->bytes.len == 8;
	case MSGPACK_NIL:
	case MSGPACK_BOOL:
	case MSGPACK_STR:
	case MSGPACK_BIN:
	case MSGPACK_ARRAY:
	case MSGPACK_MAP:
		break;
	}
	return false;
}

/* Fluent Bit can put metadata beside the time: [[time, metadata], record]. */
static bool read_entry(struct str *rest, struct forward_entry *ret)
{
	struct str time, metadata;
	size_t lacks;

	if (!msgpack_pass(rest, &time) || !msgpack_pass(rest, &ret->record) ||
	    msgpack_take(&time, &ret->time, &lacks) != MSGPACK_OK)
		return false;
	if (ret->time.kind == MSGPACK_ARRAY &&
	    (ret->time.number != 2 || msgpack_take(&time, &ret->time, &lacks) != MSGPACK_OK ||
		!msgpack_pass(&time, &metadata)))
		return false;
	return is_time(&ret->time);
}

bool forward_next(const struct forward_message *message, struct str *entries,
    struct forward_entry *ret)
{
	struct msgpack head;

	if (message->mode == FORWARD_MESSAGE)
		return read_entry(entries, ret);
	return take_kind(entries, MSGPACK_ARRAY, &head) && head.number == 2 &&
	    read_entry(entries, ret);
}

/* ---- as JSON ---- */

static uint32_t be32(const char *at)
{
	const uint8_t *b = (const uint8_t *)at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Seconds that no calendar has are none. */
static void json_time(struct json *json, const struct msgpack *value)
{
	int64_t seconds = 0;
	uint32_t ns = 0;
	char text[CIVIL_TEXT];

	if (value->kind == MSGPACK_EXT) {
		seconds = be32(value->bytes.ptr);
		ns = be32(value->bytes.ptr + 4) % 1000000000u;
	} else if (value->kind == MSGPACK_FLOAT && value->real > 0 && value->real < 4e9) {
		seconds = (int64_t)value->real;
		ns = (uint32_t)((value->real - floor(value->real)) * 1e9);
	} else if (value->kind == MSGPACK_UNSIGNED && value->number < 4000000000u) {
		seconds = (int64_t)value->number;
	}
	if (seconds != 0)
		json_pair(json, "@timestamp",
		    civil_format(seconds * INT64_C(1000000000) + ns, 0, 9, text));
}

static bool has_time(struct str pairs, uint64_t count)
{
	struct str name, value, text;

	for (uint64_t i = 0; i < count; i += 2) {
		if (!msgpack_pass(&pairs, &name) || !msgpack_pass(&pairs, &value))
			return false;
		if (take_text(&name, &text) && str_eq(text, STR("@timestamp")))
			return true;
	}
	return false;
}

void forward_json(struct buf *out, struct str tag, const struct forward_entry *entry)
{
	struct json json = json_begin(out);
	struct str rest = entry->record;
	struct msgpack head;
	bool is_map = take_kind(&rest, MSGPACK_MAP, &head);

	json_open(&json, '{');
	if (!is_map || !has_time(rest, head.number))
		json_time(&json, &entry->time);
	json_pair(&json, "fluent_tag", tag);
	if (is_map) {
		msgpack_json_pairs(&json, &rest, head.number);
	} else {
		rest = entry->record;
		json_key(&json, STR("record"));
		msgpack_json(&json, &rest);
	}
	json_close(&json, '}');
}

/* ---- the handshake ---- */

bool forward_read_ping(struct str message, struct forward_ping *ret)
{
	struct msgpack head;
	struct str word;

	return take_kind(&message, MSGPACK_ARRAY, &head) && head.number == 6 &&
	    take_text(&message, &word) && str_eq(word, STR("PING")) &&
	    take_text(&message, &ret->host) && take_text(&message, &ret->salt) &&
	    take_text(&message, &ret->digest) && take_text(&message, &ret->user) &&
	    take_text(&message, &ret->password);
}

void forward_digest(struct str salt, struct str host, struct str nonce, struct str key,
    char ret[FORWARD_DIGEST])
{
	const struct str parts[] = {salt, host, nonce, key};
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[DIGEST_SHA512];

	digest_sha512(parts, sizeof(parts) / sizeof(parts[0]), digest);
	for (size_t i = 0; i < DIGEST_SHA512; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
}

void forward_put_helo(struct buf *out, struct str nonce, struct str auth)
{
	buf_u8(out, 0x92);
	msgpack_put_str(out, STR("HELO"));
	buf_u8(out, 0x83);
	msgpack_put_str(out, STR("nonce"));
	msgpack_put_bin(out, nonce);
	msgpack_put_str(out, STR("auth"));
	if (auth.len > 0)
		msgpack_put_bin(out, auth);
	else
		msgpack_put_str(out, STR(""));
	msgpack_put_str(out, STR("keepalive"));
	buf_u8(out, 0xc3);
}

void forward_put_pong(struct buf *out, struct str reason, struct str host, struct str digest)
{
	buf_u8(out, 0x95);
	msgpack_put_str(out, STR("PONG"));
	buf_u8(out, digest.len > 0 ? 0xc3 : 0xc2);
	msgpack_put_str(out, reason);
	msgpack_put_str(out, host);
	msgpack_put_str(out, digest);
}

void forward_put_ack(struct buf *out, struct str chunk)
{
	buf_u8(out, 0x81);
	msgpack_put_str(out, STR("ack"));
	msgpack_put_str(out, chunk);
}
