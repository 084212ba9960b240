#include "correlator/matcher_clause.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Instructions, about: for a candidate, to test one predicate, and the most for all of them. */
#define RULE_COST  200.0
#define TEST_COST  60.0
#define REGEX_COST 600.0
#define REST_MOST  4000.0
#define OPEN_COST  400.0 /* to look at a field at all */

bool chooser_new(struct chooser *chooser, const struct program *program)
{
	size_t predicates = program->predicate_count + 1;

	*chooser = (struct chooser){.program = program};
	chooser->prices = calloc(predicates, sizeof(*chooser->prices));
	chooser->openings = calloc(program->slot_count + 1, sizeof(*chooser->openings));
	chooser->places = calloc(predicates, sizeof(*chooser->places));
	return chooser->prices != NULL && chooser->openings != NULL && chooser->places != NULL;
}

void chooser_free(struct chooser *chooser)
{
	free(chooser->prices);
	free(chooser->openings);
	free(chooser->places);
}

void chooser_begin(struct chooser *chooser, const struct study *study)
{
	chooser->study = study;
	chooser->round++;
	memset(chooser->openings, 0, chooser->program->slot_count * sizeof(*chooser->openings));
}

void chooser_open(struct chooser *chooser, const uint32_t *counts)
{
	for (uint32_t slot = 0; slot < chooser->program->slot_count; slot++)
		chooser->openings[slot] = (float)(study_presence(chooser->study, slot) *
		    OPEN_COST / (counts[slot] + 1));
	chooser->round++;
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

static double test_cost(const struct predicate *predicate)
{
	return predicate->kind == PREDICATE_REGEX ? REGEX_COST : TEST_COST;
}

static struct price predicate_price(const struct chooser *chooser,
    const struct predicate *predicate)
{
	struct price price = {found_cost(predicate), study_odds(chooser->study, predicate), 0};

	if (predicate->kind == PREDICATE_NULL)
		price.look = CLAUSE_NONE;
	else if (!clause_is_findable(predicate))
		price.look = 1 +
		    study_presence(chooser->study, predicate->slot) * test_cost(predicate);
	else if (predicate->kind == PREDICATE_REGEX || predicate->kind == PREDICATE_GLOB)
		price.look += price.odds * test_cost(predicate);
	if (predicate->slot != SLOT_ANYWHERE)
		price.look += (double)chooser->openings[predicate->slot];
	return price;
}

static struct price price_of(struct chooser *chooser, uint32_t predicate)
{
	struct known_price *known = &chooser->prices[predicate];

	if (known->round != chooser->round) {
		known->price =
		    predicate_price(chooser, &chooser->program->predicates[predicate]);
		known->round = chooser->round;
	}
	return known->price;
}

static double total(struct price price)
{
	if (price.look >= CLAUSE_NONE)
		return CLAUSE_NONE;
	return price.look + price.odds * (RULE_COST + price.rest);
}

/* To test all of it; the half of it is what is expected. */
static double whole_cost(const struct program *program, const struct expression *expression)
{
	double cost = 0;

	if (expression->kind == EXPRESSION_PREDICATE)
		return test_cost(&program->predicates[expression->predicate]);
	for (size_t i = 0; i < expression->count && cost < REST_MOST; i++)
		cost += whole_cost(program, expression->children[i]);
	return cost < REST_MOST ? cost : REST_MOST;
}

static struct price clause_price(struct chooser *chooser, const struct expression *expression);

/* The cheapest child, with what it costs to test the others where it is found. */
static const struct expression *cheapest(struct chooser *chooser,
    const struct expression *expression, struct price *ret)
{
	const struct expression *best = NULL;
	double all = whole_cost(chooser->program, expression);

	*ret = (struct price){CLAUSE_NONE, 0, 0};
	for (size_t i = 0; i < expression->count; i++) {
		const struct expression *child = expression->children[i];
		struct price price = clause_price(chooser, child);

		if (price.look >= CLAUSE_NONE)
			continue;
		price.rest += (all - whole_cost(chooser->program, child)) / 2;
		if (best == NULL || total(price) < total(*ret)) {
			*ret = price;
			best = child;
		}
	}
	return best;
}

static struct price clause_price(struct chooser *chooser, const struct expression *expression)
{
	struct price price = {0, 0, 0};

	switch (expression->kind) {
	case EXPRESSION_PREDICATE:
		return price_of(chooser, expression->predicate);
	case EXPRESSION_AND:
		(void)cheapest(chooser, expression, &price);
		return price;
	case EXPRESSION_OR:
	case EXPRESSION_AT_LEAST:
		for (size_t i = 0; i < expression->count; i++) {
			struct price child = clause_price(chooser, expression->children[i]);

			if (child.look >= CLAUSE_NONE)
				return child;
			price.look += child.look;
			price.odds += child.odds;
			price.rest = child.rest > price.rest ? child.rest : price.rest;
		}
		return price;
	case EXPRESSION_NOT:
		break;
	}
	return (struct price){CLAUSE_NONE, 0, 0};
}

double clause_cost(struct chooser *chooser, const struct expression *expression)
{
	return total(clause_price(chooser, expression));
}

bool clause_each(struct chooser *chooser, const struct expression *expression,
    bool (*take)(void *context, uint32_t predicate), void *context)
{
	struct price price;

	if (expression->kind == EXPRESSION_PREDICATE)
		return take(context, expression->predicate);
	if (expression->kind == EXPRESSION_AND)
		return clause_each(chooser, cheapest(chooser, expression, &price), take, context);
	for (size_t i = 0; i < expression->count; i++) {
		if (!clause_each(chooser, expression->children[i], take, context))
			return false;
	}
	return true;
}
