#include "correlator/matcher_view.h"

#include "base/utf8.h"
#include "sigma/needle.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES  ((size_t)64 << 20)
#define ROOM_BYTES   ((size_t)64 << 10)
#define FIRST_VALUES 1024u
#define WORK_BYTES   32u
#define STAMP_MAX    0x7FFFFFFFu

bool view_new(struct view *view, const struct program *program)
{
	size_t predicates = program->predicate_count + 1;

	*view = (struct view){.program = program, .value_capacity = FIRST_VALUES};
	view->arena = arena_new(ARENA_BYTES);
	view->regex = regex_scratch_new(program->regex_steps);
	view->room = malloc(ROOM_BYTES);
	view->values = calloc(FIRST_VALUES, sizeof(*view->values));
	view->shapes = shapes_new(program);
	view->memo = calloc(predicates, sizeof(*view->memo));
	return view->arena != NULL && view->regex != NULL && view->room != NULL &&
	    view->values != NULL && view->shapes != NULL && view->memo != NULL;
}

void view_free(struct view *view)
{
	arena_free(view->arena);
	regex_scratch_free(view->regex);
	free(view->room);
	free(view->values);
	shapes_free(view->shapes);
	free(view->memo);
}

static void view_forget(struct view *view)
{
	arena_reset(view->arena);
	view->room_used = 0;
	view->work = 0;
	view->value_count = 0;
	if (view->stamp < STAMP_MAX) {
		view->stamp++;
		return;
	}
	memset(view->values, 0, view->value_capacity * sizeof(*view->values));
	memset(view->memo, 0, (view->program->predicate_count + 1) * sizeof(*view->memo));
	view->stamp = 1;
}

/* A value that is not in the raw line: in the last run, behind it, or the first of the next. */
static void run_add(struct view *view, struct str text)
{
	struct view_piece *last = &view->pieces[view->piece_count - 1];

	if (view->piece_count > 1 && view_is_within(text, last->raw))
		return;
	if (view->piece_count > 1 && text.ptr == last->raw.ptr + last->raw.len)
		last->raw.len += text.len;
	else if (view->piece_count < VIEW_PIECES && text.len > 0)
		view->pieces[view->piece_count++] = (struct view_piece){.raw = text};
}

/* False without memory. */
static bool room_for_values(struct view *view, size_t count)
{
	if (count <= view->value_capacity)
		return true;
	struct view_value *grown = realloc(view->values, count * sizeof(*grown));

	if (grown == NULL)
		return false;
	memset(grown + view->value_capacity, 0,
	    (count - view->value_capacity) * sizeof(*grown));
	view->values = grown;
	view->value_capacity = count;
	return true;
}

/*
 * The ids go to where shapes are found by them, and what is not in the raw line into runs. No value
 * begins in the raw line and ends behind it.
 */
static uint64_t ids_take(struct view *view, const struct record *record, uint32_t *ids,
    uint32_t count)
{
	const struct str raw = view->pieces[0].raw;
	const struct field *fields = record->fields;
	uint64_t hash = 0;

	for (uint32_t i = 0; i < count; i++) {
		ids[i] = fields[i].id;
		hash = shape_hash(hash, fields[i].id);
		if ((uintptr_t)fields[i].value.ptr - (uintptr_t)raw.ptr >= raw.len)
			run_add(view, fields[i].value);
	}
	return hash;
}

void view_begin(struct view *view, const struct record *record)
{
	uint32_t count = (uint32_t)record->field_count;
	uint32_t *ids = shapes_ids(view->shapes, count);

	view_forget(view);
	view->record = record;
	view->raw.stamp = 0;
	view->pieces[0] = (struct view_piece){
	    .raw = record->event == NULL ? STR_NONE : record->event->raw};
	view->piece_count = 1;
	if (ids == NULL || !room_for_values(view, count))
		count = 0;
	uint64_t hash = ids_take(view, record, ids, count);

	view->shape = shapes_find(view->shapes, record, count, hash);
	view->value_count = view->shape->count;
	view->short_of_memory += record->field_count - view->value_count;
}

