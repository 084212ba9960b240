/*
 * json_unescape.h - what a string of JSON stands for, once its backslashes are known.
 */
#ifndef TOCSIN_DECODER_JSON_UNESCAPE_H
#define TOCSIN_DECODER_JSON_UNESCAPE_H

#include "decoder/json_mask.h"

/* More bytes than the text needs, behind what is written. */
#define JSON_UNESCAPE_SLACK 64

/*
 * Writes the bytes [from, to) of text, between two quotes, to out without their escapes; out has
 * room for to - from + JSON_UNESCAPE_SLACK bytes. Returns the length, or SIZE_MAX when an escape is
 * none. *coded becomes true when one is \uXXXX, and stays what it is when none is.
 */
typedef size_t json_unescape_fn(char *out, struct str text, size_t from, size_t to,
    const struct json_masks *masks, bool *coded);
json_unescape_fn *json_unescape_for(enum cpu_level level);

/*
 * What stands behind one backslash, at at: the bytes that it is, at most 4, to out; *ret_len tells
 * their number. Returns how many bytes of text that was, with the backslash; 0 for no escape.
 */
size_t json_unescape_one(char *out, const char *at, const char *end, size_t *ret_len);

#endif
