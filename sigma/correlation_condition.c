/*
 * What a correlation counts up to, and when that can be decided.
 */
#include "sigma/draft.h"

#include "event/detection.h"
#include "sigma/formula.h"

#define COUNT_MAX  ((size_t)1000000000)
/* Distinct values that a window is asked about at its close; more than it keeps says no more. */
#define VALUES_MAX ((size_t)65535)
#define SUBSET_MAX 20u /* rules of which some are enough, in order */

bool correlation_is_temporal(const struct correlation *correlation)
{
	return correlation->type == CORRELATION_TEMPORAL ||
	    correlation->type == CORRELATION_TEMPORAL_ORDERED;
}

/* Counts and rules are whole numbers; the other types compare a value. */
static bool is_whole(const struct correlation *correlation)
{
	return correlation_is_temporal(correlation) ||
	    correlation->type == CORRELATION_EVENT_COUNT ||
	    correlation->type == CORRELATION_VALUE_COUNT;
}

static int bound_take(struct builder *builder, const struct yaml_node *node, struct draft *draft,
    enum bound_kind kind, int64_t least)
{
	struct correlation_condition *condition = &draft->correlation->condition;
	decimal value;
	int64_t number;

	if (is_whole(draft->correlation)) {
		if (!yaml_to_i64(node, &number) || number < least || number > (int64_t)COUNT_MAX)
			return builder_refuse_node(
			    builder, node, TEXT_sigma_correlation_count, COUNT_MAX);
		value = number * DECIMAL_ONE;
	} else if (node->kind != YAML_SCALAR || node->quoted ||
	    !decimal_parse(node->scalar, &value)) {
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_number);
	}
	condition->bounds[condition->bound_count++] =
	    (struct correlation_bound){kind, value};
	return 0;
}

static int read_gt(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return bound_take(builder, node, draft, BOUND_GT, 0);
}

static int read_gte(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return bound_take(builder, node, draft, BOUND_GTE, 1);
}

static int read_lt(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return bound_take(builder, node, draft, BOUND_LT, 0);
}

static int read_lte(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return bound_take(builder, node, draft, BOUND_LTE, 0);
}

static int read_eq(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return bound_take(builder, node, draft, BOUND_EQ, 0);
}

static int read_neq(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return bound_take(builder, node, draft, BOUND_NEQ, 0);
}

static int read_field(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	struct correlation *correlation = draft->correlation;
	size_t most = correlation->type == CORRELATION_VALUE_COUNT ? DETECTION_VALUES : 1;

	if (correlation_is_temporal(correlation) || correlation->type == CORRELATION_EVENT_COUNT)
		return builder_refuse_key(
		    builder, node, TEXT_sigma_unknown_key, STR_ARG(node->key));
	if (most == 1 && node->kind == YAML_LIST && node->count != 1)
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_field);
	int code = node->kind == YAML_LIST ? correlation_list_check(builder, node, most) : 0;

	if (code == 0)
		code = texts_take(
		    builder, node, &correlation->value_fields, &correlation->value_count);
	if (code == 0 && (correlation->value_count == 0 || correlation->value_fields[0].len == 0))
		return builder_refuse_node(builder, node, TEXT_sigma_empty, STR_ARG(node->key));
	return code;
}

static int read_percentile(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	decimal hundredth = DECIMAL_ONE / 100, value;

	if (draft->correlation->type != CORRELATION_VALUE_PERCENTILE)
		return builder_refuse_key(
		    builder, node, TEXT_sigma_unknown_key, STR_ARG(node->key));
	if (node->kind != YAML_SCALAR || node->quoted || !decimal_parse(node->scalar, &value) ||
	    value < 0 || value > 100 * DECIMAL_ONE || value % hundredth != 0)
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_rank);
	draft->correlation->rank = (uint32_t)(value / hundredth);
	return 0;
}

/* ---- what the bounds say together ---- */

static bool bound_holds(const struct correlation_bound *bound, decimal value)
{
	switch (bound->kind) {
	case BOUND_GT:
		return value > bound->value;
	case BOUND_GTE:
		return value >= bound->value;
	case BOUND_LT:
		return value < bound->value;
	case BOUND_LTE:
		return value <= bound->value;
	case BOUND_EQ:
		return value == bound->value;
	case BOUND_NEQ:
		return value != bound->value;
	}
	return false;
}

static bool count_holds(const struct correlation_condition *condition, uint64_t count)
{
	for (size_t i = 0; i < condition->bound_count; i++)
		if (!bound_holds(&condition->bounds[i], (decimal)count * DECIMAL_ONE))
			return false;
	return true;
}

/* Nothing that comes later can undo it. */
static bool is_lasting(const struct correlation_condition *condition)
{
	for (size_t i = 0; i < condition->bound_count; i++)
		if (condition->bounds[i].kind != BOUND_GT &&
		    condition->bounds[i].kind != BOUND_GTE)
			return false;
	return true;
}

