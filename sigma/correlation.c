/*
 * Correlation documents (Sigma specification 2.1, correlation rules). Reading looks at the document
 * alone; binding comes when every rule that it refers to stands.
 */
#include "sigma/draft.h"

#include "base/check.h"
#include "event/detection.h"

#include <stdlib.h>

#define STEPS_MAX  256u
#define GROUPS_MAX DETECTION_VALUES /* what travels with a match */

static const char *const type_names[] = {
#define CORRELATION(symbol, name, meaning) [CORRELATION_##symbol] = name,
#include "sigma/correlations.def"
#undef CORRELATION
};

static bool is_temporal(const struct correlation *correlation)
{
	return correlation->type == CORRELATION_TEMPORAL ||
	    correlation->type == CORRELATION_TEMPORAL_ORDERED;
}

const struct yaml_node *correlation_references(const struct draft *draft)
{
	return yaml_get(draft->correlation_node, STR("rules"));
}

static int read_type(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	for (unsigned i = 0; node->kind == YAML_SCALAR && i < CORRELATION_COUNT; i++) {
		if (str_eq(node->scalar, str_of(type_names[i]))) {
			draft->correlation->type = (enum correlation_type)i;
			draft->rule.meta.kind = str_of(type_names[i]);
			return 0;
		}
	}
	return builder_refuse_node(
	    builder, node, TEXT_sigma_correlation_type, STR_ARG(node->scalar));
}

/* A list of different texts, not empty. */
static int list_check(struct builder *builder, const struct yaml_node *node, size_t max)
{
	if (node->kind != YAML_LIST)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_list, STR_ARG(node->key));
	if (node->count == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_empty, STR_ARG(node->key));
	if (node->count > max)
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_count, max);
	for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
		if (child->kind != YAML_SCALAR || child->scalar.len == 0)
			return builder_refuse_node(builder, child, TEXT_sigma_expected_text,
			    STR_ARG(node->key));
		for (const struct yaml_node *other = node->first; other != child;
		     other = other->next) {
			if (str_eq(other->scalar, child->scalar))
				return builder_refuse_node(builder, child,
				    TEXT_sigma_correlation_twice, STR_ARG(child->scalar));
		}
	}
	return 0;
}

static int read_rules(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	draft->correlation->rule_count = node->count;
	return list_check(builder, node, STEPS_MAX);
}

static int read_group_by(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	int code =
	    node->kind == YAML_LIST && node->count > 0 ? list_check(builder, node, GROUPS_MAX) : 0;

	if (code < 0)
		return code;
	return texts_take(builder, node, &draft->correlation->group_by,
	    &draft->correlation->group_count);
}

static int read_timespan(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	return duration_take(builder, node, false, &draft->correlation->timespan_ns);
}

static int read_generate(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	if (!yaml_to_bool(node, &draft->correlation->generate))
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_bool, STR_ARG(node->key));
	return 0;
}

static int read_aliases(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	draft->aliases = node;
	if (node->kind != YAML_MAP)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_map, STR_ARG(node->key));
	for (const struct yaml_node *alias = node->first; alias != NULL; alias = alias->next) {
		if (alias->kind != YAML_MAP)
			return builder_refuse_node(builder, alias, TEXT_sigma_expected_map,
			    STR_ARG(alias->key));
		for (const struct yaml_node *one = alias->first; one != NULL; one = one->next) {
			if (one->kind != YAML_SCALAR || one->scalar.len == 0)
				return builder_refuse_node(builder, one, TEXT_sigma_expected_text,
				    STR_ARG(one->key));
		}
	}
	return 0;
}

static int number_take(struct builder *builder, const struct yaml_node *node, int64_t least,
    size_t most, uint64_t *ret)
{
	int64_t number;

	if (!yaml_to_i64(node, &number) || number < least || number > (int64_t)most)
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_count, most);
	*ret = (uint64_t)number;
	return 0;
}

#define COUNT_MAX ((size_t)1000000000)

static int read_gt(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	uint64_t number;
	int code = number_take(builder, node, 0, COUNT_MAX, &number);

	if (code == 0 && number + 1 > draft->correlation->condition.min)
		draft->correlation->condition.min = number + 1;
	return code;
}

static int read_gte(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	uint64_t number;
	int code = number_take(builder, node, 1, COUNT_MAX, &number);

	if (code == 0 && number > draft->correlation->condition.min)
		draft->correlation->condition.min = number;
	return code;
}

static int read_later(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	(void)draft;
	return builder_refuse_key(builder, node, TEXT_sigma_unsupported, STR_ARG(node->key));
}

static bool is_alias(const struct draft *draft, struct str name)
{
	return draft->aliases != NULL && yaml_get(draft->aliases, name) != NULL;
}

