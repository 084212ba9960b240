#include "base/config.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/config_row.h"
#include "base/file.h"
#include "base/utf8.h"
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define CONFIG_MEMORY (8u << 20)
#define ITEM_LENGTH   4096
#define EXPECTED_TEXT 256

const struct config_row config_rows[CONFIG_COUNT] = {
#define SECTION(name, english, vietnamese)
#define CONFIG(symbol, key, type, initial, min, max, unit, english, vietnamese)                    \
	[CONFIG_##symbol] = {                                                                      \
	    key, CONFIG_TYPE_##type, initial, min, max, unit, {english, vietnamese}},
#include "base/config.def"
#undef CONFIG
#undef SECTION
};

struct item {
	struct str name, text;
};

struct value {
	bool set;
	bool loaded; /* by the file that is read now */
	int64_t number;
	struct str text;
	struct item *items;
	size_t count, capacity;
};

struct config {
	struct arena *arena;
	struct value values[CONFIG_COUNT];
};

/* Where a value comes from, for the message about it. */
struct source {
	int code;
	const char *file;
	unsigned line, column;
	struct error *error;
};

#define REFUSE(source, ...)                                                                        \
	error_at((source).error, (source).code, (source).file, (source).line, (source).column,     \
	    __VA_ARGS__)

static struct str key_of(enum config_key key)
{
	return str_of(config_rows[key].key);
}

/* What a row takes, in words. */
static const char *expected(const struct config_row *row, char out[EXPECTED_TEXT])
{
	static const enum text_id texts[] = {
#define CONFIG_TYPE(name) [CONFIG_TYPE_##name] = TEXT_config_type_##name,
	    CONFIG_TYPES
#undef CONFIG_TYPE
	};

	snprintf(out, EXPECTED_TEXT, text(texts[row->type]), row->unit);
	return out;
}

static int refuse_value(struct source source, const struct config_row *row, struct str value)
{
	char want[EXPECTED_TEXT];

	/* A value may be as long as the file; its beginning tells enough. */
	return REFUSE(source, TEXT_config_expected, STR_ARG(str_slice(value, 0, 64)),
	    STR_ARG(str_of(row->key)), expected(row, want));
}

static bool is_number(enum config_type type)
{
	return type == CONFIG_TYPE_integer || type == CONFIG_TYPE_size ||
	       type == CONFIG_TYPE_duration || type == CONFIG_TYPE_zone ||
	       type == CONFIG_TYPE_choice || type == CONFIG_TYPE_bool;
}

static bool parse_choice(const struct config_row *row, struct str text, int64_t *ret)
{
	struct str rest = str_of(row->unit), choice;

	for (int64_t i = 0; str_cut(&rest, '|', &choice); i++) {
		if (str_eq(choice, text)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool parse_zone(struct str text, int64_t *ret)
{
	uint64_t hours, minutes;

	*ret = CONFIG_ZONE_AUTO;
	if (str_eq(text, STR("auto")))
		return true;
	if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':' ||
	    !str_to_u64(str_slice(text, 1, 3), &hours) ||
	    !str_to_u64(str_slice(text, 4, 6), &minutes) || minutes > 59)
		return false;
	int64_t seconds = (int64_t)(hours * 3600 + minutes * 60);

	*ret = text.ptr[0] == '-' ? -seconds : seconds;
	return true;
}

static bool parse_number(const struct config_row *row, struct str text, int64_t *ret)
{
	switch (row->type) {
	case CONFIG_TYPE_bool:
		*ret = str_eq(text, STR("true"));
		return *ret != 0 || str_eq(text, STR("false"));
	case CONFIG_TYPE_integer:
		return str_to_i64(text, ret);
	case CONFIG_TYPE_size:
	case CONFIG_TYPE_duration:
		return config_unit_parse(row->type, text, ret);
	case CONFIG_TYPE_zone:
		return parse_zone(text, ret);
	case CONFIG_TYPE_choice:
		return parse_choice(row, text, ret);
	case CONFIG_TYPE_string:
	case CONFIG_TYPE_path:
	case CONFIG_TYPE_list:
	case CONFIG_TYPE_map:
		break;
	}
	return false;
}

static bool is_bounded(const struct config_row *row, int64_t number)
{
	if (row->type == CONFIG_TYPE_bool || row->type == CONFIG_TYPE_choice)
		return true;
	if (row->type == CONFIG_TYPE_zone && number == CONFIG_ZONE_AUTO)
		return true;
	return number >= row->min && number <= row->max;
}

static bool is_clean(struct str text)
{
	return str_find_char(text, '\0') == STR_NOT_FOUND && utf8_is_valid(text);
}

static int keep_text(struct config *config, struct str text, struct str *ret, struct source source)
{
	const char *copy = arena_cstr(config->arena, text);

	if (copy == NULL)
		return error_set(source.error, ERR_MEMORY, TEXT_base_memory);
	*ret = str_from(copy, text.len);
	return 0;
}

static int set_scalar(
    struct config *config, enum config_key key, struct str text, struct source source)
{
	const struct config_row *row = &config_rows[key];
	struct value *value = &config->values[key];
	char min[CONFIG_UNIT_TEXT], max[CONFIG_UNIT_TEXT];

	if (is_number(row->type)) {
		int64_t number;

		if (!parse_number(row, text, &number))
			return refuse_value(source, row, text);
		if (!is_bounded(row, number))
			return REFUSE(source, TEXT_config_range, STR_ARG(str_slice(text, 0, 64)),
			    STR_ARG(key_of(key)), config_unit_format(row->type, row->min, min),
			    config_unit_format(row->type, row->max, max));
		value->number = number;
	} else {
		if (!is_clean(text))
			return refuse_value(source, row, STR_NONE);
		if (text.len < (size_t)row->min || text.len > (size_t)row->max)
			return REFUSE(source, TEXT_config_range_length, STR_ARG(key_of(key)),
			    (long long)row->min, (long long)row->max);
	}
	value->set = value->loaded = true;
	return keep_text(config, text, &value->text, source);
}

static int grow_items(struct config *config, struct value *value, struct source source)
{
	if (value->count < value->capacity)
		return 0;
	size_t capacity = value->capacity == 0 ? 8 : value->capacity * 2;
	struct item *items = arena_array(config->arena, capacity, sizeof(*items));

	if (items == NULL)
		return error_set(source.error, ERR_MEMORY, TEXT_base_memory);
	if (value->count > 0)
		memcpy(items, value->items, value->count * sizeof(*items));
	value->items = items;
	value->capacity = capacity;
	return 0;
}

/* One more item; in a map, an entry of the same name is replaced. */
static int add_item(struct config *config, enum config_key key, struct str name, struct str text,
    struct source source)
{
	const struct config_row *row = &config_rows[key];
	struct value *value = &config->values[key];
	bool map = row->type == CONFIG_TYPE_map;
	size_t at = value->count;

	if (!is_clean(text) || !is_clean(name) || text.len > ITEM_LENGTH || name.len > 255 ||
	    (map ? name.len : text.len) == 0)
		return refuse_value(source, row, STR_NONE);
	for (size_t i = 0; map && i < value->count; i++) {
		if (str_eq(value->items[i].name, name))
			at = i;
	}
	if ((int64_t)at == row->max)
		return REFUSE(source, TEXT_config_range_items, STR_ARG(key_of(key)),
		    (long long)row->min, (long long)row->max);
	int code = grow_items(config, value, source);

	if (code == 0)
		code = keep_text(config, name, &value->items[at].name, source);
	if (code == 0)
		code = keep_text(config, text, &value->items[at].text, source);
	if (at == value->count)
		value->count++;
	return code;
}

static int end_items(struct config *config, enum config_key key, struct source source)
{
	struct value *value = &config->values[key];

	value->set = value->loaded = true;
	if ((int64_t)value->count < config_rows[key].min)
		return REFUSE(source, TEXT_config_range_items, STR_ARG(key_of(key)),
		    (long long)config_rows[key].min, (long long)config_rows[key].max);
	return 0;
}

static int set_list(
    struct config *config, enum config_key key, struct str text, struct source source)
{
	struct str rest = text, item;
	int code = 0;

	config->values[key].count = 0;
	while (code == 0 && text.len > 0 && str_cut(&rest, ',', &item))
		code = add_item(config, key, STR_NONE, str_trim(item), source);
	return code != 0 ? code : end_items(config, key, source);
}

static int set_value(
    struct config *config, enum config_key key, struct str text, struct source source)
{
	enum config_type type = config_rows[key].type;

	if (type == CONFIG_TYPE_list)
		return set_list(config, key, text, source);
	if (type != CONFIG_TYPE_map)
		return set_scalar(config, key, text, source);
	if (text.len > 0)
		return refuse_value(source, &config_rows[key], text);
	config->values[key].count = 0;
	return 0;
}

struct config *config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));
	struct error error = {0};
	int code = 0;

	if (config == NULL || (config->arena = arena_new(CONFIG_MEMORY)) == NULL) {
		config_free(config);
		return NULL;
	}
	for (unsigned key = 0; code == 0 && key < CONFIG_COUNT; key++) {
		code = set_value(config, key, str_of(config_rows[key].initial),
		    (struct source){ERR_USAGE, NULL, 0, 0, &error});
		config->values[key].set = false;
	}
	CHECK(code == 0 || code == ERR_MEMORY);
	if (code != 0) {
		config_free(config);
		return NULL;
	}
	return config;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	arena_free(config->arena);
	free(config);
}

