/*
 * The courses that go by time: closing windows, sliding sums, patterns. Whatever a group decides,
 * it is put in order or removed before its alert is made, for an alert may feed outer correlations,
 * whose groups may take its place.
 */
#include <stdlib.h>

#include "correlator/correlate_state.h"
#include "correlator/correlate_type.h"
#include "correlator/pattern.h"
#include "correlator/tally.h"

static const struct rule *rule_of(const struct run *run, uint32_t index)
{
	return ruleset_rule(run->correlate->options.ruleset, index);
}

static struct cohort_table *table_of(const struct run *run)
{
	return run->settled ? &run->correlate->settled_cohorts : &run->correlate->early_cohorts;
}

/* Takes parts over. last: the completing event and the key; at_ns: when that was decided. */
static int cohort_fire(struct run *run, uint32_t correlation, const struct item *last,
    int64_t at_ns, struct parts *parts, const decimal *measured)
{
	struct item item = {.event = last->event, .key = last->key, .correlation = correlation};

	if (parts == NULL)
		return ERR_MEMORY;
	int code = run_complete(run, &item, at_ns, parts, measured);

	parts_release(parts);
	return code;
}

/* ---- windows ---- */

static int tally_end(struct run *run, struct cohort *cohort, int64_t at_ns)
{
	uint32_t index = cohort->correlation;
	struct tally *tally = cohort->tally;
	decimal measured = 0;
	int code = 0;

	cohort->tally = NULL;
	cohort_remove(table_of(run), cohort);
	if (tally->last != NULL && tally_holds(tally, rule_of(run, index)->correlation, &measured))
		code = cohort_fire(
		    run, index, tally->last, at_ns, tally_collect(tally), &measured);
	tally_free(tally);
	return code;
}

static int close_step(struct run *run, struct cohort *cohort, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting)
{
	int64_t time_ns = item->event.time_ns;

	if (cohort->tally == NULL) {
		cohort->tally = tally_new(time_ns);
		cohort_set_due(table_of(run), cohort,
		    watermark_plus(time_ns, correlation->timespan_ns));
	}
	if (cohort->tally == NULL)
		return ERR_MEMORY;
	enum tally_result result = tally_add(cohort->tally, correlation, item, sighting);

	if (result == TALLY_MEMORY)
		return ERR_MEMORY;
	if (result == TALLY_FULL)
		return tally_end(run, cohort, time_ns);
	cohort_weigh(table_of(run), cohort, tally_bytes(cohort->tally));
	return 0;
}

static int sum_step(struct run *run, struct cohort *cohort, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting)
{
	struct cohort_table *table = table_of(run);
	bool cut = false;
	decimal measured;

	if (cohort->tally == NULL)
		cohort->tally = tally_new(item->event.time_ns);
	if (cohort->tally == NULL ||
	    !tally_slide(cohort->tally, correlation, item, sighting, &cut))
		return ERR_MEMORY;
	table->cut += cut;
	if (tally_holds(cohort->tally, correlation, &measured)) {
		struct parts *parts = tally_collect(cohort->tally);

		cohort_remove(table, cohort);
		return cohort_fire(run, item->correlation, item, item->event.time_ns, parts,
		    &measured);
	}
	cohort_set_due(
	    table, cohort, watermark_plus(item->event.time_ns, correlation->timespan_ns));
	cohort_weigh(table, cohort, tally_bytes(cohort->tally));
	return 0;
}

/* ---- patterns ---- */

/* At the due time the last event is too old for anything that may still come. */
static void pattern_settle(struct run *run, struct cohort *cohort,
    const struct correlation *correlation)
{
	struct cohort_table *table = table_of(run);

	cohort_set_due(table, cohort, pattern_due(cohort->pattern, correlation));
	cohort_weigh(table, cohort, pattern_bytes(cohort->pattern, correlation));
}

static int pattern_step(struct run *run, struct cohort *cohort,
    const struct correlation *correlation, const struct item *item,
    const struct sighting *sighting, uint32_t step)
{
	struct parts *parts = NULL;

	if (cohort->pattern == NULL)
		cohort->pattern = pattern_new(correlation);
	if (cohort->pattern == NULL)
		return ERR_MEMORY;
	enum pattern_result result =
	    pattern_feed(cohort->pattern, correlation, item, sighting, step, &parts);

	if (result == PATTERN_MEMORY)
		return ERR_MEMORY;
	table_of(run)->cut += result == PATTERN_CUT;
	pattern_settle(run, cohort, correlation);
	if (result != PATTERN_FIRE)
		return 0;
	run_took(run, item);
	return cohort_fire(run, item->correlation, item, item->event.time_ns, parts, NULL);
}

static int pattern_end(struct run *run, struct cohort *cohort, int64_t now_ns)
{
	uint32_t index = cohort->correlation;
	const struct correlation *correlation = rule_of(run, index)->correlation;
	struct pattern *pattern = cohort->pattern;
	struct parts *parts = NULL;
	struct item *last = NULL;
	enum pattern_result result =
	    pattern_take(pattern, correlation, now_ns, &parts, &last);

	if (result == PATTERN_MEMORY)
		return ERR_MEMORY;
	if (pattern->candidate_count == 0 &&
	    watermark_plus(pattern->latest_ns, correlation->timespan_ns) <= now_ns)
		cohort_remove(table_of(run), cohort);
	else
		pattern_settle(run, cohort, correlation);
	if (result != PATTERN_FIRE)
		return 0;
	int code = cohort_fire(run, index, last, now_ns, parts, NULL);

	free(last);
	return code;
}

/* ---- both ---- */

int cohort_step(struct run *run, const struct item *item, uint32_t step, struct parts *parts)
{
	const struct rule *rule = rule_of(run, item->correlation);
	const struct correlation *correlation = rule->correlation;
	struct sighting sighting = {.part = {item->event.time_ns, item->event.at,
	    item->event.position, item->rule}, .parts = parts, .number = item->number,
	    .used = true, .is_end = item->is_end};

	if (!run->settled && (correlation->course != COURSE_PATTERN || correlation->waits))
		return 0; /* what comes later may undo it */
	struct cohort *cohort =
	    cohort_get(table_of(run), rule->index, correlation->depth, item->key);

	if (cohort == NULL)
		return ERR_MEMORY;
	switch (correlation->course) {
	case COURSE_CLOSE:
		return close_step(run, cohort, correlation, item, &sighting);
	case COURSE_SUM:
		return sum_step(run, cohort, correlation, item, &sighting);
	case COURSE_PATTERN:
		return pattern_step(run, cohort, correlation, item, &sighting, step);
	case COURSE_ARRIVAL:
		break;
	}
	return 0;
}

int cohort_end(struct run *run, struct cohort *cohort)
{
	enum correlation_course course = rule_of(run, cohort->correlation)->correlation->course;

	if (course == COURSE_CLOSE && cohort->tally != NULL)
		return tally_end(run, cohort, cohort->due_ns);
	if (course == COURSE_PATTERN && cohort->pattern != NULL)
		return pattern_end(run, cohort, cohort->due_ns);
	cohort_remove(table_of(run), cohort);
	return 0;
}
