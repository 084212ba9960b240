#include "sigma/bundle.h"

#include "base/file.h"
#include "sigma/placeholder.h"

#include <string.h>

#define BUNDLE_MAGIC   0x73724354u /* "TCrs" */
#define BUNDLE_VERSION 1u
#define HEAD_SIZE      16u
#define FILE_HEAD      9u
#define FLAG_SKIP      1u
#define FILES_MAX      200000u
#define ARENA_BYTES    ((size_t)1 << 30)

void bundle_begin(struct buf *out, const struct bundle_head *head)
{
	buf_u32(out, BUNDLE_MAGIC);
	buf_u32(out, BUNDLE_VERSION);
	buf_u32(out, head->regex_steps);
	buf_u32(out, head->skip_deprecated ? FLAG_SKIP : 0);
}

void bundle_add(struct buf *out, const struct bundle_file *file)
{
	buf_u8(out, (uint8_t)file->kind);
	buf_u32(out, (uint32_t)file->name.len);
	buf_u32(out, (uint32_t)file->text.len);
	buf_str_put(out, file->name);
	buf_str_put(out, file->text);
}

int bundle_open(struct str *rest, struct bundle_head *ret)
{
	struct str head;

	if (!take_bytes(rest, HEAD_SIZE, &head) || get_u32(head.ptr) != BUNDLE_MAGIC)
		return ERR_CORRUPT;
	if (get_u32(head.ptr + 4) != BUNDLE_VERSION || get_u32(head.ptr + 12) > FLAG_SKIP)
		return ERR_VERSION;
	ret->regex_steps = get_u32(head.ptr + 8);
	ret->skip_deprecated = get_u32(head.ptr + 12) == FLAG_SKIP;
	return 0;
}

int bundle_next(struct str *rest, struct bundle_file *ret)
{
	struct str head;

	if (!take_bytes(rest, FILE_HEAD, &head))
		return ERR_CORRUPT;
	ret->kind = (enum bundle_kind)(uint8_t)head.ptr[0];
	if ((ret->kind != BUNDLE_RULES && ret->kind != BUNDLE_LIST) ||
	    !take_bytes(rest, get_u32(head.ptr + 1), &ret->name) ||
	    !take_bytes(rest, get_u32(head.ptr + 5), &ret->text) ||
	    memchr(ret->name.ptr, '\0', ret->name.len) != NULL)
		return ERR_CORRUPT;
	return 0;
}

struct hash128 bundle_hash(struct str bundle)
{
	/* "tocsin bundle 1.", as two little-endian words */
	static const struct hash_key key = {
	    UINT64_C(0x62206e6973636f74), UINT64_C(0x2e3120656c646e75)};

	return hash_sip128(key, bundle);
}

/* ---- from files ---- */

struct gathering {
	struct buf *out;
	const struct ruleset_options *options;
	struct arena *names, *text;
	size_t unread;
};

static int file_gather(struct gathering *gathering, enum bundle_kind kind, struct str path,
    struct error *out)
{
	size_t ceiling = kind == BUNDLE_RULES ? RULESET_FILE : PLACEHOLDER_FILE;
	struct error error = {0};
	struct bundle_file file = {kind, path, STR_NONE};

	arena_reset(gathering->text);
	int code = file_read(gathering->text, path.ptr, ceiling, &file.text, &error);

	if (code == ERR_MEMORY) {
		if (out != NULL)
			*out = error;
		return code;
	}
	if (code < 0) {
		gathering->unread++;
		if (gathering->options->refused != NULL)
			gathering->options->refused(gathering->options->context, &error);
		return 0;
	}
	bundle_add(gathering->out, &file);
	return gathering->out->failed ? error_set(out, ERR_MEMORY, TEXT_base_memory) : 0;
}

static bool is_rule_file(struct str path)
{
	return str_ends(path, STR(".yml")) || str_ends(path, STR(".yaml"));
}

/* A file that is named is a rule file whatever its name; of a folder, those that end as such. */
static int path_gather(struct gathering *gathering, enum bundle_kind kind, const char *path,
    struct error *error)
{
	size_t limit = kind == BUNDLE_RULES ? FILES_MAX : PLACEHOLDER_LISTS;
	struct str *files = NULL;
	size_t count = 0;

	arena_reset(gathering->names);
	int code = file_list(gathering->names, path, STR(""), limit, &files, &count, error);

	for (size_t i = 0; code == 0 && i < count; i++) {
		if (kind == BUNDLE_LIST || is_rule_file(files[i]) ||
		    str_eq(files[i], str_of(path)))
			code = file_gather(gathering, kind, files[i], error);
	}
	return code;
}

int bundle_gather(struct buf *out, const struct ruleset_options *options, size_t *ret_unread,
    struct error *error)
{
	struct gathering gathering = {.out = out, .options = options,
	    .names = arena_new(ARENA_BYTES), .text = arena_new(ARENA_BYTES)};
	struct bundle_head head = {options->regex_steps, options->skip_deprecated};
	int code = gathering.names == NULL || gathering.text == NULL
	    ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;

	buf_clear(out);
	bundle_begin(out, &head);
	for (size_t i = 0; code == 0 && i < options->list_count; i++)
		code = path_gather(&gathering, BUNDLE_LIST, options->lists[i], error);
	for (size_t i = 0; code == 0 && i < options->path_count; i++)
		code = path_gather(&gathering, BUNDLE_RULES, options->paths[i], error);
	arena_free(gathering.names);
	arena_free(gathering.text);
	*ret_unread = gathering.unread;
	return code;
}
