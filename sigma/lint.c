#include "sigma/lint.h"

#include "sigma/draft.h"
#include "sigma/lint_state.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)1 << 30)

static const struct yaml_limits limits = {.bytes = 4 << 20, .nodes = 1 << 18, .depth = 64};

static const struct lint_row rows[] = {
#define LINT(symbol, code, severity, what) {code, LINT_SEVERITY_##severity, TEXT_lint_##what},
#include "sigma/lints.def"
#undef LINT
};

static const char *const text_names[] = {
#define TEXT(name, english, vietnamese) #name,
#include "base/text.def"
#undef TEXT
};

static const struct {
	struct str prefix;
	enum lint lint;
} refusals[] = {
#define REFUSAL(prefix, lint) {STR_INIT(prefix), LINT_##lint},
#include "sigma/refusals.def"
#undef REFUSAL
};

const struct lint_row *lint_row(enum lint lint)
{
	return &rows[lint];
}

enum lint lint_find(struct str code)
{
	unsigned i = 0;

	while (i < LINT_COUNT && !str_eq_fold(str_of(rows[i].code), code))
		i++;
	return (enum lint)i;
}

const char *lint_severity_name(enum lint_severity severity)
{
	static const char *const names[] = {"info", "warning", "error"};

	return names[severity];
}

enum lint lint_of_error(const struct error *error)
{
	struct str name = str_of(text_names[error->id]);
	size_t best = 0;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (str_starts(name, refusals[i].prefix) &&
		    refusals[i].prefix.len >= refusals[best].prefix.len)
			best = i;
	}
	return refusals[best].lint;
}

struct linter *linter_new(const struct lint_sources *sources,
    void (*found)(void *context, const struct lint_finding *finding), void *context)
{
	struct linter *linter = calloc(1, sizeof(*linter));

	if (linter == NULL)
		return NULL;
	linter->arena = arena_new(ARENA_BYTES);
	if (linter->arena == NULL) {
		free(linter);
		return NULL;
	}
	if (sources != NULL)
		linter->sources = *sources;
	linter->found = found;
	linter->context = context;
	return linter;
}

void linter_free(struct linter *linter)
{
	if (linter == NULL)
		return;
	arena_free(linter->arena);
	free(linter);
}

static void tell_at(struct linter *linter, const struct lint_document *document, enum lint lint,
    unsigned line, unsigned column, struct str subject)
{
	struct lint_finding finding = {.lint = lint, .file = document->file, .line = line,
	    .column = column, .subject = subject, .title = document->title};

	linter->found(linter->context, &finding);
}

void lint_tell(struct linter *linter, const struct lint_document *document, enum lint lint,
    const struct yaml_node *node, struct str subject)
{
	tell_at(linter, document, lint, node->line, node->column, subject);
}

void lint_tell_key(struct linter *linter, const struct lint_document *document, enum lint lint,
    const struct yaml_node *node, struct str subject)
{
	tell_at(linter, document, lint, node->key_line, node->key_column, subject);
}

struct str lint_text(const struct yaml_node *node)
{
	return node == NULL || node->kind != YAML_SCALAR || yaml_is_null(node) ? STR_NONE
									       : node->scalar;
}

bool lint_has_modifier(const struct lint_item *item, const char *name)
{
	struct str rest = item->modifiers, modifier;

	while (str_cut(&rest, '|', &modifier)) {
		if (str_eq(modifier, str_of(name)))
			return true;
	}
	return false;
}

static void map_each(const struct lint_document *document, const struct yaml_node *map,
    void (*take)(void *context, const struct lint_item *item), void *context)
{
	for (const struct yaml_node *child = map->first; child != NULL; child = child->next) {
		struct lint_item item = {.document = document, .node = child,
		    .modifiers = child->key};

		(void)str_cut(&item.modifiers, '|', &item.field);
		take(context, &item);
	}
}

void lint_items_each(const struct lint_document *document,
    void (*take)(void *context, const struct lint_item *item), void *context)
{
	const struct yaml_node *child =
	    document->detection == NULL ? NULL : document->detection->first;

	for (; child != NULL; child = child->next) {
		if (str_eq(child->key, STR("condition")) ||
		    (document->is_filter && str_eq(child->key, STR("rules"))))
			continue;
		if (child->kind == YAML_MAP)
			map_each(document, child, take, context);
		for (const struct yaml_node *one = child->kind == YAML_LIST ? child->first : NULL;
		     one != NULL; one = one->next) {
			if (one->kind == YAML_MAP)
				map_each(document, one, take, context);
		}
	}
}

static const struct yaml_node *map_of(const struct yaml_node *root, struct str key)
{
	const struct yaml_node *node = yaml_get(root, key);

	return node == NULL || node->kind != YAML_MAP ? NULL : node;
}

static struct lint_document *document_new(struct linter *linter, const struct yaml_node *root,
    const char *file)
{
	struct lint_document *document = arena_zalloc(linter->arena, sizeof(*document));
	const struct yaml_node *source = map_of(root, STR("logsource"));

	if (document == NULL || !array_grow(linter->arena, &linter->documents, linter->count,
	                            &linter->capacity, sizeof(*linter->documents)))
		return NULL;
	linter->documents[linter->count++] = document;
	document->file = file;
	document->root = root;
	document->detection = map_of(root, STR("detection"));
	document->correlation = map_of(root, STR("correlation"));
	document->title = lint_text(yaml_get(root, STR("title")));
	if (document->detection == NULL && document->correlation == NULL) {
		document->detection = map_of(root, STR("filter"));
		document->is_filter = document->detection != NULL;
	}
	if (source != NULL) {
		document->product = lint_text(yaml_get(source, STR("product")));
		document->category = lint_text(yaml_get(source, STR("category")));
		document->service = lint_text(yaml_get(source, STR("service")));
	}
	return document;
}

