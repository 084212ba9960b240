/*
 * Loading goes in three rounds: every document by itself; then correlations, which are bound once
 * all that they refer to stands; then indexes, for what was not refused.
 */
#include "sigma/ruleset.h"

#include "base/check.h"
#include "sigma/bundle.h"
#include "sigma/draft.h"
#include "sigma/name_table.h"
#include "sigma/placeholder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES   ((size_t)1 << 30)
#define SCRATCH_BYTES ((size_t)1 << 30)
#define STEPS_DEFAULT 100000u

/* Lists of thousands of hashes occur. */
#define PARTS_BYTES ((size_t)64 << 20) /* read again at most for one broken file */

static const struct yaml_limits limits = {.bytes = RULESET_FILE, .nodes = 1 << 18, .depth = 64};

struct ruleset {
	struct arena *arena;
	atomic_uint shares; /* owners beside the first */
	struct program program;
	struct rule *rules;
	size_t count, refused;
	struct name_table names;
	struct regex **regexes;
	size_t regex_count;
	struct hash128 hash;
	uint32_t *slot_table; /* by name: index + 1 */
	size_t slot_mask;
};

struct loader {
	struct builder builder;
	const struct ruleset_options *options;
	struct ruleset *ruleset;
	struct draft **drafts;
	size_t draft_count, draft_capacity;
	struct name_table names; /* of drafts */
	struct placeholders placeholders;
};

static void refused(struct loader *loader, const struct error *error)
{
	loader->ruleset->refused++;
	if (loader->options->refused != NULL)
		loader->options->refused(loader->options->context, error);
}

/* ERR_MEMORY goes up, a mistake of the document ends here. */
static int draft_settle(struct loader *loader, struct draft *draft, int code, struct error *error,
    struct error *out)
{
	if (code == 0) {
		draft->state = draft->is_filter ? DRAFT_FILTER : DRAFT_READY;
		return 0;
	}
	draft->state = DRAFT_REFUSED;
	if (code != ERR_DOCUMENT) {
		if (out != NULL)
			*out = *error;
		return code;
	}
	refused(loader, error);
	return 0;
}

/* Ids and names share one space, since references use either. */
static int name_claim(struct loader *loader, struct draft *draft, uint32_t index, struct str name,
    const char *key)
{
	const uint32_t *taken = name.len == 0 ? NULL : name_table_find(&loader->names, name);
	const struct yaml_node *node = yaml_get(draft->root, str_of(key));

	if (taken != NULL && *taken != index) {
		const struct draft *other = loader->drafts[*taken];

		if (node == NULL)
			node = draft->root;
		return builder_refuse_node(&loader->builder, node, TEXT_sigma_duplicate,
		    STR_ARG(name), other->file, other->rule.line);
	}
	if (name.len > 0 && !name_table_put(loader->builder.scratch, &loader->names, name, index))
		return builder_no_memory(&loader->builder);
	return 0;
}

static int draft_load(struct loader *loader, struct draft *draft, uint32_t index)
{
	int code = draft_read(&loader->builder, draft);

	if (code == 0)
		code = name_claim(loader, draft, index, draft->rule.meta.id, "id");
	if (code == 0)
		code = name_claim(loader, draft, index, draft->rule.name, "name");
	return code;
}

static bool is_skipped(const struct loader *loader, const struct yaml_node *root)
{
	const struct yaml_node *status = yaml_get(root, STR("status"));

	return loader->options->skip_deprecated && status != NULL &&
	       (str_eq(status->scalar, STR("deprecated")) ||
		   str_eq(status->scalar, STR("unsupported")));
}

static int document_load(struct loader *loader, const struct yaml_node *root, const char *file,
    struct error *out)
{
	struct builder *builder = &loader->builder;
	struct error error = {0};

	if (root == NULL || (root->kind == YAML_MAP && is_skipped(loader, root)))
		return 0;
	struct draft *draft = arena_zalloc(builder->scratch, sizeof(*draft));

	if (draft == NULL || !array_grow(builder->scratch, &loader->drafts, loader->draft_count,
	                         &loader->draft_capacity, sizeof(*loader->drafts)))
		return error_set(out, ERR_MEMORY, TEXT_base_memory);
	draft->root = root;
	draft->file = file;
	draft->rule.file = str_of(file);
	builder->error = &error;
	loader->drafts[loader->draft_count] = draft;
	int code = draft_load(loader, draft, (uint32_t)loader->draft_count);

