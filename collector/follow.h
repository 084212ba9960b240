/*
 * follow.h - a file that is read as it grows: plain, or compressed (.gz).
 *
 * A file is (device, inode) and what its first bytes are, for numbers are used again and files are
 * overwritten in place. Reading takes what stands at the position, and checks afterwards that it
 * still is the same file: what was read of another is not given out.
 */
#ifndef TOCSIN_COLLECTOR_FOLLOW_H
#define TOCSIN_COLLECTOR_FOLLOW_H

#include "base/buf.h"
#include "collector/file_state.h"
#include "collector/joiner.h"

#include <sys/stat.h>

#define FOLLOW_HEAD 1024u /* bytes that tell one file from another */

struct batch; /* of events that are not durable yet (input_file.c) */
struct inflater;

struct follow {
	char *path;          /* where it was last seen */
	uint64_t device, inode;
	uint32_t head_len;
	uint64_t head;
	int fd;              /* -1: closed */
	struct inflater *inflater; /* of a compressed one that is open */
	struct buf held;     /* of that: unpacked, and not yet an event */
	uint64_t packed_at, unpacked_at;
	uint64_t read_at;    /* what stands before it has been handed on ... */
	uint64_t durable_at; /* ... and what before this is durable */
	bool skip, durable_skip; /* joiner.h, at these */
	bool packed;         /* .gz */
	bool finished;       /* read to its end, and nothing more is expected */
	bool leaving;        /* no longer where it was followed: to be read to its end */
	bool at_end;         /* the last read found nothing more */
	bool ready;          /* in the queue of those to be read */
	bool awaited;        /* others are read after it */
	bool told;           /* that it cannot be opened */
	bool part;           /* something has come that is no event yet */
	int64_t grown_ns;    /* when something was read last */
	uint64_t seen;       /* the look around that found it last */
	uint64_t size_seen;
	struct joiner joiner;
	struct str decoder;
	struct follow *before; /* has what was written before: is read first */
	struct follow *next_ready, *next_inode, *next_path;
	struct batch *oldest, *newest;
};

enum follow_result {
	FOLLOW_SOME,     /* *ret_len bytes */
	FOLLOW_END,      /* nothing more at present */
	FOLLOW_AGAIN,    /* not yet: call again */
	FOLLOW_REPLACED, /* what is there now is something else */
	FOLLOW_GONE,     /* it is not where it was */
	FOLLOW_FAILED    /* it cannot be read: not allowed, or the disk fails */
};

struct follow *follow_new(const char *path, const struct stat *stat); /* NULL: no memory */
void follow_free(struct follow *follow);                                /* accepts NULL */
bool follow_moved(struct follow *follow, const char *path); /* false: no memory */
/* FOLLOW_SOME: it is open, and what it was. */
enum follow_result follow_open(struct follow *follow);
void follow_close(struct follow *follow);
/* Up to room bytes from the position on; those that were not taken come again. */
enum follow_result follow_read(struct follow *follow, char *out, size_t room, size_t *ret_len);
/* The first took of bytes are done with. False: no memory; nothing has happened. */
bool follow_took(struct follow *follow, struct str bytes, size_t took, bool skip);
void follow_row(const struct follow *follow, struct file_row *ret);

/* The first bytes of a file, unpacked when its name says so; negative when it cannot be read. */
int follow_head(const char *path, char out[FOLLOW_HEAD], struct stat *ret_stat);
uint64_t follow_head_hash(struct str head);
bool follow_is_packed(struct str path);

#endif
