#include "correlator/matcher_index.h"

/* Bytes behind a block that are read: its windows reach over it, and what is found there more. */
#define REACH 16u

/* One search for candidates. */
struct search {
	const struct index *index;
	struct view *view;
	struct candidates *out;
	bool unsure; /* what is found may go from one value into the next */
};

static void entry_take(struct search *search, const struct entry *entry)
{
	struct candidates *out = search->out;
	const uint32_t *rules = search->index->entry_rules + entry->first;

	for (uint32_t i = 0; i < entry->count; i++) {
		if (out->stamps[rules[i]] == search->view->stamp)
			continue;
		out->stamps[rules[i]] = search->view->stamp;
		out->rules[out->count++] = rules[i];
	}
}

/* The text of an entry has been found where it has to stand. */
static void entry_found(struct search *search, const struct entry *entry)
{
	if (view_is_known(search->view, entry->predicate))
		return;
	if (entry->whole && !search->unsure)
		view_note(search->view, entry->predicate);
	else if (!view_test(search->view, entry->predicate))
		return;
	entry_take(search, entry);
}

static void entry_try(struct search *search, const struct entry *entry)
{
	if (!view_is_known(search->view, entry->predicate) &&
	    view_test(search->view, entry->predicate))
		entry_take(search, entry);
}

static inline uint64_t loose_at(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word | GRAM_LOOSE;
}

/* Nearly the same with or without case: what differs is told here, mostly. */
static inline bool is_like(const char *a, const char *b, size_t len)
{
	if (len < 8)
		return true;
	for (size_t i = 0; i + 8 < len; i += 8) {
		if (loose_at(a + i) != loose_at(b + i))
			return false;
	}
	return loose_at(a + len - 8) == loose_at(b + len - 8);
}

/* Whether it is there with or without case: the text need not be folded. */
static bool literal_is_at(struct str literal, struct str text, size_t begin)
{
	if (literal.len > text.len - begin ||
	    !is_like(literal.ptr, text.ptr + begin, literal.len))
		return false;
	for (size_t i = 0; i < literal.len; i++) {
		if (char_lower(text.ptr[begin + i]) != literal.ptr[i])
			return false;
	}
	return true;
}

/* The bytes there, 8 of which may be read, are those at a place of text. */
static inline void gram_try(struct search *search, const struct gram *gram, const char *there,
    uint32_t hash, struct str text, size_t at)
{
	uint32_t bucket = hash >> gram->bucket_shift;
	const struct gram_node *node = &gram->nodes[gram->buckets[bucket]];
	const struct gram_node *end = &gram->nodes[gram->buckets[bucket + 1]];
	uint64_t bytes;

	memcpy(&bytes, there, sizeof(bytes));
	bytes |= GRAM_LOOSE;
	for (; node < end; node++) {
		const struct entry *entry = &search->index->entries[node->entry];

		if (((bytes ^ node->bytes) & node->mask) == 0 && node->offset <= at &&
		    at < text.len && !view_is_known(search->view, entry->predicate) &&
		    literal_is_at(entry->text, text, at - node->offset))
			entry_found(search, entry);
	}
}

/* Places of piece, which begins in text at base. True: all of it is ASCII. */
static bool gram_search(struct search *search, const struct gram *gram, struct str piece,
    struct str text, size_t base)
{
	struct gram_hit *hits = search->out->gram_hits;
	bool high = false;
	size_t at = 0;

	while (at < piece.len) {
		size_t count = gram_find(gram, piece, &at, hits, CANDIDATES_HITS, &high);

		for (size_t i = 0; i < count; i++)
			gram_try(search, gram, piece.ptr + hits[i].at, hits[i].hash, text,
			    base + hits[i].at);
	}
	return !high;
}

static void teddy_try(struct search *search, const struct teddy_literal *literal,
    struct str text, size_t at)
{
	const struct entry *entry = &search->index->entries[literal->entry];

	if (at < text.len && at >= literal->end &&
	    !view_is_known(search->view, entry->predicate) &&
	    literal_is_at(entry->text, text, at - literal->end))
		entry_found(search, entry);
}

/*
 * Places of piece, from at on, as places of text, in which piece begins at base. True: all of it is
 * ASCII.
 */
static bool teddy_search(struct search *search, const struct teddy *teddy, struct str piece,
    size_t at, struct str text, size_t base)
{
	struct teddy_hit *hits = search->out->hits;
	bool high = false;

	while (at < piece.len) {
		size_t count =
		    teddy_find(teddy, piece, &at, hits, CANDIDATES_HITS, &high);

		for (size_t i = 0; i < count; i++)
			teddy_try(search, &teddy->literals[hits[i].literal], text,
			    base + hits[i].at);
	}
	return !high;
}

