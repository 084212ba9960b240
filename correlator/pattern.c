#include "correlator/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "correlator/correlate_state.h"

/* What a step is in a term. */
struct role {
	bool present, absent;
	uint32_t place;  /* present: which of the events; absent: how many are listed before it */
	uint32_t events; /* of the term */
	bool ordered;
};

static struct role role_of(const struct correlation *correlation, uint32_t term, uint32_t step)
{
	const struct correlation_term *one = &correlation->terms[term];
	uint64_t bit = UINT64_C(1) << step;

	return (struct role){.present = (one->present & bit) != 0,
	    .absent = (one->absent & bit) != 0,
	    .place = (uint32_t)__builtin_popcountll(one->present & (bit - 1)),
	    .events = pattern_events(correlation, term),
	    .ordered = correlation->type == CORRELATION_TEMPORAL_ORDERED};
}

uint32_t pattern_events(const struct correlation *correlation, uint32_t term)
{
	return (uint32_t)__builtin_popcountll(correlation->terms[term].present);
}

/*
 * In any order: the last event of each rule. In order: for each k the k events that begin latest,
 * from k * (k - 1) / 2 on; what begins latest can be completed for longest.
 */
uint32_t pattern_slots(const struct correlation *correlation, uint32_t term)
{
	uint32_t count = pattern_events(correlation, term);

	return correlation->type == CORRELATION_TEMPORAL_ORDERED ? count * (count + 1) / 2 : count;
}

static uint32_t chain_at(uint32_t place)
{
	return place * (place + 1) / 2;
}

/* ---- birth and death ---- */

struct pattern *pattern_new(const struct correlation *correlation)
{
	struct pattern *pattern = calloc(1, sizeof(*pattern));

	if (pattern == NULL)
		return NULL;
	pattern->latest_ns = INT64_MIN;
	pattern->track_count = (uint32_t)correlation->term_count;
	pattern->tracks = calloc(pattern->track_count, sizeof(*pattern->tracks));
	if (pattern->tracks == NULL) {
		free(pattern);
		return NULL;
	}
	for (uint32_t i = 0; i < pattern->track_count; i++)
		pattern->tracks[i].barred_ns = INT64_MIN;
	return pattern;
}

static void candidate_end(struct candidate *candidate)
{
	sightings_free(candidate->events);
	free(candidate->last);
}

void pattern_free(struct pattern *pattern)
{
	if (pattern == NULL)
		return;
	for (uint32_t i = 0; i < pattern->track_count; i++)
		sightings_free(pattern->tracks[i].slots);
	for (uint32_t i = 0; i < pattern->candidate_count; i++)
		candidate_end(&pattern->candidates[i]);
	free(pattern->tracks);
	free(pattern->candidate_room);
	free(pattern);
}

size_t pattern_bytes(const struct pattern *pattern, const struct correlation *correlation)
{
	size_t bytes = sizeof(*pattern) + pattern->track_count * sizeof(*pattern->tracks) +
	    pattern->candidate_capacity * sizeof(*pattern->candidates);

	for (uint32_t i = 0; i < pattern->track_count; i++)
		if (pattern->tracks[i].slots != NULL)
			bytes += pattern->tracks[i].slots->count * sizeof(struct sighting);
	if (pattern->candidate_count > 0) /* all alternatives are about as long */
		bytes += pattern->candidate_count * (sizeof(struct item) +
		    pattern_events(correlation, pattern->candidates[0].term) *
		    sizeof(struct sighting));
	return bytes;
}

static bool track_reserve(struct track *track, uint32_t slots)
{
	if (track->slots == NULL)
		track->slots = sightings_new(slots);
	return track->slots != NULL;
}

/* ---- candidates ---- */

static void candidate_drop(struct pattern *pattern, uint32_t index)
{
	struct candidate *at = &pattern->candidates[index];

	candidate_end(at);
	pattern->candidate_count--;
	if (index == 0) /* as nearly always */
		pattern->candidates++;
	else
		memmove(at, at + 1, (pattern->candidate_count - index) * sizeof(*at));
}

