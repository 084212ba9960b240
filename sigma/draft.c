#include "sigma/draft.h"

#include "sigma/detection.h"

int text_take(struct builder *builder, const struct yaml_node *node, size_t max, struct str *ret)
{
	if (node->kind != YAML_SCALAR)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_text, STR_ARG(node->key));
	if (node->scalar.len > max)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_too_long, STR_ARG(node->key), max);
	*ret = arena_dup(builder->arena, yaml_is_null(node) ? STR("") : node->scalar);
	return ret->ptr == NULL ? builder_no_memory(builder) : 0;
}

int texts_take(struct builder *builder, const struct yaml_node *node, struct str **ret,
    size_t *ret_count)
{
	bool list = node->kind == YAML_LIST;
	const struct yaml_node *child = list ? node->first : node;
	size_t count = list ? node->count : yaml_is_null(node) ? 0 : 1;

	if (node->kind == YAML_MAP)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_list, STR_ARG(node->key));
	*ret_count = 0;
	*ret = arena_array(builder->arena, count, sizeof(**ret));
	if (*ret == NULL)
		return builder_no_memory(builder);
	for (; *ret_count < count; child = child->next) {
		int code = text_take(builder, child, TEXT_MAX, &(*ret)[*ret_count]);

		if (code < 0)
			return code;
		++*ret_count;
	}
	return 0;
}

int keys_read(struct builder *builder, const struct yaml_node *map, const struct key *keys,
    size_t count, bool tolerant, struct draft *draft)
{
	if (map->kind != YAML_MAP)
		return builder_refuse_node(
		    builder, map, TEXT_sigma_expected_map, STR_ARG(map->key));
	for (const struct yaml_node *child = map->first; child != NULL; child = child->next) {
		size_t i = 0;

		while (i < count && !str_eq(child->key, str_of(keys[i].name)))
			i++;
		if (i == count && !tolerant)
			return builder_refuse_key(builder, child, TEXT_sigma_unknown_key,
			    STR_ARG(child->key));
		int code = i == count ? 0 : keys[i].read(builder, child, draft);

		if (code < 0)
			return code;
	}
	for (size_t i = 0; i < count; i++) {
		if (keys[i].required && yaml_get(map, str_of(keys[i].name)) == NULL)
			return builder_refuse_node(builder, map, TEXT_sigma_missing, keys[i].name);
	}
	return 0;
}

static int read_title(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	int code = text_take(builder, node, NAME_MAX_BYTES * 4, &draft->rule.meta.title);

	if (code == 0 && draft->rule.meta.title.len == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_empty, STR_ARG(node->key));
	return code;
}

static int read_id(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	int code = text_take(builder, node, NAME_MAX_BYTES, &draft->rule.meta.id);

	if (code == 0 && draft->rule.meta.id.len == 0)
		return builder_refuse_node(builder, node, TEXT_sigma_empty, STR_ARG(node->key));
	return code;
}

static int read_name(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return text_take(builder, node, NAME_MAX_BYTES, &draft->rule.name);
}

static int read_taxonomy(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	(void)draft;
	if (node->kind != YAML_SCALAR || !str_eq(node->scalar, STR("sigma")))
		return builder_refuse_node(
		    builder, node, TEXT_sigma_taxonomy, STR_ARG(node->scalar));
	return 0;
}

static int read_status(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	int code = text_take(builder, node, NAME_MAX_BYTES, &draft->rule.meta.status);
	struct str status = draft->rule.meta.status;

	draft->skipped = str_eq_fold(status, STR("deprecated")) ||
	    str_eq_fold(status, STR("unsupported"));
	return code;
}

static int read_description(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	return text_take(builder, node, TEXT_MAX, &draft->rule.meta.description);
}

/* One text in Sigma; a list occurs and is joined. */
static int read_author(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	struct str *authors;
	size_t count;
	struct str *author = &draft->rule.meta.author;
	int code = texts_take(builder, node, &authors, &count);

	if (code < 0)
		return code;
	*author = count > 0 ? authors[0] : STR_NONE;
	for (size_t i = 1; i < count; i++) {
		*author = arena_printf(builder->arena, "%.*s, %.*s", STR_ARG(*author),
		    STR_ARG(authors[i]));
		if (author->ptr == NULL)
			return builder_no_memory(builder);
	}
	return 0;
}

static int read_level(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	if (node->kind != YAML_SCALAR)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_text, STR_ARG(node->key));
	if (!level_parse(node->scalar, &draft->rule.meta.level))
		return builder_refuse_node(builder, node, TEXT_sigma_level, STR_ARG(node->scalar));
	return 0;
}

static int read_tags(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return texts_take(builder, node, &draft->rule.meta.tags, &draft->rule.meta.tag_count);
}

static int read_falsepositives(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	return texts_take(builder, node, &draft->rule.meta.falsepositives,
	    &draft->rule.meta.falsepositive_count);
}

