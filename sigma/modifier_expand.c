/*
 * A value with %name% becomes one alternative for each value of the list: literal text, put where
 * the placeholder stands. Several placeholders are a cross product, under a ceiling.
 */
#include "sigma/modifier.h"
#include "sigma/placeholder.h"

#define PARTS_MAX 16u

extern const struct modifier modifier_expand;

/* What the value consists of, in turn: text as a pattern is written, or a list. */
struct part {
	struct str text;
	const struct placeholder *list;
};

struct template {
	struct part parts[PARTS_MAX];
	size_t count;
	size_t product;
};

static bool is_name(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '-' || c == '.';
}

/* The length of "%name%" at the beginning, or 0. */
static size_t placeholder_span(struct str rest)
{
	size_t at = 1;

	while (at < rest.len && is_name(rest.ptr[at]))
		at++;
	return at > 1 && at < rest.len && rest.ptr[at] == '%' ? at + 1 : 0;
}

static int part_add(struct item *item, const struct value *value, struct template *ret,
    struct part part)
{
	if (part.list == NULL && part.text.len == 0)
		return 0;
	if (ret->count == PARTS_MAX)
		return builder_refuse_node(item->builder, value->node, TEXT_sigma_expand_parts,
		    (size_t)PARTS_MAX);
	ret->parts[ret->count++] = part;
	return 0;
}

static int list_add(struct item *item, const struct value *value, struct template *ret,
    struct str name)
{
	const struct placeholder *list = placeholder_find(item->builder->placeholders, name);

	if (list == NULL)
		return builder_refuse_node(
		    item->builder, value->node, TEXT_sigma_expand_missing, STR_ARG(name));
	ret->product = list->count > 0 && ret->product > PLACEHOLDER_EXPANDED / list->count
	    ? PLACEHOLDER_EXPANDED + 1
	    : ret->product * list->count;
	return part_add(item, value, ret, (struct part){STR_NONE, list});
}

/* '\' before '%' goes; before what a pattern escapes, both characters stay together. */
static int template_parse(struct item *item, const struct value *value, struct template *ret)
{
	struct str text = value->scalar;
	size_t from = 0, at = 0;
	int code = 0;

	*ret = (struct template){.product = 1};
	while (code == 0 && at < text.len) {
		char next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
		size_t span = 1;

		if (text.ptr[at] == '\\' && next == '%') {
			code = part_add(
			    item, value, ret, (struct part){str_slice(text, from, at), NULL});
			from = at + 1;
			span = 2;
		} else if (text.ptr[at] == '\\' && (next == '\\' || next == '*' || next == '?')) {
			span = 2;
		} else if (text.ptr[at] == '%') {
			span = placeholder_span(str_slice(text, at, text.len));
			if (span == 0)
				return builder_refuse_node(
				    item->builder, value->node, TEXT_sigma_expand_percent);
			code = part_add(
			    item, value, ret, (struct part){str_slice(text, from, at), NULL});
			if (code == 0)
				code = list_add(item, value, ret,
				    str_slice(text, at + 1, at + span - 1));
			from = at + span;
		}
		at += span;
	}
	return code < 0 ? code
	                : part_add(item, value, ret,
	                      (struct part){str_slice(text, from, text.len), NULL});
}

static void escaped_put(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '*' || text.ptr[i] == '?' || text.ptr[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, text.ptr[i]);
	}
}

/* The index-th combination, as a pattern is written. */
static bool pattern_write(struct arena *arena, const struct template *template, size_t index,
    struct str *ret)
{
	struct buf out = BUF(PLACEHOLDER_FILE);

	for (size_t i = 0; i < template->count; i++) {
		const struct placeholder *list = template->parts[i].list;

		if (list == NULL) {
			buf_str_put(&out, template->parts[i].text);
			continue;
		}
		escaped_put(&out, list->values[index % list->count]);
		index /= list->count;
	}
	*ret = out.failed ? STR_NONE : arena_dup(arena, buf_str(&out));
	buf_free(&out);
	return ret->ptr != NULL;
}

