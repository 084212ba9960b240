/*
 * Layout of a table of groups: evicted, cut, count; of each, the one that was touched longest ago
 * first: correlation, key, due, and with its length in front what is behind it. A window: first,
 * count, sum, last event, evidence, values, distinct values in order, events. A pattern: latest; of
 * each term: barred, slots; candidates.
 */
#include <stdlib.h>

#include "correlator/correlate_type.h"
#include "correlator/pattern.h"
#include "correlator/snapshot_state.h"
#include "correlator/tally.h"

/* ---- writing ---- */

static void sighting_write(struct writer *writer, const struct sighting *sighting)
{
	uint8_t flags = (uint8_t)(sighting->used | (sighting->parts != NULL) << 1);

	buf_u8(writer->out, flags);
	if (!sighting->used)
		return;
	part_write(writer, &sighting->part);
	decimal_write(writer->out, sighting->number);
	if (sighting->parts != NULL)
		parts_write(writer, sighting->parts);
}

static int distinct_compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static void distinct_write(struct writer *writer, const struct tally *tally)
{
	uint64_t *values = calloc(tally->distinct_count + 1u, sizeof(*values));
	uint32_t count = 0;

	if (values == NULL) {
		writer->out->failed = true;
		return;
	}
	for (uint32_t i = 0; tally->distinct != NULL && i <= tally->distinct_mask; i++)
		if (tally->distinct[i] != 0)
			values[count++] = tally->distinct[i];
	qsort(values, count, sizeof(*values), distinct_compare);
	buf_u32(writer->out, count);
	for (uint32_t i = 0; i < count; i++)
		buf_u64(writer->out, values[i]);
	free(values);
}

static void tally_write(struct writer *writer, const struct tally *tally)
{
	buf_u64(writer->out, (uint64_t)tally->first_ns);
	buf_u64(writer->out, tally->count);
	decimal_write(writer->out, tally->sum);
	buf_u8(writer->out, tally->last != NULL);
	if (tally->last != NULL)
		completion_write(writer->out, &tally->last->event);
	buf_u64(writer->out, tally->evidence_cut);
	buf_u32(writer->out, tally->evidence_count);
	for (uint32_t i = 0; i < tally->evidence_count; i++)
		part_write(writer, &tally->evidence[i]);
	buf_u32(writer->out, tally->value_count);
	for (uint32_t i = 0; i < tally->value_count; i++)
		decimal_write(writer->out, tally->values[i]);
	distinct_write(writer, tally);
	buf_u32(writer->out, tally->event_count);
	for (uint32_t i = 0; i < tally->event_count; i++)
		sighting_write(writer, tally_event(tally, i));
}

static void candidate_write(struct writer *writer, const struct candidate *candidate)
{
	buf_u32(writer->out, candidate->term);
	buf_u64(writer->out, (uint64_t)candidate->due_ns);
	completion_write(writer->out, &candidate->last->event);
	for (uint32_t i = 0; i < candidate->events->count; i++)
		sighting_write(writer, &candidate->events->list[i]);
}

static void pattern_write(struct writer *writer, const struct pattern *pattern)
{
	buf_u64(writer->out, (uint64_t)pattern->latest_ns);
	for (uint32_t i = 0; i < pattern->track_count; i++) {
		const struct track *track = &pattern->tracks[i];

		buf_u64(writer->out, (uint64_t)track->barred_ns);
		buf_u8(writer->out, track->slots != NULL);
		for (uint32_t k = 0; track->slots != NULL && k < track->slots->count; k++)
			sighting_write(writer, &track->slots->list[k]);
	}
	buf_u32(writer->out, pattern->candidate_count);
	for (uint32_t i = 0; i < pattern->candidate_count; i++)
		candidate_write(writer, &pattern->candidates[i]);
}

/* Length in front, so that what belongs to a rule that has gone can be passed over. */
static void cohort_write(struct writer *writer, const struct cohort *cohort)
{
	struct buf body = BUF(SNAPSHOT_MAX);
	struct writer inner = *writer;

	inner.out = &body;
	buf_u32(writer->out, writer->places[cohort->correlation]);
	text_write(writer->out, cohort_key(cohort));
	buf_u64(writer->out, (uint64_t)cohort->due_ns);
	if (cohort->tally != NULL)
		tally_write(&inner, cohort->tally);
	else if (cohort->pattern != NULL)
		pattern_write(&inner, cohort->pattern);
	writer->out->failed |= body.failed;
	text_write(writer->out, buf_str(&body));
	buf_free(&body);
}

