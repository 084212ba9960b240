#include <jansson.h>

#include "cli/manifest.h"

#include "base/civil.h"
#include "base/file.h"
#include "base/json.h"
#include "sigma/name_table.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME        ".tocsin-import.json"
#define FILE_BYTES  ((size_t)256 << 20)
#define ARENA_BYTES ((size_t)512 << 20)
#define VERSION     1

struct manifest {
	struct arena *arena;
	char path[PATH_MAX];
	struct manifest_entry *entries; /* name.ptr NULL: dropped */
	size_t count, capacity;
	struct name_table names, ids;
};

static struct manifest_entry *find(const struct manifest *manifest, struct str name)
{
	const uint32_t *at = name_table_find(&manifest->names, name);

	return at == NULL || manifest->entries[*at].name.ptr == NULL ? NULL
								     : &manifest->entries[*at];
}

const struct manifest_entry *manifest_find(const struct manifest *manifest, struct str name)
{
	return find(manifest, name);
}

const struct manifest_entry *manifest_find_id(const struct manifest *manifest, struct str id)
{
	const uint32_t *at = id.len == 0 ? NULL : name_table_find(&manifest->ids, id);

	return at == NULL || manifest->entries[*at].name.ptr == NULL ? NULL
								     : &manifest->entries[*at];
}

void manifest_drop(struct manifest *manifest, struct str name)
{
	struct manifest_entry *entry = find(manifest, name);

	if (entry != NULL)
		entry->name = STR_NONE;
}

static struct manifest_entry *entry_new(struct manifest *manifest)
{
	if (manifest->count == manifest->capacity) {
		size_t want = manifest->capacity == 0 ? 256 : manifest->capacity * 2;
		struct manifest_entry *grown =
		    realloc(manifest->entries, want * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		manifest->entries = grown;
		manifest->capacity = want;
	}
	return &manifest->entries[manifest->count++];
}

bool manifest_put(struct manifest *manifest, const struct manifest_entry *entry)
{
	struct manifest_entry *own = find(manifest, entry->name);
	struct arena *arena = manifest->arena;

	if (own == NULL)
		own = entry_new(manifest);
	if (own == NULL)
		return false;
	*own = *entry;
	own->name = arena_dup(arena, entry->name);
	own->id = arena_dup(arena, entry->id);
	own->modified = arena_dup(arena, entry->modified);
	own->source = arena_dup(arena, entry->source);
	uint32_t index = (uint32_t)(own - manifest->entries);

	return !arena_failed(arena) &&
	    name_table_put(arena, &manifest->names, own->name, index) &&
	    (own->id.len == 0 || name_table_put(arena, &manifest->ids, own->id, index));
}

static struct str text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? str_from(json_string_value(value),
	    json_string_length(value)) : STR_NONE;
}

static bool entry_read(struct manifest *manifest, const json_t *row)
{
	struct manifest_entry entry = {.name = text_of(row, "name"), .id = text_of(row, "id"),
	    .modified = text_of(row, "modified"), .source = text_of(row, "source"),
	    .imported_ns = json_integer_value(json_object_get(row, "imported_ns"))};

	return entry.name.len > 0 && hash128_parse(text_of(row, "hash"), &entry.hash) &&
	    manifest_put(manifest, &entry);
}

static bool entries_read(struct manifest *manifest, const json_t *root)
{
	const json_t *files = json_object_get(root, "files");
	size_t count = json_array_size(files);

	if (json_integer_value(json_object_get(root, "version")) != VERSION ||
	    !json_is_array(files))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!entry_read(manifest, json_array_get(files, i)))
			return false;
	}
	return true;
}

static int load(struct manifest *manifest, struct error *error)
{
	struct error absent = {0};
	struct str text;
	int code = file_read(manifest->arena, manifest->path, FILE_BYTES, &text, &absent);

	if (code == ERR_MISSING)
		return 0;
	if (code < 0) {
		if (error != NULL && error->code == 0)
			*error = absent;
		return code;
	}
	json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
	bool good = root != NULL && entries_read(manifest, root);

	json_decref(root);
	return good ? 0 : error_set(error, ERR_CORRUPT, TEXT_cli_manifest, manifest->path);
}

int manifest_open(struct manifest **ret, const char *folder, struct error *error)
{
	struct manifest *manifest = calloc(1, sizeof(*manifest));

	if (manifest != NULL)
		manifest->arena = arena_new(ARENA_BYTES);
	if (manifest == NULL || manifest->arena == NULL) {
		manifest_close(manifest);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	int len = snprintf(manifest->path, sizeof(manifest->path), "%s/%s", folder, NAME);
	int code = len >= (int)sizeof(manifest->path)
	    ? error_system(error, ENAMETOOLONG, TEXT_base_open, folder)
	    : load(manifest, error);

	if (code < 0) {
		manifest_close(manifest);
		return code;
	}
	*ret = manifest;
	return 0;
}

void manifest_close(struct manifest *manifest)
{
	if (manifest == NULL)
		return;
	arena_free(manifest->arena);
	free(manifest->entries);
	free(manifest);
}

static void entry_write(struct json *json, const struct manifest_entry *entry)
{
	char hash[HASH128_TEXT];

	json_open(json, '{');
	json_pair(json, "name", entry->name);
	json_pair(json, "id", entry->id);
	json_pair(json, "hash", hash128_format(entry->hash, hash));
	json_pair(json, "modified", entry->modified);
	json_pair(json, "source", entry->source);
	json_pair_i64(json, "imported_ns", entry->imported_ns);
	json_close(json, '}');
	buf_char(json->out, '\n');
}

int manifest_save(const struct manifest *manifest, struct error *error)
{
	struct buf out = BUF(FILE_BYTES);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair_u64(&json, "version", VERSION);
	json_key(&json, STR("files"));
	json_open(&json, '[');
	for (size_t i = 0; i < manifest->count; i++) {
		if (manifest->entries[i].name.ptr != NULL)
			entry_write(&json, &manifest->entries[i]);
	}
	json_close(&json, ']');
	json_close(&json, '}');
	buf_char(&out, '\n');
	int code = out.failed ? error_set(error, ERR_MEMORY, TEXT_base_memory)
			      : file_replace(manifest->path, buf_str(&out), 0644, error);

	buf_free(&out);
	return code;
}
