/*
 * json_cut.h - JSON cut into values, as views of the text, without reading what is in them.
 *
 * For bodies that hold several events in one, and for the few members that must be known of each.
 * The structure is checked to a depth of JSON_CUT_DEPTH; strings and their escapes are whatever
 * stands between the quotes, and numbers whatever is made of their characters. No memory.
 */
#ifndef TOCSIN_BASE_JSON_CUT_H
#define TOCSIN_BASE_JSON_CUT_H

#include "base/str.h"

#define JSON_CUT_DEPTH 64u

/*
 * Takes the value at the front of *rest, with the white space before it. False, and *rest
 * unchanged: none stands there, it has no end, or it is nested too deep.
 */
bool json_cut(struct str *rest, struct str *ret);
/*
 * The same, and in one pass what json_cut_get would say of that key; STR_NONE where what was taken
 * is no object. Of no meaning after false.
 */
bool json_cut_with(struct str *rest, struct str *ret, struct str key, struct str *value);
/* White space off the front. */
void json_cut_space(struct str *rest);

/*
 * The next member of an object or element of an array. *inside begins as the value that json_cut
 * gave, and is used up. key is as written, without its quotes. False behind the last one, and at
 * once for a value that is no object, or no array.
 */
bool json_cut_member(struct str *inside, struct str *key, struct str *value);
bool json_cut_element(struct str *inside, struct str *value);

/* The value of that key, the last of that name as every reader has it; STR_NONE without one. */
struct str json_cut_get(struct str object, struct str key);
/* A string without its quotes, escapes as written; false for any other value. */
bool json_cut_string(struct str value, struct str *ret);

#endif
