/*
 * confine.h - a process gives up, for good, what it does not need.
 *
 * Two means of Linux. Landlock: which files may be opened, made, renamed, removed; everything that
 * was not named is refused, also to root, also through a link that leads there. seccomp: which
 * system calls there are (confine_calls.def). What was opened before stays open.
 *
 * Name the paths; let libraries make their threads in confine_thread; open the rest; confine_enter.
 * Landlock holds for the thread that enters it and those that it makes, seccomp for all at once.
 */
#ifndef TOCSIN_BASE_CONFINE_H
#define TOCSIN_BASE_CONFINE_H

#include "base/error.h"

struct confine;

/* NULL without memory. */
struct confine *confine_new(void);
void confine_free(struct confine *confine); /* accepts NULL; what was entered stays so */

enum {
	CONFINE_READ = 1,  /* and list */
	CONFINE_WRITE = 2, /* and make, rename, remove files and folders */
	CONFINE_REMOVE = 4 /* files */
};

enum confine_outcome {
	CONFINE_OPEN,    /* with everything below, also what is made later */
	CONFINE_ALONE,   /* the file alone, and not another in its place: see confine_file */
	CONFINE_WIDE,    /* left closed: it holds what is kept out, or is that */
	CONFINE_MISSING, /* left closed: it does not exist, and what is above may not be opened */
	CONFINE_FULL     /* left closed: more than 512 paths, or no memory */
};

/* Neither path, nor what is below, nor a folder that holds it is opened from now on. */
enum confine_outcome confine_keep_out(struct confine *confine, const char *path);
/*
 * The folder with all that is below. If it does not exist, the nearest one above that does: who
 * makes it later makes it in there.
 */
enum confine_outcome confine_folder(struct confine *confine, const char *path, unsigned rights);
/*
 * A file that others may replace by renaming: its folder, and where it is a link, that of what it
 * leads to. A folder that may not be opened: the file as it is now, alone.
 */
enum confine_outcome confine_file(struct confine *confine, const char *path, unsigned rights);
/* The file or folder as it is now; nothing when it does not exist. */
enum confine_outcome confine_path(struct confine *confine, const char *path, unsigned rights);
/* Connections over IPv4 and IPv6 may be made later. Without it, no socket can be made at all. */
void confine_may_connect(struct confine *confine);

/* Neither Landlock nor seccomp: only capabilities are given up. */
void confine_off(struct confine *confine);

/* Landlock's version in this kernel, 0: none (or not in force). */
int confine_landlock(void);
/* No more than a kernel with that version knows, for tests. */
void confine_as_of(struct confine *confine, int landlock);
/* seccomp is there, and confine_calls.def is known to be right for this machine. */
bool confine_seccomp(void);

/*
 * Calls run in a thread that has entered Landlock and keeps only the capabilities of caps
 * (privilege.h), and so have the threads that it makes. Gives what run gives.
 */
int confine_thread(struct confine *confine, uint64_t caps,
    int (*run)(void *argument, struct error *error), void *argument, struct error *error);
/*
 * The calling thread enters Landlock and keeps caps; the process enters seccomp, and no core or
 * debugger of the same user gets its memory. What this kernel lacks is left out. 0 or negative:
 * end then, it is entered in part.
 */
int confine_enter(struct confine *confine, uint64_t caps, struct error *error);

#endif
