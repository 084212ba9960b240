#include "collector/identity.h"

#include "base/file.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

#define IDENTITY_TEXT 128

/* "tocsin collector 1 <id> <epoch> <crc32c of what stands before>\n", numbers in hexadecimal. */
static struct str identity_text(const struct identity *identity, char out[IDENTITY_TEXT])
{
	int len = snprintf(out, IDENTITY_TEXT, "tocsin collector 1 %016llx %016llx",
	    (unsigned long long)identity->collector, (unsigned long long)identity->epoch);
	uint32_t crc = hash_crc32c(0, out, (size_t)len);

	len += snprintf(out + len, IDENTITY_TEXT - (size_t)len, " %08x\n", crc);
	return str_from(out, (size_t)len);
}

static int identity_parse(
    const char *path, struct str text, struct identity *ret, struct error *error)
{
	unsigned long long id, epoch;
	char copy[IDENTITY_TEXT], again[IDENTITY_TEXT];

	if (text.len >= sizeof(copy))
		return error_set(error, ERR_CORRUPT, TEXT_collector_identity, path);
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (sscanf(copy, "tocsin collector 1 %16llx %16llx", &id, &epoch) == 2) {
		*ret = (struct identity){.collector = id, .epoch = epoch};
		/* What we would have written, to the byte, checksum included. */
		if (id != 0 && str_eq(text, identity_text(ret, again)))
			return 0;
	}
	return error_set(error, ERR_CORRUPT, TEXT_collector_identity, path);
}

static int identity_write(const char *path, const struct identity *identity, struct error *error)
{
	char text[IDENTITY_TEXT];

	return file_replace(path, identity_text(identity, text), 0600, error);
}

int identity_start(const char *path, int64_t now_ns, struct identity *ret, struct error *error)
{
	struct arena *arena = arena_new(4096);
	struct error missing = {0};
	struct identity identity = {0};
	struct str text;

	if (arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	int code = file_read(arena, path, 1024, &text, &missing);

	if (code == 0) {
		code = identity_parse(path, text, &identity, error);
	} else if (code == ERR_MISSING) {
		code = 0;
		while (identity.collector == 0 && code == 0) {
			if (!hash_random(&identity.collector, sizeof(identity.collector)))
				code = error_set(error, ERR_IO, TEXT_collector_random);
		}
	} else if (error != NULL) {
		*error = missing;
	}
	arena_free(arena);
	if (code < 0)
		return code;
	uint64_t now = now_ns > 0 ? (uint64_t)now_ns : 0;

	identity.epoch = now > identity.epoch ? now : identity.epoch + 1;
	code = identity_write(path, &identity, error);
	if (code == 0)
		*ret = identity;
	return code;
}
