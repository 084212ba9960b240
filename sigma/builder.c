#include "sigma/builder.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_TABLE 1024u
#define CONTENT_MAX ((size_t)16 << 20)

int builder_no_memory(struct builder *builder)
{
	return error_set(builder->error, ERR_MEMORY, TEXT_base_memory);
}

bool array_grow(struct arena *arena, void *array, size_t count, size_t *capacity, size_t size)
{
	void *old;

	if (count < *capacity)
		return true;
	size_t want = *capacity == 0 ? 16 : *capacity * 2;
	void *grown = arena_array(arena, want, size);

	if (grown == NULL)
		return false;
	memcpy(&old, array, sizeof(old));
	if (count > 0)
		memcpy(grown, old, count * size);
	memcpy(array, &grown, sizeof(grown));
	*capacity = want;
	return true;
}

struct hash128 content_hash(struct str bytes)
{
	/* "tocsin sigma 1 .", as two little-endian words */
	static const struct hash_key key = {
	    UINT64_C(0x73206e6973636f74), UINT64_C(0x2e203120616d6769)};

	return hash_sip128(key, bytes);
}

void content_put(struct buf *out, struct str text)
{
	buf_varint(out, text.len);
	buf_str_put(out, text);
}

/* Places every index of hashes anew in a table twice as large; count is below half its size. */
static bool table_grow(struct builder *builder, uint32_t **table, size_t *size, size_t count,
    uint64_t (*hash_at)(const struct builder *, size_t))
{
	if (count * 2 < *size)
		return true;
	size_t want = *size == 0 ? FIRST_TABLE : *size * 2;
	uint32_t *grown = arena_array(builder->scratch, want, sizeof(*grown));

	if (grown == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t at = hash_at(builder, i) & (want - 1);

		while (grown[at] != 0)
			at = (at + 1) & (want - 1);
		grown[at] = (uint32_t)i + 1;
	}
	*table = grown;
	*size = want;
	return true;
}

static uint64_t slot_hash(const struct builder *builder, size_t index)
{
	return content_hash(builder->slots[index].name).low;
}

static uint64_t predicate_hash(const struct builder *builder, size_t index)
{
	return builder->predicates[index].hash.low;
}

int builder_slot(struct builder *builder, struct str field, uint32_t *ret)
{
	if (!table_grow(builder, &builder->slot_table, &builder->slot_table_size,
		builder->slot_count, slot_hash) ||
	    !array_grow(builder->arena, &builder->slots, builder->slot_count,
		&builder->slot_capacity, sizeof(*builder->slots)))
		return builder_no_memory(builder);
	size_t mask = builder->slot_table_size - 1;
	size_t at = content_hash(field).low & mask;

	for (; builder->slot_table[at] != 0; at = (at + 1) & mask) {
		*ret = builder->slot_table[at] - 1;
		if (str_eq(builder->slots[*ret].name, field))
			return 0;
	}
	struct str name = arena_dup(builder->arena, field);

	if (name.ptr == NULL)
		return builder_no_memory(builder);
	*ret = (uint32_t)builder->slot_count++;
	builder->slots[*ret] = (struct slot){name, field_intern(name)};
	builder->slot_table[at] = *ret + 1;
	return 0;
}

static void glob_put(struct buf *out, struct glob glob)
{
	buf_varint(out, glob.count);
	for (size_t i = 0; i < glob.count; i++) {
		buf_u8(out, (uint8_t)glob.tokens[i].kind);
		content_put(out, glob.tokens[i].text);
	}
}

/*
 * All that decides what a predicate means. Numbers go as their text, which predicate.text keeps as
 * the rule has it: 1 and 1.0 differ only in the name.
 */
static bool predicate_name(struct builder *builder, struct predicate *predicate)
{
	struct buf out = BUF(CONTENT_MAX);

	content_put(&out, predicate->slot == SLOT_ANYWHERE
	        ? STR_NONE : builder->slots[predicate->slot].name);
	buf_u8(&out, (uint8_t)predicate->kind);
	buf_u8(&out, (uint8_t)(predicate->cased | predicate->open_front << 1 |
	    predicate->open_behind << 2 | (predicate->slot == SLOT_ANYWHERE) << 3));
	content_put(&out, predicate->text);
	glob_put(&out, predicate->glob);
	buf_u8(&out, (uint8_t)predicate->compare);
	buf_u8(&out, (uint8_t)predicate->part);
	buf_u8(&out, (uint8_t)predicate->regex_flags);
	buf_put(&out, predicate->cidr.address, sizeof(predicate->cidr.address));
	buf_varint(&out, predicate->cidr.bits);
	if (predicate->kind == PREDICATE_FIELD)
		content_put(&out, builder->slots[predicate->other].name);
	predicate->hash = content_hash(buf_str(&out));
	bool whole = !out.failed;

	buf_free(&out);
	return whole;
}

