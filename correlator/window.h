/*
 * window.h - what a correlation remembers of one group, and the table of all groups.
 *
 * A window holds marks: one an event that may still take part in an alert, in a ring that never
 * holds more than the threshold. The table is keyed (SipHash, key of the process): a stranger
 * chooses the group values. It holds at most ceiling windows; then the one that was touched
 * longest ago goes, and is counted. Windows of a correlation are listed in the order of their
 * last touch, so that eviction and expiry look at the end of each list only.
 */
#ifndef TOCSIN_CORRELATOR_WINDOW_H
#define TOCSIN_CORRELATOR_WINDOW_H

#include "base/buf.h"
#include "base/hash.h"
#include "event/alert.h"

/* The events behind the alert of an inner correlation; shared, immutable. */
struct parts {
	uint32_t references;
	uint32_t count;
	uint64_t cut; /* more than are named */
	struct part {
		int64_t time_ns;
		struct coordinate at;
		struct position position;
		uint32_t rule; /* index of the base rule */
	} list[];
};

struct mark {
	int64_t time_ns;
	struct coordinate at;
	struct position position;
	uint64_t value;  /* value_count: keyed hash of the tuple; temporal: the step */
	uint32_t rule;   /* index of the base rule, or of the inner correlation */
	bool used;       /* temporal_ordered: this slot holds something */
	struct parts *parts; /* of an inner correlation; else NULL */
};

struct early {
	struct hash128 id;
	int64_t time_ns;
};

#define EARLIES_MAX 65536 /* unsettled early alerts of one group; more are not waited for */

/* Alerts of one group that are on their way to be settled. */
struct docket {
	struct early *earlies; /* oldest first, from early_first on */
	uint32_t early_first, early_count, early_capacity;
	bool untracked;   /* there were more than could be listed */
	int64_t last_ns;  /* time of the last settled alert; meaningless without one */
	char *last;       /* its JSON, or NULL */
	uint32_t last_len;
};

struct window {
	struct window *chain;           /* same bucket */
	struct window *newer, *older;   /* same correlation, by touch */
	struct mark *marks;             /* ring */
	struct docket *docket;
	uint64_t hash, touched;
	int64_t latest_ns;              /* largest time of a mark */
	uint32_t correlation;           /* rule index */
	uint32_t first, count, capacity;
	uint32_t key_len;
	char key[];                     /* group values, each with its length in front */
};

struct window_list {
	struct window *newest, *oldest;
};

struct window_table {
	struct window **buckets;
	size_t bucket_count, count, ceiling;
	struct window_list *lists;      /* by rule index */
	uint32_t list_count;
	uint64_t touches, evicted;
	struct hash_key key;
};

bool window_table_begin(struct window_table *table, uint32_t rules, size_t ceiling);
void window_table_end(struct window_table *table);
struct window *window_find(const struct window_table *table, uint32_t correlation, struct str key);
/* Found or made, and touched. NULL without memory. */
struct window *window_get(struct window_table *table, uint32_t correlation, struct str key);
void window_remove(struct window_table *table, struct window *window);
/* Drops those of a correlation whose latest mark is older than before_ns. */
void window_expire(struct window_table *table, uint32_t correlation, int64_t before_ns);

uint32_t window_correlation(const struct window *window);
/* The group values, as they were given. */
size_t window_key_len(const struct window *window);
void window_key_put(const struct window *window, struct buf *out);
/* Those of a correlation, oldest touch first; NULL behind the newest. */
struct window *window_oldest(const struct window_table *table, uint32_t correlation);
struct window *window_newer(const struct window *window);
uint64_t window_touched(const struct window *window); /* smaller: touched earlier */

/* A copy, whose parts are the window's. One after the other is cheap, here and there is not. */
struct mark window_mark(const struct window *window, uint32_t index);
/* Puts another in its place, and shares its parts. */
void window_mark_set(struct window *window, uint32_t index, const struct mark *mark);
/* Copies mark to the end whatever its time, and shares its parts; false without memory. */
bool window_append(struct window *window, const struct mark *mark);
/*
 * Copies mark (and shares its parts) into its place by (time, coordinate): at the end, when in
 * order.
 */
bool window_insert(struct window *window, const struct mark *mark);
/*
 * The same, as the only mark of its value: an older one goes, before a newer one it does not count.
 * For windows that are filled with nothing else.
 */
enum renew_result {
	RENEW_MEMORY = -1,
	RENEW_LATE = 0,
	RENEW_DONE = 1
};
enum renew_result window_renew(struct window *window, const struct mark *mark);
void window_drop_first(struct window *window);
void window_drop(struct window *window, uint32_t index);
/* Drops the marks before time_ns; they are in order. */
void window_drop_before(struct window *window, int64_t time_ns);

/* NULL where there is none. A window has marks or a docket. */
struct docket *window_docket(const struct window *window);
void window_docket_set(struct window *window, struct docket *docket); /* takes it over */

/* Lists an early alert; false without memory. */
bool docket_push(struct docket *docket, struct early early);
const struct early *docket_at(const struct docket *docket, uint32_t index);
void docket_take(struct docket *docket, uint32_t index);
void docket_free(struct docket *docket); /* accepts NULL */

struct parts *parts_share(struct parts *parts); /* accepts NULL */
void parts_release(struct parts *parts);        /* accepts NULL */
int mark_compare(const struct mark *a, const struct mark *b);

#endif
