/*
 * file.h - whole files and folders.
 */
#ifndef TOCSIN_BASE_FILE_H
#define TOCSIN_BASE_FILE_H

#include "base/arena.h"
#include "base/error.h"

#include <sys/types.h>

/* Reads a file of at most ceiling bytes into the arena. 0 or a negative code. */
int file_read(struct arena *arena, const char *path, size_t ceiling, struct str *ret,
    struct error *error);
/* Writes beside, syncs, renames over path, syncs the folder: all or nothing. */
int file_replace(const char *path, struct str bytes, unsigned mode, struct error *error);
/* mkdir -p. */
int file_make_folder(const char *path, unsigned mode, struct error *error);
/* The same; those that are made, and only they, belong to uid and gid. */
int file_make_folder_of(
    const char *path, unsigned mode, uid_t uid, gid_t gid, struct error *error);
/*
 * The regular files below path whose name ends in suffix ("" for all), sorted by path, hidden ones
 * and links to folders passed over; a path that is no folder is itself the one file, whatever its
 * name. More than limit of them is ERR_DOCUMENT. Paths end with NUL.
 */
int file_list(struct arena *arena, const char *path, struct str suffix, size_t limit,
    struct str **ret, size_t *ret_count, struct error *error);
/* Syncs the folder that holds path. */
int file_sync_folder(const char *path, struct error *error);

#endif
