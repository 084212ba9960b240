#include "storage/query_filter.h"

#include <string.h>

#define CURSOR_LEN 48

static bool has_wildcard(struct str text)
{
	return str_find_char(text, '*') != STR_NOT_FOUND ||
	       str_find_char(text, '?') != STR_NOT_FOUND;
}

static int list_add(struct filter *filter, enum index_field field, const struct str *terms,
    size_t count, struct arena *arena, struct error *error)
{
	struct filter_list *list = &filter->lists[filter->count];
	struct buf folded = BUF(4 * INDEX_TEXT + 16);

	if (count == 0)
		return 0;
	*list = (struct filter_list){
	    .field = field, .count = count < QUERY_TERMS ? count : QUERY_TERMS};
	for (size_t i = 0; i < list->count; i++) {
		buf_clear(&folded);
		index_fold(&folded, terms[i]);
		list->terms[i] = arena_dup(arena, buf_str(&folded));
		list->wildcards |= has_wildcard(terms[i]);
		if (folded.failed || arena_failed(arena)) {
			buf_free(&folded);
			return error_set(error, ERR_MEMORY, TEXT_base_memory);
		}
	}
	buf_free(&folded);
	filter->count++;
	return 0;
}

static int cursor_read(struct filter *filter, struct str after, struct error *error)
{
	uint8_t time[8];

	if (after.len == 0)
		return 0;
	if (after.len != CURSOR_LEN || !str_to_bytes(str_slice(after, 0, 16), time, 8) ||
	    !hash128_parse(str_slice(after, 16, after.len), &filter->after_id))
		return error_set(error, ERR_USAGE, TEXT_storage_cursor, STR_ARG(after));
	filter->after_ns = day_time_of(db_key_get_u64(time));
	filter->has_after = true;
	return 0;
}

int filter_make(
    struct filter *ret, const struct query_filter *from, struct arena *arena, struct error *error)
{
	const struct {
		enum index_field field;
		const struct str *terms;
		size_t count;
	} lists[FILTER_LISTS] = {
	    {INDEX_RULE, from->rules, from->rule_count},
	    {INDEX_HOST, from->hosts, from->host_count},
	    {INDEX_USER, from->users, from->user_count},
	    {INDEX_ADDRESS, from->addresses, from->address_count},
	    {INDEX_AGENCY, from->agencies, from->agency_count},
	    {INDEX_SENDER, from->senders, from->sender_count},
	};
	int code = 0;

	*ret = (struct filter){.since_ns = from->since_ns,
	    .until_ns = from->until_ns,
	    .with_replaced = from->with_replaced,
	    .limit = from->limit == 0 ? QUERY_DEFAULT : from->limit};
	if (ret->limit > QUERY_LIMIT)
		ret->limit = QUERY_LIMIT;
	for (unsigned level = from->level_min; level <= from->level_max && level <= LEVEL_CRITICAL;
	     level++)
		ret->levels |= 1u << level;
	ret->all_levels = ret->levels == (1u << (LEVEL_CRITICAL + 1)) - 1;
	ret->replay = arena_dup(arena, from->replay);
	for (size_t i = 0; code == 0 && i < FILTER_LISTS; i++)
		code = list_add(ret, lists[i].field, lists[i].terms, lists[i].count, arena, error);
	return code == 0 ? cursor_read(ret, from->after, error) : code;
}

static bool is_behind(const struct filter *filter, const struct mark *mark)
{
	if (mark->time_ns != filter->after_ns)
		return mark->time_ns < filter->after_ns;
	if (mark->id.high != filter->after_id.high)
		return mark->id.high < filter->after_id.high;
	return mark->id.low < filter->after_id.low;
}

bool filter_passes_mark(const struct filter *filter, const struct mark *mark, uint64_t replay)
{
	return mark->time_ns >= filter->since_ns &&
	       (mark->time_ns < filter->until_ns || filter->until_ns == INT64_MAX) &&
	       mark->replay == replay && (!filter->has_after || is_behind(filter, mark));
}

static bool list_passes(const struct filter_list *list, struct str text)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->wildcards ? index_match(list->terms[i], text)
				    : str_eq(list->terms[i], text))
			return true;
	return false;
}

static bool level_passes(const struct filter *filter, struct str text)
{
	enum level level;

	return level_parse(text, &level) && (filter->levels >> level & 1) != 0;
}

bool filter_passes(const struct filter *filter, struct str facets)
{
	unsigned passed = 0;
	bool level = filter->all_levels;
	struct str text, replay = STR_NONE;
	enum index_field field;

	while (index_next(&facets, &field, &text)) {
		if (field == INDEX_LEVEL)
			level = level || level_passes(filter, text);
		else if (field == INDEX_REPLAY)
			replay = text;
		for (size_t i = 0; i < filter->count; i++)
			if (filter->lists[i].field == field && list_passes(&filter->lists[i], text))
				passed |= 1u << i;
	}
	/* the name was compared by its hash; live and replayed are told apart here once more */
	return level && passed == (1u << filter->count) - 1 &&
	       (replay.len == 0) == (filter->replay.len == 0);
}

struct str filter_cursor(struct arena *arena, int64_t time_ns, struct hash128 id)
{
	char text[HASH128_TEXT];

	hash128_format(id, text);
	return arena_printf(arena, "%016lx%s", day_time_key(time_ns), text);
}
