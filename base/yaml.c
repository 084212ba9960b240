/*
 * The events of libyaml, made into a tree. An open list or map is a frame of a stack that is as
 * deep as the limits allow, so that nothing here recurses on the text except the copy of what an
 * alias stands for, whose depth is bounded by the same limit.
 */
#include "base/yaml.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ANCHORS_MAX 256u
#define MERGED_MAX  16u /* maps that one merge key names */

const struct yaml_limits yaml_limits_default = {256u << 10, 65536, 64};

struct anchor {
	struct anchor *next;
	struct str name;
	const struct yaml_node *node;
};

struct frame {
	struct yaml_node *node;
	struct yaml_node *last;
	struct yaml_node *merged; /* value of the key '<<' */
	bool has_key, has_merge;  /* the value that comes next is that of a key, of '<<' */
	struct str key;
	unsigned key_line, key_column;
};

struct document {
	struct document *next;
	struct yaml_node *root;
};

struct builder {
	struct arena *arena;
	const char *file;
	const struct yaml_limits *limits;
	struct error *error;
	size_t nodes;
	struct frame *frames;
	size_t depth;
	struct anchor *anchors;
	unsigned anchor_count;
	struct yaml_node *root;
	struct document *first, *last;
	size_t documents;
};

/* What libyaml calls a mark, counted from 1. */
struct place {
	unsigned line, column;
};