	loader->draft_count++;
	code = draft_settle(loader, draft, code, &error, out);
	if (code == 0 && draft->state == DRAFT_READY && draft->correlation != NULL)
		draft->state = DRAFT_PENDING;
	return code;
}

/* ERR_DOCUMENT is left to the caller, in *error. */
static int documents_load(struct loader *loader, struct str text, const char *file,
    struct error *error, struct error *out)
{
	struct builder *builder = &loader->builder;
	struct yaml_node **roots = NULL;
	size_t count = 0;
	int code = yaml_parse(builder->scratch, text, file, &limits, &roots, &count, error);

	if (code < 0) {
		if (code != ERR_DOCUMENT && out != NULL)
			*out = *error;
		return code;
	}
	builder->file = file;
	for (size_t i = 0; i < count && code == 0; i++)
		code = document_load(loader, roots[i], file, out);
	return code;
}

/* YAML has no such line but between documents, not even in a text in quotes (YAML 1.2, 9.1.2). */
static bool is_division(struct str line)
{
	return str_starts(line, STR("---")) && (line.len == 3 || char_is_space(line.ptr[3]));
}

/* The length of the first document, with its own "---". Lines are counted in *ret_lines. */
static size_t document_span(struct str text, size_t *ret_lines)
{
	struct str rest = text, line;
	size_t lines = 0;

	while (rest.len > 0) {
		size_t at = text.len - rest.len;

		(void)str_cut(&rest, '\n', &line);
		if (lines > 0 && is_division(line)) {
			*ret_lines = lines;
			return at;
		}
		lines++;
	}
	*ret_lines = lines;
	return text.len;
}

static size_t documents_count(struct str text)
{
	size_t count = 0, lines;

	for (; text.len > 0; count++)
		text = str_slice(text, document_span(text, &lines), text.len);
	return count;
}

/*
 * One document that is no YAML takes the others of its file with it, unless each is read by
 * itself: behind as many empty lines as stand before it, for the places of what is refused.
 */
static int parts_load(struct loader *loader, struct str text, const char *file, struct error *out)
{
	struct buf part = BUF(RULESET_FILE + 1);
	size_t before = 0, lines;
	int code = 0;

	while (code == 0 && text.len > 0) {
		size_t span = document_span(text, &lines);
		struct error error = {0};

		buf_clear(&part);
		for (size_t i = 0; i < before; i++)
			buf_char(&part, '\n');
		buf_str_put(&part, str_slice(text, 0, span));
		code = part.failed ? error_set(out, ERR_MEMORY, TEXT_base_memory)
		    : documents_load(loader, buf_str(&part), file, &error, out);
		if (code == ERR_DOCUMENT) {
			refused(loader, &error);
			code = 0;
		}
		before += lines;
		text = str_slice(text, span, text.len);
	}
	buf_free(&part);
	return code;
}

static int text_load(struct loader *loader, struct str text, const char *file, struct error *out)
{
	struct error error = {0};
	int code = documents_load(loader, text, file, &error, out);

	if (code != ERR_DOCUMENT)
		return code;
	size_t count = text.len <= RULESET_FILE ? documents_count(text) : 1;

	if (count > 1 && count <= PARTS_BYTES / text.len)
		return parts_load(loader, text, file, out);
	refused(loader, &error);
	return 0;
}

/* A list that is wrong is refused, and with it the rules that need it. */
static int list_load(struct loader *loader, struct str text, const char *name, struct error *out)
{
	struct error error = {0};
	int code = placeholder_parse(
	    &loader->placeholders, loader->builder.scratch, name, text, &error);

	if (code == ERR_MEMORY && out != NULL)
		*out = error;
	if (code == 0 || code == ERR_MEMORY)
		return code;
	refused(loader, &error);
	return 0;
}

static int bundle_load(struct loader *loader, struct str rest, struct error *error)
{
	int code = 0;

	while (code == 0 && rest.len > 0) {
		struct bundle_file file = {0};

		code = bundle_next(&rest, &file);
		if (code < 0)
			return error_set(error, code, TEXT_sigma_bundle);
		const char *name = arena_cstr(loader->builder.arena, file.name);

		if (name == NULL)
			return error_set(error, ERR_MEMORY, TEXT_base_memory);
		code = file.kind == BUNDLE_LIST ? list_load(loader, file.text, name, error)
						: text_load(loader, file.text, name, error);
	}
	return code;
}

