/*
 * What a rule looks for, as a whole: which detections its condition uses, and whether they ask for
 * more than the event's id. Single values are lint_value.c's.
 */
#include "sigma/lint_state.h"

#include "sigma/glob.h"

static bool is_name(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '-' || c == '*';
}

/* As the condition's grammar takes it: "them" and patterns leave out names that begin with '_'. */
static bool covers(struct linter *linter, struct str word, struct str name)
{
	bool hidden = name.len > 0 && name.ptr[0] == '_';
	struct glob glob;

	if (str_eq(word, name))
		return true;
	if (str_eq_fold(word, STR("them")))
		return !hidden;
	if (str_find_char(word, '*') == STR_NOT_FOUND || (hidden && word.ptr[0] != '_'))
		return false;
	return glob_parse(linter->arena, word, &glob) && glob_match(glob, name);
}

static bool condition_uses(struct linter *linter, struct str condition, struct str name)
{
	size_t at = 0;

	while (at < condition.len) {
		size_t begin = at;

		while (at < condition.len && is_name(condition.ptr[at]))
			at++;
		if (at > begin && covers(linter, str_slice(condition, begin, at), name))
			return true;
		at += at == begin;
	}
	return false;
}

static bool is_used(struct linter *linter, const struct yaml_node *condition, struct str name)
{
	bool list = condition->kind == YAML_LIST;

	for (const struct yaml_node *one = list ? condition->first : condition; one != NULL;
	     one = list ? one->next : NULL) {
		if (condition_uses(linter, lint_text(one), name))
			return true;
	}
	return false;
}

static void check_used(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *condition = yaml_get(document->detection, STR("condition"));

	if (condition == NULL)
		return;
	for (const struct yaml_node *one = document->detection->first; one != NULL;
	     one = one->next) {
		if (one == condition || (document->is_filter && str_eq(one->key, STR("rules"))))
			continue;
		if (!is_used(linter, condition, one->key))
			lint_tell_key(linter, document, LINT_DETECTION_UNUSED, one, one->key);
	}
}

struct asked {
	struct linter *linter;
	const struct yaml_node *id; /* the first that asks for an event's id */
	bool more;
};

static void item_take(void *context, const struct lint_item *item)
{
	struct asked *asked = context;

	if (!str_eq(item->field, STR("EventID")))
		asked->more = true;
	else if (asked->id == NULL)
		asked->id = item->node;
	lint_values(asked->linter, item);
}

/* Keywords are no items, and more than an id. */
static bool has_keywords(const struct lint_document *document)
{
	for (const struct yaml_node *one = document->detection->first; one != NULL;
	     one = one->next) {
		bool list = one->kind == YAML_LIST && one->first != NULL;

		if (!str_eq(one->key, STR("condition")) &&
		    (one->kind == YAML_SCALAR || (list && one->first->kind == YAML_SCALAR)))
			return true;
	}
	return false;
}

void lint_detection(struct linter *linter, const struct lint_document *document)
{
	struct asked asked = {.linter = linter};

	check_used(linter, document);
	lint_items_each(document, item_take, &asked);
	if (asked.id != NULL && !asked.more && !document->is_filter && !has_keywords(document))
		lint_tell_key(linter, document, LINT_EVENT_ID, asked.id, STR_NONE);
}
