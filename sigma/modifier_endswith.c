#include "sigma/modifier.h"

extern const struct modifier modifier_endswith;

static int apply(struct item *item, struct value *value)
{
	if (value->kind == VALUE_FIELD) {
		value->open_front |= true;
		value->open_behind |= false;
		return 0;
	}
	int code = value_want_string(item, value);

	if (code < 0)
		return code;
	value->touched = true;
	if (!glob_widen(item->builder->arena, value->glob, true, false, &value->glob))
		return builder_no_memory(item->builder);
	return 0;
}

const struct modifier modifier_endswith = {
    .name = "endswith", .summary = "the field ends with the value", .value = apply};
