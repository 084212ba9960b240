#include "correlator/matcher.h"
#include "correlator/matcher_clause.h"

bool matcher_always(const struct ruleset *ruleset, bool *ret)
{
	struct chooser chooser;
	bool made = chooser_new(&chooser, ruleset);

	if (made)
		chooser_begin(&chooser, NULL);
	for (uint32_t i = 0; made && i < ruleset_count(ruleset); i++)
		ret[i] = chooser.program->rules[i] != NULL &&
		    clause_cost(&chooser, i) >= CLAUSE_NONE;
	chooser_free(&chooser);
	return made;
}