static struct draft *draft_find(const struct loader *loader, struct str name)
{
	const uint32_t *index = name_table_find(&loader->names, name);

	return index == NULL ? NULL : loader->drafts[*index];
}

static bool is_plain(const struct draft *draft)
{
	return draft->state == DRAFT_READY && draft->rule.kind == RULE_PLAIN;
}

/* All that the filter names must be there; those that its log source takes in are filtered. */
static int filter_place_listed(struct loader *loader, struct draft *filter)
{
	const struct yaml_node *list = filter->filter_rules;
	size_t covered = 0;

	for (const struct yaml_node *one = list->first; one != NULL; one = one->next) {
		struct draft *rule = draft_find(loader, one->scalar);

		if (rule != NULL && rule->state == DRAFT_PENDING)
			return builder_refuse_node(&loader->builder, one,
			    TEXT_sigma_filter_correlation, STR_ARG(one->scalar));
		if (rule == NULL || !is_plain(rule))
			return builder_refuse_node(&loader->builder, one,
			    TEXT_sigma_correlation_rule, STR_ARG(one->scalar));
		if (rule->filtered_by == filter)
			return builder_refuse_node(&loader->builder, one,
			    TEXT_sigma_correlation_twice, STR_ARG(one->scalar));
		rule->filtered_by = filter;
		covered += filter_covers(filter, rule);
	}
	if (covered == 0)
		return builder_refuse_node(&loader->builder, list, TEXT_sigma_filter_covers);
	for (const struct yaml_node *one = list->first; one != NULL; one = one->next) {
		struct draft *rule = draft_find(loader, one->scalar);
		int code = filter_covers(filter, rule)
		    ? filter_add(&loader->builder, filter, rule) : 0;

		if (code < 0)
			return code;
	}
	return 0;
}

static int filter_place(struct loader *loader, struct draft *filter)
{
	int code = 0;

	if (filter->filter_rules != NULL)
		return filter_place_listed(loader, filter);
	for (size_t i = 0; code == 0 && i < loader->draft_count; i++) {
		if (is_plain(loader->drafts[i]) && filter_covers(filter, loader->drafts[i]))
			code = filter_add(&loader->builder, filter, loader->drafts[i]);
	}
	return code;
}

/* Before correlations are bound, whose names are made of what they refer to. */
static int filters_place(struct loader *loader, struct error *out)
{
	struct error error = {0};
	int code = 0;

	for (size_t i = 0; code == 0 && i < loader->draft_count; i++) {
		struct draft *filter = loader->drafts[i];

		if (filter->state != DRAFT_FILTER)
			continue;
		error_clear(&error);
		loader->builder.error = &error;
		loader->builder.file = filter->file;
		code = draft_settle(loader, filter, filter_place(loader, filter), &error, out);
	}
	loader->builder.error = out;
	for (size_t i = 0; code == 0 && i < loader->draft_count; i++) {
		if (loader->drafts[i]->filter_count > 0)
			code = filter_apply(&loader->builder, loader->drafts[i]);
	}
	return code;
}

/* Whether all that the draft refers to stands; refuses it when one cannot any more. */
static int steps_find(struct loader *loader, struct draft *draft, bool *ret_ready)
{
	const struct yaml_node *list = correlation_references(draft);
	size_t count = 0;

	*ret_ready = true;
	draft->steps = arena_array(loader->builder.scratch, list->count, sizeof(struct draft *));
	if (draft->steps == NULL)
		return builder_no_memory(&loader->builder);
	for (const struct yaml_node *one = list->first; one != NULL; one = one->next) {
		struct draft *step = draft_find(loader, one->scalar);

		if (step == NULL || step->state == DRAFT_REFUSED || step->is_filter)
			return builder_refuse_node(&loader->builder, one,
			    TEXT_sigma_correlation_rule, STR_ARG(one->scalar));
		if (step->first_seen != NULL)
			return builder_refuse_node(&loader->builder, one,
			    TEXT_sigma_first_seen_step, STR_ARG(one->scalar));
		*ret_ready &= step->state == DRAFT_READY;
		draft->steps[count++] = step;
	}
	return 0;
}

/* last: what still waits, waits for itself. */
static int draft_bind(struct loader *loader, struct draft *draft, bool last, bool *ret_moved,
    struct error *out)
{
	struct error error = {0};
	bool ready = false;

