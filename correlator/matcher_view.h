/*
 * matcher_view.h - inside the matcher: one record seen by slots, predicates evaluated at most once.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_VIEW_H
#define TOCSIN_CORRELATOR_MATCHER_VIEW_H

#include "correlator/matcher_shape.h"

#define VIEW_NONE ((uint32_t)SHAPE_NONE)

/* A field of the record. */
struct view_value {
	uint32_t stamp; /* the view's: what follows is of this record */
	bool ascii;     /* the raw value has only ASCII */
	struct subject subject;
	uint64_t unused[2]; /* a power of two in all */
};

/*
 * The raw line, and behind it runs of values that are not in it: a decoder has taken their escapes
 * out and has put them one behind the other. Each is folded as one text, once, and a value of ASCII
 * is then a slice of that.
 */
struct view_piece {
	struct str raw;
	char *lower; /* once tried: with ASCII letters folded, FOLD_PADDING behind; or NULL */
	bool tried;
	bool ascii;
	bool apart; /* nothing is looked for in all of it: its values are folded one by one */
};

#define VIEW_PIECES   8u
#define VIEW_NO_PIECE VIEW_PIECES

/* What every predicate is evaluated against. Made once a thread, begun for each record. */
struct view {
	const struct program *program;
	struct arena *arena; /* of one event: folded values */
	char *room;          /* for the first of these */
	size_t room_used;
	struct regex_scratch *regex;
	const struct record *record;
	struct view_value raw;
	struct view_piece pieces[VIEW_PIECES]; /* the first is the raw line */
	size_t piece_count;
	struct view_value *values;
	size_t value_count, value_capacity;
	struct shapes *shapes;
	struct shape *shape; /* of the record */
	uint32_t *memo;           /* by predicate: stamp << 1 | truth */
	uint32_t stamp;           /* 31 bits, never 0 */
	uint64_t evaluated;
	uint64_t work;            /* of this event: 32 bytes of text under one test each */
	uint64_t short_of_memory; /* values that could not be folded */
};

bool view_new(struct view *view, const struct program *program);
void view_free(struct view *view);
void view_begin(struct view *view, const struct record *record);
static inline bool view_is_within(struct str text, struct str whole)
{
	uintptr_t from = (uintptr_t)text.ptr - (uintptr_t)whole.ptr;

	return from <= whole.len && text.len <= whole.len - from;
}
/* The first value of a slot, or VIEW_NONE. */
static inline uint32_t view_first(const struct view *view, uint32_t slot)
{
	return view->shape->first[slot];
}
/* The next one of the same slot, or VIEW_NONE. */
static inline uint32_t view_next(const struct view *view, uint32_t value)
{
	return view->shape->next[value];
}
/* What a value is, null or not; before it is ready too. */
static inline enum field_kind view_kind(const struct view *view, uint32_t value)
{
	return view->record->fields[value].kind;
}
void view_ready(struct view *view, struct view_value *value);
/* Folds on first use. */
static inline const struct subject *view_subject(struct view *view, struct view_value *value)
{
	if (value->stamp != view->stamp)
		view_ready(view, value);
	return &value->subject;
}
/* Folded on first use; lower is NULL without memory. */
const struct view_piece *view_piece(struct view *view, size_t piece);
static inline void view_piece_apart(struct view *view, size_t piece)
{
	view->pieces[piece].apart = true;
}
/* In which piece a text lies, or VIEW_NO_PIECE; 0: in the raw line. */
static inline size_t view_piece_of(const struct view *view, struct str text)
{
	for (size_t i = 0; i < view->piece_count; i++) {
		if (view_is_within(text, view->pieces[i].raw))
			return i;
	}
	return VIEW_NO_PIECE;
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
