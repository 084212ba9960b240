/*
 * control.h - the local control socket: one request, one answer.
 *
 * A Unix socket (mode 0660). The client sends one line: a verb ("status", "sources", "metrics",
 * "rules", "reload") and words; the server answers with text (JSON, or Prometheus') and closes. Requests are
 * bounded to 4 KiB, answers to 16 MiB, clients to 32: when another comes, the one that has been
 * there longest is dropped, so that clients which neither write nor read keep nobody out.
 */
#ifndef TOCSIN_NET_CONTROL_H
#define TOCSIN_NET_CONTROL_H

#include "base/buf.h"
#include "net/loop.h"

struct control;

/* Appends the answer to out; returns 0, or a negative code whose error is sent instead. */
typedef int control_answer(void *context, struct str request, struct buf *out, struct error *error);

/* Makes the socket (an old one without a listener is replaced). */
int control_open(struct control **ret, struct loop *loop, const char *path, control_answer *answer,
    void *context, struct error *error);
void control_close(struct control *control); /* accepts NULL; removes the socket */

/* As a client: sends request, reads the whole answer into out. ERR_MISSING: nobody listens. */
int control_ask(
    const char *path, struct str request, int64_t timeout_ns, struct buf *out, struct error *error);

#endif
