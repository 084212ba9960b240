/*
 * loop.h - the event loop: epoll behind one door.
 *
 * One thread. A watcher is called when its descriptor is ready; it may add and remove watchers,
 * itself included. Time is an argument: the loop never asks for it.
 */
#ifndef TOCSIN_NET_LOOP_H
#define TOCSIN_NET_LOOP_H

#include "base/error.h"

struct loop;
struct watch;

enum { WATCH_READ = 1, WATCH_WRITE = 2, WATCH_HANGUP = 4 };

typedef void watch_call(void *context, unsigned ready);

int loop_open(struct loop **ret, struct error *error);
void loop_close(struct loop *loop); /* accepts NULL; watchers must be gone */
/*
 * Waits up to timeout_ns (negative: for ever) and serves what is ready. Returns how many, or < 0.
 */
int loop_step(struct loop *loop, int64_t timeout_ns, struct error *error);
/* fd stays the caller's. wants: WATCH_READ and WATCH_WRITE; 0 pauses. */
int watch_add(struct watch **ret, struct loop *loop, int fd, unsigned wants, watch_call *call,
    void *context, struct error *error);
int watch_set(struct watch *watch, unsigned wants, struct error *error);
void watch_remove(struct watch *watch); /* accepts NULL; before closing fd */

#endif