static struct place place_of(yaml_mark_t mark)
{
	return (struct place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

static int no_memory(struct builder *b)
{
	return error_set(b->error, ERR_MEMORY, TEXT_base_memory);
}

#define REFUSE(b, place, ...)                                                                      \
	error_at((b)->error, ERR_DOCUMENT, (b)->file, (place).line, (place).column, __VA_ARGS__)

static struct str str_of_libyaml(const yaml_char_t *text)
{
	return str_of((const char *)text);
}

/* A counted node; NULL with the error filled when a ceiling is reached. */
static struct yaml_node *node_new(
    struct builder *b, enum yaml_kind kind, struct place place, size_t depth)
{
	if (b->nodes == b->limits->nodes) {
		REFUSE(b, place, TEXT_base_yaml_nodes, b->limits->nodes);
		return NULL;
	}
	if (depth > b->limits->depth) {
		REFUSE(b, place, TEXT_base_yaml_depth, b->limits->depth);
		return NULL;
	}
	struct yaml_node *node = arena_zalloc(b->arena, sizeof(*node));

	if (node == NULL) {
		no_memory(b);
		return NULL;
	}
	b->nodes++;
	node->kind = kind;
	node->line = place.line;
	node->column = place.column;
	return node;
}

/* Hangs a node that is a value below the open list or map, or makes it the root. */
static void node_attach(struct builder *b, struct yaml_node *node)
{
	if (b->depth == 0) {
		b->root = node;
		return;
	}
	struct frame *frame = &b->frames[b->depth - 1];

	if (frame->has_merge) {
		frame->merged = node;
		frame->has_key = frame->has_merge = false;
		return;
	}
	if (frame->node->kind == YAML_MAP) {
		node->key = frame->key;
		node->key_line = frame->key_line;
		node->key_column = frame->key_column;
		frame->has_key = false;
	}
	if (frame->last == NULL)
		frame->node->first = node;
	else
		frame->last->next = node;
	frame->last = node;
	frame->node->count++;
}

static bool wants_key(const struct builder *b)
{
	return b->depth > 0 && b->frames[b->depth - 1].node->kind == YAML_MAP &&
	       !b->frames[b->depth - 1].has_key;
}

static const struct anchor *anchor_find(const struct builder *b, struct str name)
{
	for (const struct anchor *anchor = b->anchors; anchor != NULL; anchor = anchor->next) {
		if (str_eq(anchor->name, name))
			return anchor;
	}
	return NULL;
}

static int anchor_keep(struct builder *b, const yaml_char_t *name, const struct yaml_node *node)
{
	if (name == NULL)
		return 0;
	if (b->anchor_count == ANCHORS_MAX)
		return error_at(b->error, ERR_DOCUMENT, b->file, node->line, node->column,
		    TEXT_base_yaml_anchors, ANCHORS_MAX);
	struct anchor *anchor = arena_zalloc(b->arena, sizeof(*anchor));
	struct str copy = arena_dup(b->arena, str_of_libyaml(name));

	if (anchor == NULL || copy.ptr == NULL)
		return no_memory(b);
	*anchor = (struct anchor){b->anchors, copy, node};
	b->anchors = anchor;
	b->anchor_count++;
	return 0;
}

/* The tags of the core schema say what we would have found anyway; "!" and !!str forbid numbers. */
static int tag_check(struct builder *b, const yaml_char_t *tag, struct place place, bool *ret_text)
{
	static const char *const known[] = {"map", "seq", "int", "float", "bool", "null"};
	struct str name = str_of_libyaml(tag), prefix = STR("tag:yaml.org,2002:");

	if (tag == NULL)
		return 0;
	if (str_eq(name, STR("!")) || str_eq(name, STR("tag:yaml.org,2002:str"))) {
		*ret_text = true;
		return 0;
	}
	for (size_t i = 0; str_starts(name, prefix) && i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_eq(str_slice(name, prefix.len, name.len), str_of(known[i])))
			return 0;
	}
	return REFUSE(b, place, TEXT_base_yaml_tag, STR_ARG(name));
}

static int key_begin(struct builder *b, struct str text, bool quoted, struct place place)
{
	struct frame *frame = &b->frames[b->depth - 1];

	frame->has_merge = !quoted && str_eq(text, STR("<<"));
	if (frame->has_merge && frame->merged != NULL)
		return REFUSE(b, place, TEXT_base_yaml_duplicate, STR_ARG(text),
		    frame->merged->line);
	frame->has_key = true;
	frame->key = text;
	frame->key_line = place.line;
	frame->key_column = place.column;
	return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *event)
{
	struct place place = place_of(event->start_mark);
	bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	int code = tag_check(b, event->data.scalar.tag, place, &quoted);

	if (code != 0)
		return code;
	struct str text =
	    arena_dup(b->arena, str_from(event->data.scalar.value, event->data.scalar.length));

	if (text.ptr == NULL)
		return no_memory(b);
	bool key = wants_key(b);
	struct yaml_node *node = node_new(b, YAML_SCALAR, place, b->depth + 1);

	if (node == NULL)
		return b->error->code;
	node->scalar = text;
	node->quoted = quoted;
	if (key)
		code = key_begin(b, text, quoted, place);
	else
		node_attach(b, node);
	return code != 0 ? code : anchor_keep(b, event->data.scalar.anchor, node);
}

static int on_open(struct builder *b, enum yaml_kind kind, const yaml_char_t *anchor,
    const yaml_char_t *tag, struct place place)
{
	bool ignored;

	if (wants_key(b))
		return REFUSE(b, place, TEXT_base_yaml_key);
	int code = tag_check(b, tag, place, &ignored);

	if (code != 0)
		return code;
	struct yaml_node *node = node_new(b, kind, place, b->depth + 1);

	if (node == NULL)
		return b->error->code;
	node_attach(b, node);
	b->frames[b->depth++] = (struct frame){.node = node};
	return anchor_keep(b, anchor, node);
}

static int by_key(const void *a, const void *b)
{
	const struct yaml_node *one = *(struct yaml_node *const *)a;
	const struct yaml_node *two = *(struct yaml_node *const *)b;
	int order = str_compare(one->key, two->key);

	if (order != 0)
		return order;
	return one->key_line != two->key_line ? (one->key_line < two->key_line ? -1 : 1)
					      : (one->key_column < two->key_column ? -1 : 1);
}

/* Sorted, so that a map of tens of thousands of keys costs no square. */
static struct yaml_node **keys_sort(struct builder *b, const struct yaml_node *map)
{
	struct yaml_node **sorted = arena_array(b->arena, map->count, sizeof(struct yaml_node *));
	size_t at = 0;

