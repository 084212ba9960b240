#include "correlator/matcher.h"

#include "base/check.h"
#include "correlator/matcher_class.h"
#include "correlator/matcher_plain.h"

#include <stdlib.h>
#include <string.h>

/*
 * Of one event, in steps of 32 bytes under one test: about a millisecond. The index of all texts of
 * a large class takes some to be made, once, so that it should be for events that mean it.
 */
#define WORK_MOST 262144u

/* As measured, in instructions, with what goes with it. */
#define CANDIDATE_COST 300u
#define PREDICATE_COST 200u

struct matcher {
	const struct ruleset *ruleset;
	struct view view;
	struct classes *classes;
	struct candidates candidates;
	struct candidates spare; /* of the index of all texts, which gives none */
	uint32_t *matches;
	struct matcher_rule_stats *rules;
	struct matcher_stats stats;
};

struct matcher *matcher_new(const struct ruleset *ruleset)
{
	struct matcher *matcher = calloc(1, sizeof(*matcher));
	size_t count = ruleset_count(ruleset) + 1;

	if (matcher == NULL)
		return NULL;
	matcher->ruleset = ruleset;
	matcher->classes = classes_new(ruleset);
	matcher->candidates.rules = calloc(count, sizeof(*matcher->candidates.rules));
	matcher->candidates.stamps = calloc(count, sizeof(*matcher->candidates.stamps));
	matcher->matches = calloc(count, sizeof(*matcher->matches));
	matcher->rules = calloc(count, sizeof(*matcher->rules));
	if (!view_new(&matcher->view, ruleset_program(ruleset)) || matcher->classes == NULL ||
	    matcher->candidates.rules == NULL || matcher->candidates.stamps == NULL ||
	    matcher->matches == NULL || matcher->rules == NULL) {
		matcher_free(matcher);
		return NULL;
	}
	return matcher;
}

void matcher_free(struct matcher *matcher)
{
	if (matcher == NULL)
		return;
	view_free(&matcher->view);
	classes_free(matcher->classes);
	free(matcher->candidates.rules);
	free(matcher->candidates.stamps);
	free(matcher->matches);
	free(matcher->rules);
	free(matcher);
}

static int index_compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/*
 * An event that makes many rules ask for many texts in long values is looked through once more, for
 * all texts at once, and asks no more. NULL without memory: then it takes its time.
 */
static struct index *whole_search(struct matcher *matcher, struct group *group)
{
	struct index *whole = classes_whole(matcher->classes, group);

	matcher->stats.over_budget++;
	if (whole != NULL)
		index_search(whole, &matcher->view, &matcher->spare);
	return whole;
}

struct testing {
	struct group *group;
	struct index *index;
	uint64_t most; /* work */
};

static bool candidate_test(struct matcher *matcher, struct testing *testing, uint32_t rule)
{
	struct group *group = testing->group;
	enum code_answer answer = index_holds(
	    testing->index, group->study, &matcher->view, rule, testing->most);

	if (answer != CODE_OVER)
		return answer == CODE_HOLDS;
	struct index *whole = whole_search(matcher, group);

	testing->most = UINT64_MAX;
	if (whole != NULL)
		testing->index = whole;
	return index_holds(testing->index, group->study, &matcher->view, rule, UINT64_MAX) ==
	    CODE_HOLDS;
}

/* Those that match, in matches. */
static size_t candidates_test(struct matcher *matcher, struct group *group)
{
	struct testing testing = {group, group->index, WORK_MOST};
	size_t count = 0;

	for (size_t i = 0; i < matcher->candidates.count; i++) {
		uint32_t rule = matcher->candidates.rules[i];
		struct matcher_rule_stats *stats = &matcher->rules[group->rules[rule]];
		uint64_t evaluated = matcher->view.evaluated;

		stats->candidates++;
		if (candidate_test(matcher, &testing, rule)) {
			matcher->matches[count++] = group->rules[rule];
			stats->hits++;
			if (matcher->view.record->event != NULL)
				stats->last_ns = matcher->view.record->event->received_ns;
		}
		stats->predicates += matcher->view.evaluated - evaluated;
	}
	return count;
}

static size_t group_run(struct matcher *matcher, struct group *group)
{
	if (matcher->view.stamp == 1) /* the stamps have begun anew */
		memset(matcher->candidates.stamps, 0,
		    ruleset_count(matcher->ruleset) * sizeof(*matcher->candidates.stamps));
	uint64_t evaluated = matcher->view.evaluated;

	index_search(group->index, &matcher->view, &matcher->candidates);
	size_t count = candidates_test(matcher, group);

	if (count > 1)
		qsort(matcher->matches, count, sizeof(*matcher->matches), index_compare);
	matcher->stats.candidates += matcher->candidates.count;
	if (upkeep_count(&group->upkeep, matcher->candidates.count * CANDIDATE_COST +
	            (matcher->view.evaluated - evaluated) * PREDICATE_COST))
		classes_look(matcher->classes, group, &matcher->view);
	return count;
}

