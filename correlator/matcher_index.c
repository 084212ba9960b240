#include "correlator/matcher_index.h"

#include "base/check.h"
#include "base/utf8.h"
#include "correlator/matcher_chain.h"
#include "correlator/matcher_clause.h"

#include <stdlib.h>
#include <string.h>

#define NO_TABLE UINT32_MAX
#define GRAM     4u
#define LONG     7u /* a literal this long is found though only every 4th window is probed */

/* A predicate that is looked for, and the rules whose clause has it. */
struct entry {
	uint32_t predicate;
	uint32_t first, count; /* in rules */
};

/* Keys of different meaning differ in this. */
enum word { WORD_EXACT, WORD_NUMBER, WORD_PREFIX4, WORD_PREFIX8, WORD_SUFFIX4, WORD_SUFFIX8 };

/* All that is looked for in one field, or anywhere. */
struct table {
	uint32_t *present; /* entries tested whenever the field is there */
	size_t present_count;
	struct chain words;    /* enum word */
	unsigned words_used;   /* bit by enum word */
	struct chain longs;    /* windows of long literals, text probed at every 4th byte */
	struct chain mediums;  /* of literals of 4 to 6 bytes, at every byte */
};

struct pair {
	uint32_t predicate, rule;
};

struct index {
	const struct program *program;
	uint32_t *always; /* rules without a clause */
	size_t always_count;
	struct entry *entries;
	size_t entry_count;
	uint32_t *rules;
	uint32_t *table_of; /* by slot; the last is for SLOT_ANYWHERE */
	struct table *tables;
	size_t table_count;
};

struct pairs {
	struct pair *items;
	size_t count, capacity;
	uint32_t rule;
};

static bool pair_take(void *context, uint32_t predicate)
{
	struct pairs *pairs = context;

	if (pairs->count == pairs->capacity) {
		size_t want = pairs->capacity == 0 ? 256 : pairs->capacity * 2;
		struct pair *grown = realloc(pairs->items, want * sizeof(*grown));

		if (grown == NULL)
			return false;
		pairs->items = grown;
		pairs->capacity = want;
	}
	pairs->items[pairs->count++] = (struct pair){predicate, pairs->rule};
	return true;
}

static int pair_compare(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;

	if (left->predicate != right->predicate)
		return left->predicate < right->predicate ? -1 : 1;
	return left->rule < right->rule ? -1 : left->rule > right->rule;
}

static bool clauses_collect(struct index *index, struct pairs *pairs, const uint32_t *rules,
    size_t count)
{
	index->always = malloc((count + 1) * sizeof(*index->always));
	if (index->always == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct expression *expression = index->program->rules[rules[i]];

		pairs->rule = rules[i];
		if (clause_cost(index->program, expression) >= CLAUSE_NONE)
			index->always[index->always_count++] = rules[i];
		else if (!clause_each(index->program, expression, pair_take, pairs))
			return false;
	}
	return true;
}

static bool entries_make(struct index *index, struct pairs *pairs)
{
	index->entries = malloc((pairs->count + 1) * sizeof(*index->entries));
	index->rules = malloc((pairs->count + 1) * sizeof(*index->rules));
	if (index->entries == NULL || index->rules == NULL)
		return false;
	if (pairs->count > 0)
		qsort(pairs->items, pairs->count, sizeof(*pairs->items), pair_compare);
	for (uint32_t i = 0; i < pairs->count; i++) {
		struct entry *last = &index->entries[index->entry_count];

		index->rules[i] = pairs->items[i].rule;
		if (index->entry_count > 0 && last[-1].predicate == pairs->items[i].predicate) {
			last[-1].count++;
			continue;
		}
		*last = (struct entry){pairs->items[i].predicate, i, 1};
		index->entry_count++;
	}
	return true;
}

static uint64_t load(const char *at, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, at, len);
	return word;
}

