/*
 * rule_file.h - a rule file as a whole: its bytes, and what its documents say of themselves.
 */
#ifndef TOCSIN_CLI_RULE_FILE_H
#define TOCSIN_CLI_RULE_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/yaml.h"

#define RULE_FILE_BYTES ((size_t)4 << 20)

struct rule_file {
	struct str path;     /* where it was read; ended by NUL */
	struct str name;     /* below the folder that it came with */
	struct str text;
	struct hash128 hash; /* of text */
	struct str id;       /* of the first document; may be empty */
	struct str title;
	struct str modified; /* the newest modified, else date, of any document; may be empty */
	struct yaml_node **documents;
	size_t count;
};

enum rule_file_status {
	RULE_FILE_READ = 0,
	RULE_FILE_UNSAFE = 1, /* a link, no plain file, or a name with control characters */
	RULE_FILE_FOREIGN = 2 /* no YAML, or none of its documents is a map */
};

/*
 * Fills *ret, path and name given. Never goes through a link. An enum rule_file_status, or a
 * negative code; *error is filled with RULE_FILE_FOREIGN too.
 */
int rule_file_read(struct arena *arena, struct rule_file *ret, struct error *error);
/* The text of a document's key; empty when there is none. */
struct str rule_file_value(const struct yaml_node *document, const char *key);
/* Dates as YYYY-MM-DD or YYYY/MM/DD; the empty one is the oldest. Like memcmp. */
int rule_date_compare(struct str a, struct str b);
struct hash128 rule_text_hash(struct str text);

#endif
