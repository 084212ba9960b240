/*
 * index.h - what alerts are found by.
 *
 * A facet is (field, folded text) of an alert. Facets stand before the JSON in the document, so
 * that a filter is checked without reading JSON; each is also a posting under (bucket, field,
 * hash), whose answer is always checked again on the document. Time needs no posting: buckets and
 * marks have it.
 */
#ifndef TOCSIN_STORAGE_INDEX_H
#define TOCSIN_STORAGE_INDEX_H

#include "event/alert.h"
#include "storage/day.h"

enum index_field {
	INDEX_RULE = 1, /* id, title, title in Vietnamese */
	INDEX_LEVEL,
	INDEX_AGENCY,
	INDEX_SENDER,
	INDEX_HOST,
	INDEX_USER,
	INDEX_ADDRESS,
	INDEX_REPLAY, /* empty text: live; not posted */
	INDEX_FIELDS
};

#define INDEX_TEXT 1024 /* a longer value is compared by its beginning */

/* The document: version, facets, JSON. */
void index_document(struct buf *out, const struct alert *alert, struct str json);
/* False when it is none of ours. */
bool index_split(struct str row, struct str *ret_facets, struct str *ret_json);
/* Takes one facet off the front. */
bool index_next(struct str *facets, enum index_field *ret_field, struct str *ret_text);
/* Appends the folded form, cut to INDEX_TEXT. */
void index_fold(struct buf *out, struct str text);
/* '*' and '?' (one code point); both folded already. */
bool index_match(struct str pattern, struct str text);

/* The key that postings are hashed with is kept in the file: made from the site's key, not it. */
struct hash128 index_make_key(struct hash_key site);
int index_key(struct db_txn *txn, struct hash_key *ret, struct error *error);

/* Posts all facets of a document, and counts it into its bucket. */
int index_put(struct db_txn *txn, struct hash_key key, uint64_t sequence, int64_t time_ns,
    struct str facets, struct error *error);
/* Sets the bits of the ordinals of a bucket that have this facet. bits: DAY_BUCKET / 64 words. */
int index_read(struct db_txn *txn, struct hash_key key, uint32_t bucket, enum index_field field,
    struct str text, uint64_t *bits, struct error *error);

#endif
