/*
 * query_filter.h - a filter made ready: folded, its cursor read; private to query.
 */
#ifndef TOCSIN_STORAGE_QUERY_FILTER_H
#define TOCSIN_STORAGE_QUERY_FILTER_H

#include "storage/index.h"
#include "storage/mark.h"
#include "storage/query.h"

#define FILTER_LISTS  6
#define QUERY_LIMIT   10000
#define QUERY_DEFAULT 100

struct filter_list {
	enum index_field field;
	struct str terms[QUERY_TERMS];
	size_t count;
	bool wildcards; /* then no posting can answer it */
};

struct filter {
	struct filter_list lists[FILTER_LISTS]; /* only those that have terms */
	size_t count;
	int64_t since_ns, until_ns;
	unsigned levels; /* bit a level */
	bool all_levels;
	struct str replay;
	bool with_replaced;
	size_t limit;
	bool has_after;
	int64_t after_ns;
	struct hash128 after_id;
};

/* Text lives in arena. ERR_USAGE: the cursor is none of ours. */
int filter_make(
    struct filter *ret, const struct query_filter *from, struct arena *arena, struct error *error);
/* By what the mark knows: time, replay, cursor. replay: hash of the filter's; 0 live. */
bool filter_passes_mark(const struct filter *filter, const struct mark *mark, uint64_t replay);
/* By what the document knows. */
bool filter_passes(const struct filter *filter, struct str facets);
struct str filter_cursor(struct arena *arena, int64_t time_ns, struct hash128 id);

#endif
