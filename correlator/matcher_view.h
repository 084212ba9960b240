/*
 * matcher_view.h - inside the matcher: one record seen by slots, predicates evaluated at most once.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_VIEW_H
#define TOCSIN_CORRELATOR_MATCHER_VIEW_H

#include "sigma/program.h"

#define VIEW_NONE UINT32_MAX

/* A field of the record; values of one slot are chained in order. */
struct view_value {
	struct subject subject; /* folded when ready */
	uint32_t slot;
	uint32_t next;
	bool ready;
	bool ascii; /* when ready: the raw value has only ASCII */
};

/* The values of a slot, where the stamp is the view's. */
struct view_slot {
	uint32_t stamp, first, last;
};

/* What every predicate is evaluated against. Made once a thread, begun for each record. */
struct view {
	const struct program *program;
	struct arena *arena; /* of one event: folded values */
	char *room;          /* for the first of these */
	size_t room_used;
	struct regex_scratch *regex;
	const struct record *record;
	struct view_value raw;
	struct view_value *values;
	size_t value_count, value_capacity;
	struct view_slot *slots;
	uint32_t *memo;           /* by predicate: stamp << 1 | truth */
	uint32_t stamp;           /* 31 bits, never 0 */
	uint64_t evaluated;
	uint64_t work;            /* of this event: 32 bytes of text under one test each */
	uint64_t short_of_memory; /* values that could not be folded */
};

bool view_new(struct view *view, const struct program *program);
void view_free(struct view *view);
void view_begin(struct view *view, const struct record *record);
/* The first value of a slot, or VIEW_NONE. */
static inline uint32_t view_first(const struct view *view, uint32_t slot)
{
	const struct view_slot *is = &view->slots[slot];

	return is->stamp == view->stamp ? is->first : VIEW_NONE;
}
void view_fold(struct view *view, struct view_value *value);
/* Folds on first use. */
static inline const struct subject *view_subject(struct view *view, struct view_value *value)
{
	if (!value->ready)
		view_fold(view, value);
	return &value->subject;
}
/* It lies in the raw line. */
static inline bool view_is_piece(const struct view *view, const struct view_value *value)
{
	struct str raw = view->raw.subject.raw, text = value->subject.raw;
	uintptr_t from = (uintptr_t)text.ptr - (uintptr_t)raw.ptr;

	return from <= raw.len && text.len <= raw.len - from;
}
/* Memoised. */
bool view_test(struct view *view, uint32_t predicate);
bool view_evaluate(struct view *view, const struct expression *expression);
/* It has been evaluated for this event, or noted. */
static inline bool view_is_known(const struct view *view, uint32_t predicate)
{
	return view->memo[predicate] >> 1 == view->stamp;
}
/* It is known that it holds. */
static inline bool view_is_noted(const struct view *view, uint32_t predicate)
{
	return view->memo[predicate] == (view->stamp << 1 | 1);
}
/* The index has seen that it holds. */
static inline void view_note(struct view *view, uint32_t predicate)
{
	view->memo[predicate] = view->stamp << 1 | 1;
}
/* Which value makes it hold: VIEW_NONE when none does, or none is needed. */
uint32_t view_witness(struct view *view, const struct predicate *predicate);

#endif
