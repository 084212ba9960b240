/*
 * utf8.h - UTF-8 that may not be: validation, escaping where it is shown, case folding.
 *
 * Nothing here fails: bytes that are no UTF-8 (RFC 3629: overlong forms, surrogates, above U+10FFFF
 * included) are told apart and carried along.
 */
#ifndef TOCSIN_BASE_UTF8_H
#define TOCSIN_BASE_UTF8_H

#include "base/buf.h"

#define UTF8_BAD 0xFFFFFFFFu

/* The code point at the front (s not empty), its length 1..4; a bad byte: UTF8_BAD and length 1. */
uint32_t utf8_decode(struct str s, size_t *ret_len);
/* A code point (<= 0x10FFFF) in 1..4 bytes; how many. */
size_t utf8_encode(uint32_t code_point, char ret[4]);
/* Appends a code point (<= 0x10FFFF). */
void utf8_put(struct buf *out, uint32_t code_point);
bool utf8_is_valid(struct str s);

/*
 * For a terminal or a log file (CWE-150): C0, DEL, C1, bidi controls, line and paragraph separators
 * and bad bytes become \xNN or \u{N...}; a backslash stays. keep_newlines lets LF and TAB through.
 */
void utf8_escape(struct buf *out, struct str s, bool keep_newlines);
/* As the inside of a JSON string: quotes, controls escaped; a bad byte becomes U+FFFD. */
void utf8_json(struct buf *out, struct str s);

/*
 * Simple case folding (Unicode, one code point to one; utf8_fold.def): for rules and events alike.
 * A code point without one is its own fold.
 */
uint32_t utf8_fold(uint32_t code_point);
/* Appends s folded; bad bytes unchanged. The length may change. */
void utf8_fold_put(struct buf *out, struct str s);

#endif