static int read_field(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	struct correlation *correlation = draft->correlation;

	if (correlation->type != CORRELATION_VALUE_COUNT)
		return builder_refuse_key(
		    builder, node, TEXT_sigma_unknown_key, STR_ARG(node->key));
	int code = node->kind == YAML_LIST ? list_check(builder, node, GROUPS_MAX) : 0;

	if (code == 0)
		code = texts_take(
		    builder, node, &correlation->value_fields, &correlation->value_count);
	if (code == 0 && (correlation->value_count == 0 || correlation->value_fields[0].len == 0))
		return builder_refuse_node(builder, node, TEXT_sigma_empty, STR_ARG(node->key));
	/* One field for all rules is all that a value tuple has room for. */
	for (size_t i = 0; code == 0 && i < correlation->value_count; i++) {
		if (is_alias(draft, correlation->value_fields[i]))
			return builder_refuse_node(builder, node, TEXT_sigma_unsupported,
			    STR_ARG(correlation->value_fields[i]));
	}
	return code;
}

static int condition_read(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	static const struct key keys[] = {
	    {"gt", read_gt, false},
	    {"gte", read_gte, false},
	    {"lt", read_later, false},
	    {"lte", read_later, false},
	    {"eq", read_later, false},
	    {"neq", read_later, false},
	    {"field", read_field, false},
	};
	struct correlation *correlation = draft->correlation;

	if (node == NULL && is_temporal(correlation)) {
		correlation->condition.min = correlation->rule_count;
		return 0;
	}
	if (node == NULL)
		return builder_refuse_node(builder, draft->correlation_node, TEXT_sigma_missing,
		    "condition");
	if (node->kind == YAML_SCALAR)
		return builder_refuse_node(builder, node, TEXT_sigma_unsupported,
		    STR_ARG(node->scalar));
	int code =
	    keys_read(builder, node, keys, sizeof(keys) / sizeof(keys[0]), false, draft);

	if (code == 0 && correlation->condition.min == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_correlation_condition);
	if (code == 0 && correlation->type == CORRELATION_VALUE_COUNT &&
	    correlation->value_count == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_missing, "field");
	/* Some of the steps in order is not defined by the specification. */
	uint64_t most = correlation->rule_count;

	if (code == 0 && is_temporal(correlation) &&
	    (correlation->condition.min > most ||
	        (correlation->type == CORRELATION_TEMPORAL_ORDERED &&
	            correlation->condition.min < most)))
		return builder_refuse_node(
		    builder, node, TEXT_sigma_correlation_count, (size_t)most);
	return code;
}

int correlation_read(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	static const struct key keys[] = {
	    {"type", read_type, true},
	    {"rules", read_rules, true},
	    {"group-by", read_group_by, false},
	    {"timespan", read_timespan, true},
	    {"generate", read_generate, false},
	    {"aliases", read_aliases, false},
	};

	draft->correlation_node = node;
	draft->correlation = arena_zalloc(builder->arena, sizeof(*draft->correlation));
	if (draft->correlation == NULL)
		return builder_no_memory(builder);
	draft->correlation->condition.max = UINT64_MAX;
	int code = keys_read(builder, node, keys, sizeof(keys) / sizeof(keys[0]), true, draft);

	return code < 0 ? code : condition_read(builder, yaml_get(node, STR("condition")), draft);
}

static size_t group_find(const struct correlation *correlation, struct str name)
{
	for (size_t i = 0; i < correlation->group_count; i++) {
		if (str_eq(correlation->group_by[i], name))
			return i;
	}
	return STR_NOT_FOUND;
}

/* The field of a step's events that a group stands for. */
static int field_bind(struct builder *builder, struct draft *draft, const struct draft *step,
    struct str group, struct str *ret)
{
	*ret = group;
	if (is_alias(draft, group)) {
		const struct yaml_node *alias = yaml_get(draft->aliases, group);
		const struct yaml_node *field = yaml_get(alias, step->rule.meta.id);

		if (field == NULL && step->rule.name.len > 0)
			field = yaml_get(alias, step->rule.name);
		if (field == NULL)
			return builder_refuse_node(builder, alias, TEXT_sigma_correlation_alias,
			    STR_ARG(group), STR_ARG(step->rule.meta.id));
		*ret = arena_dup(builder->arena, field->scalar);
		if (ret->ptr == NULL)
			return builder_no_memory(builder);
	}
	if (step->correlation != NULL && group_find(step->correlation, *ret) == STR_NOT_FOUND)
		return builder_refuse_node(builder, draft->correlation_node,
		    TEXT_sigma_correlation_group, STR_ARG(*ret), STR_ARG(step->rule.meta.id));
	return 0;
}

