/*
 * stage.h - the life of a stage process: signals, control socket, steps, back-off, orderly end.
 */
#ifndef TOCSIN_CLI_STAGE_H
#define TOCSIN_CLI_STAGE_H

#include "cli/context.h"
#include "net/control.h"

struct stage {
	const char *name;          /* "collect", "correlate-0", "store": socket and log */
	/* Once, when everything is open and before the first step. NULL: nothing to do. */
	int (*ready)(void *self, struct error *error);
	/* One round; waits up to timeout_ns. 0 or positive, or a negative code. */
	int (*step)(void *self, int64_t timeout_ns, struct error *error);
	/* Copies its own counters into metrics.h, before they are written. */
	void (*measure)(void *self);
	/* Appends one JSON object: what `tocsin status` shows of it. */
	void (*status)(void *self, struct buf *out);
	/* Verbs of its own ("sources"); DB_... returns 1 when it does not know the verb. NULL: none. */
	int (*answer)(void *self, struct str request, struct buf *out, struct error *error);
	/*
	 * SIGHUP, and the request "reload" unless answer knows it; NULL: nothing to reload.
	 * Positive: it goes on, and the stage tells its end.
	 */
	int (*reload)(void *self, struct error *error);
	void *self;
};

/*
 * Blocks the signals that a stage handles, so that threads of libraries never see them. Call first.
 */
void stage_signals(void);
/*
 * Runs until SIGTERM or SIGINT, or until step fails for good. ERR_FULL, ERR_BUS and ERR_STALE are
 * told once and tried again. loop: NULL unless the stage drives a loop of its own (collect).
 */
int stage_run(struct context *context, struct stage *stage, struct loop *loop,
    struct error *error);

#endif
