/*
 * tocsin.suppress: further matches of a rule on one key are counted on the first one's alert.
 */
#include "sigma/attribute.h"

#include "base/clock.h"

#include <stdlib.h>

#define SUPPRESS_MAX_DAYS 30

static int read_for(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	int code = duration_take(builder, node, false, &draft->rule.suppress_ns);

	if (code == 0 && draft->rule.suppress_ns > SUPPRESS_MAX_DAYS * 86400 * NS_PER_S)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_suppress_long, SUPPRESS_MAX_DAYS);
	return code;
}

static int name_compare(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* The order in which they are written means nothing. */
static int read_by(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	struct rule *rule = &draft->rule;
	int code = attribute_fields_take(
	    builder, node, true, &rule->suppress_by, &rule->suppress_by_count);

	if (code == 0 && rule->suppress_by_count > 1)
		qsort(rule->suppress_by, rule->suppress_by_count, sizeof(*rule->suppress_by),
		    name_compare);
	return code;
}

int attribute_suppress_read(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	static const struct key keys[] = {{"for", read_for, true}, {"by", read_by, true}};

	return keys_read(builder, node, keys, sizeof(keys) / sizeof(keys[0]), false, draft);
}

static bool is_told(const struct draft *draft, struct str name)
{
	const struct correlation *correlation = draft->correlation;

	if (correlation == NULL)
		return attribute_first_seen_has(draft, name);
	for (size_t g = 0; g < correlation->group_count; g++)
		if (str_eq(correlation->group_by[g], name))
			return true;
	return false;
}

/* The alert of a correlation knows its groups alone, that of first_seen its names. */
static int groups_check(struct builder *builder, const struct yaml_node *by,
    const struct draft *draft)
{
	for (size_t i = 0; i < draft->rule.suppress_by_count; i++) {
		struct str name = draft->rule.suppress_by[i];
		const struct yaml_node *node = by->kind == YAML_LIST ? by->first : by;

		while (node->next != NULL && by->kind == YAML_LIST && !str_eq(node->scalar, name))
			node = node->next;
		if (!is_told(draft, name))
			return builder_refuse_node(builder, node, TEXT_sigma_correlation_group,
			    STR_ARG(name), STR_ARG(draft->rule.meta.id));
	}
	return 0;
}

int attribute_suppress_check(struct builder *builder, const struct yaml_node *attribute,
    struct draft *draft)
{
	const struct yaml_node *node = yaml_get(attribute, STR("suppress"));
	const struct yaml_node *fold = yaml_get(attribute, STR("fold"));

	if (node == NULL)
		return 0;
	if (fold != NULL)
		return builder_refuse_key(builder, fold, TEXT_sigma_suppress_fold);
	return draft->correlation == NULL && draft->first_seen == NULL
	    ? 0 : groups_check(builder, yaml_get(node, STR("by")), draft);
}
