#include "cli/import.h"

#include "base/clock.h"
#include "base/file.h"
#include "cli/manifest.h"
#include "sigma/name_table.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX     200000u
#define PROGRESS_STEP 256u

static const struct {
	const char *name;
	enum text_id text;
	bool told;
} outcomes[] = {
#define OUTCOME(symbol, name, told) {#name, TEXT_cli_import_##name, told},
#include "cli/import_outcomes.def"
#undef OUTCOME
};

const char *import_outcome_name(enum import_outcome outcome)
{
	return outcomes[outcome].name;
}

enum text_id import_outcome_text(enum import_outcome outcome)
{
	return outcomes[outcome].text;
}

bool import_outcome_is_told(enum import_outcome outcome)
{
	return outcomes[outcome].told;
}

struct folder {
	struct rule_file *files;
	enum rule_file_status *statuses;
	struct error *errors; /* of RULE_FILE_FOREIGN, and of the loader */
	size_t count, capacity;
	struct name_table names, ids;
};

struct importing {
	const struct import_options *options;
	struct arena *arena;
	struct folder theirs, ours;
	struct name_table paths; /* of theirs, cut as an error cuts them */
	struct manifest *manifest;
	bool changed;
};

static int no_memory(struct error *error)
{
	return error_set(error, ERR_MEMORY, TEXT_base_memory);
}

/* ---- reading ---- */

static bool is_rule_name(struct str path)
{
	return str_ends(path, STR(".yml")) || str_ends(path, STR(".yaml"));
}

static struct str base_of(struct str path)
{
	size_t slash = str_find_last(path, '/');

	return slash == STR_NOT_FOUND ? path : str_slice(path, slash + 1, path.len);
}

/* The name below the folder; with several sources the folder's own name is in front. */
static struct str name_of(struct arena *arena, struct str root, struct str path, bool several)
{
	if (str_eq(root, path))
		return base_of(path);
	struct str below = str_slice(path, root.len + 1, path.len);

	return !several ? below
			: arena_printf(arena, "%.*s/%.*s", STR_ARG(base_of(root)), STR_ARG(below));
}

static bool folder_grow(struct arena *arena, struct folder *folder, size_t more)
{
	size_t want = folder->count + more;
	struct rule_file *files = arena_array(arena, want, sizeof(*files));
	struct rule_file *old = folder->files;

	if (files == NULL)
		return false;
	if (folder->count > 0)
		memcpy(files, old, folder->count * sizeof(*files));
	folder->files = files;
	folder->capacity = want;
	return true;
}

/* The rule files below root, in order of their names. */
static int folder_list(struct arena *arena, struct folder *folder, const char *root, bool several,
    struct error *error)
{
	struct str *paths = NULL;
	size_t count = 0;
	int code = file_list(arena, root, STR(""), FILES_MAX, &paths, &count, error);

	if (code < 0)
		return code;
	if (!folder_grow(arena, folder, count))
		return no_memory(error);
	for (size_t i = 0; i < count; i++) {
		struct rule_file *file = &folder->files[folder->count];

		if (!is_rule_name(paths[i]) && !str_eq(paths[i], str_of(root)))
			continue;
		*file = (struct rule_file){.path = paths[i],
		    .name = name_of(arena, str_of(root), paths[i], several)};
		folder->count++;
	}
	return arena_failed(arena) ? no_memory(error) : 0;
}

static bool file_index(struct arena *arena, struct folder *folder, uint32_t index)
{
	const struct rule_file *file = &folder->files[index];

	if (!name_table_put(arena, &folder->names, file->name, index))
		return false;
	return file->id.len == 0 || name_table_find(&folder->ids, file->id) != NULL ||
	    name_table_put(arena, &folder->ids, file->id, index);
}

static int folder_read(struct arena *arena, struct folder *folder, struct error *error)
{
	folder->statuses = arena_array(arena, folder->count, sizeof(*folder->statuses));
	folder->errors = arena_array(arena, folder->count, sizeof(*folder->errors));
	if (folder->statuses == NULL || folder->errors == NULL)
		return no_memory(error);
	for (uint32_t i = 0; i < folder->count; i++) {
		struct error told = {0};
		int code = rule_file_read(arena, &folder->files[i], &told);

		if (code == ERR_MEMORY)
			return no_memory(error);
		folder->statuses[i] = code < 0 ? RULE_FILE_FOREIGN : (enum rule_file_status)code;
		folder->errors[i] = told;
		if (!file_index(arena, folder, i))
			return no_memory(error);
	}
	return 0;
}

/* ---- what the loader says ---- */

static struct str path_cut(struct str path)
{
	return str_slice(path, 0, sizeof(((struct error *)0)->file) - 1);
}

static void refused(void *argument, const struct error *error)
{
	struct importing *importing = argument;
	const uint32_t *at = name_table_find(&importing->paths, str_of(error->file));

	if (at != NULL && importing->theirs.errors[*at].code == 0)
		importing->theirs.errors[*at] = *error;
}

static bool is_deprecated(const struct rule_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		struct str status = rule_file_value(file->documents[i], "status");

		if (!str_eq(status, STR("deprecated")) && !str_eq(status, STR("unsupported")))
			return false;
	}
	return true;
}

