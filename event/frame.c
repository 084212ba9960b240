/*
 * Frames are read on the hot path of every consumer: frame_read is one pass of CRC32C over the
 * bytes, frame_next walks them with plain pointers, and neither allocates. Writing an event takes
 * one reservation in the buffer, because its size is computed first.
 */
#include "event/frame.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <string.h>

#define VERSION 1u

/* Offsets of the head. */
enum {
	AT_VERSION = 4,
	AT_TYPE = 5,
	AT_FLAGS = 6,
	AT_COLLECTOR = 8,
	AT_EPOCH = 16,
	AT_FIRST = 24,
	AT_PREVIOUS = 32,
	AT_MADE = 40,
	AT_COUNT = 48,
	AT_LENGTH = 52,
	AT_RESERVED = 56,
	AT_CRC = 60
};

enum event_tag {
	TAG_RECEIVED = 1,
	TAG_TRANSPORT,
	TAG_PEER,
	TAG_SENDER,
	TAG_AGENCY,
	TAG_SYSTEM,
	TAG_ZONE,
	TAG_DECODER,
	TAG_ENCODING,
	TAG_FLAGS,
	TAG_MESSAGE
};

enum gap_tag { GAP_TAG_REASON = 1, GAP_TAG_COUNT, GAP_TAG_FROM, GAP_TAG_TO, GAP_TAG_SOURCE };

static const char magic[4] = {'T', 'C', 'S', 'N'};

/* Writing. */

static size_t varint_size(uint64_t value)
{
	size_t size = 1;

	for (; value >= 0x80; value >>= 7)
		size++;
	return size;
}

static char *put_varint(char *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (char)(uint8_t)(value | 0x80);
	*at++ = (char)(uint8_t)value;
	return at;
}

static size_t tag_size(size_t len)
{
	return len == 0 ? 0 : 1 + varint_size(len) + len;
}

static char *put_str(char *at, enum event_tag tag, struct str value)
{
	if (value.len == 0)
		return at;
	*at++ = (char)tag;
	at = put_varint(at, value.len);
	memcpy(at, value.ptr, value.len);
	return at + value.len;
}

/* A number of size bytes, least first; zero is what a missing tag means. */
static char *put_number(char *at, enum event_tag tag, uint64_t value, size_t size)
{
	if (value == 0)
		return at;
	*at++ = (char)tag;
	*at++ = (char)size;
	for (size_t i = 0; i < size; i++, value >>= 8)
		*at++ = (char)(uint8_t)value;
	return at;
}

static size_t number_size(uint64_t value, size_t size)
{
	return value == 0 ? 0 : 2 + size;
}

static bool is_named(const struct event *event)
{
	return (event->message.high | event->message.low) != 0;
}

static char *put_message(char *at, const struct event *event)
{
	if (!is_named(event))
		return at;
	*at++ = (char)TAG_MESSAGE;
	*at++ = 16;
	set_u64(at, event->message.high);
	set_u64(at + 8, event->message.low);
	return at + 16;
}

static size_t meta_size(const struct event *event)
{
	return number_size((uint64_t)event->received_ns, 8) + number_size(event->transport, 1) +
	    tag_size(event->peer.len) + tag_size(event->sender.len) + tag_size(event->agency.len) +
	    tag_size(event->system.len) + number_size((uint32_t)event->zone_s, 4) +
	    tag_size(event->decoder.len) + number_size(event->encoding, 1) +
	    number_size(event->flags, 4) + (is_named(event) ? 18 : 0);
}

static char *put_meta(char *at, const struct event *event)
{
	at = put_number(at, TAG_RECEIVED, (uint64_t)event->received_ns, 8);
	at = put_number(at, TAG_TRANSPORT, event->transport, 1);
	at = put_str(at, TAG_PEER, event->peer);
	at = put_str(at, TAG_SENDER, event->sender);
	at = put_str(at, TAG_AGENCY, event->agency);
	at = put_str(at, TAG_SYSTEM, event->system);
	at = put_number(at, TAG_ZONE, (uint32_t)event->zone_s, 4);
	at = put_str(at, TAG_DECODER, event->decoder);
	at = put_number(at, TAG_ENCODING, event->encoding, 1);
	at = put_number(at, TAG_FLAGS, event->flags, 4);
	return put_message(at, event);
}