static uint64_t word_key(enum word word, uint64_t bytes)
{
	return (bytes ^ bytes >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + (uint64_t)word;
}

static uint64_t text_key(struct str text)
{
	uint64_t hash = text.len;

	for (; text.len >= 8; text.ptr += 8, text.len -= 8)
		hash = (hash ^ load(text.ptr, 8)) * UINT64_C(0x9e3779b97f4a7c15),
		hash ^= hash >> 32;
	if (text.len > 0)
		hash ^= load(text.ptr, text.len);
	return word_key(WORD_EXACT, hash);
}

static uint64_t number_key(double number)
{
	uint64_t bits;

	number += 0.0; /* -0 is 0 */
	memcpy(&bits, &number, sizeof(bits));
	return word_key(WORD_NUMBER, bits);
}

static bool word_add(struct table *table, enum word word, uint64_t key, uint32_t entry)
{
	table->words_used |= 1u << word;
	return chain_add(&table->words, key, entry, 0);
}

static bool anchor_add(struct table *table, struct str text, bool prefix, uint32_t entry)
{
	size_t len = text.len >= 8 ? 8 : 4;
	uint64_t bytes = load(prefix ? text.ptr : text.ptr + text.len - len, len);
	enum word word = prefix ? (len == 8 ? WORD_PREFIX8 : WORD_PREFIX4)
	                        : (len == 8 ? WORD_SUFFIX8 : WORD_SUFFIX4);

	return word_add(table, word, word_key(word, bytes), entry);
}

/*
 * The rarest window; of a long literal the rarest four in a row, one of which a stride of 4 meets.
 */
static bool literal_add(struct table *table, const struct commonness *commonness, struct str text,
    uint32_t entry)
{
	bool is_long = text.len >= LONG;
	size_t windows = is_long ? 4 : 1, best = 0;
	unsigned best_common = UINT32_MAX;

	for (size_t at = 0; at + windows - 1 + GRAM <= text.len; at++) {
		unsigned common = 0;

		for (size_t i = 0; i < windows; i++)
			common += commonness_of(commonness, text.ptr + at + i);
		if (common < best_common) {
			best_common = common;
			best = at;
		}
	}
	for (size_t i = 0; i < windows; i++) {
		if (!chain_add(is_long ? &table->longs : &table->mediums,
		        load(text.ptr + best + i, GRAM), entry, (uint32_t)(best + i)))
			return false;
	}
	return true;
}

/*
 * A cased text found in the bytes as they are is found folded in the folded bytes, if it begins and
 * ends between characters: not so for bytes that are no UTF-8.
 */
static bool is_findable(const struct predicate *predicate)
{
	if (predicate->cased && !utf8_is_valid(predicate->kind == PREDICATE_GLOB
	            ? predicate->folded : predicate->text))
		return false;
	if (predicate->slot == SLOT_ANYWHERE && !utf8_is_valid(predicate->folded))
		return false;
	return predicate->folded.len >= GRAM || predicate->kind == PREDICATE_EXACT ||
	    predicate->kind == PREDICATE_NUMBER;
}

static bool entry_place(struct table *table, const struct commonness *commonness,
    const struct predicate *predicate, uint32_t entry)
{
	if (is_findable(predicate)) {
		switch (predicate->kind) {
		case PREDICATE_NUMBER:
			return word_add(table, WORD_NUMBER, number_key(predicate->number), entry) &&
			    word_add(table, WORD_EXACT, text_key(predicate->folded), entry);
		case PREDICATE_EXACT:
			return word_add(table, WORD_EXACT, text_key(predicate->folded), entry);
		case PREDICATE_PREFIX:
		case PREDICATE_SUFFIX:
			return anchor_add(table, predicate->folded,
			    predicate->kind == PREDICATE_PREFIX, entry);
		case PREDICATE_CONTAINS:
		case PREDICATE_GLOB:
		case PREDICATE_REGEX:
			return literal_add(table, commonness, predicate->folded, entry);
		case PREDICATE_COMPARE:
		case PREDICATE_CIDR:
		case PREDICATE_TIME:
		case PREDICATE_FIELD:
		case PREDICATE_NULL:
		case PREDICATE_EXISTS:
			break;
		}
	}
	uint32_t *grown =
	    realloc(table->present, (table->present_count + 1) * sizeof(*table->present));

	if (grown == NULL)
		return false;
	table->present = grown;
	table->present[table->present_count++] = entry;
	return true;
}

static size_t table_place(const struct index *index, uint32_t slot)
{
	return slot == SLOT_ANYWHERE ? index->program->slot_count : slot;
}

static bool tables_make(struct index *index)
{
	size_t slots = index->program->slot_count + 1;
	struct commonness commonness;

	commonness_learn(&commonness);
	index->table_of = malloc(slots * sizeof(*index->table_of));
	index->tables = calloc(slots, sizeof(*index->tables));
	if (index->table_of == NULL || index->tables == NULL)
		return false;
	memset(index->table_of, 0xFF, slots * sizeof(*index->table_of));
	for (uint32_t i = 0; i < index->entry_count; i++) {
		const struct predicate *predicate =
		    &index->program->predicates[index->entries[i].predicate];
		uint32_t *table = &index->table_of[table_place(index, predicate->slot)];

		if (*table == NO_TABLE)
			*table = (uint32_t)index->table_count++;
		if (!entry_place(&index->tables[*table], &commonness, predicate, i))
			return false;
	}
	for (size_t i = 0; i < index->table_count; i++) {
		if (!chain_seal(&index->tables[i].words) || !chain_seal(&index->tables[i].longs) ||
		    !chain_seal(&index->tables[i].mediums))
			return false;
	}
	return true;
}

struct index *index_new(const struct program *program, const uint32_t *rules, size_t count)
{
	struct index *index = calloc(1, sizeof(*index));
	struct pairs pairs = {0};

	if (index == NULL)
		return NULL;
	index->program = program;
	bool made = clauses_collect(index, &pairs, rules, count) && entries_make(index, &pairs) &&
	    tables_make(index);

	free(pairs.items);
	if (made)
		return index;
	index_free(index);
	return NULL;
}

void index_free(struct index *index)
{
	if (index == NULL)
		return;
	for (size_t i = 0; i < index->table_count; i++) {
		free(index->tables[i].present);
		chain_free(&index->tables[i].words);
		chain_free(&index->tables[i].longs);
		chain_free(&index->tables[i].mediums);
	}
	free(index->tables);
	free(index->table_of);
	free(index->always);
	free(index->entries);
	free(index->rules);
	free(index);
}

/* One search for candidates. */
struct search {
	const struct index *index;
	struct view *view;
	void (*take)(void *context, uint32_t rule);
	void *context;
};

/*
 * Each predicate has one entry, and until the search is over nothing but the search evaluates: so a
 * memo means that the entry has been here before.
 */
static bool is_known(const struct view *view, uint32_t predicate)
{
	return view->memo[predicate] >> 1 == view->stamp;
}

static void entry_found(struct search *search, const struct entry *entry)
{
	for (uint32_t i = 0; i < entry->count; i++)
		search->take(search->context, search->index->rules[entry->first + i]);
}

static void entry_try(struct search *search, uint32_t index)
{
	const struct entry *entry = &search->index->entries[index];

	if (!is_known(search->view, entry->predicate) && view_test(search->view, entry->predicate))
		entry_found(search, entry);
}

/* The window stands at text[at]; the literal around it decides, or is where the test begins. */
static void literal_try(struct search *search, const struct chain_node *node, struct str text,
    size_t at)
{
	const struct entry *entry = &search->index->entries[node->entry];
	const struct predicate *predicate = &search->index->program->predicates[entry->predicate];
	struct str literal = predicate->folded;

	if (node->offset > at || literal.len > text.len - (at - node->offset) ||
	    memcmp(text.ptr + (at - node->offset), literal.ptr, literal.len) != 0)
		return;
	if (predicate->kind != PREDICATE_CONTAINS || predicate->cased) {
		entry_try(search, node->entry);
		return;
	}
	if (is_known(search->view, entry->predicate))
		return;
	view_note(search->view, entry->predicate);
	entry_found(search, entry);
}

static void windows_probe(struct search *search, const struct chain *chain, struct str text,
    size_t stride)
{
	if (chain->count == 0 || text.len < GRAM)
		return;
	for (size_t at = 0; at + GRAM <= text.len; at += stride) {
		uint64_t key = load(text.ptr + at, GRAM);

		for (uint32_t i = chain_first(chain, key); i != CHAIN_END;
		     i = chain->nodes[i].next) {
			if (chain->nodes[i].key == key)
				literal_try(search, &chain->nodes[i], text, at);
		}
	}
}

static void word_probe(struct search *search, const struct table *table, uint64_t key)
{
	const struct chain *chain = &table->words;

	for (uint32_t i = chain_first(chain, key); i != CHAIN_END; i = chain->nodes[i].next) {
		if (chain->nodes[i].key == key)
			entry_try(search, chain->nodes[i].entry);
	}
}

static void anchors_probe(struct search *search, const struct table *table, struct str text)
{
	static const struct {
		enum word word;
		size_t len;
		bool prefix;
	} anchors[] = {{WORD_PREFIX4, 4, true}, {WORD_PREFIX8, 8, true}, {WORD_SUFFIX4, 4, false},
	    {WORD_SUFFIX8, 8, false}};

	for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
		if ((table->words_used >> anchors[i].word & 1) == 0 || text.len < anchors[i].len)
			continue;
		const char *at =
		    anchors[i].prefix ? text.ptr : text.ptr + text.len - anchors[i].len;

		word_probe(search, table, word_key(anchors[i].word, load(at, anchors[i].len)));
	}
}

