#include "correlator/matcher_shape.h"

#include <stdlib.h>
#include <string.h>

#define FACTOR   UINT64_C(0x9e3779b97f4a7c15)
#define LEAST    32u
#define PLACE_AT 53 /* SHAPES places by the bits from here on */

_Static_assert(SHAPES == UINT64_C(1) << (64 - PLACE_AT), "a place for each hash");

struct shapes {
	const struct program *program;
	struct shape *places[SHAPES];
	struct shape *other; /* of a record that is not kept */
	uint32_t *ids;
	size_t id_capacity;
};

static struct shape *shape_new(const struct program *program)
{
	size_t bytes = (program->slot_count + 1) * sizeof(uint16_t);
	struct shape *shape = calloc(1, sizeof(*shape));

	if (shape == NULL)
		return NULL;
	shape->first = malloc(bytes);
	if (shape->first == NULL) {
		free(shape);
		return NULL;
	}
	memset(shape->first, 0xFF, bytes);
	return shape;
}

static void shape_free(struct shape *shape)
{
	if (shape == NULL)
		return;
	free(shape->ids);
	free(shape->slots);
	free(shape->next);
	free(shape->first);
	free(shape->steps);
	free(shape);
}

void shapes_free(struct shapes *shapes)
{
	if (shapes == NULL)
		return;
	for (size_t i = 0; i < SHAPES; i++)
		shape_free(shapes->places[i]);
	shape_free(shapes->other);
	free(shapes->ids);
	free(shapes);
}

struct shapes *shapes_new(const struct program *program)
{
	struct shapes *shapes = calloc(1, sizeof(*shapes));

	if (shapes == NULL)
		return NULL;
	shapes->program = program;
	shapes->other = shape_new(program);
	if (shapes->other != NULL)
		return shapes;
	free(shapes);
	return NULL;
}

uint32_t *shapes_ids(struct shapes *shapes, size_t count)
{
	if (count > shapes->id_capacity) {
		size_t want = count < LEAST ? LEAST : count + count / 2;
		uint32_t *grown = realloc(shapes->ids, want * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		shapes->ids = grown;
		shapes->id_capacity = want;
	}
	return shapes->ids;
}

static bool array_grow(void *array, size_t count, size_t size)
{
	void **held = array;
	void *grown = realloc(*held, count * size);

	if (grown != NULL)
		*held = grown;
	return grown != NULL;
}

static bool shape_room(struct shape *shape, uint32_t count)
{
	uint32_t want = count < LEAST ? LEAST : count;

	if (count <= shape->capacity)
		return true;
	if (!array_grow(&shape->ids, want, sizeof(*shape->ids)) ||
	    !array_grow(&shape->slots, want, sizeof(*shape->slots)) ||
	    !array_grow(&shape->next, want, sizeof(*shape->next)) ||
	    !array_grow(&shape->steps, want, sizeof(*shape->steps)))
		return false;
	shape->capacity = want;
	return true;
}

static void slots_chain(struct shape *shape, const struct program *program,
    const struct record *record)
{
	memset(shape->first, 0xFF, program->slot_count * sizeof(*shape->first));
	for (uint32_t i = shape->count; i > 0; i--) {
		const struct field *field = &record->fields[i - 1];
		uint32_t slot =
		    program_slot(program, field->id, field->name, record->generation);

		shape->slots[i - 1] = slot;
		if (slot == SLOT_ANYWHERE)
			continue;
		shape->next[i - 1] = shape->first[slot];
		shape->first[slot] = (uint16_t)(i - 1);
	}
}

/* Without memory it has no values. */
static void shape_make(struct shape *shape, const struct shapes *shapes,
    const struct record *record, uint32_t count)
{
	shape->count = shape_room(shape, count) ? count : 0;
	shape->steps_of = 0;
	if (shape->count > 0)
		memcpy(shape->ids, shapes->ids, shape->count * sizeof(*shape->ids));
	slots_chain(shape, shapes->program, record);
}

static bool is_of(const struct shape *shape, const struct shapes *shapes, uint32_t count)
{
	return shape->count == count && count > 0 &&
	    memcmp(shape->ids, shapes->ids, count * sizeof(*shape->ids)) == 0;
}

struct shape *shapes_find(struct shapes *shapes, const struct record *record, uint32_t count,
    uint64_t hash)
{
	/* Ids alone tell the slots only where the record knows all names that rules have. */
	bool kept = count <= SHAPE_WIDE && record->generation >= shapes->program->generation;
	struct shape **place =
	    kept ? &shapes->places[(hash + count) * FACTOR >> PLACE_AT] : &shapes->other;

	if (*place == NULL)
		*place = shape_new(shapes->program);
	if (*place == NULL) {
		place = &shapes->other;
		count = 0;
	} else if (kept && is_of(*place, shapes, count)) {
		return *place;
	}
	shape_make(*place, shapes, record, count);
	return *place;
}