size_t matcher_run(struct matcher *matcher, const struct record *record, const uint32_t **ret)
{
	struct group *group = classes_find(matcher->classes, record);
	size_t count = 0;

	matcher->stats.events++;
	if (group == NULL) { /* as slow as the plain one, and as right */
		count = matcher_run_plain(matcher, record, ret);
	} else if (group->rule_count > 0) {
		view_begin(&matcher->view, record);
		count = group_run(matcher, group);
	}
	matcher->stats.matches += count;
	*ret = matcher->matches;
	return count;
}

size_t matcher_run_plain(struct matcher *matcher, const struct record *record,
    const uint32_t **ret)
{
	struct plain plain = {.program = matcher->view.program, .arena = matcher->view.arena,
	    .regex = matcher->view.regex};
	size_t count = 0;

	for (uint32_t i = 0; i < ruleset_count(matcher->ruleset); i++) {
		if (plain_matches(&plain, record, ruleset_rule(matcher->ruleset, i)))
			matcher->matches[count++] = i;
	}
	/* The folded values of the view are gone with the arena. */
	view_begin(&matcher->view, record);
	*ret = matcher->matches;
	return count;
}

struct explanation {
	struct alert_pair *pairs;
	size_t count, max;
};

static void pair_add(struct explanation *out, struct str name, struct str value)
{
	for (size_t i = 0; i < out->count; i++) {
		if (str_eq(out->pairs[i].name, name) && str_eq(out->pairs[i].value, value))
			return;
	}
	if (out->count < out->max)
		out->pairs[out->count++] = (struct alert_pair){name, value};
}

static void predicate_explain(struct view *view, uint32_t index, struct explanation *out)
{
	const struct predicate *predicate = &view->program->predicates[index];
	uint32_t witness = view_witness(view, predicate);

	if (witness != VIEW_NONE)
		pair_add(out, view->record->fields[witness].name,
		    view->record->fields[witness].value);
	else if (predicate->slot == SLOT_ANYWHERE && view->record->event != NULL)
		pair_add(out, STR("raw"), view->record->event->raw);
}

/* What is true and asked for; what stands behind a not explains nothing. */
static void expression_explain(struct view *view, const struct expression *expression,
    struct explanation *out)
{
	if (expression->kind == EXPRESSION_NOT || !view_evaluate(view, expression))
		return;
	if (expression->kind == EXPRESSION_PREDICATE) {
		predicate_explain(view, expression->predicate, out);
		return;
	}
	for (size_t i = 0; i < expression->count; i++)
		expression_explain(view, expression->children[i], out);
}

size_t matcher_explain(struct matcher *matcher, const struct record *record, uint32_t rule,
    struct alert_pair *ret, size_t max)
{
	struct explanation out = {ret, 0, max};
	const struct expression *expression = matcher->view.program->rules[rule];

	CHECK(expression != NULL);
	view_begin(&matcher->view, record);
	if (view_evaluate(&matcher->view, expression))
		expression_explain(&matcher->view, expression, &out);
	return out.count;
}

void matcher_stats(const struct matcher *matcher, struct matcher_stats *ret)
{
	struct regex_counts regexes = regex_scratch_counts(matcher->view.regex);

	*ret = matcher->stats;
	ret->predicates = matcher->view.evaluated;
	ret->regexes = regexes.searches;
	ret->regex_limit_hits = regexes.limit_hits;
	ret->regex_cut_subjects = regexes.cut_subjects;
	ret->short_of_memory = matcher->view.short_of_memory;
	struct classes_size size = classes_size(matcher->classes);

	ret->classes = size.classes;
	ret->table_bytes = size.index_bytes;
	ret->study_bytes = size.study_bytes;
	ret->indexes_made = size.indexes_made;
}

const struct matcher_rule_stats *matcher_rule_stats(const struct matcher *matcher, uint32_t rule)
{
	CHECK(rule < ruleset_count(matcher->ruleset));
	return &matcher->rules[rule];
}

void matcher_carry(struct matcher *matcher, const struct matcher *from)
{
	for (uint32_t i = 0; i < ruleset_count(matcher->ruleset); i++) {
		const struct alert_rule *meta = &ruleset_rule(matcher->ruleset, i)->meta;
		const struct rule *before = ruleset_find(from->ruleset, meta->id);

		if (before != NULL && hash128_eq(before->meta.hash, meta->hash))
			matcher->rules[i] = from->rules[before->index];
	}
}

size_t matcher_sources(const struct matcher *matcher, struct matcher_source *ret, size_t max)
{
	return classes_sources(matcher->classes, ret, max);
}

bool matcher_warm(struct matcher *matcher, const struct matcher_source *source)
{
	struct record record = {.product = source->product, .service = source->service,
	    .category_count = source->category_count};

	memcpy(record.categories, source->categories, sizeof(record.categories));
	return classes_warm(matcher->classes, &record);
}
