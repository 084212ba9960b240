#include "tests/db/fault_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

static struct {
	enum shim_mode mode;
	uint64_t n, count;
	int failure;
	const char *failed;
	struct shim_event *events;
	size_t event_count, event_capacity;
} shim;

void shim_arm(enum shim_mode mode, uint64_t n, int failure)
{
	for (size_t i = 0; i < shim.event_count; i++)
		free((char *)(uintptr_t)shim.events[i].bytes);
	free(shim.events);
	memset(&shim, 0, sizeof(shim));
	shim.n = n;
	shim.failure = failure;
	shim.mode = mode;
}

void shim_stop(void)
{
	shim.mode = SHIM_OFF;
}

uint64_t shim_count(void)
{
	return shim.count;
}

const char *shim_failed(void)
{
	return shim.failed;
}

const struct shim_event *shim_events(size_t *ret_count)
{
	*ret_count = shim.event_count;
	return shim.events;
}

static void event_add(struct shim_event event, const void *bytes)
{
	char *copy = NULL;

	if (shim.event_count == shim.event_capacity) {
		shim.event_capacity = shim.event_capacity * 2 + 256;
		shim.events = realloc(shim.events, shim.event_capacity * sizeof(*shim.events));
		CHECK(shim.events != NULL);
	}
	if (event.len > 0) {
		copy = malloc(event.len);
		CHECK(copy != NULL);
		memcpy(copy, bytes, event.len);
	}
	event.bytes = copy;
	shim.events[shim.event_count++] = event;
}

void shim_mark(uint64_t mark)
{
	if (shim.mode == SHIM_LOG)
		event_add((struct shim_event){.kind = SHIM_MARK, .mark = mark}, NULL);
}

static bool is_regular(int fd, struct stat *st)
{
	return fstat(fd, st) == 0 && S_ISREG(st->st_mode);
}

/* True when the call is to fail; errno is set. */
static bool fails(const char *name)
{
	if (shim.mode == SHIM_OFF)
		return false;
	shim.count++;
	if (shim.count != shim.n)
		return false;
	if (shim.mode == SHIM_KILL)
		_exit(SHIM_DEAD);
	if (shim.mode != SHIM_FAIL)
		return false;
	shim.failed = name;
	errno = shim.failure;
	return true;
}

static bool fails_on(const char *name, int fd)
{
	struct stat st;

	return shim.mode != SHIM_OFF && is_regular(fd, &st) && fails(name);
}

static void log_write(int fd, const void *bytes, size_t len, off_t at)
{
	struct stat st;

	if (shim.mode != SHIM_LOG || !is_regular(fd, &st))
		return;
	event_add((struct shim_event){
		.kind = (fcntl(fd, F_GETFL) & O_DSYNC) != 0 ? SHIM_WRITE_SYNCED : SHIM_WRITE,
		.inode = st.st_ino, .at = at, .len = len}, bytes);
}

static void log_sync(int fd)
{
	struct stat st;

	if (shim.mode == SHIM_LOG && is_regular(fd, &st))
		event_add((struct shim_event){.kind = SHIM_SYNC, .inode = st.st_ino}, NULL);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	if (fails_on("pwrite", fd))
		return -1;
	log_write(fd, bytes, len, at);
	return syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (fails_on("write", fd))
		return -1;
	if (shim.mode == SHIM_LOG)
		log_write(fd, bytes, len, lseek(fd, 0, SEEK_CUR));
	return syscall(SYS_write, fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (fails_on("writev", fd))
		return -1;
	for (int i = 0; shim.mode == SHIM_LOG && i < count; i++) {
		log_write(fd, parts[i].iov_base, parts[i].iov_len, at);
		at += (off_t)parts[i].iov_len;
	}
	return syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd)
{
	int code;

	if (fails_on("fdatasync", fd))
		return -1;
	code = (int)syscall(SYS_fdatasync, fd);
	log_sync(fd);
	return code;
}

int fsync(int fd)
{
	int code;

	/* of folders too */
	if (fails("fsync"))
		return -1;
	code = (int)syscall(SYS_fsync, fd);
	log_sync(fd);
	return code;
}

int msync(void *at, size_t len, int flags)
{
	if (fails("msync"))
		return -1;
	return (int)syscall(SYS_msync, at, len, flags);
}

int ftruncate(int fd, off_t len)
{
	if (fails_on("ftruncate", fd))
		return -1;
	return (int)syscall(SYS_ftruncate, fd, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
	if (fails_on("posix_fallocate", fd))
		return errno;
	return syscall(SYS_fallocate, fd, 0, at, len) == 0 ? 0 : errno;
}

int rename(const char *from, const char *to)
{
	if (fails("rename"))
		return -1;
	return (int)syscall(SYS_rename, from, to);
}

int unlink(const char *path)
{
	if (fails("unlink"))
		return -1;
	return (int)syscall(SYS_unlink, path);
}
