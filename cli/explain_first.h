/*
 * explain_first.h - of a rule with first_seen: what an event that matches is then asked for.
 */
#ifndef TOCSIN_CLI_EXPLAIN_FIRST_H
#define TOCSIN_CLI_EXPLAIN_FIRST_H

#include "base/json.h"
#include "event/record.h"
#include "sigma/rule.h"

/* Lines under the condition. What is remembered is not asked: that is the running worker's. */
void explain_first_print(const struct first_seen *first_seen, const struct record *record);
/* The member "first_seen" of an object. */
void explain_first_json(
    struct json *json, const struct first_seen *first_seen, const struct record *record);

#endif
