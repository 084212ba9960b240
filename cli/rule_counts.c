#include <jansson.h>

#include "cli/rule_counts.h"

#include "base/json.h"
#include "correlator/matcher.h"
#include "sigma/builder.h"

#include <stdlib.h>

/* ---- the worker's side ---- */

static void row_write(struct buf *out, const struct rule *rule,
    const struct matcher_rule_stats *stats, bool always)
{
	struct json json = json_begin(out);

	json_open(&json, '{');
	json_pair(&json, "id", rule->meta.id);
	json_pair(&json, "title", rule->meta.title);
	if (rule->meta.title_vi.len > 0)
		json_pair(&json, "title_vi", rule->meta.title_vi);
	json_pair(&json, "level", level_name(rule->meta.level));
	json_pair_u64(&json, "hits", stats->hits);
	json_pair_u64(&json, "candidates", stats->candidates);
	json_pair_u64(&json, "predicates", stats->predicates);
	json_pair_i64(&json, "last_ns", stats->last_ns);
	json_pair_bool(&json, "always", always);
	json_close(&json, '}');
	buf_char(out, '\n');
}

int rule_counts_write(const struct worker *worker, struct buf *out, struct error *error)
{
	const struct ruleset *ruleset = worker_ruleset(worker);
	const struct matcher *matcher = worker_matcher(worker);
	bool *always = calloc(ruleset_count(ruleset) + 1, sizeof(*always));
	struct json json = json_begin(out);
	struct worker_stats stats;

	if (always == NULL || !matcher_always(ruleset, always)) {
		free(always);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	worker_stats(worker, &stats);
	json_open(&json, '{');
	json_pair_u64(&json, "events", stats.events);
	json_pair_u64(&json, "rules", ruleset_count(ruleset));
	json_close(&json, '}');
	buf_char(out, '\n');
	for (uint32_t i = 0; i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		if (rule->kind == RULE_PLAIN)
			row_write(out, rule, matcher_rule_stats(matcher, i), always[i]);
	}
	free(always);
	return out->failed ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
}

/* ---- the reader's side ---- */

static uint64_t number_of(const json_t *row, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(row, key));

	return value < 0 ? 0 : (uint64_t)value;
}

static struct str text_of(struct arena *arena, const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	return json_is_string(value) ? arena_dup(arena, str_from(json_string_value(value),
	    json_string_length(value))) : STR_NONE;
}

static struct rule_count *row_of(struct rule_counts *counts, const json_t *row)
{
	struct str id = text_of(counts->arena, row, "id");
	const uint32_t *at = name_table_find(&counts->ids, id);

	if (at != NULL)
		return &counts->rows[*at];
	if (id.ptr == NULL ||
	    !array_grow(counts->arena, &counts->rows, counts->count, &counts->capacity,
	        sizeof(*counts->rows)) ||
	    !name_table_put(counts->arena, &counts->ids, id, (uint32_t)counts->count))
		return NULL;
	counts->rows[counts->count] = (struct rule_count){.id = id,
	    .title = text_of(counts->arena, row, "title"),
	    .title_vi = text_of(counts->arena, row, "title_vi"),
	    .level = text_of(counts->arena, row, "level")};
	return &counts->rows[counts->count++];
}

static bool row_add(struct rule_counts *counts, const json_t *row)
{
	struct rule_count *own = row_of(counts, row);
	int64_t last_ns = json_integer_value(json_object_get(row, "last_ns"));

	if (own == NULL)
		return false;
	own->hits += number_of(row, "hits");
	own->candidates += number_of(row, "candidates");
	own->predicates += number_of(row, "predicates");
	own->last_ns = last_ns > own->last_ns ? last_ns : own->last_ns;
	own->always |= json_is_true(json_object_get(row, "always"));
	counts->hits += number_of(row, "hits");
	counts->predicates += number_of(row, "predicates");
	return true;
}

bool rule_counts_add(struct rule_counts *counts, struct str answer)
{
	struct str line;
	bool good = true, first = true;

	while (good && str_cut(&answer, '\n', &line)) {
		json_t *row = line.len == 0 ? NULL : json_loadb(line.ptr, line.len, 0, NULL);

		good = row != NULL || line.len == 0;
		if (row != NULL && first)
			counts->events += number_of(row, "events");
		else if (row != NULL)
			good = row_add(counts, row);
		first &= row == NULL;
		json_decref(row);
	}
	counts->workers += !first && good;
	return good && !first;
}
