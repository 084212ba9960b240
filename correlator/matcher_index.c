#include "correlator/matcher_index.h"

#include <stdlib.h>
#include <string.h>

#define RISEN_LEAST 1.0F /* instructions an event for which a clause is chosen again */

struct pair {
	uint32_t predicate, rule;
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

static bool clauses_collect(struct index *index, struct chooser *chooser, struct pairs *pairs)
{
	index->always_count = pairs->count = 0;
	for (uint32_t i = 0; i < index->rule_count; i++) {
		pairs->rule = i;
		if (clause_cost(chooser, index->rules[i]) >= CLAUSE_NONE)
			index->always[index->always_count++] = i;
		else if (!clause_each(chooser, index->rules[i], pair_take, pairs))
			return false;
	}
	return true;
}

static void clauses_open(const struct index *index, struct chooser *chooser,
    const struct pairs *pairs, uint32_t *counts)
{
	const struct program *program = index->program;

	for (size_t i = 0; i < pairs->count; i++) {
		uint32_t slot = program->predicates[pairs->items[i].predicate].slot;

		counts[slot == SLOT_ANYWHERE ? program->slot_count : slot]++;
	}
	chooser_open(chooser, counts);
}

/*
 * Prices have only risen: where the one of the clause has by so little, no other can be cheaper by
 * more.
 */
static bool clauses_again(const struct index *index, struct chooser *chooser,
    const struct pairs *first, struct pairs *pairs)
{
	for (size_t at = 0, end; at < first->count; at = end) {
		float risen = 0;

		pairs->rule = first->items[at].rule;
		for (end = at; end < first->count && first->items[end].rule == pairs->rule; end++)
			risen += clause_opening(chooser, first->items[end].predicate);
		if (risen > RISEN_LEAST) {
			clause_cost(chooser, index->rules[pairs->rule]);
			if (!clause_each(chooser, index->rules[pairs->rule], pair_take, pairs))
				return false;
			continue;
		}
		for (size_t i = at; i < end; i++)
			if (!pair_take(pairs, first->items[i].predicate))
				return false;
	}
	return true;
}

/* Twice: the second time it is known at which fields one has to look anyhow. */
static bool clauses_choose(struct index *index, struct chooser *chooser, struct pairs *pairs)
{
	uint32_t *counts = calloc(index->program->slot_count + 1, sizeof(*counts));
	struct pairs first = {0};

	index->always = malloc((index->rule_count + 1) * sizeof(*index->always));
	bool chosen = counts != NULL && index->always != NULL &&
	    clauses_collect(index, chooser, &first);

	if (chosen) {
		clauses_open(index, chooser, &first, counts);
		chosen = clauses_again(index, chooser, &first, pairs);
	}
	free(first.items);
	free(counts);
	return chosen;
}

static bool is_high(struct str text)
{
	uint64_t word, seen = 0;

	for (; text.len >= sizeof(word); text.ptr += sizeof(word), text.len -= sizeof(word)) {
		memcpy(&word, text.ptr, sizeof(word));
		seen |= word;
	}
	for (; text.len > 0; text.ptr++, text.len--)
		seen |= (uint8_t)*text.ptr;
	return (seen & UINT64_C(0x8080808080808080)) != 0;
}

static struct entry entry_of(const struct program *program, uint32_t predicate)
{
	const struct predicate *is = &program->predicates[predicate];

