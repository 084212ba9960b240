/*
 * Rows are found by one of their own demands, the lead: the values of a field, or a name alone. A
 * table from the hash of a name, or of a name with a value, leads to the rows; each that it leads
 * to is then held against the event in full, so that equal hashes do no harm. What stands in the
 * table is the administrator's, so the hash needs no key.
 */
#include "decoder/logsource.h"

#include "base/file.h"
#include "base/yaml.h"
#include "decoder/notes.h"

#include <stdlib.h>

#define FILE_BYTES   (1u << 20)
#define ARENA_BYTES  ((size_t)64 << 20)
#define NONE	     UINT32_MAX
#define DEMANDS	     16u
#define PARTS	     8u

/* A field of that name; with values, one whose value is one of them. */
struct demand {
	struct str name;
	struct str *values;
	size_t value_count;
};

enum part { PART_PRODUCT, PART_SERVICE, PART_CATEGORY, PART_NONE };

struct row {
	struct demand demands[DEMANDS];
	size_t demand_count;
	struct str decoder;
	struct str product, service;
	struct str categories[RECORD_CATEGORIES];
	size_t category_count;
	struct str from, none; /* from.ptr NULL: constants */
	char split;            /* NUL: not split */
	enum part parts[PARTS];
	size_t part_count;
};

struct link {
	uint32_t row;
	struct link *next;
};

struct slot {
	uint64_t hash; /* 0: free */
	struct link *rows;
	bool valued;   /* of a name: some row leads by values of it */
};

struct logsources {
	struct arena *arena;
	struct row *rows;
	size_t count;
	struct slot *slots;
	size_t mask;
	struct link *always; /* rows that ask for a decoder alone */
	uint64_t lengths, firsts; /* of the names in the table: bits */
	bool asked[FIELD_COUNT];  /* which names of the taxonomy are there */
};

struct reading {
	struct logsources *sources;
	const char *file;
	size_t values;
	struct error *error;
};

/* ---- the table ---- */

static uint64_t hash_more(uint64_t hash, struct str text)
{
	uint64_t word;

	hash ^= text.len;
	for (; text.len >= 8; text.ptr += 8, text.len -= 8) {
		memcpy(&word, text.ptr, 8);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	word = 0;
	if (text.len > 0)
		memcpy(&word, text.ptr, text.len);
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return (hash ^ hash >> 31) | 1;
}

static uint64_t hash_name(struct str name)
{
	return hash_more(0, name);
}

static struct slot *slot_at(const struct logsources *sources, uint64_t hash)
{
	size_t at = (hash >> 1) & sources->mask;

	while (sources->slots[at].hash != 0 && sources->slots[at].hash != hash)
		at = (at + 1) & sources->mask;
	return &sources->slots[at];
}

static struct slot *slot_make(struct logsources *sources, uint64_t hash)
{
	struct slot *slot = slot_at(sources, hash);

	slot->hash = hash;
	return slot;
}

static bool link_add(struct logsources *sources, struct link **list, size_t row)
{
	struct link *link = arena_alloc(sources->arena, sizeof(*link));

	if (link == NULL)
		return false;
	*link = (struct link){(uint32_t)row, *list};
	*list = link;
	return true;
}

static uint64_t first_bit(struct str name)
{
	return UINT64_C(1) << (name.len > 0 ? (uint8_t)name.ptr[0] % 64 : 0);
}

static uint64_t length_bit(struct str name)
{
	return UINT64_C(1) << name.len % 64;
}

static bool row_index(struct logsources *sources, size_t index)
{
	const struct row *row = &sources->rows[index];

	if (row->demand_count == 0)
		return link_add(sources, &sources->always, index);
	const struct demand *lead = &row->demands[0];
	uint64_t hash = hash_name(lead->name);
	struct slot *slot = slot_make(sources, hash);

	sources->lengths |= length_bit(lead->name);
	sources->firsts |= first_bit(lead->name);
	if (lead->value_count == 0)
		return link_add(sources, &slot->rows, index);
	slot->valued = true;
	for (size_t i = 0; i < lead->value_count; i++) {
		slot = slot_make(sources, hash_more(hash, lead->values[i]));
		if (!link_add(sources, &slot->rows, index))
			return false;
	}
	return true;
}

/* From the last row to the first, so that each list has its rows in order. */
static bool table_build(struct logsources *sources, size_t values)
{
	size_t size = 16;

	while (size < 2 * (sources->count + values))
		size *= 2;
	sources->slots = arena_array(sources->arena, size, sizeof(*sources->slots));
	sources->mask = size - 1;
	for (size_t i = sources->count; sources->slots != NULL && i-- > 0;) {
		if (!row_index(sources, i))
			return false;
	}
	for (unsigned id = 1; sources->slots != NULL && id < FIELD_COUNT; id++)
		sources->asked[id] = logsources_ask(sources, field_name((enum field_id)id));
	return sources->slots != NULL;
}

/* ---- reading ---- */

static int refuse(const struct reading *reading, const struct yaml_node *node, enum text_id id)
{
	return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line, node->column, id);
}