/* The text has FOLD_PADDING behind it. */
static void scan_search(struct search *search, const struct scan *scan, struct str text)
{
	for (unsigned kinds = scan->gram_kinds; kinds != 0; kinds &= kinds - 1)
		(void)gram_search(
		    search, &scan->grams[__builtin_ctz(kinds)], text, text, 0);
	if (scan->teddy != NULL)
		(void)teddy_search(search, scan->teddy, text, 0, text, 0);
}

/* Where the text of an entry has to stand. */
static bool word_is_there(const struct entry *entry, struct str text, enum word word)
{
	size_t len = entry->text.len;

	if (len > text.len || (word == WORD_EXACT && len != text.len))
		return false;
	return memcmp(word == WORD_SUFFIX ? text.ptr + text.len - len : text.ptr, entry->text.ptr,
	    len) == 0;
}

static __attribute__((noinline)) void words_try(struct search *search,
    const struct words *words, struct str text, uint64_t key, enum word word, uint32_t first)
{
	for (uint32_t i = first; i != WORDS_END; i = words->nodes[i].next) {
		const struct entry *entry = &search->index->entries[words->nodes[i].entry];

		if (words->nodes[i].key != key)
			continue;
		if (!entry->whole)
			entry_try(search, entry);
		else if (word_is_there(entry, text, word))
			entry_found(search, entry);
	}
}

static inline void word_search(struct search *search, const struct words *words,
    struct str text, uint64_t key, enum word word)
{
	uint32_t first = words_first(words, key);

	if (first != WORDS_END)
		words_try(search, words, text, key, word, first);
}

static void ends_search(struct search *search, const struct words *words, struct str text,
    const struct word_ends *ends)
{
	uint32_t most = text.len >= 16 ? 16 : text.len > 8 ? 8 : (uint32_t)text.len;
	uint32_t fitting = (UINT32_C(2) << most) - 1;
	uint32_t prefixes = words->lengths[WORD_PREFIX] & fitting;
	uint32_t suffixes = words->lengths[WORD_SUFFIX] & fitting;

	for (; prefixes != 0; prefixes &= prefixes - 1) {
		size_t n = (size_t)__builtin_ctz(prefixes);

		word_search(search, words, text, n == 16 ? word_long_key(WORD_PREFIX, text.ptr)
		                                         : word_prefix_key(ends, n), WORD_PREFIX);
	}
	for (; suffixes != 0; suffixes &= suffixes - 1) {
		size_t n = (size_t)__builtin_ctz(suffixes);

		word_search(search, words, text, n == 16
		        ? word_long_key(WORD_SUFFIX, text.ptr + text.len - 16)
		        : word_suffix_key(ends, n), WORD_SUFFIX);
	}
}

