/*
 * The grammar, loosest first, and the tree turned into an "or" of "and"s:
 *
 *   or    = and { "or" and }
 *   and   = not { "and" not }
 *   not   = "not" not | "(" or ")" | name
 *
 * Names are ids and names of rules. Positions are characters of the condition, from 1.
 */
#include "sigma/formula.h"

#include <string.h>

#define DEPTH_MAX 64u
#define NODES_MAX 512u

struct node {
	enum { NODE_NAME, NODE_NOT, NODE_AND, NODE_OR } kind;
	uint32_t name;
	const struct node *left, *right;
};

struct formula {
	const struct yaml_node *text_node;
	const struct node *root;
	struct yaml_node names[FORMULA_NAMES]; /* scalars at their places */
	uint32_t name_count;
};

struct parser {
	struct builder *builder;
	struct formula *formula;
	struct str text, token; /* token: empty at the end */
	size_t at, token_at;
	unsigned depth, nodes;
};

static bool is_name(char c)
{
	return (unsigned char)c >= 0x80 || char_is_alpha(c) || char_is_digit(c) || c == '_' ||
	    c == '-' || c == '.' || c == ':';
}

static unsigned parser_column(const struct parser *p)
{
	const struct yaml_node *node = p->formula->text_node;

	if (str_find_char(p->text, '\n') != STR_NOT_FOUND)
		return node->column;
	return node->column + (unsigned)p->token_at + (node->quoted ? 1 : 0);
}

#define parser_refuse(p, ...)                                                                      \
	builder_refuse((p)->builder, (p)->formula->text_node->line, parser_column(p), __VA_ARGS__)

static int token_next(struct parser *p)
{
	while (p->at < p->text.len && char_is_space(p->text.ptr[p->at]))
		p->at++;
	p->token_at = p->at;
	if (p->at < p->text.len && (p->text.ptr[p->at] == '(' || p->text.ptr[p->at] == ')'))
		p->at++;
	else
		while (p->at < p->text.len && is_name(p->text.ptr[p->at]))
			p->at++;
	p->token = str_slice(p->text, p->token_at, p->at);
	if (p->token.len > 0 || p->at == p->text.len)
		return 0;
	return parser_refuse(p, p->text.ptr[p->at] == '|' ? TEXT_sigma_condition_pipe
	    : TEXT_sigma_condition_character, p->token_at + 1);
}

static bool token_is(const struct parser *p, const char *word)
{
	return str_eq_fold(p->token, str_of(word));
}

static int node_make(struct parser *p, struct node from, const struct node **ret)
{
	struct node *node = arena_alloc(p->builder->scratch, sizeof(*node));

	if (p->nodes++ == NODES_MAX)
		return parser_refuse(p, TEXT_sigma_condition_deep, p->token_at + 1);
	if (node == NULL)
		return builder_no_memory(p->builder);
	*node = from;
	*ret = node;
	return 0;
}

static int name_take(struct parser *p, const struct node **ret)
{
	struct formula *formula = p->formula;
	uint32_t i = 0;

	while (i < formula->name_count && !str_eq(formula->names[i].scalar, p->token))
		i++;
	if (i == FORMULA_NAMES)
		return parser_refuse(p, TEXT_sigma_correlation_count, (size_t)FORMULA_NAMES);
	if (i == formula->name_count)
		formula->names[formula->name_count++] = (struct yaml_node){.kind = YAML_SCALAR,
		    .line = formula->text_node->line, .column = parser_column(p),
		    .scalar = p->token};
	int code = node_make(p, (struct node){.kind = NODE_NAME, .name = i}, ret);

	return code < 0 ? code : token_next(p);
}

static int or_parse(struct parser *p, const struct node **ret);

static int inner_parse(struct parser *p, const struct node **ret)
{
	int code = token_next(p);

	if (code == 0)
		code = or_parse(p, ret);
	if (code == 0 && !token_is(p, ")"))
		return parser_refuse(p, TEXT_sigma_condition_close, p->token_at + 1);
	return code < 0 ? code : token_next(p);
}

static int not_parse(struct parser *p, const struct node **ret)
{
	struct node node = {.kind = NODE_NOT};
	int code;

	if (p->depth == DEPTH_MAX)
		return parser_refuse(p, TEXT_sigma_condition_deep, p->token_at + 1);
	p->depth++;
	if (token_is(p, "not")) {
		if ((code = token_next(p)) == 0 && (code = not_parse(p, &node.left)) == 0)
			code = node_make(p, node, ret);
	} else if (token_is(p, "(")) {
		code = inner_parse(p, ret);
	} else if (p->token.len == 0 || token_is(p, ")") || token_is(p, "and") ||
	    token_is(p, "or")) {
		code = parser_refuse(p, TEXT_sigma_condition_rule, p->token_at + 1);
	} else {
		code = name_take(p, ret);
	}
	p->depth--;
	return code;
}

static int and_parse(struct parser *p, const struct node **ret)
{
	struct node node = {.kind = NODE_AND};
	int code = not_parse(p, ret);

	while (code == 0 && token_is(p, "and")) {
		node.left = *ret;
		if ((code = token_next(p)) == 0 && (code = not_parse(p, &node.right)) == 0)
			code = node_make(p, node, ret);
	}
	return code;
}

static int or_parse(struct parser *p, const struct node **ret)
{
	struct node node = {.kind = NODE_OR};
	int code = and_parse(p, ret);

	while (code == 0 && token_is(p, "or")) {
		node.left = *ret;
		if ((code = token_next(p)) == 0 && (code = and_parse(p, &node.right)) == 0)
			code = node_make(p, node, ret);
	}
	return code;
}