static int no_memory(const struct reading *reading)
{
	return error_set(reading->error, ERR_MEMORY, TEXT_base_memory);
}

static int text_read(const struct reading *reading, const struct yaml_node *node, struct str *ret)
{
	if (node->kind != YAML_SCALAR || yaml_is_null(node))
		return refuse(reading, node, TEXT_decoder_logsource_text);
	*ret = node->scalar;
	return 0;
}

/* A text, or a list of texts. */
static int texts_read(struct reading *reading, const struct yaml_node *node, struct str **ret,
    size_t *ret_count)
{
	const struct yaml_node *item = node->kind == YAML_LIST ? node->first : node;
	size_t count = node->kind == YAML_LIST ? node->count : 1, n = 0;
	int code = 0;

	if (node->kind == YAML_MAP || count == 0)
		return refuse(reading, node, TEXT_decoder_logsource_text);
	reading->values += count;
	if (reading->values > LOGSOURCE_VALUES)
		return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line,
		    node->column, TEXT_decoder_logsource_values, (size_t)LOGSOURCE_VALUES);
	struct str *texts = arena_array(reading->sources->arena, count, sizeof(*texts));

	if (texts == NULL)
		return no_memory(reading);
	for (; code == 0 && n < count; item = item->next)
		code = text_read(reading, item, &texts[n++]);
	*ret = texts;
	*ret_count = count;
	return code;
}

static int demand_add(const struct reading *reading, const struct yaml_node *node, struct row *row,
    struct str name, struct demand **ret)
{
	if (row->demand_count == DEMANDS)
		return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line,
		    node->column, TEXT_decoder_logsource_demands, DEMANDS);
	*ret = &row->demands[row->demand_count++];
	**ret = (struct demand){.name = name};
	return 0;
}

typedef int key_reader(struct reading *reading, const struct yaml_node *node, struct row *row);

static int read_fields(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	struct demand *demand = NULL;
	int code = 0;

	if (node->kind != YAML_MAP || node->count == 0)
		return refuse(reading, node, TEXT_decoder_logsource_fields);
	for (const struct yaml_node *item = node->first; item != NULL && code == 0;
	     item = item->next) {
		code = demand_add(reading, item, row, item->key, &demand);
		if (code == 0)
			code = texts_read(reading, item, &demand->values, &demand->value_count);
	}
	return code;
}

static int read_has(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	struct demand *demand;
	struct str *names;
	size_t count;
	int code = texts_read(reading, node, &names, &count);

	for (size_t i = 0; code == 0 && i < count; i++)
		code = demand_add(reading, node, row, names[i], &demand);
	return code;
}

static int read_decoder(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	return text_read(reading, node, &row->decoder);
}

static int read_product(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	return text_read(reading, node, &row->product);
}

static int read_service(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	return text_read(reading, node, &row->service);
}

static int read_category(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	struct str *names;
	int code = texts_read(reading, node, &names, &row->category_count);

	if (code == 0 && row->category_count > RECORD_CATEGORIES)
		return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line,
		    node->column, TEXT_decoder_logsource_categories, RECORD_CATEGORIES);
	for (size_t i = 0; code == 0 && i < row->category_count; i++)
		row->categories[i] = names[i];
	return code;
}

