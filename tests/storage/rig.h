/*
 * rig.h - a memory bus, a store over a folder that goes away, and alerts to put in.
 */
#ifndef TOCSIN_TESTS_STORAGE_RIG_H
#define TOCSIN_TESTS_STORAGE_RIG_H

#include "event/detection.h"
#include "storage/query.h"
#include "storage/store.h"

#define RIG_DAY INT64_C(20400) /* since 1970 */
#define RIG_NOW (RIG_DAY * 86400 * 1000000000)
#define RIG_S	INT64_C(1000000000)

struct rig {
	char path[256];
	struct bus *bus;
	struct store_options options;
	struct store *store;
	struct query *query;
	struct arena *arena;
	int64_t now_ns;
};

/* partitions of events, detections, alerts */
void rig_open(struct rig *rig, uint32_t events, uint32_t detections, uint32_t alerts);
void rig_close(struct rig *rig);
void rig_store_open(struct rig *rig);
void rig_store_close(struct rig *rig);
/* An alert that stands for one match; text of the entity is its host. */
struct alert rig_alert(
    struct rig *rig, const char *rule, const char *host, int64_t time_ns, uint64_t counter);
void rig_publish(struct rig *rig, const struct alert *alert);
void rig_publish_raw(struct rig *rig, enum bus_topic topic, uint32_t partition, struct str value);
/* To every partition of alerts: topic has come so far, all of its partitions. */
void rig_progress(struct rig *rig, enum bus_topic topic, int64_t time_ns);
/* Steps until nothing is left. */
void rig_settle(struct rig *rig);
struct store_stats rig_stats(struct rig *rig);
void rig_remove(const char *path);

/* What a query returns, up to max. */
size_t rig_list(
    struct rig *rig, const struct query_filter *filter, struct query_alert *ret, size_t max);
struct query_filter rig_filter(void);	   /* everything, live */
size_t rig_damaged(const struct rig *rig); /* files told as damaged by the last rig_list */

uint32_t rig_random(uint64_t *state);

#endif
