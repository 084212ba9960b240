#include "correlator/explainer.h"

#include "correlator/matcher.h"
#include "correlator/matcher_view.h"

#include <stdlib.h>

struct explainer {
	const struct ruleset *ruleset;
	struct matcher *matcher;
	const uint32_t *matches;
	size_t match_count;
	struct view view; /* beside the matcher's own, which the next rule would overwrite */
	const struct record *record;
};

struct explainer *explainer_new(const struct ruleset *ruleset)
{
	struct explainer *explainer = calloc(1, sizeof(*explainer));

	if (explainer == NULL)
		return NULL;
	explainer->ruleset = ruleset;
	explainer->matcher = matcher_new(ruleset);
	if (!view_new(&explainer->view, ruleset_program(ruleset)) || explainer->matcher == NULL) {
		explainer_free(explainer);
		return NULL;
	}
	return explainer;
}

void explainer_free(struct explainer *explainer)
{
	if (explainer == NULL)
		return;
	view_free(&explainer->view);
	matcher_free(explainer->matcher);
	free(explainer);
}

void explainer_begin(struct explainer *explainer, const struct record *record)
{
	explainer->record = record;
	explainer->match_count = matcher_run(explainer->matcher, record, &explainer->matches);
	view_begin(&explainer->view, record);
}

bool explainer_matches(const struct explainer *explainer, const struct rule *rule)
{
	for (size_t i = 0; i < explainer->match_count; i++) {
		if (explainer->matches[i] == rule->index)
			return true;
	}
	return false;
}

static bool is_same(struct str wanted, struct str there)
{
	return wanted.len == 0 || str_eq(wanted, there);
}

struct explained_source explainer_source(const struct explainer *explainer,
    const struct rule *rule)
{
	const struct record *record = explainer->record;
	struct explained_source found = {.product = is_same(rule->product, record->product),
	    .service = is_same(rule->service, record->service),
	    .category = rule->category.len == 0};

	for (size_t i = 0; i < record->category_count; i++)
		found.category |= str_eq(rule->category, record->categories[i]);
	return found;
}

bool explainer_holds(struct explainer *explainer, const struct expression *expression)
{
	return view_evaluate(&explainer->view, expression);
}

const struct field *explainer_field(struct explainer *explainer,
    const struct predicate *predicate)
{
	uint32_t value = view_witness(&explainer->view, predicate);

	if (value == VIEW_NONE && predicate->slot != SLOT_ANYWHERE)
		value = view_first(&explainer->view, predicate->slot);
	/* The view has the values in the order of the record's fields. */
	return value == VIEW_NONE ? NULL : &explainer->record->fields[value];
}
