#include "sigma/detection.h"

#include "base/check.h"
#include "sigma/modifier.h"

#define REASON_MAX 256

static int glob_predicate(struct item *item, const struct value *value, struct predicate *predicate)
{
	struct arena *arena = item->builder->arena;
	struct glob glob = value->glob, folded;

	if (predicate->slot == SLOT_ANYWHERE && !glob_widen(arena, glob, true, true, &glob))
		return builder_no_memory(item->builder);
	if (!glob_fold(arena, glob, &folded))
		return builder_no_memory(item->builder);
	if (!value->cased)
		glob = folded;
	size_t first = 0, last = glob.count;

	predicate->kind = PREDICATE_EXACT;
	if (glob.count > 1 && glob.tokens[0].kind == GLOB_ANY) {
		predicate->kind = PREDICATE_SUFFIX;
		first++;
	}
	if (last - first > 1 && glob.tokens[last - 1].kind == GLOB_ANY) {
		predicate->kind = first > 0 ? PREDICATE_CONTAINS : PREDICATE_PREFIX;
		last--;
	}
	predicate->text = predicate->folded = STR("");
	if (glob.count == 0)
		return 0;
	if (last - first == 1 && glob.tokens[first].kind == GLOB_LITERAL) {
		predicate->text = glob.tokens[first].text;
		predicate->folded = folded.tokens[first].text;
		return 0;
	}
	predicate->kind = PREDICATE_GLOB;
	predicate->glob = glob;
	for (size_t i = 0; i < folded.count; i++) {
		if (folded.tokens[i].text.len > predicate->folded.len)
			predicate->folded = folded.tokens[i].text;
	}
	return 0;
}

static int regex_predicate(struct item *item, const struct value *value,
    struct predicate *predicate)
{
	struct builder *builder = item->builder;
	struct regex *regex = NULL;
	size_t offset = 0;
	char reason[REASON_MAX] = "";

	predicate->kind = PREDICATE_REGEX;
	predicate->text = value->scalar;
	predicate->regex_flags = value->regex_flags;
	predicate->folded = regex_literal(builder->arena, predicate->text);
	if (predicate->folded.ptr == NULL ||
	    !array_grow(builder->arena, &builder->regexes, builder->regex_count,
	        &builder->regex_capacity, sizeof(*builder->regexes)))
		return builder_no_memory(builder);
	switch (regex_compile(&regex, builder->arena, predicate->text, value->regex_flags, &offset,
	    reason, sizeof(reason))) {
	case REGEX_OK:
		break;
	case REGEX_INVALID:
		return builder_refuse_node(builder, value->node, TEXT_sigma_regex, offset, reason);
	case REGEX_MEMORY:
		return builder_no_memory(builder);
	}
	builder->regexes[builder->regex_count++] = regex;
	predicate->regex = regex;
	return 0;
}

static int field_predicate(struct item *item, const struct value *value,
    struct predicate *predicate)
{
	predicate->kind = PREDICATE_FIELD;
	predicate->open_front = value->open_front;
	predicate->open_behind = value->open_behind;
	return builder_slot(item->builder, value->scalar, &predicate->other);
}

static int text_predicate(struct item *item, const struct value *value, enum predicate_kind kind,
    struct predicate *predicate)
{
	predicate->kind = kind;
	predicate->text = value->scalar;
	predicate->folded = fold_text(item->builder->arena, predicate->text);
	return predicate->folded.ptr == NULL ? builder_no_memory(item->builder) : 0;
}

/* What only a field can have. */
static int field_value_predicate(struct item *item, const struct value *value,
    struct predicate *predicate)
{
	if (item->field.len == 0)
		return builder_refuse_node(item->builder, value->node, TEXT_sigma_value_field);
	switch (value->kind) {
	case VALUE_NULL:
		predicate->kind = PREDICATE_NULL;
		return 0;
	case VALUE_EXISTS:
		predicate->kind = PREDICATE_EXISTS;
		return 0;
	case VALUE_CIDR:
		predicate->kind = PREDICATE_CIDR;
		return 0;
	case VALUE_COMPARE:
		return text_predicate(item, value, PREDICATE_COMPARE, predicate);
	case VALUE_TIME:
		return text_predicate(item, value, PREDICATE_TIME, predicate);
	case VALUE_NUMBER:
		return text_predicate(item, value, PREDICATE_NUMBER, predicate);
	case VALUE_FIELD:
		return field_predicate(item, value, predicate);
	case VALUE_STRING:
	case VALUE_REGEX:
	case VALUE_ANY_OF:
		break;
	}
	check_failed("a value of a field", __FILE__, __LINE__, __func__);
}

