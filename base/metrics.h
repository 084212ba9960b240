/*
 * metrics.h - what a process counts about itself; each metric a row of metrics.def.
 *
 * Values belong to the process and begin at 0. Every function may be called from any thread. The
 * text is Prometheus' exposition format, version 0.0.4.
 */
#ifndef TOCSIN_BASE_METRICS_H
#define TOCSIN_BASE_METRICS_H

#include "base/buf.h"
#include "base/text.h"

enum metric {
#define METRIC(symbol, name, kind, english, vietnamese)           METRIC_##symbol,
#define METRIC_BY(symbol, name, kind, label, english, vietnamese) METRIC_##symbol,
#include "base/metrics.def"
#undef METRIC_BY
#undef METRIC
	METRIC_COUNT
};

/* Label values that a process tells apart, over all metrics; the others are counted as "other". */
#define METRICS_LABELS 256

void metrics_add(enum metric metric, uint64_t n);
/* For gauges. */
void metrics_set(enum metric metric, uint64_t value);
/* For a METRIC_BY: counts for one value of its label, at most 47 bytes, a word of ours. */
void metrics_add_by(enum metric metric, struct str label, uint64_t n);
/* The value; of a METRIC_BY the sum over its label. */
uint64_t metrics_get(enum metric metric);
uint64_t metrics_get_by(enum metric metric, struct str label);
/* All to 0 and no labels, for tests and replays. */
void metrics_reset(void);
/* Takes the resident memory of this process from /proc into METRIC_RESIDENT_BYTES. */
void metrics_measure(void);

/*
 * Appends every metric of this process, each with stage="..."; an empty stage gives no such label.
 * Plain metrics are written though they are 0, so that a graph begins at its beginning.
 */
void metrics_write(struct buf *out, struct str stage, enum language language);
/*
 * Joins texts of metrics_write of several processes into one that is valid: the samples of a metric
 * stand together behind one HELP and TYPE. What is no sample of ours is left out.
 */
void metrics_join(struct buf *out, const struct str *texts, size_t count, enum language language);

#endif
