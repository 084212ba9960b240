/*
 * query_one.c - one alert by its id, its evidence, and the generation, in the child.
 */
#include "storage/query_read.h"

#include <string.h>

#include "storage/words.h"

struct found {
	uint64_t sequences[2];
	size_t count;
};

static void found_add(struct found *found, uint64_t sequence)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->sequences[i] == sequence)
			return;
	if (found->count < 2)
		found->sequences[found->count++] = sequence;
}

/* What ids of the range are known by, in one file; two different ones are enough to know. */
static int find_ids(struct reading *reading, struct reading_file *file, struct found *found)
{
	char first[16], last[16];
	struct str key = day_key(first, reading->question->id), row;
	struct str end = day_key(last, reading->question->id_last);
	struct db_cursor *cursor;
	uint64_t sequence;
	int code = db_cursor_open(file->txn, TABLE_UID, &cursor, reading->error);

	if (code != 0)
		return code;
	code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &row, reading->error);
	while (code == DB_FOUND && str_compare(key, end) <= 0 && found->count < 2) {
		if (!words_get(row, &sequence, 8)) {
			code = day_damaged(reading->error);
			break;
		}
		found_add(found, sequence);
		code = db_cursor_get(cursor, DB_NEXT, &key, &row, reading->error);
	}
	db_cursor_close(cursor);
	return code < 0 ? code : 0;
}

int read_alert(struct reading *reading)
{
	const struct str text = reading->question->text;
	struct found found = {.count = 0};
	struct reading_file *file;
	struct str facets, json;
	struct words words;
	struct mark mark;

	for (size_t i = reading->count; i-- > 0 && found.count < 2;)
		if (reading_open(reading, &reading->files[i]) &&
		    find_ids(reading, &reading->files[i], &found) < 0)
			reading_damaged(reading, &reading->files[i]);
	if (found.count > 1)
		return error_set(reading->error, ERR_USAGE, TEXT_storage_many, STR_ARG(text));
	file = found.count == 1 ? reading_owner(reading, found.sequences[0]) : NULL;
	if (file == NULL || reading_mark(reading, found.sequences[0], &mark) != DB_FOUND ||
	    reading_document(reading, file, found.sequences[0], &facets, &json) != DB_FOUND)
		return error_set(reading->error, ERR_MISSING, TEXT_storage_none, STR_ARG(text));
	reading_say(reading, ANSWER_ALERT, words_put(&words, &mark, sizeof(mark)), json);
	return 0;
}

static int tell_rows(struct reading *reading, struct reading_file *file, struct hash128 id)
{
	char own[16];
	struct str prefix = day_key(own, id), key = prefix, row;
	struct db_cursor *cursor;
	int code = db_cursor_open(file->txn, TABLE_EVIDENCE, &cursor, reading->error);

	if (code != 0)
		return code;
	code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &row, reading->error);
	while (code == DB_FOUND && str_starts(key, prefix)) {
		reading_say(reading, ANSWER_EVIDENCE, row, STR_NONE);
		code = db_cursor_get(cursor, DB_NEXT, &key, &row, reading->error);
	}
	db_cursor_close(cursor);
	return code < 0 ? code : 0;
}

static void tell_everywhere(struct reading *reading, struct hash128 id)
{
	for (size_t i = 0; i < reading->count; i++)
		if (reading_open(reading, &reading->files[i]) &&
		    tell_rows(reading, &reading->files[i], id) < 0)
			reading_damaged(reading, &reading->files[i]);
}

/* What folded into it shows its evidence with it; or is told itself. */
static int tell_links(struct reading *reading, struct reading_file *file, bool matches)
{
	char own[16];
	struct str prefix = day_key(own, reading->question->id), key = prefix, row;
	struct db_cursor *cursor;
	int code = db_cursor_open(file->txn, TABLE_LINK, &cursor, reading->error);

	if (code != 0)
		return code;
	code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &row, reading->error);
	while (code == DB_FOUND && key.len == 32 && str_starts(key, prefix)) {
		if (matches)
			reading_say(reading, ANSWER_MATCH, row, STR_NONE);
		else
			tell_everywhere(reading, day_key_id(key.ptr + 16));
		code = db_cursor_get(cursor, DB_NEXT, &key, &row, reading->error);
	}
	db_cursor_close(cursor);
	return code < 0 ? code : 0;
}

static void tell_all_links(struct reading *reading, bool matches)
{
	for (size_t i = 0; i < reading->count; i++)
		if (reading_open(reading, &reading->files[i]) &&
		    tell_links(reading, &reading->files[i], matches) < 0)
			reading_damaged(reading, &reading->files[i]);
}

int read_evidence(struct reading *reading)
{
	tell_everywhere(reading, reading->question->id);
	tell_all_links(reading, false);
	return 0;
}

int read_matches(struct reading *reading)
{
	tell_all_links(reading, true);
	return 0;
}

int read_generation(struct reading *reading)
{
	uint64_t generation = 0;
	struct words words;

	for (size_t i = reading->count; i-- > 0 && generation == 0;)
		if (reading_open(reading, &reading->files[i]))
			generation = reading->files[i].state.generation;
	reading_say(reading, ANSWER_NUMBER, words_put(&words, &generation, 8), STR_NONE);
	return 0;
}
