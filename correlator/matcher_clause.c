#include "correlator/matcher_clause.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Instructions, about: for a candidate, to test one predicate, and the most for all of them. */
#define RULE_COST  200.0F
#define TEST_COST  60.0F
#define REGEX_COST 600.0F
#define REST_MOST  4000.0F
#define OPEN_COST  400.0F /* to look at a field at all */

/*
 * All rules as one array, each expression before its children. What stands behind a not is left
 * out: no clause has it.
 */
struct node {
	enum expression_kind kind;
	uint32_t predicate;
	uint32_t behind; /* the node behind its children */
	uint32_t best;   /* of an AND: the child that was chosen last */
	float whole;     /* to test all of it; the half of it is what is expected */
};

static float test_cost(const struct predicate *predicate)
{
	return predicate->kind == PREDICATE_REGEX ? REGEX_COST : TEST_COST;
}

static float whole_cost(const struct program *program, const struct expression *expression)
{
	float cost = 0;

	if (expression->kind == EXPRESSION_PREDICATE)
		return test_cost(&program->predicates[expression->predicate]);
	for (size_t i = 0; i < expression->count && cost < REST_MOST; i++)
		cost += whole_cost(program, expression->children[i]);
	return cost < REST_MOST ? cost : REST_MOST;
}

static size_t nodes_count(const struct expression *expression)
{
	size_t count = 1;

	for (size_t i = 0; expression->kind != EXPRESSION_NOT && i < expression->count; i++)
		count += nodes_count(expression->children[i]);
	return count;
}

/* Each sum is made of its children's: every expression is walked through once. */
static uint32_t node_put(struct chooser *chooser, const struct expression *expression, uint32_t at)
{
	struct node *node = &chooser->nodes[at++];

	*node = (struct node){.kind = expression->kind, .predicate = expression->predicate};
	if (expression->kind == EXPRESSION_PREDICATE || expression->kind == EXPRESSION_NOT) {
		node->whole = whole_cost(chooser->program, expression);
	} else {
		for (size_t i = 0; i < expression->count; i++) {
			uint32_t child = at;

			at = node_put(chooser, expression->children[i], at);
			node->whole += chooser->nodes[child].whole;
		}
		node->whole = node->whole < REST_MOST ? node->whole : REST_MOST;
	}
	node->behind = at;
	return at;
}

static bool nodes_make(struct chooser *chooser, size_t rules)
{
	const struct program *program = chooser->program;
	size_t count = 0;
	uint32_t at = 0;

	chooser->firsts = calloc(rules + 1, sizeof(*chooser->firsts));
	for (size_t i = 0; i < rules; i++)
		count += program->rules[i] == NULL ? 0 : nodes_count(program->rules[i]);
	chooser->nodes = malloc((count + 1) * sizeof(*chooser->nodes));
	if (chooser->firsts == NULL || chooser->nodes == NULL)
		return false;
	for (size_t i = 0; i < rules; i++) {
		chooser->firsts[i] = at;
		if (program->rules[i] != NULL)
			at = node_put(chooser, program->rules[i], at);
	}
	return true;
}

bool chooser_new(struct chooser *chooser, const struct ruleset *ruleset)
{
	const struct program *program = ruleset_program(ruleset);
	size_t predicates = program->predicate_count + 1;

	*chooser = (struct chooser){.program = program, .general = general_new(program)};
	if (chooser->general != NULL)
		chooser->nothing = study_new(chooser->general);
	chooser->prices = calloc(predicates, sizeof(*chooser->prices));
	chooser->openings = calloc(program->slot_count + 1, sizeof(*chooser->openings));
	chooser->places = calloc(predicates, sizeof(*chooser->places));
	return chooser->nothing != NULL && chooser->prices != NULL && chooser->openings != NULL &&
	    chooser->places != NULL && nodes_make(chooser, ruleset_count(ruleset));
}

void chooser_free(struct chooser *chooser)
{
	study_free(chooser->nothing);
	general_free(chooser->general);
	free(chooser->nodes);
	free(chooser->firsts);
	free(chooser->prices);
	free(chooser->openings);
	free(chooser->places);
}

void chooser_begin(struct chooser *chooser, const struct study *study)
{
	chooser->study = study == NULL ? chooser->nothing : study;
	chooser->round++;
	memset(chooser->openings, 0, chooser->program->slot_count * sizeof(*chooser->openings));
}

