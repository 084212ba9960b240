#include "collector/follow.h"

#include "base/hash.h"
#include "collector/inflate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKED 32768u /* bytes of a compressed file at a time */

uint64_t follow_head_hash(struct str head)
{
	return hash_sip64((struct hash_key){0, 0}, head);
}

bool follow_is_packed(struct str path)
{
	return str_ends(path, STR(".gz"));
}

struct follow *follow_new(const char *path, const struct stat *stat)
{
	struct follow *follow = calloc(1, sizeof(*follow));

	if (follow == NULL)
		return NULL;
	follow->fd = -1;
	follow->device = stat->st_dev;
	follow->inode = stat->st_ino;
	follow->held = BUF(16u << 20);
	if (!follow_moved(follow, path)) {
		free(follow);
		return NULL;
	}
	return follow;
}

bool follow_moved(struct follow *follow, const char *path)
{
	char *copy = strdup(path);

	if (copy == NULL)
		return false;
	free(follow->path);
	follow->path = copy;
	follow->packed = follow_is_packed(str_of(copy));
	return true;
}

void follow_close(struct follow *follow)
{
	if (follow->fd >= 0)
		close(follow->fd);
	follow->fd = -1;
	inflater_free(follow->inflater);
	follow->inflater = NULL;
	buf_free(&follow->held);
	follow->held = BUF(16u << 20);
	follow->packed_at = follow->unpacked_at = 0;
}

void follow_free(struct follow *follow)
{
	if (follow == NULL)
		return;
	follow_close(follow);
	free(follow->path);
	free(follow);
}

