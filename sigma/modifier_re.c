#include "sigma/modifier.h"

extern const struct modifier modifier_re, modifier_re_i, modifier_re_ignorecase, modifier_re_m,
    modifier_re_multiline, modifier_re_s, modifier_re_dotall;

static int apply(struct item *item, struct value *value)
{
	int code = value_want_scalar(item, value);

	value->kind = VALUE_REGEX;
	return code;
}

static int apply_flag(struct item *item, struct value *value, unsigned flag)
{
	if (value->kind != VALUE_REGEX)
		return value_refuse(item, value);
	value->regex_flags |= flag;
	return 0;
}

static int apply_i(struct item *item, struct value *value)
{
	return apply_flag(item, value, REGEX_CASELESS);
}

static int apply_m(struct item *item, struct value *value)
{
	return apply_flag(item, value, REGEX_MULTILINE);
}

static int apply_s(struct item *item, struct value *value)
{
	return apply_flag(item, value, REGEX_DOTALL);
}

const struct modifier modifier_re = {
    .name = "re", .summary = "a regular expression is found; case counts", .value = apply};
const struct modifier modifier_re_i = {
    .name = "i", .summary = "behind re: upper and lower case are the same", .value = apply_i};
const struct modifier modifier_re_ignorecase = {
    .name = "ignorecase", .summary = "as i", .value = apply_i};
const struct modifier modifier_re_m = {
    .name = "m", .summary = "behind re: ^ and $ at each line", .value = apply_m};
const struct modifier modifier_re_multiline = {
    .name = "multiline", .summary = "as m", .value = apply_m};
const struct modifier modifier_re_s = {
    .name = "s", .summary = "behind re: '.' matches newlines", .value = apply_s};
const struct modifier modifier_re_dotall = {
    .name = "dotall", .summary = "as s", .value = apply_s};