int formula_parse(struct builder *builder, const struct yaml_node *node, struct formula **ret)
{
	struct formula *formula = arena_zalloc(builder->scratch, sizeof(*formula));
	struct parser p = {.builder = builder, .formula = formula, .text = node->scalar};

	if (formula == NULL)
		return builder_no_memory(builder);
	formula->text_node = node;
	int code = token_next(&p);

	if (code == 0)
		code = or_parse(&p, &formula->root);
	if (code == 0 && p.token.len > 0)
		code = parser_refuse(&p, TEXT_sigma_condition_more, p.token_at + 1,
		    STR_ARG(p.token));
	*ret = formula;
	return code;
}

const struct yaml_node *formula_list(struct builder *builder, const struct formula *formula)
{
	struct yaml_node *list = arena_zalloc(builder->scratch, sizeof(*list));
	struct yaml_node *names =
	    arena_array(builder->scratch, formula->name_count, sizeof(*names));

	if (list == NULL || names == NULL)
		return NULL;
	*list = (struct yaml_node){.kind = YAML_LIST, .line = formula->text_node->line,
	    .column = formula->text_node->column, .key = STR("condition"), .first = names,
	    .count = formula->name_count};
	for (uint32_t i = 0; i < formula->name_count; i++) {
		names[i] = formula->names[i];
		names[i].next = i + 1 < formula->name_count ? &names[i + 1] : NULL;
	}
	return list;
}

/* ---- alternatives ---- */

struct terms {
	struct correlation_term *list;
	size_t count;
};

static bool takes_in(const struct correlation_term *wide, const struct correlation_term *narrow)
{
	return (wide->present & ~narrow->present) == 0 && (wide->absent & ~narrow->absent) == 0;
}

size_t terms_absorb(struct correlation_term *terms, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		bool absorbed = false;

		for (size_t j = 0; !absorbed && j < count; j++)
			absorbed = i != j && takes_in(&terms[j], &terms[i]) &&
			    (j < i || !takes_in(&terms[i], &terms[j]));
		if (!absorbed)
			terms[kept++] = terms[i];
	}
	return kept;
}

static void terms_add(struct terms *terms, uint64_t present, uint64_t absent)
{
	if ((present & absent) == 0)
		terms->list[terms->count++] = (struct correlation_term){present, absent};
}

static int terms_of(struct builder *builder, const struct formula *formula,
    const struct node *node, bool negated, const uint32_t *steps, struct terms *ret);

static bool terms_reserve(struct builder *builder, struct terms *terms, size_t count)
{
	terms->list = arena_array(builder->scratch, count, sizeof(*terms->list));
	return terms->list != NULL;
}

/* Both sides joined, or multiplied out. */
static int terms_join(struct builder *builder, const struct formula *formula,
    const struct node *node, bool negated, const uint32_t *steps, struct terms *out)
{
	bool multiply = (node->kind == NODE_AND) != negated;
	struct terms left = {0}, right = {0};
	int code = terms_of(builder, formula, node->left, negated, steps, &left);

	if (code == 0)
		code = terms_of(builder, formula, node->right, negated, steps, &right);
	if (code < 0)
		return code;
	if (!terms_reserve(builder, out, left.count * right.count + left.count + right.count))
		return builder_no_memory(builder);
	for (size_t i = 0; !multiply && i < left.count; i++)
		terms_add(out, left.list[i].present, left.list[i].absent);
	for (size_t i = 0; !multiply && i < right.count; i++)
		terms_add(out, right.list[i].present, right.list[i].absent);
	for (size_t i = 0; multiply && i < left.count; i++)
		for (size_t j = 0; j < right.count; j++)
			terms_add(out, left.list[i].present | right.list[j].present,
			    left.list[i].absent | right.list[j].absent);
	return 0;
}

static int terms_of(struct builder *builder, const struct formula *formula,
    const struct node *node, bool negated, const uint32_t *steps, struct terms *ret)
{
	int code = 0;

	if (node->kind == NODE_NOT)
		return terms_of(builder, formula, node->left, !negated, steps, ret);
	if (node->kind == NODE_NAME) {
		uint64_t bit = UINT64_C(1) << steps[node->name];

		if (!terms_reserve(builder, ret, 1))
			return builder_no_memory(builder);
		terms_add(ret, negated ? 0 : bit, negated ? bit : 0);
	} else {
		code = terms_join(builder, formula, node, negated, steps, ret);
	}
	ret->count = terms_absorb(ret->list, ret->count);
	if (code == 0 && ret->count > FORMULA_TERMS)
		return builder_refuse_node(builder, formula->text_node,
		    TEXT_sigma_correlation_many, (size_t)FORMULA_TERMS);
	return code;
}

int formula_terms(struct builder *builder, const struct formula *formula, const uint32_t *steps,
    struct correlation_term **ret, size_t *ret_count)
{
	struct terms terms = {0};
	int code = terms_of(builder, formula, formula->root, false, steps, &terms);

	if (code < 0)
		return code;
	if (terms.count == 0)
		return builder_refuse_node(
		    builder, formula->text_node, TEXT_sigma_correlation_never);
	for (size_t i = 0; i < terms.count; i++) {
		if (terms.list[i].present == 0)
			return builder_refuse_node(
			    builder, formula->text_node, TEXT_sigma_correlation_nothing);
	}
	*ret = arena_array(builder->arena, terms.count, sizeof(**ret));
	if (*ret == NULL)
		return builder_no_memory(builder);
	memcpy(*ret, terms.list, terms.count * sizeof(**ret));
	*ret_count = terms.count;
	return 0;
}
