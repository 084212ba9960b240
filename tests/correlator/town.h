/*
 * town.h - a small town for the tests: a bus in memory, a checkpoint, some workers, and a clock
 * that the test turns. What becomes of the alerts is read back from the bus as a store would.
 */
#ifndef TOCSIN_TESTS_CORRELATOR_TOWN_H
#define TOCSIN_TESTS_CORRELATOR_TOWN_H

#include "bus/backend.h"
#include "correlator/worker.h"
#include "event/alert.h"

#define TOWN_WORKERS 4
#define SECOND       INT64_C(1000000000)
/* 2026-03-02T08:00:00Z, when everything begins. */
#define TOWN_START   INT64_C(1772438400000000000)

struct town_options {
	const char *rules;         /* Sigma documents */
	uint32_t events, detections, alerts; /* partitions; 0: 2 */
	uint32_t workers;          /* 0: 1 */
	int64_t lateness_ns;       /* 0: 30 s */
	int64_t skew_ns;           /* 0: 600 s */
	size_t groups_max, pending_max, memory_max; /* 0: 100,000 */
	int64_t snapshot_ns;       /* 0: 5 s */
	const char *replay;        /* NULL: live */
	size_t batch;              /* 0: 64 */
	fault_plan *plan;          /* around each worker's bus; or NULL */
	void *plan_context;
	uint64_t retain_bytes;
	/*
	 * As the program does it: rules are kept in the checkpoint, and a worker begins with what
	 * is kept; rules is what lies on the disk, and comes by town_reload alone.
	 */
	bool keeps;
	bool on_disk;              /* the checkpoint is a real file, opened anew after each death */
	void (*at_death)(void);    /* before it is; or NULL */
};

struct town_alert {
	struct hash128 id;
	enum alert_status status;  /* the best that was told */
	struct hash128 replaced_by; /* or 0 */
	struct str rule, group;    /* rule id; the group values, joined by ',' */
	uint64_t count;
	int64_t time_ns;
	unsigned told;             /* records with that id */
	char text[512];
};

struct town {
	struct town_options options;
	char name[64], folder[64], file[96];
	unsigned bus_number;       /* told by its identity; the log is told by name */
	struct bus *bus;           /* of the collector and the reader of alerts */
	struct checkpoint *checkpoint;
	struct bus *buses[TOWN_WORKERS];
	struct worker *workers[TOWN_WORKERS];
	int64_t now_ns;
	uint64_t counter;          /* of the collector's next event */
	uint64_t previous[BUS_PARTITIONS_MAX];
	struct town_alert *alerts;
	size_t alert_count, alert_capacity;
	uint64_t alert_offsets[BUS_PARTITIONS_MAX];
};

void town_open(struct town *town, const struct town_options *options);
void town_close(struct town *town);
/* A worker that dies: what it holds in memory is gone. */
void town_crash(struct town *town, unsigned worker);
void town_start(struct town *town, unsigned worker);

/* Everybody dies, and the bus is empty: made anew, or another one. */
void town_anew(struct town *town, bool other);

struct ruleset *town_rules(const char *text);
/* The same as a bundle. */
void town_bundle(struct buf *out, const char *text);
/* Puts what is on the disk in force: what worker_reload says, tried again while it is not yet. */
int town_reload(struct town *town, unsigned worker, struct error *error);

/* One frame with one event of that sender; the line tells event time at_ns and the JSON body. */
void town_send(struct town *town, const char *host, int64_t at_ns, const char *body);
/* The same with counter and partition chosen: repeated and shuffled frames. */
void town_send_as(struct town *town, uint64_t counter, uint32_t partition, const char *host,
    int64_t at_ns, int64_t received_ns, const char *body);
/* A line as it was received, of a sender whose zone is so many seconds east. */
void town_send_line(struct town *town, const char *host, int64_t received_ns, int zone_s,
    const char *line);
/* A tick on every partition, made now. */
void town_tick(struct town *town);
/* Steps all workers until none has anything to do. */
void town_run(struct town *town);
/* As the end of a replay: all settles. */
void town_finish(struct town *town);
/* Time goes on far enough for everything to settle. */
void town_settle(struct town *town);

/* Reads what is new on the topic alerts. */
void town_collect(struct town *town);
/* Alerts of a rule whose status is that, replaced ones not counted. */
size_t town_count(struct town *town, const char *rule, enum alert_status status);
size_t town_count_group(struct town *town, const char *rule, const char *group,
    enum alert_status status);
/* Early alerts that nothing has settled or replaced. */
size_t town_unsettled(struct town *town);
/* The ids of all settled alerts, sorted, as one hash; *ret_count how many. */
uint64_t town_settled(struct town *town, size_t *ret_count);
struct worker_stats town_stats(struct town *town);

#endif
