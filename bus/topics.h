/*
 * topics.h - topics that others write to Kafka, read by a group of consumers.
 *
 * What is read is a record as it was written; nothing is made, and nothing is written but the
 * offsets of the group, which move behind what topics_done was told. Nothing waits: topics_next
 * answers at once, and a descriptor tells when to ask again; the brokers are asked and waited for
 * (a second at most) only when partitions come and when an offset is gone.
 *
 * A partition may come, go and come again; its struct topics_place stays the same.
 */
#ifndef TOCSIN_BUS_TOPICS_H
#define TOCSIN_BUS_TOPICS_H

#include "bus/bus.h"

#define TOPICS_PLACES_MAX 8192u /* partitions of one consumer; further ones are left, and told */

struct topics;

struct topics_place {
	const char *topic;
	uint32_t partition;
	/*
	 * 0; one more each time that the topic was found to be made anew, its offsets beginning
	 * from the start. Kept with the offsets of the group.
	 */
	uint64_t generation;
	uint64_t next;    /* offset that is read next */
	uint64_t backlog; /* records from there on, as far as is known */
	bool owned;       /* it is read by this consumer now */
	void *context;    /* the caller's */
};

struct topics_record {
	struct topics_place *place;
	uint64_t offset;
	int64_t time_ns;  /* its time stamp; 0: none */
	bool tombstone;   /* its value is null, which is not the same as empty */
	struct str value; /* borrowed until the next call */
};

struct topics_events {
	/* next and generation are set. From within topics_next or topics_tick, as all of these. */
	void (*on_assign)(void *context, struct topics_place *place);
	void (*on_revoke)(void *context, struct topics_place *place);
	/*
	 * Retention took [from, to) before it was read; to < from: the topic was made anew, and has
	 * its next generation. What is read goes on at to.
	 */
	void (*on_gap)(
	    void *context, struct topics_place *place, uint64_t from, uint64_t to);
	void *context;
};

struct topics_options {
	const struct bus_setting *settings; /* librdkafka's properties; they outlive the consumer */
	size_t setting_count;
	const struct str *names; /* topics; one that begins with '^' is a regular expression */
	size_t name_count;
	const char *group;
	const char *avoid;       /* topics of our own that no expression means: a prefix, or NULL */
	uint64_t ahead_bytes;    /* what is fetched ahead */
	struct topics_events events;
};

int topics_open(
    struct topics **ret, const struct topics_options *options, struct error *error);
/* Commits what is done, and leaves the group. Waits a few seconds at most. Accepts NULL. */
void topics_close(struct topics *topics);
/* Becomes readable when topics_next has something. Reading 8 bytes of it clears it. */
int topics_bell(const struct topics *topics);
/*
 * 1: a record; 0: nothing now; ERR_BUS: the brokers refuse something, or do not answer, which is
 * told here once in a while; reading goes on.
 */
int topics_next(struct topics *topics, struct topics_record *ret, struct error *error);
/* All before next need never be read again. Of a partition that has gone it means nothing. */
void topics_done(struct topics *topics, struct topics_place *place, uint64_t next);
/* Reads nothing of any partition; or nothing of one. Both have to be off for it to be read. */
void topics_pause(struct topics *topics, bool paused);
void topics_hold(struct topics *topics, struct topics_place *place, bool held);
/* The next record of the partition is that of offset, which was read and is not done. */
void topics_rewind(struct topics *topics, struct topics_place *place, uint64_t offset);
/* About once a second: commits, and what the brokers did not answer before. */
void topics_tick(struct topics *topics);
/* Names the cluster for ever; set before the first on_assign. */
struct str topics_cluster(const struct topics *topics);

#endif
