#include "correlator/matcher_table.h"

#include "correlator/matcher_clause.h"
#include "correlator/matcher_pairs.h"

#include <stdio.h>
#include <stdlib.h>

#define INTEGER_BELOW 1e15 /* as many digits as a whole number may have to be looked for as text */

static bool list_add(uint32_t **list, size_t *count, uint32_t entry)
{
	/* It doubles where the count is a power of two. */
	if ((*count & (*count - 1)) == 0) {
		size_t want = *count == 0 ? 1 : *count * 2;
		uint32_t *grown = realloc(*list, want * sizeof(*grown));

		if (grown == NULL)
			return false;
		*list = grown;
	}
	(*list)[(*count)++] = entry;
	return true;
}

/* As text, as it is mostly written, and as a number for other ways to write it. */
static bool number_put(struct table *table, const struct predicate *predicate, uint32_t entry)
{
	char text[32];
	double number = predicate->number;

	if (!words_add(&table->words, WORD_EXACT, predicate->folded, entry) ||
	    !words_add_number(&table->words, number, entry))
		return false;
	if (!(number >= 0 && number < INTEGER_BELOW) || (double)(int64_t)number != number)
		return true;
	struct str plain = {text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)number)};

	return str_eq(plain, predicate->folded) ||
	    words_add(&table->words, WORD_EXACT, plain, entry);
}

bool table_put(struct table *table, const struct predicate *predicate, uint32_t entry)
{
	if (!clause_is_findable(predicate))
		return list_add(&table->present, &table->present_count, entry);
	switch (predicate->kind) {
	case PREDICATE_NUMBER:
		return number_put(table, predicate, entry);
	case PREDICATE_EXACT:
		return words_add(&table->words, WORD_EXACT, predicate->folded, entry);
	case PREDICATE_PREFIX:
		return words_add(&table->words, WORD_PREFIX, predicate->folded, entry);
	case PREDICATE_SUFFIX:
		return words_add(&table->words, WORD_SUFFIX, predicate->folded, entry);
	case PREDICATE_CONTAINS:
	case PREDICATE_GLOB:
	case PREDICATE_REGEX:
	case PREDICATE_COMPARE:
	case PREDICATE_CIDR:
	case PREDICATE_TIME:
	case PREDICATE_FIELD:
	case PREDICATE_NULL:
	case PREDICATE_EXISTS:
		break;
	}
	return list_add(&table->literals, &table->literal_count, entry);
}

struct maker {
	const struct study *study;
	const struct entry *entries;
	uint32_t slot;
	struct scan *scan;
	size_t teddy_below; /* literals shorter than this go into the teddy */
};

/* Few values have other bytes than ASCII, so that it hardly matters which of these. */
static size_t windows_place(const struct maker *maker, uint32_t entry, size_t windows, size_t bytes)
{
	struct str text = maker->entries[entry].text;
	size_t at = 0;

	if (!maker->entries[entry].high)
		return study_rarest(maker->study, maker->slot, text, windows, bytes);
	while (at + bytes < text.len && (uint8_t)text.ptr[at] < 0x80)
		at++;
	return at;
}

static bool gram_put(const struct maker *maker, uint32_t entry)
{
	struct str text = maker->entries[entry].text;
	size_t kind = gram_kind(text.len);
	struct gram *gram = &maker->scan->grams[kind];

	maker->scan->gram_kinds |= 1u << kind;
	return gram_add(gram, text, windows_place(maker, entry, gram->stride,
	    gram->stride + gram->width - 1), entry);
}

static bool teddy_put(const struct maker *maker, struct str text, uint32_t entry)
{
	struct scan *scan = maker->scan;

	if (scan->teddy == NULL)
		scan->teddy = calloc(1, sizeof(*scan->teddy));
	if (scan->teddy == NULL)
		return false;
	teddy_add(scan->teddy, text,
	    text.len < TEDDY_WIDTH ? 0 : windows_place(maker, entry, 1, TEDDY_WIDTH), entry);
	return true;
}

/*
 * Instructions a block. What it finds by mistake, at about 40 each, grows with the literals that
 * share a group, in each of four bytes.
 */
static unsigned teddy_cost(size_t count)
{
	size_t square = count * count;

	return 32 + (unsigned)(square * square / 30000);
}

/*
 * Which literals, by length, are looked for 32 places at a time: as many as are few enough, when
 * that is cheaper than to look for the windows of each kind.
 */
static size_t teddy_below(const size_t counts[GRAM_KINDS])
{
	static const size_t below[GRAM_KINDS] = {SIZE_MAX, 7, 5, 3, 2};
	static const unsigned costs[GRAM_KINDS] = {15, 28, 56, 56, 56};
	size_t count = 0, best = 0;
	unsigned grams = 0, best_saved = 0;

	for (size_t kind = GRAM_KINDS; kind > 0; kind--) {
		count += counts[kind - 1];
		grams += counts[kind - 1] > 0 ? costs[kind - 1] : 0;
		if (count > TEDDY_MOST)
			break;
		unsigned teddy = teddy_cost(count);

		if (grams > teddy && grams - teddy > best_saved) {
			best_saved = grams - teddy;
			best = below[kind - 1];
		}
	}
	return best;
}