static int value_predicate(struct item *item, const struct value *value, struct predicate *ret)
{
	*ret = (struct predicate){.slot = SLOT_ANYWHERE,
	    .cased = value->cased,
	    .number = value->number,
	    .compare = value->compare,
	    .part = value->part,
	    .cidr = value->cidr};
	int code = item->field.len == 0 ? 0 : builder_slot(item->builder, item->field, &ret->slot);

	if (code < 0)
		return code;
	switch (value->kind) {
	case VALUE_STRING:
		return glob_predicate(item, value, ret);
	case VALUE_REGEX:
		return regex_predicate(item, value, ret);
	case VALUE_NUMBER:
	case VALUE_NULL:
	case VALUE_CIDR:
	case VALUE_EXISTS:
	case VALUE_COMPARE:
	case VALUE_TIME:
	case VALUE_FIELD:
	case VALUE_ANY_OF:
		break;
	}
	return field_value_predicate(item, value, ret);
}

static int values_compile(struct item *item, struct value *values, size_t count,
    enum expression_kind kind, const struct expression **ret);

static int value_compile(struct item *item, struct value *value, const struct expression **ret)
{
	struct predicate predicate;
	uint32_t index;

	if (value->kind == VALUE_ANY_OF)
		return values_compile(
		    item, value->variants, value->variant_count, EXPRESSION_OR, ret);
	if (value->kind == VALUE_NUMBER && item->field.len == 0) {
		int code = value_set_text(item, value, value->scalar);

		if (code < 0)
			return code;
	}
	int code = value_predicate(item, value, &predicate);

	if (code == 0)
		code = builder_predicate(item->builder, predicate, &index);
	if (code < 0)
		return code;
	*ret = expression_predicate(item->builder, index);
	if (*ret != NULL && value->kind == VALUE_EXISTS && !value->exists)
		*ret = expression_not(item->builder, *ret);
	return *ret == NULL ? builder_no_memory(item->builder) : 0;
}

static int values_compile(struct item *item, struct value *values, size_t count,
    enum expression_kind kind, const struct expression **ret)
{
	const struct expression **children =
	    arena_array(item->builder->scratch, count, sizeof(*children));

	if (children == NULL)
		return builder_no_memory(item->builder);
	for (size_t i = 0; i < count; i++) {
		int code = value_compile(item, &values[i], &children[i]);

		if (code < 0)
			return code;
	}
	*ret = count == 0 ? expression_never(item->builder)
			  : expression_group(item->builder, kind, children, count);
	return *ret == NULL ? builder_no_memory(item->builder) : 0;
}

/* A scalar as YAML 1.2 tells its type. */
static int value_take(struct item *item, const struct yaml_node *node, bool alone,
    struct value *ret)
{
	struct builder *builder = item->builder;
	double number;

	*ret = (struct value){.kind = VALUE_STRING, .node = node, .scalar = node->scalar};
	if (node->kind != YAML_SCALAR)
		return builder_refuse_node(builder, node, TEXT_sigma_value);
	if (yaml_is_null(node)) {
		ret->kind = VALUE_NULL;
		return alone ? 0 : builder_refuse_node(builder, node, TEXT_sigma_null_in_list);
	}
	if (yaml_to_double(node, &number)) {
		ret->kind = VALUE_NUMBER;
		ret->number = number;
	}
	/* The node goes with the loading, what is made of its text stays. */
	ret->scalar = arena_dup(builder->arena, node->scalar);
	if (ret->scalar.ptr == NULL || !glob_parse(builder->arena, ret->scalar, &ret->glob))
		return builder_no_memory(builder);
	return 0;
}

static int values_take(struct item *item, const struct yaml_node *node)
{
	bool list = node->kind == YAML_LIST && node->count > 0;
	const struct yaml_node *child = list ? node->first : node;

	item->value_count = list ? node->count : 1;
	item->values =
	    arena_array(item->builder->scratch, item->value_count, sizeof(*item->values));
	if (item->values == NULL)
		return builder_no_memory(item->builder);
	if (node->kind == YAML_LIST && !list) {
		item->values[0] = (struct value){.kind = VALUE_NULL, .node = node};
		return 0;
	}
	for (size_t i = 0; i < item->value_count; i++, child = child->next) {
		int code = value_take(item, child, !list, &item->values[i]);

		if (code < 0)
			return code;
	}
	return 0;
}

static int modifiers_apply(struct item *item, struct str rest)
{
	const struct yaml_node *node = item->node;

	while (str_cut(&rest, '|', &item->modifier)) {
		const struct modifier *modifier = modifier_find(item->modifier);
		unsigned column = node->key_column + (unsigned)(item->modifier.ptr - node->key.ptr);

		if (modifier == NULL)
			return builder_refuse(item->builder, node->key_line, column,
			    TEXT_sigma_modifier_unknown, STR_ARG(item->modifier));
		int code = modifier_apply(modifier, item);

		if (code < 0)
			return code;
	}
	return 0;
}

