/*
 * text.h - the catalogue: everything that a person reads, in Vietnamese and English.
 *
 * text.def holds a row a message: TEXT(name, "English", "Vietnamese"). Both languages of a row take
 * the same printf conversions in the same order (a test compares them). A text that comes from a
 * stranger is passed through utf8_escape before it is printed on a terminal.
 */
#ifndef TOCSIN_BASE_TEXT_H
#define TOCSIN_BASE_TEXT_H

#include "base/str.h"

enum language { LANGUAGE_ENGLISH, LANGUAGE_VIETNAMESE };

enum text_id {
#define TEXT(name, english, vietnamese) TEXT_##name,
#include "base/text.def"
#undef TEXT
	TEXT_COUNT
};

/* The text in the language of the process; a printf format where the row takes arguments. */
const char *text(enum text_id id);
const char *text_in(enum text_id id, enum language language);

/* Chosen once at the start of the process. English until then. */
void text_choose(enum language language);
enum language text_language(void);
/* From "vi", "vi_VN.UTF-8", "en", ...; false when it names neither. */
bool text_language_of(struct str name, enum language *ret);

#endif
