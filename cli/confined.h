/*
 * confined.h - collect, which parses foreign bytes, is kept to what the configuration names.
 *
 * In this order: confined_open, which becomes privilege.user; confined_bus; ports and files;
 * confined_enter.
 */
#ifndef TOCSIN_CLI_CONFINED_H
#define TOCSIN_CLI_CONFINED_H

#include "cli/context.h"

#include "base/json.h"

struct confined;

/*
 * Makes the folders, becomes the user, and finds the paths that stay open. What this kernel lacks
 * is logged; with privilege.confine "required" it is a failure. So is a folder of the configuration
 * that would open what must stay closed.
 */
int confined_open(struct confined **ret, struct context *context, struct error *error);
void confined_free(struct confined *confined); /* accepts NULL */
/* context_bus_spooled, or context_bus; all threads of the bus are confined from the beginning. */
int confined_bus(struct confined *confined, bool spooled, struct bus **ret, struct error *error);
/* Calls run in a thread that is confined, as those that it makes; gives what run gives. */
int confined_thread(void *confined, int (*run)(void *argument, struct error *error), void *argument,
    struct error *error);
/* Everything is open: from here on there is no way back. */
int confined_enter(struct confined *confined, struct error *error);
/* Pairs of an object: uid, capabilities, landlock, seccomp; as the process is now. */
void confined_status(const struct confined *confined, struct json *json);
void confined_measure(const struct confined *confined);

#endif
