#include "decoder/json_path.h"

#include <stdlib.h>

_Static_assert(STEP_START <= UINT16_MAX , "steps and names are told by 16 bits");

struct json_paths *json_paths_new(void)
{
	struct json_paths *paths = aligned_alloc(64, sizeof(*paths));

	if (paths != NULL)
		json_paths_clear(paths);
	return paths;
}

void json_paths_free(struct json_paths *paths)
{
	free(paths);
}

void json_paths_clear(struct json_paths *paths)
{
	memset(paths, 0, sizeof(*paths));
	paths->path = PATH_ROOT;
}

static uint64_t mix(uint64_t hash)
{
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

/* "outer.segment", or the segment alone. False when it is too long to be kept. */
static bool name_join(struct json_name *name, struct str outer, struct str segment)
{
	size_t at = 0;

	if (outer.ptr != NULL) {
		if (outer.len + 1 + segment.len > STEP_NAME)
			return false;
		if (outer.len > 0)
			memcpy(name->whole, outer.ptr, outer.len);
		at = outer.len;
		name->whole[at++] = '.';
	}
	memcpy(name->whole + at, segment.ptr, segment.len);
	name->whole_len = at + segment.len;
	return true;
}

static void name_ask(struct json_name *name, struct keybook *book)
{
	struct str whole = {name->whole, name->whole_len};
	struct key room;

	name->key = *keybook_find(book, whole, &room);
	name->known = field_name((enum field_id)name->key.id);
	if ((name->key.flags & KEY_RENAMED) == 0 || str_find_char(whole, ' ') != STR_NOT_FOUND)
		return;
	whole = str_slice(whole, name->key.prefix, whole.len);
	name->is_bare = true;
	name->bare = *keybook_find(book, whole, &room);
}

/* In the place of name. */
static __attribute__((noinline)) const struct json_name *name_make(struct json_paths *paths,
    struct json_name *name, uint32_t outer, struct str outer_name, struct str segment,
    struct keybook *book)
{
	struct json_name made = {.outer = outer, .len = (uint32_t)segment.len + 2};

	if (!name_join(&made, outer_name, segment))
		return NULL;
	memcpy(made.text, segment.ptr, segment.len);
	memcpy(made.text + segment.len, "\":", 2);
	name_ask(&made, book);
	made.inner = ++paths->path;
	*name = made;
	return name;
}

/* Both ends, and what they have in common. The colon stands behind the segment. */
static uint64_t segment_hash(struct str segment)
{
	uint64_t low = 0, high = 0;
	uint32_t few;

	if (segment.len >= 6) {
		memcpy(&low, segment.ptr, 8);
		memcpy(&high, segment.ptr + segment.len - 6, 8);
	} else if (segment.len >= 2) {
		memcpy(&few, segment.ptr, 4);
		low = few;
		memcpy(&few, segment.ptr + segment.len - 2, 4);
		high = few;
	} else if (segment.len == 1) {
		low = (uint8_t)segment.ptr[0];
	}
	return mix(low ^ segment.len) ^ high;
}

/* Of a set of two, the one that was found; or else a free one, or one of both in turn. */
static const struct json_name *name_find(struct json_paths *paths, uint32_t outer,
    struct str outer_name, struct str segment, struct keybook *book)
{
	uint64_t hash = mix(segment_hash(segment) + outer);
	struct json_name *name = &paths->names[(hash >> 32) % (STEP_SETS / 2) * 2];

	for (unsigned way = 0; way < 2; way++) {
		if (name[way].outer == outer && name[way].len == segment.len + 2 &&
		    memcmp(name[way].text, segment.ptr, segment.len) == 0)
			return &name[way];
	}
	if (name[0].outer != PATH_NONE)
		name += name[1].outer == PATH_NONE ? 1 : paths->turn++ % 2;
	return name_make(paths, name, outer, outer_name, segment, book);
}

static __attribute__((noinline)) struct json_step *step_make(struct json_paths *paths,
    size_t place, uint64_t key, const struct json_name *name)
{
	struct json_step *step = &paths->steps[place];

	memcpy(step->text, name->text, STEP_TEXT);
	step->mask = UINT32_MAX >> (STEP_TEXT - name->len);
	step->outer = name->outer;
	step->inner = name->inner;
	step->key = name->key;
	step->next[0] = step->next[1] = 0; /* itself: a guess like any other */
	step->name = (uint16_t)(name - paths->names);
	step->len = (uint8_t)name->len;
	step->name_len = (uint8_t)(name->len - 2);
	paths->keys[place] = key;
	return step;
}

static struct json_step *step_place(struct json_paths *paths, uint32_t before,
    const struct json_name *name)
{
	size_t index = (size_t)(name - paths->names);
	size_t place = (mix((uint64_t)before << 16 ^ index) >> 32) % STEP_SETS * STEP_WAYS;
	uint64_t key = (uint64_t)before << 32 | name->inner;
	unsigned found = 0; /* which it is cannot be foretold: no branch for each */

	for (unsigned way = 0; way < STEP_WAYS; way++)
		found |= (paths->keys[place + way] == key) << way;
	if (__builtin_expect(found != 0, 1))
		return &paths->steps[place + (unsigned)__builtin_ctz(found)];
	return step_make(paths, place + paths->turn++ % STEP_WAYS, key, name);
}

struct json_step *json_step_find(struct json_paths *paths, struct json_step *last, uint32_t outer,
    struct str outer_name, struct str segment, struct keybook *book)
{
	size_t behind = (size_t)(last - paths->steps);
	uint32_t before = behind == STEP_START
	    ? STEP_SETS
	    : (uint32_t)(paths->keys[behind] >> 32) << 16 | last->name;

	if (segment.len > STEP_TEXT - 2)
		return NULL;
	const struct json_name *name = name_find(paths, outer, outer_name, segment, book);

	if (name == NULL)
		return NULL;
	struct json_step *step = step_place(paths, before, name);

	last->next[1] = last->next[0];
	last->next[0] = (int32_t)((intptr_t)step - (intptr_t)last);
	return step;
}
