#include "event/detection.h"

#include "base/check.h"

#include <string.h>

#define VERSION     1u
#define HEAD        6u /* magic, version, kind */
#define TAIL        4u /* CRC32C */
#define COORDINATE  24u
#define POSITION    16u
#define PROGRESS    26u

enum detection_tag {
	TAG_CORRELATION = 1,
	TAG_RULE,
	TAG_GROUP,
	TAG_VALUE,
	TAG_VALUE_ABSENT,
	TAG_TIME,
	TAG_RECEIVED,
	TAG_AT,
	TAG_POSITION,
	TAG_AGENCY,
	TAG_HOST,
	TAG_FLAGS,
	TAG_REPLAY
};

enum progress_tag { TAG_PARTITION = 1 };

static const char magic[4] = {'T', 'C', 'S', 'D'};

enum message_kind message_kind(struct str bytes)
{
	if (bytes.len < sizeof(magic) || memcmp(bytes.ptr, magic, sizeof(magic)) != 0)
		return MESSAGE_UNKNOWN;
	if (bytes.len < HEAD + TAIL)
		return MESSAGE_DAMAGED;
	if ((uint8_t)bytes.ptr[4] != VERSION)
		return MESSAGE_UNKNOWN;
	switch (bytes.ptr[5]) {
	case MESSAGE_DETECTION:
		return MESSAGE_DETECTION;
	case MESSAGE_PROGRESS:
		return MESSAGE_PROGRESS;
	default:
		return MESSAGE_UNKNOWN;
	}
}

/* Writing. The record is what was appended to out: the checksum covers only that. */

static size_t message_begin(struct buf *out, enum message_kind kind)
{
	size_t from = out->len;

	buf_put(out, magic, sizeof(magic));
	buf_u8(out, VERSION);
	buf_u8(out, (uint8_t)kind);
	return from;
}

static void message_end(struct buf *out, size_t from)
{
	if (!out->failed)
		buf_u32(out, hash_crc32c(0, out->ptr + from, out->len - from));
}

static void put_value(struct buf *out, unsigned tag, struct str value)
{
	buf_u8(out, (uint8_t)tag);
	buf_varint(out, value.len);
	buf_str_put(out, value);
}

static void put_text(struct buf *out, enum detection_tag tag, struct str value)
{
	if (value.len > 0)
		put_value(out, tag, value);
}

static void put_u64(struct buf *out, enum detection_tag tag, uint64_t value)
{
	char bytes[8];

	if (value == 0)
		return;
	set_u64(bytes, value);
	put_value(out, tag, str_from(bytes, sizeof(bytes)));
}

static void put_u32(struct buf *out, enum detection_tag tag, uint32_t value)
{
	char bytes[4];

	if (value == 0)
		return;
	set_u32(bytes, value);
	put_value(out, tag, str_from(bytes, sizeof(bytes)));
}

static void put_places(struct buf *out, const struct detection *detection)
{
	char at[COORDINATE], position[POSITION];

	set_u64(at, detection->at.collector);
	set_u64(at + 8, detection->at.epoch);
	set_u64(at + 16, detection->at.counter);
	put_value(out, TAG_AT, str_from(at, sizeof(at)));
	set_u32(position, detection->position.partition);
	set_u64(position + 4, detection->position.offset);
	set_u32(position + 12, detection->position.index);
	put_value(out, TAG_POSITION, str_from(position, sizeof(position)));
}

void detection_write(struct buf *out, const struct detection *detection)
{
	CHECK(detection->group_count <= DETECTION_VALUES);
	CHECK(detection->value_count <= DETECTION_VALUES);
	size_t from = message_begin(out, MESSAGE_DETECTION);

	put_text(out, TAG_CORRELATION, detection->correlation);
	put_text(out, TAG_RULE, detection->rule);
	for (size_t i = 0; i < detection->group_count; i++)
		put_value(out, TAG_GROUP, detection->groups[i]);
	for (size_t i = 0; i < detection->value_count; i++)
		put_value(out, detection->values[i].ptr == NULL ? TAG_VALUE_ABSENT : TAG_VALUE,
		    detection->values[i]);
	put_u64(out, TAG_TIME, (uint64_t)detection->time_ns);
	put_u64(out, TAG_RECEIVED, (uint64_t)detection->received_ns);
	put_places(out, detection);
	put_text(out, TAG_AGENCY, detection->agency);
	put_text(out, TAG_HOST, detection->host);
	put_u32(out, TAG_FLAGS, detection->flags);
	put_text(out, TAG_REPLAY, detection->replay);
	message_end(out, from);
}

void progress_write(struct buf *out, const struct progress *progress, size_t count)
{
	CHECK(count <= PROGRESS_MAX);
	size_t from = message_begin(out, MESSAGE_PROGRESS);

	for (size_t i = 0; i < count; i++) {
		char row[PROGRESS];

		row[0] = (char)progress[i].topic;
		row[1] = (char)(progress[i].idle | progress[i].anew << 1);
		set_u32(row + 2, progress[i].partition);
		set_u32(row + 6, progress[i].partitions);
		set_u64(row + 10, (uint64_t)progress[i].time_ns);
		set_u64(row + 18, progress[i].offset);
		put_value(out, TAG_PARTITION, str_from(row, sizeof(row)));
	}
	message_end(out, from);
}

