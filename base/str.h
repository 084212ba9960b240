/*
 * str.h - text as (pointer, length).
 *
 * A struct str never owns its bytes: it is borrowed from an arena, a buffer or the input. It is
 * not terminated by NUL, and may contain NUL and bytes that are not UTF-8. Nothing here allocates.
 */
#ifndef TOCSIN_BASE_STR_H
#define TOCSIN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

#define STR(literal)  ((struct str){(literal), sizeof(literal) - 1})
/* The same where C wants a constant: in the initialiser of a static table. */
#define STR_INIT(literal) {(literal), sizeof(literal) - 1}
#define STR_NONE      ((struct str){NULL, 0})
/* For "%.*s". Text longer than INT_MAX does not occur: every input has a ceiling far below. */
#define STR_ARG(s)    (int)(s).len, ((s).ptr != NULL ? (s).ptr : "")
#define STR_NOT_FOUND SIZE_MAX

/* The smallest ones stand here whole: they are called for nearly every byte that is decoded. */
static inline char char_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool char_is_alpha(char c)
{
	c = char_lower(c);
	return c >= 'a' && c <= 'z';
}

static inline bool char_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The bytes [from, to); both are clamped to the length. */
static inline struct str str_slice(struct str s, size_t from, size_t to)
{
	if (to > s.len)
		to = s.len;
	if (from > to)
		from = to;
	return (struct str){s.ptr == NULL ? NULL : s.ptr + from, to - from};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The text up to the NUL of a C string; NULL gives STR_NONE. */
struct str str_of(const char *text);
struct str str_from(const void *ptr, size_t len);

/* Equal but for the case of ASCII letters. */
bool str_eq_fold(struct str a, struct str b);
/* Like memcmp, the shorter first: negative, 0, positive. */
int str_compare(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_fold(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Offset of the first occurrence, or STR_NOT_FOUND. An empty needle is found at 0. */
size_t str_find(struct str s, struct str needle);
size_t str_find_char(struct str s, char c);
size_t str_find_last(struct str s, char c);

/* Without the white space (space, tab, CR, LF, VT, FF) at both ends. */
struct str str_trim(struct str s);
/*
 * Takes the text before the first sep off *rest into *head, and drops the sep. Without a sep the
 * whole rest is the head. False when nothing is left; an empty last piece after a sep is returned.
 * Begin with *rest = the text; *rest becomes {NULL, 0} at the end.
 */
bool str_cut(struct str *rest, char sep, struct str *head);

/* Decimal, whole text, no sign for u64, optional '-' for i64; false on anything else, overflow. */
bool str_to_u64(struct str s, uint64_t *ret);
bool str_to_i64(struct str s, int64_t *ret);
/* A decimal number as JSON writes it, whole text. */
bool str_to_double(struct str s, double *ret);
/* Lower or upper case hexadecimal digits, exactly 2 * size of them. */
bool str_to_bytes(struct str s, uint8_t *ret, size_t size);

/* -1 for a character that is no hexadecimal digit. */
int char_hex(char c);

#endif
