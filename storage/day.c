/*
 * day.c - names, opening, the state row, keys.
 */
#include "storage/day.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/file.h"
#include "storage/words.h"

#define SUFFIX ".mdb"

static const struct db_table_options tables[DAY_TABLES] = {
    [TABLE_DOC] = {"doc", 0},
    [TABLE_UID] = {"uid", 0},
    [TABLE_MARK] = {"mark", 0},
    [TABLE_IX] = {"ix", DB_DUPLICATES},
    [TABLE_BUCKET] = {"bucket", 0},
    [TABLE_EVIDENCE] = {"evidence", 0},
    [TABLE_WANT] = {"want", 0},
    [TABLE_LINK] = {"link", 0},
    [TABLE_GONE] = {"gone", 0},
    [TABLE_PEND] = {"pend", 0},
    [TABLE_FOLD] = {"fold", 0},
    [TABLE_DUE] = {"due", 0},
    [TABLE_META] = {"meta", 0},
    [TABLE_FILE] = {"file", 0},
    [TABLE_GAP] = {"gap", 0},
};

struct day_name day_name_make(int64_t day, uint64_t number)
{
	struct day_name name = {.day = day, .number = number};
	char date[CIVIL_TEXT];

	civil_format(day * 86400 * NS_PER_S, 0, 0, date);
	if (number == 0)
		snprintf(name.text, sizeof(name.text), "%.10s" SUFFIX, date);
	else
		snprintf(
		    name.text, sizeof(name.text), "%.10s.%lu" SUFFIX, date, number % 1000000000);
	return name;
}

static bool digits(struct str text, size_t from, size_t to, uint64_t *ret)
{
	return str_to_u64(str_slice(text, from, to), ret);
}

bool day_name_parse(struct str text, struct day_name *ret)
{
	uint64_t year, month, day, number = 0;

	if (text.len < 14 || text.len >= DAY_NAME || !str_ends(text, STR(SUFFIX)) ||
	    !digits(text, 0, 4, &year) || !digits(text, 5, 7, &month) || !digits(text, 8, 10, &day))
		return false;
	struct civil civil = {.year = (int)year, .month = (int)month, .day = (int)day};

	if (!civil_is_valid(&civil) || year < 1970 || year > 2200)
		return false;
	if (text.len > 14 && !digits(text, 11, text.len - 4, &number))
		return false;
	*ret = day_name_make(civil_to_ns(&civil, 0) / (86400 * NS_PER_S), number);
	/* one spelling a file: the name must be the one that we would give */
	return str_eq(str_of(ret->text), text);
}

static int compare_names(const void *a, const void *b)
{
	const struct day_name *x = a, *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return x->number == y->number ? 0 : x->number < y->number ? -1 : 1;
}

int day_list(struct arena *arena, const char *folder, struct day_name **ret, size_t *ret_count,
    struct error *error)
{
	struct str *paths;
	struct stat st;
	size_t count;

	*ret = NULL;
	*ret_count = 0;
	if (stat(folder, &st) != 0)
		return 0;
	int code = file_list(arena, folder, STR(SUFFIX), DAY_FILES_MAX, &paths, &count, error);

	if (code != 0)
		return code;
	*ret = arena_array(arena, count + 1, sizeof(**ret));
	if (*ret == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (size_t i = 0; i < count; i++) {
		size_t slash = str_find_last(paths[i], '/');
		struct str head = str_slice(paths[i], 0, slash == STR_NOT_FOUND ? 0 : slash);
		struct str name =
		    str_slice(paths[i], slash == STR_NOT_FOUND ? 0 : slash + 1, paths[i].len);

		/* folders below are not ours */
		while (str_ends(head, STR("/")))
			head.len--;
		struct str own = str_of(folder);

		while (str_ends(own, STR("/")))
			own.len--;
		if (str_eq(head, own) && day_name_parse(name, &(*ret)[*ret_count]))
			++*ret_count;
	}
	qsort(*ret, *ret_count, sizeof(**ret), compare_names);
	return 0;
}

struct str day_path(struct arena *arena, const char *folder, const char *name)
{
	return arena_printf(arena, "%s/%s", folder, name);
}

static struct db_options options_of(const struct day_open *how)
{
	return (struct db_options){
	    .format = "tocsin.alerts",
	    .version = DAY_VERSION,
	    .site = how->site,
	    .sync = how->quick ? DB_SYNC_NONE : DB_SYNC_NO_META,
	    .read_only = !how->write,
	    .must_exist = !how->make,
	    .max_bytes = how->max_bytes,
	    .tables = tables,
	    .table_count = DAY_TABLES,
	};
}

int day_open(struct db **ret, const char *path, const struct day_open *how, struct error *error)
{
	struct db_options options = options_of(how);

	return db_open(ret, path, &options, error);
}

int day_verify(const char *path, const struct day_open *how, struct error *error)
{
	struct db_options options = options_of(how);

	return db_verify(path, &options, error);
}

int day_damaged(struct error *error)
{
	return error_set(error, ERR_CORRUPT, TEXT_storage_row);
}

int day_state_get(struct db_txn *txn, struct day_state *ret, struct error *error)
{
	struct str row;
	int code = db_get(txn, TABLE_META, STR("state"), &row, error);

	if (code < 0)
		return code;
	if (code == DB_NOT_FOUND || !words_get(row, ret, sizeof(*ret)))
		return day_damaged(error);
	return 0;
}

int day_state_put(struct db_txn *txn, const struct day_state *state, struct error *error)
{
	struct words words;

	return db_put(
	    txn, TABLE_META, STR("state"), words_put(&words, state, sizeof(*state)), 0, error);
}

struct str day_key(char out[16], struct hash128 id)
{
	db_key_u64(out, id.high);
	db_key_u64(out + 8, id.low);
	return str_from(out, 16);
}

struct hash128 day_key_id(const char *at)
{
	return (struct hash128){db_key_get_u64(at), db_key_get_u64(at + 8)};
}

struct str day_key_sequence(char out[8], uint64_t sequence)
{
	db_key_u64(out, sequence);
	return str_from(out, 8);
}

uint64_t day_time_key(int64_t time_ns)
{
	return (uint64_t)time_ns ^ (UINT64_C(1) << 63);
}

int64_t day_time_of(uint64_t key)
{
	return (int64_t)(key ^ (UINT64_C(1) << 63));
}
