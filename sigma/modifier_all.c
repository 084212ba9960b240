#include "sigma/modifier.h"

extern const struct modifier modifier_all;

static int apply(struct item *item)
{
	item->all = true;
	return 0;
}

const struct modifier modifier_all = {
    .name = "all", .summary = "every value of the list, not any", .item = apply};