static int read_from(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	struct demand *demand;
	int code = text_read(reading, node, &row->from);

	return code == 0 ? demand_add(reading, node, row, row->from, &demand) : code;
}

static int read_none(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	return text_read(reading, node, &row->none);
}

static int read_split(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	if (node->kind != YAML_SCALAR || node->scalar.len != 1)
		return refuse(reading, node, TEXT_decoder_logsource_split);
	row->split = node->scalar.ptr[0];
	return 0;
}

static int read_parts(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	static const struct str names[] = {STR_INIT("product"), STR_INIT("service"),
	    STR_INIT("category"), STR_INIT("-")};
	struct str *texts;
	int code = texts_read(reading, node, &texts, &row->part_count);

	if (code < 0)
		return code;
	if (row->part_count > PARTS)
		return refuse(reading, node, TEXT_decoder_logsource_parts);
	for (size_t i = 0; i < row->part_count; i++) {
		size_t n = 0;

		while (n < 4 && !str_eq(names[n], texts[i]))
			n++;
		if (n == 4)
			return refuse(reading, node, TEXT_decoder_logsource_parts);
		row->parts[i] = (enum part)n;
	}
	return 0;
}

static const struct row_key {
	struct str name;
	key_reader *read;
} keys[] = {
    {STR_INIT("fields"), read_fields},
    {STR_INIT("has"), read_has},
    {STR_INIT("decoder"), read_decoder},
    {STR_INIT("product"), read_product},
    {STR_INIT("service"), read_service},
    {STR_INIT("category"), read_category},
    {STR_INIT("from"), read_from},
    {STR_INIT("split"), read_split},
    {STR_INIT("parts"), read_parts},
    {STR_INIT("none"), read_none},
};

static int key_read(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (str_eq(keys[i].name, node->key))
			return keys[i].read(reading, node, row);
	}
	return error_at(reading->error, ERR_DOCUMENT, reading->file, node->key_line,
	    node->key_column, TEXT_decoder_logsource_key, STR_ARG(node->key));
}

/* What a row says must be one of two things: constants, or where they stand. */
static int row_check(const struct reading *reading, const struct yaml_node *node,
    const struct row *row)
{
	bool constants = row->product.len + row->service.len + row->category_count > 0;
	bool taken = row->from.ptr != NULL;

	if (row->demand_count == 0 && row->decoder.len == 0)
		return refuse(reading, node, TEXT_decoder_logsource_when);
	if (constants == taken || taken != (row->part_count > 0) ||
	    (!taken && (row->split != '\0' || row->none.ptr != NULL)) ||
	    (row->split == '\0' && row->part_count > 1))
		return refuse(reading, node, TEXT_decoder_logsource_what);
	return 0;
}

static int row_read(struct reading *reading, const struct yaml_node *node, struct row *row)
{
	int code = 0;

	if (node->kind != YAML_MAP)
		return refuse(reading, node, TEXT_decoder_logsource_row);
	for (const struct yaml_node *item = node->first; item != NULL && code == 0;
	     item = item->next)
		code = key_read(reading, item, row);
	return code == 0 ? row_check(reading, node, row) : code;
}

static int rows_read(struct reading *reading, const struct yaml_node *root)
{
	struct logsources *sources = reading->sources;
	int code = 0;

	if (root->kind != YAML_LIST)
		return refuse(reading, root, TEXT_decoder_logsource_list);
	if (root->count > LOGSOURCE_ROWS)
		return error_at(reading->error, ERR_DOCUMENT, reading->file, root->line,
		    root->column, TEXT_decoder_logsource_rows, (size_t)LOGSOURCE_ROWS);
	sources->rows = arena_array(sources->arena, root->count, sizeof(*sources->rows));
	if (sources->rows == NULL)
		return no_memory(reading);
	for (const struct yaml_node *item = root->first; item != NULL && code == 0;
	     item = item->next)
		code = row_read(reading, item, &sources->rows[sources->count++]);
	return code;
}

