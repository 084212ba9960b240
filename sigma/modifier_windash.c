#include "sigma/modifier.h"

extern const struct modifier modifier_windash;

static int apply(struct item *item, struct value *value)
{
	int code = value_want_string(item, value);

	if (code < 0)
		return code;
	value->touched = true;
	value->dashed = true;
	if (!glob_dashes(item->builder->arena, value->glob, &value->glob))
		return builder_no_memory(item->builder);
	return 0;
}

const struct modifier modifier_windash = {.name = "windash",
    .summary = "'-' and '/' before a flag stand for each other and for three long dashes",
    .value = apply};