void cohorts_write(struct writer *writer, const struct cohort_table *table)
{
	buf_u64(writer->out, table->evicted);
	buf_u64(writer->out, table->cut);
	buf_u32(writer->out, (uint32_t)table->count);
	for (const struct cohort *cohort = table->oldest; cohort != NULL; cohort = cohort->newer)
		cohort_write(writer, cohort);
}

/* ---- reading ---- */

static decimal power_of_ten(unsigned power)
{
	decimal value = 1;

	while (power-- > 0)
		value *= 10;
	return value;
}

/* What no reading of an event could have made is not believed, for sums must not overflow. */
static bool is_within(decimal value, unsigned power)
{
	return value < power_of_ten(power) && value > -power_of_ten(power);
}

#define COUNT_MAX (UINT64_C(1) << 36)

/* The caller clears *ret in each case. */
static bool sighting_read(struct reader *reader, struct sighting *ret)
{
	bool ok = true;
	uint8_t flags = read_u8(reader, &ok);

	*ret = (struct sighting){.used = ok && (flags & 1) != 0};
	if (!ret->used)
		return ok && flags == 0;
	read_part(reader, &ok, &ret->part);
	ret->number = read_decimal(reader, &ok);
	if (ok && (flags & 2) != 0)
		ret->parts = parts_read(reader, &ok);
	return ok && is_within(ret->number, 27);
}

static bool last_read(struct reader *reader, struct str key, struct item **ret)
{
	struct completion event = {0};
	bool ok = true;

	read_completion(reader, &ok, &event);
	if (!ok)
		return false;
	*ret = item_new(&event, key);
	reader->short_of_memory |= *ret == NULL;
	return *ret != NULL;
}

static bool evidence_read(struct reader *reader, struct tally *tally)
{
	bool ok = true;

	tally->evidence_cut = read_u64(reader, &ok);
	uint32_t count = read_u32(reader, &ok);

	for (uint32_t i = 0; ok && i < count && i < 2 * ALERT_EVENTS; i++) {
		struct part part;

		read_part(reader, &ok, &part);
		if (ok && !tally_put_evidence(tally, &part)) {
			reader->short_of_memory = true;
			return false;
		}
	}
	return ok && count <= 2 * ALERT_EVENTS;
}

static bool values_read(struct reader *reader, struct tally *tally)
{
	bool ok = true, made = true;
	uint32_t count = read_u32(reader, &ok);

	for (uint32_t i = 0; ok && made && i < count; i++) {
		decimal value = read_decimal(reader, &ok);

		ok = ok && is_within(value, 27) && i + 1 < TALLY_VALUES;
		made = ok && tally_put_value(tally, value);
	}
	count = read_u32(reader, &ok);
	for (uint32_t i = 0; ok && made && i < count; i++) {
		uint64_t value = read_u64(reader, &ok);

		ok = ok && value != 0 && i <= TALLY_VALUES;
		made = ok && tally_put_distinct(tally, value);
	}
	reader->short_of_memory |= ok && !made;
	return ok && made;
}

/* A sliding sum is added up again. */
static bool events_read(struct reader *reader, struct tally *tally)
{
	bool ok = true;
	uint32_t count = read_u32(reader, &ok);

	if (count > 0)
		tally->sum = 0;
	for (uint32_t i = 0; ok && i < count; i++) {
		struct sighting sighting = {0};

		ok = i < TALLY_VALUES && sighting_read(reader, &sighting) && sighting.used;
		if (ok && !tally_put_event(tally, &sighting)) {
			reader->short_of_memory = true;
			ok = false;
		}
		sighting_clear(&sighting);
	}
	return ok;
}

static bool tally_read(struct reader *reader, struct cohort *cohort,
    const struct correlation *correlation)
{
	bool ok = true, closes = correlation->course == COURSE_CLOSE;
	struct tally *tally = cohort->tally = tally_new(0);

	if (tally == NULL) {
		reader->short_of_memory = true;
		return false;
	}
	tally->first_ns = (int64_t)read_u64(reader, &ok);
	tally->count = read_u64(reader, &ok);
	tally->sum = read_decimal(reader, &ok);
	bool has_last = read_u8(reader, &ok) != 0;

	ok = ok && has_last == closes && tally->count > 0 && tally->count <= COUNT_MAX &&
	    is_within(tally->sum, 37);
	if (ok && has_last)
		ok = last_read(reader, cohort_key(cohort), &tally->last);
	ok = ok && evidence_read(reader, tally) && values_read(reader, tally) &&
	    events_read(reader, tally);
	return ok && (tally->event_count > 0) != closes &&
	    (tally->value_count > 0) == correlate_type(correlation->type)->keeps_values;
}