static void candidates_drop_term(struct pattern *pattern, uint32_t term)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < pattern->candidate_count; i++) {
		if (pattern->candidates[i].term == term)
			candidate_end(&pattern->candidates[i]);
		else
			pattern->candidates[kept++] = pattern->candidates[i];
	}
	pattern->candidate_count = kept;
}

static bool candidates_reserve(struct pattern *pattern)
{
	uint32_t first = (uint32_t)(pattern->candidates - pattern->candidate_room);
	uint32_t capacity = pattern->candidate_capacity * 2 + 2;

	if (first + pattern->candidate_count < pattern->candidate_capacity)
		return true;
	if (first > pattern->candidate_capacity / 2) {
		memmove(pattern->candidate_room, pattern->candidates,
		    pattern->candidate_count * sizeof(*pattern->candidates));
		pattern->candidates = pattern->candidate_room;
		return true;
	}
	struct candidate *grown =
	    realloc(pattern->candidate_room, capacity * sizeof(*pattern->candidates));

	if (grown == NULL)
		return false;
	pattern->candidate_room = grown;
	pattern->candidates = grown + first;
	pattern->candidate_capacity = capacity;
	return true;
}

struct candidate *pattern_add(struct pattern *pattern, const struct correlation *correlation,
    uint32_t term)
{
	struct sightings *events = candidates_reserve(pattern)
	    ? sightings_new(pattern_events(correlation, term)) : NULL;

	if (events == NULL)
		return NULL;
	struct candidate *candidate = &pattern->candidates[pattern->candidate_count++];

	*candidate = (struct candidate){.term = term, .events = events};
	return candidate;
}

/* ---- an event takes part in one alert ---- */

static bool shares(const struct sighting *list, uint32_t count, const struct sightings *events)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < events->count; j++)
			if (sighting_eq(&list[i], &events->list[j]))
				return true;
	return false;
}

/* In order, a chain goes as a whole; else each slot stands for itself. */
static void track_forget(struct track *track, bool ordered, const struct sightings *events)
{
	uint32_t count = track->slots != NULL ? track->slots->count : 0, length = 1;

	for (uint32_t at = 0; at < count; at += length, length += at > 0 && ordered) {
		struct sighting *list = &track->slots->list[at];

		if (!shares(list, length, events))
			continue;
		for (uint32_t i = 0; i < length; i++)
			sighting_clear(&list[i]);
	}
}

static void pattern_forget(struct pattern *pattern, bool ordered, const struct sightings *events)
{
	for (uint32_t i = 0; i < pattern->track_count; i++)
		track_forget(&pattern->tracks[i], ordered, events);
	/* Candidates of one alternative share no event (is_waiting). */
	for (uint32_t i = pattern->candidate_count; pattern->track_count > 1 && i-- > 0;) {
		const struct sightings *others = pattern->candidates[i].events;

		if (shares(others->list, others->count, events))
			candidate_drop(pattern, i);
	}
}

/* ---- feeding ---- */

/* What must not be there came. */
static void term_bar(struct pattern *pattern, const struct role *role, uint32_t term,
    int64_t time_ns)
{
	struct track *track = &pattern->tracks[term];

	if (!role->ordered || role->place == 0)
		track->barred_ns = time_ns > track->barred_ns ? time_ns : track->barred_ns;
	if (!role->ordered || role->place == role->events)
		candidates_drop_term(pattern, term);
	else if (role->place > 0 && track->slots != NULL)
		for (uint32_t i = 0; i < role->place; i++)
			sighting_clear(&track->slots->list[chain_at(role->place - 1) + i]);
}

