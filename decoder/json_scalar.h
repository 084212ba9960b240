/*
 * json_scalar.h - values of a JSON text that are neither text nor container.
 *
 * The text's last byte is '}', which none of them accepts: so none looks beyond it.
 */
#ifndef TOCSIN_DECODER_JSON_SCALAR_H
#define TOCSIN_DECODER_JSON_SCALAR_H

#include "event/record.h"

/* Gives out the value at at and its kind. Where it ends, or NULL: there is none. */
const char *json_scalar_take(struct field *out, const char *at);
/* The same, quicker for what nearly all are: integers. */
const char *json_integer_take(struct field *out, const char *at);

#endif