int builder_predicate(struct builder *builder, struct predicate predicate, uint32_t *ret)
{
	if (!table_grow(builder, &builder->predicate_table, &builder->predicate_table_size,
	        builder->predicate_count, predicate_hash) ||
	    !array_grow(builder->arena, &builder->predicates, builder->predicate_count,
	        &builder->predicate_capacity, sizeof(*builder->predicates)) ||
	    !predicate_name(builder, &predicate))
		return builder_no_memory(builder);
	size_t mask = builder->predicate_table_size - 1;
	size_t at = predicate.hash.low & mask;

	for (; builder->predicate_table[at] != 0; at = (at + 1) & mask) {
		*ret = builder->predicate_table[at] - 1;
		if (hash128_eq(builder->predicates[*ret].hash, predicate.hash))
			return 0;
	}
	*ret = (uint32_t)builder->predicate_count++;
	builder->predicates[*ret] = predicate;
	builder->predicate_table[at] = *ret + 1;
	return 0;
}

const struct expression *expression_predicate(struct builder *builder, uint32_t predicate)
{
	struct expression *made = arena_zalloc(builder->arena, sizeof(*made));

	if (made == NULL)
		return NULL;
	made->kind = EXPRESSION_PREDICATE;
	made->predicate = predicate;
	made->hash = builder->predicates[predicate].hash;
	return made;
}

static int hash_compare(const void *a, const void *b)
{
	const struct hash128 *left = a, *right = b;

	if (left->high != right->high)
		return left->high < right->high ? -1 : 1;
	return left->low == right->low ? 0 : left->low < right->low ? -1 : 1;
}

/* The hash of a group is over its sorted children: and, or and counting do not know an order. */
static bool expression_name(struct builder *builder, struct expression *made)
{
	struct hash128 *hashes = arena_array(builder->scratch, made->count + 2, sizeof(*hashes));

	if (hashes == NULL)
		return false;
	for (size_t i = 0; i < made->count; i++)
		hashes[i] = made->children[i]->hash;
	qsort(hashes, made->count, sizeof(*hashes), hash_compare);
	hashes[made->count] = (struct hash128){(uint64_t)made->kind, made->need};
	made->hash = content_hash(str_from(hashes, (made->count + 1) * sizeof(*hashes)));
	return true;
}

static const struct expression *expression_make(struct builder *builder, enum expression_kind kind,
    uint32_t need, const struct expression **children, size_t count)
{
	struct expression *made = arena_zalloc(builder->arena, sizeof(*made));

	CHECK(count > 0 || kind == EXPRESSION_OR);
	if (made == NULL)
		return NULL;
	made->kind = kind;
	made->need = need;
	made->count = count;
	made->children = arena_array(builder->arena, count, sizeof(*children));
	if (made->children == NULL)
		return NULL;
	if (count > 0)
		memcpy(made->children, children, count * sizeof(*children));
	return expression_name(builder, made) ? made : NULL;
}

const struct expression *expression_group(struct builder *builder, enum expression_kind kind,
    const struct expression **children, size_t count)
{
	return count == 1 ? children[0] : expression_make(builder, kind, 0, children, count);
}

const struct expression *expression_not(struct builder *builder, const struct expression *child)
{
	return expression_make(builder, EXPRESSION_NOT, 0, &child, 1);
}

const struct expression *expression_named(struct builder *builder,
    const struct expression *expression, struct str name)
{
	struct expression *made = arena_alloc(builder->arena, sizeof(*made));

	if (made == NULL)
		return NULL;
	*made = *expression;
	made->name = arena_dup(builder->arena, name);
	return made->name.ptr == NULL ? NULL : made;
}

const struct expression *expression_never(struct builder *builder)
{
	return expression_make(builder, EXPRESSION_OR, 0, NULL, 0);
}

const struct expression *expression_at_least(struct builder *builder, uint32_t need,
    const struct expression **children, size_t count)
{
	if (need == count)
		return expression_group(builder, EXPRESSION_AND, children, count);
	if (need == 1)
		return expression_group(builder, EXPRESSION_OR, children, count);
	return expression_make(builder, EXPRESSION_AT_LEAST, need, children, count);
}
