/*
 * matcher_study.h - inside the matcher: how often a predicate holds for the events of a class.
 *
 * Some events are looked at whole: every four bytes of each value, its ends and the value itself
 * are counted in a table of fixed size, by a hash. The count of a text's rarest four bytes is at
 * least how often the text was there. Before any event has been seen, and beside few, what is known
 * of ordinary events in general stands in. Estimates choose what is looked for, never what matches,
 * so a stranger who floods a text costs time, a bounded amount, until the next choice.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_STUDY_H
#define TOCSIN_CORRELATOR_MATCHER_STUDY_H

#include "correlator/matcher_general.h"
#include "correlator/matcher_view.h"

struct study;

/* What is generally known must outlive it. NULL without memory. */
struct study *study_new(const struct general *general);
void study_free(struct study *study); /* accepts NULL */
/* Looks at the event that the view stands at, as far as some rule asks for it. */
void study_take(struct study *study, struct view *view);
/* What was seen counts half from now on: newer events weigh more. */
void study_fade(struct study *study);

size_t study_bytes(void);

/* The share of events for which it holds, 0..1. */
float study_odds(const struct study *study, uint32_t predicate);
/* The share of events that have the field. */
float study_presence(const struct study *study, uint32_t slot);
/*
 * Where windows of a text, so many in a row, of so many bytes in all, are rarest together. A text
 * that is not longer, or has less than four bytes, has them at its beginning.
 */
size_t study_rarest(const struct study *study, uint32_t slot, struct str text, size_t windows,
    size_t bytes);

/* See general_pairs. */
const uint8_t *study_pairs(const struct study *study);

#endif
