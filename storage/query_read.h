/*
 * query_read.h - the child that reads day files, and what it says; private to query.
 *
 * Each question is answered by a forked child over a pipe. The simpler sound way: a list of files
 * that were verified once would say nothing about a bit that flips later, nor about the file that
 * is being written; the child costs a fork (under a millisecond) and whatever happens to it,
 * happens to it alone. It names each file before it opens it: a child that dies names the damaged
 * file, which is left out when the question is asked again.
 */
#ifndef TOCSIN_STORAGE_QUERY_READ_H
#define TOCSIN_STORAGE_QUERY_READ_H

#include "storage/query_filter.h"

enum answer_kind {
	ANSWER_FILE = 'F',     /* name of the file that is read from now on */
	ANSWER_DAMAGED = 'D',  /* struct error: a file that is passed over */
	ANSWER_ALERT = 'A',    /* struct mark, JSON */
	ANSWER_EVIDENCE = 'V', /* a row of the table "evidence" */
	ANSWER_NUMBER = 'N',   /* u64 */
	ANSWER_MATCH = 'M',    /* time and coordinate of what folded */
	ANSWER_ERROR = 'E',    /* struct error: the question failed */
	ANSWER_END = 'Z'
};

#define EXCLUDED_MAX 64

struct reading;

struct question {
	const char *folder;
	int (*read)(struct reading *reading); /* in the child */
	const struct filter *filter;
	struct hash128 id, id_last; /* of alert and evidence: from, to */
	struct str text;	    /* as asked for, for messages */
	char excluded[EXCLUDED_MAX][DAY_NAME];
	size_t excluded_count;
};

/* A file as the child sees it. */
struct reading_file {
	struct day_name name;
	bool known; /* state is known, from the file or from the catalogue */
	bool bad;
	struct day_state state;
	struct db *db;
	struct db_txn *txn;
	struct hash_key key;
};

struct reading {
	const struct question *question;
	struct arena *arena;
	struct reading_file *files; /* oldest first */
	size_t count;
	int out;
	struct error *error; /* why a file is damaged, or the question failed */
};

/*
 * Asks, and gives each answer but ANSWER_FILE and ANSWER_DAMAGED to take, in order, once all has
 * been read. take returns 0, a negative code, or 1 to stop.
 */
int question_ask(struct question *question,
    int (*take)(void *context, enum answer_kind kind, struct str payload), void *context,
    void (*damaged)(void *context, const struct error *error), void *damaged_context,
    struct error *error);

/* In the child. */
void reading_say(
    struct reading *reading, enum answer_kind kind, struct str first, struct str second);
/* False: it cannot be read (and that has been said). */
bool reading_open(struct reading *reading, struct reading_file *file);
/*
 * What db said of the file in reading->error: says so, once, and passes the file over from now on.
 */
void reading_damaged(struct reading *reading, struct reading_file *file);
/* The newest mark of a sequence. DB_FOUND or DB_NOT_FOUND. */
int reading_mark(struct reading *reading, uint64_t sequence, struct mark *ret);
/* The file that holds the document; NULL when it is gone. Files must have been opened. */
struct reading_file *reading_owner(struct reading *reading, uint64_t sequence);
/* Facets and JSON of a document. DB_FOUND or DB_NOT_FOUND. */
int reading_document(struct reading *reading, struct reading_file *file, uint64_t sequence,
    struct str *ret_facets, struct str *ret_json);

/* The questions. */
int read_page(struct reading *reading);
int read_alert(struct reading *reading);
int read_evidence(struct reading *reading);
int read_matches(struct reading *reading);
int read_generation(struct reading *reading);

#endif