static int document_read(struct reading *reading, struct str yaml)
{
	struct arena *arena = reading->sources->arena;
	struct yaml_limits limits = yaml_limits_default;
	struct yaml_node **roots;
	size_t count;

	limits.bytes = FILE_BYTES;
	limits.nodes = 2 * LOGSOURCE_VALUES;
	int code =
	    yaml_parse(arena, yaml, reading->file, &limits, &roots, &count, reading->error);

	for (size_t i = 0; code == 0 && i < count; i++) {
		if (i > 0 && roots[i] != NULL)
			code = refuse(reading, roots[i], TEXT_decoder_logsource_list);
		else if (roots[i] != NULL)
			code = rows_read(reading, roots[i]);
	}
	if (code == 0 && !table_build(reading->sources, reading->values))
		code = no_memory(reading);
	return code;
}

static struct logsources *logsources_new(void)
{
	struct logsources *sources = calloc(1, sizeof(*sources));

	if (sources != NULL && (sources->arena = arena_new(ARENA_BYTES)) != NULL)
		return sources;
	free(sources);
	return NULL;
}

int logsources_parse(struct logsources **ret, struct str yaml, const char *file,
    struct error *error)
{
	struct logsources *sources = logsources_new();
	struct reading reading = {.sources = sources, .file = file, .error = error};

	if (sources == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	struct str kept = arena_dup(sources->arena, yaml);
	int code = kept.ptr == NULL ? no_memory(&reading) : document_read(&reading, kept);

	if (code < 0) {
		logsources_free(sources);
		return code;
	}
	*ret = sources;
	return 0;
}

int logsources_load(struct logsources **ret, const char *path, struct error *error)
{
	struct arena *arena = arena_new(2 * FILE_BYTES);
	struct str yaml;

	if (arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	int code = file_read(arena, path, FILE_BYTES, &yaml, error);

	if (code == 0)
		code = logsources_parse(ret, yaml, path, error);
	arena_free(arena);
	return code;
}

void logsources_free(struct logsources *sources)
{
	if (sources == NULL)
		return;
	arena_free(sources->arena);
	free(sources);
}

size_t logsources_count(const struct logsources *sources)
{
	return sources->count;
}

static bool row_gives(const struct row *row, struct str product, struct str category,
    struct str service)
{
	bool found = category.len == 0;

	if (row->from.ptr != NULL)
		return true;
	for (size_t i = 0; i < row->category_count; i++)
		found |= str_eq(row->categories[i], category);
	return found && (product.len == 0 || str_eq(row->product, product)) &&
	    (service.len == 0 || str_eq(row->service, service));
}

bool logsources_give(const struct logsources *sources, struct str product, struct str category,
    struct str service)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (row_gives(&sources->rows[i], product, category, service))
			return true;
	}
	return false;
}

/* ---- an event ---- */

static bool demand_holds(const struct demand *demand, const struct record *record)
{
	for (size_t i = 0; i < record->field_count; i++) {
		const struct field *field = &record->fields[i];

		if (!str_eq(field->name, demand->name))
			continue;
		if (demand->value_count == 0)
			return true;
		for (size_t v = 0; v < demand->value_count && field->kind != FIELD_NULL; v++) {
			if (str_eq(field->value, demand->values[v]))
				return true;
		}
	}
	return false;
}

static bool decoder_holds(struct str decoder, const struct record *record)
{
	struct str rest = record->decoders, name;

	while (str_cut(&rest, '/', &name)) {
		if (str_eq(name, decoder))
			return true;
	}
	return decoder.len == 0;
}

static bool row_holds(const struct row *row, const struct record *record)
{
	for (size_t i = 0; i < row->demand_count; i++) {
		if (!demand_holds(&row->demands[i], record))
			return false;
	}
	return decoder_holds(row->decoder, record);
}

/* Each row is held against an event once, however often the event repeats what leads to it. */
struct search {
	const struct logsources *sources;
	const struct record *record;
	uint32_t best;
	bool begun;
	uint64_t tried[LOGSOURCE_ROWS / 64];
};

