/*
 * local.h - the parts of bus_local; private to bus/.
 *
 *   PATH/bus                     identity and partition counts, text
 *   PATH/TOPIC/lock              flock: one process at a time commits, rolls and retains
 *   PATH/TOPIC/wake              mapped by all: a counter that readers wait on (futex)
 *   PATH/TOPIC/00...042.mdb      segments, a chain; a table a partition, and one for the head
 *   PATH/TOPIC/00...042.damaged  found damaged after a process died in it: a gap
 *   PATH/TOPIC/reading.XXXXXX    mapped by one handle: the segment that it is in (local_mark.c)
 *   PATH/TOPIC/GROUP.00000003    committed offset of a group in a partition
 */
#ifndef TOCSIN_BUS_LOCAL_H
#define TOCSIN_BUS_LOCAL_H

#include "bus/backend.h"
#include "bus/local_record.h"
#include "bus/local_topic.h"

struct local_queued {
	struct local_queued *next;
	uint64_t tag;
	uint32_t partition;
	size_t len;
	char row[];
};

struct local_queue {
	struct local_queued *first, **end;
	size_t count;
	uint64_t bytes;
	int64_t since_ns; /* monotonic, of the first */
};

struct local_bus {
	struct bus bus;
	struct bus_options limits;
	struct local_topic *topics[TOPIC_COUNT];
	struct local_queue queues[TOPIC_COUNT];
	struct bus_receipt *receipts; /* ring of LOCAL_RECEIPTS */
	size_t receipt_head, receipt_count;
	int64_t retry_ns;             /* monotonic: when a full disk is tried again */
	int broken;                   /* code of what cannot be mended but by opening anew */
};
enum { LOCAL_RECEIPTS = 65536 };

int local_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag);
int local_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error);
int local_flush(struct bus *bus, int64_t timeout_ns, struct error *error);
void local_queue_free(struct local_queue *queue);

int local_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error);
void local_reader_close(struct bus_reader *reader);
int local_poll(struct bus_reader *reader, struct bus_record *ret, size_t max, int64_t timeout_ns,
    struct error *error);
int local_seek(struct bus_reader *reader, uint32_t partition, uint64_t offset,
    struct error *error);
int local_commit(struct bus_reader *reader, uint32_t partition, uint64_t next,
    struct error *error);

/*
 * Removes the files that group has passed, whose records all lie before next; its committed offset
 * is synced first. For a topic of one partition. 0 or a negative code.
 */
int local_trim(struct bus *bus, const char *group, enum bus_topic topic, uint64_t next,
    struct error *error);
/*
 * Removes all files, for a disk that has no room for another one: group has passed every record.
 * Offsets begin with 0 again, and so does the group. 0 or a negative code.
 */
int local_clear(struct bus *bus, const char *group, enum bus_topic topic, struct error *error);

#endif
