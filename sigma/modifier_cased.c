#include "sigma/modifier.h"

extern const struct modifier modifier_cased;

static int apply(struct item *item, struct value *value)
{
	int code = value->kind == VALUE_FIELD ? 0 : value_want_string(item, value);

	value->cased = true;
	return code;
}

const struct modifier modifier_cased = {
    .name = "cased", .summary = "upper and lower case differ", .value = apply};