static void interval_place(struct correlation_condition *condition)
{
	for (size_t i = 0; i < condition->bound_count; i++) {
		enum bound_kind kind = condition->bounds[i].kind;
		uint64_t value = (uint64_t)(condition->bounds[i].value / DECIMAL_ONE), low = value,
			 high = value;

		if (kind == BOUND_NEQ)
			continue;
		low += kind == BOUND_GT;
		high -= kind == BOUND_LT && value > 0;
		if ((kind == BOUND_GT || kind == BOUND_GTE ||
		    kind == BOUND_EQ) && low > condition->min)
			condition->min = low;
		if (kind != BOUND_GT && kind != BOUND_GTE && high < condition->max)
			condition->max = high;
	}
}

/* Twice the value, so that what lies between two bounds can be tried. */
static bool doubled_holds(const struct correlation_condition *condition, decimal doubled)
{
	for (size_t i = 0; i < condition->bound_count; i++) {
		struct correlation_bound bound = condition->bounds[i];

		bound.value *= 2;
		if (!bound_holds(&bound, doubled))
			return false;
	}
	return true;
}

/*
 * Between two neighbouring bounds all numbers are alike, so that those beside the bounds and the
 * bounds themselves are enough to try. whole: from 1 on, one apart.
 */
static bool is_possible(const struct correlation_condition *condition, bool whole)
{
	decimal apart = whole ? 2 * DECIMAL_ONE : 1;

	if (whole && count_holds(condition, 1))
		return true;
	for (size_t i = 0; i < condition->bound_count; i++) {
		for (int step = -1; step <= 1; step++) {
			decimal doubled = 2 * condition->bounds[i].value + step * apart;

			if ((!whole || doubled >= 2 * DECIMAL_ONE) &&
			    doubled_holds(condition, doubled))
				return true;
		}
	}
	return false;
}

static int counts_place(struct builder *builder, const struct yaml_node *node,
    struct correlation *correlation)
{
	struct correlation_condition *condition = &correlation->condition;

	interval_place(condition);
	correlation->course = is_lasting(condition) ? COURSE_ARRIVAL : COURSE_CLOSE;
	if (correlation->type != CORRELATION_VALUE_COUNT || correlation->course == COURSE_ARRIVAL)
		return 0;
	for (size_t i = 0; i < condition->bound_count; i++) {
		if (condition->bounds[i].value > (decimal)VALUES_MAX * DECIMAL_ONE)
			return builder_refuse_node(
			    builder, node, TEXT_sigma_correlation_count, VALUES_MAX);
	}
	return 0;
}

/* Which rules together are as many as the condition asks for. */
static int subsets_place(struct builder *builder, const struct yaml_node *node,
    struct correlation *correlation)
{
	const struct correlation_condition *condition = &correlation->condition;
	uint64_t all = (UINT64_C(1) << correlation->rule_count) - 1;
	bool lasting = is_lasting(condition);

	correlation->terms = arena_array(
	    builder->arena, FORMULA_TERMS, sizeof(*correlation->terms));
	if (correlation->terms == NULL)
		return builder_no_memory(builder);
	for (uint64_t set = 1; set <= all; set++) {
		uint64_t count = (uint64_t)__builtin_popcountll(set);

		if (lasting ? count != condition->min : !count_holds(condition, count))
			continue;
		if (correlation->term_count == FORMULA_TERMS)
			return builder_refuse_node(builder, node, TEXT_sigma_correlation_many,
			    (size_t)FORMULA_TERMS);
		correlation->terms[correlation->term_count++] =
		    (struct correlation_term){set, lasting ? 0 : all & ~set};
	}
	if (correlation->term_count == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_never);
	return 0;
}

static int temporal_place(struct builder *builder, const struct yaml_node *node,
    struct correlation *correlation)
{
	struct correlation_condition *condition = &correlation->condition;
	uint64_t rules = correlation->rule_count;

	interval_place(condition);
	if (condition->min > rules)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_correlation_count, (size_t)rules);
	if (is_lasting(condition) &&
	    (correlation->type == CORRELATION_TEMPORAL || condition->min == rules))
		return 0;
	correlation->course = COURSE_PATTERN;
	correlation->waits = !is_lasting(condition);
	if (rules > SUBSET_MAX)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_correlation_many, (size_t)FORMULA_TERMS);
	return subsets_place(builder, node, correlation);
}

static int bounds_place(struct builder *builder, const struct yaml_node *node,
    struct correlation *correlation)
{
	const struct correlation_condition *condition = &correlation->condition;
	bool whole = is_whole(correlation);

