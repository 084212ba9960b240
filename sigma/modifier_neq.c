#include "sigma/modifier.h"

extern const struct modifier modifier_neq;

/* Plain negation of the whole item: an absent field matches. */
static int apply(struct item *item)
{
	item->negated = true;
	return 0;
}

const struct modifier modifier_neq = {
    .name = "neq", .summary = "none of the values; an absent field matches too", .item = apply};
