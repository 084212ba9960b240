/*
 * Where a rule looks, beside what the decoders are known to give.
 */
#include "sigma/lint_state.h"

/* Of a correlation; more than people write are not judged. */
#define GROUPS_MAX 64u
#define RULES_MAX  4096u

static bool is_given(const struct linter *linter, const struct lint_document *document)
{
	return linter->sources.is_given(linter->sources.context, document->product,
	    document->category, document->service);
}

static bool has_field(const struct linter *linter, const struct lint_document *document,
    struct str field, struct str *ret_near)
{
	return linter->sources.has_field(linter->sources.context, document->product,
	    document->category, field, ret_near);
}

static void check_logsource(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *node = yaml_get(document->root, STR("logsource"));

	if (node == NULL || node->kind != YAML_MAP)
		return;
	if (document->product.len + document->category.len + document->service.len == 0) {
		if (!document->is_filter)
			lint_tell_key(linter, document, LINT_SOURCE_EMPTY, node, STR_NONE);
		return;
	}
	if (!document->is_filter && linter->sources.is_given != NULL && !is_given(linter, document))
		lint_tell_key(linter, document, LINT_SOURCE_UNKNOWN, node,
		    arena_printf(linter->arena, "%.*s/%.*s/%.*s", STR_ARG(document->product),
			STR_ARG(document->category), STR_ARG(document->service)));
}

static bool is_known_source(const struct linter *linter, const struct lint_document *document)
{
	return linter->sources.has_field != NULL && linter->sources.is_given != NULL &&
	    is_given(linter, document);
}

struct fields {
	struct linter *linter;
	struct name_table seen;
};

static void field_check(void *context, const struct lint_item *item)
{
	struct fields *fields = context;
	struct linter *linter = fields->linter;
	const struct lint_document *document = item->document;
	struct str near;

	if (item->field.len == 0 || name_table_find(&fields->seen, item->field) != NULL ||
	    !name_table_put(linter->arena, &fields->seen, item->field, 1) ||
	    has_field(linter, document, item->field, &near))
		return;
	if (near.len == 0)
		lint_tell_key(linter, document, LINT_FIELD_UNKNOWN, item->node, item->field);
	else
		lint_tell_key(linter, document, LINT_FIELD_NEAR, item->node,
		    arena_printf(linter->arena, "%.*s, %.*s", STR_ARG(item->field), STR_ARG(near)));
}

void lint_source(struct linter *linter, const struct lint_document *document)
{
	struct fields fields = {.linter = linter};

	check_logsource(linter, document);
	if (is_known_source(linter, document))
		lint_items_each(document, field_check, &fields);
}

/* ---- correlations ---- */

/* The field that a name of group-by is for that rule. */
static struct str alias_of(const struct lint_document *document, struct str group,
    const struct lint_document *rule)
{
	static const char *const keys[] = {"name", "id"};
	const struct yaml_node *aliases = yaml_get(document->correlation, STR("aliases"));
	const struct yaml_node *alias = aliases == NULL || aliases->kind != YAML_MAP
	    ? NULL : yaml_get(aliases, group);

	for (size_t i = 0; i < 2 && alias != NULL && alias->kind == YAML_MAP; i++) {
		struct str name = lint_text(yaml_get(rule->root, str_of(keys[i])));
		const struct yaml_node *field = name.len == 0 ? NULL : yaml_get(alias, name);

		if (lint_text(field).len > 0)
			return field->scalar;
	}
	return alias == NULL ? group : STR_NONE;
}

static void check_group(struct linter *linter, const struct lint_document *document,
    const struct yaml_node *group, const struct lint_document *rule)
{
	struct str field = alias_of(document, lint_text(group), rule);

	if (field.len > 0 && rule->detection != NULL && is_known_source(linter, rule) &&
	    !has_field(linter, rule, field, NULL))
		lint_tell(linter, document, LINT_GROUP_UNKNOWN, group,
		    arena_printf(linter->arena, "%.*s (%.*s)", STR_ARG(field),
			STR_ARG(rule->title)));
}

/* Each name of a text or list, for each rule that is referred to. */
static void check_names(struct linter *linter, const struct lint_document *document,
    const struct yaml_node *names)
{
	const struct yaml_node *rules = yaml_get(document->correlation, STR("rules"));
	bool list = names->kind == YAML_LIST, many = rules != NULL && rules->kind == YAML_LIST;

	if ((list && names->count > GROUPS_MAX) || (many && rules->count > RULES_MAX))
		return;
	for (const struct yaml_node *name = list ? names->first : names; name != NULL;
	     name = list ? name->next : NULL) {
		for (const struct yaml_node *one = many ? rules->first : rules; one != NULL;
		     one = many ? one->next : NULL) {
			const uint32_t *at = name_table_find(&linter->names, lint_text(one));

			if (at != NULL)
				check_group(linter, document, name, linter->documents[*at]);
		}
	}
}

void lint_correlation(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *groups = yaml_get(document->correlation, STR("group-by"));
	const struct yaml_node *condition = yaml_get(document->correlation, STR("condition"));
	const struct yaml_node *counted = condition == NULL || condition->kind != YAML_MAP
	    ? NULL : yaml_get(condition, STR("field"));

	if (groups == NULL || (groups->kind == YAML_LIST && groups->count == 0))
		lint_tell(linter, document, LINT_GROUP_NONE, document->correlation, STR_NONE);
	else
		check_names(linter, document, groups);
	if (counted != NULL)
		check_names(linter, document, counted);
}