	if (condition->bound_count == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_condition);
	if (!is_possible(condition, whole))
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_never);
	if (correlation_is_temporal(correlation))
		return temporal_place(builder, node, correlation);
	if (whole)
		return counts_place(builder, node, correlation);
	correlation->course = correlation->type == CORRELATION_VALUE_SUM && is_lasting(condition)
	    ? COURSE_SUM : COURSE_CLOSE;
	return 0;
}

static int map_read(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	static const struct key keys[] = {
	    {"gt", read_gt, false},
	    {"gte", read_gte, false},
	    {"lt", read_lt, false},
	    {"lte", read_lte, false},
	    {"eq", read_eq, false},
	    {"neq", read_neq, false},
	    {"field", read_field, false},
	    {"percentile", read_percentile, false},
	};
	const struct correlation *correlation = draft->correlation;
	int code = keys_read(builder, node, keys, sizeof(keys) / sizeof(keys[0]), false, draft);

	if (code == 0 && correlation->type == CORRELATION_VALUE_PERCENTILE &&
	    yaml_get(node, STR("percentile")) == NULL)
		return builder_refuse_node(builder, node, TEXT_sigma_missing, "percentile");
	if (code == 0)
		code = bounds_place(builder, node, draft->correlation);
	if (code == 0 && correlation->value_count == 0 &&
	    !correlation_is_temporal(correlation) &&
	    correlation->type != CORRELATION_EVENT_COUNT)
		return builder_refuse_node(builder, node, TEXT_sigma_missing, "field");
	return code;
}

/* ---- conditions over rules ---- */

static int formula_read(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	struct correlation *correlation = draft->correlation;

	if (!correlation_is_temporal(correlation))
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_scalar);
	int code = formula_parse(builder, node, &draft->formula);

	if (code < 0)
		return code;
	correlation->course = COURSE_PATTERN;
	if (draft->references != NULL)
		return 0;
	draft->references = formula_list(builder, draft->formula);
	if (draft->references == NULL)
		return builder_no_memory(builder);
	correlation->rule_count = draft->references->count;
	return 0;
}

static bool is_called(const struct draft *step, const struct yaml_node *reference, struct str name)
{
	return str_eq(reference->scalar, name) || str_eq(step->rule.meta.id, name) ||
	    (step->rule.name.len > 0 && str_eq(step->rule.name, name));
}

/* The step of each name; all that is listed must be named, and the other way round. */
static int names_bind(struct builder *builder, struct draft *draft,
    const struct yaml_node *names, uint32_t *steps)
{
	uint64_t used = 0;
	size_t at = 0;

	for (const struct yaml_node *name = names->first; name != NULL; name = name->next, at++) {
		const struct yaml_node *reference = draft->references->first;
		uint32_t step = 0;

		while (reference != NULL && !is_called(draft->steps[step], reference, name->scalar))
			reference = reference->next, step++;
		if (reference == NULL)
			return builder_refuse_node(builder, name, TEXT_sigma_correlation_unlisted,
			    STR_ARG(name->scalar));
		steps[at] = step;
		used |= UINT64_C(1) << step;
	}
	size_t step = 0;

	for (const struct yaml_node *one = draft->references->first; one != NULL;
	     one = one->next, step++)
		if ((used >> step & 1) == 0)
			return builder_refuse_node(builder, one, TEXT_sigma_correlation_unused,
			    STR_ARG(one->scalar));
	return 0;
}

int correlation_condition_bind(struct builder *builder, struct draft *draft)
{
	struct correlation *correlation = draft->correlation;
	uint32_t steps[FORMULA_NAMES];

	if (draft->formula == NULL)
		return 0;
	const struct yaml_node *names = formula_list(builder, draft->formula);

	if (names == NULL)
		return builder_no_memory(builder);
	if (correlation->rule_count > FORMULA_NAMES)
		return builder_refuse_node(builder, draft->references,
		    TEXT_sigma_correlation_count, (size_t)FORMULA_NAMES);
	int code = names_bind(builder, draft, names, steps);

	if (code == 0)
		code = formula_terms(builder, draft->formula, steps, &correlation->terms,
		    &correlation->term_count);
	for (size_t i = 0; code == 0 && i < correlation->term_count; i++)
		correlation->waits |= correlation->terms[i].absent != 0;
	return code;
}

int correlation_condition_read(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	struct correlation *correlation = draft->correlation;

	if (node != NULL && node->kind == YAML_SCALAR) {
		int code = formula_read(builder, node, draft);

		if (code < 0)
			return code;
	}
	if (draft->references == NULL)
		return builder_refuse_node(
		    builder, draft->correlation_node, TEXT_sigma_missing, "rules");
	if (node == NULL && correlation_is_temporal(correlation)) {
		correlation->condition.min = correlation->rule_count;
		return 0;
	}
	if (node == NULL)
		return builder_refuse_node(builder, draft->correlation_node, TEXT_sigma_missing,
		    "condition");
	return node->kind == YAML_SCALAR ? 0 : map_read(builder, node, draft);
}
