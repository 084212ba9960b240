/*
 * json_path.h - which name follows which in JSON texts, so that a name need not be looked up but
 * only compared with the one that stood there before.
 *
 * A path tells an object by the names that lead to it. A step is a name in a path, behind two
 * others: what is known of it, and the two that stood behind it last. Steps are guesses, held
 * against the text each time. All is of fixed size and is overwritten; numbers of paths are never
 * used twice, so that what was overwritten is no longer met.
 */
#ifndef TOCSIN_DECODER_JSON_PATH_H
#define TOCSIN_DECODER_JSON_PATH_H

#include "decoder/key.h"

#define PATH_NONE 0u /* of an object whose path is not known */
#define PATH_ROOT 1u

#define STEP_TEXT  32u /* bytes of a name in its object, with the quote and colon behind it */
#define STEP_NAME  64u /* bytes of a whole name */
#define STEP_SETS  2048u
#define STEP_WAYS  4u
#define STEP_START (STEP_SETS * STEP_WAYS) /* what stands before the first */

struct json_step {
	char text[STEP_TEXT]; /* name":, with zeros behind */
	uint32_t mask;        /* a bit for each byte of it */
	uint32_t outer;       /* path in which it stands; PATH_NONE: free */
	uint32_t inner;       /* path of what stands in it */
	int32_t next[2];      /* in bytes from this one; the likelier first */
	struct key key;       /* of the whole name */
	uint16_t name;
	uint8_t len, name_len; /* of text, and of the name in it */
};

_Static_assert(sizeof(struct json_step) == 64, "a step is a cache line");

/* A name in its object, wherever it stands there. */
struct json_name {
	uint32_t outer, inner, len; /* len: of text */
	struct key key;
	bool is_bare;               /* bare is what the name without its prefix is */
	struct key bare;
	char text[STEP_TEXT];       /* as of the steps */
	struct str known;           /* the whole name, if it has an id: for ever; else empty */
	char whole[STEP_NAME];
	size_t whole_len;
};

struct json_paths {
	_Alignas(64) struct json_step steps[STEP_START + 1];
	/* Of each step the names behind which it stands, 16 bits each, and its inner path. */
	_Alignas(32) uint64_t keys[STEP_START + 1];
	struct json_name names[STEP_SETS];
	uint32_t path; /* the last that was given out */
	unsigned turn;
};

static inline struct json_step *json_step_guess(const struct json_step *step, unsigned which)
{
	return (void *)((uintptr_t)step + (uintptr_t)(intptr_t)step->next[which]);
}

struct json_paths *json_paths_new(void); /* NULL without memory */
void json_paths_free(struct json_paths *paths);
void json_paths_clear(struct json_paths *paths);

/*
 * The step behind last for segment, a name without escapes in the object outer, which is called
 * outer_name (ptr NULL: the outermost); quote and colon stand behind it. last will guess it next
 * time. NULL when the name is too long to be kept.
 */
struct json_step *json_step_find(struct json_paths *paths, struct json_step *last, uint32_t outer,
    struct str outer_name, struct str segment, struct keybook *book);

#endif
