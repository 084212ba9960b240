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

/* What an expression costs to evaluate, about in instructions, and how likely it holds. */
struct weight {
	double cost, odds;
};

/* An expression, and behind it its children. */
struct part {
	const struct expression *expression;
	struct weight weight;
	uint32_t behind; /* the part behind its children */
};

struct ranked {
	uint32_t part;
	double rank;
};

struct writer {
	const struct program *program;
	const struct study *study;
	const uint8_t *decided;
	struct code *code;
	struct part *parts;
	uint32_t part_count;
	struct ranked *room; /* as many as there are parts; what is in use grows with the depth */
};

static inline bool is_decided(const uint8_t *decided, uint32_t predicate)
{
	return decided[predicate / 8] >> predicate % 8 & 1;
}

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

static struct weight predicate_weigh(const struct writer *writer, uint32_t predicate)
{
	/* Those come first in any case. */
	if (is_decided(writer->decided, predicate))
		return (struct weight){8, .1};
	return (struct weight){kind_cost(&writer->program->predicates[predicate]),
	    study_odds(writer->study, predicate)};
}

static struct weight part_make(struct writer *writer, const struct expression *expression);

/* Of children one after another until one is decisive; independent, which they are not. */
static struct weight children_make(struct writer *writer, const struct expression *expression,
    bool decisive)
{
	double go_on = 1, cost = 0;

	for (size_t i = 0; i < expression->count; i++) {
		struct weight child = part_make(writer, expression->children[i]);

		cost += go_on * child.cost;
		go_on *= decisive ? 1 - child.odds : child.odds;
	}
	return (struct weight){cost, decisive ? 1 - go_on : go_on};
}

/* Each expression is weighed once. */
static struct weight part_make(struct writer *writer, const struct expression *expression)
{
	struct part *part = &writer->parts[writer->part_count++];

	part->expression = expression;
	part->weight = (struct weight){.cost = 400, .odds = .3};
	switch (expression->kind) {
	case EXPRESSION_PREDICATE:
		part->weight = predicate_weigh(writer, expression->predicate);
		break;
	case EXPRESSION_AND:
		part->weight = children_make(writer, expression, false);
		break;
	case EXPRESSION_OR:
		part->weight = children_make(writer, expression, true);
		break;
	case EXPRESSION_NOT:
		part->weight = part_make(writer, expression->children[0]);
		part->weight.odds = 1 - part->weight.odds;
		break;
	case EXPRESSION_AT_LEAST:
		break;
	}
	part->behind = writer->part_count;
	return part->weight;
}

static int rank_compare(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	return left->rank < right->rank ? -1 : left->rank > right->rank;
}

#define FEW 16u

/* Those of one rank stay in order. Most are few, or in order already. */
static void rank(struct ranked *ranked, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct ranked one = ranked[i];
		size_t at = i;

		if (ranked[i - 1].rank <= one.rank)
			continue;
		if (count > FEW) {
			qsort(ranked, count, sizeof(*ranked), rank_compare);
			return;
		}
		for (; at > 0 && ranked[at - 1].rank > one.rank; at--)
			ranked[at] = ranked[at - 1];
		ranked[at] = one;
	}
}

static uint32_t step_put(struct writer *writer, uint32_t predicate, uint32_t if_true,
    uint32_t if_false)
{
	struct code *code = writer->code;

	code->steps[code->step_count] = (struct step){predicate, if_true, if_false};
	return code->step_count++;
}

static uint32_t part_put(struct writer *writer, uint32_t at, uint32_t if_true, uint32_t if_false);

/* Every child but the last leads on to the next one unless it is decisive. */
static uint32_t children_put(struct writer *writer, const struct part *part, uint32_t if_true,
    uint32_t if_false)
{
	bool all = part->expression->kind == EXPRESSION_AND;
	uint32_t next = all ? if_true : if_false, at = (uint32_t)(part - writer->parts) + 1;
	struct ranked *ranked = writer->room;
	size_t count = part->expression->count;

	for (size_t i = 0; i < count; i++, at = writer->parts[at].behind) {
		struct weight weight = writer->parts[at].weight;
		double decides = all ? 1 - weight.odds : weight.odds;

		ranked[i] = (struct ranked){at, weight.cost / (decides + 1e-6)};
	}
	rank(ranked, count);
	writer->room += count;
	for (size_t i = count; i > 0; i--)
		next = part_put(writer, ranked[i - 1].part, all ? next : if_true,
		    all ? if_false : next);
	writer->room -= count;
	return next;
}

/* Where to begin with it. */
static uint32_t part_put(struct writer *writer, uint32_t at, uint32_t if_true, uint32_t if_false)
{
	const struct part *part = &writer->parts[at];

	switch (part->expression->kind) {
	case EXPRESSION_PREDICATE:
		return step_put(writer, part->expression->predicate, if_true, if_false);
	case EXPRESSION_NOT:
		return part_put(writer, at + 1, if_false, if_true);
	case EXPRESSION_AND:
	case EXPRESSION_OR:
		return children_put(writer, part, if_true, if_false);
	case EXPRESSION_AT_LEAST:
		break;
	}
	writer->code->trees[writer->code->tree_count] = part->expression;
	return step_put(writer, TREE | writer->code->tree_count++, if_true, if_false);
}

struct size {
	size_t parts, steps, trees;
};

static void size_add(struct size *size, const struct expression *expression)
{
	size->parts++;
	if (expression->kind == EXPRESSION_PREDICATE || expression->kind == EXPRESSION_AT_LEAST) {
		size->steps++;
		size->trees += expression->kind == EXPRESSION_AT_LEAST;
		return;
	}
	for (size_t i = 0; i < expression->count; i++)
		size_add(size, expression->children[i]);
}

struct code *code_new(const struct program *program, const struct study *study,
    const struct expression *expression, const uint8_t *decided)
{
	struct size size = {0};

	size_add(&size, expression);
	size_t head = (sizeof(struct code) + size.steps * sizeof(struct step) + 7) & ~(size_t)7;
	struct code *code = malloc(head + size.trees * sizeof(*code->trees));
	struct part *parts = malloc(size.parts * (sizeof(*parts) + sizeof(struct ranked)));
	struct writer writer = {program, study, decided, code, parts, 0,
	    (struct ranked *)(void *)(parts + size.parts)};

	if (code == NULL || parts == NULL) {
		free(code);
		free(parts);
		return NULL;
	}
	code->step_count = code->tree_count = 0;
	code->trees = (const struct expression **)(void *)((char *)code + head);
	part_make(&writer, expression);
	code->entry = part_put(&writer, 0, HOLDS, FAILS);
	free(parts);
	return code;
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
