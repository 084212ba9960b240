/*
 * alert.h - one record of the topic "alerts": JSON, schema "tocsin.alert/1"
 * (docs/wire.md, section 5).
 */
#ifndef TOCSIN_EVENT_ALERT_H
#define TOCSIN_EVENT_ALERT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "event/event.h"

enum level { LEVEL_INFORMATIONAL, LEVEL_LOW, LEVEL_MEDIUM, LEVEL_HIGH, LEVEL_CRITICAL };

enum alert_status {
	ALERT_EARLY,     /* shown at once; the watermark has not passed */
	ALERT_SETTLED,
	ALERT_REPLACED   /* another settled alert stands for it; only in the store */
};

struct alert_pair {
	struct str name, value;
};

/* One event that made the alert. */
struct alert_event {
	struct coordinate at;
	struct position position;
	int64_t time_ns;
	struct str rule; /* base rule that it matched */
};

#define ALERT_EVENTS 64 /* most events named; alert.events_cut counts the others */

/* Rule metadata as of the match: the alert stands alone when the rule has changed. */
struct alert_rule {
	struct str id, title, title_vi, author, status;
	struct str description, advice, advice_vi;
	enum level level;
	struct str *tags;
	size_t tag_count;
	struct str *falsepositives;
	size_t falsepositive_count;
	struct str kind;        /* "rule", "event_count", "temporal_ordered", ... */
	struct hash128 hash;    /* of the compiled rule */
};

struct alert {
	struct hash128 id;
	enum alert_status status;
	struct hash128 replaces;       /* the early alert that this settled one stands for; or 0 */
	struct str replay;             /* name of the replay; empty live */
	struct alert_rule rule;
	int64_t time_ns;               /* event time of the completing event: orders alerts */
	struct coordinate at;          /* of the completing event */
	int64_t received_ns;           /* of the completing event */
	int64_t made_ns;               /* when the stage made it; not part of what is compared */
	int64_t first_ns, last_ns;     /* event times of the events */
	uint64_t count;                /* events in it */
	struct alert_pair *groups;     /* entity: group-by names and values */
	size_t group_count;
	int64_t window_ns;             /* timespan of a correlation, else 0 */
	int64_t fold_ns;               /* fold window; 0: never fold */
	/*
	 * Not 0: matches of the rule on this key within that time of the first are counted on it
	 * and are no alerts of their own; then fold_ns means nothing. A field that the event lacks
	 * is left out of the key.
	 */
	int64_t suppress_ns;
	struct alert_pair *suppress;
	size_t suppress_count;
	int64_t unseen_ns; /* first_seen: for so long the values of groups were not seen; else 0 */
	struct str agency, system, sender, host, user;
	struct str *addresses;         /* distinct, at most 8 */
	size_t address_count;
	struct str product, category, service;
	struct alert_pair *matched;    /* which fields matched: name and value (cut to 512 bytes) */
	size_t matched_count;
	struct alert_pair *fields;     /* decoded fields of the completing event (plain rules) */
	size_t field_count;
	struct alert_event *events;    /* oldest first */
	size_t event_count;
	uint64_t events_cut;
};

struct str level_name(enum level level);
bool level_parse(struct str name, enum level *ret); /* in any case, as pySigma takes it */
struct str alert_status_name(enum alert_status status);

void alert_write(struct buf *out, const struct alert *alert);
/* Copies into arena. 0, ERR_MEMORY, or ERR_DOCUMENT with the offset in the text. */
int alert_read(struct arena *arena, struct str json, struct alert *ret, struct error *error);
/*
 * id = keyed hash of (rule id, rule hash, group values, coordinate of the completing event), each
 * with its length in front (docs/wire.md, section 4).
 */
struct hash128 alert_make_id(struct hash_key site, const struct alert *alert);

#endif
