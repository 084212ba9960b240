/*
 * files.h - the files that one collector follows: what input_file.c, which reads them, and
 * file_look.c and file_table.c, which find them, share; private to these.
 *
 * The inputs of one collector, one a pattern, share a struct files, for they share the state file,
 * the descriptors, and the turns in which files are read.
 */
#ifndef TOCSIN_COLLECTOR_FILES_H
#define TOCSIN_COLLECTOR_FILES_H

#include "base/arena.h"
#include "collector/follow.h"
#include "collector/input.h"

#define FILES_PATTERNS 64u
#define FILES_FOLDERS  1024u /* watches of inotify */
#define FILES_BUCKETS  4096u
#define FILES_FINISHED 1024u /* that are remembered, so as not to be read again */
#define FILES_LEAVE_NS (5 * INT64_C(1000000000)) /* writers keep a renamed file open so long */

struct folder {
	int wd;
	char *path;
};

struct files {
	struct intake *intake;
	struct ledger_row *row;      /* of the sender: this machine */
	struct ledger_row *listener; /* counts what has no sender */
	const char *patterns[FILES_PATTERNS];
	size_t pattern_count;
	struct follow **all; /* oldest first */
	size_t count, capacity;
	struct follow *inodes[FILES_BUCKETS], *paths[FILES_BUCKETS];
	struct follow *ready_first, *ready_last;
	struct arena *arena;         /* of the rows as they were at the start */
	struct file_rows saved;
	char *state_path;
	bool dirty;                  /* it says less than is durable */
	int64_t saved_ns, ticked_ns;
	int64_t told_ns;             /* when it was last said that it cannot be saved */
	int bell;                    /* eventfd: some are ready, or a look is due */
	int inotify;                 /* -1: only looked at now and then */
	struct watch *bell_watch, *inotify_watch;
	struct folder folders[FILES_FOLDERS];
	size_t folder_count;
	bool paused, look_due;
	uint64_t looks;
	int64_t looked_ns;
	size_t open_count, open_max, files_max;
	struct joiner joiner;        /* limits of all */
	int64_t delay_ns;
	bool history;
};

/* ---- file_look.c ---- */

/* Looks for new files, renamed ones, those that are gone; what has grown becomes ready. */
void files_look(struct files *files);
/*
 * Where a file has gone to, or a copy of what it was: by inode, or by its first bytes. False: it is
 * nowhere to be found.
 */
bool files_search(struct files *files, struct follow *follow);

/* ---- file_table.c ---- */

/* A new one, ready to be read; NULL: too many, or no memory. */
struct follow *files_add(struct files *files, const char *path, const struct stat *stat);
struct follow *files_by_inode(const struct files *files, uint64_t device, uint64_t inode);
struct follow *files_by_path(const struct files *files, struct str path);
/* It is somewhere else, or another inode; stat NULL: it is none of a path any more. */
bool files_rename(
    struct files *files, struct follow *follow, const char *path, const struct stat *stat);
void files_ready(struct files *files, struct follow *follow);
/* There is something to do in the next round. */
void files_ring(struct files *files);
/* The kernel tells what changes in the folder of path. */
void files_watch_folder(struct files *files, const char *path);
/* The oldest of those that are done with go, beyond FILES_FINISHED. */
void files_forget(struct files *files);

/* ---- input_file.c ---- */

/* Nothing more will be read of it; what of it was seen and not read is told as a gap. */
void files_finish(struct files *files, struct follow *follow);
/* Opens it; keeps the count. */
enum follow_result files_open(struct files *files, struct follow *follow);

#endif
