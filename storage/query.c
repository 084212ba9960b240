#include "storage/query.h"

#include <stdlib.h>
#include <string.h>

#include "event/frame.h"
#include "storage/evidence.h"
#include "storage/query_read.h"
#include "storage/words.h"

struct query {
	char *path;
};

int query_open(struct query **ret, const char *path, struct error *error)
{
	struct query *query = calloc(1, sizeof(*query));

	*ret = NULL;
	if (query != NULL)
		query->path = strdup(path);
	if (query == NULL || query->path == NULL) {
		free(query);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	*ret = query;
	return 0;
}

void query_close(struct query *query)
{
	if (query == NULL)
		return;
	free(query->path);
	free(query);
}

/* ---- alerts ---- */

struct taking {
	struct arena *arena;
	struct error *error;
	bool (*visit)(void *context, const struct query_alert *alert);
	void *context;
	struct query_alert *one;
};

static int alert_make(struct taking *taking, struct str payload, struct query_alert *ret)
{
	struct mark mark;

	if (!words_get(str_slice(payload, 0, sizeof(mark)), &mark, sizeof(mark)))
		return day_damaged(taking->error);
	*ret = (struct query_alert){.folded = mark.folded,
	    .evidence_kept = mark.kept,
	    .evidence_missing = mark.missing,
	    .evidence_cut = mark.cut,
	    .json = arena_dup(taking->arena, str_slice(payload, sizeof(mark), payload.len)),
	    .cursor = filter_cursor(taking->arena, mark.time_ns, mark.id)};
	int code = alert_read(taking->arena, ret->json, &ret->alert, taking->error);

	if (code != 0)
		return code;
	ret->alert.status = (enum alert_status)mark.status;
	if (mark.status == ALERT_REPLACED || (mark.flags & MARK_FOLDED) != 0) {
		ret->alert.status = ALERT_REPLACED;
		ret->replaced_by = mark.other;
	}
	ret->alert.count = mark.count;
	ret->alert.first_ns = mark.first_ns;
	ret->alert.last_ns = mark.last_ns;
	if (ret->alert.suppress_ns > 0 && mark.folded > 0)
		ret->suppressed = mark.folded - 1;
	return arena_failed(taking->arena) ? error_set(taking->error, ERR_MEMORY, TEXT_base_memory)
					   : 0;
}

static int take_alert(void *context, enum answer_kind kind, struct str payload)
{
	struct taking *taking = context;
	struct query_alert alert;
	int code;

	if (kind != ANSWER_ALERT)
		return 0;
	code = alert_make(taking, payload, taking->one != NULL ? taking->one : &alert);
	if (code != 0 || taking->one != NULL)
		return code;
	return taking->visit(taking->context, &alert) ? 0 : 1;
}

int query_alerts(struct query *query, const struct query_filter *filter, struct arena *arena,
    bool (*visit)(void *context, const struct query_alert *alert), void *context,
    void (*damaged)(void *context, const struct error *error), struct error *error)
{
	struct filter made;
	struct question question = {.folder = query->path, .read = read_page, .filter = &made};
	struct taking taking = {arena, error, visit, context, NULL};
	int code = filter_make(&made, filter, arena, error);

	if (code != 0)
		return code;
	return question_ask(&question, take_alert, &taking, damaged, context, error);
}

/* The least and the largest id that begin with these digits. */
static bool id_range(struct str text, struct hash128 *ret_first, struct hash128 *ret_last)
{
	char digits[32];

	if (text.len < 4 || text.len > 32)
		return false;
	memset(digits, '0', sizeof(digits));
	memcpy(digits, text.ptr, text.len);
	if (!hash128_parse(str_from(digits, 32), ret_first))
		return false;
	memset(digits + text.len, 'f', sizeof(digits) - text.len);
	return hash128_parse(str_from(digits, 32), ret_last);
}

int query_alert(struct query *query, struct str id, struct arena *arena, struct query_alert *ret,
    struct error *error)
{
	struct question question = {.folder = query->path, .read = read_alert, .text = id};
	struct taking taking = {.arena = arena, .error = error, .one = ret};

	if (!id_range(id, &question.id, &question.id_last))
		return error_set(error, ERR_USAGE, TEXT_storage_id, STR_ARG(id));
	return question_ask(&question, take_alert, &taking, NULL, NULL, error);
}

/* ---- evidence ---- */

struct gathered {
	struct arena *arena;
	struct error *error;
	struct gathered_row {
		int64_t time_ns;
		struct query_evidence evidence;
	} * rows;
	size_t count, capacity;
};

static int gather(struct gathered *gathered, const struct gathered_row *row)
{
	if (gathered->count == gathered->capacity) {
		size_t capacity = gathered->capacity == 0 ? 64 : gathered->capacity * 2;
		struct gathered_row *grown = realloc(gathered->rows, capacity * sizeof(*grown));

		if (grown == NULL)
			return error_set(gathered->error, ERR_MEMORY, TEXT_base_memory);
		gathered->rows = grown;
		gathered->capacity = capacity;
	}
	gathered->rows[gathered->count++] = *row;
	return 0;
}

static int take_evidence(void *context, enum answer_kind kind, struct str payload)
{
	struct gathered *gathered = context;
	struct gathered_row row = {0};
	struct str bytes, fields;
	struct frame frame;
	struct kept kept;

	if (kind != ANSWER_EVIDENCE)
		return 0;
	if (!evidence_split(payload, &kept, &bytes, &fields))
		return day_damaged(gathered->error);
	bytes = arena_dup(gathered->arena, bytes);
	row.time_ns = kept.time_ns;
	row.evidence.fields_json = arena_dup(gathered->arena, fields);
	row.evidence.position =
	    (struct position){(uint32_t)kept.partition, kept.offset, (uint32_t)kept.index};
	if (arena_failed(gathered->arena))
		return error_set(gathered->error, ERR_MEMORY, TEXT_base_memory);
	if (frame_read(bytes, &frame) != FRAME_OK || !frame_next(&frame, &row.evidence.event))
		return day_damaged(gathered->error);
	return gather(gathered, &row);
}

static int compare_rows(const void *a, const void *b)
{
	const struct gathered_row *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return coordinate_compare(x->evidence.event.at, y->evidence.event.at);
}

/* One event may stand behind several of the alerts that folded. */
static size_t copy_distinct(const struct gathered *gathered, struct query_evidence *to)
{
	size_t count = 0;

	for (size_t i = 0; i < gathered->count; i++)
		if (i == 0 || compare_rows(&gathered->rows[i - 1], &gathered->rows[i]) != 0)
			to[count++] = gathered->rows[i].evidence;
	return count;
}

int query_evidence(struct query *query, struct hash128 id, struct arena *arena,
    struct query_evidence **ret, size_t *ret_count, struct error *error)
{
	struct question question = {.folder = query->path, .read = read_evidence, .id = id};
	struct gathered gathered = {.arena = arena, .error = error};
	int code = question_ask(&question, take_evidence, &gathered, NULL, NULL, error);

	*ret_count = 0;
	*ret = NULL;
	if (code == 0) {
		*ret = arena_array(arena, gathered.count + 1, sizeof(**ret));
		if (*ret == NULL)
			code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	if (code == 0 && gathered.count > 0) {
		qsort(gathered.rows, gathered.count, sizeof(*gathered.rows), compare_rows);
		*ret_count = copy_distinct(&gathered, *ret);
	}
	free(gathered.rows);
	return code;
}

/* ---- what folded ---- */

struct matching {
	struct query_match *list;
	size_t max, count;
};

static int match_compare(const struct query_match *a, const struct query_match *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return coordinate_compare(a->at, b->at);
}

/* Kept in order; of more than there is room for, the first. */
static int take_match(void *context, enum answer_kind kind, struct str payload)
{
	struct matching *matching = context;
	struct query_match match;
	size_t at = matching->count;

	if (kind != ANSWER_MATCH || !words_get(payload, &match, sizeof(match)))
		return 0;
	while (at > 0 && match_compare(&matching->list[at - 1], &match) > 0)
		at--;
	if (at == matching->max ||
	    (at > 0 && match_compare(&matching->list[at - 1], &match) == 0))
		return 0;
	if (matching->count < matching->max)
		matching->count++;
	memmove(&matching->list[at + 1], &matching->list[at],
	    (matching->count - at - 1) * sizeof(match));
	matching->list[at] = match;
	return 0;
}

int query_matches(struct query *query, struct hash128 id, struct query_match *ret, size_t max,
    size_t *ret_count, struct error *error)
{
	struct question question = {.folder = query->path, .read = read_matches, .id = id};
	struct matching matching = {.list = ret, .max = max};
	int code = question_ask(&question, take_match, &matching, NULL, NULL, error);

	*ret_count = matching.count;
	return code;
}

/* ---- generation ---- */

static int take_number(void *context, enum answer_kind kind, struct str payload)
{
	if (kind == ANSWER_NUMBER)
		(void)words_get(payload, context, 8);
	return 0;
}

int query_generation(struct query *query, uint64_t *ret, struct error *error)
{
	struct question question = {.folder = query->path, .read = read_generation};

	*ret = 0;
	return question_ask(&question, take_number, ret, NULL, NULL, error);
}
