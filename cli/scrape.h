/*
 * scrape.h - GET /metrics for Prometheus, on a listener and in a process of its own.
 *
 * A request at a time, each answered within seconds or dropped: nothing but the monitor should
 * reach this address, and whoever else does can only delay it.
 */
#ifndef TOCSIN_CLI_SCRAPE_H
#define TOCSIN_CLI_SCRAPE_H

#include "cli/context.h"

/* Serves address until SIGTERM or SIGINT ends the process; negative when it cannot listen. */
int scrape_serve(struct context *context, const char *address, struct error *error);
/* Appends the metrics of all stages that run; false: none answers. */
bool scrape_gather(struct context *context, struct buf *out);

#endif
