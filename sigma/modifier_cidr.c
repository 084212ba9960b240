#include "sigma/address.h"
#include "sigma/modifier.h"

extern const struct modifier modifier_cidr;

static int apply(struct item *item, struct value *value)
{
	int code = value_want_scalar(item, value);

	if (code < 0)
		return code;
	value->kind = VALUE_CIDR;
	if (!cidr_parse(value->scalar, &value->cidr))
		return builder_refuse_node(item->builder, value->node, TEXT_sigma_cidr);
	return 0;
}

const struct modifier modifier_cidr = {
    .name = "cidr", .summary = "the address lies in the network", .value = apply};
