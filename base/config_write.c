/*
 * The table of keys, printed: as a configuration file of all defaults, and as a reference.
 */
#include "base/config_row.h"
#include "base/text.h"
#include "base/utf8.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

struct section {
	const char *name;
	unsigned first; /* its first key */
	const char *title[2];
};

/* A section begins where the next CONFIG row stands: rows and sections are counted together. */
enum {
#define SECTION(name, english, vietnamese)
#define CONFIG(symbol, key, type, initial, min, max, unit, english, vietnamese)                    \
	LINE_##symbol = __LINE__,
#include "base/config.def"
#undef CONFIG
#undef SECTION
};

static const struct section sections[] = {
#define SECTION(name, english, vietnamese) {name, __LINE__, {english, vietnamese}},
#define CONFIG(symbol, key, type, initial, min, max, unit, english, vietnamese)
#include "base/config.def"
#undef CONFIG
#undef SECTION
};

static const unsigned lines[CONFIG_COUNT] = {
#define SECTION(name, english, vietnamese)
#define CONFIG(symbol, key, type, initial, min, max, unit, english, vietnamese)                    \
	[CONFIG_##symbol] = LINE_##symbol,
#include "base/config.def"
#undef CONFIG
#undef SECTION
};

/* The section whose first key this is, or NULL. */
static const struct section *section_at(unsigned key)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (sections[i].first < lines[key] &&
		    (key == 0 || sections[i].first > lines[key - 1]))
			return &sections[i];
	}
	return NULL;
}

static bool is_text(enum config_type type)
{
	return type == CONFIG_TYPE_string || type == CONFIG_TYPE_path;
}

/* "1K to 1M", "0 to 16 items", "auto|vi|en"; empty where there is nothing to say. */
static void put_bounds(struct buf *out, const struct config_row *row, enum language language)
{
	char min[CONFIG_UNIT_TEXT], max[CONFIG_UNIT_TEXT];
	bool items = row->type == CONFIG_TYPE_list || row->type == CONFIG_TYPE_map;
	enum text_id id = is_text(row->type) ? TEXT_config_bounds_length
			  : items	     ? TEXT_config_bounds_items
					     : TEXT_config_bounds;

	if (row->type == CONFIG_TYPE_bool || row->type == CONFIG_TYPE_choice) {
		buf_str_put(
		    out, row->type == CONFIG_TYPE_bool ? STR("true|false") : str_of(row->unit));
		return;
	}
	buf_printf(out, text_in(id, language), config_unit_format(row->type, row->min, min),
	    config_unit_format(row->type, row->max, max));
}

static void put_quoted(struct buf *out, struct str s)
{
	buf_char(out, '"');
	utf8_json(out, s);
	buf_char(out, '"');
}

/* A default as YAML: JSON's strings are YAML's too. */
static void put_default(struct buf *out, const struct config_row *row)
{
	struct str rest = str_of(row->initial), item;

	if (row->type == CONFIG_TYPE_map) {
		buf_str_put(out, STR("{}"));
	} else if (row->type == CONFIG_TYPE_list) {
		buf_char(out, '[');
		for (bool first = true; rest.len > 0 && str_cut(&rest, ',', &item); first = false) {
			buf_str_put(out, first ? STR("") : STR(", "));
			put_quoted(out, item);
		}
		buf_char(out, ']');
	} else if (is_text(row->type)) {
		put_quoted(out, rest);
	} else {
		buf_str_put(out, rest);
	}
}

static void indent(struct buf *out, unsigned depth)
{
	buf_printf(out, "%*s", (int)(2 * depth), "");
}

/* Opens the maps of key that the one before has not opened; returns the depth of the last part. */
static unsigned put_maps(struct buf *out, struct str key, struct str before, struct str *ret_last)
{
	bool shared = true;
	unsigned depth = 0;
	struct str part, last = STR_NONE, other;

	while (str_cut(&key, '.', &part)) {
		last = part;
		if (key.ptr == NULL)
			break;
		shared = shared && str_cut(&before, '.', &other) && before.ptr != NULL &&
			 str_eq(part, other);
		if (!shared) {
			indent(out, depth);
			buf_printf(out, "%.*s:\n", STR_ARG(part));
		}
		depth++;
	}
	*ret_last = last;
	return depth;
}

static void put_comment(
    struct buf *out, unsigned depth, const struct config_row *row, enum language language)
{
	indent(out, depth);
	buf_printf(out, "# %s (", row->description[language]);
	put_bounds(out, row, language);
	buf_str_put(out, STR(")\n"));
}

void config_write_defaults(struct buf *out, enum language language)
{
	struct str before = STR_NONE, last;

	buf_printf(out, "# %s\n", text_in(TEXT_config_head_file, language));
	for (unsigned key = 0; key < CONFIG_COUNT; key++) {
		const struct config_row *row = &config_rows[key];
		const struct section *section = section_at(key);

		if (section != NULL)
			buf_printf(out, "\n# == %s ==\n", section->title[language]);
		unsigned depth = put_maps(out, str_of(row->key), before, &last);

		put_comment(out, depth, row, language);
		indent(out, depth);
		buf_printf(out, "%.*s: ", STR_ARG(last));
		put_default(out, row);
		buf_char(out, '\n');
		before = str_of(row->key);
	}
}

/* A bar would end the cell. */
static void put_cell(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '|')
			buf_char(out, '\\');
		buf_char(out, s.ptr[i]);
	}
	buf_str_put(out, STR(" | "));
}

static const char *type_name(enum config_type type)
{
	static const char *const names[] = {
#define CONFIG_TYPE(name) [CONFIG_TYPE_##name] = #name,
	    CONFIG_TYPES
#undef CONFIG_TYPE
	};

	return names[type];
}

static void put_head(struct buf *out, const struct section *section, enum language language)
{
	static const enum text_id columns[] = {TEXT_config_column_key, TEXT_config_column_type,
	    TEXT_config_column_default, TEXT_config_column_bounds, TEXT_config_column_meaning};

	buf_printf(out, "\n## %s\n\n|", section->title[language]);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		buf_printf(out, " %s |", text_in(columns[i], language));
	buf_str_put(out, STR("\n|---|---|---|---|---|\n"));
}

void config_write_markdown(struct buf *out, enum language language)
{
	struct buf bounds = BUF(1024);

	buf_printf(out, "# %s\n\n%s\n", text_in(TEXT_config_head_markdown, language),
	    text_in(TEXT_config_intro_markdown, language));
	for (unsigned key = 0; key < CONFIG_COUNT; key++) {
		const struct config_row *row = &config_rows[key];
		const struct section *section = section_at(key);

		if (section != NULL)
			put_head(out, section, language);
		buf_printf(out, "| `%s` | %s | ", row->key, type_name(row->type));
		buf_printf(out, row->initial[0] == '\0' ? "%s| " : "`%s` | ", row->initial);
		buf_clear(&bounds);
		put_bounds(&bounds, row, language);
		put_cell(out, buf_str(&bounds));
		buf_printf(out, "%s |\n", row->description[language]);
	}
	out->failed = out->failed || bounds.failed;
	buf_free(&bounds);
}
