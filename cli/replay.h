/*
 * replay.h - the stages over given lines, in this process: memory bus, own windows, own watermark,
 * time from the events alone (docs/wire.md, section 6). Rule tests and `tocsin replay` are this.
 */
#ifndef TOCSIN_CLI_REPLAY_H
#define TOCSIN_CLI_REPLAY_H

#include "cli/context.h"
#include "event/alert.h"

struct replay;

struct replay_options {
	struct context *context;
	const char *name;          /* marks the alerts */
	struct ruleset *ruleset;   /* taken over by replay_open, also when it fails */
	const char *store_path;    /* folder for a store; NULL: alerts are only told */
	int64_t received_ns;       /* receive time of the first line */
	int32_t zone_s;
	/* Told every record of the topic "alerts" as it comes; may be NULL. */
	void (*told)(void *context, const struct alert *alert);
	void *told_context;
};

struct replay_totals {
	uint64_t lines, bytes, undecoded, matches, alerts, late;
};

int replay_open(struct replay **ret, const struct replay_options *options, struct error *error);
void replay_close(struct replay *replay); /* accepts NULL */
/* One event, received received_ns after 1970; runs the stages when a frame is full. */
int replay_line(struct replay *replay, struct str line, bool cut, int64_t received_ns,
    struct error *error);
/* Lets all watermarks pass and empties the stages. */
int replay_finish(struct replay *replay, struct error *error);
/* Letters, digits, '-', '_' and '.', which may not come first: it names a folder. */
bool replay_name_is_good(struct str name);
void replay_totals(const struct replay *replay, struct replay_totals *ret);

#endif