void chooser_open(struct chooser *chooser, const uint32_t *counts)
{
	for (uint32_t slot = 0; slot < chooser->program->slot_count; slot++)
		chooser->openings[slot] = study_presence(chooser->study, slot) * OPEN_COST /
		    (float)(counts[slot] + 1);
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

static float found_cost(const struct predicate *predicate)
{
	switch (predicate->kind) {
	case PREDICATE_EXACT:
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
		return .1F;
	case PREDICATE_NUMBER:
		return .2F;
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
	return predicate->folded.len >= 7 ? .5F : predicate->folded.len >= 5 ? 2 : 6;
}

static struct price predicate_price(const struct chooser *chooser, uint32_t index)
{
	const struct predicate *predicate = &chooser->program->predicates[index];
	struct price price = {found_cost(predicate), study_odds(chooser->study, index), 0};

	if (predicate->kind == PREDICATE_NULL)
		price.look = CLAUSE_NONE;
	else if (!clause_is_findable(predicate))
		price.look = 1 +
		    study_presence(chooser->study, predicate->slot) * test_cost(predicate);
	else if (predicate->kind == PREDICATE_REGEX || predicate->kind == PREDICATE_GLOB)
		price.look += price.odds * test_cost(predicate);
	return price;
}

static inline struct price price_of(struct chooser *chooser, uint32_t predicate)
{
	struct known_price *known = &chooser->prices[predicate];

	if (known->round != chooser->round) {
		struct price price = predicate_price(chooser, predicate);
		uint32_t slot = chooser->program->predicates[predicate].slot;

		*known = (struct known_price){price.look, price.odds, chooser->round,
		    slot == SLOT_ANYWHERE ? (uint32_t)chooser->program->slot_count : slot};
	}
	return (struct price){known->look + chooser->openings[known->opening], known->odds, 0};
}

static float total(const struct price *price)
{
	return price->look + price->odds * (RULE_COST + price->rest);
}

static struct price clause_price(struct chooser *chooser, uint32_t at);

static inline struct price child_price(struct chooser *chooser, uint32_t at)
{
	const struct node *node = &chooser->nodes[at];

	return node->kind == EXPRESSION_PREDICATE ? price_of(chooser, node->predicate)
	                                          : clause_price(chooser, at);
}

/* The cheapest child, with what it costs to test the others where it is found. */
static struct price cheapest(struct chooser *chooser, struct node *node)
{
	struct price best = {CLAUSE_NONE, 0, 0};
	float least = CLAUSE_NONE;

	for (uint32_t at = (uint32_t)(node - chooser->nodes) + 1; at < node->behind;
	    at = chooser->nodes[at].behind) {
		struct price price = child_price(chooser, at);

		if (price.look >= CLAUSE_NONE)
			continue;
		price.rest += (node->whole - chooser->nodes[at].whole) / 2;
		if (total(&price) < least) {
			least = total(&price);
			best = price;
			node->best = at;
		}
	}
	return best;
}

static struct price clause_price(struct chooser *chooser, uint32_t at)
{
	struct node *node = &chooser->nodes[at];
	struct price price = {0, 0, 0};

	switch (node->kind) {
	case EXPRESSION_PREDICATE:
		return price_of(chooser, node->predicate);
	case EXPRESSION_AND:
		return cheapest(chooser, node);
	case EXPRESSION_OR:
	case EXPRESSION_AT_LEAST:
		for (at++; at < node->behind; at = chooser->nodes[at].behind) {
			struct price child = child_price(chooser, at);

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

float clause_cost(struct chooser *chooser, uint32_t rule)
{
	struct price price = clause_price(chooser, chooser->firsts[rule]);

	return price.look >= CLAUSE_NONE ? CLAUSE_NONE : total(&price);
}

static bool node_each(const struct chooser *chooser, uint32_t at,
    bool (*take)(void *context, uint32_t predicate), void *context)
{
	const struct node *node = &chooser->nodes[at];

	if (node->kind == EXPRESSION_PREDICATE)
		return take(context, node->predicate);
	if (node->kind == EXPRESSION_AND)
		return node_each(chooser, node->best, take, context);
	for (at++; at < node->behind; at = chooser->nodes[at].behind) {
		if (!node_each(chooser, at, take, context))
			return false;
	}
	return true;
}

bool clause_each(const struct chooser *chooser, uint32_t rule,
    bool (*take)(void *context, uint32_t predicate), void *context)
{
	return node_each(chooser, chooser->firsts[rule], take, context);
}
