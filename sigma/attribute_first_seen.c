/*
 * tocsin.first_seen: a match is told only when its values were not seen in its group for so long.
 */
#include "sigma/attribute.h"

#include "base/clock.h"
#include "sigma/detection.h"

#include <stdlib.h>

#define WITHIN_MAX_DAYS 400

static int within_take(struct builder *builder, const struct yaml_node *node, bool zero,
    int64_t *ret)
{
	int code = duration_take(builder, node, zero, ret);

	if (code == 0 && *ret > WITHIN_MAX_DAYS * 86400 * NS_PER_S)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_first_seen_long, WITHIN_MAX_DAYS);
	return code;
}

static int read_within(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return within_take(builder, node, false, &draft->first_seen->within_ns);
}

static int read_learn(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return within_take(builder, node, true, &draft->first_seen->learn_ns);
}

static int read_fields(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return attribute_fields_take(builder, node, false, &draft->first_seen->fields,
	    &draft->first_seen->field_count);
}

static int read_by(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return attribute_fields_take(
	    builder, node, true, &draft->first_seen->by, &draft->first_seen->by_count);
}

static int name_compare(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* The order in which they are written means nothing. */
static void names_order(struct str *names, size_t count)
{
	if (count > 1)
		qsort(names, count, sizeof(*names), name_compare);
}

static int apart_check(struct builder *builder, const struct yaml_node *node,
    const struct first_seen *first_seen)
{
	for (size_t i = 0; i < first_seen->by_count; i++)
		for (size_t k = 0; k < first_seen->field_count; k++)
			if (str_eq(first_seen->by[i], first_seen->fields[k]))
				return builder_refuse_node(builder,
				    yaml_get(node, STR("by")), TEXT_sigma_correlation_twice,
				    STR_ARG(first_seen->by[i]));
	return 0;
}

int attribute_first_seen_read(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	static const struct key keys[] = {{"fields", read_fields, true}, {"by", read_by, false},
	    {"within", read_within, true}, {"learn", read_learn, true}};

	draft->first_seen = arena_zalloc(builder->arena, sizeof(*draft->first_seen));
	if (draft->first_seen == NULL)
		return builder_no_memory(builder);
	int code = keys_read(builder, node, keys, sizeof(keys) / sizeof(keys[0]), false, draft);

	if (code == 0)
		code = apart_check(builder, node, draft->first_seen);
	if (code == 0 && draft->first_seen->learn_ns > draft->first_seen->within_ns)
		return builder_refuse_node(builder, yaml_get(node, STR("learn")),
		    TEXT_sigma_first_seen_learn);
	names_order(draft->first_seen->by, draft->first_seen->by_count);
	names_order(draft->first_seen->fields, draft->first_seen->field_count);
	draft->rule.first_seen = draft->first_seen;
	return code;
}

int attribute_first_seen_check(struct builder *builder, const struct yaml_node *attribute,
    struct draft *draft)
{
	const struct yaml_node *entity = yaml_get(attribute, STR("entity"));

	if (draft->first_seen == NULL)
		return 0;
	if (draft->correlation != NULL)
		return builder_refuse_key(builder, yaml_get(attribute, STR("first_seen")),
		    TEXT_sigma_first_seen_correlation);
	draft->rule.meta.kind = STR("first_seen");
	return entity == NULL
	    ? 0 : builder_refuse_key(builder, entity, TEXT_sigma_first_seen_entity);
}

bool attribute_first_seen_has(const struct draft *draft, struct str name)
{
	const struct first_seen *first_seen = draft->first_seen;

	for (size_t i = 0; i < first_seen->by_count; i++)
		if (str_eq(first_seen->by[i], name))
			return true;
	for (size_t i = 0; i < first_seen->field_count; i++)
		if (str_eq(first_seen->fields[i], name))
			return true;
	return false;
}

static void names_put(struct buf *out, const struct str *names, size_t count)
{
	buf_u64(out, count);
	for (size_t i = 0; i < count; i++)
		content_put(out, names[i]);
}

void attribute_first_seen_name(struct draft *draft, struct buf *out)
{
	struct first_seen *first_seen = draft->first_seen;
	struct buf scope = BUF(1 << 20);

	if (first_seen == NULL)
		return;
	/* What a row of the memory means; how long it counts may change beside it. */
	content_put(&scope, draft->rule.meta.id);
	names_put(&scope, first_seen->by, first_seen->by_count);
	names_put(&scope, first_seen->fields, first_seen->field_count);
	first_seen->scope = content_hash(buf_str(&scope));
	out->failed |= scope.failed;
	buf_str_put(out, buf_str(&scope));
	buf_u64(out, (uint64_t)first_seen->within_ns);
	buf_u64(out, (uint64_t)first_seen->learn_ns);
	buf_free(&scope);
}
