/*
 * http_acks.h - the acknowledgements of Splunk HEC, by channel.
 *
 * A request is answered when its events are durable, so an ackId is true from the moment that it is
 * given; what is kept is only which ids were given and not asked for yet. The table has a fixed
 * size: the channel that was used longest ago is forgotten for a new one. An id of a channel that
 * was forgotten, or given before a restart, is false, and its sender sends again: never lost.
 */
#ifndef TOCSIN_COLLECTOR_HTTP_ACKS_H
#define TOCSIN_COLLECTOR_HTTP_ACKS_H

#include "base/str.h"

#define ACKS_CHANNELS 4096u
#define ACKS_WINDOW   4096u /* ids of a channel that may wait to be asked for */

struct acks;

struct acks *acks_new(void);           /* NULL without memory */
void acks_free(struct acks *acks);     /* accepts NULL */
/* The next id of a channel, from 0. owner: whose channel; others' of the same name differ. */
uint64_t acks_give(struct acks *acks, struct str owner, struct str channel);
/* Whether id was given; true once, as it is then forgotten (older ones than the window: always). */
bool acks_take(struct acks *acks, struct str owner, struct str channel, uint64_t id);

#endif
