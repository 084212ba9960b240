#include "base/confine.h"

#include "base/check.h"
#include "base/confine_filter.h"
#include "base/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATHS_MAX 512u
#define KEPT_MAX  32u

/*
 * linux/landlock.h of Debian 12 is older than the kernels that this runs on; so the interface
 * stands here, as far as it is used (landlock(7)).
 */
struct ruleset_attr {
	uint64_t files, net, scoped; /* since version 1, 4, 6 */
};

struct beneath_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

enum {
	RULESET_VERSION = 1,
	RULE_BENEATH = 1,
	SCOPE_ABSTRACT_SOCKET = 1,
	NET_BIND_TCP = 1,
	NET_CONNECT_TCP = 2
};

#define FS(bit) ((uint64_t)1 << (bit))
enum { FS_EXECUTE, FS_WRITE_FILE, FS_READ_FILE, FS_READ_DIR, FS_REMOVE_DIR, FS_REMOVE_FILE,
	FS_MAKE_CHAR, FS_MAKE_DIR, FS_MAKE_REG, FS_MAKE_SOCK, FS_MAKE_FIFO, FS_MAKE_BLOCK,
	FS_MAKE_SYM, FS_REFER, FS_TRUNCATE, FS_IOCTL_DEV };

/* How many of them each version knows; later ones know at least as many. */
static const unsigned rights_of_version[] = {0, 13, 14, 15, 15, 16};

/* Those that a rule on a file, and not a folder, may have. */
#define FS_OF_FILE                                                                                 \
	(FS(FS_EXECUTE) | FS(FS_WRITE_FILE) | FS(FS_READ_FILE) | FS(FS_TRUNCATE) | FS(FS_IOCTL_DEV))

struct opened {
	int fd; /* O_PATH; kept, so that its inode in memory stays the one of the rule */
	uint64_t rights;
};

struct confine {
	struct opened paths[PATHS_MAX];
	size_t path_count;
	char *kept[KEPT_MAX];
	size_t kept_count;
	int landlock;
	bool online, off, entered;
};

struct confine *confine_new(void)
{
	struct confine *confine = calloc(1, sizeof(*confine));

	if (confine != NULL)
		confine->landlock = confine_landlock();
	return confine;
}

void confine_as_of(struct confine *confine, int landlock)
{
	confine->landlock = landlock < confine->landlock ? landlock : confine->landlock;
}

void confine_free(struct confine *confine)
{
	if (confine == NULL)
		return;
	/* In /proc, what nobody holds is another inode the next time; the rule is for this one. */
	for (size_t i = 0; i < confine->path_count && !confine->entered; i++)
		close(confine->paths[i].fd);
	for (size_t i = 0; i < confine->kept_count; i++)
		free(confine->kept[i]);
	free(confine);
}

void confine_may_connect(struct confine *confine)
{
	confine->online = true;
}

void confine_off(struct confine *confine)
{
	confine->off = true;
}

/* ---- paths ---- */

static void folder_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(out, PATH_MAX, "%.*s",
	    slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path),
	    slash == NULL ? "." : path);
}

/* The nearest one that exists, of path and the folders above. *ret_rest: what is behind it. */
static bool nearest(const char *path, char real[PATH_MAX], const char **ret_rest)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return false;
	while (realpath(part, real) == NULL) {
		char above[PATH_MAX];

		if (errno != ENOENT && errno != ENOTDIR)
			return false;
		folder_of(part, above);
		if (strcmp(above, part) == 0)
			return false;
		memcpy(part, above, sizeof(part));
	}
	*ret_rest = path + (strcmp(part, ".") == 0 && path[0] != '.' ? 0 : strlen(part));
	return true;
}

