#include "sigma/placeholder.h"

#include "base/file.h"
#include "base/yaml.h"
#include "sigma/builder.h"

static const struct yaml_limits limits = {
    .bytes = PLACEHOLDER_FILE, .nodes = PLACEHOLDER_VALUES + 16, .depth = 8};

struct reading {
	struct arena *arena;
	struct placeholder *list;
	struct error *error;
};

static int no_memory(struct error *error)
{
	return error_set(error, ERR_MEMORY, TEXT_base_memory);
}

static int value_add(struct reading *reading, unsigned line, struct str value)
{
	struct placeholder *list = reading->list;

	if (list->count == PLACEHOLDER_VALUES)
		return error_at(reading->error, ERR_DOCUMENT, list->file, line, 1,
		    TEXT_sigma_list_long, (size_t)PLACEHOLDER_VALUES);
	if (!array_grow(reading->arena, &list->values, list->count, &list->capacity,
	        sizeof(*list->values)))
		return no_memory(reading->error);
	list->values[list->count++] = value;
	return 0;
}

static struct str comment_cut(struct str line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '#' && (i == 0 || char_is_space(line.ptr[i - 1])))
			return str_slice(line, 0, i);
	}
	return line;
}

static int lines_read(struct reading *reading, struct str text)
{
	struct str line;
	unsigned number = 0;
	int code = 0;

	while (code == 0 && str_cut(&text, '\n', &line)) {
		number++;
		line = str_trim(comment_cut(line));
		if (line.len > 0)
			code = value_add(reading, number, line);
	}
	return code;
}

/* Takes the first field of a row off *rest; "" in quotes is one. False: the quotes do not end. */
static bool field_take(struct reading *reading, struct str *rest, struct str *ret)
{
	struct buf out = BUF(PLACEHOLDER_FILE);
	size_t at = 1;

	if (rest->len == 0 || rest->ptr[0] != '"') {
		for (at = 0; at < rest->len && rest->ptr[at] != ',' && rest->ptr[at] != '\n'; at++)
			continue;
		*ret = str_trim(str_slice(*rest, 0, at));
		*rest = str_slice(*rest, at, rest->len);
		return true;
	}
	for (; at < rest->len; at++) {
		if (rest->ptr[at] == '"' && (at + 1 == rest->len || rest->ptr[at + 1] != '"'))
			break;
		at += rest->ptr[at] == '"';
		buf_char(&out, rest->ptr[at]);
	}
	bool ended = at < rest->len;

	*ret = out.failed ? STR_NONE : arena_dup(reading->arena, buf_str(&out));
	buf_free(&out);
	*rest = str_slice(*rest, at + 1, rest->len);
	return ended;
}

/* The other fields of the row: a line break in quotes does not end it. */
static void row_skip(struct str *rest)
{
	bool quoted = false;
	size_t at = 0;

	for (; at < rest->len && (quoted || rest->ptr[at] != '\n'); at++)
		quoted ^= rest->ptr[at] == '"';
	*rest = str_slice(*rest, at + 1, rest->len);
}

static unsigned lines_between(const char *from, const char *to)
{
	unsigned count = 0;

	for (; from < to; from++)
		count += *from == '\n';
	return count;
}

static int columns_read(struct reading *reading, struct str text)
{
	unsigned line = 1;
	int code = 0;

	while (code == 0 && text.len > 0) {
		const char *from = text.ptr;
		struct str value = STR_NONE;

		if (text.ptr[0] != '#' && !field_take(reading, &text, &value))
			return error_at(reading->error, ERR_DOCUMENT, reading->list->file, line, 1,
			    TEXT_sigma_list_quote);
		if (value.len > 0)
			code = value_add(reading, line, value);
		else if (value.ptr == NULL && from[0] == '"')
			code = no_memory(reading->error);
		row_skip(&text);
		line += lines_between(from, text.ptr);
	}
	return code;
}

static int yaml_read(struct reading *reading, struct str text)
{
	struct yaml_node **roots = NULL;
	size_t count = 0;
	const char *file = reading->list->file;
	int code = yaml_parse(
	    reading->arena, text, file, &limits, &roots, &count, reading->error);

	if (code < 0 || count == 0 || (count == 1 && roots[0] == NULL))
		return code;
	if (count != 1 || roots[0]->kind != YAML_LIST)
		return error_at(reading->error, ERR_DOCUMENT, file,
		    roots[0] == NULL ? 1 : roots[0]->line, roots[0] == NULL ? 1 : roots[0]->column,
		    TEXT_sigma_list_yaml);
	for (const struct yaml_node *one = roots[0]->first; one != NULL && code == 0;
	     one = one->next) {
		if (one->kind != YAML_SCALAR || yaml_is_null(one))
			return error_at(reading->error, ERR_DOCUMENT, file, one->line, one->column,
			    TEXT_sigma_list_yaml);
		code = value_add(reading, one->line, one->scalar);
	}
	return code;
}

static struct str name_of(struct str path)
{
	size_t slash = str_find_last(path, '/');
	struct str name = slash == STR_NOT_FOUND ? path : str_slice(path, slash + 1, path.len);
	size_t dot = str_find_last(name, '.');

	return dot == STR_NOT_FOUND || dot == 0 ? name : str_slice(name, 0, dot);
}

static int list_read(struct reading *reading, struct str path, struct str text)
{
	if (str_starts(text, STR("\xEF\xBB\xBF")))
		text = str_slice(text, 3, text.len);
	if (str_ends(path, STR(".csv")))
		return columns_read(reading, text);
	if (str_ends(path, STR(".yml")) || str_ends(path, STR(".yaml")))
		return yaml_read(reading, text);
	return lines_read(reading, text);
}

int placeholder_parse(struct placeholders *placeholders, struct arena *arena, const char *path,
    struct str text, struct error *error)
{
	struct placeholder list = {0};
	struct reading reading = {arena, &list, error};

	list.file = arena_cstr(arena, str_of(path));
	if (list.file == NULL)
		return no_memory(error);
	list.name = name_of(str_of(list.file));
	const struct placeholder *other = placeholder_find(placeholders, list.name);

	if (other != NULL)
		return error_at(error, ERR_DOCUMENT, path, 1, 1, TEXT_sigma_list_twice,
		    STR_ARG(list.name), other->file);
	int code = list_read(&reading, str_of(list.file), text);

	if (code < 0)
		return code;
	if (!array_grow(arena, &placeholders->lists, placeholders->count, &placeholders->capacity,
	        sizeof(*placeholders->lists)))
		return no_memory(error);
	placeholders->lists[placeholders->count++] = list;
	return 0;
}

int placeholder_load(struct placeholders *placeholders, struct arena *arena, const char *path,
    struct error *error)
{
	struct str text;
	int code = file_read(arena, path, PLACEHOLDER_FILE, &text, error);

	return code < 0 ? code : placeholder_parse(placeholders, arena, path, text, error);
}

const struct placeholder *placeholder_find(const struct placeholders *placeholders,
    struct str name)
{
	for (size_t i = 0; placeholders != NULL && i < placeholders->count; i++) {
		if (str_eq(placeholders->lists[i].name, name))
			return &placeholders->lists[i];
	}
	return NULL;
}
