#include "correlator/matcher_index.h"

#include "base/cpu.h"

/* One search for candidates. */
struct search {
	const struct index *index;
	struct view *view;
	struct candidates *out;
	bool folds; /* ENTRY_FOLDS was met */
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
	if (entry->whole)
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

static bool literal_is_at(struct str literal, struct str text, size_t begin)
{
	return literal.len <= text.len - begin &&
	    memcmp(text.ptr + begin, literal.ptr, literal.len) == 0;
}

static void grams_at(struct search *search, const struct gram *gram, struct str text, size_t at,
    uint32_t hash)
{
	uint32_t bucket = hash >> gram->bucket_shift;
	const struct gram_node *node = &gram->nodes[gram->buckets[bucket]];
	const struct gram_node *end = &gram->nodes[gram->buckets[bucket + 1]];
	uint64_t bytes;

	memcpy(&bytes, text.ptr + at, sizeof(bytes));
	for (; node < end; node++) {
		const struct entry *entry = &search->index->entries[node->entry];

		if (((bytes ^ node->bytes) & node->mask) != 0 || node->offset > at)
			continue;
		if (literal_is_at(entry->text, text, at - node->offset))
			entry_found(search, entry);
	}
}

/* The text has FOLD_PADDING behind it. */
static void gram_search(struct search *search, const struct gram *gram, struct str text)
{
	const uint32_t mask = gram->mask;
	const size_t stride = gram->stride;

	if (gram->count == 0)
		return;
	for (size_t at = 0; at + gram->width <= text.len; at += stride) {
		uint32_t hash = gram_hash(gram_word(text.ptr + at) & mask);

		if (gram_maybe(gram, hash))
			grams_at(search, gram, text, at, hash);
	}
}

static bool literal_is_folded_at(struct str literal, struct str text, size_t begin)
{
	if (literal.len > text.len - begin)
		return false;
	for (size_t i = 0; i < literal.len; i++) {
		if (char_lower(text.ptr[begin + i]) != literal.ptr[i])
			return false;
	}
	return true;
}

/* Four bytes of the text that end at a place; before its beginning there are zeros. */
static uint32_t four_before(struct str text, size_t at)
{
	uint32_t word = 0;

	if (at >= TEDDY_WIDTH - 1)
		return gram_word(text.ptr + at - (TEDDY_WIDTH - 1));
	for (size_t i = 0; i <= at; i++)
		word |= (uint32_t)(uint8_t)text.ptr[at - i] << (24 - 8 * i);
	return word;
}

static void teddy_literal_try(struct search *search, const struct teddy_literal *literal,
    struct str text, size_t at)
{
	if (literal->entry == ENTRY_FOLDS) {
		search->folds = true;
		return;
	}
	const struct entry *entry = &search->index->entries[literal->entry];

	if (at >= literal->end && literal_is_folded_at(entry->text, text, at - literal->end))
		entry_found(search, entry);
}

static void teddy_try(struct search *search, const struct teddy *teddy, struct str text,
    struct teddy_hit hit)
{
	if (hit.at >= text.len)
		return;
	uint32_t word = four_before(text, hit.at);

	for (uint32_t groups = hit.groups; groups != 0; groups &= groups - 1) {
		uint32_t group = (uint32_t)__builtin_ctz(groups);

		for (uint32_t i = teddy->groups[group]; i < teddy->groups[group + 1]; i++) {
			const struct teddy_literal *literal = &teddy->literals[i];

			if ((((word | literal->letters) ^ literal->bytes) & literal->mask) == 0)
				teddy_literal_try(search, literal, text, hit.at);
		}
	}
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
			teddy_try(search, teddy, text,
			    (struct teddy_hit){hits[i].at + (uint32_t)base, hits[i].groups});
	}
	return !high;
}

static void scan_search(struct search *search, const struct scan *scan, struct str text)
{
	for (unsigned kind = 0; kind < scan->gram_count; kind++)
		gram_search(search, &scan->grams[kind], text);
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

static void word_search(struct search *search, const struct words *words, struct str text,
    uint64_t key, enum word word)
{
	for (uint32_t i = words_first(words, key); i != WORDS_END; i = words->nodes[i].next) {
		const struct entry *entry = &search->index->entries[words->nodes[i].entry];

		if (words->nodes[i].key != key)
			continue;
		if (!entry->whole)
			entry_try(search, entry);
		else if (word_is_there(entry, text, word))
			entry_found(search, entry);
	}
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

	if (raw.len > 0 && (char_is_digit(raw.ptr[0]) || raw.ptr[0] == '-' || raw.ptr[0] == '.') &&
	    !is_plain_integer(raw) && str_to_double(raw, &number))
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
 * A text that was not folded, of which nothing behind the end may be read: whole blocks, then the
 * rest, copied, behind the block in front of it. True: all is ASCII.
 */
static bool bare_search(struct search *search, const struct teddy *teddy, struct str text)
{
	size_t body = text.len / TEDDY_BLOCK * TEDDY_BLOCK;
	size_t before = body == 0 ? 0 : TEDDY_BLOCK;
	char *tail = search->out->tail;
	bool ascii = teddy_search(search, teddy, str_slice(text, 0, body), 0, text, 0);

	if (body == text.len)
		return ascii;
	size_t len = text.len - body + before;

	memset(tail, 0, CANDIDATES_TAIL);
	memcpy(tail, text.ptr + body - before, len);
	ascii &= teddy_search(search, teddy, (struct str){tail, len}, before, text, body - before);
	return ascii;
}

/* A literal in a piece of the raw line is in the raw line, which has been searched. */
static bool is_piece(struct str text, struct str whole)
{
	return text.len == 0 || (text.ptr >= whole.ptr && text.len <= whole.len &&
	    (size_t)(text.ptr - whole.ptr) <= whole.len - text.len);
}

/* Few keywords are found without folding the text. */
static void anywhere_value(struct search *search, const struct table *table,
    struct view_value *value)
{
	struct str text = value->subject.raw;

	if (value->subject.kind == FIELD_NULL || text.len == 0)
		return;
	if (table->ascii.folds && table->words.count == 0 && !value->ready) {
		search->folds = false;
		bool ascii = bare_search(search, table->ascii.teddy, text);

		if (ascii || !(search->folds || table->high.any))
			return;
	}
	value_search(search, table, value);
}

static void anywhere_search(struct search *search, const struct table *table)
{
	struct view *view = search->view;
	struct str raw = view->raw.subject.raw;

	present_try(search, table);
	if (table->words.count == 0 && !table->ascii.any && !table->high.any)
		return;
	anywhere_value(search, table, &view->raw);
	for (size_t i = 0; i < view->value_count; i++) {
		if (!is_piece(view->values[i].subject.raw, raw))
			anywhere_value(search, table, &view->values[i]);
	}
}

void index_search(const struct index *index, struct view *view, struct candidates *ret)
{
	struct search search = {.index = index, .view = view, .out = ret};

	ret->count = 0;
	for (size_t i = 0; i < view->value_count; i++) {
		struct view_value *value = &view->values[i];
		uint32_t table =
		    value->slot == SLOT_ANYWHERE ? NO_TABLE : index->table_of[value->slot];

		if (table == NO_TABLE)
			continue;
		if (index->tables[table].present_count > 0 &&
		    view->slots[value->slot].first == i)
			present_try(&search, &index->tables[table]);
		value_search(&search, &index->tables[table], value);
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