static bool glob_same(struct glob a, struct glob b)
{
	bool same = a.count == b.count;

	for (size_t i = 0; same && i < a.count; i++)
		same = a.tokens[i].kind == b.tokens[i].kind &&
		    str_eq(a.tokens[i].text, b.tokens[i].text);
	return same;
}

struct ends {
	bool front, behind;
};

/*
 * contains and its like may stand before expand. Whatever else has changed the text has changed the
 * placeholder with it.
 */
static int ends_find(struct item *item, const struct value *value, struct ends *ret)
{
	struct glob written, wide;
	size_t count = value->glob.count;

	ret->front = count > 0 && value->glob.tokens[0].kind == GLOB_ANY;
	ret->behind = count > 0 && value->glob.tokens[count - 1].kind == GLOB_ANY;
	if (!glob_parse(item->builder->arena, value->scalar, &written) ||
	    !glob_widen(item->builder->arena, written, ret->front, ret->behind, &wide))
		return builder_no_memory(item->builder);
	return value->dashed || !glob_same(wide, value->glob) ? value_refuse(item, value) : 0;
}

static int variant_make(struct item *item, const struct value *value,
    const struct template *template, size_t index, struct ends ends, struct value *ret)
{
	struct arena *arena = item->builder->arena;
	bool whole = template->count == 1;
	struct str pattern;

	*ret = *value;
	if (!pattern_write(arena, template, index, &pattern) ||
	    !glob_parse(arena, pattern, &ret->glob) ||
	    !glob_widen(arena, ret->glob, ends.front, ends.behind, &ret->glob))
		return builder_no_memory(item->builder);
	/* A value of the list alone may still become a network or a number. */
	ret->touched |= !whole;
	ret->scalar = whole ? arena_dup(arena, template->parts[0].list->values[index]) : pattern;
	return ret->scalar.ptr == NULL ? builder_no_memory(item->builder) : 0;
}

static int variants_make(struct item *item, struct value *value, const struct template *template,
    struct ends ends)
{
	struct value *variants =
	    arena_array(item->builder->scratch, template->product, sizeof(*variants));

	if (variants == NULL)
		return builder_no_memory(item->builder);
	for (size_t i = 0; i < template->product; i++) {
		int code = variant_make(item, value, template, i, ends, &variants[i]);

		if (code < 0)
			return code;
	}
	value->kind = VALUE_ANY_OF;
	value->variants = variants;
	value->variant_count = template->product;
	return 0;
}

/* Only escaped percent signs. */
static int literal_make(struct item *item, struct value *value, const struct template *template,
    struct ends ends)
{
	struct arena *arena = item->builder->arena;
	struct str pattern;

	if (!pattern_write(arena, template, 0, &pattern) ||
	    !glob_parse(arena, pattern, &value->glob) ||
	    !glob_widen(arena, value->glob, ends.front, ends.behind, &value->glob))
		return builder_no_memory(item->builder);
	value->touched = true;
	return 0;
}

static int apply(struct item *item, struct value *value)
{
	struct template template;
	struct ends ends;
	bool lists = false;
	int code = value->kind == VALUE_STRING || value->kind == VALUE_NUMBER
	    ? 0 : value_refuse(item, value);

	if (code < 0 || value->kind == VALUE_NUMBER)
		return code;
	if ((code = ends_find(item, value, &ends)) < 0 ||
	    (code = template_parse(item, value, &template)) < 0)
		return code;
	for (size_t i = 0; i < template.count; i++)
		lists |= template.parts[i].list != NULL;
	if (!lists)
		return literal_make(item, value, &template, ends);
	item->builder->expanded += template.product;
	if (item->builder->expanded > PLACEHOLDER_EXPANDED) {
		item->builder->expanded -= template.product;
		return builder_refuse_node(item->builder, value->node, TEXT_sigma_expand_many,
		    (size_t)PLACEHOLDER_EXPANDED);
	}
	return variants_make(item, value, &template, ends);
}

const struct modifier modifier_expand = {.name = "expand",
    .summary = "%name% stands for each value of the list of that name",
    .value = apply};
