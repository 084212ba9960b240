#include "cli/rule_file.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct yaml_limits limits = {.bytes = 4 << 20, .nodes = 1 << 18, .depth = 64};

struct hash128 rule_text_hash(struct str text)
{
	/* Names a text for ever, so the key is no secret. */
	return hash_sip128((struct hash_key){1, 2}, text);
}

struct str rule_file_value(const struct yaml_node *document, const char *key)
{
	const struct yaml_node *node = document == NULL || document->kind != YAML_MAP
	    ? NULL : yaml_get(document, str_of(key));

	return node == NULL || node->kind != YAML_SCALAR || yaml_is_null(node) ? STR_NONE
									       : node->scalar;
}

static char date_char(char c)
{
	return c == '/' ? '-' : c;
}

int rule_date_compare(struct str a, struct str b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++) {
		char left = date_char(a.ptr[i]), right = date_char(b.ptr[i]);

		if (left != right)
			return left < right ? -1 : 1;
	}
	return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

static bool has_controls(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if ((uint8_t)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
			return true;
	}
	return false;
}

/* The descriptor says what was opened, whatever has become of the name since. */
static int open_plain(const char *path, bool *ret_plain)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat about;

	*ret_plain = false;
	if (fd < 0 && errno == ELOOP)
		return -1;
	if (fd >= 0 && fstat(fd, &about) == 0)
		*ret_plain = S_ISREG(about.st_mode);
	else if (fd < 0)
		*ret_plain = true; /* errno tells the rest */
	return fd;
}

static int text_read(struct arena *arena, int fd, struct rule_file *ret, struct error *error)
{
	struct buf bytes = BUF(RULE_FILE_BYTES + 1);
	ssize_t got = 1;

	while (got > 0 && bytes.len <= RULE_FILE_BYTES) {
		char chunk[16384];

		got = read(fd, chunk, sizeof(chunk));
		if (got > 0)
			buf_put(&bytes, chunk, (size_t)got);
		if (bytes.failed)
			break;
	}
	int code = got < 0 ? error_system(error, errno, TEXT_base_read, ret->path.ptr)
	    : bytes.failed || bytes.len > RULE_FILE_BYTES
	    ? error_set(error, ERR_DOCUMENT, TEXT_base_too_large, ret->path.ptr, RULE_FILE_BYTES)
	    : 0;

	if (code == 0) {
		ret->text = arena_dup(arena, buf_str(&bytes));
		if (ret->text.ptr == NULL)
			code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	buf_free(&bytes);
	return code;
}

static void facts_take(struct rule_file *ret)
{
	bool any = false;

	for (size_t i = 0; i < ret->count; i++) {
		const struct yaml_node *document = ret->documents[i];
		struct str modified = rule_file_value(document, "modified");

		if (document == NULL || document->kind != YAML_MAP)
			continue;
		if (!any) {
			ret->id = rule_file_value(document, "id");
			ret->title = rule_file_value(document, "title");
		}
		if (modified.len == 0)
			modified = rule_file_value(document, "date");
		if (rule_date_compare(modified, ret->modified) > 0)
			ret->modified = modified;
		any = true;
	}
	if (!any)
		ret->count = 0;
}

int rule_file_read(struct arena *arena, struct rule_file *ret, struct error *error)
{
	bool plain = false;
	int fd = has_controls(ret->name) ? -1 : open_plain(ret->path.ptr, &plain);

	if (has_controls(ret->name) || !plain) {
		if (fd >= 0)
			close(fd);
		return RULE_FILE_UNSAFE;
	}
	if (fd < 0)
		return error_system(error, errno, TEXT_base_open, ret->path.ptr);
	int code = text_read(arena, fd, ret, error);

	close(fd);
	if (code == 0) {
		ret->hash = rule_text_hash(ret->text);
		code = yaml_parse(arena, ret->text, ret->path.ptr, &limits, &ret->documents,
		    &ret->count, error);
	}
	if (code == ERR_DOCUMENT)
		return RULE_FILE_FOREIGN;
	if (code < 0)
		return code;
	facts_take(ret);
	return ret->count > 0 ? RULE_FILE_READ : RULE_FILE_FOREIGN;
}
