#include "cli/lint_cost.h"

#include "correlator/matcher_clause.h"
#include "sigma/program.h"

#define SHORT_TEXT 2u /* characters that nearly every event has */
#define REGEX_TEXT 4u /* what an index looks up */

struct costing {
	const struct ruleset *ruleset;
	const struct linter *linter;
	const struct rule *rule;
	void (*found)(void *context, const struct lint_finding *finding);
	void *context;
	bool told; /* one finding a rule */
};

static void tell(struct costing *costing, enum lint lint, const struct predicate *predicate)
{
	const struct program *program = ruleset_program(costing->ruleset);
	const struct rule *rule = costing->rule;
	struct buf subject = BUF(65536);
	struct lint_finding finding = {
	    .lint = lint, .file = rule->file.ptr, .title = rule->meta.title};
	struct str field = STR_NONE, text = STR_NONE;

	if (predicate != NULL) {
		predicate_write(program, predicate, &subject);
		text = predicate->folded;
		if (predicate->slot != SLOT_ANYWHERE)
			field = program->slots[predicate->slot].name;
	}
	linter_place(costing->linter, rule, field, text, &finding.line, &finding.column);
	finding.subject = str_slice(buf_str(&subject), 0, 200);
	costing->found(costing->context, &finding);
	costing->told = true;
	buf_free(&subject);
}

/* A letter of another script is rare enough. */
static bool is_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((uint8_t)text.ptr[i] >= 0x80)
			return false;
	}
	return true;
}

static bool clause_take(void *context, uint32_t index)
{
	struct costing *costing = context;
	const struct predicate *predicate =
	    &ruleset_program(costing->ruleset)->predicates[index];
	size_t len = predicate->folded.len;

	if (costing->told)
		return true;
	if ((predicate->kind == PREDICATE_CONTAINS || predicate->kind == PREDICATE_GLOB) &&
	    len <= SHORT_TEXT && is_ascii(predicate->folded))
		tell(costing, LINT_SHORT, predicate);
	else if (predicate->kind == PREDICATE_REGEX && len < REGEX_TEXT)
		tell(costing, LINT_REGEX_LITERAL, predicate);
	return true;
}

/* Holds for an event that has nothing of what is named. Depth: the condition's. */
static bool is_negative(const struct expression *expression)
{
	size_t negative = 0;

	if (expression->kind == EXPRESSION_PREDICATE)
		return false;
	for (size_t i = 0; i < expression->count; i++)
		negative += is_negative(expression->children[i]);
	switch (expression->kind) {
	case EXPRESSION_NOT:
		return negative == 0;
	case EXPRESSION_AND:
		return negative == expression->count;
	case EXPRESSION_OR:
		return negative > 0;
	case EXPRESSION_AT_LEAST:
		return negative >= expression->need;
	case EXPRESSION_PREDICATE:
		break;
	}
	return false;
}

static void rule_cost(struct chooser *chooser, struct costing *costing)
{
	const struct expression *expression = chooser->program->rules[costing->rule->index];

	if (costing->rule->kind != RULE_PLAIN)
		return;
	if (clause_cost(chooser, costing->rule->index) < CLAUSE_NONE)
		(void)clause_each(chooser, costing->rule->index, clause_take, costing);
	else
		tell(costing, is_negative(expression) ? LINT_NOT_ONLY : LINT_ALWAYS, NULL);
}

/* By what is known of events in general. */
void lint_cost(const struct ruleset *ruleset, const struct linter *linter,
    void (*found)(void *context, const struct lint_finding *finding), void *context)
{
	struct chooser chooser;

	if (chooser_new(&chooser, ruleset)) {
		chooser_begin(&chooser, NULL);
		for (uint32_t i = 0; i < ruleset_count(ruleset); i++) {
			struct costing costing = {.ruleset = ruleset, .linter = linter,
			    .rule = ruleset_rule(ruleset, i), .found = found,
			    .context = context};

			rule_cost(&chooser, &costing);
		}
	}
	chooser_free(&chooser);
}
