/*
 * manifest.h - what imports have put into a folder of rules: .tocsin-import.json in that folder.
 *
 * The hash of each file as it was imported tells later whether somebody has edited it since.
 */
#ifndef TOCSIN_CLI_MANIFEST_H
#define TOCSIN_CLI_MANIFEST_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

struct manifest;

struct manifest_entry {
	struct str name;     /* below the folder */
	struct str id, modified, source;
	struct hash128 hash; /* of the bytes that were written */
	int64_t imported_ns;
};

/* Of that folder; empty when there is none yet. ERR_CORRUPT when it cannot be understood. */
int manifest_open(struct manifest **ret, const char *folder, struct error *error);
void manifest_close(struct manifest *manifest); /* accepts NULL */
const struct manifest_entry *manifest_find(const struct manifest *manifest, struct str name);
/* One of that rule; NULL for an empty id. */
const struct manifest_entry *manifest_find_id(const struct manifest *manifest, struct str id);
/* Copied; in place of one of that name. False without memory. */
bool manifest_put(struct manifest *manifest, const struct manifest_entry *entry);
void manifest_drop(struct manifest *manifest, struct str name);
/* All or nothing. */
int manifest_save(const struct manifest *manifest, struct error *error);

#endif