/* A named pipe must not make us wait, nor a terminal become ours. */
static int open_quietly(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static ssize_t read_at(int fd, char *out, size_t len, uint64_t at)
{
	ssize_t got;

	do
		got = pread(fd, out, len, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t head_unpack(int fd, char out[FOLLOW_HEAD])
{
	struct inflater *inflater = inflater_new();
	char packed[PACKED];
	ssize_t got = inflater == NULL ? -1 : read_at(fd, packed, sizeof(packed), 0);
	size_t len = 0, more = 1;
	struct str rest = str_from(packed, got > 0 ? (size_t)got : 0);

	while (rest.len > 0 && len < FOLLOW_HEAD && more > 0) {
		if (inflater_next(inflater, &rest, out + len, FOLLOW_HEAD - len, &more) !=
		    INFLATE_DONE)
			break;
		len += more;
	}
	inflater_free(inflater);
	return got < 0 ? got : (ssize_t)len;
}

static ssize_t head_read(int fd, bool packed, char out[FOLLOW_HEAD])
{
	return packed ? head_unpack(fd, out) : read_at(fd, out, FOLLOW_HEAD, 0);
}

int follow_head(const char *path, char out[FOLLOW_HEAD], struct stat *ret_stat)
{
	int fd = open_quietly(path);

	if (fd < 0)
		return -1;
	ssize_t got = -1;

	if (fstat(fd, ret_stat) == 0 && S_ISREG(ret_stat->st_mode))
		got = head_read(fd, follow_is_packed(str_of(path)), out);
	close(fd);
	return (int)got;
}

/* The file begins as it did, and is not shorter than what has been read of it. */
static bool still_holds(const struct follow *follow, int fd)
{
	char head[FOLLOW_HEAD];
	struct stat now;

	if (fstat(fd, &now) != 0)
		return false;
	if (!follow->packed && (uint64_t)now.st_size < follow->read_at)
		return false;
	if (follow->head_len == 0)
		return true;
	ssize_t got = head_read(fd, follow->packed, head);

	return got >= (ssize_t)follow->head_len &&
	       follow_head_hash(str_from(head, follow->head_len)) == follow->head;
}

enum follow_result follow_open(struct follow *follow)
{
	struct stat stat;

	if (follow->fd >= 0)
		return FOLLOW_SOME;
	int fd = open_quietly(follow->path);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? FOLLOW_GONE : FOLLOW_FAILED;
	enum follow_result result = FOLLOW_SOME;

	if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_ino != follow->inode)
		result = FOLLOW_GONE;
	else if (!still_holds(follow, fd))
		result = FOLLOW_REPLACED;
	else if (follow->packed && (follow->inflater = inflater_new()) == NULL)
		result = FOLLOW_FAILED;
	if (result != FOLLOW_SOME) {
		close(fd);
		return result;
	}
	follow->device = stat.st_dev;
	follow->fd = fd;
	return FOLLOW_SOME;
}

static void head_set(struct follow *follow, const char *bytes, size_t len)
{
	follow->head_len = (uint32_t)(len < FOLLOW_HEAD ? len : FOLLOW_HEAD);
	follow->head = follow_head_hash(str_from(bytes, follow->head_len));
}

/* Unpacks the next piece; what was handed on before the file was opened again is passed over. */
static enum follow_result unpack(
    struct follow *follow, char *out, size_t room, size_t *ret_len)
{
	char packed[PACKED];
	ssize_t got = read_at(follow->fd, packed, sizeof(packed), follow->packed_at);
	struct str rest = str_from(packed, got > 0 ? (size_t)got : 0);

	*ret_len = 0;
	if (got <= 0)
		return got < 0 ? FOLLOW_FAILED : FOLLOW_END;
	enum inflated result = inflater_next(follow->inflater, &rest, out, room, ret_len);

	if (result != INFLATE_DONE)
		return FOLLOW_FAILED;
	follow->packed_at += (size_t)got - rest.len;
	if (follow->unpacked_at < follow->read_at) {
		uint64_t left = follow->read_at - follow->unpacked_at;
		size_t drop = left < *ret_len ? (size_t)left : *ret_len;

		memmove(out, out + drop, *ret_len - drop);
		follow->unpacked_at += drop;
		*ret_len -= drop;
	}
	follow->unpacked_at += *ret_len;
	return FOLLOW_AGAIN;
}

static enum follow_result read_packed(
    struct follow *follow, char *out, size_t room, size_t *ret_len)
{
	size_t len = follow->held.len, more, rounds = 64;
	enum follow_result result = FOLLOW_AGAIN;

	if (len > 0)
		memcpy(out, follow->held.ptr, len);
	while (result == FOLLOW_AGAIN && len < room && rounds-- > 0) {
		result = unpack(follow, out + len, room - len, &more);
		len += more;
	}
	*ret_len = len;
	if (follow->read_at == 0 && len > 0)
		head_set(follow, out, len);
	if (result == FOLLOW_FAILED)
		return FOLLOW_FAILED;
	return len > 0 ? FOLLOW_SOME : result;
}

enum follow_result follow_read(struct follow *follow, char *out, size_t room, size_t *ret_len)
{
	*ret_len = 0;
	if (follow->packed)
		return read_packed(follow, out, room, ret_len);
	ssize_t got = read_at(follow->fd, out, room, follow->read_at);

	if (got < 0)
		return FOLLOW_FAILED;
	/* Behind the read: what it gave is of the file as it was until now. */
	if (!still_holds(follow, follow->fd))
		return FOLLOW_REPLACED;
	if (follow->head_len < FOLLOW_HEAD && follow->read_at == 0 && got > 0)
		head_set(follow, out, (size_t)got);
	*ret_len = (size_t)got;
	return got == 0 ? FOLLOW_END : FOLLOW_SOME;
}

/* Once a line or two had come, there was little to know the file by. */
static void head_grow(struct follow *follow)
{
	char head[FOLLOW_HEAD];

	if (follow->packed || follow->head_len == FOLLOW_HEAD ||
	    follow->read_at <= follow->head_len)
		return;
	ssize_t got = read_at(follow->fd, head, sizeof(head), 0);

	if (got > (ssize_t)follow->head_len &&
	    follow_head_hash(str_from(head, follow->head_len)) == follow->head)
		head_set(follow, head, (size_t)got);
}

bool follow_took(struct follow *follow, struct str bytes, size_t took, bool skip)
{
	if (follow->packed) {
		struct str rest = str_slice(bytes, took, bytes.len);

		buf_clear(&follow->held);
		buf_str_put(&follow->held, rest);
		if (follow->held.failed)
			return false;
	}
	follow->read_at += took;
	follow->skip = skip;
	head_grow(follow);
	return true;
}

void follow_row(const struct follow *follow, struct file_row *ret)
{
	*ret = (struct file_row){.device = follow->device,
	    .inode = follow->inode,
	    .head_len = follow->head_len,
	    .head = follow->head,
	    .offset = follow->durable_at,
	    .skip = follow->durable_skip,
	    .path = str_of(follow->path)};
}
