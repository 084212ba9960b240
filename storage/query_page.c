/*
 * query_page.c - one page of alerts, newest first, in the child.
 *
 * Buckets (and files that were not opened yet, as one) are taken in order of their newest time
 * into a heap of candidates. A candidate newer than all that was not taken yet is the next of the
 * answer; only then is its document read. So a page costs the buckets that overlap it, not the
 * archive.
 */
#include "storage/query_read.h"

#include <stdlib.h>
#include <string.h>

#include "storage/words.h"

#define BITS (DAY_BUCKET / 64)

struct unit {
	size_t file;
	bool whole; /* a file that was not opened yet */
	uint32_t bucket;
	struct bucket range;
	bool done;
};

struct candidate {
	int64_t time_ns;
	struct hash128 id;
	uint64_t sequence;
	size_t file;
};

struct page {
	struct reading *reading;
	const struct filter *filter;
	struct unit *units;
	size_t unit_count, unit_capacity;
	struct candidate *heap;
	size_t count, capacity;
	size_t told;
};

static int no_memory(struct page *page)
{
	return error_set(page->reading->error, ERR_MEMORY, TEXT_base_memory);
}

static bool is_newer(const struct candidate *a, const struct candidate *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns > b->time_ns;
	return a->id.high != b->id.high ? a->id.high > b->id.high : a->id.low > b->id.low;
}

static int heap_push(struct page *page, struct candidate candidate)
{
	size_t at = page->count;

	if (page->count == page->capacity) {
		size_t capacity = page->capacity == 0 ? 8192 : page->capacity * 2;
		struct candidate *grown = realloc(page->heap, capacity * sizeof(*grown));

		if (grown == NULL)
			return no_memory(page);
		page->heap = grown;
		page->capacity = capacity;
	}
	page->count++;
	for (; at > 0 && is_newer(&candidate, &page->heap[(at - 1) / 2]); at = (at - 1) / 2)
		page->heap[at] = page->heap[(at - 1) / 2];
	page->heap[at] = candidate;
	return 0;
}

static struct candidate heap_pop(struct page *page)
{
	struct candidate top = page->heap[0], last = page->heap[--page->count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= page->count)
			break;
		if (child + 1 < page->count && is_newer(&page->heap[child + 1], &page->heap[child]))
			child++;
		if (!is_newer(&page->heap[child], &last))
			break;
		page->heap[at] = page->heap[child];
		at = child;
	}
	page->heap[at] = last;
	return top;
}

static int unit_add(struct page *page, struct unit unit)
{
	const struct filter *filter = page->filter;

	if (unit.range.max_ns < filter->since_ns ||
	    (unit.range.min_ns >= filter->until_ns && filter->until_ns != INT64_MAX) ||
	    (filter->has_after && unit.range.min_ns > filter->after_ns))
		return 0;
	if (page->unit_count == page->unit_capacity) {
		size_t capacity = page->unit_capacity == 0 ? 64 : page->unit_capacity * 2;
		struct unit *grown = realloc(page->units, capacity * sizeof(*grown));

		if (grown == NULL)
			return no_memory(page);
		page->units = grown;
		page->unit_capacity = capacity;
	}
	page->units[page->unit_count++] = unit;
	return 0;
}

static struct unit *newest_unit(struct page *page)
{
	struct unit *newest = NULL;

	for (size_t i = 0; i < page->unit_count; i++) {
		struct unit *unit = &page->units[i];

		if (!unit->done && (newest == NULL || unit->range.max_ns > newest->range.max_ns))
			newest = unit;
	}
	return newest;
}