/* Reading. */

/* The tagged values between head and checksum, when the record is of this kind and whole. */
static bool message_body(struct str bytes, enum message_kind kind, struct str *ret)
{
	if (message_kind(bytes) != kind)
		return false;
	size_t end = bytes.len - TAIL;

	if (get_u32(bytes.ptr + end) != hash_crc32c(0, bytes.ptr, end))
		return false;
	*ret = str_from(bytes.ptr + HEAD, end - HEAD);
	return true;
}

/* rest is not empty. Values are slices of the record: present even when they are empty. */
static bool take_tag(struct str *rest, unsigned *ret_tag, struct str *ret_value)
{
	struct str tag;
	uint64_t len;

	if (!take_bytes(rest, 1, &tag) || !take_varint(rest, &len) || len > rest->len)
		return false;
	*ret_tag = (uint8_t)*tag.ptr;
	*ret_value = str_from(rest->ptr, (size_t)len);
	rest->ptr += len;
	rest->len -= (size_t)len;
	return true;
}

static bool value_add(struct str values[DETECTION_VALUES], size_t *count, struct str value)
{
	if (*count == DETECTION_VALUES)
		return false;
	values[(*count)++] = value;
	return true;
}

static bool number_take(struct str value, int64_t *ret)
{
	if (value.len != 8)
		return false;
	*ret = (int64_t)get_u64(value.ptr);
	return true;
}

static bool coordinate_take(struct str value, struct coordinate *ret)
{
	if (value.len != COORDINATE)
		return false;
	*ret = (struct coordinate){get_u64(value.ptr), get_u64(value.ptr + 8),
	    get_u64(value.ptr + 16)};
	return true;
}

static bool position_take(struct str value, struct position *ret)
{
	if (value.len != POSITION)
		return false;
	*ret = (struct position){get_u32(value.ptr), get_u64(value.ptr + 4),
	    get_u32(value.ptr + 12)};
	return true;
}

static bool detection_take(struct detection *detection, unsigned tag, struct str value)
{
	switch (tag) {
	case TAG_CORRELATION:
		detection->correlation = value;
		return true;
	case TAG_RULE:
		detection->rule = value;
		return true;
	case TAG_GROUP:
		return value_add(detection->groups, &detection->group_count, value);
	case TAG_VALUE:
		return value_add(detection->values, &detection->value_count, value);
	case TAG_VALUE_ABSENT:
		return value.len == 0 &&
		    value_add(detection->values, &detection->value_count, STR_NONE);
	case TAG_TIME:
		return number_take(value, &detection->time_ns);
	case TAG_RECEIVED:
		return number_take(value, &detection->received_ns);
	case TAG_AT:
		return coordinate_take(value, &detection->at);
	case TAG_POSITION:
		return position_take(value, &detection->position);
	case TAG_AGENCY:
		detection->agency = value;
		return true;
	case TAG_HOST:
		detection->host = value;
		return true;
	case TAG_FLAGS:
		if (value.len == 4)
			detection->flags = get_u32(value.ptr);
		return value.len == 4;
	case TAG_REPLAY:
		detection->replay = value;
		return true;
	default:
		return true;
	}
}

bool detection_read(struct str bytes, struct detection *ret)
{
	struct detection detection = {0};
	struct str rest, value;
	unsigned tag;

	if (!message_body(bytes, MESSAGE_DETECTION, &rest))
		return false;
	while (rest.len > 0) {
		if (!take_tag(&rest, &tag, &value) || !detection_take(&detection, tag, value))
			return false;
	}
	*ret = detection;
	return true;
}

static bool progress_take(struct str value, struct progress *ret)
{
	if (value.len != PROGRESS)
		return false;
	*ret = (struct progress){
	    .topic = (uint8_t)value.ptr[0],
	    .idle = (value.ptr[1] & 1) != 0,
	    .anew = (value.ptr[1] & 2) != 0,
	    .partition = get_u32(value.ptr + 2),
	    .partitions = get_u32(value.ptr + 6),
	    .time_ns = (int64_t)get_u64(value.ptr + 10),
	    .offset = get_u64(value.ptr + 18),
	};
	return ret->partition < ret->partitions;
}

bool progress_read(struct str bytes, struct progress *ret, size_t *ret_count)
{
	struct str rest, value;
	size_t count = 0;
	unsigned tag;

	if (!message_body(bytes, MESSAGE_PROGRESS, &rest))
		return false;
	while (rest.len > 0) {
		if (!take_tag(&rest, &tag, &value))
			return false;
		if (tag != TAG_PARTITION)
			continue;
		if (count == PROGRESS_MAX || !progress_take(value, &ret[count]))
			return false;
		count++;
	}
	*ret_count = count;
	return true;
}