/* Both without links; "/a" holds "/a" and "/a/b", not "/ab". */
static bool holds(const char *folder, const char *path)
{
	size_t len = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

	return strncmp(folder, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* It holds what is kept out, or is within. */
static bool is_wide(const struct confine *confine, const char *real)
{
	for (size_t i = 0; i < confine->kept_count; i++) {
		if (holds(real, confine->kept[i]) || holds(confine->kept[i], real))
			return true;
	}
	return false;
}

enum confine_outcome confine_keep_out(struct confine *confine, const char *path)
{
	char real[PATH_MAX], *kept = NULL;
	const char *rest;

	if (confine->kept_count == KEPT_MAX || !nearest(path, real, &rest))
		return CONFINE_FULL;
	rest += strspn(rest, "/");
	if (asprintf(&kept, "%s%s%s", strcmp(real, "/") == 0 ? "" : real,
		rest[0] == '\0' ? "" : "/", rest) < 0)
		return CONFINE_FULL;
	confine->kept[confine->kept_count++] = kept;
	return CONFINE_OPEN;
}

static uint64_t rights_of(unsigned rights)
{
	uint64_t out = FS(FS_READ_FILE) | FS(FS_READ_DIR);

	if (rights == CONFINE_REMOVE)
		out = 0;
	if ((rights & CONFINE_WRITE) != 0)
		out |= FS(FS_WRITE_FILE) | FS(FS_TRUNCATE) | FS(FS_REFER) | FS(FS_MAKE_REG) |
		    FS(FS_MAKE_DIR) | FS(FS_REMOVE_DIR) | FS(FS_REMOVE_FILE);
	if ((rights & CONFINE_REMOVE) != 0)
		out |= FS(FS_REMOVE_FILE);
	return out;
}

static enum confine_outcome open_real(
    struct confine *confine, const char *real, unsigned rights, enum confine_outcome good)
{
	struct stat status;

	if (is_wide(confine, real))
		return CONFINE_WIDE;
	if (confine->path_count == PATHS_MAX)
		return CONFINE_FULL;
	int fd = open(real, O_PATH | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) != 0) {
		if (fd >= 0)
			close(fd);
		return CONFINE_MISSING;
	}
	uint64_t allowed = rights_of(rights);

	if (!S_ISDIR(status.st_mode))
		allowed &= FS_OF_FILE;
	confine->paths[confine->path_count++] = (struct opened){fd, allowed};
	return good;
}

enum confine_outcome confine_path(struct confine *confine, const char *path, unsigned rights)
{
	char real[PATH_MAX];

	return realpath(path, real) == NULL ? CONFINE_MISSING
					    : open_real(confine, real, rights, CONFINE_OPEN);
}

enum confine_outcome confine_folder(struct confine *confine, const char *path, unsigned rights)
{
	char real[PATH_MAX];
	const char *rest;

	if (!nearest(path, real, &rest))
		return CONFINE_MISSING;
	bool there = rest[strspn(rest, "/")] == '\0';
	enum confine_outcome outcome = open_real(confine, real, rights, CONFINE_OPEN);

	return outcome == CONFINE_WIDE && !there ? CONFINE_MISSING : outcome;
}

enum confine_outcome confine_file(struct confine *confine, const char *path, unsigned rights)
{
	char folder[PATH_MAX], above[PATH_MAX], real[PATH_MAX], target[PATH_MAX];

	folder_of(path, folder);
	enum confine_outcome outcome = confine_folder(confine, folder, rights);

	if (outcome == CONFINE_FULL || realpath(path, real) == NULL)
		return outcome == CONFINE_WIDE ? CONFINE_MISSING : outcome;
	folder_of(real, target);
	if (outcome == CONFINE_OPEN && realpath(folder, above) != NULL &&
	    strcmp(above, target) == 0)
		return outcome;
	/* Another folder behind a link, or a file that only itself may be opened of its folder. */
	enum confine_outcome there = open_real(confine, target, rights,
	    outcome == CONFINE_OPEN ? CONFINE_OPEN : CONFINE_ALONE);

	return there == CONFINE_WIDE ? open_real(confine, real, rights, CONFINE_ALONE) : there;
}

/* ---- Landlock ---- */

int confine_landlock(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

static uint64_t rights_handled(int version)
{
	int last = (int)(sizeof(rights_of_version) / sizeof(rights_of_version[0])) - 1;

	return FS(rights_of_version[version < last ? version : last]) - 1;
}

static int ruleset_new(const struct confine *confine, struct error *error)
{
	int version = confine->landlock;
	struct ruleset_attr attr = {.files = rights_handled(version),
	    .net = version >= 4 ? NET_BIND_TCP | (confine->online ? 0 : NET_CONNECT_TCP) : 0,
	    .scoped = version >= 6 ? SCOPE_ABSTRACT_SOCKET : 0};
	/* An older kernel refuses what it does not know the size of. */
	size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);

	if (fd < 0)
		return error_system(error, errno, TEXT_base_landlock);
	for (size_t i = 0; i < confine->path_count; i++) {
		struct beneath_attr rule = {
		    confine->paths[i].rights & attr.files, confine->paths[i].fd};

		if (rule.allowed != 0 &&
		    syscall(SYS_landlock_add_rule, fd, RULE_BENEATH, &rule, 0) != 0) {
			int code = error_system(error, errno, TEXT_base_landlock);

			close(fd);
			return code;
		}
	}
	return fd;
}

static int landlock_enter(const struct confine *confine, struct error *error)
{
	if (confine->landlock == 0 || confine->off)
		return 0;
	int fd = ruleset_new(confine, error), code = 0;

	if (fd < 0)
		return fd;
	if (syscall(SYS_landlock_restrict_self, fd, 0) != 0)
		code = error_system(error, errno, TEXT_base_landlock);
	close(fd);
	return code;
}

/* no_new_privs, which both means ask for, comes with the capabilities. */
static int files_enter(const struct confine *confine, uint64_t caps, struct error *error)
{
	int code = privilege_limit(caps, error);

	return code < 0 ? code : landlock_enter(confine, error);
}

/* ---- a thread ---- */

struct call {
	struct confine *confine;
	uint64_t caps;
	int (*run)(void *argument, struct error *error);
	void *argument;
	struct error *error;
	int code;
};

static void *call_run(void *argument)
{
	struct call *call = argument;

	call->code = files_enter(call->confine, call->caps, call->error);
	if (call->code == 0)
		call->code = call->run(call->argument, call->error);
	return NULL;
}

int confine_thread(struct confine *confine, uint64_t caps,
    int (*run)(void *argument, struct error *error), void *argument, struct error *error)
{
	struct call call = {confine, caps, run, argument, error, 0};
	pthread_t thread;
	int failure = pthread_create(&thread, NULL, call_run, &call);

	if (failure != 0)
		return error_system(error, failure, TEXT_base_confine_thread);
	(void)pthread_join(thread, NULL);
	return call.code;
}

/* ---- seccomp ---- */

bool confine_seccomp(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	/* A sandbox around us may refuse the call, whatever the kernel has. */
	return confine_filter_fits() &&
	    syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static int calls_enter(const struct confine *confine, struct error *error)
{
	struct sock_filter program[CONFINE_FILTER_MAX];
	struct sock_fprog filter = {.filter = program};

	if (!confine_seccomp() || confine->off)
		return 0;
	filter.len = (unsigned short)confine_filter(program, (int)getpid(), confine->online);
	long stuck =
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);

	/* A thread that has a filter of its own cannot take this one. */
	return stuck == 0 ? 0
			  : error_system(error, stuck < 0 ? errno : EBUSY, TEXT_base_seccomp);
}

int confine_enter(struct confine *confine, uint64_t caps, struct error *error)
{
	int code = files_enter(confine, caps, error);

	confine->entered = true;
#ifndef CONFINE_SANITIZED
	/* The search for leaks reads the memory as a debugger does. */
	if (code == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		code = error_system(error, errno, TEXT_base_seccomp);
#endif
	return code == 0 ? calls_enter(confine, error) : code;
}