/* The buckets of a file that has just been opened. */
static int split_file(struct page *page, size_t at)
{
	struct reading *reading = page->reading;
	struct reading_file *file = &reading->files[at];
	struct db_cursor *cursor = NULL;
	struct str key, row;
	uint64_t total = 0;
	int code;

	if (!reading_open(reading, file))
		return 0;
	code = db_cursor_open(file->txn, TABLE_BUCKET, &cursor, reading->error);
	while (code == 0) {
		struct unit unit = {.file = at};

		code = db_cursor_get(cursor, DB_NEXT, &key, &row, reading->error);
		if (code != DB_FOUND)
			break;
		if (key.len != 4 || !words_get(row, &unit.range, sizeof(unit.range))) {
			code = day_damaged(reading->error);
			break;
		}
		unit.bucket = db_key_get_u32(key.ptr);
		total += unit.range.count;
		if (unit_add(page, unit) != 0) {
			db_cursor_close(cursor);
			return ERR_MEMORY;
		}
	}
	db_cursor_close(cursor);
	if (code == DB_NOT_FOUND && total != file->state.next - file->state.first)
		code = day_damaged(reading->error); /* a lost page must not look like silence */
	if (code < 0)
		reading_damaged(reading, file);
	return 0;
}

/* The lists of a filter that postings can answer, ANDed into bits. False: none of them can. */
static int index_bits(
    struct page *page, struct reading_file *file, uint32_t bucket, uint64_t *bits, bool *ret_any)
{
	const struct filter *filter = page->filter;
	int code = 0;

	*ret_any = false;
	for (size_t i = 0; code == 0 && i < filter->count; i++) {
		const struct filter_list *list = &filter->lists[i];
		uint64_t found[BITS] = {0};

		if (list->wildcards)
			continue;
		for (size_t t = 0; code == 0 && t < list->count; t++)
			code = index_read(file->txn, file->key, bucket, list->field, list->terms[t],
			    found, page->reading->error);
		for (size_t w = 0; w < BITS; w++)
			bits[w] = *ret_any ? bits[w] & found[w] : found[w];
		*ret_any = true;
	}
	return code;
}

static int level_bits(
    struct page *page, struct reading_file *file, uint32_t bucket, uint64_t *bits, bool *any)
{
	uint64_t found[BITS] = {0};
	int code = 0;

	if (page->filter->all_levels)
		return 0;
	for (unsigned level = 0; code == 0 && level <= LEVEL_CRITICAL; level++)
		if ((page->filter->levels >> level & 1) != 0)
			code = index_read(file->txn, file->key, bucket, INDEX_LEVEL,
			    level_name((enum level)level), found, page->reading->error);
	for (size_t w = 0; w < BITS; w++)
		bits[w] = *any ? bits[w] & found[w] : found[w];
	*any = true;
	return code;
}

static int offer(struct page *page, const struct unit *unit, uint64_t sequence, struct str row)
{
	const struct reading_file *file = &page->reading->files[unit->file];
	const struct str name = page->filter->replay;
	struct mark mark;

	if (!words_get(row, &mark, sizeof(mark)))
		return day_damaged(page->reading->error);
	if (!filter_passes_mark(
		page->filter, &mark, name.len == 0 ? 0 : hash_sip64(file->key, name) | 1))
		return 0;
	return heap_push(page, (struct candidate){mark.time_ns, mark.id, sequence, unit->file});
}

static int take_bits(struct page *page, const struct unit *unit, const uint64_t *bits)
{
	struct reading_file *file = &page->reading->files[unit->file];
	int code = 0;

	for (size_t w = 0; w < BITS; w++) {
		for (uint64_t rest = bits[w]; code == 0 && rest != 0; rest &= rest - 1) {
			uint64_t sequence = (uint64_t)unit->bucket * DAY_BUCKET + 64 * w +
					    (uint64_t)__builtin_ctzll(rest);
			char key[8];
			struct str row;

			code = db_get(file->txn, TABLE_MARK, day_key_sequence(key, sequence), &row,
			    page->reading->error);
			if (code == DB_FOUND)
				code = offer(page, unit, sequence, row);
			else if (code == DB_NOT_FOUND)
				code = day_damaged(page->reading->error);
		}
	}
	return code;
}