/* One key of a map: "field|modifiers: values". */
static int item_compile(struct builder *builder, const struct yaml_node *node,
    const struct expression **ret)
{
	struct item item = {.builder = builder, .node = node};
	struct str rest = node->key;

	(void)str_cut(&rest, '|', &item.field);
	int code = values_take(&item, node);

	if (code == 0)
		code = modifiers_apply(&item, rest);
	if (code == 0)
		code = values_compile(&item, item.values, item.value_count,
		    item.all ? EXPRESSION_AND : EXPRESSION_OR, ret);
	if (code == 0 && item.negated) {
		*ret = expression_not(builder, *ret);
		code = *ret == NULL ? builder_no_memory(builder) : 0;
	}
	return code;
}

static int keyword_compile(struct builder *builder, const struct yaml_node *node,
    const struct expression **ret)
{
	struct item item = {.builder = builder, .node = node};
	int code = values_take(&item, node);

	return code < 0 ? code : values_compile(&item, item.values, 1, EXPRESSION_OR, ret);
}

/* A map is the and of its items, a list the or of its maps and keywords. Depth: yaml_parse's. */
static int search_compile(struct builder *builder, const struct yaml_node *node, struct str name,
    const struct expression **ret)
{
	if (node->kind == YAML_SCALAR)
		return keyword_compile(builder, node, ret);
	if (node->count == 0)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_detection_empty, STR_ARG(name));
	const struct expression **children =
	    arena_array(builder->scratch, node->count, sizeof(*children));
	size_t count = 0;

	if (children == NULL)
		return builder_no_memory(builder);
	for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
		int code = node->kind == YAML_MAP
		    ? item_compile(builder, child, &children[count])
		    : search_compile(builder, child, name, &children[count]);

		if (code < 0)
			return code;
		count++;
	}
	*ret = expression_group(builder, node->kind == YAML_MAP ? EXPRESSION_AND : EXPRESSION_OR,
	    children, count);
	return *ret == NULL ? builder_no_memory(builder) : 0;
}

/* A name of other characters than the condition's is reached by patterns and "them" alone. */
static int searches_compile(struct builder *builder, const struct yaml_node *node,
    struct str reserved, struct detection *detections, size_t *ret_count)
{
	size_t count = 0;

	for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
		if (str_eq(child->key, STR("condition")) ||
		    (reserved.len > 0 && str_eq(child->key, reserved)))
			continue;
		if (str_eq(child->key, STR("timeframe")))
			return builder_refuse_key(builder, child, TEXT_sigma_unsupported,
			    STR_ARG(child->key));
		const struct expression *found;
		int code = search_compile(builder, child, child->key, &found);

		if (code < 0)
			return code;
		found = expression_named(builder, found, child->key);
		if (found == NULL)
			return builder_no_memory(builder);
		detections[count++] = (struct detection){child->key, found};
	}
	*ret_count = count;
	return 0;
}

/* A list of conditions is their or. */
static int conditions_compile(struct builder *builder, const struct yaml_node *node,
    const struct detection *detections, size_t count, const struct expression **ret)
{
	size_t conditions = 0;
	const struct expression **children =
	    arena_array(builder->scratch, node->count + 1, sizeof(*children));

	if (children == NULL)
		return builder_no_memory(builder);
	if (node->kind == YAML_SCALAR)
		return condition_compile(builder, node, detections, count, ret);
	if (node->kind != YAML_LIST || node->count == 0)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_text, STR_ARG(node->key));
	for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
		if (child->kind != YAML_SCALAR)
			return builder_refuse_node(builder, child, TEXT_sigma_expected_text,
			    STR_ARG(node->key));
		int code =
		    condition_compile(builder, child, detections, count, &children[conditions++]);

		if (code < 0)
			return code;
	}
	*ret = expression_group(builder, EXPRESSION_OR, children, conditions);
	return *ret == NULL ? builder_no_memory(builder) : 0;
}

int detection_compile(struct builder *builder, const struct yaml_node *node, struct str reserved,
    const struct expression **ret)
{
	if (node->kind != YAML_MAP)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_map, STR_ARG(node->key));
	const struct yaml_node *condition = yaml_get(node, STR("condition"));
	struct detection *detections =
	    arena_array(builder->scratch, node->count + 1, sizeof(*detections));
	size_t count = 0;

	if (detections == NULL)
		return builder_no_memory(builder);
	if (condition == NULL)
		return builder_refuse_key(builder, node, TEXT_sigma_missing, "condition");
	int code = searches_compile(builder, node, reserved, detections, &count);

	return code < 0 ? code : conditions_compile(builder, condition, detections, count, ret);
}
