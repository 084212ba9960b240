/*
 * decoded.h - a decoded event as JSON: for evidence in the store, `tocsin decode` and `tocsin bus
 * cat`.
 */
#ifndef TOCSIN_CLI_DECODED_H
#define TOCSIN_CLI_DECODED_H

#include "base/json.h"
#include "event/record.h"

/*
 * {"time", "decoders", "logsource": {...}, "message", "fields": {name: value or [values]}, "ecs"?}
 */
void decoded_write(struct json *json, const struct record *record, bool with_ecs);
/* store_options.decode: only the fields, as an object. context: NULL. */
bool decoded_fields(void *context, const struct event *event, struct buf *ret_json);

#endif
