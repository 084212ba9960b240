/*
 * Chaining. Correlations that refer to each other, over however many links, must meet in one
 * partition, so what decides the partition must be known to all of them: the groups that can be
 * followed through all the links. Where one correlation is part of several others, those are the
 * groups that the others share; with none, one partition has them all.
 */
#include "sigma/draft.h"

#define NO_GROUP UINT32_MAX

struct link {
	const struct draft *outer, *inner;
	uint32_t step;
};

struct chain {
	struct builder *builder;
	struct draft **members; /* all correlations */
	size_t member_count;
	struct link *links;
	size_t link_count;
	uint32_t *family;       /* by rule: the least index of those that are linked to it */
	bool *inner;            /* by rule: some other correlation refers to it */
	uint32_t *column;       /* by rule: the group that is followed now */
};

static uint32_t index_of(const struct draft *draft)
{
	return draft->rule.index;
}

static struct str link_field(const struct link *link, uint32_t group)
{
	const struct correlation *outer = link->outer->correlation;

	return outer->fields[link->step * outer->group_count + group];
}

static uint32_t group_down(const struct link *link, uint32_t group)
{
	const struct correlation *inner = link->inner->correlation;
	struct str field = link_field(link, group);

	for (uint32_t i = 0; i < inner->group_count; i++)
		if (str_eq(inner->group_by[i], field))
			return i;
	return NO_GROUP;
}

static uint32_t group_up(const struct link *link, uint32_t group)
{
	const struct correlation *outer = link->outer->correlation;

	for (uint32_t i = 0; i < outer->group_count; i++)
		if (group_down(link, i) == group)
			return i;
	return NO_GROUP;
}

static bool chain_gather(struct chain *chain, struct draft **drafts, size_t count)
{
	size_t rules = 0, links = 0;
	struct arena *scratch = chain->builder->scratch;

	for (size_t i = 0; i < count; i++) {
		rules += drafts[i]->state == DRAFT_READY;
		if (drafts[i]->state == DRAFT_READY && drafts[i]->correlation != NULL)
			links += drafts[i]->correlation->rule_count;
	}
	chain->members = arena_array(scratch, rules, sizeof(struct draft *));
	chain->links = arena_array(scratch, links, sizeof(*chain->links));
	chain->family = arena_array(scratch, rules, sizeof(*chain->family));
	chain->inner = arena_array(scratch, rules, sizeof(*chain->inner));
	chain->column = arena_array(scratch, rules, sizeof(*chain->column));
	if (chain->members == NULL || chain->links == NULL || chain->family == NULL ||
	    chain->inner == NULL || chain->column == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct draft *draft = drafts[i];

		if (draft->state != DRAFT_READY || draft->correlation == NULL)
			continue;
		chain->members[chain->member_count++] = draft;
		chain->family[index_of(draft)] = index_of(draft);
		for (uint32_t step = 0; step < draft->correlation->rule_count; step++) {
			if (draft->steps[step]->correlation == NULL)
				continue;
			chain->links[chain->link_count++] =
			    (struct link){draft, draft->steps[step], step};
			chain->inner[index_of(draft->steps[step])] = true;
		}
	}
	return true;
}

/* Families and depths; links have no circles. */
static void chain_follow(struct chain *chain)
{
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i < chain->link_count; i++) {
			const struct link *link = &chain->links[i];
			uint32_t *outer = &chain->family[index_of(link->outer)];
			uint32_t *inner = &chain->family[index_of(link->inner)];
			uint32_t depth = link->inner->correlation->depth + 1;

			if (*outer != *inner) {
				*outer = *inner = *outer < *inner ? *outer : *inner;
				moved = true;
			}
			if (link->outer->correlation->depth < depth) {
				link->outer->correlation->depth = depth;
				moved = true;
			}
		}
	}
}

/* False where the group cannot be followed to all, or is two groups of one. */
static bool column_spread(struct chain *chain, uint32_t family)
{
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i < chain->link_count; i++) {
			const struct link *link = &chain->links[i];
			uint32_t *outer = &chain->column[index_of(link->outer)];
			uint32_t *inner = &chain->column[index_of(link->inner)];

			if (chain->family[index_of(link->outer)] != family ||
			    (*outer == NO_GROUP && *inner == NO_GROUP))
				continue;
			uint32_t down = *outer != NO_GROUP ? group_down(link, *outer) : *inner;
			uint32_t up = *outer != NO_GROUP ? *outer : group_up(link, *inner);

			if (down == NO_GROUP || up == NO_GROUP ||
			    (*inner != NO_GROUP && *inner != down))
				return false;
			moved |= *outer != up || *inner != down;
			*outer = up;
			*inner = down;
		}
	}
	return true;
}

/* The family's key: each group of the first one that can be followed to the others. */
static bool family_place(struct chain *chain, const struct draft *first)
{
	uint32_t family = chain->family[index_of(first)];

	for (size_t i = 0; i < chain->member_count; i++) {
		struct correlation *one = chain->members[i]->correlation;

		if (chain->family[index_of(chain->members[i])] != family)
			continue;
		one->root = index_of(first);
		one->key_groups = arena_array(chain->builder->arena,
		    first->correlation->group_count, sizeof(*one->key_groups));
		if (one->key_groups == NULL)
			return false;
	}
	for (uint32_t group = 0; group < first->correlation->group_count; group++) {
		for (size_t i = 0; i < chain->member_count; i++)
			chain->column[index_of(chain->members[i])] = NO_GROUP;
		chain->column[index_of(first)] = group;
		if (!column_spread(chain, family))
			continue;
		for (size_t i = 0; i < chain->member_count; i++) {
			struct correlation *one = chain->members[i]->correlation;
			uint32_t at = index_of(chain->members[i]);

			if (chain->family[at] == family)
				one->key_groups[one->key_group_count++] = chain->column[at];
		}
	}
	return true;
}

/* The outermost, or that of the least id of those: the same whatever else is loaded. */
static const struct draft *family_first(const struct chain *chain, uint32_t family)
{
	const struct draft *first = NULL;

	for (size_t i = 0; i < chain->member_count; i++) {
		const struct draft *one = chain->members[i];

		if (chain->family[index_of(one)] == family && !chain->inner[index_of(one)] &&
		    (first == NULL || str_compare(one->rule.meta.id, first->rule.meta.id) < 0))
			first = one;
	}
	return first;
}

/* The usual case, whose cost does not grow with the others. */
static bool alone_place(struct chain *chain, struct draft *draft)
{
	struct correlation *one = draft->correlation;

	one->root = index_of(draft);
	one->key_group_count = one->group_count;
	one->key_groups =
	    arena_array(chain->builder->arena, one->group_count, sizeof(*one->key_groups));
	for (uint32_t i = 0; one->key_groups != NULL && i < one->group_count; i++)
		one->key_groups[i] = i;
	return one->key_groups != NULL;
}

bool chain_place(struct builder *builder, struct draft **drafts, size_t count)
{
	struct chain chain = {.builder = builder};

	if (!chain_gather(&chain, drafts, count))
		return false;
	chain_follow(&chain);
	for (size_t i = 0; i < chain.member_count; i++) {
		struct draft *draft = chain.members[i];
		uint32_t index = index_of(draft);

		if (!chain.inner[index] && draft->correlation->depth == 0) {
			if (!alone_place(&chain, draft))
				return false;
		} else if (chain.family[index] == index &&
		    !family_place(&chain, family_first(&chain, index))) {
			return false;
		}
	}
	return true;
}
