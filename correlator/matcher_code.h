/*
 * matcher_code.h - inside the matcher: the expression of a rule as steps one after another.
 *
 * Each step tests a predicate and says where to go on for either answer, so that nothing recurses.
 * What is cheap and likely decides comes first.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_CODE_H
#define TOCSIN_CORRELATOR_MATCHER_CODE_H

#include "correlator/matcher_study.h"

struct code;

/*
 * decided: by predicate, one bit each: those that the view has been told of where they hold, so
 * that they fail where it knows nothing; here only for the order. NULL without memory. One block of
 * memory: free it with free.
 */
struct code *code_new(const struct program *program, const struct study *study,
    const struct expression *expression, const uint8_t *decided);

enum code_answer { CODE_FAILS, CODE_HOLDS, CODE_OVER };

/* CODE_OVER: the view's work of this event has passed most, and nothing is known. */
enum code_answer code_run(const struct code *code, const uint8_t *decided, struct view *view,
    uint64_t most);

#endif
