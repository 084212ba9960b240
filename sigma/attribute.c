/*
 * The custom attribute "tocsin" of a rule: Vietnamese texts, advice, entity, fold window, examples.
 * Ours alone, so an unknown key in it is a mistake and refused.
 */
#include "sigma/attribute.h"

#include "base/civil.h"

static int read_title_vi(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	return text_take(builder, node, NAME_MAX_BYTES * 4, &draft->rule.meta.title_vi);
}

static int read_advice(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return text_take(builder, node, TEXT_MAX, &draft->rule.meta.advice);
}

static int read_advice_vi(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	return text_take(builder, node, TEXT_MAX, &draft->rule.meta.advice_vi);
}

static int read_entity(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return texts_take(builder, node, &draft->rule.entity, &draft->rule.entity_count);
}

static int read_fold(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return duration_take(builder, node, true, &draft->rule.fold_ns);
}

static bool number_at(struct str text, size_t from, size_t to, int *ret)
{
	uint64_t value;

	if (to > text.len || !str_to_u64(str_slice(text, from, to), &value))
		return false;
	*ret = (int)value;
	return true;
}

static bool zone_parse(struct str text, int32_t *ret)
{
	int hours, minutes;

	*ret = 0;
	if (str_eq_fold(text, STR("z")))
		return true;
	if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':' ||
	    !number_at(text, 1, 3, &hours) || !number_at(text, 4, 6, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*ret = (hours * 3600 + minutes * 60) * (text.ptr[0] == '-' ? -1 : 1);
	return true;
}

/* RFC 3339 section 5.6, fractions dropped. */
static bool time_parse(struct str text, int64_t *ret)
{
	struct civil civil = {0};
	size_t at = 19;
	int32_t zone;

	if (text.len < 20 || text.ptr[4] != '-' || text.ptr[7] != '-' || text.ptr[13] != ':' ||
	    text.ptr[16] != ':' || (text.ptr[10] != 'T' && text.ptr[10] != ' '))
		return false;
	if (!number_at(text, 0, 4, &civil.year) || !number_at(text, 5, 7, &civil.month) ||
	    !number_at(text, 8, 10, &civil.day) || !number_at(text, 11, 13, &civil.hour) ||
	    !number_at(text, 14, 16, &civil.minute) || !number_at(text, 17, 19, &civil.second))
		return false;
	if (text.ptr[at] == '.') {
		for (at++; at < text.len && char_is_digit(text.ptr[at]); at++)
			continue;
	}
	if (!zone_parse(str_slice(text, at, text.len), &zone) || civil.year < 1970 ||
	    civil.year > 2200 || !civil_is_valid(&civil))
		return false;
	*ret = civil_to_ns(&civil, zone);
	return true;
}

/* A block is one line a line; the last line break ends the last line. */
static int lines_split(struct builder *builder, const struct yaml_node *node,
    struct rule_example *example)
{
	struct str rest, line;
	int code = text_take(builder, node, TEXT_MAX * 16, &rest);
	size_t capacity = 0;

	if (code < 0)
		return code;
	while (str_cut(&rest, '\n', &line)) {
		if (rest.len == 0 && line.len == 0)
			break;
		if (!array_grow(builder->arena, &example->lines, example->line_count, &capacity,
		        sizeof(*example->lines)))
			return builder_no_memory(builder);
		example->lines[example->line_count++] = line;
	}
	return 0;
}

static int lines_read(struct builder *builder, const struct yaml_node *node,
    struct rule_example *example)
{
	int code = node->kind == YAML_SCALAR
	    ? lines_split(builder, node, example)
	    : texts_take(builder, node, &example->lines, &example->line_count);

	if (code == 0 && example->line_count == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_empty, STR_ARG(node->key));
	return code;
}

static int received_read(struct builder *builder, const struct yaml_node *node,
    struct rule_example *example)
{
	if (node->kind != YAML_SCALAR || !time_parse(node->scalar, &example->received_ns))
		return builder_refuse_node(builder, node, TEXT_sigma_time, STR_ARG(node->scalar));
	return 0;
}

static int fires_read(struct builder *builder, const struct yaml_node *node,
    struct rule_example *example)
{
	if (!yaml_to_bool(node, &example->fires))
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_bool, STR_ARG(node->key));
	return 0;
}

