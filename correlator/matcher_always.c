#include "correlator/matcher.h"
#include "correlator/matcher_clause.h"

bool matcher_always(const struct ruleset *ruleset, bool *ret)
{
	const struct program *program = ruleset_program(ruleset);
	struct study *study = study_new(program);
	struct chooser chooser = {0};
	bool made = study != NULL && chooser_new(&chooser, program);

	if (made)
		chooser_begin(&chooser, study);
	for (uint32_t i = 0; made && i < ruleset_count(ruleset); i++)
		ret[i] = program->rules[i] != NULL &&
		    clause_cost(&chooser, program->rules[i]) >= CLAUSE_NONE;
	chooser_free(&chooser);
	study_free(study);
	return made;
}
