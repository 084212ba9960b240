#include "tests/collector/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum fault plan(void *context, const char *call, uint64_t number)
{
	struct rig *rig = context;

	if (rig->fault == FAULT_NONE || strcmp(call, rig->fault_call) != 0)
		return FAULT_NONE;
	return rig->fault_every > 1 && number % rig->fault_every != 0 ? FAULT_NONE : rig->fault;
}

void rig_open(struct rig *rig, uint64_t queue_bytes)
{
	struct bus_options options = {
	    .backend = "memory", .partitions = {RIG_PARTITIONS, 1, 1}, .queue_bytes = queue_bytes};
	uint32_t all[RIG_PARTITIONS];
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS,
	    .group = "test",
	    .partitions = all,
	    .partition_count = RIG_PARTITIONS};
	const char *tmp = getenv("TMPDIR");
	struct bus *inner;

	*rig = (struct rig){.fault = FAULT_NONE};
	for (uint32_t p = 0; p < RIG_PARTITIONS; p++)
		all[p] = p;
	rig_restart(rig);
	assert_int_equal(bus_open(&inner, &options, NULL), 0);
	assert_int_equal(bus_fault_open(&rig->bus, inner, plan, rig), 0);
	assert_int_equal(bus_reader_open(&rig->reader, rig->bus, &reading, NULL), 0);
	snprintf(rig->folder, sizeof(rig->folder), "%s/tocsin-collect-XXXXXX",
	    tmp != NULL && strlen(tmp) < 32 ? tmp : "/tmp");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->identity, sizeof(rig->identity), "%s/collector.id", rig->folder);
}

void rig_restart(struct rig *rig)
{
	for (uint32_t p = 0; p < RIG_PARTITIONS; p++)
		rig->last[p] = FRAME_NO_COUNT;
	rig->epoch = 0;
}

const struct agencies *rig_nobody(struct str agency)
{
	static struct agencies *made[8];
	size_t i = 0;

	while (made[i] != NULL && !str_eq(agencies_unknown(made[i])->agency, agency))
		assert_true(++i < 8);
	if (made[i] == NULL)
		made[i] = agencies_none(agency);
	assert_non_null(made[i]);
	return made[i];
}

static char *copy(struct str s)
{
	char *text = malloc(s.len + 1);

	assert_non_null(text);
	if (s.len > 0)
		memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return text;
}

static void see(struct rig *rig, uint32_t partition, const struct event *event)
{
	if (rig->seen_count == rig->seen_capacity) {
		rig->seen_capacity = rig->seen_capacity * 2 + 256;
		rig->seen = realloc(rig->seen, rig->seen_capacity * sizeof(*rig->seen));
		assert_non_null(rig->seen);
	}
	rig->seen[rig->seen_count++] = (struct seen){.partition = partition,
	    .flags = event->flags,
	    .at = event->at,
	    .transport = event->transport,
	    .received_ns = event->received_ns,
	    .zone_s = event->zone_s,
	    .sender = copy(event->sender),
	    .peer = copy(event->peer),
	    .decoder = copy(event->decoder),
	    .raw = copy(event->raw),
	    .raw_len = event->raw.len};
	snprintf(rig->seen[rig->seen_count - 1].who, sizeof(rig->seen[0].who), "%.*s/%.*s/%.*s",
	    STR_ARG(event->agency), STR_ARG(event->system), STR_ARG(event->decoder));
}

static void see_gap(struct rig *rig, const struct frame *frame)
{
	struct frame_gap gap;

	assert_true(frame_read_gap(frame, &gap));
	assert_true(gap.reason <= GAP_DAMAGED && gap.from <= gap.to && gap.from > 0);
	rig->gaps++;
	rig->gap_events[gap.reason] += gap.count;
	snprintf(rig->gap_source, sizeof(rig->gap_source), "%.*s", STR_ARG(gap.source));
}

static void see_events(struct rig *rig, uint32_t partition, struct frame *frame)
{
	uint64_t last = rig->last[partition];
	struct event event;

	rig->frames++;
	if (rig->holes) {
		assert_true(frame->head.first + frame->head.count <= sizeof(rig->known));
		if (rig->known[frame->head.first])
			return;
		memset(rig->known + frame->head.first, true, frame->head.count);
		while (frame_next(frame, &event))
			see(rig, partition, &event);
		return;
	}
	if (last != FRAME_NO_COUNT && frame->head.first <= last) {
		assert_true(frame->head.first + frame->head.count - 1 <= last);
		rig->repeats++;
		return;
	}
	assert_true(frame->head.previous == last);
	while (frame_next(frame, &event)) {
		assert_true(bus_partition_of(event.sender, RIG_PARTITIONS) == partition);
		see(rig, partition, &event);
	}
	assert_int_equal(frame->index, frame->head.count);
	rig->last[partition] = frame->head.first + frame->head.count - 1;
}

static void see_record(struct rig *rig, const struct bus_record *record)
{
	struct frame frame;

	assert_int_equal(record->kind, BUS_RECORD);
	assert_int_equal(frame_read(record->value, &frame), FRAME_OK);
	assert_true(rig->epoch == 0 || frame.head.epoch == rig->epoch);
	rig->epoch = frame.head.epoch;
	if (record->value.len > rig->frame_largest)
		rig->frame_largest = record->value.len;
	switch (frame.head.type) {
	case FRAME_EVENTS:
		see_events(rig, record->partition, &frame);
		break;
	case FRAME_TICK:
		rig->ticks++;
		break;
	case FRAME_GAP:
		see_gap(rig, &frame);
		break;
	}
}

void rig_read(struct rig *rig)
{
	struct bus_record records[64];
	int count;

	do {
		count = bus_poll(rig->reader, records, 64, 0, NULL);
		assert_true(count >= 0);
		for (int i = 0; i < count; i++)
			see_record(rig, &records[i]);
	} while (count > 0);
}

const struct seen *rig_find(const struct rig *rig, const char *raw)
{
	for (size_t i = 0; i < rig->seen_count; i++) {
		if (strcmp(rig->seen[i].raw, raw) == 0)
			return &rig->seen[i];
	}
	return NULL;
}

void rig_close(struct rig *rig)
{
	bus_reader_close(rig->reader);
	bus_close(rig->bus);
	for (size_t i = 0; i < rig->seen_count; i++) {
		free(rig->seen[i].sender);
		free(rig->seen[i].peer);
		free(rig->seen[i].decoder);
		free(rig->seen[i].raw);
	}
	free(rig->seen);
	unlink(rig->identity);
	rmdir(rig->folder);
}
