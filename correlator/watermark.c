#include "correlator/watermark.h"

#include "base/check.h"
#include "base/clock.h"

#define TICKS_GONE_NS (86400 * NS_PER_S)

int64_t watermark_minus(int64_t a, int64_t b)
{
	int64_t ret;

	if (__builtin_sub_overflow(a, b, &ret))
		return b > 0 ? INT64_MIN : INT64_MAX;
	return ret;
}

int64_t watermark_plus(int64_t a, int64_t b)
{
	int64_t ret;

	if (__builtin_add_overflow(a, b, &ret))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return ret;
}

int64_t watermark_clamp(int64_t event_ns, int64_t received_ns, int64_t skew_ns, bool *ret_skewed)
{
	*ret_skewed = skew_ns >= 0 && (event_ns > watermark_plus(received_ns, skew_ns) ||
	    event_ns < watermark_minus(received_ns, skew_ns));
	return *ret_skewed ? received_ns : event_ns;
}

void watermark_source_add(struct watermark_source *source, int64_t time_ns, int64_t received_ns)
{
	if (time_ns > source->latest_ns)
		source->latest_ns = time_ns;
	if (received_ns > source->received_ns)
		source->received_ns = received_ns;
}

int64_t watermark_source_time(const struct watermark_source *source, int64_t lateness_ns)
{
	return source->latest_ns == WATERMARK_NONE ? WATERMARK_NONE
	    : watermark_minus(source->latest_ns, lateness_ns);
}

int64_t watermark_source_idle(const struct watermark_source *source, int64_t lateness_ns,
    int64_t idle_ns, int64_t now_ns)
{
	int64_t time_ns = watermark_source_time(source, lateness_ns);
	int64_t silent_ns = watermark_minus(now_ns, idle_ns);

	if (time_ns == WATERMARK_NONE || idle_ns <= 0 || (source->told_ns != WATERMARK_NONE &&
	    watermark_plus(source->told_ns, TICKS_GONE_NS) > now_ns))
		return time_ns;
	silent_ns = watermark_minus(silent_ns - silent_ns % idle_ns, lateness_ns);
	return silent_ns > time_ns ? silent_ns : time_ns;
}

void watermark_begin(struct watermark *watermark, uint32_t count)
{
	CHECK(count <= PROGRESS_MAX);
	*watermark = (struct watermark){.count = count, .now_ns = WATERMARK_NONE};
	for (uint32_t i = 0; i < count; i++)
		watermark->parts[i].time_ns = WATERMARK_NONE;
}

/* WATERMARK_NONE while one is unheard. */
static int64_t watermark_slowest(const struct watermark *watermark)
{
	int64_t slowest = INT64_MAX, furthest = WATERMARK_NONE;

	for (uint32_t i = 0; i < watermark->count; i++) {
		const struct watermark_part *part = &watermark->parts[i];

		if (!part->heard)
			return WATERMARK_NONE;
		if (!part->idle && part->time_ns < slowest)
			slowest = part->time_ns;
		if (part->time_ns > furthest)
			furthest = part->time_ns;
	}
	return slowest == INT64_MAX ? furthest : slowest;
}

bool watermark_hear(struct watermark *watermark, const struct progress *progress)
{
	if (progress->partition >= watermark->count)
		return false;
	struct watermark_part *part = &watermark->parts[progress->partition];

	part->heard = true;
	part->idle = progress->idle;
	if (progress->time_ns > part->time_ns)
		part->time_ns = progress->time_ns;
	int64_t slowest = watermark_slowest(watermark);

	if (slowest <= watermark->now_ns)
		return false;
	watermark->now_ns = slowest;
	return true;
}

void watermark_write(struct buf *out, const struct watermark *watermark)
{
	buf_u32(out, watermark->count);
	buf_u64(out, (uint64_t)watermark->now_ns);
	for (uint32_t i = 0; i < watermark->count; i++) {
		buf_u8(out, (uint8_t)(watermark->parts[i].heard | watermark->parts[i].idle << 1));
		buf_u64(out, (uint64_t)watermark->parts[i].time_ns);
	}
}

bool watermark_read(struct str *rest, struct watermark *ret)
{
	struct str bytes;

	if (!take_bytes(rest, 12, &bytes) || get_u32(bytes.ptr) != ret->count)
		return false;
	ret->now_ns = (int64_t)get_u64(bytes.ptr + 4);
	for (uint32_t i = 0; i < ret->count; i++) {
		if (!take_bytes(rest, 9, &bytes))
			return false;
		ret->parts[i].heard = (bytes.ptr[0] & 1) != 0;
		ret->parts[i].idle = (bytes.ptr[0] & 2) != 0;
		ret->parts[i].time_ns = (int64_t)get_u64(bytes.ptr + 1);
	}
	return true;
}
