#include "sigma/modifier.h"

extern const struct modifier modifier_exists;

static int apply(struct item *item, struct value *value)
{
	if (value->touched || !yaml_to_bool(value->node, &value->exists))
		return builder_refuse_node(item->builder, value->node, TEXT_sigma_exists);
	value->kind = VALUE_EXISTS;
	value->touched = true;
	return 0;
}

const struct modifier modifier_exists = {
    .name = "exists", .summary = "the field is there, null and empty included", .value = apply};
