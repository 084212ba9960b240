#include "correlator/shelf.h"

#include <stdio.h>

#include "sigma/bundle.h"

#define SETS_MAX  512u /* as many as there can be workers, and what they had before */
#define ROW_MAX   65536u
#define HASH_SIZE (HASH128_TEXT - 1)

static const struct str rows = {"rules/", 6}, sets = {"ruleset/", 8};

struct set_name {
	char text[HASH128_TEXT];
};

/* What one look over the rows finds. */
struct survey {
	const struct shelf_entry *entry;
	struct set_name needed[SETS_MAX], kept[SETS_MAX];
	uint32_t gone[SETS_MAX]; /* workers */
	size_t needed_count, kept_count, gone_count;
};

static bool name_take(struct str text, struct set_name *ret)
{
	struct hash128 hash;

	if (text.len < HASH_SIZE || !hash128_parse(str_slice(text, 0, HASH_SIZE), &hash))
		return false;
	hash128_format(hash, ret->text);
	return true;
}

static bool row_visit(void *context, struct str name, struct str value)
{
	struct survey *survey = context;
	uint64_t instance;

	if (survey->needed_count == SETS_MAX || survey->gone_count == SETS_MAX)
		return false;
	if (!str_to_u64(str_slice(name, rows.len, name.len), &instance))
		return true;
	if (survey->entry->instances > 0 && instance >= survey->entry->instances)
		survey->gone[survey->gone_count++] = (uint32_t)instance;
	else if (name_take(value, &survey->needed[survey->needed_count]))
		survey->needed_count++;
	return true;
}

static bool set_visit(void *context, struct str name, struct str value)
{
	struct survey *survey = context;

	(void)value;
	if (name_take(str_slice(name, sets.len, name.len), &survey->kept[survey->kept_count]))
		survey->kept_count++;
	return survey->kept_count < SETS_MAX;
}

static bool is_needed(const struct survey *survey, const struct set_name *name)
{
	for (size_t i = 0; i < survey->needed_count; i++)
		if (str_eq(str_of(survey->needed[i].text), str_of(name->text)))
			return true;
	return false;
}

static int row_delete(struct checkpoint *checkpoint, uint32_t instance, struct error *error)
{
	char name[32];

	snprintf(name, sizeof(name), "rules/%u", instance);
	return checkpoint_state_delete(checkpoint, str_of(name), error);
}

static int set_delete(struct checkpoint *checkpoint, const struct set_name *set,
    struct error *error)
{
	char name[64];

	snprintf(name, sizeof(name), "ruleset/%s", set->text);
	return checkpoint_state_delete(checkpoint, str_of(name), error);
}

static int shelf_tidy(struct checkpoint *checkpoint, struct survey *survey, struct error *error)
{
	int code = checkpoint_state_each(checkpoint, rows, row_visit, survey, error);

	/* With more rows than can be looked at, nobody knows what is needed. */
	if (code < 0 || survey->needed_count == SETS_MAX)
		return code;
	code = checkpoint_state_each(checkpoint, sets, set_visit, survey, error);
	for (size_t i = 0; code == 0 && i < survey->gone_count; i++)
		code = row_delete(checkpoint, survey->gone[i], error);
	for (size_t i = 0; code == 0 && i < survey->kept_count; i++)
		if (!is_needed(survey, &survey->kept[i]))
			code = set_delete(checkpoint, &survey->kept[i], error);
	return code;
}

static int row_put(struct checkpoint *checkpoint, const struct shelf_entry *entry,
    const struct set_name *set, struct error *error)
{
	struct buf row = BUF(ROW_MAX);
	char name[32], rules[HASH128_TEXT];

	snprintf(name, sizeof(name), "rules/%u", entry->instance);
	buf_str_put(&row, entry->bundle.len > 0 ? str_of(set->text) : STR("-"));
	buf_char(&row, ' ');
	buf_str_put(&row, hash128_format(entry->rules, rules));
	buf_str_put(&row, entry->offsets);
	int code = row.failed ? error_set(error, ERR_MEMORY, TEXT_base_memory)
	    : checkpoint_state_put(checkpoint, str_of(name), buf_str(&row), error);

	buf_free(&row);
	return code;
}

/* Another worker may have put it there already; what is damaged is made good. */
static int set_put(struct checkpoint *checkpoint, const struct set_name *set, struct str bundle,
    struct error *error)
{
	struct buf there = BUF(BUNDLE_MAX);
	char name[64];

	snprintf(name, sizeof(name), "ruleset/%s", set->text);
	bool same = checkpoint_state_get(checkpoint, str_of(name), &there, NULL) == 0 &&
	    str_eq(buf_str(&there), bundle);

	buf_free(&there);
	return same ? 0 : checkpoint_state_put(checkpoint, str_of(name), bundle, error);
}

int shelf_put(struct checkpoint *checkpoint, const struct shelf_entry *entry, struct error *error)
{
	struct survey survey = {.entry = entry};
	struct set_name set;

	hash128_format(bundle_hash(entry->bundle), set.text);
	int code = entry->bundle.len > 0 ? set_put(checkpoint, &set, entry->bundle, error) : 0;

	if (code == 0)
		code = row_put(checkpoint, entry, &set, error);
	return code < 0 ? code : shelf_tidy(checkpoint, &survey, error);
}

/* ---- looking ---- */

static bool first_visit(void *context, struct str name, struct str value)
{
	struct buf *row = context;

	(void)name;
	buf_clear(row);
	buf_str_put(row, value);
	return false;
}

static int row_get(struct checkpoint *checkpoint, uint32_t instance, struct buf *row,
    struct error *error)
{
	char name[32];

	snprintf(name, sizeof(name), "rules/%u", instance);
	int code = checkpoint_state_get(checkpoint, str_of(name), row, NULL);

	if (code != ERR_MISSING)
		return code < 0 ? error_set(error, code, TEXT_correlator_shelf_row, name) : 0;
	buf_clear(row);
	return checkpoint_state_each(checkpoint, rows, first_visit, row, error);
}

static int set_get(struct checkpoint *checkpoint, struct str row, struct buf *out,
    struct error *error)
{
	struct set_name set;
	char name[64], hash[HASH128_TEXT];

	if (!name_take(row, &set))
		return error_set(error, ERR_MISSING, TEXT_correlator_shelf_none);
	snprintf(name, sizeof(name), "ruleset/%s", set.text);
	int code = checkpoint_state_get(checkpoint, str_of(name), out, NULL);

	if (code == ERR_MISSING)
		return error_set(error, code, TEXT_correlator_shelf_none);
	if (code == 0 && !str_eq(hash128_format(bundle_hash(buf_str(out)), hash),
	    str_of(set.text)))
		code = ERR_CORRUPT;
	return code < 0 ? error_set(error, code, TEXT_correlator_shelf_damaged, set.text) : 0;
}

int shelf_get(struct checkpoint *checkpoint, uint32_t instance, struct buf *out,
    struct error *error)
{
	struct buf row = BUF(ROW_MAX);
	int code = row_get(checkpoint, instance, &row, error);

	if (code == 0)
		code = set_get(checkpoint, buf_str(&row), out, error);
	buf_free(&row);
	return code;
}
