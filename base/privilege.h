/*
 * privilege.h - who a process is, and giving up what it may do.
 *
 * Capabilities belong to a thread: give them up before the first thread is made, or in each.
 */
#ifndef TOCSIN_BASE_PRIVILEGE_H
#define TOCSIN_BASE_PRIVILEGE_H

#include "base/error.h"

#include <sys/types.h>

#define PRIVILEGE_GROUPS 256

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIVILEGE_GROUPS]; /* gid included */
	size_t group_count;
	char name[64]; /* as it was asked for */
};

/*
 * "name", "name:group", "1000", "1000:1000". The groups are those that the system's tables give the
 * user; a number that they do not know has to bring its group. ERR_DOCUMENT: there is no such user.
 */
int privilege_user(const char *text, struct user *ret, struct error *error);
/* The process is root, and can become another. */
bool privilege_is_root(void);
/*
 * Becomes user for good, with its groups and none of root's capabilities but those of keep (bits
 * 1 << CAP_...), which the calling thread alone keeps. Threads that are there become user too. The
 * signal for the death of the parent (PR_SET_PDEATHSIG) stays. 0 or negative.
 */
int privilege_become(const struct user *user, uint64_t keep, struct error *error);
/*
 * The calling thread keeps no capability but those of keep, of those that it has; nothing that it
 * runs can get more (no_new_privs).
 */
int privilege_limit(uint64_t keep, struct error *error);
/* The capabilities in force in the calling thread. */
uint64_t privilege_held(void);
/*
 * A folder that did not exist is made, with those above it, and belongs to user; one that exists is
 * left as it is. user may be NULL.
 */
int privilege_make_folder(
    const char *path, unsigned mode, const struct user *user, struct error *error);

#endif
