/*
 * source.h - what the decoders give, as a rule sees it: log sources, and the fields of events.
 */
#ifndef TOCSIN_DECODER_SOURCE_H
#define TOCSIN_DECODER_SOURCE_H

#include "event/record.h"

/* Whether events can satisfy that log source; empty attributes are any. */
bool source_is_given(struct str product, struct str category, struct str service);
/* A log source as the decoders give it to an event; the names live for ever. */
struct source_given {
	struct str product, service;
	struct str categories[RECORD_CATEGORIES];
	size_t category_count;
};

/*
 * All that they give, but for services of any name, for whoever makes something ready for each: the
 * next one of *at, 0 at first. Some come more than once. False behind the last.
 */
bool source_next(size_t *at, struct source_given *ret);
/*
 * Whether events of that product and category may have the field. True where their fields are not
 * known. *ret_near: the field that is probably meant, or empty; may be NULL.
 */
bool source_has_field(struct str product, struct str category, struct str field,
    struct str *ret_near);

#endif