static int read_product(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return text_take(builder, node, NAME_MAX_BYTES, &draft->rule.product);
}

static int read_category(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	return text_take(builder, node, NAME_MAX_BYTES, &draft->rule.category);
}

static int read_service(struct builder *builder, const struct yaml_node *node, struct draft *draft)
{
	return text_take(builder, node, NAME_MAX_BYTES, &draft->rule.service);
}

static int read_logsource(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	static const struct key keys[] = {
	    {"product", read_product, false},
	    {"category", read_category, false},
	    {"service", read_service, false},
	};

	return keys_read(builder, node, keys, sizeof(keys) / sizeof(keys[0]), true, draft);
}

static int read_detection(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	return detection_compile(builder, node, STR_NONE, &draft->expression);
}

static int read_unsupported(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	(void)draft;
	return builder_refuse_key(builder, node, TEXT_sigma_unsupported, STR_ARG(node->key));
}

static int read_other_kind(struct builder *builder, const struct yaml_node *node,
    struct draft *draft)
{
	(void)draft;
	return builder_refuse_key(builder, node, TEXT_sigma_filter_beside);
}

#define COMMON_KEYS                                                                                \
	{"title", read_title, true}, {"id", read_id, false}, {"name", read_name, false},           \
	    {"taxonomy", read_taxonomy, false}, {"status", read_status, false},                    \
	    {"description", read_description, false}, {"author", read_author, false},              \
	    {"level", read_level, false}, {"tags", read_tags, false},                              \
	    {"falsepositives", read_falsepositives, false},                                        \
	    {"action", read_unsupported, false}

static const struct key plain_keys[] = {COMMON_KEYS, {"tocsin", attribute_read, false},
    {"filter", read_other_kind, false}, {"logsource", read_logsource, true},
    {"detection", read_detection, true}};
static const struct key correlation_keys[] = {COMMON_KEYS, {"tocsin", attribute_read, false},
    {"filter", read_other_kind, false}, {"correlation", correlation_read, true}};
static const struct key filter_keys[] = {
    COMMON_KEYS, {"logsource", read_logsource, true}, {"filter", filter_read, true}};

int draft_name(struct builder *builder, struct draft *draft)
{
	struct buf out = BUF(4096);

	content_put(&out, draft->rule.product);
	content_put(&out, draft->rule.category);
	content_put(&out, draft->rule.service);
	buf_u64(&out, draft->expression->hash.high);
	buf_u64(&out, draft->expression->hash.low);
	attribute_first_seen_name(draft, &out);
	draft->rule.meta.hash = content_hash(buf_str(&out));
	bool whole = !out.failed;

	buf_free(&out);
	return whole ? 0 : builder_no_memory(builder);
}

/* References and alerts need an id: the name stands for a missing one, else the title. */
static void id_complete(struct rule *rule)
{
	if (rule->meta.id.len == 0)
		rule->meta.id = rule->name.len > 0 ? rule->name : rule->meta.title;
}

static int filter_document(struct builder *builder, struct draft *draft)
{
	int code = keys_read(builder, draft->root, filter_keys,
	    sizeof(filter_keys) / sizeof(filter_keys[0]), true, draft);

	draft->is_filter = true;
	if (code < 0)
		return code;
	draft->expression = expression_named(builder, draft->expression, draft->rule.meta.title);
	return draft->expression == NULL ? builder_no_memory(builder) : 0;
}

int draft_read(struct builder *builder, struct draft *draft)
{
	const struct yaml_node *root = draft->root;

	draft->rule.meta.level = LEVEL_MEDIUM; /* Sigma names no default */
	draft->rule.fold_ns = RULE_DEFAULT_FOLD;
	draft->rule.line = root->line;
	if (root->kind == YAML_MAP && yaml_get(root, STR("correlation")) != NULL) {
		draft->rule.kind = RULE_CORRELATION;
		int code = keys_read(builder, root, correlation_keys,
		    sizeof(correlation_keys) / sizeof(correlation_keys[0]), true, draft);

		id_complete(&draft->rule);
		return code < 0 ? code : attribute_check(builder, draft);
	}
	if (root->kind == YAML_MAP && yaml_get(root, STR("filter")) != NULL &&
	    yaml_get(root, STR("detection")) == NULL)
		return filter_document(builder, draft);
	/* What stands in place of a detection is told first: it says more than what is missing. */
	if (root->kind != YAML_MAP || (yaml_get(root, STR("detection")) == NULL &&
	                                  yaml_get(root, STR("action")) == NULL))
		return builder_refuse_node(builder, root, TEXT_sigma_document);
	int code = keys_read(builder, root, plain_keys, sizeof(plain_keys) / sizeof(plain_keys[0]),
	    true, draft);

	id_complete(&draft->rule);
	draft->rule.meta.kind = STR("rule");
	if (code == 0)
		code = attribute_check(builder, draft);
	return code < 0 ? code : draft_name(builder, draft);
}
