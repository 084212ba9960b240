/*
 * The files that are followed, by inode and by path; those that are to be read next, in turn.
 */
#include "collector/files.h"

#include "base/check.h"
#include "base/hash.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static struct follow **inode_bucket(struct files *files, uint64_t inode)
{
	return &files->inodes[(inode * UINT64_C(0x9e3779b97f4a7c15)) >> 52];
}

static size_t path_hash(struct str path)
{
	return (size_t)hash_sip64(hash_process_key(), path) % FILES_BUCKETS;
}

struct follow *files_by_inode(const struct files *files, uint64_t device, uint64_t inode)
{
	struct follow *f = files->inodes[(inode * UINT64_C(0x9e3779b97f4a7c15)) >> 52];

	while (f != NULL && (f->inode != inode || f->device != device))
		f = f->next_inode;
	return f;
}

struct follow *files_by_path(const struct files *files, struct str path)
{
	struct follow *f = files->paths[path_hash(path)];

	while (f != NULL && !str_eq(str_of(f->path), path))
		f = f->next_path;
	return f;
}

static void unlink_inode(struct files *files, struct follow *follow)
{
	for (struct follow **at = inode_bucket(files, follow->inode); *at != NULL;
	     at = &(*at)->next_inode) {
		if (*at == follow) {
			*at = follow->next_inode;
			return;
		}
	}
}

static void unlink_path(struct files *files, struct follow *follow)
{
	for (struct follow **at = &files->paths[path_hash(str_of(follow->path))]; *at != NULL;
	     at = &(*at)->next_path) {
		if (*at == follow) {
			*at = follow->next_path;
			return;
		}
	}
}

static void link_both(struct files *files, struct follow *follow)
{
	struct follow **inode = inode_bucket(files, follow->inode);
	struct follow **path = &files->paths[path_hash(str_of(follow->path))];

	follow->next_inode = *inode;
	*inode = follow;
	follow->next_path = *path;
	*path = follow;
}

bool files_rename(
    struct files *files, struct follow *follow, const char *path, const struct stat *stat)
{
	unlink_inode(files, follow);
	unlink_path(files, follow);
	bool good = path == follow->path || follow_moved(follow, path);

	files->dirty = true;
	if (stat == NULL)
		return good;
	follow->device = stat->st_dev;
	follow->inode = stat->st_ino;
	link_both(files, follow);
	return good;
}

void files_ring(struct files *files)
{
	uint64_t one = 1;

	CHECK(write(files->bell, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN);
}

void files_ready(struct files *files, struct follow *follow)
{
	if (follow->ready || follow->finished)
		return;
	follow->ready = true;
	follow->next_ready = NULL;
	if (files->ready_last != NULL)
		files->ready_last->next_ready = follow;
	else
		files->ready_first = follow;
	files->ready_last = follow;
	files_ring(files);
}

/* What the configuration says of files of that name. */
static void configure(const struct files *files, struct follow *follow)
{
	const struct config *config = files->intake->config;

	follow->joiner = files->joiner;
	for (size_t i = config_count(config, CONFIG_FILE_MULTILINE); i-- > 0;) {
		struct str pattern = config_name(config, CONFIG_FILE_MULTILINE, i);

		if (fnmatch(pattern.ptr, follow->path, 0) == 0)
			joiner_parse(
			    config_item(config, CONFIG_FILE_MULTILINE, i), &follow->joiner);
	}
	for (size_t i = config_count(config, CONFIG_FILE_DECODERS); i-- > 0;) {
		struct str pattern = config_name(config, CONFIG_FILE_DECODERS, i);

		if (fnmatch(pattern.ptr, follow->path, 0) == 0)
			follow->decoder = config_item(config, CONFIG_FILE_DECODERS, i);
	}
}

/* The folder's watch tells of all files in it. */
void files_watch_folder(struct files *files, const char *path)
{
	char folder[PATH_MAX];
	size_t slash = str_find_last(str_of(path), '/');

	if (files->inotify < 0 || files->folder_count == FILES_FOLDERS)
		return;
	snprintf(folder, sizeof(folder), "%.*s", slash == STR_NOT_FOUND ? 1 : (int)slash + 1,
	    slash == STR_NOT_FOUND ? "." : path);
	/* The same folder, the same number. */
	int wd = inotify_add_watch(files->inotify, folder,
	    IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);

	for (size_t i = 0; wd >= 0 && i < files->folder_count; i++) {
		if (files->folders[i].wd == wd)
			return;
	}
	char *copy = wd < 0 ? NULL : strdup(slash == STR_NOT_FOUND ? "" : folder);

	if (copy != NULL)
		files->folders[files->folder_count++] = (struct folder){wd, copy};
}

struct follow *files_add(struct files *files, const char *path, const struct stat *stat)
{
	if (files->count >= files->files_max) {
		files->listener->counts.refused_connections++;
		return NULL;
	}
	if (files->count == files->capacity) {
		size_t capacity = files->capacity == 0 ? 64 : files->capacity * 2;
		struct follow **all = realloc(files->all, capacity * sizeof(struct follow *));

		if (all == NULL)
			return NULL;
		files->all = all;
		files->capacity = capacity;
	}
	struct follow *follow = follow_new(path, stat);

	if (follow == NULL)
		return NULL;
	follow->grown_ns = files->intake->now_ns;
	follow->seen = files->looks;
	files->all[files->count++] = follow;
	link_both(files, follow);
	configure(files, follow);
	files_watch_folder(files, path);
	files_ready(files, follow);
	files->dirty = true;
	return follow;
}

static void forget(struct files *files, size_t index)
{
	struct follow *follow = files->all[index];

	unlink_inode(files, follow);
	unlink_path(files, follow);
	for (size_t i = 0; i < files->count; i++) {
		if (files->all[i]->before == follow)
			files->all[i]->before = NULL;
	}
	memmove(&files->all[index], &files->all[index + 1],
	    (files->count - index - 1) * sizeof(struct follow *));
	files->count--;
	follow_free(follow);
}

void files_forget(struct files *files)
{
	size_t finished = 0;

	for (size_t i = files->count; i-- > 0;) {
		struct follow *f = files->all[i];

		finished += f->finished;
		if (f->finished && finished > FILES_FINISHED && f->leaving && !f->ready &&
		    f->oldest == NULL)
			forget(files, i);
	}
}