	return (struct entry){.text = is->folded, .predicate = predicate,
	    .high = is_high(is->folded),
	    .whole = !is->cased && (is->kind == PREDICATE_EXACT || is->kind == PREDICATE_PREFIX ||
	        is->kind == PREDICATE_SUFFIX || is->kind == PREDICATE_CONTAINS)};
}

/* places: by predicate, 0, or 1 + its entry; in the end 0 again. */
static void entries_begin(struct index *index, const struct pairs *pairs, uint32_t *places)
{
	for (size_t i = 0; i < pairs->count; i++) {
		uint32_t predicate = pairs->items[i].predicate;

		if (places[predicate] == 0) {
			index->entries[index->entry_count++] = entry_of(index->program, predicate);
			places[predicate] = (uint32_t)index->entry_count;
			index->decided[predicate / 8] |= (uint8_t)(1u << predicate % 8);
		}
		index->entries[places[predicate] - 1].count++;
	}
}

static void entries_fill(struct index *index, const struct pairs *pairs, uint32_t *places)
{
	uint32_t first = 0;

	for (size_t i = 0; i < index->entry_count; i++) {
		struct entry *entry = &index->entries[i];

		entry->first = first;
		first += entry->count;
		entry->count = 0;
	}
	for (size_t i = 0; i < pairs->count; i++) {
		struct entry *entry = &index->entries[places[pairs->items[i].predicate] - 1];

		index->entry_rules[entry->first + entry->count++] = pairs->items[i].rule;
	}
	for (size_t i = 0; i < index->entry_count; i++)
		places[index->entries[i].predicate] = 0;
}

/* Pairs by predicate, those of one predicate in the order of the rules: by counting. */
static bool entries_make(struct index *index, const struct pairs *pairs, uint32_t *places)
{
	index->entries = malloc((pairs->count + 1) * sizeof(*index->entries));
	index->entry_rules = malloc((pairs->count + 1) * sizeof(*index->entry_rules));
	index->decided = calloc(index->program->predicate_count / 8 + 1, 1);
	if (index->entries == NULL || index->entry_rules == NULL || index->decided == NULL)
		return false;
	entries_begin(index, pairs, places);
	entries_fill(index, pairs, places);
	return true;
}

static uint32_t *table_place(struct index *index, uint32_t slot)
{
	return slot == SLOT_ANYWHERE ? &index->anywhere : &index->table_of[slot];
}

/* Each slot with an entry gets a table. */
static bool tables_begin(struct index *index)
{
	size_t slots = index->program->slot_count;

	index->table_of = malloc((slots + 1) * sizeof(*index->table_of));
	if (index->table_of == NULL)
		return false;
	memset(index->table_of, 0xFF, (slots + 1) * sizeof(*index->table_of));
	for (uint32_t i = 0; i < index->entry_count; i++) {
		uint32_t *table = table_place(index,
		    index->program->predicates[index->entries[i].predicate].slot);

		if (*table == NO_TABLE)
			*table = (uint32_t)index->table_count++;
	}
	index->tables = calloc(index->table_count + 1, sizeof(*index->tables));
	if (index->tables == NULL)
		index->table_count = 0;
	return index->tables != NULL;
}

static bool tables_make(struct index *index, const struct study *study)
{
	if (!tables_begin(index))
		return false;
	for (uint32_t i = 0; i < index->entry_count; i++) {
		const struct predicate *predicate =
		    &index->program->predicates[index->entries[i].predicate];

		if (!table_put(&index->tables[*table_place(index, predicate->slot)], predicate, i))
			return false;
	}
	for (uint32_t slot = 0; slot < index->program->slot_count; slot++) {
		uint32_t table = index->table_of[slot];

		if (table != NO_TABLE &&
		    !table_seal(&index->tables[table], study, index->entries, slot))
			return false;
	}
	return index->anywhere == NO_TABLE ||
	    table_seal(&index->tables[index->anywhere], study, index->entries, SLOT_ANYWHERE);
}

static bool texts_collect(struct index *index, const struct expression *expression,
    struct pairs *pairs)
{
	if (expression->kind == EXPRESSION_PREDICATE) {
		const struct predicate *predicate =
		    &index->program->predicates[expression->predicate];

		return predicate->kind > PREDICATE_CONTAINS || predicate->cased ||
		    !clause_is_findable(predicate) || pair_take(pairs, expression->predicate);
	}
	for (size_t i = 0; i < expression->count; i++) {
		if (!texts_collect(index, expression->children[i], pairs))
			return false;
	}
	return true;
}

/* As if no rule asked for them. */
static bool texts_choose(struct index *index, struct pairs *pairs, uint32_t *places)
{
	for (size_t i = 0; i < index->rule_count; i++) {
		if (!texts_collect(index, index->program->rules[index->rules[i]], pairs))
			return false;
	}
	if (!entries_make(index, pairs, places))
		return false;
	for (size_t i = 0; i < index->entry_count; i++)
		index->entries[i].count = 0;
	return true;
}

static struct index *index_begin(struct chooser *chooser, const uint32_t *rules, size_t count)
{
	struct index *index = calloc(1, sizeof(*index));

	if (index == NULL)
		return NULL;
	index->program = chooser->program;
	index->serial = ++chooser->serial;
	index->rules = rules;
	index->rule_count = count;
	index->anywhere = NO_TABLE;
	index->codes = calloc(count + 1, sizeof(struct code *));
	if (index->codes != NULL)
		return index;
	index_free(index);
	return NULL;
}

struct index *index_new(struct chooser *chooser, const struct study *study,
    const uint32_t *rules, size_t count)
{
	struct index *index = index_begin(chooser, rules, count);
	struct pairs pairs = {0};

	chooser_begin(chooser, study);
	bool made = index != NULL && clauses_choose(index, chooser, &pairs) &&
	    entries_make(index, &pairs, chooser->places) && tables_make(index, study);

	free(pairs.items);
	if (made)
		return index;
	index_free(index);
	return NULL;
}

struct index *index_new_whole(struct chooser *chooser, const struct study *study,
    const uint32_t *rules, size_t count)
{
	struct index *index = index_begin(chooser, rules, count);
	struct pairs pairs = {0};
	bool made = index != NULL && texts_choose(index, &pairs, chooser->places) &&
	    tables_make(index, study);

	free(pairs.items);
	if (made)
		return index;
	index_free(index);
	return NULL;
}

void index_hand_on(struct index *from, struct index *to)
{
	struct code **codes = to->codes;

	to->codes = from->codes;
	from->codes = codes;
}

void index_free(struct index *index)
{
	if (index == NULL)
		return;
	for (size_t i = 0; i < index->table_count; i++)
		table_free(&index->tables[i]);
	for (size_t i = 0; index->codes != NULL && i < index->rule_count; i++)
		free(index->codes[i]);
	free(index->codes);
	free(index->tables);
	free(index->table_of);
	free(index->always);
	free(index->entries);
	free(index->entry_rules);
	free(index->decided);
	free(index);
}

size_t index_bytes(const struct index *index)
{
	size_t bytes = sizeof(*index) + index->rule_count * sizeof(*index->codes) +
	    index->entry_count * sizeof(*index->entries) +
	    index->program->slot_count * sizeof(*index->table_of) +
	    index->program->predicate_count / 8;

	for (size_t i = 0; i < index->table_count; i++)
		bytes += table_bytes(&index->tables[i]);
	return bytes;
}

/* As measured; a study costs, too. */
uint64_t index_cost(const struct index *index)
{
	return 200000 + index->entry_count * UINT64_C(700) + index->rule_count * UINT64_C(3000);
}

enum code_answer index_holds(struct index *index, const struct study *study, struct view *view,
    uint32_t rule, uint64_t most)
{
	const struct expression *expression = index->program->rules[index->rules[rule]];
	struct code *code = index->codes[rule];

	if (code == NULL)
		code = index->codes[rule] =
		    code_new(index->program, study, expression, index->decided);
	if (code == NULL)
		return view_evaluate(view, expression) ? CODE_HOLDS : CODE_FAILS;
	return code_run(code, index->decided, view, most);
}