void frame_begin(struct buf *out)
{
	buf_clear(out);
	char *head = buf_extend(out, FRAME_HEAD);

	if (head != NULL)
		memset(head, 0, FRAME_HEAD);
}

size_t frame_event_size(const struct event *event)
{
	size_t meta = meta_size(event);

	return varint_size(event->raw.len) + varint_size(meta) + meta + event->raw.len;
}

void frame_add(struct buf *out, const struct event *event)
{
	size_t meta = meta_size(event);
	size_t size = varint_size(event->raw.len) + varint_size(meta) + meta + event->raw.len;
	char *at = buf_extend(out, size);

	if (at == NULL)
		return;
	at = put_varint(at, event->raw.len);
	at = put_varint(at, meta);
	at = put_meta(at, event);
	if (event->raw.len > 0)
		memcpy(at, event->raw.ptr, event->raw.len);
}

static uint32_t frame_crc(const char *bytes, size_t len)
{
	static const char zero[4];
	uint32_t crc = hash_crc32c(0, bytes, AT_CRC);

	crc = hash_crc32c(crc, zero, sizeof(zero));
	return hash_crc32c(crc, bytes + FRAME_HEAD, len - FRAME_HEAD);
}

bool frame_end(struct buf *out, const struct frame_head *head)
{
	if (out->failed || out->len > FRAME_MAX)
		return false;
	CHECK(out->len >= FRAME_HEAD);
	char *at = out->ptr;

	memcpy(at, magic, sizeof(magic));
	at[AT_VERSION] = (char)VERSION;
	at[AT_TYPE] = (char)head->type;
	at[AT_FLAGS] = (char)(uint8_t)head->flags;
	at[AT_FLAGS + 1] = (char)(uint8_t)(head->flags >> 8);
	set_u64(at + AT_COLLECTOR, head->collector);
	set_u64(at + AT_EPOCH, head->epoch);
	set_u64(at + AT_FIRST, head->first);
	set_u64(at + AT_PREVIOUS, head->previous);
	set_u64(at + AT_MADE, (uint64_t)head->made_ns);
	set_u32(at + AT_COUNT, head->count);
	set_u32(at + AT_LENGTH, (uint32_t)(out->len - FRAME_HEAD));
	set_u32(at + AT_RESERVED, 0);
	set_u32(at + AT_CRC, frame_crc(at, out->len));
	return true;
}

bool frame_tick(struct buf *out, const struct frame_head *head)
{
	struct frame_head own = *head;

	own.type = FRAME_TICK;
	own.count = 0;
	frame_begin(out);
	return frame_end(out, &own);
}

static void gap_number(struct buf *out, enum gap_tag tag, uint64_t value)
{
	if (value == 0)
		return;
	buf_u8(out, (uint8_t)tag);
	buf_varint(out, 8);
	buf_u64(out, value);
}

bool frame_gap(struct buf *out, const struct frame_head *head, const struct frame_gap *gap)
{
	struct frame_head own = *head;

	own.type = FRAME_GAP;
	own.count = 0;
	frame_begin(out);
	buf_u8(out, GAP_TAG_REASON);
	buf_varint(out, 1);
	buf_u8(out, (uint8_t)gap->reason);
	gap_number(out, GAP_TAG_COUNT, gap->count);
	gap_number(out, GAP_TAG_FROM, gap->from);
	gap_number(out, GAP_TAG_TO, gap->to);
	if (gap->source.len > 0) {
		buf_u8(out, GAP_TAG_SOURCE);
		buf_varint(out, gap->source.len);
		buf_str_put(out, gap->source);
	}
	return frame_end(out, &own);
}

/* Reading. */

