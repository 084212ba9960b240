/*
 * cohort.h - groups that are decided by time: what is remembered of each, and which is due next.
 *
 * Beside window.h, whose windows are decided by what arrives. A group is due at a moment of event
 * time, when nothing older can come any more; among those due at one moment, inner correlations
 * come before outer ones, then by correlation and key, so that the order is the same in each run.
 * Keyed by SipHash; bounded in number and in bytes: then the one that was touched longest ago goes,
 * and is counted.
 */
#ifndef TOCSIN_CORRELATOR_COHORT_H
#define TOCSIN_CORRELATOR_COHORT_H

#include "base/hash.h"

struct tally;
struct pattern;

#define COHORT_BYTES 512u /* a group of the ceiling, on the average */

struct cohort {
	struct cohort *chain;         /* same bucket */
	struct cohort *newer, *older; /* by touch */
	struct tally *tally;         /* one of the two, or none yet */
	struct pattern *pattern;
	uint64_t hash;
	size_t bytes;                /* of what is behind the two */
	int64_t due_ns;
	uint32_t correlation, depth; /* rule index; of the correlation */
	uint32_t place;              /* in the heap */
	uint32_t key_len;
	char key[];                  /* group values, each with its length in front */
};

struct cohort_table {
	struct cohort **buckets, **heap;
	size_t bucket_count, heap_capacity, count, ceiling;
	size_t bytes;
	struct cohort *newest, *oldest;
	uint64_t evicted;
	uint64_t cut;                /* events that a full group did not keep */
	struct hash_key key;
};

bool cohort_table_begin(struct cohort_table *table, size_t ceiling);
void cohort_table_end(struct cohort_table *table);
/* Found or made (due at the end of time), and touched. NULL without memory. */
struct cohort *cohort_get(struct cohort_table *table, uint32_t correlation, uint32_t depth,
    struct str key);
/* With what is behind it. */
void cohort_remove(struct cohort_table *table, struct cohort *cohort);
void cohort_set_due(struct cohort_table *table, struct cohort *cohort, int64_t due_ns);
/* The one that is due first, when it is due by then; else NULL. */
struct cohort *cohort_due(const struct cohort_table *table, int64_t now_ns);
/* What it holds now; others may go for it. */
void cohort_weigh(struct cohort_table *table, struct cohort *cohort, size_t bytes);

static inline struct str cohort_key(const struct cohort *cohort)
{
	return str_from(cohort->key, cohort->key_len);
}

#endif
