/*
 * fault_shim.h - stands between a program and its disk.
 *
 * Defines the calls that change files (write, pwrite, fdatasync, rename, ...) for the test program
 * and, since the linker lets a program's own symbols go first, for the libraries that it uses.
 * Until it is armed it only passes on. Counted are calls on regular files alone: receipts may
 * travel through pipes.
 */
#ifndef TOCSIN_TESTS_DB_FAULT_SHIM_H
#define TOCSIN_TESTS_DB_FAULT_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum shim_mode {
	SHIM_OFF,
	SHIM_KILL, /* dies (exit code SHIM_DEAD) before the n-th call */
	SHIM_FAIL, /* the n-th call fails with the given errno */
	SHIM_LOG   /* every call is written down */
};
enum { SHIM_DEAD = 99 };

/* n from 1. */
void shim_arm(enum shim_mode mode, uint64_t n, int failure);
/* Passes on only, from now; count and log stay. */
void shim_stop(void);
/* Counted calls since it was armed. */
uint64_t shim_count(void);
/* Name of the call that was failed; NULL when it has not come to that. */
const char *shim_failed(void);

enum shim_kind { SHIM_WRITE, SHIM_WRITE_SYNCED, SHIM_SYNC, SHIM_MARK };

struct shim_event {
	enum shim_kind kind;
	ino_t inode;
	off_t at;
	size_t len;
	uint64_t mark;
	const char *bytes;
};

/* The log, in order. Valid until the next shim_arm. */
const struct shim_event *shim_events(size_t *ret_count);
/* Puts a mark of the test's own into the log. */
void shim_mark(uint64_t mark);

#endif
