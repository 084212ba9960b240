#include "sigma/modifier.h"

extern const struct modifier modifier_startswith;

static int apply(struct item *item, struct value *value)
{
	if (value->kind == VALUE_FIELD) {
		value->open_front |= false;
		value->open_behind |= true;
		return 0;
	}
	int code = value_want_string(item, value);

	if (code < 0)
		return code;
	value->touched = true;
	if (!glob_widen(item->builder->arena, value->glob, false, true, &value->glob))
		return builder_no_memory(item->builder);
	return 0;
}

const struct modifier modifier_startswith = {
    .name = "startswith", .summary = "the field begins with the value", .value = apply};