static bool find_key(struct str path, enum config_key *ret)
{
	for (unsigned key = 0; key < CONFIG_COUNT; key++) {
		if (str_eq(key_of(key), path)) {
			*ret = key;
			return true;
		}
	}
	return false;
}

/* True when path is the beginning of a key that goes on behind a dot. */
static bool is_section(struct str path)
{
	for (unsigned key = 0; key < CONFIG_COUNT; key++) {
		struct str whole = key_of(key);

		if (str_starts(whole, path) && whole.len > path.len && whole.ptr[path.len] == '.')
			return true;
	}
	return false;
}

static int refuse_unknown(struct str path, struct source source)
{
	struct str near = config_row_nearest(path);

	path = str_slice(path, 0, 96);
	if (near.len == 0)
		return REFUSE(source, TEXT_config_unknown, STR_ARG(path));
	return REFUSE(source, TEXT_config_unknown_near, STR_ARG(path), STR_ARG(near));
}

int config_set(struct config *config, struct str key, struct str value, struct error *error)
{
	struct source source = {ERR_USAGE, NULL, 0, 0, error};
	enum config_key found;

	if (find_key(key, &found))
		return set_value(config, found, value, source);
	for (unsigned map = 0; map < CONFIG_COUNT; map++) {
		struct str prefix = key_of(map);

		if (config_rows[map].type != CONFIG_TYPE_map || !str_starts(key, prefix) ||
		    key.len < prefix.len + 2 || key.ptr[prefix.len] != '.')
			continue;
		config->values[map].set = true;
		return add_item(
		    config, map, str_slice(key, prefix.len + 1, key.len), value, source);
	}
	if (is_section(key))
		return REFUSE(source, TEXT_config_not_map, STR_ARG(key));
	return refuse_unknown(key, source);
}