	for (struct yaml_node *child = map->first; sorted != NULL && child != NULL;
	     child = child->next)
		sorted[at++] = child;
	if (sorted != NULL)
		qsort(sorted, map->count, sizeof(struct yaml_node *), by_key);
	return sorted;
}

static int refuse_duplicates(struct builder *b, const struct yaml_node *map)
{
	if (map->count < 2)
		return 0;
	struct yaml_node **sorted = keys_sort(b, map);

	if (sorted == NULL)
		return no_memory(b);
	for (size_t i = 1; i < map->count; i++) {
		const struct yaml_node *second = sorted[i];

		if (str_eq(sorted[i - 1]->key, second->key))
			return error_at(b->error, ERR_DOCUMENT, b->file, second->key_line,
			    second->key_column, TEXT_base_yaml_duplicate, STR_ARG(second->key),
			    sorted[i - 1]->key_line);
	}
	return 0;
}

/* A copy keeps the positions of the original: that is where a person has to mend it. */
static struct yaml_node *node_copy(struct builder *b, const struct yaml_node *from, size_t depth)
{
	struct yaml_node *copy =
	    node_new(b, from->kind, (struct place){from->line, from->column}, depth);
	struct yaml_node *last = NULL;

	if (copy == NULL)
		return NULL;
	copy->quoted = from->quoted;
	copy->scalar = from->scalar;
	copy->count = from->count;
	for (const struct yaml_node *child = from->first; child != NULL; child = child->next) {
		struct yaml_node *twin = node_copy(b, child, depth + 1);

		if (twin == NULL)
			return NULL;
		twin->key = child->key;
		twin->key_line = child->key_line;
		twin->key_column = child->key_column;
		if (last == NULL)
			copy->first = twin;
		else
			last->next = twin;
		last = twin;
	}
	return copy;
}

static bool keys_have(struct yaml_node *const *sorted, size_t count, struct str key)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = low + (count - low) / 2;
		int order = str_compare(sorted[middle]->key, key);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			count = middle;
	}
	return false;
}

/* What the map has not itself. A copy: the map that it comes from may have an anchor. */
static int merge_map(struct builder *b, struct frame *frame, const struct yaml_node *from)
{
	struct yaml_node *map = frame->node;
	size_t own = map->count;

	if (from->kind != YAML_MAP)
		return error_at(b->error, ERR_DOCUMENT, b->file, from->line, from->column,
		    TEXT_base_yaml_merge);
	struct yaml_node **sorted = keys_sort(b, map);

	if (own > 0 && sorted == NULL)
		return no_memory(b);
	for (const struct yaml_node *child = from->first; child != NULL; child = child->next) {
		if (keys_have(sorted, own, child->key))
			continue;
		struct yaml_node *copy = node_copy(b, child, b->depth + 2);

		if (copy == NULL)
			return b->error->code;
		copy->key = child->key;
		copy->key_line = child->key_line;
		copy->key_column = child->key_column;
		if (frame->last == NULL)
			map->first = copy;
		else
			frame->last->next = copy;
		frame->last = copy;
		map->count++;
	}
	return 0;
}

/* https://yaml.org/type/merge.html: a map, or several: the first that has a key gives it. */
static int merge(struct builder *b, struct frame *frame)
{
	const struct yaml_node *merged = frame->merged;
	int code = 0;

	if (merged == NULL || merged->kind != YAML_LIST)
		return merged == NULL ? 0 : merge_map(b, frame, merged);
	if (merged->count > MERGED_MAX)
		return error_at(b->error, ERR_DOCUMENT, b->file, merged->line, merged->column,
		    TEXT_base_yaml_merge_count, MERGED_MAX);
	for (const struct yaml_node *from = merged->first; code == 0 && from != NULL;
	     from = from->next)
		code = merge_map(b, frame, from);
	return code;
}

static int on_close(struct builder *b)
{
	CHECK(b->depth > 0);
	struct frame *frame = &b->frames[--b->depth];
	int code = frame->node->kind == YAML_MAP ? refuse_duplicates(b, frame->node) : 0;

	return code == 0 ? merge(b, frame) : code;
}

