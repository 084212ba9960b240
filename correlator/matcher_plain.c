/*
 * The naive evaluator: every rule, every field by name, every value folded anew. It shares with the
 * matcher only what one predicate means for one value.
 */
#include "correlator/matcher_plain.h"

static bool record_satisfies(const struct record *record, const struct rule *rule)
{
	if (rule->product.len > 0 && !str_eq(rule->product, record->product))
		return false;
	if (rule->service.len > 0 && !str_eq(rule->service, record->service))
		return false;
	if (rule->category.len == 0)
		return true;
	for (size_t i = 0; i < record->category_count; i++) {
		if (str_eq(rule->category, record->categories[i]))
			return true;
	}
	return false;
}

static struct subject subject_of(struct plain *plain, enum field_kind kind, struct str value)
{
	return (struct subject){
	    .kind = kind, .raw = value, .folded = fold_text(plain->arena, value)};
}

static bool value_holds(struct plain *plain, const struct predicate *predicate,
    enum field_kind kind, struct str value)
{
	struct subject subject = subject_of(plain, kind, value);

	return predicate_holds(predicate, &subject, plain->regex);
}

static bool anywhere_holds(struct plain *plain, const struct predicate *predicate)
{
	const struct record *record = plain->record;

	if (record->event != NULL &&
	    value_holds(plain, predicate, FIELD_STRING, record->event->raw))
		return true;
	for (size_t i = 0; i < record->field_count; i++) {
		if (value_holds(plain, predicate, record->fields[i].kind, record->fields[i].value))
			return true;
	}
	return false;
}

static bool field_relates(struct plain *plain, const struct predicate *predicate,
    const struct field *field)
{
	struct subject left = subject_of(plain, field->kind, field->value);
	struct str name = plain->program->slots[predicate->other].name;

	for (size_t i = 0; i < plain->record->field_count; i++) {
		const struct field *other = &plain->record->fields[i];

		if (!str_eq(other->name, name))
			continue;
		struct subject right = subject_of(plain, other->kind, other->value);

		if (predicate_relates(predicate, &left, &right))
			return true;
	}
	return false;
}

static bool field_holds(struct plain *plain, const struct predicate *predicate,
    const struct field *field)
{
	if (predicate->kind == PREDICATE_EXISTS)
		return true;
	if (predicate->kind == PREDICATE_NULL)
		return field->kind == FIELD_NULL;
	if (predicate->kind == PREDICATE_FIELD)
		return field_relates(plain, predicate, field);
	return value_holds(plain, predicate, field->kind, field->value);
}

static bool predicate_test(struct plain *plain, const struct predicate *predicate)
{
	bool there = false;

	if (predicate->slot == SLOT_ANYWHERE)
		return anywhere_holds(plain, predicate);
	for (size_t i = 0; i < plain->record->field_count; i++) {
		const struct field *field = &plain->record->fields[i];

		if (!str_eq(field->name, plain->program->slots[predicate->slot].name))
			continue;
		there = true;
		if (field_holds(plain, predicate, field))
			return true;
	}
	return predicate->kind == PREDICATE_NULL && !there;
}

static bool expression_holds(struct plain *plain, const struct expression *expression)
{
	size_t true_count = 0;

	if (expression->kind == EXPRESSION_PREDICATE)
		return predicate_test(plain, &plain->program->predicates[expression->predicate]);
	for (size_t i = 0; i < expression->count; i++)
		true_count += expression_holds(plain, expression->children[i]);
	switch (expression->kind) {
	case EXPRESSION_AND:
		return true_count == expression->count;
	case EXPRESSION_OR:
		return true_count > 0;
	case EXPRESSION_NOT:
		return true_count == 0;
	case EXPRESSION_AT_LEAST:
		return true_count >= expression->need;
	case EXPRESSION_PREDICATE:
		break;
	}
	return false;
}

bool plain_matches(struct plain *plain, const struct record *record, const struct rule *rule)
{
	plain->record = record;
	arena_reset(plain->arena);
	return rule->kind == RULE_PLAIN && record_satisfies(record, rule) &&
	    expression_holds(plain, plain->program->rules[rule->index]);
}
