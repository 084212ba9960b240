/*
 * evidence.h - which events made a window complete.
 */
#ifndef TOCSIN_CORRELATOR_EVIDENCE_H
#define TOCSIN_CORRELATOR_EVIDENCE_H

#include "base/arena.h"
#include "correlator/window.h"

/*
 * The events of all marks, those of inner correlations in their place: distinct, by (time,
 * coordinate), the newest ALERT_EVENTS of them. One reference; NULL without memory.
 */
struct parts *evidence_collect(const struct window *window, struct arena *arena);
/* The same of a list, which is reordered. */
struct parts *evidence_of(struct part *list, size_t count, uint64_t cut);
/* Leaves as much of the list as evidence names, in order, and counts the rest to *cut. */
size_t evidence_cut(struct part *list, size_t count, uint64_t *cut);

#endif