static bool is_open(const struct builder *b, const struct yaml_node *node)
{
	for (size_t i = 0; i < b->depth; i++) {
		if (b->frames[i].node == node)
			return true;
	}
	return false;
}

static int on_alias(struct builder *b, const yaml_event_t *event)
{
	struct str name = str_of_libyaml(event->data.alias.anchor);
	struct place place = place_of(event->start_mark);
	const struct anchor *anchor = anchor_find(b, name);

	if (anchor == NULL)
		return REFUSE(b, place, TEXT_base_yaml_alias, STR_ARG(name));
	if (is_open(b, anchor->node))
		return REFUSE(b, place, TEXT_base_yaml_cycle, STR_ARG(name));
	if (wants_key(b))
		return anchor->node->kind == YAML_SCALAR
			   ? key_begin(b, anchor->node->scalar, anchor->node->quoted, place)
			   : REFUSE(b, place, TEXT_base_yaml_key);
	struct yaml_node *copy = node_copy(b, anchor->node, b->depth + 1);

	if (copy == NULL)
		return b->error->code;
	node_attach(b, copy);
	return 0;
}

static int on_document_end(struct builder *b)
{
	struct document *document = arena_zalloc(b->arena, sizeof(*document));

	if (document == NULL)
		return no_memory(b);
	document->root = b->root;
	if (b->root != NULL && yaml_is_null(b->root) && b->root->scalar.len == 0)
		document->root = NULL;
	if (b->last == NULL)
		b->first = document;
	else
		b->last->next = document;
	b->last = document;
	b->documents++;
	b->root = NULL;
	b->anchors = NULL; /* anchors do not reach into the next document (YAML 1.2, 7.1) */
	b->anchor_count = 0;
	return 0;
}

static int on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(b, event);
	case YAML_ALIAS_EVENT:
		return on_alias(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, YAML_LIST, event->data.sequence_start.anchor,
		    event->data.sequence_start.tag, place_of(event->start_mark));
	case YAML_MAPPING_START_EVENT:
		return on_open(b, YAML_MAP, event->data.mapping_start.anchor,
		    event->data.mapping_start.tag, place_of(event->start_mark));
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(b);
	case YAML_DOCUMENT_END_EVENT:
		return on_document_end(b);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return 0;
	}
	return 0;
}

/* The reader's errors (bad UTF-8, control characters) carry a byte offset in place of a mark. */
static struct place place_of_offset(struct str text, size_t offset)
{
	struct place place = {1, 1};

	for (size_t i = 0; i < offset && i < text.len; i++) {
		place.column++;
		if (text.ptr[i] == '\n')
			place = (struct place){place.line + 1, 1};
	}
	return place;
}

/* The commonest slip of all, which libyaml tells as "cannot start any token". line: from 0. */
static bool tab_indents(struct str text, size_t line)
{
	struct str at = STR_NONE;

	for (size_t i = 0; i <= line; i++) {
		if (!str_cut(&text, '\n', &at))
			return false;
	}
	while (at.len > 0 && at.ptr[0] == ' ')
		at = str_slice(at, 1, at.len);
	return at.len > 0 && at.ptr[0] == '\t';
}

static int refuse_syntax(struct builder *b, const yaml_parser_t *parser, struct str text)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return no_memory(b);
	struct place place = parser->error == YAML_READER_ERROR
				 ? place_of_offset(text, parser->problem_offset)
				 : place_of(parser->problem_mark);

	if (parser->error == YAML_SCANNER_ERROR &&
	    tab_indents(text, parser->problem_mark.line))
		return REFUSE(b, place, TEXT_base_yaml_tab);
	return REFUSE(
	    b, place, TEXT_base_yaml_syntax, parser->problem == NULL ? "?" : parser->problem);
}

static int read_events(struct builder *b, yaml_parser_t *parser, struct str text)
{
	for (bool ended = false; !ended;) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return refuse_syntax(b, parser, text);
		ended = event.type == YAML_STREAM_END_EVENT;
		int code = on_event(b, &event);

		yaml_event_delete(&event);
		if (code != 0)
			return code;
	}
	return 0;
}