static int step_bind(struct builder *builder, struct draft *draft, size_t index,
    const struct yaml_node *reference)
{
	struct correlation *correlation = draft->correlation;
	struct draft *step = draft->steps[index];

	for (size_t i = 0; i < index; i++) {
		if (draft->steps[i] == step)
			return builder_refuse_node(builder, reference, TEXT_sigma_correlation_twice,
			    STR_ARG(reference->scalar));
	}
	if (step->parent != NULL)
		return builder_refuse_node(builder, reference, TEXT_sigma_correlation_shared,
		    STR_ARG(reference->scalar));
	for (size_t i = 0; i < correlation->group_count; i++) {
		int code = field_bind(builder, draft, step, correlation->group_by[i],
		    &correlation->fields[index * correlation->group_count + i]);

		if (code < 0)
			return code;
	}
	/* Of an inner correlation only the group travels on. */
	for (size_t i = 0; step->correlation != NULL && i < correlation->value_count; i++) {
		if (group_find(step->correlation, correlation->value_fields[i]) == STR_NOT_FOUND)
			return builder_refuse_node(builder, reference, TEXT_sigma_correlation_group,
			    STR_ARG(correlation->value_fields[i]), STR_ARG(reference->scalar));
	}
	return 0;
}

static int piece_compare(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static int pair_compare(const void *a, const void *b)
{
	return str_compare(
	    ((const struct alert_pair *)a)->name, ((const struct alert_pair *)b)->name);
}

/* A step's piece of the name: what it is, and its fields for the groups in order of their names. */
static bool step_name(struct builder *builder, const struct draft *draft, size_t index,
    struct buf *out)
{
	const struct correlation *correlation = draft->correlation;
	const struct draft *step = draft->steps[index];
	size_t count = correlation->group_count;
	struct alert_pair *groups = arena_array(builder->scratch, count, sizeof(*groups));

	if (groups == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		groups[i] = (struct alert_pair){correlation->group_by[i],
		    correlation->fields[index * count + i]};
	qsort(groups, count, sizeof(*groups), pair_compare);
	buf_u64(out, step->rule.meta.hash.high);
	buf_u64(out, step->rule.meta.hash.low);
	for (size_t i = 0; i < count; i++)
		content_put(out, groups[i].value);
	return true;
}

static bool pieces_name(struct builder *builder, const struct draft *draft, struct buf *out)
{
	const struct correlation *correlation = draft->correlation;
	struct str *pieces =
	    arena_array(builder->scratch, correlation->rule_count, sizeof(*pieces));
	bool whole = pieces != NULL;

	for (size_t i = 0; whole && i < correlation->rule_count; i++) {
		struct buf piece = BUF(1 << 20);

		whole = step_name(builder, draft, i, &piece) && !piece.failed;
		if (whole)
			pieces[i] = arena_dup(builder->scratch, buf_str(&piece));
		whole = whole && pieces[i].ptr != NULL;
		buf_free(&piece);
	}
	if (!whole)
		return false;
	if (correlation->type != CORRELATION_TEMPORAL_ORDERED)
		qsort(pieces, correlation->rule_count, sizeof(*pieces), piece_compare);
	for (size_t i = 0; i < correlation->rule_count; i++)
		content_put(out, pieces[i]);
	return true;
}

/* The order of groups, of values, and of steps that have none, changes nothing. */
static int correlation_name(struct builder *builder, struct draft *draft)
{
	struct correlation *correlation = draft->correlation;
	struct buf out = BUF(16 << 20);
	struct str *values =
	    arena_array(builder->scratch, correlation->value_count, sizeof(*values));

	if (values == NULL)
		return builder_no_memory(builder);
	content_put(&out, draft->rule.meta.kind);
	bool whole = pieces_name(builder, draft, &out);

	for (size_t i = 0; i < correlation->value_count; i++)
		values[i] = correlation->value_fields[i];
	qsort(values, correlation->value_count, sizeof(*values), piece_compare);
	for (size_t i = 0; i < correlation->value_count; i++)
		content_put(&out, values[i]);
	buf_u64(&out, (uint64_t)correlation->timespan_ns);
	buf_u64(&out, correlation->condition.min);
	buf_u64(&out, correlation->condition.max);
	buf_u8(&out, correlation->generate);
	draft->rule.meta.hash = content_hash(buf_str(&out));
	whole = whole && !out.failed;
	buf_free(&out);
	return whole ? 0 : builder_no_memory(builder);
}

int correlation_bind(struct builder *builder, struct draft *draft)
{
	struct correlation *correlation = draft->correlation;
	const struct yaml_node *reference = correlation_references(draft)->first;

	correlation->fields = arena_array(builder->arena,
	    correlation->rule_count * correlation->group_count, sizeof(*correlation->fields));
	correlation->rules =
	    arena_array(builder->arena, correlation->rule_count, sizeof(*correlation->rules));
	if (correlation->fields == NULL || correlation->rules == NULL)
		return builder_no_memory(builder);
	for (size_t i = 0; i < correlation->rule_count; i++, reference = reference->next) {
		int code = step_bind(builder, draft, i, reference);

		if (code < 0)
			return code;
	}
	int code = correlation_name(builder, draft);

	for (size_t i = 0; code == 0 && i < correlation->rule_count; i++) {
		if (draft->steps[i]->correlation != NULL)
			draft->steps[i]->parent = draft;
	}
	return code;
}
