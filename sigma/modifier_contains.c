#include "sigma/modifier.h"

extern const struct modifier modifier_contains;

static int apply(struct item *item, struct value *value)
{
	/* A search is one already (specification 2.2: "matches as contains"). */
	if (value->kind == VALUE_REGEX)
		return 0;
	if (value->kind == VALUE_FIELD) {
		value->open_front |= true;
		value->open_behind |= true;
		return 0;
	}
	int code = value_want_string(item, value);

	if (code < 0)
		return code;
	value->touched = true;
	if (!glob_widen(item->builder->arena, value->glob, true, true, &value->glob))
		return builder_no_memory(item->builder);
	return 0;
}

const struct modifier modifier_contains = {
    .name = "contains", .summary = "the value occurs anywhere", .value = apply};
