/*
 * alert_build.h - from a match, a completed window or a gap to the alert that is sent.
 *
 * Everything is borrowed from, or made in, the batch's arena. Each part that a stranger can grow is
 * cut, so that an alert always fits into a record of the bus.
 */
#ifndef TOCSIN_CORRELATOR_ALERT_BUILD_H
#define TOCSIN_CORRELATOR_ALERT_BUILD_H

#include "correlator/batch.h"
#include "correlator/window.h"
#include "event/record.h"
#include "sigma/rule.h"

/* What is the same for all alerts of a worker. */
struct alert_site {
	struct hash_key key;
	struct str replay;
	int64_t fold_default_ns;
};

/* A match of a plain rule: settled at once, for no later event can change it. */
void alert_of_match(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, const struct record *record, struct position position,
    int64_t time_ns);
/* The completing event of a window; text is borrowed. */
struct completion {
	int64_t time_ns, received_ns;
	struct coordinate at;
	struct position position;
	struct str agency, host;
};
/* key: the group values (window.h). rules: rule id by index, for the events. */
void alert_of_window(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, struct str key, const struct parts *parts,
    const struct completion *completion, struct str (*rule_id)(const void *, uint32_t),
    const void *context);
/* A rule with first_seen: key has the values of the group, then those that are new in it. */
void alert_of_first_seen(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, struct str key, const struct completion *completion);
/* A rule's memory is full, and has had to forget so many rows: rule "tocsin-memory", medium. */
void alert_of_memory(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, uint32_t partition, uint64_t evicted, int64_t time_ns);
/* What retention took before it was read: rule "tocsin-gap", level high. */
void alert_of_gap(struct alert *ret, const struct alert_site *site, struct arena *arena,
    struct str identity, const struct bus_record *gap, int64_t time_ns);

/* Gives the id (unless it has one) and posts it to "alerts". False without memory. */
bool alert_post(struct alert *alert, const struct alert_site *site, struct batch *batch,
    uint32_t owner);

/*
 * A value as a group is told by it: equal ones stay equal and different ones different, however
 * long a sender makes them (beyond 1,024 bytes its beginning, '#' and its hash).
 */
struct str group_text(const struct alert_site *site, struct arena *arena, struct str value);
/* Group values one after the other, each with its length in front. */
void group_key_put(struct buf *out, struct str value);
bool group_key_take(struct str *rest, struct str *ret);

#endif
