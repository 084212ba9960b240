/* fuzz: event - detections and progress: what reads, reads the same after it is written again */
#include "event/detection.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Equal records are written as equal bytes. */
static void detection_again(const struct detection *detection)
{
	struct buf first = BUF(1 << 22), second = BUF(1 << 22);
	struct detection again;

	detection_write(&first, detection);
	CHECK(detection_read(buf_str(&first), &again));
	CHECK(again.group_count == detection->group_count);
	CHECK(again.value_count == detection->value_count);
	detection_write(&second, &again);
	CHECK(str_eq(buf_str(&first), buf_str(&second)));
	buf_free(&first);
	buf_free(&second);
}

static void progress_again(const struct progress *progress, size_t count)
{
	static struct progress rows[PROGRESS_MAX];
	struct buf out = BUF(1 << 20);
	size_t again;

	progress_write(&out, progress, count);
	CHECK(progress_read(buf_str(&out), rows, &again));
	CHECK(again == count);
	for (size_t i = 0; i < count; i++)
		CHECK(rows[i].time_ns == progress[i].time_ns &&
		      rows[i].offset == progress[i].offset &&
		      rows[i].partition == progress[i].partition &&
		      rows[i].idle == progress[i].idle);
	buf_free(&out);
}

static void one(struct str bytes)
{
	static struct progress progress[PROGRESS_MAX];
	struct detection detection;
	size_t count;

	message_kind(bytes);
	if (detection_read(bytes, &detection))
		detection_again(&detection);
	if (progress_read(bytes, progress, &count))
		progress_again(progress, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = size < 10 ? NULL : malloc(size);

	one(str_from(data, size));
	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	memcpy(copy, "TCSD\1", 5);
	set_u32(copy + size - 4, hash_crc32c(0, copy, size - 4));
	one(str_from(copy, size));
	free(copy);
	return 0;
}
