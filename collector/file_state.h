/*
 * file_state.h - how far files have been read, as it is kept.
 *
 * A text: a head with the time at which it was written, and a row a file, each with a checksum of
 * its own, so that damage costs the rows that it hit: their files are read again from the start,
 * which repeats events and loses none. Written whole, beside, and renamed into place.
 */
#ifndef TOCSIN_COLLECTOR_FILE_STATE_H
#define TOCSIN_COLLECTOR_FILE_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct file_row {
	uint64_t device, inode;
	uint32_t head_len; /* bytes from the start that head is of */
	uint64_t head;
	uint64_t offset;   /* everything before it is on the bus durably */
	bool skip;         /* within a line that was cut */
	struct str path;
	bool taken;        /* for who looks rows up; not kept */
};

struct file_rows {
	struct file_row *rows; /* by inode */
	size_t count;
	int64_t saved_ns;      /* 0: there was none */
	uint64_t damaged;      /* rows that do not hold */
};

#define FILE_ROWS_MAX 1000000u

/* A file that is not there has no rows. 0 or negative. */
int file_state_read(
    const char *path, struct arena *arena, struct file_rows *ret, struct error *error);
/* The same of a text, which outlives the rows. Negative without memory only. */
int file_state_parse(
    struct str text, struct arena *arena, struct file_rows *ret, struct error *error);
/* Where the rows of an inode begin; up to ret->count. */
size_t file_rows_find(const struct file_rows *rows, uint64_t inode);

void file_state_begin(struct buf *out, int64_t now_ns);
void file_state_put(struct buf *out, const struct file_row *row);

#endif
