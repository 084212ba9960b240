/*
 * Filters (Sigma specification 2.1, filters): a condition that is added to other rules, as written.
 * Its detections are compiled by themselves, so that no pattern of the rule's condition reaches
 * them.
 */
#include "sigma/detection.h"
#include "sigma/draft.h"

static bool is_any(const struct yaml_node *rules)
{
	return rules->kind == YAML_SCALAR ? str_eq_fold(rules->scalar, STR("any"))
	                                  : rules->kind == YAML_LIST && rules->count == 0;
}

static int rules_read(struct builder *builder, const struct yaml_node *rules, struct draft *draft)
{
	if (is_any(rules))
		return 0;
	if (rules->kind != YAML_LIST)
		return builder_refuse_node(builder, rules, TEXT_sigma_filter_rules);
	for (const struct yaml_node *one = rules->first; one != NULL; one = one->next) {
		if (one->kind != YAML_SCALAR || one->scalar.len == 0)
			return builder_refuse_node(builder, one, TEXT_sigma_filter_rules);
	}
	draft->filter_rules = rules;
	return 0;
}

int filter_read(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	if (node->kind != YAML_MAP)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_map, STR_ARG(node->key));
	const struct yaml_node *rules = yaml_get(node, STR("rules"));

	if (rules == NULL)
		return builder_refuse_key(builder, node, TEXT_sigma_missing, "rules");
	int code = rules_read(builder, rules, draft);

	if (code == 0)
		code = detection_compile(builder, node, STR("rules"), &draft->expression);
	return code;
}

static bool takes_in(struct str filter, struct str rule)
{
	return filter.len == 0 || str_eq(filter, rule);
}

bool filter_covers(const struct draft *filter, const struct draft *rule)
{
	return takes_in(filter->rule.product, rule->rule.product) &&
	    takes_in(filter->rule.category, rule->rule.category) &&
	    takes_in(filter->rule.service, rule->rule.service);
}

int filter_add(struct builder *builder, const struct draft *filter, struct draft *rule)
{
	if (!array_grow(builder->scratch, &rule->filters, rule->filter_count,
	        &rule->filter_capacity, sizeof(*rule->filters)))
		return builder_no_memory(builder);
	rule->filters[rule->filter_count++] = filter->expression;
	return 0;
}

int filter_apply(struct builder *builder, struct draft *rule)
{
	const struct expression **all =
	    arena_array(builder->scratch, rule->filter_count + 1, sizeof(*all));

	if (all == NULL)
		return builder_no_memory(builder);
	all[0] = rule->expression;
	for (size_t i = 0; i < rule->filter_count; i++)
		all[i + 1] = rule->filters[i];
	rule->expression =
	    expression_group(builder, EXPRESSION_AND, all, rule->filter_count + 1);
	return rule->expression == NULL ? builder_no_memory(builder) : draft_name(builder, rule);
}
