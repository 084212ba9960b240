/*
 * gather.h - one request to every stage that runs on this machine.
 */
#ifndef TOCSIN_CLI_GATHER_H
#define TOCSIN_CLI_GATHER_H

#include "cli/context.h"

struct gathered {
	struct str stage;  /* name of the socket without ".sock" */
	struct str answer; /* empty when it did not answer */
	bool failed;
};

#define GATHER_MAX 64

/* Asks the stages whose sockets lie in run.path, but the supervisor's. In the process arena. */
int gather(struct context *context, struct str request, struct gathered ret[GATHER_MAX],
    size_t *ret_count, struct error *error);

/* Only which there are; answers are empty. */
int gather_list(struct context *context, struct gathered ret[GATHER_MAX], size_t *ret_count,
    struct error *error);
/* Asks one of them; its answer and whether it failed are filled. */
void gather_ask(struct context *context, struct gathered *stage, struct str request);

#endif