static bool is_new(struct search *search, uint32_t row)
{
	uint64_t bit = UINT64_C(1) << row % 64;

	if (!search->begun)
		memset(search->tried, 0, sizeof(search->tried));
	search->begun = true;
	if (search->tried[row / 64] & bit)
		return false;
	search->tried[row / 64] |= bit;
	return true;
}

/* Rows of a list stand in order, so the first that holds is the best of it. */
static void list_try(struct search *search, const struct link *list)
{
	for (; list != NULL && list->row < search->best; list = list->next) {
		if (is_new(search, list->row) &&
		    row_holds(&search->sources->rows[list->row], search->record)) {
			search->best = list->row;
			return;
		}
	}
}

static const struct slot *name_slot(const struct logsources *sources, struct str name,
    uint64_t *ret_hash)
{
	if ((sources->lengths & length_bit(name)) == 0 || (sources->firsts & first_bit(name)) == 0)
		return NULL;
	*ret_hash = hash_name(name);
	const struct slot *slot = slot_at(sources, *ret_hash);

	return slot->hash != 0 ? slot : NULL;
}

bool logsources_ask(const struct logsources *sources, struct str name)
{
	uint64_t hash;

	return name_slot(sources, name, &hash) != NULL;
}

static void field_try(struct search *search, const struct field *field)
{
	const struct logsources *sources = search->sources;
	uint64_t hash;
	const struct slot *slot = name_slot(sources, field->name, &hash);

	if (slot == NULL)
		return;
	list_try(search, slot->rows);
	if (slot->valued)
		list_try(search, slot_at(sources, hash_more(hash, field->value))->rows);
}

static void part_set(struct record *record, enum part part, struct str text)
{
	switch (part) {
	case PART_PRODUCT:
		record->product = text;
		break;
	case PART_SERVICE:
		record->service = text;
		break;
	case PART_CATEGORY:
		record_category(record, text);
		break;
	case PART_NONE:
		break;
	}
}

static void row_take(const struct row *row, struct record *record)
{
	struct str rest = STR_NONE, text;

	for (size_t i = 0; i < record->field_count && rest.ptr == NULL; i++) {
		if (str_eq(record->fields[i].name, row->from) &&
		    record->fields[i].kind != FIELD_NULL)
			rest = record->fields[i].value;
	}
	for (size_t i = 0; i < row->part_count && rest.ptr != NULL; i++) {
		if (row->split == '\0') {
			text = rest;
			rest = STR_NONE;
		} else if (!str_cut(&rest, row->split, &text)) {
			return;
		}
		if (text.len > 0 && !str_eq(text, row->none))
			part_set(record, row->parts[i], text);
	}
}

static void row_apply(const struct row *row, struct record *record)
{
	record->product = row->product;
	record->service = row->service;
	record->category_count = 0;
	for (size_t i = 0; i < row->category_count; i++)
		record_category(record, row->categories[i]);
	if (row->from.ptr != NULL)
		row_take(row, record);
}

void logsources_apply(const struct logsources *sources, struct record *record,
    const struct notes *notes)
{
	struct search search __attribute__((uninitialized)); /* tried is cleared when needed */

	search.sources = sources;
	search.record = record;
	search.best = NONE;
	search.begun = false;
	for (size_t i = 0; (notes->flags & KEY_SOURCE) != 0 && i < notes->count; i++) {
		const struct note *note = &notes->notes[i];

		if ((note->key.flags & KEY_SOURCE) != 0 && note->field < notes->asked &&
		    note->field < record->field_count)
			field_try(&search, &record->fields[note->field]);
	}
	for (size_t i = notes->asked; i < record->field_count; i++) {
		enum field_id id = record->fields[i].id;

		if (id == FIELD_OTHER || id >= FIELD_COUNT || sources->asked[id])
			field_try(&search, &record->fields[i]);
	}
	if (sources->always != NULL)
		list_try(&search, sources->always);
	if (search.best != NONE)
		row_apply(&sources->rows[search.best], record);
}
