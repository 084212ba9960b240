/*
 * bundle.h - everything that a ruleset is made of, as one run of bytes: the files of rules and of
 * lists as they were read, and the options that decide what becomes of them.
 *
 * Two equal bundles make the same ruleset (of one version of this program), so the hash of a bundle
 * names what is in force. The bytes are kept in the checkpoint; docs/wire.md, section 8, has their
 * layout.
 */
#ifndef TOCSIN_SIGMA_BUNDLE_H
#define TOCSIN_SIGMA_BUNDLE_H

#include "base/buf.h"
#include "base/hash.h"
#include "sigma/ruleset.h"

#define BUNDLE_MAX ((size_t)256 << 20)

enum bundle_kind { BUNDLE_RULES = 1, BUNDLE_LIST = 2 };

/*
 * Reads all files that the options name into out, which has a ceiling. One that cannot be read is
 * told to options->refused and counted. 0, or a negative code: a path is not there, no memory.
 */
int bundle_gather(struct buf *out, const struct ruleset_options *options, size_t *ret_unread,
    struct error *error);
struct hash128 bundle_hash(struct str bundle);

struct bundle_head {
	uint32_t regex_steps;
	bool skip_deprecated;
};

struct bundle_file {
	enum bundle_kind kind;
	struct str name, text;
};

/* The parts of an empty bundle, for one that is made of texts. */
void bundle_begin(struct buf *out, const struct bundle_head *head);
void bundle_add(struct buf *out, const struct bundle_file *file);
/* Takes the head off the front of *rest. 0, ERR_CORRUPT, ERR_VERSION. */
int bundle_open(struct str *rest, struct bundle_head *ret);
/* Takes a file off the front of *rest, which is not empty. 0 or ERR_CORRUPT. */
int bundle_next(struct str *rest, struct bundle_file *ret);

#endif