/* The chain up to this place := the one before it and the event, unless it begins later already. */
static bool chain_extend(struct track *track, const struct role *role,
    const struct sighting *sighting, int64_t timespan_ns)
{
	uint32_t place = role->place;
	struct sighting *list = track->slots->list + chain_at(place);
	struct sighting *before = place > 0 ? track->slots->list + chain_at(place - 1) : NULL;
	const struct sighting *start = before != NULL ? before : sighting;

	if (before != NULL && (!before->used ||
	    (!sighting->is_end && sighting_compare(&before[place - 1], sighting) >= 0) ||
	    watermark_minus(sighting->part.time_ns, before->part.time_ns) > timespan_ns))
		return false;
	if (list->used && sighting_compare(list, start) > 0)
		return true;
	for (uint32_t i = 0; i < place; i++)
		sighting_set(&list[i], &before[i]);
	sighting_set(&list[place], sighting);
	return true;
}

static bool slot_fill(struct track *track, const struct sighting *sighting, uint32_t place,
    int64_t timespan_ns)
{
	struct sighting *slot = &track->slots->list[place];
	int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;

	if (slot->used && sighting_compare(slot, sighting) >= 0)
		return false; /* came late; the newer one says more */
	sighting_set(slot, sighting);
	for (uint32_t i = 0; i < track->slots->count; i++) {
		int64_t time_ns = track->slots->list[i].part.time_ns;

		if (!track->slots->list[i].used)
			return false;
		first_ns = time_ns < first_ns ? time_ns : first_ns;
		last_ns = time_ns > last_ns ? time_ns : last_ns;
	}
	return watermark_minus(last_ns, first_ns) <= timespan_ns;
}

/* Whether the event makes the term whole; *ret: the slots that hold it. */
static bool term_meets(struct track *track, const struct correlation *correlation,
    const struct role *role, const struct sighting *sighting, const struct sighting **ret)
{
	int64_t span_ns = correlation->timespan_ns;

	*ret = track->slots->list;
	if (!role->ordered) {
		if (!slot_fill(track, sighting, role->place, span_ns))
			return false;
	} else {
		if (!chain_extend(track, role, sighting, span_ns) ||
		    role->place + 1 < role->events)
			return false;
		*ret += chain_at(role->place);
	}
	return track->barred_ns == INT64_MIN ||
	    track->barred_ns < watermark_minus(sighting->part.time_ns, span_ns);
}

/* Whether something may still come that undoes it. */
static bool term_waits(const struct correlation *correlation, uint32_t term)
{
	const struct correlation_term *one = &correlation->terms[term];

	if (correlation->type != CORRELATION_TEMPORAL_ORDERED)
		return one->absent != 0;
	return one->absent > one->present; /* its highest bit lies above */
}

/* The last one to its place: behind those that are due before it, or at the same time. */
static void candidates_sort(struct pattern *pattern)
{
	struct candidate *list = pattern->candidates;

	for (uint32_t i = pattern->candidate_count - 1;
	     i > 0 && list[i - 1].due_ns > list[i].due_ns; i--) {
		struct candidate one = list[i];

		list[i] = list[i - 1];
		list[i - 1] = one;
	}
}

static enum pattern_result candidate_put(struct pattern *pattern,
    const struct correlation *correlation, uint32_t term, const struct item *item,
    const struct sightings *events)
{
	struct item *last = item_new(&item->event, item->key);
	int64_t first_ns = INT64_MAX;

	if (last == NULL)
		return PATTERN_MEMORY;
	if (pattern->candidate_count == PATTERN_CANDIDATES) {
		free(last);
		return PATTERN_CUT;
	}
	struct candidate *candidate = pattern_add(pattern, correlation, term);

	if (candidate == NULL) {
		free(last);
		return PATTERN_MEMORY;
	}
	for (uint32_t i = 0; i < events->count; i++) {
		sighting_set(&candidate->events->list[i], &events->list[i]);
		if (events->list[i].part.time_ns < first_ns)
			first_ns = events->list[i].part.time_ns;
	}
	candidate->last = last;
	candidate->due_ns = watermark_plus(first_ns, correlation->timespan_ns);
	candidates_sort(pattern);
	return PATTERN_WAIT;
}

/* One of the events waits already: its candidate was met first, and what undoes it undoes both. */
static bool is_waiting(const struct pattern *pattern, uint32_t term, const struct sightings *events)
{
	for (uint32_t i = pattern->candidate_count; events->count > 1 && i-- > 0;)
		if (pattern->candidates[i].term == term &&
		    shares(events->list, events->count, pattern->candidates[i].events))
			return true;
	return false;
}

