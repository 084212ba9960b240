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

#endif