/* What a head says must agree with itself before anybody computes with it. */
static bool head_holds(const struct frame_head *head, size_t body)
{
	if (head->previous != FRAME_NO_COUNT && head->previous >= head->first)
		return false;
	if (head->type != FRAME_EVENTS)
		return head->count == 0;
	/* Two bytes are the smallest event; the last counter is not FRAME_NO_COUNT. */
	return head->count > 0 && head->count <= body / 2 &&
	    head->first <= FRAME_NO_COUNT - head->count;
}

static void head_take(const char *at, struct frame_head *ret)
{
	*ret = (struct frame_head){
	    .type = (enum frame_type)(uint8_t)at[AT_TYPE],
	    .flags = get_u16(at + AT_FLAGS),
	    .collector = get_u64(at + AT_COLLECTOR),
	    .epoch = get_u64(at + AT_EPOCH),
	    .first = get_u64(at + AT_FIRST),
	    .previous = get_u64(at + AT_PREVIOUS),
	    .count = get_u32(at + AT_COUNT),
	    .made_ns = (int64_t)get_u64(at + AT_MADE),
	};
}

enum frame_status frame_read(struct str bytes, struct frame *ret)
{
	const char *at = bytes.ptr;

	if (bytes.len < sizeof(magic) || memcmp(at, magic, sizeof(magic)) != 0)
		return FRAME_NOT_OURS;
	if (bytes.len < FRAME_HEAD || bytes.len > FRAME_MAX)
		return FRAME_DAMAGED;
	if ((uint8_t)at[AT_VERSION] != VERSION)
		return FRAME_UNKNOWN;
	if (get_u32(at + AT_LENGTH) != bytes.len - FRAME_HEAD ||
	    get_u32(at + AT_CRC) != frame_crc(at, bytes.len))
		return FRAME_DAMAGED;
	if (at[AT_TYPE] < FRAME_EVENTS || at[AT_TYPE] > FRAME_GAP)
		return FRAME_UNKNOWN;
	struct str body = {at + FRAME_HEAD, bytes.len - FRAME_HEAD};
	struct frame_head head;

	head_take(at, &head);
	if (!head_holds(&head, body.len))
		return FRAME_DAMAGED;
	*ret = (struct frame){.head = head, .body = body, .rest = body};
	return FRAME_OK;
}

static inline bool eat_varint(struct str *rest, uint64_t *ret)
{
	if (rest->len > 0 && (uint8_t)*rest->ptr < 0x80) {
		*ret = (uint8_t)*rest->ptr;
		rest->ptr++;
		rest->len--;
		return true;
	}
	return take_varint(rest, ret);
}

static inline bool eat_bytes(struct str *rest, uint64_t len, struct str *ret)
{
	if (len > rest->len)
		return false;
	*ret = (struct str){rest->ptr, (size_t)len};
	rest->ptr += len;
	rest->len -= (size_t)len;
	return true;
}

static inline bool eat_tag(struct str *rest, unsigned *ret_tag, struct str *ret_value)
{
	uint64_t len;

	*ret_tag = (uint8_t)*rest->ptr;
	rest->ptr++;
	rest->len--;
	return eat_varint(rest, &len) && eat_bytes(rest, len, ret_value);
}

/* Values of enumerations that this version does not know read as their zero. */
static bool event_tag_take(struct event *event, unsigned tag, struct str value)
{
	switch (tag) {
	case TAG_RECEIVED:
		if (value.len != 8)
			return false;
		event->received_ns = (int64_t)get_u64(value.ptr);
		return true;
	case TAG_TRANSPORT:
		if (value.len != 1)
			return false;
		if ((uint8_t)*value.ptr < TRANSPORT_COUNT)
			event->transport = (enum transport)(uint8_t)*value.ptr;
		return true;
	case TAG_PEER:
		event->peer = value;
		return true;
	case TAG_SENDER:
		event->sender = value;
		return true;
	case TAG_AGENCY:
		event->agency = value;
		return true;
	case TAG_SYSTEM:
		event->system = value;
		return true;
	case TAG_ZONE:
		if (value.len != 4)
			return false;
		event->zone_s = (int32_t)get_u32(value.ptr);
		return true;
	case TAG_DECODER:
		event->decoder = value;
		return true;
	case TAG_ENCODING:
		if (value.len != 1)
			return false;
		event->encoding = *value.ptr == ENCODING_JSON ? ENCODING_JSON : ENCODING_TEXT;
		return true;
	case TAG_FLAGS:
		if (value.len != 4)
			return false;
		event->flags = get_u32(value.ptr);
		return true;
	case TAG_MESSAGE:
		if (value.len != 16)
			return false;
		event->message = (struct hash128){get_u64(value.ptr), get_u64(value.ptr + 8)};
		return true;
	default:
		return true;
	}
}

