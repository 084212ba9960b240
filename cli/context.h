/*
 * context.h - what a subcommand is given: configuration, folders, how to speak.
 */
#ifndef TOCSIN_CLI_CONTEXT_H
#define TOCSIN_CLI_CONTEXT_H

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "bus/bus.h"
#include "cli/print.h"
#include "decoder/logsource.h"
#include "sigma/ruleset.h"

#include <stdio.h>

struct context {
	struct config *config;
	const char *config_path; /* NULL: defaults and -o alone */
	const char *program;     /* path of this binary, to start stages */
	struct arena *arena;     /* lifetime of the process */
	struct log log;
	int32_t zone_s;          /* of this machine, for what a person reads */
	bool color;
	int columns; /* of the terminal; 0: there is none */
	char **set;              /* "key=value" of each -o, to hand on; NULL-ended */
	struct logsources *logsources; /* of decode.logsources, once they were asked for */
};

/* data.path, run.path, ... with what is empty derived from data.path. In the process arena. */
const char *context_data_path(struct context *context, const char *below);
const char *context_run_path(struct context *context, const char *name);
const char *context_store_path(struct context *context);
const char *context_bus_path(struct context *context);
const char *context_spool_path(struct context *context);
/* Where collect keeps its own: who it is, how far files have been read. */
const char *context_collect_path(struct context *context, const char *name);
/* Where the replay of that name keeps its alerts: data.path/replays/NAME. */
const char *context_replay_path(struct context *context, const char *name);

/* Opens the bus of the configuration; folders are made. */
int context_bus(struct context *context, struct bus **ret, struct error *error);
/* The same with the spool in front, where the configuration has one: for what collects. */
int context_bus_spooled(struct context *context, struct bus **ret, struct error *error);
/* The site's key: data.path/site.key, made once, 16 random bytes as 32 digits. */
int context_site_key(struct context *context, struct hash_key *ret, struct error *error);
/* What the configuration says of the rules. In the process arena. */
int context_rules_options(struct context *context, struct ruleset_options *ret,
    struct error *error);
/* Loads rules.paths; each refused rule is told through refused (may be NULL). */
int context_rules(struct context *context, void (*refused)(void *, const struct error *),
    void *argument, struct ruleset **ret, struct error *error);
/* The same of other files and folders; a count of 0 is rules.paths. */
int context_rules_of(struct context *context, const char *const *paths, size_t count,
    void (*refused)(void *, const struct error *), void *argument, struct ruleset **ret,
    struct error *error);

/* The log sources of decode.logsources, read once and kept; *ret NULL: the key is empty. */
int context_logsources(struct context *context, const struct logsources **ret,
    struct error *error);

/* rules.paths, as context_rules loads them. In the process arena; NULL without memory. */
const char *const *context_rules_paths(struct context *context, size_t *ret_count);

/*
 * The program's one report of an error: log for stages, standard error for tools. Gives exit code.
 */
int context_fail(const struct error *error);
/* The exit code that goes with an error. */
int context_code(const struct error *error);

/* "5m", "24h", "2026-11-22", RFC 3339, "now"; relative ones back from now. */
bool parse_time(struct str text, int64_t now_ns, int32_t zone_s, int64_t *ret);
/* "high+" is high and above, "low-" low and below, "high" just that. */
bool level_range_parse(struct str text, enum level *ret_min, enum level *ret_max);
/* "3 s", "2 m 5 s", "15 m" as people write it. */
struct str format_duration(int64_t ns, char out[32]);

#endif
