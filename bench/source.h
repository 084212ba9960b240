/*
 * source.h - what the mixed corpus says of events that are not from Windows: `_ls`, the log source
 * that a decoder would have found.
 */
#ifndef TOCSIN_BENCH_SOURCE_H
#define TOCSIN_BENCH_SOURCE_H

#include "event/record.h"

struct source {
	struct str product, category, service; /* of `_ls`; empty: none */
	bool told;
};

static inline struct str part_of(struct str *rest)
{
	struct str part;

	return str_cut(rest, '|', &part) && !str_eq(part, STR("-")) ? part : STR_NONE;
}

static inline struct source source_of(struct str raw)
{
	struct str key = STR("\"_ls\":\"");
	size_t at = str_find(raw, key);

	if (at == STR_NOT_FOUND)
		return (struct source){.told = false};
	struct str rest = str_slice(raw, at + key.len, raw.len);
	rest = str_slice(rest, 0, str_find_char(rest, '"'));
	struct source source = {.told = true};
	source.product = part_of(&rest);
	source.category = part_of(&rest);
	source.service = part_of(&rest);
	return source;
}

static inline void source_told(struct record *record, struct source source)
{
	if (!source.told)
		return;
	record->product = source.product;
	record->service = source.service;
	record->category_count = 0;
	if (source.category.len > 0)
		record_category(record, source.category);
}

#endif