/* The reading of a file: the walk through its tree. */
struct load {
	struct config *config;
	struct arena *arena;
	const char *file;
	struct error *error;
};

static struct source source_of(const struct load *load, const struct yaml_node *node)
{
	return (struct source){ERR_DOCUMENT, load->file, node->line, node->column, load->error};
}

static int refuse_kind(const struct load *load, const struct yaml_node *node, enum config_key key)
{
	char want[EXPECTED_TEXT];

	return REFUSE(source_of(load, node), TEXT_config_expected_kind, STR_ARG(key_of(key)),
	    expected(&config_rows[key], want));
}

static int load_items(struct load *load, const struct yaml_node *node, enum config_key key)
{
	enum yaml_kind kind = config_rows[key].type == CONFIG_TYPE_map ? YAML_MAP : YAML_LIST;
	int code = 0;

	if (node->kind != kind)
		return refuse_kind(load, node, key);
	load->config->values[key].count = 0;
	for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
		if (item->kind != YAML_SCALAR)
			return refuse_kind(load, item, key);
		code = add_item(load->config, key, kind == YAML_MAP ? item->key : STR_NONE,
		    item->scalar, source_of(load, item));
		if (code != 0)
			return code;
	}
	return end_items(load->config, key, source_of(load, node));
}

static int load_value(struct load *load, const struct yaml_node *node, enum config_key key)
{
	enum config_type type = config_rows[key].type;

	if (load->config->values[key].loaded)
		return error_at(load->error, ERR_DOCUMENT, load->file, node->key_line,
		    node->key_column, TEXT_config_twice, STR_ARG(key_of(key)));
	if (type == CONFIG_TYPE_list || type == CONFIG_TYPE_map)
		return load_items(load, node, key);
	if (node->kind != YAML_SCALAR)
		return refuse_kind(load, node, key);
	struct str text = !is_number(type) && yaml_is_null(node) ? STR_NONE : node->scalar;

	return set_scalar(load->config, key, text, source_of(load, node));
}