/* Room for a folded text of so many bytes, or NULL. */
static inline char *room_take(struct view *view, size_t len)
{
	char *room = view->room + view->room_used;

	if (len + FOLD_PADDING > ROOM_BYTES - view->room_used)
		return arena_alloc(view->arena, len + FOLD_PADDING);
	view->room_used += len + FOLD_PADDING;
	return room;
}

static void piece_fold(struct view *view, struct view_piece *piece)
{
	piece->tried = true;
	piece->lower = room_take(view, piece->raw.len);
	piece->ascii = piece->lower != NULL && fold_ascii(piece->lower, piece->raw);
}

const struct view_piece *view_piece(struct view *view, size_t piece)
{
	if (!view->pieces[piece].tried)
		piece_fold(view, &view->pieces[piece]);
	return &view->pieces[piece];
}

static __attribute__((noinline)) void value_fold(struct view *view, struct view_value *value)
{
	struct subject *subject = &value->subject;
	char *room = room_take(view, subject->raw.len);

	value->ascii = room != NULL && fold_ascii(room, subject->raw);
	subject->folded = value->ascii ? (struct str){room, subject->raw.len}
	                               : fold_padded(view->arena, subject->raw);
	subject->padded = subject->folded.ptr != NULL;
	if (subject->padded)
		return;
	view->short_of_memory++;
	subject->folded = subject->raw;
}

/* A slice of its piece, behind which there are readable bytes too; or folded by itself. */
static inline void value_ready(struct view *view, struct view_value *value, size_t index)
{
	struct subject *subject = &value->subject;

	value->stamp = view->stamp;
	if (index == VIEW_NO_PIECE || (view->pieces[index].apart && !view->pieces[index].tried) ||
	    !view_piece(view, index)->ascii) {
		value_fold(view, value);
		return;
	}
	const struct view_piece *piece = &view->pieces[index];

	subject->folded.ptr = piece->lower + (subject->raw.ptr - piece->raw.ptr);
	subject->folded.len = subject->raw.len;
	subject->padded = value->ascii = true;
}

void view_ready(struct view *view, struct view_value *value)
{
	struct subject *subject = &value->subject;

	if (value == &view->raw) {
		subject->kind = FIELD_STRING;
		subject->raw = view->pieces[0].raw;
		value_ready(view, value, 0);
	} else {
		const struct field *field = &view->record->fields[value - view->values];

		subject->kind = field->kind;
		subject->raw = field->value;
		value_ready(view, value, view_piece_of(view, subject->raw));
	}
}

static bool value_holds(struct view *view, const struct predicate *predicate,
    struct view_value *value)
{
	const struct subject *subject = view_subject(view, value);

	view->work += subject->raw.len / WORK_BYTES + 1;
	return predicate_holds(predicate, subject, view->regex);
}

static uint32_t anywhere_witness(struct view *view, const struct predicate *predicate)
{
	for (uint32_t i = 0; i < view->value_count; i++) {
		if (value_holds(view, predicate, &view->values[i]))
			return i;
	}
	return VIEW_NONE;
}

/* A text in a piece of the raw line is in the raw line: if it begins and ends with characters. */
static bool anywhere_test(struct view *view, const struct predicate *predicate)
{
	bool pieces = predicate->kind != PREDICATE_CONTAINS || !utf8_is_valid(predicate->text);

	if (value_holds(view, predicate, &view->raw))
		return true;
	for (uint32_t i = 0; i < view->value_count; i++) {
		if (!pieces && view_is_within(view->record->fields[i].value, view->pieces[0].raw))
			continue;
		if (value_holds(view, predicate, &view->values[i]))
			return true;
	}
	return false;
}

static bool value_relates(struct view *view, const struct predicate *predicate, uint32_t value)
{
	const struct subject *subject = view_subject(view, &view->values[value]);
	uint32_t other = view_first(view, predicate->other);

	for (; other != VIEW_NONE; other = view_next(view, other)) {
		if (predicate_relates(predicate, subject, view_subject(view, &view->values[other])))
			return true;
	}
	return false;
}

