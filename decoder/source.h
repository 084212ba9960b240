/*
 * source.h - what the decoders give, as a rule sees it: log sources, and the fields of events.
 */
#ifndef TOCSIN_DECODER_SOURCE_H
#define TOCSIN_DECODER_SOURCE_H

#include "base/str.h"

/* Whether events can satisfy that log source; empty attributes are any. */
bool source_is_given(struct str product, struct str category, struct str service);
/*
 * Whether events of that product and category may have the field. True where their fields are not
 * known. *ret_near: the field that is probably meant, or empty; may be NULL.
 */
bool source_has_field(struct str product, struct str category, struct str field,
    struct str *ret_near);

#endif