/* Recursion ends where the keys of the table end. */
static int load_map(struct load *load, const struct yaml_node *map, struct str prefix)
{
	int code = 0;

	for (const struct yaml_node *node = map->first; code == 0 && node != NULL;
	     node = node->next) {
		struct str path = prefix.len == 0 ? node->key
						  : arena_printf(load->arena, "%.*s.%.*s",
							STR_ARG(prefix), STR_ARG(node->key));
		struct source source = {
		    ERR_DOCUMENT, load->file, node->key_line, node->key_column, load->error};
		enum config_key key;

		if (arena_failed(load->arena))
			return error_set(load->error, ERR_MEMORY, TEXT_base_memory);
		if (find_key(path, &key))
			code = load_value(load, node, key);
		else if (!is_section(path))
			code = refuse_unknown(path, source);
		else if (node->kind == YAML_MAP)
			code = load_map(load, node, path);
		else if (!yaml_is_null(node))
			code = REFUSE(source, TEXT_config_not_map, STR_ARG(path));
	}
	return code;
}

static int load_text(struct load *load, struct str yaml)
{
	struct yaml_node **roots;
	size_t count;
	int code = yaml_parse(
	    load->arena, yaml, load->file, &yaml_limits_default, &roots, &count, load->error);

	if (code != 0)
		return code;
	if (count > 1)
		return error_at(
		    load->error, ERR_DOCUMENT, load->file, 1, 1, TEXT_config_documents, count);
	if (count == 0 || roots[0] == NULL)
		return 0;
	if (roots[0]->kind != YAML_MAP)
		return error_at(load->error, ERR_DOCUMENT, load->file, roots[0]->line,
		    roots[0]->column, TEXT_config_root);
	return load_map(load, roots[0], STR_NONE);
}

int config_parse(struct config *config, struct str yaml, const char *file, struct error *error)
{
	struct load load = {config, arena_new(64u << 20), file, error};

	if (load.arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (size_t key = 0; key < CONFIG_COUNT; key++)
		config->values[key].loaded = false;
	int code = load_text(&load, yaml);

	arena_free(load.arena);
	return code;
}

int config_load(struct config *config, const char *path, struct error *error)
{
	struct arena *arena = arena_new(yaml_limits_default.bytes + 4096);
	struct str yaml;

	if (arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	int code = file_read(arena, path, yaml_limits_default.bytes, &yaml, error);

	if (code == 0)
		code = config_parse(config, yaml, path, error);
	arena_free(arena);
	return code;
}

bool config_bool(const struct config *config, enum config_key key)
{
	CHECK(key < CONFIG_COUNT && config_rows[key].type == CONFIG_TYPE_bool);
	return config->values[key].number != 0;
}

int64_t config_number(const struct config *config, enum config_key key)
{
	CHECK(key < CONFIG_COUNT && is_number(config_rows[key].type));
	return config->values[key].number;
}

struct str config_text(const struct config *config, enum config_key key)
{
	CHECK(key < CONFIG_COUNT);
	enum config_type type = config_rows[key].type;

	CHECK(type == CONFIG_TYPE_string || type == CONFIG_TYPE_path || type == CONFIG_TYPE_choice);
	return config->values[key].text;
}

static const struct item *item_at(const struct config *config, enum config_key key, size_t index)
{
	CHECK(key < CONFIG_COUNT && index < config->values[key].count);
	return &config->values[key].items[index];
}

size_t config_count(const struct config *config, enum config_key key)
{
	CHECK(key < CONFIG_COUNT);
	CHECK(
	    config_rows[key].type == CONFIG_TYPE_list || config_rows[key].type == CONFIG_TYPE_map);
	return config->values[key].count;
}

struct str config_item(const struct config *config, enum config_key key, size_t index)
{
	return item_at(config, key, index)->text;
}

struct str config_name(const struct config *config, enum config_key key, size_t index)
{
	CHECK(config_rows[key].type == CONFIG_TYPE_map);
	return item_at(config, key, index)->name;
}

bool config_is_set(const struct config *config, enum config_key key)
{
	CHECK(key < CONFIG_COUNT);
	return config->values[key].set;
}

struct str config_key_text(enum config_key key)
{
	CHECK(key < CONFIG_COUNT);
	return key_of(key);
}
