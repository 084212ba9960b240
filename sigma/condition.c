/*
 * The condition's grammar, one function a level, loosest first:
 *
 *   or    = and { "or" and }
 *   and   = not { "and" not }
 *   not   = "not" not | part
 *   part  = "(" or ")" | ( number | "any" | "all" ) "of" ( "them" | pattern ) | name
 *
 * Words are compared without regard to case. Positions are characters of the condition, from 1.
 */
#include "sigma/detection.h"

#define DEPTH_MAX 64u

struct condition {
	struct builder *builder;
	const struct yaml_node *node;
	const struct detection *detections;
	size_t count;
	struct str text;
	size_t at;       /* behind the token */
	size_t token_at; /* where the token begins */
	struct str token; /* empty at the end */
	unsigned depth;
};

static bool is_name(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '-' || c == '*';
}

static size_t character_of(const struct condition *c)
{
	return c->token_at + 1;
}

/* The column is exact where the condition stands on one line. */
#define condition_refuse(c, ...)                                                                   \
	builder_refuse((c)->builder, (c)->node->line, condition_column(c), __VA_ARGS__)

static unsigned condition_column(const struct condition *c)
{
	if (str_find_char(c->text, '\n') != STR_NOT_FOUND)
		return c->node->column;
	return c->node->column + (unsigned)c->token_at + (c->node->quoted ? 1 : 0);
}

static int token_next(struct condition *c)
{
	while (c->at < c->text.len && char_is_space(c->text.ptr[c->at]))
		c->at++;
	c->token_at = c->at;
	if (c->at < c->text.len && (c->text.ptr[c->at] == '(' || c->text.ptr[c->at] == ')'))
		c->at++;
	else
		while (c->at < c->text.len && is_name(c->text.ptr[c->at]))
			c->at++;
	c->token = str_slice(c->text, c->token_at, c->at);
	if (c->token.len > 0 || c->at == c->text.len)
		return 0;
	return condition_refuse(c,
	    c->text.ptr[c->at] == '|' ? TEXT_sigma_condition_pipe : TEXT_sigma_condition_character,
	    character_of(c));
}

static bool token_is(const struct condition *c, const char *word)
{
	return str_eq_fold(c->token, str_of(word));
}

