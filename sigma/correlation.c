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

const struct yaml_node *correlation_references(const struct draft *draft)
{
	return draft->references;
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

int correlation_list_check(struct builder *builder, const struct yaml_node *node, size_t max)
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
	draft->references = node;
	return correlation_list_check(builder, node, STEPS_MAX);
}

static int read_group_by(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	int code = node->kind == YAML_LIST && node->count > 0
	    ? correlation_list_check(builder, node, GROUPS_MAX) : 0;

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

int correlation_read(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	static const struct key keys[] = {
	    {"type", read_type, true},
	    {"rules", read_rules, false},
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

	if (code < 0)
		return code;
	return correlation_condition_read(builder, yaml_get(node, STR("condition")), draft);
}

static bool is_alias(const struct draft *draft, struct str name)
{
	return draft->aliases != NULL && yaml_get(draft->aliases, name) != NULL;
}

static size_t group_find(const struct correlation *correlation, struct str name)
{
	for (size_t i = 0; i < correlation->group_count; i++) {
		if (str_eq(correlation->group_by[i], name))
			return i;
	}
	return STR_NOT_FOUND;
}

/* Where the i-th text of a list, or the only one, is written. */
static const struct yaml_node *text_node(const struct yaml_node *node, size_t index)
{
	if (node->kind != YAML_LIST)
		return node;
	for (node = node->first; index > 0; index--)
		node = node->next;
	return node;
}

/* The field of a step's events that a group, or a counted value, stands for. */
static int field_bind(struct builder *builder, struct draft *draft, const struct draft *step,
    const struct yaml_node *where, struct str group, struct str *ret)
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
		return builder_refuse_node(builder, where, TEXT_sigma_correlation_group,
		    STR_ARG(*ret), STR_ARG(step->rule.meta.id));
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
	const struct yaml_node *node = yaml_get(draft->correlation_node, STR("group-by"));

	for (size_t i = 0; i < correlation->group_count; i++) {
		int code = field_bind(builder, draft, step, text_node(node, i),
		    correlation->group_by[i],
		    &correlation->fields[index * correlation->group_count + i]);

		if (code < 0)
			return code;
	}
	/* Of an inner correlation only the group travels on. */
	if (correlation->value_count > 0)
		node = yaml_get(
		    yaml_get(draft->correlation_node, STR("condition")), STR("field"));
	for (size_t i = 0; i < correlation->value_count; i++) {
		int code = field_bind(builder, draft, step, text_node(node, i),
		    correlation->value_fields[i],
		    &correlation->values[index * correlation->value_count + i]);

		if (code < 0)
			return code;
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
	for (size_t i = 0; i < correlation->value_count; i++)
		if (is_alias(draft, correlation->value_fields[i]))
			content_put(out, correlation->values[index * correlation->value_count + i]);
	return true;
}

static uint64_t bits_rename(uint64_t bits, const uint32_t *places)
{
	uint64_t renamed = 0;

	for (; bits != 0; bits &= bits - 1)
		renamed |= UINT64_C(1) << places[__builtin_ctzll(bits)];
	return renamed;
}

static int term_compare(const void *a, const void *b)
{
	const struct correlation_term *left = a, *right = b;

	if (left->present != right->present)
		return left->present < right->present ? -1 : 1;
	return left->absent < right->absent ? -1 : left->absent > right->absent;
}

/* Without order, a step is told by its piece, and not by where it is listed. */
static bool terms_name(struct builder *builder, const struct correlation *correlation,
    const struct str *pieces, struct buf *out)
{
	struct correlation_term *terms =
	    arena_array(builder->scratch, correlation->term_count, sizeof(*terms));
	uint32_t places[64];

	if (correlation->course != COURSE_PATTERN)
		return true;
	for (uint32_t i = 0; i < correlation->rule_count; i++) {
		places[i] = i;
		if (correlation->type == CORRELATION_TEMPORAL_ORDERED)
			continue;
		places[i] = 0;
		for (size_t j = 0; j < correlation->rule_count; j++)
			places[i] += str_compare(pieces[j], pieces[i]) < (j < i);
	}
	for (size_t i = 0; terms != NULL && i < correlation->term_count; i++)
		terms[i] = (struct correlation_term){
		    bits_rename(correlation->terms[i].present, places),
		    bits_rename(correlation->terms[i].absent, places)};
	if (terms == NULL)
		return false;
	qsort(terms, correlation->term_count, sizeof(*terms), term_compare);
	for (size_t i = 0; i < correlation->term_count; i++) {
		buf_u64(out, terms[i].present);
		buf_u64(out, terms[i].absent);
	}
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
	if (!whole || !terms_name(builder, correlation, pieces, out))
		return false;
	if (correlation->type != CORRELATION_TEMPORAL_ORDERED)
		qsort(pieces, correlation->rule_count, sizeof(*pieces), piece_compare);
	for (size_t i = 0; i < correlation->rule_count; i++)
		content_put(out, pieces[i]);
	return true;
}

/* What only the courses that are no matter of arrival know. */
static void bounds_name(const struct correlation *correlation, struct buf *out)
{
	if (correlation->course != COURSE_SUM && correlation->course != COURSE_CLOSE)
		return;
	for (unsigned kind = 0; kind < BOUND_KINDS; kind++) {
		for (size_t i = 0; i < correlation->condition.bound_count; i++) {
			const struct correlation_bound *bound = &correlation->condition.bounds[i];

			if (bound->kind != kind)
				continue;
			buf_u8(out, (uint8_t)kind);
			buf_u64(out, (uint64_t)(bound->value >> 64));
			buf_u64(out, (uint64_t)bound->value);
		}
	}
	buf_u32(out, correlation->rank);
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
		if (!is_alias(draft, values[i]))
			content_put(&out, values[i]);
	buf_u64(&out, (uint64_t)correlation->timespan_ns);
	buf_u64(&out, correlation->condition.min);
	buf_u64(&out, correlation->condition.max);
	buf_u8(&out, correlation->generate);
	bounds_name(correlation, &out);
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
	correlation->values = arena_array(builder->arena,
	    correlation->rule_count * correlation->value_count, sizeof(*correlation->values));
	correlation->rules =
	    arena_array(builder->arena, correlation->rule_count, sizeof(*correlation->rules));
	if (correlation->fields == NULL || correlation->values == NULL ||
	    correlation->rules == NULL)
		return builder_no_memory(builder);
	for (size_t i = 0; i < correlation->rule_count; i++, reference = reference->next) {
		int code = step_bind(builder, draft, i, reference);

		if (code < 0)
			return code;
	}
	int code = correlation_condition_bind(builder, draft);

	return code < 0 ? code : correlation_name(builder, draft);
}
