/*
 * local_group.c - committed offsets: hints for lag and for a reader that has no checkpoint.
 *
 * A small file a group and partition, written in place with one call and not synced: offset and its
 * checksum. What does not check out is as good as none; the checkpoint is what counts.
 */
#include "bus/local_topic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"

enum { GROUP_BYTES = 12, GROUP_NAME = 100 };

/* Letters that are no trouble in a file name stay; others become two digits. */
static bool group_name(char out[3 * GROUP_NAME], const char *group, uint32_t partition)
{
	size_t len = 0;

	if (strlen(group) > GROUP_NAME / 2)
		return false;
	for (const char *at = group; *at != '\0'; at++) {
		if (char_is_alpha(*at) || char_is_digit(*at) || *at == '-' || *at == '_')
			out[len++] = *at;
		else
			len += (size_t)snprintf(out + len, 4, "+%02x", (unsigned char)*at);
	}
	(void)snprintf(out + len, 16, ".%08u", partition);
	return true;
}

static int group_open(const struct local_topic *topic, const char *group, uint32_t partition,
    int flags)
{
	char name[3 * GROUP_NAME];

	if (!group_name(name, group, partition)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return openat(topic->folder, name, flags | O_CLOEXEC, 0640);
}

int group_get(const struct local_topic *topic, const char *group, uint32_t partition,
    uint64_t *ret, struct error *error)
{
	char bytes[GROUP_BYTES];
	ssize_t got;
	int fd = group_open(topic, group, partition, O_RDONLY);

	*ret = UINT64_MAX;
	if (fd < 0)
		return errno == ENOENT ? 0 : error_system(error, errno, TEXT_base_open,
		    topic->path);
	got = pread(fd, bytes, sizeof(bytes), 0);
	(void)close(fd);
	if (got == GROUP_BYTES && get_u32(bytes + 8) == hash_crc32c(0, bytes, 8))
		*ret = get_u64(bytes);
	return 0;
}

int group_sync(const struct local_topic *topic, const char *group, uint32_t partition,
    struct error *error)
{
	int fd = group_open(topic, group, partition, O_RDWR), failure = 0;

	if (fd < 0)
		return error_system(error, errno, TEXT_base_open, topic->path);
	if (fdatasync(fd) != 0 || fsync(topic->folder) != 0)
		failure = errno;
	(void)close(fd);
	return failure == 0 ? 0 : error_system(error, failure, TEXT_base_write, topic->path);
}

int group_put(const struct local_topic *topic, const char *group, uint32_t partition,
    uint64_t next, struct error *error)
{
	char bytes[GROUP_BYTES];
	int code = 0, fd = group_open(topic, group, partition, O_WRONLY | O_CREAT);

	if (fd < 0)
		return error_system(error, errno, TEXT_base_open, topic->path);
	set_u64(bytes, next);
	set_u32(bytes + 8, hash_crc32c(0, bytes, 8));
	if (pwrite(fd, bytes, sizeof(bytes), 0) != GROUP_BYTES)
		code = error_system(error, errno, TEXT_base_write, topic->path);
	(void)close(fd);
	return code;
}
