/*
 * key=value from end to end (kv.h): logfmt, FortiGate, SonicWall, Check Point and many more.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/kv.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

#define PAIRS_MIN 2 /* fewer is a sentence with an equals sign */

static struct str value_of(const struct record *record, size_t first, struct str name)
{
	for (size_t i = first; i < record->field_count; i++) {
		if (str_eq(record->fields[i].name, name))
			return record->fields[i].value;
	}
	return STR_NONE;
}

/* FortiGate: date=2026-11-22 time=03:27:03 tz="+0700": the device's own time, so it goes first. */
static bool set_split_time(struct record *record, size_t first)
{
	struct str date = value_of(record, first, STR("date"));
	struct str time = value_of(record, first, STR("time"));
	struct str zone = value_of(record, first, STR("tz"));

	if (date.len != 10 || time.len < 5 || time.len > 18 || zone.len > 8)
		return false;
	return timestamp_set_text(record, arena_printf(record->arena, "%.*s %.*s%.*s",
					      STR_ARG(date), STR_ARG(time), STR_ARG(zone)));
}

/* What the product calls itself; type=traffic and the like name the service. */
static void set_source(struct record *record, size_t first)
{
	struct str type = value_of(record, first, STR("type"));

	if (value_of(record, first, STR("devid")).len == 0 ||
	    value_of(record, first, STR("logid")).len == 0)
		return;
	record->product = STR("fortigate");
	record->service = type;
	if (str_eq(type, STR("traffic")))
		record_category(record, STR("firewall"));
}

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	size_t first = record->field_count;

	if (kv_key(text) == 0 || !char_is_alpha(text.ptr[0]) || kv_put(record, text) < PAIRS_MIN)
		return DECODE_NO;
	if (!set_split_time(record, first))
		alias_time_behind(record, notes, first);
	alias_apply(record, notes, first);
	set_source(record, first);
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_kv = {
    .name = "kv",
    .stage = DECODER_PAYLOAD,
    .summary = "key=value: logfmt, FortiGate, SonicWall, Check Point; quotes, any separator",
    .decode_noted = decode,
};
