/*
 * timestamp.h - the time stamps that senders write, in all their forms, and the instant that is
 * meant.
 *
 * Forms: RFC 3164 (with the year nowhere, before or after the time), ISO 8601 and RFC 3339 (with T
 * or a space, with or without seconds and zone), Cisco IOS and NX-OS, ctime, RFC 2822, CLF,
 * NetScaler, BIND, PAN-OS, epoch in s, ms, us, ns. Zones: Z, +07, +0700, +07:00, (UTC+07:00),
 * abbreviations. No libc, no time zone file: the same text gives the same instant for ever.
 */
#ifndef TOCSIN_DECODER_TIMESTAMP_H
#define TOCSIN_DECODER_TIMESTAMP_H

#include "base/civil.h"
#include "event/record.h"

enum timestamp_form {
	TIMESTAMP_CIVIL, /* civil holds */
	TIMESTAMP_EPOCH, /* epoch_ns holds */
	TIMESTAMP_UPTIME /* since the device started: says nothing of the time */
};

struct timestamp {
	enum timestamp_form form;
	struct civil civil;  /* year 0: not told */
	int64_t epoch_ns;
	int32_t zone_s;      /* east of UTC, when has_zone */
	bool has_zone;
	bool unsynced;       /* Cisco: '*' or '.' before the stamp */
	bool day_first; /* 03/04/2026: which is the day is not clear; civil has the month first */
};

/* Takes a stamp off the front of *rest. False, and *rest unchanged, when none stands there. */
bool timestamp_take(struct str *rest, struct timestamp *ret);
/* The same for a value that is a stamp from end to end (white space aside). */
bool timestamp_parse(struct str text, struct timestamp *ret);
/* A zone alone: "Z", "+07:00", "ICT". */
bool timestamp_zone(struct str *rest, int32_t *ret_zone_s);

/*
 * The instant. Stamps without a zone are in zone_s. A missing year is the one that brings the stamp
 * nearest to received_ns, but never more than a day after it. False when it says no instant:
 * uptime, 24:00:00, 29 February of a common year, 30 February.
 */
bool timestamp_ns(const struct timestamp *stamp, int64_t received_ns, int32_t zone_s,
    int64_t *ret_ns);

/* Months that were met, and when they begin, so that their stamps cost little. All zero: none. */
struct timestamp_months {
	struct timestamp_month {
		uint64_t text; /* 2026-11- */
		int64_t ns;    /* in UTC */
		int days;
	} of[64];
};
/*
 * timestamp_parse and timestamp_ns of 2026-11-22T06:27:00.250Z and its like, which tells no zone
 * without the Z. False, and nothing is told, of any other text.
 */
bool timestamp_quick(struct timestamp_months *months, struct str text, int32_t zone_s,
    bool *ret_zone, int64_t *ret_ns);

/* Makes stamp the time of the record, or flags that it has none. False in the second case. */
bool timestamp_set(struct record *record, const struct timestamp *stamp);
/* The same of a stamp whose instant is known: ns, as timestamp_ns told it. */
void timestamp_set_ns(struct record *record, const struct timestamp *stamp, int64_t ns);
/* timestamp_parse and timestamp_set; false and no change when value is no usable stamp. */
bool timestamp_set_text(struct record *record, struct str value);

#define TIMESTAMP_NEAR                                                                             \
	160 /* bytes at the front of a message in which its own stamp is looked for */

/*
 * Many devices write the time twice: to the second in the header, finer or with the year behind it.
 * A stamp that agrees with the record's time, but for digits of the second or a year that was
 * chosen, takes its place. False, and no change, for any other.
 */
bool timestamp_refine(struct record *record, const struct timestamp *stamp);
/* The same with the first stamp that fits among those near the front of text. */
void timestamp_refine_text(struct record *record, struct str text);

#endif
