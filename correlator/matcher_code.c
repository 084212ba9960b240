#include "correlator/matcher_code.h"

#include <stdlib.h>

/* Where a step may lead to in place of another step. */
#define HOLDS UINT32_MAX
#define FAILS (UINT32_MAX - 1)

struct step {
	uint32_t predicate; /* beside this bit */
	uint32_t if_true, if_false;
};

#define TREE 0x80000000u /* an index in trees */

/* The steps stand last to first: those behind a step are made before it. */
struct code {
	uint32_t entry;
	uint32_t step_count, tree_count;
	const struct expression **trees; /* evaluated as they are: counting ones */
	struct step steps[];
};

struct writer {
	const struct program *program;
	const struct study *study;
	const uint8_t *decided;
	struct code *code;
	bool failed;
};

static inline bool is_decided(const uint8_t *decided, uint32_t predicate)
{
	return decided[predicate / 8] >> predicate % 8 & 1;
}

/* What an expression costs to evaluate, about in instructions, and how likely it holds. */
struct weight {
	double cost, odds;
};

struct ranked {
	const struct expression *child;
	double rank;
};

static double kind_cost(const struct predicate *predicate)
{
	switch (predicate->kind) {
	case PREDICATE_EXACT:
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
	case PREDICATE_NULL:
	case PREDICATE_EXISTS:
		return 40;
	case PREDICATE_CONTAINS:
	case PREDICATE_NUMBER:
		return 80;
	case PREDICATE_GLOB:
	case PREDICATE_COMPARE:
	case PREDICATE_CIDR:
	case PREDICATE_TIME:
	case PREDICATE_FIELD:
		return 200;
	case PREDICATE_REGEX:
		break;
	}
	return 800;
}

static struct weight weigh(const struct writer *writer, const struct expression *expression);

/* Of children one after another until one is decisive; independent, which they are not. */
static struct weight weigh_all(const struct writer *writer, const struct expression *expression,
    bool decisive)
{
	double go_on = 1, cost = 0;

	for (size_t i = 0; i < expression->count; i++) {
		struct weight child = weigh(writer, expression->children[i]);

		cost += go_on * child.cost;
		go_on *= decisive ? 1 - child.odds : child.odds;
	}
	return (struct weight){cost, decisive ? 1 - go_on : go_on};
}

static struct weight weigh(const struct writer *writer, const struct expression *expression)
{
	struct weight weight = {.cost = 400, .odds = .3};

	switch (expression->kind) {
	case EXPRESSION_PREDICATE: {
		const struct predicate *predicate =
		    &writer->program->predicates[expression->predicate];

		/* Those come first in any case. */
		if (is_decided(writer->decided, expression->predicate))
			return (struct weight){8, .1};
		return (struct weight){
		    kind_cost(predicate), study_odds(writer->study, expression->predicate)};
	}
	case EXPRESSION_AND:
		return weigh_all(writer, expression, false);
	case EXPRESSION_OR:
		return weigh_all(writer, expression, true);
	case EXPRESSION_NOT:
		weight = weigh(writer, expression->children[0]);
		weight.odds = 1 - weight.odds;
		return weight;
	case EXPRESSION_AT_LEAST:
		break;
	}
	return weight;
}

static int rank_compare(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	return left->rank < right->rank ? -1 : left->rank > right->rank;
}

/* Most are in order already, or of one rank. */
static void rank(struct ranked *ranked, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (ranked[i - 1].rank > ranked[i].rank) {
			qsort(ranked, count, sizeof(*ranked), rank_compare);
			return;
		}
	}
}

static uint32_t step_put(struct writer *writer, uint32_t predicate, uint32_t if_true,
    uint32_t if_false)
{
	struct code *code = writer->code;

	code->steps[code->step_count] = (struct step){predicate, if_true, if_false};
	return code->step_count++;
}

static uint32_t expression_put(struct writer *writer, const struct expression *expression,
    uint32_t if_true, uint32_t if_false);

/* Every child but the last leads on to the next one unless it is decisive. */
static uint32_t children_put(struct writer *writer, const struct expression *expression,
    uint32_t if_true, uint32_t if_false)
{
	bool all = expression->kind == EXPRESSION_AND;
	uint32_t next = all ? if_true : if_false;
	struct ranked *ranked = malloc((expression->count + 1) * sizeof(*ranked));

	if (ranked == NULL) {
		writer->failed = true;
		return next;
	}
	for (size_t i = 0; i < expression->count; i++) {
		struct weight weight = weigh(writer, expression->children[i]);
		double decides = all ? 1 - weight.odds : weight.odds;

		ranked[i] = (struct ranked){
		    expression->children[i], weight.cost / (decides + 1e-6)};
	}
	rank(ranked, expression->count);
	for (size_t i = expression->count; i > 0; i--)
		next = expression_put(writer, ranked[i - 1].child, all ? next : if_true,
		    all ? if_false : next);
	free(ranked);
	return next;
}

/* Where to begin with it. */
static uint32_t expression_put(struct writer *writer, const struct expression *expression,
    uint32_t if_true, uint32_t if_false)
{
	switch (expression->kind) {
	case EXPRESSION_PREDICATE:
		return step_put(writer, expression->predicate, if_true, if_false);
	case EXPRESSION_NOT:
		return expression_put(writer, expression->children[0], if_false, if_true);
	case EXPRESSION_AND:
	case EXPRESSION_OR:
		return children_put(writer, expression, if_true, if_false);
	case EXPRESSION_AT_LEAST:
		break;
	}
	writer->code->trees[writer->code->tree_count] = expression;
	return step_put(writer, TREE | writer->code->tree_count++, if_true, if_false);
}

/* How many steps it takes, and how many of these are trees. */
static size_t size_of(const struct expression *expression, size_t *trees)
{
	size_t steps = 0;

	if (expression->kind == EXPRESSION_PREDICATE)
		return 1;
	if (expression->kind == EXPRESSION_AT_LEAST) {
		++*trees;
		return 1;
	}
	for (size_t i = 0; i < expression->count; i++)
		steps += size_of(expression->children[i], trees);
	return steps;
}

struct code *code_new(const struct program *program, const struct study *study,
    const struct expression *expression, const uint8_t *decided)
{
	size_t trees = 0, steps = size_of(expression, &trees);
	size_t head = (sizeof(struct code) + steps * sizeof(struct step) + 7) & ~(size_t)7;
	struct code *code = calloc(1, head + trees * sizeof(*code->trees));
	struct writer writer = {program, study, decided, code, false};

	if (code == NULL)
		return NULL;
	code->trees = (const struct expression **)(void *)((char *)code + head);
	code->entry = expression_put(&writer, expression, HOLDS, FAILS);
	if (!writer.failed)
		return code;
	free(code);
	return NULL;
}

static inline bool step_holds(const struct code *code, const uint8_t *decided, struct view *view,
    uint32_t predicate)
{
	if (predicate & TREE)
		return view_evaluate(view, code->trees[predicate & ~TREE]);
	if (is_decided(decided, predicate))
		return view_is_noted(view, predicate);
	return view_test(view, predicate);
}

enum code_answer code_run(const struct code *code, const uint8_t *decided, struct view *view,
    uint64_t most)
{
	uint32_t at = code->entry;

	while (at < FAILS) {
		const struct step *step = &code->steps[at];

		at = step_holds(code, decided, view, step->predicate) ? step->if_true
		                                                      : step->if_false;
		if (view->work > most && at < FAILS)
			return CODE_OVER;
	}
	return at == HOLDS ? CODE_HOLDS : CODE_FAILS;
}
