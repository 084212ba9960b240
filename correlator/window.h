/*
 * window.h - what a correlation remembers of one group, and the table of all groups.
 *
 * A window holds marks: one an event that may still take part in an alert, never more than the
 * threshold. The table knows windows by a keyed 128-bit hash of correlation and group values
 * (SipHash, key of the process): a stranger chooses the values, so nobody can make two of them
 * meet. It holds at most ceiling windows, and memory in proportion; then the one that was touched
 * longest ago goes, and is counted. Windows of a correlation are listed in the order of their last
 * touch, so that eviction and expiry look at the end of each list only.
 *
 * What a window costs, and why it lies in memory as it does: docs/decisions/0013.
 */
#ifndef TOCSIN_CORRELATOR_WINDOW_H
#define TOCSIN_CORRELATOR_WINDOW_H

#include "base/buf.h"
#include "base/hash.h"
#include "correlator/pool.h"
#include "correlator/window_index.h"
#include "correlator/window_order.h"
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
	bool used, is_end; /* temporal_ordered: this slot holds something; is_end: as in item */
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

/*
 * One cache line. count and latest_ns are for all to read, latest_ns also to be set by who fills a
 * window by window_append; the rest is for the functions of this header.
 */
struct window {
	struct hash128 name;            /* keyed hash of correlation and group values */
	int64_t first_ns;               /* time of the first mark; meaningless without one */
	int64_t latest_ns;              /* largest time of a mark that it has had */
	uint64_t stamp;                 /* window_order.h */
	uint32_t newer, older;          /* same correlation, by touch */
	uint32_t text;                  /* group values */
	uint32_t count;                 /* marks */
	union {
		struct {
			uint32_t block; /* of the marks */
			union {
				uint32_t first, links;
			};
		};
		struct docket *docket;  /* where there is no room for marks */
	};
};

struct window_table {
	size_t count, ceiling;
	uint64_t evicted;
	uint64_t marks_late;            /* see window_insert */
	struct pool pool;
	struct window_index index;
	struct window_order order;
	struct window_cursor {
		uint32_t window, index, at;
	} cursor;                       /* the mark that was last asked for by its index */
	struct hash_key key;
};

/*
 * At most ceiling windows and WINDOW_BYTES for each of them, on the average. Holds pointers into
 * itself: not to be moved.
 */
#define WINDOW_BYTES 1024u
bool window_table_begin(struct window_table *table, uint32_t rules, size_t ceiling);
void window_table_end(struct window_table *table);
struct window *window_find(const struct window_table *table, uint32_t correlation, struct str key);
/* Found or made, and touched. NULL without memory. */
struct window *window_get(struct window_table *table, uint32_t correlation, struct str key);

/* A name holds for all tables of the process. */
struct window_name {
	struct hash128 hash;
	uint32_t correlation;
};
struct window_name window_name(const struct window_table *table, uint32_t correlation,
    struct str key);

/*
 * What updates are going to need, called for ahead: first the index, as soon as a name is known;
 * then, of a group whose names are all known, the windows and what is read and written of them.
 */
#define WINDOW_GROUP 32u
struct window_ask {
	const struct window_table *table; /* NULL: needs nothing */
	struct window_name name;
	uint64_t value;
	uint64_t fires;                 /* when there are so many marks: then it goes */
	bool renews;                    /* by window_renew, with that value */
};
void window_foresee_name(const struct window_table *table, const struct window_name *name);
void window_foresee(const struct window_ask *asks, size_t count);
struct window *window_get_named(struct window_table *table, const struct window_name *name,
    struct str key);

void window_remove(struct window_table *table, struct window *window);
/* Drops those of a correlation whose latest mark is older than before_ns. */
void window_expire(struct window_table *table, uint32_t correlation, int64_t before_ns);

uint32_t window_correlation(const struct window *window);
/* The group values, as they were given. */
struct str window_key(const struct window *window);
/* Those of a correlation, oldest touch first; NULL behind the newest. */
struct window *window_oldest(const struct window_table *table, uint32_t correlation);
struct window *window_newer(const struct window *window);
uint64_t window_touched(const struct window *window); /* smaller: touched earlier */

/* A copy, whose parts are the window's. One after the other is cheap, here and there is not. */
struct mark window_mark(const struct window *window, uint32_t index);
/* Puts another in its place, and shares its parts. False without memory: nothing has changed. */
bool window_mark_set(struct window *window, uint32_t index, const struct mark *mark);
/* Copies mark to the end whatever its time, and shares its parts; false without memory. */
bool window_append(struct window *window, const struct mark *mark);
/*
 * Copies mark (and shares its parts) into its place by (time, coordinate): at the end, when in
 * order. One that would be carried past 512 others is counted and left out: only the early machine
 * meets such, and the settled one will have it in order. At the ceiling of memory other windows of
 * the table go; pointers to them do not hold.
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

/* What a table takes: for counting, and for what is told when it fires (marks, group values). */
struct window_bytes {
	size_t state, evidence;
	size_t held;    /* of the system's memory, for both */
};
/* Slow: reads all windows. */
struct window_bytes window_table_bytes(const struct window_table *table);
/* Most buckets that are read to find one of its windows. Slow: reads them all. */
size_t window_table_distance(const struct window_table *table);

struct parts *parts_share(struct parts *parts); /* accepts NULL */
void parts_release(struct parts *parts);        /* accepts NULL */
int mark_compare(const struct mark *a, const struct mark *b);

#endif