static bool is_among(struct str value, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(value, str_of(list[i])))
			return true;
	}
	return count == 0;
}

static bool document_is_selected(const struct import_options *options,
    const struct yaml_node *document)
{
	const struct yaml_node *source = document == NULL || document->kind != YAML_MAP
	    ? NULL : yaml_get(document, STR("logsource"));
	enum level level = LEVEL_MEDIUM; /* as the loader takes it */

	(void)level_parse(rule_file_value(document, "level"), &level);
	bool leveled = !options->leveled ||
	    (level >= options->level_min && level <= options->level_max);

	return leveled &&
	    is_among(rule_file_value(document, "status"), options->statuses,
	        options->status_count) &&
	    is_among(rule_file_value(source, "product"), options->products,
	        options->product_count);
}

static bool is_selected(const struct import_options *options, const struct rule_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		if (document_is_selected(options, file->documents[i]))
			return true;
	}
	return false;
}

/* All together, since rules refer to each other. */
static int check(struct importing *importing, struct error *error)
{
	struct folder *theirs = &importing->theirs;
	const char **paths = arena_array(importing->arena, theirs->count, sizeof(*paths));
	struct ruleset_options options;
	struct ruleset *ruleset = NULL;
	size_t count = 0;
	int code = context_rules_options(importing->options->context, &options, error);

	if (code < 0)
		return code;
	for (uint32_t i = 0; i < theirs->count; i++) {
		if (theirs->statuses[i] != RULE_FILE_READ)
			continue;
		if (paths == NULL || !name_table_put(importing->arena, &importing->paths,
		                         path_cut(theirs->files[i].path), i))
			return no_memory(error);
		paths[count++] = theirs->files[i].path.ptr;
	}
	if (count == 0)
		return 0;
	options.paths = paths;
	options.path_count = count;
	options.refused = refused;
	options.context = importing;
	code = ruleset_load(&ruleset, &options, error);
	ruleset_free(ruleset);
	return code;
}

/* ---- what becomes of a file ---- */

/* As it was imported: nobody has edited it here. */
static bool is_untouched(const struct importing *importing, const struct rule_file *own)
{
	const struct manifest_entry *entry = manifest_find(importing->manifest, own->name);

	return entry != NULL && hash128_eq(entry->hash, own->hash);
}

static enum import_outcome decide_there(const struct importing *importing,
    const struct rule_file *file, const struct rule_file *own)
{
	if (hash128_eq(file->hash, own->hash))
		return IMPORT_SAME;
	if (importing->options->force)
		return IMPORT_UPDATED;
	if (!is_untouched(importing, own))
		return IMPORT_EDITED;
	return rule_date_compare(file->modified, own->modified) > 0 ? IMPORT_UPDATED
								    : IMPORT_OLDER;
}

/* The rule is here under another name. */
static enum import_outcome decide_moved(const struct importing *importing,
    const struct rule_file *file, const struct rule_file *own)
{
	if (importing->options->force)
		return IMPORT_MOVED;
	if (!is_untouched(importing, own))
		return IMPORT_TAKEN;
	return hash128_eq(file->hash, own->hash) ||
	        rule_date_compare(file->modified, own->modified) > 0
	    ? IMPORT_MOVED : IMPORT_OLDER;
}

static const struct rule_file *ours_find(const struct importing *importing,
    const struct name_table *table, struct str key)
{
	const uint32_t *at = key.len == 0 ? NULL : name_table_find(table, key);

	return at == NULL ? NULL : &importing->ours.files[*at];
}

/* To throw a rule out is an edit too. */
static bool was_here(const struct importing *importing, const struct rule_file *file)
{
	return manifest_find(importing->manifest, file->name) != NULL ||
	    manifest_find_id(importing->manifest, file->id) != NULL;
}

static void decide(const struct importing *importing, uint32_t index, struct import_file *ret)
{
	const struct rule_file *file = &importing->theirs.files[index];
	const struct rule_file *here =
	    ours_find(importing, &importing->ours.names, file->name);
	const struct rule_file *holder = ours_find(importing, &importing->ours.ids, file->id);

	*ret = (struct import_file){.file = file, .reason = importing->theirs.errors[index]};
	if (importing->theirs.statuses[index] == RULE_FILE_UNSAFE) {
		ret->outcome = IMPORT_UNSAFE;
	} else if (importing->theirs.statuses[index] != RULE_FILE_READ) {
		ret->outcome = IMPORT_REFUSED;
	} else if (is_deprecated(file)) {
		ret->outcome = IMPORT_DEPRECATED;
	} else if (!is_selected(importing->options, file)) {
		ret->outcome = IMPORT_UNSELECTED;
	} else if (ret->reason.code != 0) {
		ret->outcome = IMPORT_REFUSED;
	} else if (here != NULL) {
		ret->outcome = decide_there(importing, file, here);
	} else if (holder != NULL) {
		ret->before = holder->name;
		ret->outcome = decide_moved(importing, file, holder);
	} else {
		ret->outcome = was_here(importing, file) && !importing->options->force
		    ? IMPORT_REMOVED : IMPORT_ADDED;
	}
}

