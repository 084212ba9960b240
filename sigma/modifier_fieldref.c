#include "sigma/modifier.h"

extern const struct modifier modifier_fieldref;

static int apply(struct item *item, struct value *value)
{
	int code = value_want_scalar(item, value);

	if (code < 0)
		return code;
	value->kind = VALUE_FIELD;
	return item->field.len == 0 || value->scalar.len == 0 ? value_refuse(item, value) : 0;
}

const struct modifier modifier_fieldref = {
    .name = "fieldref", .summary = "the value names another field of the event", .value = apply};
