/*
 * show.h - an alert as a person reads it, and as a program does.
 */
#ifndef TOCSIN_CLI_SHOW_H
#define TOCSIN_CLI_SHOW_H

#include "cli/context.h"
#include "storage/query.h"

/* One line: time, level, title, host, what, count, id. */
void show_line(const struct context *context, const struct query_alert *alert);
void show_head(const struct context *context);
/*
 * All of it: why it fired, who, when, evidence, advice. ruleset: where the condition of a
 * correlation is looked up; may be NULL.
 */
void show_alert(const struct context *context, const struct query_alert *alert,
    const struct query_evidence *evidence, size_t count, const struct ruleset *ruleset);
/* The stored JSON with what the store knows beyond it: status, folded, count, first, last. */
void show_json(const struct query_alert *alert, const struct query_evidence *evidence,
    size_t count, bool with_evidence);
const char *show_level(enum level level);
struct str show_title(const struct alert *alert);
/* A line, or a JSON object; first: under the head of the table. */
void show_one(const struct context *context, const struct query_alert *alert, bool json,
    bool first);
/* All that the filter lets through, page by page, up to filter->limit; damaged files are told. */
int show_list(const struct context *context, struct query *query,
    const struct query_filter *filter, bool json, size_t *ret_shown, struct error *error);

#endif
