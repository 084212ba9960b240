#include "base/file.h"

#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS_DEEP 32u

/* Stops at the end, at an error, or one byte past the ceiling, which tells "larger" from "full". */
static int read_all(int fd, size_t ceiling, struct buf *out)
{
	while (out->len <= ceiling && !out->failed) {
		char chunk[16384];
		size_t room = ceiling + 1 - out->len;
		ssize_t got = read(fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (got == 0)
			return 0;
		buf_put(out, chunk, (size_t)got);
	}
	return 0;
}

int file_read(
    struct arena *arena, const char *path, size_t ceiling, struct str *ret, struct error *error)
{
	struct buf bytes = BUF(ceiling + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_system(error, errno, TEXT_base_open, path);
	int system = read_all(fd, ceiling, &bytes);
	int code = 0;

	close(fd);
	if (system != 0)
		code = error_system(error, system, TEXT_base_read, path);
	else if (bytes.failed)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	else if (bytes.len > ceiling)
		code = error_set(error, ERR_DOCUMENT, TEXT_base_too_large, path, ceiling);
	else
		*ret = arena_dup(arena, buf_str(&bytes));
	if (code == 0 && ret->ptr == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	buf_free(&bytes);
	return code;
}

static int write_all(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t put = write(fd, bytes.ptr, bytes.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno;
		bytes = str_slice(bytes, (size_t)put, bytes.len);
	}
	return 0;
}

int file_replace(const char *path, struct str bytes, unsigned mode, struct error *error)
{
	char beside[PATH_MAX];

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
		return error_system(error, ENAMETOOLONG, TEXT_base_write, path);
	int fd = mkostemp(beside, O_CLOEXEC);

	if (fd < 0)
		return error_system(error, errno, TEXT_base_write, path);
	int system = write_all(fd, bytes);

	if (system == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		system = errno;
	if (close(fd) != 0 && system == 0)
		system = errno;
	if (system == 0 && rename(beside, path) != 0)
		system = errno;
	if (system != 0) {
		unlink(beside);
		return error_system(error, system, TEXT_base_write, path);
	}
	return file_sync_folder(path, error);
}

int file_sync_folder(const char *path, struct error *error)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);

	snprintf(folder, sizeof(folder), "%.*s", len, slash == NULL ? "." : path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_system(error, errno, TEXT_base_open, folder);
	int system = fsync(fd) == 0 ? 0 : errno;

	close(fd);
	/*
	 * A file system that cannot sync a folder says EINVAL; there is nothing better to do there.
	 */
	return system == 0 || system == EINVAL
		   ? 0
		   : error_system(error, system, TEXT_base_write, folder);
}

#define NOBODY UINT32_MAX /* as chown has it: the owner stays */

static int make_one(const char *path, unsigned mode, uid_t uid, gid_t gid)
{
	struct stat stat_;

	if (mkdir(path, mode) == 0)
		return uid != NOBODY && lchown(path, uid, gid) != 0 ? errno : 0;
	int system = errno;

	/* A read-only or forbidden parent may answer so for a folder that exists. */
	if (stat(path, &stat_) == 0)
		return S_ISDIR(stat_.st_mode) ? 0 : ENOTDIR;
	return system;
}

int file_make_folder(const char *path, unsigned mode, struct error *error)
{
	return file_make_folder_of(path, mode, NOBODY, NOBODY, error);
}

int file_make_folder_of(
    const char *path, unsigned mode, uid_t uid, gid_t gid, struct error *error)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return error_system(error, len == 0 ? ENOENT : ENAMETOOLONG, TEXT_base_write, path);
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		char kept = part[i];

		part[i] = '\0';
		int system = make_one(part, mode, uid, gid);

		if (system != 0)
			return error_system(error, system, TEXT_base_write, part);
		part[i] = kept;
	}
	return 0;
}

/* A walk below a folder; what is found is a chain in the arena, made an array and sorted after. */
struct found {
	struct found *next;
	struct str path;
};

struct walk {
	struct arena *arena;
	struct str suffix;
	size_t limit;
	size_t count;
	struct found *found;
	struct error *error;
};

static int walk_keep(struct walk *walk, const char *path)
{
	if (walk->count == walk->limit)
		return error_set(walk->error, ERR_DOCUMENT, TEXT_base_many_files, walk->limit);
	struct found *found = arena_alloc(walk->arena, sizeof(*found));
	char *copy = arena_cstr(walk->arena, str_of(path));

	if (found == NULL || copy == NULL)
		return error_set(walk->error, ERR_MEMORY, TEXT_base_memory);
	*found = (struct found){walk->found, str_of(copy)};
	walk->found = found;
	walk->count++;
	return 0;
}

static int walk_folder(struct walk *walk, const char *path, unsigned depth);

static int walk_entry(struct walk *walk, const char *path, const char *name, unsigned depth)
{
	char full[PATH_MAX];
	struct stat itself, target;

	if (name[0] == '.')
		return 0;
	if (snprintf(full, sizeof(full), "%s/%s", path, name) >= (int)sizeof(full))
		return error_system(walk->error, ENAMETOOLONG, TEXT_base_open, path);
	/*
	 * What has vanished since the folder was read, and links that lead nowhere, are not there.
	 */
	if (lstat(full, &itself) != 0 || stat(full, &target) != 0)
		return 0;
	if (S_ISDIR(itself.st_mode))
		return walk_folder(walk, full, depth + 1);
	if (S_ISREG(target.st_mode) && str_ends(str_of(name), walk->suffix))
		return walk_keep(walk, full);
	return 0;
}

static int walk_folder(struct walk *walk, const char *path, unsigned depth)
{
	if (depth > FOLDERS_DEEP)
		return error_system(walk->error, ELOOP, TEXT_base_open, path);
	DIR *folder = opendir(path);

	if (folder == NULL)
		return error_system(walk->error, errno, TEXT_base_open, path);
	int code = 0;
	struct dirent *entry;

	errno = 0;
	while (code == 0 && (entry = readdir(folder)) != NULL) {
		code = walk_entry(walk, path, entry->d_name, depth);
		errno = 0;
	}
	if (code == 0 && errno != 0)
		code = error_system(walk->error, errno, TEXT_base_read, path);
	closedir(folder);
	return code;
}

static int by_path(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

int file_list(struct arena *arena, const char *path, struct str suffix, size_t limit,
    struct str **ret, size_t *ret_count, struct error *error)
{
	struct walk walk = {arena, suffix, limit, 0, NULL, error};
	struct stat target;

	if (stat(path, &target) != 0)
		return error_system(error, errno, TEXT_base_open, path);
	int code = S_ISDIR(target.st_mode) ? walk_folder(&walk, path, 1) : walk_keep(&walk, path);

	if (code != 0)
		return code;
	struct str *paths = arena_array(arena, walk.count, sizeof(*paths));

	if (paths == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	size_t at = 0;

	for (const struct found *found = walk.found; found != NULL; found = found->next)
		paths[at++] = found->path;
	qsort(paths, walk.count, sizeof(*paths), by_path);
	*ret = paths;
	*ret_count = walk.count;
	return 0;
}