/* ---- doing it ---- */

static int write_file(const struct importing *importing, const struct rule_file *file,
    struct error *error)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%.*s", importing->options->into,
	    STR_ARG(file->name));

	if (len >= (int)sizeof(path))
		return error_system(error, ENAMETOOLONG, TEXT_base_write, file->path.ptr);
	char *slash = strrchr(path, '/');

	*slash = '\0';
	int code = file_make_folder(path, 0755, error);

	*slash = '/';
	return code < 0 ? code : file_replace(path, file->text, 0644, error);
}

/* Not where the source has put another file under that name. */
static int remove_before(struct importing *importing, struct str name, struct error *error)
{
	char path[PATH_MAX];

	if (name_table_find(&importing->theirs.names, name) != NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/%.*s", importing->options->into, STR_ARG(name));
	if (unlink(path) != 0 && errno != ENOENT)
		return error_system(error, errno, TEXT_base_write, path);
	manifest_drop(importing->manifest, name);
	return 0;
}

static bool writes(enum import_outcome outcome)
{
	return outcome == IMPORT_ADDED || outcome == IMPORT_UPDATED || outcome == IMPORT_MOVED;
}

static int perform(struct importing *importing, const struct import_file *result,
    struct error *error)
{
	const struct rule_file *file = result->file;
	struct manifest_entry entry = {.name = file->name, .id = file->id,
	    .modified = file->modified, .source = file->path, .hash = file->hash,
	    .imported_ns = clock_wall_ns()};
	bool known = manifest_find(importing->manifest, file->name) != NULL;
	int code = 0;

	if (importing->options->dry ||
	    (!writes(result->outcome) && (result->outcome != IMPORT_SAME || known)))
		return 0;
	if (writes(result->outcome))
		code = write_file(importing, file, error);
	if (code == 0 && !manifest_put(importing->manifest, &entry))
		code = no_memory(error);
	if (code == 0)
		importing->changed = true;
	if (code == 0 && result->outcome == IMPORT_MOVED)
		code = remove_before(importing, result->before, error);
	return code;
}

static int perform_all(struct importing *importing, struct error *error)
{
	const struct import_options *options = importing->options;
	size_t count = importing->theirs.count;
	struct import_file *results = arena_array(importing->arena, count, sizeof(*results));
	int code = results == NULL ? no_memory(error) : 0;

	/* First all decisions: what is done to one file is what the next is held against. */
	for (uint32_t i = 0; i < count && code == 0; i++)
		decide(importing, i, &results[i]);
	for (uint32_t i = 0; i < count && code == 0; i++) {
		code = perform(importing, &results[i], error);
		if (code == 0)
			options->told(options->argument, &results[i]);
		if (options->progress != NULL && i % PROGRESS_STEP == 0)
			options->progress(options->argument, i, count);
	}
	return code;
}

/* ---- all of it ---- */

/* A folder cannot be imported into itself, or one below it. */
static bool holds(const char *outer, const char *inner)
{
	char *a = realpath(outer, NULL), *b = realpath(inner, NULL);
	size_t len = a == NULL ? 0 : strlen(a);
	bool found = a != NULL && b != NULL && strncmp(a, b, len) == 0 &&
	    (b[len] == '\0' || b[len] == '/');

	free(a);
	free(b);
	return found;
}

static int sources_list(struct importing *importing, struct error *error)
{
	const struct import_options *options = importing->options;
	int code = 0;

	for (size_t i = 0; i < options->source_count && code == 0; i++) {
		char *real = realpath(options->sources[i], NULL);
		const char *root = real == NULL
		    ? options->sources[i] : arena_cstr(importing->arena, str_of(real));

		free(real);
		if (root == NULL)
			return no_memory(error);
		if (holds(root, options->into))
			return error_set(error, ERR_USAGE, TEXT_cli_import_itself, root,
			    options->into);
		code = folder_list(importing->arena, &importing->theirs, root,
		    options->source_count > 1, error);
	}
	return code;
}

static int ours_list(struct importing *importing, struct error *error)
{
	if (access(importing->options->into, F_OK) != 0)
		return 0;
	return folder_list(
	    importing->arena, &importing->ours, importing->options->into, false, error);
}

int import_run(const struct import_options *options, struct arena *arena, struct error *error)
{
	struct importing importing = {.options = options, .arena = arena};
	int code = sources_list(&importing, error);

	if (code == 0)
		code = ours_list(&importing, error);
	if (code == 0)
		code = folder_read(arena, &importing.theirs, error);
	if (code == 0)
		code = folder_read(arena, &importing.ours, error);
	if (code == 0)
		code = check(&importing, error);
	if (code == 0)
		code = manifest_open(&importing.manifest, options->into, error);
	if (code == 0)
		code = perform_all(&importing, error);
	if (importing.changed) {
		struct error saving = {0};
		int saved = manifest_save(importing.manifest, &saving);

		if (code == 0 && saved < 0) {
			*error = saving;
			code = saved;
		}
	}
	manifest_close(importing.manifest);
	return code;
}
