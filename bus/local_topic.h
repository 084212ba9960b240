/*
 * local_topic.h - a topic of the local bus: a chain of segments in a folder, and its groups.
 */
#ifndef TOCSIN_BUS_LOCAL_TOPIC_H
#define TOCSIN_BUS_LOCAL_TOPIC_H

#include "bus/local_segment.h"

int topic_open(struct local_topic **ret, const char *folder, enum bus_topic topic,
    uint32_t partitions, const char *identity, const struct bus_options *limits,
    struct error *error);
void topic_close(struct local_topic *topic); /* accepts NULL */
int topic_lock(struct local_topic *topic, struct error *error);
void topic_unlock(struct local_topic *topic);
/* Looks whether files came or went. */
int topic_refresh(struct local_topic *topic, struct error *error);
/* Newest or oldest usable segment; NULL in an empty topic. */
int topic_newest(struct local_topic *topic, struct local_segment **ret, struct error *error);
int topic_oldest(struct local_topic *topic, struct local_segment **ret, struct error *error);
/*
 * The last usable segment with base <= offset, *ret_end the base of the usable one behind it
 * (UINT64_MAX: it is the newest). *ret NULL: the offset is older than all there is.
 */
int topic_find(struct local_topic *topic, uint32_t partition, uint64_t offset,
    struct local_segment **ret, uint64_t *ret_end, struct error *error);
/* Under the lock: begins a new segment behind the newest. */
int topic_roll(struct local_topic *topic, int64_t now_ns, struct error *error);
/* Under the lock: rolls a newest one that is older than records may be, so that it can go. */
int topic_expire(struct local_topic *topic, int64_t now_ns, struct error *error);
/* Under the lock: drops the oldest segments beyond the limits, coming bytes counted in. */
int topic_retain(struct local_topic *topic, int64_t now_ns, uint64_t coming, struct error *error);
/* Under the lock: drops the oldest segments whose records of partition 0 are all before next. */
int topic_drop_before(struct local_topic *topic, uint64_t next, struct error *error);
/* Under the lock: drops every segment. */
int topic_drop_all(struct local_topic *topic, struct error *error);
void topic_wake(struct local_topic *topic);
uint32_t topic_wake_count(const struct local_topic *topic);
/* Until the counter is no longer seen, or timeout. */
void topic_wait(const struct local_topic *topic, uint32_t seen, int64_t timeout_ns);
int topic_range(struct local_topic *topic, uint32_t partition, uint64_t *ret_first,
    uint64_t *ret_next, struct error *error);

/* ---- what the dead were in (local_mark.c) ---- */

/* Looks for marks of the dead and sets damaged segments aside. Under the lock. */
void mark_inspect(struct local_topic *topic);
void mark_begin(struct local_topic *topic);
void mark_end(struct local_topic *topic);
/* LMDB is about to follow the segment; 0: it is out. */
void mark_set(struct local_topic *topic, uint64_t sequence);
bool mark_is_damaged(const struct local_topic *topic, uint64_t sequence);
/* The segment goes. */
void mark_forget(const struct local_topic *topic, uint64_t sequence);

/* ---- groups (local_group.c) ---- */

int group_get(const struct local_topic *topic, const char *group, uint32_t partition,
    uint64_t *ret, struct error *error);
int group_sync(const struct local_topic *topic, const char *group, uint32_t partition,
    struct error *error);
int group_put(const struct local_topic *topic, const char *group, uint32_t partition,
    uint64_t next, struct error *error);

#endif
