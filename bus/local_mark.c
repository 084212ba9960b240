/*
 * local_mark.c - which segment a process was in when it died.
 *
 * LMDB follows what it finds in a damaged file, and one image in a hundred ends the process; the
 * next one would die of it again. So each handle names the segment that it is about to follow in a
 * small mapped file of its own, held under flock for its life, and 0 when it is out of it: a store
 * to memory, which the page cache keeps when the process goes. Whoever opens the topic next reads
 * what the dead have left, and has that one segment read through in a child (db_verify). If it is
 * damaged, an empty file beside it says so for ever (".damaged", whoever has mended it removes
 * that), and it is a gap. kill -9 leaves the same mark, and costs one reading of one segment.
 */
#include "bus/local_topic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK_PREFIX "reading."
#define MARK_BYTES  4096

static char *damaged_path(const struct local_topic *topic, uint64_t sequence)
{
	char *path;

	if (asprintf(&path, "%s/%020llu.damaged", topic->path, (unsigned long long)sequence) < 0)
		return NULL;
	return path;
}

bool mark_is_damaged(const struct local_topic *topic, uint64_t sequence)
{
	char *path = damaged_path(topic, sequence);
	bool damaged = path != NULL && access(path, F_OK) == 0;

	free(path);
	return damaged;
}

void mark_forget(const struct local_topic *topic, uint64_t sequence)
{
	char *path = damaged_path(topic, sequence);

	if (path != NULL)
		(void)unlink(path);
	free(path);
}

static void set_aside(const struct local_topic *topic, uint64_t sequence)
{
	char *path = damaged_path(topic, sequence);
	int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	if (fd >= 0)
		(void)close(fd);
	free(path);
}

/* What a dead process was in; 0: nothing, or it lives. */
static uint64_t mark_take(const struct local_topic *topic, const char *name)
{
	int fd = openat(topic->folder, name, O_RDONLY | O_CLOEXEC);
	uint64_t sequence = 0;

	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		if (pread(fd, &sequence, sizeof(sequence), 0) != sizeof(sequence))
			sequence = 0;
		(void)unlinkat(topic->folder, name, 0);
	}
	(void)close(fd);
	return sequence;
}

void mark_inspect(struct local_topic *topic)
{
	int copy = openat(topic->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (folder == NULL && copy >= 0)
		(void)close(copy);
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		uint64_t sequence = 0;

		if (strncmp(entry->d_name, MARK_PREFIX, strlen(MARK_PREFIX)) == 0)
			sequence = mark_take(topic, entry->d_name);
		if (sequence != 0 && !mark_is_damaged(topic, sequence) &&
		    segment_verify(topic, sequence) == ERR_CORRUPT)
			set_aside(topic, sequence);
	}
	if (folder != NULL)
		(void)closedir(folder);
}

/* Without room for it the handle works on, unmarked. */
void mark_begin(struct local_topic *topic)
{
	void *map = MAP_FAILED;

	topic->mark = &topic->unmarked;
	if (asprintf(&topic->mark_path, "%s/" MARK_PREFIX "XXXXXX", topic->path) < 0) {
		topic->mark_path = NULL;
		return;
	}
	topic->mark_file = mkostemp(topic->mark_path, O_CLOEXEC);
	if (topic->mark_file >= 0 && flock(topic->mark_file, LOCK_EX | LOCK_NB) == 0 &&
	    posix_fallocate(topic->mark_file, 0, MARK_BYTES) == 0)
		map = mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		    topic->mark_file, 0);
	if (map != MAP_FAILED)
		topic->mark = map;
}

void mark_end(struct local_topic *topic)
{
	if (topic->mark != NULL && topic->mark != &topic->unmarked)
		(void)munmap(topic->mark, MARK_BYTES);
	topic->mark = NULL;
	if (topic->mark_file >= 0) {
		(void)unlink(topic->mark_path);
		(void)close(topic->mark_file);
	}
	topic->mark_file = -1;
	free(topic->mark_path);
	topic->mark_path = NULL;
}

void mark_set(struct local_topic *topic, uint64_t sequence)
{
	__atomic_store_n(topic->mark, sequence, __ATOMIC_SEQ_CST);
}