static int name_read(struct builder *builder, const struct yaml_node *node,
    struct rule_example *example)
{
	return text_take(builder, node, NAME_MAX_BYTES * 4, &example->name);
}

struct example_key {
	const char *name;
	int (*read)(struct builder *, const struct yaml_node *, struct rule_example *);
};

static const struct example_key example_keys[] = {
    {"name", name_read}, {"fires", fires_read}, {"received", received_read}, {"lines", lines_read}};

#define EXAMPLE_KEYS (sizeof(example_keys) / sizeof(example_keys[0]))

static int example_read(struct builder *builder, const struct yaml_node *node,
    struct rule_example *example)
{
	if (node->kind != YAML_MAP)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_map, STR_ARG(STR("examples")));
	example->line = node->line;
	for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
		size_t i = 0;

		while (i < EXAMPLE_KEYS && !str_eq(child->key, str_of(example_keys[i].name)))
			i++;
		if (i == EXAMPLE_KEYS)
			return builder_refuse_key(builder, child, TEXT_sigma_unknown_key,
			    STR_ARG(child->key));
		int code = example_keys[i].read(builder, child, example);

		if (code < 0)
			return code;
	}
	for (size_t i = 0; i < EXAMPLE_KEYS; i++) {
		if (yaml_get(node, str_of(example_keys[i].name)) == NULL)
			return builder_refuse_node(builder, node, TEXT_sigma_missing,
			    example_keys[i].name);
	}
	return 0;
}

static int read_examples(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	if (node->kind != YAML_LIST)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_list, STR_ARG(node->key));
	struct rule_example *examples = arena_array(builder->arena, node->count, sizeof(*examples));
	size_t count = 0;

	if (examples == NULL)
		return builder_no_memory(builder);
	for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
		int code = example_read(builder, child, &examples[count++]);

		if (code < 0)
			return code;
	}
	draft->rule.examples = examples;
	draft->rule.example_count = count;
	return 0;
}

#define FIELDS_MAX 16u

int attribute_fields_take(struct builder *builder, const struct yaml_node *node, bool none,
    struct str **ret, size_t *ret_count)
{
	int code = texts_take(builder, node, ret, ret_count);
	const struct yaml_node *one = node->kind == YAML_LIST ? node->first : node;

	if (code == 0 && !none && *ret_count == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_empty, STR_ARG(node->key));
	if (code == 0 && *ret_count > FIELDS_MAX)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_list_long, (size_t)FIELDS_MAX);
	for (size_t i = 0; code == 0 && i < *ret_count; i++, one = one->next) {
		if ((*ret)[i].len == 0)
			return builder_refuse_node(
			    builder, one, TEXT_sigma_expected_text, STR_ARG(node->key));
		for (size_t k = 0; k < i; k++) {
			if (str_eq((*ret)[k], (*ret)[i]))
				return builder_refuse_node(builder, one,
				    TEXT_sigma_correlation_twice, STR_ARG((*ret)[i]));
		}
	}
	return code;
}

int attribute_check(struct builder *builder, struct draft *draft)
{
	const struct yaml_node *node = yaml_get(draft->root, STR("tocsin"));

	if (node == NULL)
		return 0;
	int code = attribute_first_seen_check(builder, node, draft);

	return code < 0 ? code : attribute_suppress_check(builder, node, draft);
}

int attribute_read(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	static const struct key keys[] = {
	    {"title_vi", read_title_vi, false},
	    {"advice", read_advice, false},
	    {"advice_vi", read_advice_vi, false},
	    {"entity", read_entity, false},
	    {"fold", read_fold, false},
	    {"suppress", attribute_suppress_read, false},
	    {"first_seen", attribute_first_seen_read, false},
	    {"examples", read_examples, false},
	};

	return keys_read(builder, node, keys, sizeof(keys) / sizeof(keys[0]), false, draft);
}