/* '*' is any run of characters; going back to the last one is enough. */
static bool name_matches(struct str pattern, struct str name)
{
	size_t p = 0, n = 0, star = STR_NOT_FOUND, begin = 0;

	while (n < name.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = ++p;
			begin = n;
		} else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
			p++;
			n++;
		} else if (star != STR_NOT_FOUND) {
			p = star;
			n = ++begin;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

static bool is_covered(struct str pattern, struct str name)
{
	bool hidden = name.len > 0 && name.ptr[0] == '_';

	if (str_eq_fold(pattern, STR("them")))
		return !hidden;
	if (hidden && (pattern.len == 0 || pattern.ptr[0] != '_'))
		return false;
	return name_matches(pattern, name);
}

/* need 0: all of what the pattern covers. The token is the pattern. */
static int quantifier_compile(struct condition *c, uint64_t need, size_t need_at,
    const struct expression **ret)
{
	const struct expression **children =
	    arena_array(c->builder->scratch, c->count + 1, sizeof(*children));
	size_t count = 0;

	if (children == NULL)
		return builder_no_memory(c->builder);
	for (size_t i = 0; i < c->count; i++) {
		if (is_covered(c->token, c->detections[i].name))
			children[count++] = c->detections[i].expression;
	}
	if (count == 0)
		return condition_refuse(c, TEXT_sigma_condition_nothing, character_of(c),
		    STR_ARG(c->token));
	if (need > count) {
		c->token_at = need_at;
		return condition_refuse(c, TEXT_sigma_condition_count, character_of(c), count);
	}
	*ret = expression_at_least(
	    c->builder, need == 0 ? (uint32_t)count : (uint32_t)need, children, count);
	return *ret == NULL ? builder_no_memory(c->builder) : token_next(c);
}

/* Whether "of" follows: else the token is a name, as a detection may be called "all" or "1". */
static bool of_follows(struct condition *c)
{
	struct condition ahead = *c;
	struct error ignored = {0};
	struct builder builder = *c->builder;

	builder.error = &ignored;
	ahead.builder = &builder;
	return token_next(&ahead) == 0 && token_is(&ahead, "of");
}

static int name_compile(struct condition *c, const struct expression **ret)
{
	for (size_t i = 0; i < c->count; i++) {
		if (str_eq(c->detections[i].name, c->token)) {
			*ret = c->detections[i].expression;
			return token_next(c);
		}
	}
	return condition_refuse(
	    c, TEXT_sigma_condition_undefined, character_of(c), STR_ARG(c->token));
}

static int of_compile(struct condition *c, const struct expression **ret)
{
	uint64_t need = 0;
	size_t need_at = c->token_at;
	int code;

	if (token_is(c, "any"))
		need = 1;
	else if (!token_is(c, "all") && (!str_to_u64(c->token, &need) || need == 0))
		return condition_refuse(c, TEXT_sigma_condition_count, character_of(c), c->count);
	if ((code = token_next(c)) < 0 || (code = token_next(c)) < 0)
		return code;
	if (c->token.len == 0 || !is_name(c->token.ptr[0]))
		return condition_refuse(c, TEXT_sigma_condition_end, character_of(c));
	return quantifier_compile(c, need, need_at, ret);
}

static int or_compile(struct condition *c, const struct expression **ret);

static int part_compile(struct condition *c, const struct expression **ret)
{
	int code;

	if (token_is(c, "(")) {
		if ((code = token_next(c)) < 0 || (code = or_compile(c, ret)) < 0)
			return code;
		if (!token_is(c, ")"))
			return condition_refuse(c, TEXT_sigma_condition_close, character_of(c));
		return token_next(c);
	}
	if (c->token.len == 0 || token_is(c, ")") || token_is(c, "and") || token_is(c, "or"))
		return condition_refuse(c, TEXT_sigma_condition_end, character_of(c));
	return of_follows(c) ? of_compile(c, ret) : name_compile(c, ret);
}

static int not_compile(struct condition *c, const struct expression **ret)
{
	const struct expression *child = NULL;
	int code;

	if (c->depth == DEPTH_MAX)
		return condition_refuse(c, TEXT_sigma_condition_deep, character_of(c));
	c->depth++;
	if (!token_is(c, "not")) {
		code = part_compile(c, ret);
	} else if ((code = token_next(c)) == 0 && (code = not_compile(c, &child)) == 0) {
		*ret = expression_not(c->builder, child);
		code = *ret == NULL ? builder_no_memory(c->builder) : 0;
	}
	c->depth--;
	return code;
}

static int series_compile(struct condition *c, const char *word, enum expression_kind kind,
    int (*child_compile)(struct condition *, const struct expression **),
    const struct expression **ret)
{
	const struct expression **children = NULL;
	size_t count = 0, capacity = 0;

	for (;;) {
		if (!array_grow(
			c->builder->scratch, &children, count, &capacity, sizeof(*children)))
			return builder_no_memory(c->builder);
		children[count] = NULL;
		int code = child_compile(c, &children[count++]);

		if (code == 0 && token_is(c, word))
			code = token_next(c);
		else if (code == 0)
			break;
		if (code < 0)
			return code;
	}
	*ret = expression_group(c->builder, kind, children, count);
	return *ret == NULL ? builder_no_memory(c->builder) : 0;
}

static int and_compile(struct condition *c, const struct expression **ret)
{
	return series_compile(c, "and", EXPRESSION_AND, not_compile, ret);
}

static int or_compile(struct condition *c, const struct expression **ret)
{
	return series_compile(c, "or", EXPRESSION_OR, and_compile, ret);
}

int condition_compile(struct builder *builder, const struct yaml_node *node,
    const struct detection *detections, size_t count, const struct expression **ret)
{
	struct condition c = {.builder = builder, .node = node, .detections = detections,
	    .count = count, .text = node->scalar};
	int code = token_next(&c);

	if (code == 0)
		code = or_compile(&c, ret);
	if (code == 0 && c.token.len > 0)
		return condition_refuse(&c, TEXT_sigma_condition_more, character_of(&c),
		    STR_ARG(c.token));
	return code;
}
