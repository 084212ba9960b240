/*
 * The list of early alerts of a group that wait for the watermark.
 */
#include <stdlib.h>
#include <string.h>

#include "correlator/window.h"

static bool docket_reserve(struct docket *docket)
{
	if (docket->early_first + docket->early_count < docket->early_capacity)
		return true;
	if (docket->early_first > docket->early_capacity / 2) {
		memmove(docket->earlies, docket->earlies + docket->early_first,
		    docket->early_count * sizeof(*docket->earlies));
		docket->early_first = 0;
		return true;
	}
	uint32_t capacity = docket->early_capacity * 2 + 4;
	struct early *earlies = realloc(docket->earlies, capacity * sizeof(*earlies));

	if (earlies == NULL)
		return false;
	docket->earlies = earlies;
	docket->early_capacity = capacity;
	return true;
}

bool docket_push(struct docket *docket, struct early early)
{
	if (docket->early_count == EARLIES_MAX) {
		docket->untracked = true;
		return true;
	}
	if (!docket_reserve(docket))
		return false;
	docket->earlies[docket->early_first + docket->early_count++] = early;
	return true;
}

const struct early *docket_at(const struct docket *docket, uint32_t index)
{
	return &docket->earlies[docket->early_first + index];
}

/* In order, as nearly always, it is the first. */
void docket_take(struct docket *docket, uint32_t index)
{
	struct early *at = docket->earlies + docket->early_first + index;

	docket->early_count--;
	if (index == 0)
		docket->early_first++;
	else
		memmove(at, at + 1, (docket->early_count - index) * sizeof(*at));
}

void docket_free(struct docket *docket)
{
	if (docket == NULL)
		return;
	free(docket->earlies);
	free(docket->last);
	free(docket);
}