	loader->builder.error = &error;
	loader->builder.file = draft->file;
	int code = steps_find(loader, draft, &ready);

	if (code == 0 && !ready && !last)
		return 0;
	if (code == 0 && !ready)
		code = builder_refuse_node(&loader->builder, correlation_references(draft),
		    TEXT_sigma_correlation_cycle, STR_ARG(draft->rule.meta.id));
	if (code == 0)
		code = correlation_bind(&loader->builder, draft);
	*ret_moved = true;
	return draft_settle(loader, draft, code, &error, out);
}

/* Rounds until nothing moves; each round but the last binds or refuses at least one. */
static int correlations_bind(struct loader *loader, struct error *out)
{
	bool last = false;

	for (;;) {
		bool moved = false;

		for (size_t i = 0; i < loader->draft_count; i++) {
			if (loader->drafts[i]->state != DRAFT_PENDING)
				continue;
			int code = draft_bind(loader, loader->drafts[i], last, &moved, out);

			if (code < 0)
				return code;
		}
		if (!moved && last)
			return 0;
		last = !moved;
	}
}

static int rules_place(struct loader *loader)
{
	struct ruleset *ruleset = loader->ruleset;
	struct arena *arena = ruleset->arena;
	const struct expression **expressions =
	    arena_array(arena, loader->draft_count, sizeof(*expressions));

	ruleset->rules = arena_array(arena, loader->draft_count, sizeof(*ruleset->rules));
	if (ruleset->rules == NULL || expressions == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < loader->draft_count; i++) {
		struct draft *draft = loader->drafts[i];

		if (draft->state != DRAFT_READY)
			continue;
		draft->rule.index = (uint32_t)ruleset->count;
		draft->rule.correlation = draft->correlation;
		ruleset->rules[ruleset->count] = draft->rule;
		expressions[ruleset->count++] = draft->expression;
		struct str id = draft->rule.meta.id, name = draft->rule.name;

		if (!name_table_put(arena, &ruleset->names, id, draft->rule.index) ||
		    (name.len > 0 &&
		        !name_table_put(arena, &ruleset->names, name, draft->rule.index)))
			return ERR_MEMORY;
	}
	ruleset->program.rules = expressions;
	return 0;
}

static int correlations_place(struct loader *loader)
{
	for (size_t i = 0; i < loader->draft_count; i++) {
		struct draft *draft = loader->drafts[i];

		if (draft->state != DRAFT_READY || draft->correlation == NULL)
			continue;
		for (size_t step = 0; step < draft->correlation->rule_count; step++)
			draft->correlation->rules[step] = draft->steps[step]->rule.index;
	}
	return chain_place(&loader->builder, loader->drafts, loader->draft_count) ? 0 : ERR_MEMORY;
}

static int uses_place(struct ruleset *ruleset)
{
	size_t total = 0;

	for (size_t i = 0; i < ruleset->count; i++) {
		const struct correlation *correlation = ruleset->rules[i].correlation;

		for (size_t s = 0; correlation != NULL && s < correlation->rule_count; s++, total++)
			ruleset->rules[correlation->rules[s]].use_count++;
	}
	struct rule_use *uses = arena_array(ruleset->arena, total, sizeof(*uses)),
			*free_uses = uses;

	if (uses == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < ruleset->count; i++) {
		struct rule *rule = &ruleset->rules[i];

		rule->uses = free_uses;
		free_uses += rule->use_count;
		rule->silent = rule->use_count > 0;
		rule->use_count = 0;
	}
	for (size_t i = 0; i < ruleset->count; i++) {
		const struct correlation *correlation = ruleset->rules[i].correlation;

		for (size_t s = 0; correlation != NULL && s < correlation->rule_count; s++) {
			struct rule *rule = &ruleset->rules[correlation->rules[s]];

			uses[rule->uses - uses + (ptrdiff_t)rule->use_count++] =
			    (struct rule_use){(uint32_t)i, (uint32_t)s};
			rule->silent &= !correlation->generate;
		}
	}
	return 0;
}

static size_t name_spread(struct str name)
{
	uint64_t hash = name.len;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (uint8_t)name.ptr[i]) * UINT64_C(0x100000001b3);
	return (size_t)(hash ^ hash >> 29);
}

