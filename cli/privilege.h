/*
 * privilege.h - who the stages are: privilege.user of the configuration, and the folders it needs.
 */
#ifndef TOCSIN_CLI_PRIVILEGE_H
#define TOCSIN_CLI_PRIVILEGE_H

#include "cli/context.h"

/*
 * For the supervisor, which stays who it is: makes the folders and the site's key so that the
 * stages can use them.
 */
int privilege_prepare(struct context *context, struct error *error);
/* A socket of the supervisor's becomes the user's, as those of the stages are. 0 or negative. */
int privilege_give(struct context *context, const char *path, struct error *error);
/*
 * For a stage, before it opens anything and before it has threads: makes the folders, becomes the
 * user with the capabilities of keep (base/privilege.h), and says so when it stays root. ERR_USAGE:
 * another user is wanted than who started it; ERR_IO: a folder cannot be written, with what to do.
 */
int privilege_start(struct context *context, uint64_t keep, struct error *error);

#endif