static void value_probe(struct search *search, const struct table *table, struct view_value *value)
{
	double number;

	if (value->subject.kind == FIELD_NULL ||
	    (table->words_used == 0 && table->longs.count + table->mediums.count == 0))
		return;
	struct str text = view_subject(search->view, value)->folded;

	if (table->words_used & 1u << WORD_EXACT)
		word_probe(search, table, text_key(text));
	if ((table->words_used & 1u << WORD_NUMBER) && str_to_double(value->subject.raw, &number))
		word_probe(search, table, number_key(number));
	anchors_probe(search, table, text);
	windows_probe(search, &table->longs, text, GRAM);
	windows_probe(search, &table->mediums, text, 1);
}

static void present_try(struct search *search, const struct table *table)
{
	for (size_t i = 0; i < table->present_count; i++)
		entry_try(search, table->present[i]);
}

/* A literal in a piece of the raw line is in the raw line, which has been probed. */
static bool is_piece(struct str text, struct str whole)
{
	return text.len == 0 || (text.ptr >= whole.ptr && text.len <= whole.len &&
	    (size_t)(text.ptr - whole.ptr) <= whole.len - text.len);
}

static void anywhere_probe(struct search *search)
{
	struct str raw = search->view->raw.subject.raw;
	const struct index *index = search->index;
	uint32_t table = index->table_of[table_place(index, SLOT_ANYWHERE)];

	if (table == NO_TABLE)
		return;
	present_try(search, &index->tables[table]);
	value_probe(search, &index->tables[table], &search->view->raw);
	for (size_t i = 0; i < search->view->value_count; i++) {
		if (!is_piece(search->view->values[i].subject.raw, raw))
			value_probe(search, &index->tables[table], &search->view->values[i]);
	}
}

void index_candidates(const struct index *index, struct view *view,
    void (*take)(void *context, uint32_t rule), void *context)
{
	struct search search = {index, view, take, context};

	for (size_t i = 0; i < view->value_count; i++) {
		struct view_value *value = &view->values[i];
		uint32_t table =
		    value->slot == SLOT_ANYWHERE ? NO_TABLE : index->table_of[value->slot];

		if (table == NO_TABLE)
			continue;
		if (view->first[value->slot] == i)
			present_try(&search, &index->tables[table]);
		value_probe(&search, &index->tables[table], value);
	}
	anywhere_probe(&search);
	for (size_t i = 0; i < index->always_count; i++)
		take(context, index->always[i]);
}
