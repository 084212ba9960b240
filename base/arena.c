#include "base/arena.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT   16u
#define FIRST_BLOCK 4096u

struct block {
	struct block *next;
	size_t size;
	size_t used;
	size_t pad;
};

struct arena {
	struct block *head; /* the block that is filled now; full ones behind it */
	size_t ceiling;
	size_t used;
	bool failed;
};

_Static_assert(sizeof(struct block) % ALIGNMENT == 0, "data after a block's head is aligned");

struct arena *arena_new(size_t ceiling)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena != NULL)
		arena->ceiling = ceiling;
	return arena;
}

static void blocks_free(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	blocks_free(arena->head);
	free(arena);
}

/* Blocks double, so the head is the largest: keeping it makes the next round one block. */
void arena_reset(struct arena *arena)
{
	if (arena->head != NULL) {
		blocks_free(arena->head->next);
		arena->head->next = NULL;
		arena->head->used = 0;
	}
	arena->used = 0;
	arena->failed = false;
}

static bool arena_grow(struct arena *arena, size_t size)
{
	size_t want = arena->head == NULL ? FIRST_BLOCK : arena->head->size * 2;

	if (want > 1u << 22)
		want = 1u << 22;
	if (want < size)
		want = size;
	struct block *block = malloc(sizeof(*block) + want);

	if (block == NULL)
		return false;
	*block = (struct block){.next = arena->head, .size = want};
	arena->head = block;
	return true;
}

/* When the head has no room. */
static __attribute__((noinline)) void *arena_alloc_more(struct arena *arena, size_t size)
{
	if (arena->used + size > arena->ceiling || !arena_grow(arena, size)) {
		arena->failed = true;
		return NULL;
	}
	arena->head->used = size;
	arena->used += size;
	return arena->head + 1;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct block *head = arena->head;

	if (__builtin_expect(size > arena->ceiling, 0)) {
		arena->failed = true;
		return NULL;
	}
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (__builtin_expect(head == NULL || head->size - head->used < size ||
		arena->used + size > arena->ceiling, 0))
		return arena_alloc_more(arena, size);
	void *memory = (char *)(head + 1) + head->used;

	head->used += size;
	arena->used += size;
	return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *memory = arena_alloc(arena, size);

	if (memory != NULL)
		memset(memory, 0, size);
	return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		arena->failed = true;
		return NULL;
	}
	return arena_zalloc(arena, bytes);
}

struct str arena_dup(struct arena *arena, struct str s)
{
	char *copy = arena_alloc(arena, s.len);

	if (copy == NULL)
		return STR_NONE;
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	return (struct str){copy, s.len};
}

struct str arena_join(struct arena *arena, struct str left, char between, struct str right)
{
	size_t len = left.len + 1 + right.len;
	char *out = arena_alloc(arena, len);

	if (out == NULL)
		return STR_NONE;
	if (left.len > 0)
		memcpy(out, left.ptr, left.len);
	out[left.len] = between;
	if (right.len > 0)
		memcpy(out + left.len + 1, right.ptr, right.len);
	return (struct str){out, len};
}

char *arena_cstr(struct arena *arena, struct str s)
{
	char *copy = arena_alloc(arena, s.len + 1);

	if (copy == NULL)
		return NULL;
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);

	va_end(args);
	CHECK(len >= 0);
	char *text = arena_alloc(arena, (size_t)len + 1);

	if (text != NULL)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text == NULL ? STR_NONE : (struct str){text, (size_t)len};
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

bool arena_failed(const struct arena *arena)
{
	return arena->failed;
}
