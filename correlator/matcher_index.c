#include "correlator/matcher_index.h"

#include <stdlib.h>

struct index {
	const uint32_t *rules;
	size_t count;
};

struct index *index_new(const struct program *program, const uint32_t *rules, size_t count)
{
	struct index *index = calloc(1, sizeof(*index));

	(void)program;
	if (index != NULL)
		*index = (struct index){rules, count};
	return index;
}

void index_free(struct index *index)
{
	free(index);
}

void index_candidates(const struct index *index, struct view *view,
    void (*take)(void *context, uint32_t rule), void *context)
{
	(void)view;
	for (size_t i = 0; i < index->count; i++)
		take(context, index->rules[i]);
}
