#include "sigma/modifier.h"

extern const struct modifier modifier_lt, modifier_lte, modifier_gt, modifier_gte;

static int apply(struct item *item, struct value *value, enum compare compare)
{
	value->kind = VALUE_COMPARE;
	value->compare = compare;
	return value_want_number(item, value);
}

static int apply_lt(struct item *item, struct value *value)
{
	return apply(item, value, COMPARE_LT);
}

static int apply_lte(struct item *item, struct value *value)
{
	return apply(item, value, COMPARE_LTE);
}

static int apply_gt(struct item *item, struct value *value)
{
	return apply(item, value, COMPARE_GT);
}

static int apply_gte(struct item *item, struct value *value)
{
	return apply(item, value, COMPARE_GTE);
}

const struct modifier modifier_lt = {
    .name = "lt", .summary = "less than the number", .value = apply_lt};
const struct modifier modifier_lte = {
    .name = "lte", .summary = "the number or less", .value = apply_lte};
const struct modifier modifier_gt = {
    .name = "gt", .summary = "more than the number", .value = apply_gt};
const struct modifier modifier_gte = {
    .name = "gte", .summary = "the number or more", .value = apply_gte};
