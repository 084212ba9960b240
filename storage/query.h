/*
 * query.h - reading alerts while the store writes, from any process.
 *
 * Newest first, in order of (time, id). A reader holds a view of a file only while a page is read.
 * A damaged file is named and passed over, the others are still read. Files are read in a child
 * process: LMDB may die of what damage tells it. In a program with threads, no other thread may be
 * opening or closing files of db/ meanwhile.
 */
#ifndef TOCSIN_STORAGE_QUERY_H
#define TOCSIN_STORAGE_QUERY_H

#include "event/alert.h"

struct query;

#define QUERY_TERMS 8

struct query_filter {
	/* since <= the alert's time < until; INT64_MIN, INT64_MAX: open */
	int64_t since_ns, until_ns;
	enum level level_min, level_max;
	/* Each list is an OR, the lists are ANDed; '*' and '?' are wildcards, case is folded. */
	struct str rules[QUERY_TERMS]; /* id, title in either language */
	size_t rule_count;
	struct str hosts[QUERY_TERMS], users[QUERY_TERMS], addresses[QUERY_TERMS];
	size_t host_count, user_count, address_count;
	struct str agencies[QUERY_TERMS], senders[QUERY_TERMS];
	size_t agency_count, sender_count;
	struct str replay;  /* name: only that replay; empty: only live */
	bool with_replaced; /* early alerts that were replaced too */
	size_t limit;	    /* 0: 100; at most 10,000 */
	struct str after;   /* cursor of the last page; empty: from the newest */
};

/* A match that folded into an alert. */
struct query_match {
	int64_t time_ns;
	struct coordinate at;
};

/* What the store knows beyond the alert as it arrived. */
struct query_alert {
	struct alert alert;	    /* count, first_ns, last_ns as folded; status as of now */
	struct hash128 replaced_by; /* when status is ALERT_REPLACED: also what it folded into */
	uint64_t folded;	    /* matches folded into it, itself included */
	uint64_t suppressed;	    /* where the rule suppresses: folded without itself */
	/* events: kept, lost by the bus, over the limit */
	uint64_t evidence_kept, evidence_missing, evidence_cut;
	/* some of what folded; only what query_matches was asked for, by the caller */
	const struct query_match *matches;
	size_t match_count;
	struct str json;   /* the alert as stored */
	struct str cursor; /* to go on behind it */
};

/* One piece of evidence: an event behind an alert. */
struct query_evidence {
	struct event event;
	struct position position;
	struct str fields_json; /* decoded fields */
};

int query_open(struct query **ret, const char *path, struct error *error);
void query_close(struct query *query); /* accepts NULL */

/*
 * Calls visit for each alert of the page; visit returns false to stop. Everything it is given
 * lives in arena, which the caller may reset between pages. Damaged files are told to damaged (may
 * be NULL).
 */
int query_alerts(struct query *query, const struct query_filter *filter, struct arena *arena,
    bool (*visit)(void *context, const struct query_alert *alert), void *context,
    void (*damaged)(void *context, const struct error *error), struct error *error);
/*
 * By id, or by its first 4 to 31 digits when only one fits. ERR_MISSING. ERR_USAGE: several fit.
 */
int query_alert(struct query *query, struct str id, struct arena *arena, struct query_alert *ret,
    struct error *error);
/* The events kept for an alert, oldest first. */
int query_evidence(struct query *query, struct hash128 id, struct arena *arena,
    struct query_evidence **ret, size_t *ret_count, struct error *error);
/* Some of the settled matches that folded into an alert: the first ones, at most max. In order. */
int query_matches(struct query *query, struct hash128 id, struct query_match *ret, size_t max,
    size_t *ret_count, struct error *error);
/* A number that grows whenever something new was stored: for following without reading. */
int query_generation(struct query *query, uint64_t *ret, struct error *error);

#endif
