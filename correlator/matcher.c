#include "correlator/matcher.h"

#include "base/check.h"
#include "correlator/matcher_class.h"
#include "correlator/matcher_plain.h"

#include <stdlib.h>
#include <string.h>

struct matcher {
	const struct ruleset *ruleset;
	struct view view;
	struct classes *classes;
	uint32_t *candidates, *matches;
	size_t candidate_count;
	uint32_t *candidate_stamp; /* by rule */
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
	matcher->candidates = calloc(count, sizeof(*matcher->candidates));
	matcher->matches = calloc(count, sizeof(*matcher->matches));
	matcher->candidate_stamp = calloc(count, sizeof(*matcher->candidate_stamp));
	if (!view_new(&matcher->view, ruleset_program(ruleset)) || matcher->classes == NULL ||
	    matcher->candidates == NULL || matcher->matches == NULL ||
	    matcher->candidate_stamp == NULL) {
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
	free(matcher->candidates);
	free(matcher->matches);
	free(matcher->candidate_stamp);
	free(matcher);
}

static void candidate_take(void *context, uint32_t rule)
{
	struct matcher *matcher = context;

	if (matcher->candidate_stamp[rule] == matcher->view.stamp)
		return;
	matcher->candidate_stamp[rule] = matcher->view.stamp;
	matcher->candidates[matcher->candidate_count++] = rule;
}

static int index_compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* No class could be made: as slow as matcher_run_plain, and as right. */
static size_t run_without_class(struct matcher *matcher, const struct record *record,
    const uint32_t **ret)
{
	return matcher_run_plain(matcher, record, ret);
}

size_t matcher_run(struct matcher *matcher, const struct record *record, const uint32_t **ret)
{
	const struct program *program = matcher->view.program;
	const struct class *class = classes_find(matcher->classes, record);
	size_t count = 0;

	matcher->stats.events++;
	matcher->candidate_count = 0;
	view_begin(&matcher->view, record);
	if (matcher->view.stamp == 1) /* the stamps have begun anew */
		memset(matcher->candidate_stamp, 0,
		    ruleset_count(matcher->ruleset) * sizeof(*matcher->candidate_stamp));
	if (class == NULL)
		return run_without_class(matcher, record, ret);
	index_candidates(class->index, &matcher->view, candidate_take, matcher);
	for (size_t i = 0; i < matcher->candidate_count; i++) {
		uint32_t rule = matcher->candidates[i];

		if (view_evaluate(&matcher->view, program->rules[rule]))
			matcher->matches[count++] = rule;
	}
	if (count > 1)
		qsort(matcher->matches, count, sizeof(*matcher->matches), index_compare);
	matcher->stats.candidates += matcher->candidate_count;
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
	return classes_find(matcher->classes, &record) != NULL;
}
