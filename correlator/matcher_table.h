/*
 * matcher_table.h - inside the matcher: all that is looked for in one field, or anywhere.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_TABLE_H
#define TOCSIN_CORRELATOR_MATCHER_TABLE_H

#include "correlator/matcher_gram.h"
#include "correlator/matcher_memo.h"
#include "correlator/matcher_study.h"
#include "correlator/matcher_teddy.h"
#include "correlator/matcher_words.h"

/* A predicate that is looked for, and the rules whose clause has it. */
struct entry {
	struct str text;       /* what is looked for, folded */
	uint32_t predicate;
	uint32_t first, count; /* in the index' rules */
	bool whole;            /* where the text is found, the predicate holds */
	bool high;             /* the text has other bytes than ASCII */
};

/* Literals anywhere in a value. */
struct scan {
	struct gram grams[GRAM_KINDS];
	unsigned gram_kinds; /* bit by kind: it has literals */
	struct teddy *teddy; /* shorter ones, or all, when they are few; or NULL */
	struct teddy *pairs; /* all, by pairs that are seldom: in place of the others; or NULL */
	bool plain;             /* they and what stands before are not what escapes stand for */
	uint64_t looked;        /* bytes, by pairs */
	bool any;
};

struct table {
	uint32_t *present;  /* entries tested whenever the field is there */
	size_t present_count;
	struct words words; /* values, their beginnings and ends */
	struct scan ascii;  /* literals without other bytes */
	struct scan high;   /* the others: only looked for where the value has such bytes */
	uint32_t *literals; /* entries to be put into ascii and high */
	size_t literal_count;
	struct memo *memo;  /* of values that come again; NULL before the first */
};

/* entries[entry] is looked for in this table. False without memory. */
bool table_put(struct table *table, const struct predicate *predicate, uint32_t entry);
/* After the last table_put, before the first lookup. */
bool table_seal(struct table *table, const struct study *study, const struct entry *entries,
    uint32_t slot);
void table_free(struct table *table);
size_t table_bytes(const struct table *table);

#endif
