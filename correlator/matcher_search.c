#include "correlator/matcher_index.h"

/* Found so often, and more than once in so many bytes, pairs are given up. */
#define PAIRS_PATIENCE 1000u
#define PAIRS_SELDOM   200u

/* One search for candidates. */
struct search {
	const struct index *index;
	struct view *view;
	struct candidates *out;
	bool unsure; /* what is found may go from one value into the next */
	struct memo_findings *findings; /* where to note what is found, for a value come again */
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

static __attribute__((noinline)) void findings_add(struct memo_findings *findings,
    uint32_t entry)
{
	for (uint32_t i = 0; i < findings->count && i < MEMO_FOUND; i++) {
		if (findings->entries[i] == entry)
			return;
	}
	if (findings->count < MEMO_FOUND)
		findings->entries[findings->count] = entry;
	findings->count += findings->count <= MEMO_FOUND;
}

/* It is of no more interest for this event, and is not to be noted for others. */
static inline bool entry_is_done(const struct search *search, const struct entry *entry)
{
	return view_is_known(search->view, entry->predicate) && search->findings == NULL;
}

static void entry_note(struct search *search, const struct entry *entry)
{
	if (search->findings != NULL)
		findings_add(search->findings, (uint32_t)(entry - search->index->entries));
}

/* The text of an entry has been found where it has to stand. */
static void entry_found(struct search *search, const struct entry *entry)
{
	entry_note(search, entry);
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

static inline bool literal_is_at(struct str literal, struct str text, size_t begin)
{
	return literal.len <= text.len - begin &&
	    memcmp(text.ptr + begin, literal.ptr, literal.len) == 0;
}

static inline void gram_try(struct search *search, const struct gram *gram, uint32_t hash,
    struct str text, size_t at)
{
	uint32_t bucket = hash >> gram->bucket_shift;
	const struct gram_node *node = &gram->nodes[gram->buckets[bucket]];
	const struct gram_node *end = &gram->nodes[gram->buckets[bucket + 1]];
	uint64_t bytes;

	memcpy(&bytes, text.ptr + at, sizeof(bytes));
	for (; node < end; node++) {
		const struct entry *entry = &search->index->entries[node->entry];

		if (((bytes ^ node->bytes) & node->mask) == 0 && node->offset <= at &&
		    at < text.len && !entry_is_done(search, entry) &&
		    literal_is_at(entry->text, text, at - node->offset))
			entry_found(search, entry);
	}
}

static void gram_search(struct search *search, const struct gram *gram, struct str text)
{
	struct gram_hit *hits = search->out->gram_hits;
	size_t at = 0;

	while (at < text.len) {
		size_t count = gram_find(gram, text, &at, hits, CANDIDATES_HITS);

		for (size_t i = 0; i < count; i++)
			gram_try(search, gram, hits[i].hash, text, hits[i].at);
	}
}

static void teddy_try(struct search *search, const struct teddy_literal *literal,
    struct str text, size_t at)
{
	const struct entry *entry = &search->index->entries[literal->entry];

	if (at < text.len && at >= literal->end && !entry_is_done(search, entry) &&
	    literal_is_at(entry->text, text, at - literal->end))
		entry_found(search, entry);
}

static void teddy_search(struct search *search, struct teddy *teddy, struct str text)
{
	struct teddy_hit *hits = search->out->hits;
	size_t at = 0;

	while (at < text.len) {
		size_t count = teddy_find(teddy, text, &at, hits, CANDIDATES_HITS);

		for (size_t i = 0; i < count; i++)
			teddy_try(search, &teddy->literals[hits[i].literal], text, hits[i].at);
	}
}

/*
 * Unless they have turned out to be frequent: what is ordinary was guessed, and a stranger may send
 * them.
 */
static bool pairs_pay(const struct scan *scan)
{
	uint64_t asked = scan->pairs->asked;

	return asked <= PAIRS_PATIENCE || asked * PAIRS_SELDOM <= scan->looked;
}

/* The text has FOLD_PADDING behind it. */
static void scan_search(struct search *search, struct scan *scan, struct str text)
{
	if (scan->pairs != NULL && pairs_pay(scan)) {
		scan->looked += text.len;
		teddy_search(search, scan->pairs, text);
		return;
	}
	for (unsigned kinds = scan->gram_kinds; kinds != 0; kinds &= kinds - 1)
		gram_search(search, &scan->grams[__builtin_ctz(kinds)], text);
	if (scan->teddy != NULL)
		teddy_search(search, scan->teddy, text);
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
		if (!entry->whole) {
			entry_note(search, entry);
			entry_try(search, entry);
		} else if (word_is_there(entry, text, word)) {
			entry_found(search, entry);
		}
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

static void value_search(struct search *search, struct table *table,
    struct view_value *value)
{
	const struct subject *subject = view_subject(search->view, value);

	if (subject->kind == FIELD_NULL)
		return;
	if (!subject->padded) { /* without memory: it is looked for the slow way */
		search->findings = NULL;
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
 * Keywords of ASCII are found in a text of which only ASCII is folded, but for characters that fold
 * to ASCII. False: its values have to be folded.
 */
static bool piece_search(struct search *search, struct table *table, size_t index)
{
	const struct view_piece *piece = view_piece(search->view, index);

	if (piece->lower == NULL ||
	    (!piece->ascii && (table->high.any || !fold_keeps_ascii(piece->raw))))
		return false;
	/* What is found behind the raw line may go from one value into the next. */
	search->unsure = index > 0;
	scan_search(search, &table->ascii, (struct str){piece->lower, piece->raw.len});
	search->unsure = false;
	return true;
}

/* Values of pieces whose bit is not set. What is in a piece of the raw line is in the raw line. */
static void values_search(struct search *search, struct table *table, unsigned done)
{
	struct view *view = search->view;

	for (size_t i = 0; i < view->value_count; i++) {
		size_t piece = view_piece_of(view, view->record->fields[i].value);

		if ((done >> piece & 1) == 0)
			value_search(search, table, &view->values[i]);
	}
}

/*
 * Nothing of what is looked for is in the raw line: seen without folding it, which the values that
 * are asked for then are one by one.
 */
static bool line_is_clear(struct search *search, struct table *table)
{
	struct str raw = search->view->pieces[0].raw;
	struct scan *scan = &table->ascii;
	bool ascii;

	if (scan->pairs == NULL || !pairs_pay(scan))
		return false;
	scan->looked += raw.len;
	return !teddy_has_any(scan->pairs, raw, search->out->hits, &ascii) &&
	    (ascii || (!table->high.any && fold_keeps_ascii(raw)));
}

/*
 * Where only escapes of one letter were taken out no bytes stand next to each other that do not in
 * the raw line, but those that escapes stand for. So where the raw line has nothing of what is
 * looked for, the values have nothing of it. Gives the pieces that are done.
 */
static unsigned line_search(struct search *search, struct table *table)
{
	struct view *view = search->view;
	struct str unescaped = view->record->unescaped;
	unsigned done = 1;

	if (!line_is_clear(search, table))
		return piece_search(search, table, 0);
	view_piece_apart(view, 0);
	for (size_t i = 1; i < view->piece_count && table->ascii.plain; i++) {
		if (view_is_within(view->pieces[i].raw, unescaped)) {
			view_piece_apart(view, i);
			done |= 1u << i;
		}
	}
	return done;
}

static void anywhere_search(struct search *search, struct table *table)
{
	struct view *view = search->view;
	unsigned done = 0, all = (1u << view->piece_count) - 1;

	present_try(search, table);
	if (table->words.count == 0 && !table->ascii.any && !table->high.any)
		return;
	if (table->words.count == 0)
		done = line_search(search, table);
	for (size_t i = 1; i < view->piece_count && table->words.count == 0; i++)
		done |= (unsigned)((done >> i & 1) != 0 || piece_search(search, table, i)) << i;
	if ((done & 1) == 0)
		value_search(search, table, &view->raw);
	done |= 1;
	if (done != all || view->piece_count == VIEW_PIECES)
		values_search(search, table, done);
}

/* ---- fields ---- */

static void findings_take(struct search *search, const struct memo_findings *findings)
{
	for (uint32_t i = 0; i < findings->count; i++)
		entry_found(search, &search->index->entries[findings->entries[i]]);
}

/* A value that has come to this table before: what is found in it is kept. */
static __attribute__((noinline)) void value_learn(struct search *search, struct table *table,
    struct view_value *value, struct str raw, uint64_t hash)
{
	struct memo_findings findings = {0};

	search->findings = &findings;
	value_search(search, table, value);
	if (search->findings != NULL) /* with memory */
		memo_keep(table->memo, raw, hash, &findings);
	search->findings = NULL;
}

static inline void field_search(struct search *search, struct table *table, uint32_t index)
{
	struct view *view = search->view;
	struct str raw = view->record->fields[index].value;

	if (view_kind(view, index) == FIELD_NULL)
		return;
	if (table->memo == NULL)
		table->memo = memo_new();
	if (table->memo == NULL || raw.len == 0 || raw.len > MEMO_TEXT) {
		value_search(search, table, &view->values[index]);
		return;
	}
	uint64_t hash = memo_hash(raw);
	const struct memo_findings *findings = memo_find(table->memo, raw, hash);

	if (findings != NULL)
		findings_take(search, findings);
	else if (memo_wants(table->memo, hash))
		value_learn(search, table, &view->values[index], raw, hash);
	else
		value_search(search, table, &view->values[index]);
}

/* What of the index is to be done for records of this shape. */
static void steps_make(const struct index *index, struct shape *shape)
{
	shape->step_count = 0;
	for (uint32_t i = 0; i < shape->count; i++) {
		uint32_t slot = shape->slots[i];

		if (slot != SLOT_ANYWHERE && index->table_of[slot] != NO_TABLE)
			shape->steps[shape->step_count++] =
			    (struct shape_step){i, index->table_of[slot]};
	}
	shape->steps_of = index->serial;
}

static void fields_search(struct search *search, struct index *index, struct shape *shape)
{
	if (shape->steps_of != index->serial)
		steps_make(index, shape);
	for (uint32_t i = 0; i < shape->step_count; i++) {
		struct shape_step step = shape->steps[i];
		struct table *table = &index->tables[step.table];

		if (table->present_count > 0 &&
		    shape->first[shape->slots[step.value]] == step.value)
			present_try(search, table);
		field_search(search, table, step.value);
	}
}

void index_search(struct index *index, struct view *view, struct candidates *ret)
{
	struct search search = {.index = index, .view = view, .out = ret};

	ret->count = 0;
	if (index->anywhere != NO_TABLE)
		anywhere_search(&search, &index->tables[index->anywhere]);
	fields_search(&search, index, view->shape);
	for (size_t i = 0; i < index->always_count; i++) {
		uint32_t rule = index->always[i];

		if (ret->stamps[rule] != view->stamp) {
			ret->stamps[rule] = view->stamp;
			ret->rules[ret->count++] = rule;
		}
	}
}
