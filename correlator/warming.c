#include "correlator/warming.h"

#include "decoder/source.h"

#include <string.h>

#define TABLES_MOST ((uint64_t)16 << 20)

static bool is_full(const struct matcher *matcher)
{
	struct matcher_stats stats;

	matcher_stats(matcher, &stats);
	return stats.table_bytes >= TABLES_MOST;
}

/*
 * Rules for a category ask for no service; what the decoders give of a category has one, and rules
 * for that service are tried too. So the bare category is made only for other senders' sake: not
 * for products whose events all come through a decoder that knows better.
 */
static bool is_given(const struct rule *rule)
{
	struct source_given given;

	for (size_t at = 0; rule->service.len == 0 && source_next(&at, &given);)
		for (size_t i = 0; i < given.category_count; i++)
			if (given.service.len > 0 && str_eq(given.product, rule->product) &&
			    str_eq(given.categories[i], rule->category))
				return true;
	return false;
}

static bool rule_warm(struct matcher *matcher, const struct rule *rule)
{
	struct matcher_source source = {.product = rule->product, .service = rule->service};

	if (rule->category.len > 0)
		source.categories[source.category_count++] = rule->category;
	return rule->kind != RULE_PLAIN || matcher_warm(matcher, &source);
}

static bool same_source(const struct rule *a, const struct rule *b)
{
	return str_eq(a->product, b->product) && str_eq(a->service, b->service) &&
	    str_eq(a->category, b->category);
}

static bool rules_warm(struct matcher *matcher, const struct ruleset *ruleset)
{
	const struct rule *last = NULL;

	for (uint32_t i = 0; i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		/* Those of one source mostly stand together. */
		if (last != NULL && same_source(rule, last))
			continue;
		last = rule;
		if (is_full(matcher))
			return true;
		if (!is_given(rule) && !rule_warm(matcher, rule))
			return false;
	}
	return true;
}

bool warming_run(struct matcher *matcher, const struct ruleset *ruleset)
{
	struct source_given given;

	for (size_t at = 0; source_next(&at, &given);) {
		struct matcher_source source = {.product = given.product,
		    .service = given.service, .category_count = given.category_count};

		memcpy(source.categories, given.categories, sizeof(source.categories));
		if (is_full(matcher))
			return true;
		if (!matcher_warm(matcher, &source))
			return false;
	}
	return rules_warm(matcher, ruleset);
}