static int ids_place(struct program *program, struct arena *arena, const struct builder *builder)
{
	program->generation = field_generation();
	for (size_t i = 0; i < builder->slot_count; i++) {
		if (builder->slots[i].id == FIELD_OTHER)
			program->generation = UINT32_MAX;
		else if (builder->slots[i].id >= program->id_count)
			program->id_count = builder->slots[i].id + 1u;
	}
	program->slot_of = arena_array(arena, program->id_count + 1, sizeof(*program->slot_of));
	if (program->slot_of == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < program->id_count; i++)
		program->slot_of[i] = SLOT_ANYWHERE;
	for (uint32_t i = 0; i < builder->slot_count; i++) {
		if (builder->slots[i].id != FIELD_OTHER)
			program->slot_of[builder->slots[i].id] = i;
	}
	return 0;
}

static int slots_place(struct loader *loader)
{
	struct ruleset *ruleset = loader->ruleset;
	const struct builder *builder = &loader->builder;
	size_t size = 64;

	if (ids_place(&ruleset->program, ruleset->arena, builder) < 0)
		return ERR_MEMORY;
	while (size < builder->slot_count * 4)
		size *= 2;
	ruleset->slot_table = arena_array(ruleset->arena, size, sizeof(*ruleset->slot_table));
	if (ruleset->slot_table == NULL)
		return ERR_MEMORY;
	ruleset->slot_mask = size - 1;
	for (uint32_t i = 0; i < builder->slot_count; i++) {
		size_t at = name_spread(builder->slots[i].name) & ruleset->slot_mask;

		while (ruleset->slot_table[at] != 0)
			at = (at + 1) & ruleset->slot_mask;
		ruleset->slot_table[at] = i + 1;
	}
	return 0;
}

uint32_t program_slot_named(const struct program *program, struct str name)
{
	const struct ruleset *ruleset =
	    (const struct ruleset *)((const char *)program - offsetof(struct ruleset, program));

	for (size_t at = name_spread(name) & ruleset->slot_mask; ruleset->slot_table[at] != 0;
	     at = (at + 1) & ruleset->slot_mask) {
		uint32_t slot = ruleset->slot_table[at] - 1;

		if (str_eq(program->slots[slot].name, name))
			return slot;
	}
	return SLOT_ANYWHERE;
}

static int id_compare(const void *a, const void *b)
{
	const struct rule *left = *(const struct rule *const *)a;
	const struct rule *right = *(const struct rule *const *)b;

	return str_compare(left->meta.id, right->meta.id);
}

static int ruleset_name(struct loader *loader)
{
	struct ruleset *ruleset = loader->ruleset;
	const struct rule **order =
	    arena_array(loader->builder.scratch, ruleset->count, sizeof(*order));
	struct buf out = BUF((size_t)1 << 30);

	if (order == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < ruleset->count; i++)
		order[i] = &ruleset->rules[i];
	qsort(order, ruleset->count, sizeof(*order), id_compare);
	for (size_t i = 0; i < ruleset->count; i++) {
		content_put(&out, order[i]->meta.id);
		buf_u64(&out, order[i]->meta.hash.high);
		buf_u64(&out, order[i]->meta.hash.low);
	}
	ruleset->hash = content_hash(buf_str(&out));
	bool whole = !out.failed;

	buf_free(&out);
	return whole ? 0 : ERR_MEMORY;
}

static int loader_finish(struct loader *loader, struct error *error)
{
	struct ruleset *ruleset = loader->ruleset;
	const struct builder *builder = &loader->builder;
	int code = filters_place(loader, error);

	if (code == 0)
		code = correlations_bind(loader, error);
	if (code < 0)
		return code;
	if (rules_place(loader) < 0 || correlations_place(loader) < 0 || uses_place(ruleset) < 0 ||
	    slots_place(loader) < 0 || ruleset_name(loader) < 0)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	ruleset->program.predicates = builder->predicates;
	ruleset->program.predicate_count = builder->predicate_count;
	ruleset->program.slots = builder->slots;
	ruleset->program.slot_count = builder->slot_count;
	ruleset->program.regex_steps =
	    loader->options->regex_steps == 0 ? STEPS_DEFAULT : loader->options->regex_steps;
	return 0;
}

static int loader_begin(struct loader *loader, const struct ruleset_options *options,
    struct error *error)
{
	static const struct ruleset_options none = {0};

	loader->options = options == NULL ? &none : options;
	size_t ceiling = loader->options->memory == 0 ? ARENA_BYTES : loader->options->memory;