bool frame_next(struct frame *frame, struct event *ret)
{
	if (frame->head.type != FRAME_EVENTS || frame->index >= frame->head.count)
		return false;
	struct str rest = frame->rest;
	uint64_t raw_len, meta_len;
	struct str meta, value;
	unsigned tag;

	if (!eat_varint(&rest, &raw_len) || !eat_varint(&rest, &meta_len) ||
	    !eat_bytes(&rest, meta_len, &meta))
		return false;
	*ret = (struct event){.at = {frame->head.collector, frame->head.epoch,
	    frame->head.first + frame->index}};
	if (!eat_bytes(&rest, raw_len, &ret->raw))
		return false;
	while (meta.len > 0) {
		if (!eat_tag(&meta, &tag, &value) || !event_tag_take(ret, tag, value))
			return false;
	}
	/* Bytes behind the last event are no part of any event: the count or a length is wrong. */
	if (frame->index + 1 == frame->head.count && rest.len > 0)
		return false;
	frame->rest = rest;
	frame->index++;
	return true;
}

static bool gap_tag_take(struct frame_gap *gap, unsigned tag, struct str value)
{
	if (tag == GAP_TAG_SOURCE) {
		gap->source = value;
		return true;
	}
	if (tag == GAP_TAG_REASON) {
		if (value.len == 1)
			gap->reason = (enum gap_reason)(uint8_t)*value.ptr;
		return value.len == 1;
	}
	if (tag < GAP_TAG_COUNT || tag > GAP_TAG_TO)
		return true;
	if (value.len != 8)
		return false;
	uint64_t number = get_u64(value.ptr);

	if (tag == GAP_TAG_COUNT)
		gap->count = number;
	else if (tag == GAP_TAG_FROM)
		gap->from = number;
	else
		gap->to = number;
	return true;
}

bool frame_read_gap(const struct frame *frame, struct frame_gap *ret)
{
	struct frame_gap gap = {0};
	struct str rest = frame->body;
	struct str value;
	unsigned tag;

	if (frame->head.type != FRAME_GAP)
		return false;
	while (rest.len > 0) {
		if (!eat_tag(&rest, &tag, &value) || !gap_tag_take(&gap, tag, value))
			return false;
	}
	if (gap.reason == 0)
		return false;
	*ret = gap;
	return true;
}

/*
 * The key is public: everybody must come to the same coordinate. One hash keys the next, so that
 * ("ab", "c") and ("a", "bc") differ.
 */
static uint64_t foreign_collector(struct str cluster, struct str topic)
{
	struct hash_key key = {hash_sip64((struct hash_key){0, 0}, cluster), 0};

	return hash_sip64(key, topic);
}

void frame_foreign(struct str cluster, struct str topic, struct position position, int64_t time_ns,
    struct str value, struct event *ret)
{
	struct str text = str_trim(value);

	*ret = (struct event){
	    .at = {foreign_collector(cluster, topic), position.partition, position.offset},
	    .received_ns = time_ns,
	    .transport = TRANSPORT_KAFKA,
	    .encoding = text.len > 0 && *text.ptr == '{' ? ENCODING_JSON : ENCODING_TEXT,
	    .flags = EVENT_FOREIGN,
	    .peer = topic,
	    .raw = value,
	};
	if (str_find_char(value, '\0') != STR_NOT_FOUND)
		ret->flags |= EVENT_HAS_NUL;
	if (!utf8_is_valid(value))
		ret->flags |= EVENT_BAD_UTF8;
}