/* The events stay in their places until an alert takes them: a candidate may be undone. */
static enum pattern_result term_complete(struct pattern *pattern,
    const struct correlation *correlation, uint32_t term, const struct item *item,
    const struct sighting *list, struct parts **ret_parts)
{
	bool ordered = correlation->type == CORRELATION_TEMPORAL_ORDERED;
	struct sightings *events = sightings_new(pattern_events(correlation, term));
	enum pattern_result result = PATTERN_FIRE;

	if (events == NULL)
		return PATTERN_MEMORY;
	for (uint32_t i = 0; i < events->count; i++)
		sighting_set(&events->list[i], &list[i]);
	if (term_waits(correlation, term)) {
		result = is_waiting(pattern, term, events) ? PATTERN_WAIT
		    : candidate_put(pattern, correlation, term, item, events);
	} else {
		*ret_parts = sightings_collect(events->list, events->count);
		result = *ret_parts != NULL ? PATTERN_FIRE : PATTERN_MEMORY;
		pattern_forget(pattern, ordered, events);
	}
	sightings_free(events);
	return result;
}

static enum pattern_result term_feed(struct pattern *pattern,
    const struct correlation *correlation, uint32_t term, const struct item *item,
    const struct sighting *sighting, uint32_t step, struct parts **ret_parts)
{
	struct role role = role_of(correlation, term, step);
	struct track *track = &pattern->tracks[term];
	const struct sighting *list;

	if (role.absent)
		term_bar(pattern, &role, term, sighting->part.time_ns);
	if (!role.present)
		return PATTERN_WAIT;
	if (!track_reserve(track, pattern_slots(correlation, term)))
		return PATTERN_MEMORY;
	if (!term_meets(track, correlation, &role, sighting, &list))
		return PATTERN_WAIT;
	return term_complete(pattern, correlation, term, item, list, ret_parts);
}

enum pattern_result pattern_feed(struct pattern *pattern, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting, uint32_t step,
    struct parts **ret_parts)
{
	enum pattern_result result = PATTERN_WAIT;

	if (sighting->part.time_ns > pattern->latest_ns)
		pattern->latest_ns = sighting->part.time_ns;
	for (uint32_t term = 0; term < pattern->track_count; term++) {
		enum pattern_result one = term_feed(
		    pattern, correlation, term, item, sighting, step, ret_parts);

		if (one == PATTERN_FIRE || one == PATTERN_MEMORY)
			return one;
		result = one == PATTERN_CUT ? one : result;
	}
	return result;
}

/* ---- at the end ---- */

int64_t pattern_due(const struct pattern *pattern, const struct correlation *correlation)
{
	int64_t due_ns = watermark_plus(pattern->latest_ns, correlation->timespan_ns);

	return pattern->candidate_count > 0 && pattern->candidates[0].due_ns < due_ns
	    ? pattern->candidates[0].due_ns : due_ns;
}

enum pattern_result pattern_take(struct pattern *pattern, const struct correlation *correlation,
    int64_t now_ns, struct parts **ret_parts, struct item **ret_last)
{
	struct candidate *candidate = pattern->candidates;

	if (pattern->candidate_count == 0 || candidate->due_ns > now_ns)
		return PATTERN_WAIT;
	struct sightings *events = candidate->events;

	*ret_parts = sightings_collect(events->list, events->count);
	*ret_last = candidate->last;
	candidate->events = sightings_new(0);
	candidate->last = NULL;
	if (*ret_parts == NULL || candidate->events == NULL) {
		sightings_free(events);
		parts_release(*ret_parts);
		free(*ret_last);
		return PATTERN_MEMORY;
	}
	candidate_drop(pattern, 0);
	pattern_forget(pattern, correlation->type == CORRELATION_TEMPORAL_ORDERED, events);
	sightings_free(events);
	return PATTERN_FIRE;
}