static bool list_read(struct reader *reader, struct sightings *sightings)
{
	bool ok = true;

	for (uint32_t i = 0; ok && i < sightings->count; i++) {
		struct sighting sighting = {0};

		ok = sighting_read(reader, &sighting);
		if (ok && sighting.used)
			sighting_set(&sightings->list[i], &sighting);
		sighting_clear(&sighting);
	}
	return ok;
}

static bool candidate_read(struct reader *reader, struct cohort *cohort,
    const struct correlation *correlation)
{
	struct pattern *pattern = cohort->pattern;
	bool ok = true;
	uint32_t term = read_u32(reader, &ok);
	int64_t due_ns = (int64_t)read_u64(reader, &ok);
	struct item *last = NULL;

	if (!ok || term >= pattern->track_count || (pattern->candidate_count > 0 &&
	    pattern->candidates[pattern->candidate_count - 1].due_ns > due_ns) ||
	    !last_read(reader, cohort_key(cohort), &last))
		return false;
	struct candidate *candidate = pattern_add(pattern, correlation, term);

	if (candidate == NULL) {
		free(last);
		reader->short_of_memory = true;
		return false;
	}
	candidate->due_ns = due_ns;
	candidate->last = last;
	return list_read(reader, candidate->events);
}

static bool track_read(struct reader *reader, struct track *track, uint32_t slots)
{
	bool ok = true;

	track->barred_ns = (int64_t)read_u64(reader, &ok);
	if (read_u8(reader, &ok) == 0 || !ok)
		return ok;
	track->slots = sightings_new(slots);
	reader->short_of_memory |= track->slots == NULL;
	return track->slots != NULL && list_read(reader, track->slots);
}

static bool pattern_read(struct reader *reader, struct cohort *cohort,
    const struct correlation *correlation)
{
	struct pattern *pattern = cohort->pattern = pattern_new(correlation);
	bool ok = true;

	if (pattern == NULL) {
		reader->short_of_memory = true;
		return false;
	}
	pattern->latest_ns = (int64_t)read_u64(reader, &ok);
	for (uint32_t i = 0; ok && i < pattern->track_count; i++)
		ok = track_read(reader, &pattern->tracks[i], pattern_slots(correlation, i));
	uint32_t count = read_u32(reader, &ok);

	ok = ok && count <= PATTERN_CANDIDATES;
	for (uint32_t i = 0; ok && i < count; i++)
		ok = candidate_read(reader, cohort, correlation);
	return ok;
}

static bool body_read(struct reader *reader, struct cohort_table *table, struct cohort *cohort,
    struct str body)
{
	const struct rule *rule =
	    ruleset_rule(reader->correlate->options.ruleset, cohort->correlation);
	struct reader inner = *reader;
	bool ok;

	inner.rest = body;
	if (rule->correlation->course == COURSE_PATTERN) {
		ok = pattern_read(&inner, cohort, rule->correlation);
		cohort_weigh(table, cohort, pattern_bytes(cohort->pattern, rule->correlation));
	} else {
		ok = rule->correlation->course != COURSE_ARRIVAL &&
		    tally_read(&inner, cohort, rule->correlation);
		if (cohort->tally != NULL)
			cohort_weigh(table, cohort, tally_bytes(cohort->tally));
	}
	reader->short_of_memory |= inner.short_of_memory;
	return ok && inner.rest.len == 0;
}

static bool cohort_read(struct reader *reader, struct cohort_table *table)
{
	const struct ruleset *ruleset = reader->correlate->options.ruleset;
	bool ok = true;
	uint32_t index = read_rule(reader, &ok);
	struct str key = read_text(reader, &ok);
	int64_t due_ns = (int64_t)read_u64(reader, &ok);
	struct str body = read_text(reader, &ok);

	if (!ok)
		return false;
	if (index == RULE_GONE || ruleset_rule(ruleset, index)->kind != RULE_CORRELATION) {
		reader->dropped++;
		return true;
	}
	struct cohort *cohort = cohort_get(
	    table, index, ruleset_rule(ruleset, index)->correlation->depth, key);

	if (cohort == NULL) {
		reader->short_of_memory = true;
		return false;
	}
	if (cohort->tally != NULL || cohort->pattern != NULL)
		return false; /* twice */
	cohort_set_due(table, cohort, due_ns);
	return body_read(reader, table, cohort, body);
}

bool cohorts_read(struct reader *reader, struct cohort_table *table)
{
	bool ok = true;
	uint64_t evicted = read_u64(reader, &ok);

	table->cut = read_u64(reader, &ok);
	uint32_t count = read_u32(reader, &ok);

	for (uint32_t i = 0; ok && i < count; i++)
		ok = cohort_read(reader, table);
	table->evicted += evicted;
	return ok;
}