static bool value_makes(struct view *view, const struct predicate *predicate, uint32_t value)
{
	if (predicate->kind == PREDICATE_FIELD)
		return value_relates(view, predicate, value);
	if (predicate->kind == PREDICATE_NULL)
		return view_kind(view, value) == FIELD_NULL;
	if (predicate->kind == PREDICATE_EXISTS)
		return true;
	return value_holds(view, predicate, &view->values[value]);
}

uint32_t view_witness(struct view *view, const struct predicate *predicate)
{
	if (predicate->slot == SLOT_ANYWHERE)
		return anywhere_witness(view, predicate);
	uint32_t value = view_first(view, predicate->slot);

	while (value != VIEW_NONE && !value_makes(view, predicate, value))
		value = view_next(view, value);
	return value;
}

static bool predicate_test(struct view *view, const struct predicate *predicate)
{
	if (predicate->slot == SLOT_ANYWHERE)
		return anywhere_test(view, predicate);
	if (predicate->kind == PREDICATE_NULL && view_first(view, predicate->slot) == VIEW_NONE)
		return true;
	return view_witness(view, predicate) != VIEW_NONE;
}

/* Most predicates are of these kinds and about one field: without a call for each value. */
static inline bool text_test(struct view *view, const struct predicate *predicate)
{
	struct str text = predicate->text;
	uint32_t next;

	for (uint32_t i = view_first(view, predicate->slot); i != VIEW_NONE; i = next) {
		const struct subject *subject = view_subject(view, &view->values[i]);
		struct str value = subject->folded;

		next = view_next(view, i);
		if (value.len < text.len || subject->kind == FIELD_NULL)
			continue;
		if (predicate->kind == PREDICATE_CONTAINS) {
			view->work += value.len / WORK_BYTES + 1;
			if (subject->padded ? needle_in_padded(value, text)
			                    : str_find(value, text) != STR_NOT_FOUND)
				return true;
			continue;
		}
		if (predicate->kind == PREDICATE_EXACT && value.len != text.len)
			continue;
		if (predicate->kind == PREDICATE_SUFFIX)
			value.ptr += value.len - text.len;
		if (text.len == 0 || (value.ptr[0] == text.ptr[0] &&
		    memcmp(value.ptr, text.ptr, text.len) == 0))
			return true;
	}
	return false;
}

bool view_test(struct view *view, uint32_t predicate)
{
	const struct predicate *is = &view->program->predicates[predicate];
	uint32_t memo = view->memo[predicate];

	if (memo >> 1 == view->stamp)
		return memo & 1;
	bool holds = is->kind <= PREDICATE_CONTAINS && !is->cased && is->slot != SLOT_ANYWHERE
	    ? text_test(view, is) : predicate_test(view, is);

	view->evaluated++;
	view->memo[predicate] = view->stamp << 1 | holds;
	return holds;
}

/* At least: as soon as need hold, or too few are left. */
static bool enough_hold(struct view *view, const struct expression *expression)
{
	size_t need = expression->need;

	for (size_t i = 0; i < expression->count && need > 0; i++) {
		if (expression->count - i < need)
			return false;
		need -= view_evaluate(view, expression->children[i]);
	}
	return need == 0;
}

bool view_evaluate(struct view *view, const struct expression *expression)
{
	switch (expression->kind) {
	case EXPRESSION_PREDICATE:
		return view_test(view, expression->predicate);
	case EXPRESSION_AND:
		for (size_t i = 0; i < expression->count; i++) {
			if (!view_evaluate(view, expression->children[i]))
				return false;
		}
		return true;
	case EXPRESSION_OR:
		for (size_t i = 0; i < expression->count; i++) {
			if (view_evaluate(view, expression->children[i]))
				return true;
		}
		return false;
	case EXPRESSION_NOT:
		return !view_evaluate(view, expression->children[0]);
	case EXPRESSION_AT_LEAST:
		return enough_hold(view, expression);
	}
	return false;
}