/* Nothing in it is what an escape of one letter stands for (RFC 8259, 7). */
static bool is_plain(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (memchr("\"\\/\b\f\n\r\t", text.ptr[i], 8) != NULL)
			return false;
	}
	return true;
}

/* All literals of the scan by pairs, if they are few and have such. False without memory. */
static bool pairs_put(const struct maker *maker, const struct table *table, bool high)
{
	struct str texts[PAIRS_TEXTS] __attribute__((uninitialized));
	uint32_t ends[PAIRS_TEXTS] __attribute__((uninitialized));
	uint32_t entries[PAIRS_TEXTS] __attribute__((uninitialized));
	size_t count = 0;

	for (size_t i = 0; i < table->literal_count; i++) {
		uint32_t entry = table->literals[i];

		if (maker->entries[entry].high != high)
			continue;
		if (count == PAIRS_TEXTS)
			return true;
		texts[count] = maker->entries[entry].text;
		entries[count++] = entry;
	}
	if (!pairs_choose(study_pairs(maker->study), texts, count, ends))
		return true;
	maker->scan->pairs = calloc(1, sizeof(*maker->scan->pairs));
	if (maker->scan->pairs == NULL)
		return false;
	maker->scan->plain = true;
	for (size_t i = 0; i < count; i++) {
		size_t end = ends[i] + 1, len = end < TEDDY_WIDTH ? end : TEDDY_WIDTH;

		maker->scan->plain &= is_plain(str_slice(texts[i], end - len, end));
		teddy_add_pair(maker->scan->pairs, texts[i], ends[i], entries[i]);
	}
	teddy_seal(maker->scan->pairs);
	return true;
}

static bool scan_make(struct maker *maker, const struct table *table, bool high)
{
	size_t counts[GRAM_KINDS] = {0};
	struct scan *scan = maker->scan;

	for (size_t i = 0; i < table->literal_count; i++) {
		const struct entry *entry = &maker->entries[table->literals[i]];

		scan->any |= entry->high == high;
		counts[gram_kind(entry->text.len)] += entry->high == high;
	}
	if (!scan->any)
		return true;
	if (!high && !pairs_put(maker, table, high))
		return false;
	maker->teddy_below = teddy_below(counts);
	for (size_t kind = 0; kind < GRAM_KINDS; kind++)
		gram_init(&scan->grams[kind], kind, counts[kind]);
	for (size_t i = 0; i < table->literal_count; i++) {
		uint32_t entry = table->literals[i];
		struct str text = maker->entries[entry].text;

		if (maker->entries[entry].high == high && !(text.len < maker->teddy_below
		        ? teddy_put(maker, text, entry) : gram_put(maker, entry)))
			return false;
	}
	if (scan->teddy != NULL)
		teddy_seal(scan->teddy);
	for (size_t kind = 0; kind < GRAM_KINDS; kind++) {
		if (!gram_seal(&scan->grams[kind]))
			return false;
	}
	return true;
}

bool table_seal(struct table *table, const struct study *study, const struct entry *entries,
    uint32_t slot)
{
	struct maker maker = {.study = study, .entries = entries, .slot = slot,
	    .scan = &table->ascii};

	if (!scan_make(&maker, table, false))
		return false;
	maker.scan = &table->high;
	bool made = scan_make(&maker, table, true) && words_seal(&table->words);

	free(table->literals);
	table->literals = NULL;
	return made;
}

static void scan_free(struct scan *scan)
{
	for (size_t kind = 0; kind < GRAM_KINDS; kind++)
		gram_free(&scan->grams[kind]);
	free(scan->teddy);
	free(scan->pairs);
}

void table_free(struct table *table)
{
	free(table->present);
	free(table->literals);
	memo_free(table->memo);
	words_free(&table->words);
	scan_free(&table->ascii);
	scan_free(&table->high);
}

static size_t scan_bytes(const struct scan *scan)
{
	size_t bytes = (scan->teddy == NULL ? 0 : sizeof(*scan->teddy)) +
	    (scan->pairs == NULL ? 0 : sizeof(*scan->pairs));

	for (size_t kind = 0; kind < GRAM_KINDS; kind++)
		bytes += gram_bytes(&scan->grams[kind]);
	return bytes;
}

size_t table_bytes(const struct table *table)
{
	size_t memo = table->memo == NULL ? 0 : sizeof(*table->memo) + table->memo->bytes;

	return sizeof(*table) + memo + table->present_count * sizeof(*table->present) +
	    words_bytes(&table->words) + scan_bytes(&table->ascii) + scan_bytes(&table->high);
}