/* Such a text is looked for as text; any other may be another way to write a number. */
static bool is_plain_integer(struct str text)
{
	if (text.len == 0 || text.len > 15 || (text.ptr[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!char_is_digit(text.ptr[i]))
			return false;
	}
	return true;
}

static void number_search(struct search *search, const struct words *words, struct str raw)
{
	double number;
	int64_t integer;

	if (raw.len == 0 || is_plain_integer(raw) ||
	    !(char_is_digit(raw.ptr[0]) || raw.ptr[0] == '-' || raw.ptr[0] == '.'))
		return;
	if (str_to_i64(raw, &integer))
		number = (double)integer;
	else if (!str_to_double(raw, &number))
		return;
	word_search(search, words, raw, word_number_key(number), WORD_NUMBER);
}

static void words_search(struct search *search, const struct words *words, struct str text,
    struct str raw)
{
	struct word_ends ends = word_ends_of(text);

	if (words->lengths[WORD_EXACT] != 0)
		word_search(search, words, text, word_exact_key(&ends), WORD_EXACT);
	ends_search(search, words, text, &ends);
	if (words->lengths[WORD_NUMBER] != 0)
		number_search(search, words, raw);
}

static void value_search(struct search *search, const struct table *table,
    struct view_value *value)
{
	if (value->subject.kind == FIELD_NULL)
		return;
	const struct subject *subject = view_subject(search->view, value);

	if (!subject->padded) { /* without memory: it is looked for the slow way */
		for (size_t i = 0; i < search->index->entry_count; i++)
			entry_try(search, &search->index->entries[i]);
		return;
	}
	if (table->words.count > 0)
		words_search(search, &table->words, subject->folded, subject->raw);
	if (table->ascii.any)
		scan_search(search, &table->ascii, subject->folded);
	if (table->high.any && !value->ascii)
		scan_search(search, &table->high, subject->folded);
}

static void present_try(struct search *search, const struct table *table)
{
	for (size_t i = 0; i < table->present_count; i++)
		entry_try(search, &search->index->entries[table->present[i]]);
}

/* ---- keywords ---- */

/*
 * A text that was not folded, of which nothing behind the end may be read: as far as whole blocks
 * go with what is read behind them, then the rest, copied, with a block in front of it. True: all
 * is ASCII.
 */
static bool bare_search(struct search *search, const struct scan *scan, struct str text)
{
	size_t body =
	    text.len < REACH ? 0 : (text.len - REACH) / TEDDY_BLOCK * TEDDY_BLOCK;
	size_t before = body == 0 ? 0 : TEDDY_BLOCK;
	struct str front = str_slice(text, 0, body);
	struct str tail = {search->out->tail, text.len - body + before};
	bool ascii = true;

	memset(search->out->tail, 0, CANDIDATES_TAIL);
	memcpy(search->out->tail, text.ptr + body - before, tail.len);
	for (unsigned kinds = scan->gram_kinds; kinds != 0; kinds &= kinds - 1) {
		const struct gram *gram = &scan->grams[__builtin_ctz(kinds)];

		ascii &= gram_search(search, gram, front, text, 0);
		ascii &= gram_search(search, gram, tail, text, body - before);
	}
	if (scan->teddy != NULL) {
		ascii &= teddy_search(search, scan->teddy, front, 0, text, 0);
		ascii &= teddy_search(search, scan->teddy, tail, before, text, body - before);
	}
	return ascii;
}

/*
 * Keywords are found without folding the text, but for characters that fold to ASCII. False: the
 * text has to be folded.
 */
static bool anywhere_text(struct search *search, const struct table *table, struct str text)
{
	return text.len == 0 || bare_search(search, &table->ascii, text) ||
	    (!table->high.any && fold_keeps_ascii(text));
}

static void anywhere_values(struct search *search, const struct table *table)
{
	for (size_t i = 0; i < search->view->value_count; i++) {
		if (!view_is_piece(search->view, &search->view->values[i]))
			value_search(search, table, &search->view->values[i]);
	}
}

/* Values that lie one behind the other in memory, as one text. False: they have to be folded. */
static bool run_search(struct search *search, const struct table *table, struct str run)
{
	search->unsure = true;
	bool done = anywhere_text(search, table, run);

	search->unsure = false;
	return done;
}

/*
 * The values that are no pieces of the raw line: a decoder has taken their escapes out, and has put
 * them into one room. A literal in a piece of the raw line is in the raw line.
 */
static bool runs_search(struct search *search, const struct table *table)
{
	const struct view *view = search->view;
	const struct view_value *value = view->values;
	struct str run = STR_NONE;
	bool done = true;

	for (size_t count = view->value_count; count > 0 && done; value++, count--) {
		struct str text = value->subject.raw;

		if (view_is_piece(view, value) || value->subject.kind == FIELD_NULL)
			continue;
		uintptr_t from = (uintptr_t)text.ptr - (uintptr_t)run.ptr;

		if (run.len > 0 && from <= run.len && text.len <= run.len - from)
			continue;
		if (run.len > 0 && from == run.len) {
			run.len += text.len;
			continue;
		}
		done = run_search(search, table, run);
		run = text;
	}
	return done && run_search(search, table, run);
}

static void anywhere_search(struct search *search, const struct table *table)
{
	struct view *view = search->view;

	present_try(search, table);
	if (table->words.count == 0 && !table->ascii.any && !table->high.any)
		return;
	bool bare = table->words.count == 0 && table->ascii.any;

	if (!bare || !anywhere_text(search, table, view->raw.subject.raw))
		value_search(search, table, &view->raw);
	if (!bare || !runs_search(search, table))
		anywhere_values(search, table);
}

void index_search(const struct index *index, struct view *view, struct candidates *ret)
{
	struct search search = {.index = index, .view = view, .out = ret};

	const uint32_t *table_of = index->table_of;
	struct view_value *value = view->values;

	ret->count = 0;
	for (size_t i = 0; i < view->value_count; i++, value++) {
		if (value->slot == SLOT_ANYWHERE || table_of[value->slot] == NO_TABLE)
			continue;
		const struct table *table = &index->tables[table_of[value->slot]];

		if (table->present_count > 0 && view->slots[value->slot].first == i)
			present_try(&search, table);
		value_search(&search, table, value);
	}
	if (index->anywhere != NO_TABLE)
		anywhere_search(&search, &index->tables[index->anywhere]);
	for (size_t i = 0; i < index->always_count; i++) {
		uint32_t rule = index->always[i];

		if (ret->stamps[rule] != view->stamp) {
			ret->stamps[rule] = view->stamp;
			ret->rules[ret->count++] = rule;
		}
	}
}