static int hand_over(struct builder *b, struct yaml_node ***ret, size_t *ret_count)
{
	struct yaml_node **roots = arena_array(b->arena, b->documents, sizeof(struct yaml_node *));
	size_t at = 0;

	if (roots == NULL)
		return no_memory(b);
	for (const struct document *d = b->first; d != NULL; d = d->next)
		roots[at++] = d->root;
	*ret = roots;
	*ret_count = b->documents;
	return 0;
}

int yaml_parse(struct arena *arena, struct str text, const char *file,
    const struct yaml_limits *limits, struct yaml_node ***ret, size_t *ret_count,
    struct error *error)
{
	struct error own = {0};
	struct builder b = {.arena = arena, .file = file, .limits = limits};
	yaml_parser_t parser;

	b.error = error == NULL || error->code != 0 ? &own : error;
	if (text.len > limits->bytes)
		return error_at(
		    b.error, ERR_DOCUMENT, file, 1, 1, TEXT_base_yaml_bytes, limits->bytes);
	b.frames = arena_array(arena, limits->depth + 1, sizeof(struct frame));
	if (b.frames == NULL || !yaml_parser_initialize(&parser))
		return no_memory(&b);
	/* Windows' editors put it there; libyaml, told the encoding, takes it for text. */
	if (str_starts(text, STR("\xEF\xBB\xBF")))
		text = str_slice(text, 3, text.len);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &parser, (const unsigned char *)(text.len == 0 ? "" : text.ptr), text.len);
	int code = read_events(&b, &parser, text);

	yaml_parser_delete(&parser);
	return code != 0 ? code : hand_over(&b, ret, ret_count);
}

const struct yaml_node *yaml_get(const struct yaml_node *map, struct str key)
{
	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (const struct yaml_node *child = map->first; child != NULL; child = child->next) {
		if (str_eq(child->key, key))
			return child;
	}
	return NULL;
}

static bool is_plain(const struct yaml_node *node)
{
	return node != NULL && node->kind == YAML_SCALAR && !node->quoted;
}

static bool is_one_of(struct str s, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (str_eq(s, str_of(*words)))
			return true;
	}
	return false;
}

/* The forms of the core schema, YAML 1.2.2 section 10.3.2. */
bool yaml_is_null(const struct yaml_node *node)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};

	return is_plain(node) && is_one_of(node->scalar, words);
}

bool yaml_to_bool(const struct yaml_node *node, bool *ret)
{
	static const char *const yes[] = {"true", "True", "TRUE", NULL};
	static const char *const no[] = {"false", "False", "FALSE", NULL};

	if (!is_plain(node))
		return false;
	*ret = is_one_of(node->scalar, yes);
	return *ret || is_one_of(node->scalar, no);
}

static bool to_i64_of_base(struct str digits, unsigned base, int64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < digits.len; i++) {
		int digit = char_hex(digits.ptr[i]);

		if (digit < 0 || (unsigned)digit >= base || value > (uint64_t)INT64_MAX / base)
			return false;
		value = value * base + (unsigned)digit;
	}
	*ret = (int64_t)value;
	return digits.len > 0 && value <= INT64_MAX;
}

bool yaml_to_i64(const struct yaml_node *node, int64_t *ret)
{
	if (!is_plain(node))
		return false;
	struct str s = node->scalar, behind = str_slice(s, 2, s.len);

	if (str_starts(s, STR("0x")))
		return to_i64_of_base(behind, 16, ret);
	if (str_starts(s, STR("0o")))
		return to_i64_of_base(behind, 8, ret);
	if (str_starts(s, STR("+")) && s.len > 1 && char_is_digit(s.ptr[1]))
		s = str_slice(s, 1, s.len);
	return str_to_i64(s, ret);
}

bool yaml_to_double(const struct yaml_node *node, double *ret)
{
	if (!is_plain(node))
		return false;
	struct str s = node->scalar;

	if (str_starts(s, STR("+")))
		s = str_slice(s, 1, s.len);
	if (str_starts(s, STR("+")) || (node->scalar.len != s.len && str_starts(s, STR("-"))))
		return false;
	return str_to_double(s, ret);
}
