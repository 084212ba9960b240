/*
 * The values of one item, as they were written.
 */
#include "sigma/lint_state.h"

#include "sigma/glob.h"

#define REGEX_META ".[]{}()*+?|^$\\"

/* How values of this item are read. */
struct reading {
	struct linter *linter;
	const struct lint_item *item;
	bool regex, exact, text; /* text: '*' and '?' are wildcards */
	bool front, behind;      /* a modifier opens it there */
	bool cased;
};

static struct reading reading_of(struct linter *linter, const struct lint_item *item)
{
	static const char *const others[] = {"cidr", "exists", "fieldref", "lt", "lte", "gt", "gte",
	    "minute", "hour", "day", "week", "month", "year"};
	bool contains = lint_has_modifier(item, "contains");
	struct reading reading = {.linter = linter, .item = item, .text = true,
	    .regex = lint_has_modifier(item, "re"),
	    .front = contains || lint_has_modifier(item, "endswith"),
	    .behind = contains || lint_has_modifier(item, "startswith"),
	    .cased = lint_has_modifier(item, "cased") || lint_has_modifier(item, "re") ||
		lint_has_modifier(item, "base64") || lint_has_modifier(item, "base64offset")};

	reading.text = !reading.regex;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		reading.text &= !lint_has_modifier(item, others[i]);
	reading.exact = reading.text && !reading.front && !reading.behind;
	return reading;
}

static void tell(const struct reading *reading, enum lint lint, const struct yaml_node *value)
{
	lint_tell(reading->linter, reading->item->document, lint, value,
	    arena_printf(reading->linter->arena, "%.*s: %.*s", STR_ARG(reading->item->node->key),
		STR_ARG(value->scalar)));
}

/* Stars that are wildcards: how many at the front, in all, side by side. */
struct stars {
	size_t all;
	bool front, behind, side;
};

static struct stars stars_of(struct str text)
{
	struct stars stars = {0};
	bool before = false;

	for (size_t i = 0; i < text.len; i++) {
		bool star = text.ptr[i] == '*';

		if (text.ptr[i] == '\\' && i + 1 < text.len &&
		    (text.ptr[i + 1] == '*' || text.ptr[i + 1] == '?' || text.ptr[i + 1] == '\\'))
			i++;
		stars.all += star;
		stars.front |= star && i == 0;
		stars.side |= star && before;
		before = star;
	}
	stars.behind = before;
	return stars;
}

static void check_stars(const struct reading *reading, const struct yaml_node *value)
{
	struct stars stars = stars_of(value->scalar);

	if (stars.all > 0 && stars.all == value->scalar.len)
		tell(reading, LINT_WILDCARD_ALONE, value);
	else if (stars.side)
		tell(reading, LINT_WILDCARD_DOUBLE, value);
	else if ((stars.front && reading->front) || (stars.behind && reading->behind))
		tell(reading, LINT_WILDCARD_IDLE, value);
}

static void check_space(const struct reading *reading, const struct yaml_node *value)
{
	struct str text = value->scalar;

	if (text.len > 0 && reading->item->field.len > 0 &&
	    (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' '))
		tell(reading, LINT_SPACE, value);
}

/* Without what matches anything or only says where. */
static struct str regex_middle(struct str text)
{
	static const char *const fronts[] = {"(?i)", "^", ".*"}, *const ends[] = {"$", ".*"};

	for (size_t i = 0; i < 3; i++) {
		if (str_starts(text, str_of(fronts[i])))
			text = str_slice(text, str_of(fronts[i]).len, text.len);
	}
	for (size_t i = 0; i < 2; i++) {
		size_t len = str_of(ends[i]).len;
		bool escaped = text.len > len && text.ptr[text.len - len - 1] == '\\';

		if (str_ends(text, str_of(ends[i])) && !escaped)
			text = str_slice(text, 0, text.len - len);
	}
	return text;
}

static bool regex_is_plain(struct str text)
{
	text = regex_middle(text);
	for (size_t i = 0; i < text.len; i++) {
		bool escape = text.ptr[i] == '\\' && i + 1 < text.len;

		i += escape;
		if (escape ? char_is_alpha(text.ptr[i]) || char_is_digit(text.ptr[i])
			   : str_find_char(STR(REGEX_META), text.ptr[i]) != STR_NOT_FOUND)
			return false;
	}
	return text.len > 0;
}

static void check_value(const struct reading *reading, const struct yaml_node *value)
{
	if (lint_text(value).len == 0)
		return;
	if (reading->text)
		check_stars(reading, value);
	if (reading->exact)
		check_space(reading, value);
}

/* One that is plain among others may stay where it is. */
static void check_regexes(const struct reading *reading, const struct yaml_node *first, bool list)
{
	for (const struct yaml_node *value = first; value != NULL;
	     value = list ? value->next : NULL) {
		if (value->kind != YAML_SCALAR || !regex_is_plain(value->scalar))
			return;
	}
	if (first != NULL)
		tell(reading, LINT_REGEX_PLAIN, first);
}

static void check_twice(const struct reading *reading, const struct yaml_node *list)
{
	struct arena *arena = reading->linter->arena;
	struct name_table seen = {0};

	for (const struct yaml_node *value = list->first; value != NULL; value = value->next) {
		struct str text = lint_text(value);

		if (text.len == 0)
			continue;
		if (!reading->cased)
			text = fold_text(arena, text);
		if (text.ptr == NULL)
			return;
		if (name_table_find(&seen, text) != NULL)
			tell(reading, LINT_VALUE_TWICE, value);
		else if (!name_table_put(arena, &seen, text, 1))
			return;
	}
}

void lint_values(struct linter *linter, const struct lint_item *item)
{
	struct reading reading = reading_of(linter, item);
	bool list = item->node->kind == YAML_LIST;

	if (lint_has_modifier(item, "all") && (!list || item->node->count == 1) &&
	    !lint_has_modifier(item, "expand"))
		lint_tell_key(linter, item->document, LINT_ALL_SINGLE, item->node, item->node->key);
	for (const struct yaml_node *value = list ? item->node->first : item->node; value != NULL;
	     value = list ? value->next : NULL)
		check_value(&reading, value);
	if (reading.regex)
		check_regexes(&reading, list ? item->node->first : item->node, list);
	if (list)
		check_twice(&reading, item->node);
}
