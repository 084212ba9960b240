/*
 * arena.h - memory by lifetime.
 *
 * An arena is named for the lifetime that it stands for: process, ruleset, batch or event. What is
 * taken from it lives until arena_reset or arena_free; single pieces are never given back. Each
 * arena has a ceiling from birth. When the ceiling or the system's memory is reached, allocation
 * returns NULL and the arena stays marked (arena_failed) until it is reset, so that a long chain of
 * steps may be checked once at its end.
 */
#ifndef TOCSIN_BASE_ARENA_H
#define TOCSIN_BASE_ARENA_H

#include "base/str.h"

struct arena;

/* ceiling in bytes. NULL when there is no memory. */
struct arena *arena_new(size_t ceiling);
/* Accepts NULL. */
void arena_free(struct arena *arena);
/* Forgets everything taken; keeps the largest block for the next round. */
void arena_reset(struct arena *arena);

/* Aligned to 16 bytes, not zeroed. NULL at the ceiling or out of memory. size 0 is allowed. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
/* count * size, checked against overflow, zeroed. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* A copy of the bytes; the one place where text crosses into this lifetime. ptr NULL on failure. */
struct str arena_dup(struct arena *arena, struct str s);
/* left, between, right as one text; ptr NULL without memory. */
struct str arena_join(struct arena *arena, struct str left, char between, struct str right);
/* A copy ended by NUL. NULL on failure. */
char *arena_cstr(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);
bool arena_failed(const struct arena *arena);

#endif