	loader->ruleset = calloc(1, sizeof(*loader->ruleset));
	if (loader->ruleset != NULL)
		loader->ruleset->arena = arena_new(ceiling);
	loader->builder.scratch = arena_new(loader->options->memory == 0 ? SCRATCH_BYTES : ceiling);
	if (loader->ruleset == NULL || loader->ruleset->arena == NULL ||
	    loader->builder.scratch == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	loader->builder.arena = loader->ruleset->arena;
	loader->builder.placeholders = &loader->placeholders;
	return 0;
}

/* Hands the ruleset over, or throws everything away. */
static int loader_end(struct loader *loader, int code, struct ruleset **ret)
{
	arena_free(loader->builder.scratch);
	if (loader->ruleset != NULL) {
		loader->ruleset->regexes = loader->builder.regexes;
		loader->ruleset->regex_count = loader->builder.regex_count;
	}
	if (code == 0)
		*ret = loader->ruleset;
	else
		ruleset_free(loader->ruleset);
	return code;
}

int ruleset_load_bundle(struct ruleset **ret, struct str bundle,
    const struct ruleset_options *options, struct error *error)
{
	struct ruleset_options own = options == NULL ? (struct ruleset_options){0} : *options;
	struct bundle_head head = {0};
	struct loader loader = {0};
	int code = bundle_open(&bundle, &head);

	if (code < 0)
		return error_set(error, code, TEXT_sigma_bundle);
	own.regex_steps = head.regex_steps;
	own.skip_deprecated = head.skip_deprecated;
	code = loader_begin(&loader, &own, error);
	if (code == 0)
		code = bundle_load(&loader, bundle, error);
	if (code == 0)
		code = loader_finish(&loader, error);
	return loader_end(&loader, code, ret);
}

int ruleset_load(struct ruleset **ret, const struct ruleset_options *options, struct error *error)
{
	struct buf bundle = BUF(BUNDLE_MAX);
	size_t unread = 0;
	int code = bundle_gather(&bundle, options, &unread, error);

	if (code == 0)
		code = ruleset_load_bundle(ret, buf_str(&bundle), options, error);
	if (code == 0)
		(*ret)->refused += unread;
	buf_free(&bundle);
	return code;
}

int ruleset_load_text(struct ruleset **ret, struct str text, const char *file,
    const struct ruleset_options *options, struct error *error)
{
	static const struct ruleset_options none = {0};
	struct buf bundle = BUF(BUNDLE_MAX);
	struct bundle_file one = {BUNDLE_RULES, str_of(file), text};
	size_t unread = 0;
	struct ruleset_options lists = options == NULL ? none : *options;

	lists.path_count = 0;
	int code = bundle_gather(&bundle, &lists, &unread, error);

	bundle_add(&bundle, &one);
	if (code == 0 && bundle.failed)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		code = ruleset_load_bundle(ret, buf_str(&bundle), options, error);
	if (code == 0)
		(*ret)->refused += unread;
	buf_free(&bundle);
	return code;
}

struct ruleset *ruleset_share(struct ruleset *ruleset)
{
	atomic_fetch_add(&ruleset->shares, 1);
	return ruleset;
}

void ruleset_free(struct ruleset *ruleset)
{
	if (ruleset == NULL || atomic_fetch_sub(&ruleset->shares, 1) > 0)
		return;
	for (size_t i = 0; i < ruleset->regex_count; i++)
		regex_free(ruleset->regexes[i]);
	arena_free(ruleset->arena);
	free(ruleset);
}

size_t ruleset_count(const struct ruleset *ruleset)
{
	return ruleset->count;
}

size_t ruleset_refused(const struct ruleset *ruleset)
{
	return ruleset->refused;
}

const struct rule *ruleset_rule(const struct ruleset *ruleset, uint32_t index)
{
	CHECK(index < ruleset->count);
	return &ruleset->rules[index];
}

const struct rule *ruleset_find(const struct ruleset *ruleset, struct str id_or_name)
{
	const uint32_t *index = name_table_find(&ruleset->names, id_or_name);

	return index == NULL ? NULL : &ruleset->rules[*index];
}

struct hash128 ruleset_hash(const struct ruleset *ruleset)
{
	return ruleset->hash;
}

const struct program *ruleset_program(const struct ruleset *ruleset)
{
	return &ruleset->program;
}
