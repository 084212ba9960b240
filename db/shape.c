/*
 * shape.c - reads both meta pages of a file with pread, before LMDB maps it.
 *
 * LMDB trusts its file: a truncated one is SIGBUS at the first touch, a foreign one an assertion.
 * The offsets are those of LMDB's data version 1 on 64-bit machines: a page head of 16 bytes, then
 * struct MDB_meta. Its two meta pages are written in turn, by the parity of the transaction, so in
 * a sound file that is synced their numbers are neighbours.
 */
#include "db/private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

_Static_assert(sizeof(size_t) == 8 && sizeof(void *) == 8,
    "the layout of meta pages is of 64 bits");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "LMDB writes in the machine's order");

enum {
	META_MAGIC = 16, META_VERSION = 20, META_PAGE_BYTES = 40, META_LAST_PAGE = 136,
	META_TXN = 144, META_BYTES = 152, PAGE_FLAGS = 10, PAGE_IS_META = 0x08, LMDB_VERSION = 1
};
#define LMDB_MAGIC 0xBEEFC0DEu

struct meta {
	char bytes[META_BYTES];
	uint64_t last_page, txn;
};

static int meta_read(int fd, off_t at, struct meta *ret)
{
	ssize_t got = pread(fd, ret->bytes, META_BYTES, at);

	if (got != META_BYTES)
		return ERR_CORRUPT;
	if (get_u32(ret->bytes + META_MAGIC) != LMDB_MAGIC
	    || (get_u16(ret->bytes + PAGE_FLAGS) & PAGE_IS_META) == 0)
		return ERR_FOREIGN;
	if (get_u32(ret->bytes + META_VERSION) != LMDB_VERSION)
		return ERR_VERSION;
	ret->last_page = get_u64(ret->bytes + META_LAST_PAGE);
	ret->txn = get_u64(ret->bytes + META_TXN);
	return 0;
}

static bool metas_agree(const struct meta *even, const struct meta *odd, bool synced)
{
	if (even->txn == 0 && odd->txn == 0)
		return true;
	if ((even->txn & 1) != 0 || (odd->txn & 1) != 1)
		return false;
	return !synced || even->txn + 1 == odd->txn || odd->txn + 1 == even->txn;
}

static int shape_of(int fd, const char *path, bool synced, struct db_shape *ret,
    struct error *error)
{
	struct meta even = {0}, odd = {0};
	const struct meta *newest;
	int code = meta_read(fd, 0, &even);

	ret->page_bytes = get_u32(even.bytes + META_PAGE_BYTES);
	if (code == ERR_FOREIGN)
		return error_set(error, code, TEXT_db_foreign, path, "LMDB");
	if (code == ERR_VERSION)
		return error_set(error, code, TEXT_db_version, path,
		    get_u32(even.bytes + META_VERSION), (unsigned)LMDB_VERSION);
	if (code == ERR_CORRUPT)
		return error_set(error, code, TEXT_db_truncated, path,
		    (unsigned long long)ret->file_bytes, (unsigned long long)META_BYTES);
	if (ret->page_bytes < 256 || ret->page_bytes > 65536
	    || (ret->page_bytes & (ret->page_bytes - 1)) != 0)
		return error_set(error, ERR_CORRUPT, TEXT_db_meta, path);
	if (ret->file_bytes < 2 * (uint64_t)ret->page_bytes)
		return error_set(error, ERR_CORRUPT, TEXT_db_truncated, path,
		    (unsigned long long)ret->file_bytes, 2ull * ret->page_bytes);
	if (meta_read(fd, ret->page_bytes, &odd) != 0 || !metas_agree(&even, &odd, synced)
	    || get_u32(odd.bytes + META_PAGE_BYTES) != ret->page_bytes)
		return error_set(error, ERR_CORRUPT, TEXT_db_meta, path);
	newest = odd.txn > even.txn ? &odd : &even;
	if (newest->last_page >= UINT64_MAX / 65536 - 1)
		return error_set(error, ERR_CORRUPT, TEXT_db_meta, path);
	ret->needed_bytes = (newest->last_page + 1) * ret->page_bytes;
	return 0;
}

static int shape_try(const char *path, bool synced, struct db_shape *ret, struct error *error)
{
	struct stat st;
	int code, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return error_set(error, ERR_MISSING, TEXT_db_missing, path);
	if (fd < 0)
		return error_system(error, errno, TEXT_db_open, path);
	if (fstat(fd, &st) != 0) {
		code = error_system(error, errno, TEXT_db_open, path);
	} else if (!S_ISREG(st.st_mode)) {
		code = error_set(error, ERR_FOREIGN, TEXT_db_foreign, path, "LMDB");
	} else if (st.st_size == 0) {
		code = error_set(error, ERR_CORRUPT, TEXT_db_empty, path);
	} else {
		*ret = (struct db_shape){.device = st.st_dev, .inode = st.st_ino,
			.file_bytes = (uint64_t)st.st_size};
		code = shape_of(fd, path, synced, ret, error);
	}
	(void)close(fd);
	return code;
}

/* A writer may pass between the two reads, so that what looks wrong is looked at again. */
int db_shape_read(const char *path, bool synced, struct db_shape *ret, struct error *error)
{
	struct error ignored;
	int code = ERR_CORRUPT;

	for (int i = 0; i < 20; i++) {
		error_clear(&ignored);
		code = shape_try(path, synced, ret, &ignored);
		if (code != ERR_CORRUPT)
			break;
	}
	if (code != 0 && error != NULL && error->code == 0)
		*error = ignored;
	return code;
}
