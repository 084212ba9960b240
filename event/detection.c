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

/*
 * Writing. The record is what was appended to out: the checksum covers only that. Room for all of
 * it is made first, and then it is put down byte by byte.
 */

#define TAG_ROOM (1u + 10u) /* tag and length, at most */

static char *put_varint(char *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (char)(uint8_t)(value | 0x80);
	*at++ = (char)(uint8_t)value;
	return at;
}

static char *put_value(char *at, unsigned tag, struct str value)
{
	*at++ = (char)(uint8_t)tag;
	at = put_varint(at, value.len);
	if (value.len > 0)
		memcpy(at, value.ptr, value.len);
	return at + value.len;
}

static char *put_text(char *at, enum detection_tag tag, struct str value)
{
	return value.len > 0 ? put_value(at, tag, value) : at;
}

static char *put_u64(char *at, enum detection_tag tag, uint64_t value)
{
	if (value == 0)
		return at;
	*at++ = (char)tag;
	*at++ = 8;
	set_u64(at, value);
	return at + 8;
}

static char *put_u32(char *at, enum detection_tag tag, uint32_t value)
{
	if (value == 0)
		return at;
	*at++ = (char)tag;
	*at++ = 4;
	set_u32(at, value);
	return at + 4;
}

static char *put_places(char *at, const struct detection *detection)
{
	*at++ = TAG_AT;
	*at++ = (char)COORDINATE;
	set_u64(at, detection->at.collector);
	set_u64(at + 8, detection->at.epoch);
	set_u64(at + 16, detection->at.counter);
	at += COORDINATE;
	*at++ = TAG_POSITION;
	*at++ = (char)POSITION;
	set_u32(at, detection->position.partition);
	set_u64(at + 4, detection->position.offset);
	set_u32(at + 12, detection->position.index);
	return at + POSITION;
}

/* Room for so many bytes behind magic, version, kind, and for the checksum; NULL: it fails. */
static char *message_begin(struct buf *out, enum message_kind kind, size_t body)
{
	char *at = buf_extend(out, HEAD + body + TAIL);

	if (at == NULL)
		return NULL;
	memcpy(at, magic, sizeof(magic));
	at[4] = (char)VERSION;
	at[5] = (char)kind;
	return at;
}

/* The body ends at end; what room there is behind the checksum is given back. */
static void message_end(struct buf *out, char *begin, char *end)
{
	set_u32(end, hash_crc32c(0, begin, (size_t)(end - begin)));
	out->len = (size_t)(end + TAIL - out->ptr);
}

/* As much as it may be; a few bytes too much for each length. */
static size_t detection_room(const struct detection *detection)
{
	size_t room = 5 * TAG_ROOM + detection->correlation.len + detection->rule.len +
	    detection->agency.len + detection->host.len + detection->replay.len +
	    5 * 2 + 2 * 8 + COORDINATE + POSITION + 4;

	for (size_t i = 0; i < detection->group_count; i++)
		room += TAG_ROOM + detection->groups[i].len;
	for (size_t i = 0; i < detection->value_count; i++)
		room += TAG_ROOM + detection->values[i].len;
	return room;
}

void detection_write(struct buf *out, const struct detection *detection)
{
	CHECK(detection->group_count <= DETECTION_VALUES);
	CHECK(detection->value_count <= DETECTION_VALUES);
	char *begin = message_begin(out, MESSAGE_DETECTION, detection_room(detection));

	if (begin == NULL)
		return;
	char *at = put_text(begin + HEAD, TAG_CORRELATION, detection->correlation);

	at = put_text(at, TAG_RULE, detection->rule);
	for (size_t i = 0; i < detection->group_count; i++)
		at = put_value(at, TAG_GROUP, detection->groups[i]);
	for (size_t i = 0; i < detection->value_count; i++)
		at = put_value(at, detection->values[i].ptr == NULL ? TAG_VALUE_ABSENT : TAG_VALUE,
		    detection->values[i]);
	at = put_u64(at, TAG_TIME, (uint64_t)detection->time_ns);
	at = put_u64(at, TAG_RECEIVED, (uint64_t)detection->received_ns);
	at = put_places(at, detection);
	at = put_text(at, TAG_AGENCY, detection->agency);
	at = put_text(at, TAG_HOST, detection->host);
	at = put_u32(at, TAG_FLAGS, detection->flags);
	at = put_text(at, TAG_REPLAY, detection->replay);
	message_end(out, begin, at);
}

void progress_write(struct buf *out, const struct progress *progress, size_t count)
{
	CHECK(count <= PROGRESS_MAX);
	char *begin = message_begin(out, MESSAGE_PROGRESS, count * (2 + PROGRESS));
	char *at = begin == NULL ? NULL : begin + HEAD;

	for (size_t i = 0; at != NULL && i < count; i++) {
		*at++ = TAG_PARTITION;
		*at++ = (char)PROGRESS;
		at[0] = (char)progress[i].topic;
		at[1] = (char)(progress[i].idle | progress[i].anew << 1);
		set_u32(at + 2, progress[i].partition);
		set_u32(at + 6, progress[i].partitions);
		set_u64(at + 10, (uint64_t)progress[i].time_ns);
		set_u64(at + 18, progress[i].offset);
		at += PROGRESS;
	}
	if (at != NULL)
		message_end(out, begin, at);
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
	uint64_t len;

	*ret_tag = (uint8_t)*rest->ptr;
	rest->ptr++;
	rest->len--;
	if (rest->len > 0 && (uint8_t)*rest->ptr < 0x80) {
		len = (uint8_t)*rest->ptr;
		rest->ptr++;
		rest->len--;
	} else if (!take_varint(rest, &len)) {
		return false;
	}
	if (len > rest->len)
		return false;
	*ret_value = (struct str){rest->ptr, (size_t)len};
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
	struct str rest, value;
	unsigned tag;

	if (!message_body(bytes, MESSAGE_DETECTION, &rest))
		return false;
	*ret = (struct detection){0};
	while (rest.len > 0) {
		if (!take_tag(&rest, &tag, &value) || !detection_take(ret, tag, value))
			return false;
	}
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
