/*
 * scan.h - small steps over text: a struct str that is eaten from the front.
 *
 * Nothing here reads past the slice or allocates. peek beyond the end gives NUL, so a decoder that
 * must tell a NUL of the text from the end asks for the length.
 */
#ifndef TOCSIN_DECODER_SCAN_H
#define TOCSIN_DECODER_SCAN_H

#include "base/str.h"

static inline char scan_peek(struct str s, size_t at)
{
	return at < s.len ? s.ptr[at] : '\0';
}

static inline void scan_skip(struct str *s, size_t n)
{
	if (n > s->len)
		n = s->len;
	if (n > 0)
		*s = (struct str){s->ptr + n, s->len - n};
}

static inline bool scan_char(struct str *s, char c)
{
	if (s->len == 0 || s->ptr[0] != c)
		return false;
	scan_skip(s, 1);
	return true;
}

static inline bool scan_literal(struct str *s, struct str literal)
{
	if (!str_starts(*s, literal))
		return false;
	scan_skip(s, literal.len);
	return true;
}

static inline void scan_spaces(struct str *s)
{
	while (s->len > 0 && s->ptr[0] == ' ')
		scan_skip(s, 1);
}

static inline size_t scan_count(struct str s, bool (*is)(char))
{
	size_t n = 0;

	while (n < s.len && is(s.ptr[n]))
		n++;
	return n;
}

/* The text before the first space, or all of it; the space stays. */
static inline struct str scan_word(struct str *s)
{
	size_t n = str_find_char(*s, ' ');
	struct str word = str_slice(*s, 0, n == STR_NOT_FOUND ? s->len : n);

	scan_skip(s, word.len);
	return word;
}

/* The text before needle, which is eaten too. False, and nothing eaten, when it is not there. */
static inline bool scan_until(struct str *s, struct str needle, struct str *ret)
{
	size_t n = str_find(*s, needle);

	if (n == STR_NOT_FOUND)
		return false;
	*ret = str_slice(*s, 0, n);
	scan_skip(s, n + needle.len);
	return true;
}

static inline bool scan_all(struct str s, bool (*is)(char))
{
	return s.len > 0 && scan_count(s, is) == s.len;
}

#endif
