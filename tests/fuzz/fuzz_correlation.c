/* fuzz: correlator - a correlation document over three rules, some traffic, and a snapshot of it */
/*
 * The text up to the first line "..." is the correlation, whose references are "a", "b" and "c";
 * each byte behind it is an event: two bits which rule, two which group, four how much later.
 * What is loaded must settle, and a snapshot in between must not change what is settled.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "correlator/snapshot.h"
#include "event/detection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE(id)                                                                                   \
	"title: " id "\nid: " id "\nlogsource: {}\ndetection: {s: {x: " id                         \
	"}, condition: s}\n---\n"

static const char bases[] = BASE("a") BASE("b") BASE("c");
static const struct alert_site site = {.key = {1, 2}};

struct machine {
	struct worker_stats stats;
	struct correlate *correlate;
	struct arena *arena;
	struct batch batch;
	uint64_t told; /* of all that was posted */
};

static void machine_open(struct machine *machine, const struct ruleset *ruleset)
{
	*machine = (struct machine){.batch = {.partitions = {1, 1, 1}}};
	machine->correlate = correlate_new(&(struct correlate_options){.ruleset = ruleset,
	    .site = &site, .sources = 1, .groups_max = 64, .pending_max = 256,
	    .stats = &machine->stats});
	machine->arena = arena_new((size_t)64 << 20);
	CHECK(machine->correlate != NULL && machine->arena != NULL);
	batch_begin(&machine->batch, machine->arena, 0);
}

static void machine_close(struct machine *machine)
{
	correlate_free(machine->correlate);
	arena_free(machine->arena);
}

static void machine_take(struct machine *machine, const struct buf *bytes)
{
	CHECK(correlate_record(machine->correlate, buf_str(bytes), &machine->batch, false, NULL) ==
	    0);
	for (struct letter *letter = machine->batch.first; letter != NULL; letter = letter->next)
		machine->told =
		    machine->told * 31 + hash_sip64((struct hash_key){1, 2}, letter->value);
	arena_reset(machine->arena);
	batch_begin(&machine->batch, machine->arena, 0);
}

/* One event, for each correlation that refers to the rule. */
static void event_feed(struct machine *machine, const struct ruleset *ruleset,
    const struct rule *base, unsigned group, int64_t time_ns, uint64_t number)
{
	char group_text[16], value_text[24];
	struct buf bytes = BUF(1 << 20);

	snprintf(group_text, sizeof(group_text), "g%u", group);
	snprintf(value_text, sizeof(value_text), "%d", (int)(number % 7) - 2);
	for (size_t i = 0; i < base->use_count; i++) {
		const struct rule *rule = ruleset_rule(ruleset, base->uses[i].correlation);
		struct detection detection = {.correlation = rule->meta.id, .rule = base->meta.id,
		    .group_count = rule->correlation->group_count,
		    .value_count = rule->correlation->value_count, .time_ns = time_ns,
		    .at = {1, 2, number}, .position = {0, number, 0}};

		for (size_t k = 0; k < detection.group_count; k++)
			detection.groups[k] = str_of(group_text);
		for (size_t k = 0; k < detection.value_count; k++)
			detection.values[k] = str_of(value_text);
		buf_clear(&bytes);
		detection_write(&bytes, &detection);
		machine_take(machine, &bytes);
	}
	buf_free(&bytes);
}

static void progress_feed(struct machine *machine, int64_t time_ns)
{
	struct progress progress = {.topic = TOPIC_EVENTS, .partitions = 1, .time_ns = time_ns};
	struct buf bytes = BUF(1 << 10);

	progress_write(&bytes, &progress, 1);
	machine_take(machine, &bytes);
	buf_free(&bytes);
}

/* The same machine again, out of its snapshot. */
static void machine_restore(struct machine *machine, const struct ruleset *ruleset)
{
	struct buf first = BUF(SNAPSHOT_MAX), second = BUF(SNAPSHOT_MAX);
	uint64_t offset, dropped, told = machine->told;

	snapshot_write(&first, machine->correlate, 1);
	machine_close(machine);
	machine_open(machine, ruleset);
	machine->told = told;
	CHECK(snapshot_read(buf_str(&first), machine->correlate, &offset, &dropped) == 0);
	CHECK(dropped == 0);
	snapshot_write(&second, machine->correlate, 1);
	CHECK(str_eq(buf_str(&first), buf_str(&second)));
	buf_free(&first);
	buf_free(&second);
}

static uint64_t play(const struct ruleset *ruleset, struct str events, bool restore)
{
	static const struct str names[] = {{"a", 1}, {"b", 1}, {"c", 1}};
	int64_t time_ns = INT64_C(1772438400000000000);
	struct machine machine;

	machine_open(&machine, ruleset);
	for (size_t i = 0; i < events.len; i++) {
		uint8_t byte = (uint8_t)events.ptr[i];
		const struct rule *base = ruleset_find(ruleset, names[(byte & 3) % 3]);

		time_ns += (int64_t)(byte >> 4) * INT64_C(1000000000);
		event_feed(&machine, ruleset, base, byte >> 2 & 3, time_ns, i);
		if (i % 5 == 4)
			progress_feed(&machine, time_ns - INT64_C(3000000000));
	}
	if (restore)
		machine_restore(&machine, ruleset);
	progress_feed(&machine, INT64_MAX / 2);
	uint64_t told = machine.told;

	machine_close(&machine);
	return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ruleset_options options = {.memory = (size_t)16 << 20};
	struct str text = str_from((const char *)data, size), events = STR_NONE;
	size_t end = str_find(text, STR("\n...\n"));
	struct ruleset *ruleset = NULL;
	struct buf document = BUF(1 << 20);
	struct error error = {0};

	if (end != STR_NOT_FOUND) {
		events = str_slice(text, end + 5, end + 5 + 64);
		text = str_slice(text, 0, end + 1);
	}
	buf_str_put(&document, str_of(bases));
	buf_str_put(&document, text);
	if (!document.failed && ruleset_load_text(&ruleset, buf_str(&document), "fuzz.yml",
	    &options, &error) == 0) {
		bool whole = ruleset_find(ruleset, STR("a")) != NULL &&
		    ruleset_find(ruleset, STR("b")) != NULL &&
		    ruleset_find(ruleset, STR("c")) != NULL && ruleset_count(ruleset) < 16;

		if (whole)
			CHECK(play(ruleset, events, false) == play(ruleset, events, true));
		ruleset_free(ruleset);
	}
	buf_free(&document);
	return 0;
}