/* The name of a rule is what correlations refer to; the first of two keeps it. */
static bool names_add(struct linter *linter, const struct lint_document *document)
{
	static const char *const keys[] = {"id", "name"};

	for (size_t i = 0; i < 2; i++) {
		struct str name = lint_text(yaml_get(document->root, str_of(keys[i])));

		if (name.len > 0 && name_table_find(&linter->names, name) == NULL &&
		    !name_table_put(
		        linter->arena, &linter->names, name, (uint32_t)linter->count - 1))
			return false;
	}
	return true;
}

static bool place_add(struct linter *linter, const struct lint_document *document)
{
	struct str key = arena_printf(
	    linter->arena, "%s:%u", document->file, document->root->line);

	return key.ptr != NULL &&
	    name_table_put(linter->arena, &linter->places, key, (uint32_t)linter->count - 1);
}

static bool is_skipped(const struct lint_document *document)
{
	struct str status = lint_text(yaml_get(document->root, STR("status")));

	return str_eq_fold(status, STR("deprecated")) ||
	    str_eq_fold(status, STR("unsupported"));
}

static bool document_take(struct linter *linter, const struct yaml_node *root, const char *file)
{
	if (root == NULL || root->kind != YAML_MAP)
		return true;
	struct lint_document *document = document_new(linter, root, file);

	if (document == NULL || !names_add(linter, document) || !place_add(linter, document))
		return false;
	if (is_skipped(document)) {
		const struct yaml_node *status = yaml_get(root, STR("status"));

		lint_tell(linter, document, LINT_SKIPPED, status, status->scalar);
		return true;
	}
	if (document->detection == NULL && document->correlation == NULL)
		return true;
	lint_meta(linter, document);
	if (document->detection != NULL) {
		lint_detection(linter, document);
		lint_source(linter, document);
	}
	return !arena_failed(linter->arena);
}

int linter_take(struct linter *linter, struct str text, const char *file, struct error *error)
{
	struct yaml_node **roots = NULL;
	size_t count = 0;
	struct error ignored = {0};
	struct str kept = arena_dup(linter->arena, text);
	const char *name = arena_cstr(linter->arena, str_of(file));
	int code = kept.ptr == NULL || name == NULL
	    ? ERR_MEMORY
	    : yaml_parse(linter->arena, kept, name, &limits, &roots, &count, &ignored);

	if (code == ERR_DOCUMENT)
		return 0;
	for (size_t i = 0; code == 0 && i < count; i++) {
		if (!document_take(linter, roots[i], name))
			code = ERR_MEMORY;
	}
	return code < 0 ? error_set(error, code, TEXT_base_memory) : 0;
}

int linter_finish(struct linter *linter, struct error *error)
{
	for (size_t i = 0; i < linter->count; i++) {
		if (linter->documents[i]->correlation != NULL && !is_skipped(linter->documents[i]))
			lint_correlation(linter, linter->documents[i]);
	}
	return arena_failed(linter->arena) ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
}

/* ---- where it stands ---- */

struct search {
	struct str field, text;
	struct arena *arena;
	const struct yaml_node *found;
	bool exact; /* the text is there too */
};

static bool value_has(const struct search *search, const struct yaml_node *value)
{
	struct str folded = value->kind == YAML_SCALAR ? fold_text(search->arena, value->scalar)
						       : STR_NONE;

	return folded.ptr != NULL && str_find(folded, search->text) != STR_NOT_FOUND;
}

static void item_search(void *context, const struct lint_item *item)
{
	struct search *search = context;
	bool list = item->node->kind == YAML_LIST;

	if (search->exact || !str_eq(item->field, search->field))
		return;
	if (search->found == NULL)
		search->found = item->node;
	for (const struct yaml_node *value = list ? item->node->first : item->node;
	     value != NULL && !search->exact; value = list ? value->next : NULL) {
		search->exact = value_has(search, value);
		if (search->exact)
			search->found = value;
	}
}

static const struct lint_document *document_of(const struct linter *linter,
    const struct rule *rule)
{
	struct str key = arena_printf(
	    linter->arena, "%.*s:%u", STR_ARG(rule->file), rule->line);
	const uint32_t *at =
	    key.ptr == NULL ? NULL : name_table_find(&linter->places, key);

	return at == NULL ? NULL : linter->documents[*at];
}

void linter_place(const struct linter *linter, const struct rule *rule, struct str field,
    struct str text, unsigned *ret_line, unsigned *ret_column)
{
	const struct lint_document *document = document_of(linter, rule);
	struct search search = {.field = field, .text = text, .arena = linter->arena};

	*ret_line = rule->line;
	*ret_column = 1;
	if (document == NULL)
		return;
	if (field.len > 0)
		lint_items_each(document, item_search, &search);
	if (search.found == NULL && document->detection != NULL)
		search.found = yaml_get(document->detection, STR("condition"));
	if (search.found != NULL) {
		*ret_line = search.found->line;
		*ret_column = search.found->column;
	}
}
