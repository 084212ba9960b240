/*
 * messages.h - messages that their protocol names, by sender: what comes again under its name, byte
 * by byte the same, is no second event.
 *
 * A client sends again what was not answered, and cannot know that it is on the bus. So a named
 * message is remembered from when it comes (under way) until it is refused, or, once it is durable,
 * for a time. Bounded in number, and no sender has more than a quarter: the oldest are forgotten.
 * What came before the collector was started is read back from the bus (recall.h).
 */
#ifndef TOCSIN_COLLECTOR_MESSAGES_H
#define TOCSIN_COLLECTOR_MESSAGES_H

#include "base/hash.h"
#include "collector/ticket.h"

struct messages;

/*
 * most: how many are remembered, at least 16. collector: its id, the same for ever, which senders
 * do not know: what they send cannot be made to look like another message. NULL: no memory.
 */
struct messages *messages_new(uint64_t collector, size_t most, int64_t age_ns);
void messages_free(struct messages *messages); /* accepts NULL; after the packer */

/* Goes with the event over the bus; never zero. name: as the protocol has it, not empty. */
struct hash128 messages_hash(
    const struct messages *messages, struct str sender, struct str name, struct str raw);
bool message_is_named(struct hash128 message); /* not zero */

/*
 * False: it is here for the first time, or that cannot be remembered, and under way from now on.
 * True: it repeats one that is durable, or under way; then ticket (NULL: nobody waits) is held
 * until that one is durable, or refused.
 */
bool messages_repeat(struct messages *messages, struct str sender, struct hash128 message,
    int64_t now_ns, struct ticket *ticket);
/* What was under way is durable, or will not be: then it is forgotten. Accepts unknown ones. */
void messages_settle(struct messages *messages, struct hash128 message, bool durable);
/* It has been on the bus since then. Oldest first. */
void messages_recall(
    struct messages *messages, struct str sender, struct hash128 message, int64_t received_ns);
size_t messages_count(const struct messages *messages);

#endif