static int take_all(struct page *page, const struct unit *unit)
{
	struct reading *reading = page->reading;
	struct reading_file *file = &reading->files[unit->file];
	uint64_t from = (uint64_t)unit->bucket * DAY_BUCKET, to = from + DAY_BUCKET, seen = 0;
	struct db_cursor *cursor;
	char first[8];
	struct str key =
	    day_key_sequence(first, from < file->state.first ? file->state.first : from);
	struct str row;
	int code = db_cursor_open(file->txn, TABLE_MARK, &cursor, reading->error);

	if (code != 0)
		return code;
	code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &row, reading->error);
	while (code == DB_FOUND && key.len == 8 && db_key_get_u64(key.ptr) < to) {
		code = offer(page, unit, db_key_get_u64(key.ptr), row);
		seen++;
		if (code == 0)
			code = db_cursor_get(cursor, DB_NEXT, &key, &row, reading->error);
	}
	db_cursor_close(cursor);
	if (code >= 0 && seen != unit->range.count)
		code = day_damaged(reading->error);
	return code < 0 ? code : 0;
}

static int take_unit(struct page *page, struct unit *unit)
{
	struct reading *reading = page->reading;
	struct reading_file *file = &reading->files[unit->file];
	uint64_t bits[BITS];
	bool any;
	int code;

	unit->done = true;
	if (unit->whole)
		return split_file(page, unit->file);
	if (!reading_open(reading, file))
		return 0;
	code = index_bits(page, file, unit->bucket, bits, &any);
	if (code == 0)
		code = level_bits(page, file, unit->bucket, bits, &any);
	if (code == 0)
		code = any ? take_bits(page, unit, bits) : take_all(page, unit);
	if (code == ERR_MEMORY)
		return code;
	if (code < 0)
		reading_damaged(reading, file);
	return 0;
}

static bool is_hidden(const struct filter *filter, const struct mark *mark)
{
	if (mark->status == ALERT_REPLACED || (mark->flags & MARK_REPLACED) != 0)
		return !filter->with_replaced;
	return (mark->flags & MARK_FOLDED) != 0;
}

/* A candidate was there a moment ago: what cannot be found of it now is damage. */
static void missed(struct reading *reading, struct reading_file *file)
{
	if (file->bad)
		return;
	(void)day_damaged(reading->error);
	reading_damaged(reading, file);
}

static void tell(struct page *page, const struct candidate *candidate)
{
	struct reading *reading = page->reading;
	struct reading_file *file = &reading->files[candidate->file];
	struct str facets, json;
	struct words words;
	struct mark mark;

	if (file->bad)
		return;
	if (reading_mark(reading, candidate->sequence, &mark) != DB_FOUND) {
		missed(reading, file);
		return;
	}
	if (is_hidden(page->filter, &mark))
		return;
	if (reading_document(reading, file, candidate->sequence, &facets, &json) != DB_FOUND) {
		missed(reading, file);
		return;
	}
	if (!filter_passes(page->filter, facets))
		return;
	reading_say(reading, ANSWER_ALERT, words_put(&words, &mark, sizeof(mark)), json);
	page->told++;
}

static int read_units(struct page *page)
{
	int code = 0;

	while (code == 0 && page->told < page->filter->limit) {
		struct unit *unit = newest_unit(page);

		if (page->count > 0 &&
		    (unit == NULL || page->heap[0].time_ns > unit->range.max_ns)) {
			struct candidate next = heap_pop(page);

			tell(page, &next);
		} else if (unit != NULL) {
			code = take_unit(page, unit);
		} else {
			break;
		}
	}
	return code;
}

int read_page(struct reading *reading)
{
	struct page page = {.reading = reading, .filter = reading->question->filter};
	int code = 0;

	for (size_t i = 0; code == 0 && i < reading->count; i++) {
		struct reading_file *file = &reading->files[i];

		if (!file->bad && (file->known || reading_open(reading, file)))
			code = unit_add(&page, (struct unit){.file = i,
						   .whole = true,
						   .range = {file->state.min_ns, file->state.max_ns,
						       file->state.alerts}});
	}
	if (code == 0)
		code = read_units(&page);
	free(page.units);
	free(page.heap);
	return code;
}
