/*
 * What a rule looks for, as a whole: which detections its condition uses, and whether they ask for
 * more than the event's id. Single values are lint_value.c's.
 */
#include "sigma/lint_state.h"

#include "sigma/glob.h"

#define WORDS_MAX      512u
#define DETECTIONS_MAX 4096u

static bool is_name(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '-' || c == '*';
}

/* A word of the condition; what it covers is found by its pattern. */
struct word {
	struct str text;
	struct glob glob;
};

struct words {
	struct word *items;
	size_t count;
	bool cut; /* there are more */
};

/* As the condition's grammar takes it: "them" and patterns leave out names that begin with '_'. */
static bool covers(const struct word *word, struct str name)
{
	bool hidden = name.len > 0 && name.ptr[0] == '_';

	if (str_eq(word->text, name))
		return true;
	if (str_eq_fold(word->text, STR("them")))
		return !hidden;
	if (str_find_char(word->text, '*') == STR_NOT_FOUND || (hidden && word->text.ptr[0] != '_'))
		return false;
	return glob_match(word->glob, name);
}

static void words_take(struct linter *linter, struct words *words, struct str condition)
{
	size_t at = 0;

	while (at < condition.len && words->count < WORDS_MAX) {
		size_t begin = at;

		while (at < condition.len && is_name(condition.ptr[at]))
			at++;
		if (at > begin) {
			struct word *word = &words->items[words->count++];

			word->text = str_slice(condition, begin, at);
			if (!glob_parse(linter->arena, word->text, &word->glob))
				words->cut = true;
		}
		at += at == begin;
	}
	words->cut |= at < condition.len;
}

/* Of all conditions of a list. */
static bool words_of(struct linter *linter, struct words *words,
    const struct yaml_node *condition)
{
	bool list = condition->kind == YAML_LIST;
	const struct yaml_node *first = list ? condition->first : condition;
	size_t most = 1;

	for (const struct yaml_node *one = first; one != NULL; one = list ? one->next : NULL)
		most += lint_text(one).len;
	most = most < WORDS_MAX ? most : WORDS_MAX;
	words->items = arena_array(linter->arena, most, sizeof(*words->items));
	if (words->items == NULL)
		return false;
	for (const struct yaml_node *one = first; one != NULL; one = list ? one->next : NULL)
		words_take(linter, words, lint_text(one));
	return true;
}

static bool is_used(const struct words *words, struct str name)
{
	for (size_t i = 0; i < words->count; i++) {
		if (covers(&words->items[i], name))
			return true;
	}
	return false;
}

/* Ceilings: what is longer than people write is not judged. */
static void check_used(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *condition = yaml_get(document->detection, STR("condition"));
	struct words words = {0};

	if (condition == NULL || document->detection->count > DETECTIONS_MAX ||
	    !words_of(linter, &words, condition))
		return;
	for (const struct yaml_node *one = document->detection->first; one != NULL && !words.cut;
	     one = one->next) {
		if (one == condition || (document->is_filter && str_eq(one->key, STR("rules"))))
			continue;
		if (!is_used(&words, one->key))
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
