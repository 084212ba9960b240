/*
 * snapshot_state.h - what snapshot.c and snapshot_cohort.c share.
 */
#ifndef TOCSIN_CORRELATOR_SNAPSHOT_STATE_H
#define TOCSIN_CORRELATOR_SNAPSHOT_STATE_H

#include "correlator/correlate_state.h"
#include "correlator/snapshot.h"

#define RULE_GONE UINT32_MAX

struct writer {
	struct buf *out;
	const struct correlate *correlate;
	uint32_t *places; /* of each rule in the list; RULE_GONE: not listed */
};

struct reader {
	struct str rest;
	struct correlate *correlate;
	uint32_t *rules; /* index now, by place in the list; RULE_GONE */
	uint32_t rule_count;
	uint64_t dropped;
	bool short_of_memory;
};

void text_write(struct buf *out, struct str text);
void decimal_write(struct buf *out, decimal value);
void part_write(struct writer *writer, const struct part *part);
void parts_write(struct writer *writer, const struct parts *parts);
void completion_write(struct buf *out, const struct completion *event);

/* Each leaves *ok false where the bytes do not hold; what it returns is then worth nothing. */
uint8_t read_u8(struct reader *reader, bool *ok);
uint32_t read_u32(struct reader *reader, bool *ok);
uint64_t read_u64(struct reader *reader, bool *ok);
decimal read_decimal(struct reader *reader, bool *ok);
struct str read_text(struct reader *reader, bool *ok);
/* The index of a listed rule now; RULE_GONE where there is none, *ok false outside the list. */
uint32_t read_rule(struct reader *reader, bool *ok);
void read_part(struct reader *reader, bool *ok, struct part *ret);
struct parts *parts_read(struct reader *reader, bool *ok);
void read_completion(struct reader *reader, bool *ok, struct completion *ret);

/* snapshot_cohort.c: groups that go by time. */
void cohorts_write(struct writer *writer, const struct cohort_table *table);
bool cohorts_read(struct reader *reader, struct cohort_table *table);

#endif
