#include "correlator/matcher_clause.h"

#include "base/utf8.h"

#include <stdlib.h>

/* Instructions, about: to evaluate a rule, to test one predicate. */
#define RULE_COST  400.0
#define TEST_COST  60.0
#define REGEX_COST 600.0

bool chooser_new(struct chooser *chooser, const struct program *program,
    const struct study *study)
{
	*chooser = (struct chooser){program, study,
	    calloc(program->predicate_count + 1, sizeof(*chooser->costs))};
	return chooser->costs != NULL;
}

void chooser_free(struct chooser *chooser)
{
	free(chooser->costs);
}

/*
 * A cased text found in the bytes as they are is found folded in the folded bytes, if it begins and
 * ends between characters: not so for bytes that are no UTF-8.
 */
bool clause_is_findable(const struct predicate *predicate)
{
	if (predicate->cased && !utf8_is_valid(predicate->kind == PREDICATE_GLOB
	            ? predicate->folded : predicate->text))
		return false;
	if (predicate->slot == SLOT_ANYWHERE && !utf8_is_valid(predicate->folded))
		return false;
	switch (predicate->kind) {
	case PREDICATE_EXACT:
	case PREDICATE_NUMBER:
		return true;
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
	case PREDICATE_CONTAINS:
	case PREDICATE_GLOB:
	case PREDICATE_REGEX:
		return predicate->folded.len > 0;
	case PREDICATE_COMPARE:
	case PREDICATE_CIDR:
	case PREDICATE_TIME:
	case PREDICATE_FIELD:
	case PREDICATE_NULL:
	case PREDICATE_EXISTS:
		break;
	}
	return false;
}

static double found_cost(const struct predicate *predicate)
{
	switch (predicate->kind) {
	case PREDICATE_EXACT:
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
		return .1;
	case PREDICATE_NUMBER:
		return .2;
	case PREDICATE_CONTAINS:
	case PREDICATE_GLOB:
	case PREDICATE_REGEX:
	case PREDICATE_COMPARE:
	case PREDICATE_CIDR:
	case PREDICATE_TIME:
	case PREDICATE_FIELD:
	case PREDICATE_NULL:
	case PREDICATE_EXISTS:
		break;
	}
	/* Short literals make the filter look at more places. */
	return predicate->folded.len >= 7 ? .5 : predicate->folded.len >= 5 ? 2 : 6;
}

static double predicate_cost(const struct chooser *chooser, const struct predicate *predicate)
{
	double odds = study_odds(chooser->study, predicate);
	double test = predicate->kind == PREDICATE_REGEX ? REGEX_COST : TEST_COST;

	if (predicate->kind == PREDICATE_NULL)
		return CLAUSE_NONE;
	if (!clause_is_findable(predicate))
		return study_presence(chooser->study, predicate->slot) * test +
		    odds * RULE_COST + 1;
	if (predicate->kind == PREDICATE_REGEX || predicate->kind == PREDICATE_GLOB)
		return found_cost(predicate) + odds * (test + RULE_COST / 2);
	return found_cost(predicate) + odds * RULE_COST;
}

static double cost_of(struct chooser *chooser, uint32_t predicate)
{
	float *cost = &chooser->costs[predicate];

	if (*cost == 0)
		*cost = (float)predicate_cost(chooser, &chooser->program->predicates[predicate]);
	return (double)*cost;
}

static const struct expression *cheapest(struct chooser *chooser,
    const struct expression *expression, double *ret_cost)
{
	const struct expression *best = NULL;

	*ret_cost = CLAUSE_NONE;
	for (size_t i = 0; i < expression->count; i++) {
		double cost = clause_cost(chooser, expression->children[i]);

		if (cost < *ret_cost) {
			*ret_cost = cost;
			best = expression->children[i];
		}
	}
	return best;
}

double clause_cost(struct chooser *chooser, const struct expression *expression)
{
	double cost = 0;

	switch (expression->kind) {
	case EXPRESSION_PREDICATE:
		cost = cost_of(chooser, expression->predicate);
		break;
	case EXPRESSION_AND:
		(void)cheapest(chooser, expression, &cost);
		return cost;
	case EXPRESSION_OR:
	case EXPRESSION_AT_LEAST:
		for (size_t i = 0; i < expression->count; i++)
			cost += clause_cost(chooser, expression->children[i]);
		break;
	case EXPRESSION_NOT:
		return CLAUSE_NONE;
	}
	return cost < CLAUSE_NONE / 2 ? cost : CLAUSE_NONE;
}

bool clause_each(struct chooser *chooser, const struct expression *expression,
    bool (*take)(void *context, uint32_t predicate), void *context)
{
	double cost;

	if (expression->kind == EXPRESSION_PREDICATE)
		return take(context, expression->predicate);
	if (expression->kind == EXPRESSION_AND)
		return clause_each(chooser, cheapest(chooser, expression, &cost), take, context);
	for (size_t i = 0; i < expression->count; i++) {
		if (!clause_each(chooser, expression->children[i], take, context))
			return false;
	}
	return true;
}
