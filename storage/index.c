/*
 * index.c - facets and postings.
 *
 * Cost: one posting of 8 bytes a facet. Keys begin with the bucket, so that a transaction touches
 * few pages: one flat index wrote forty times more. A posting carries its own CRC, as rows of a
 * table with duplicates have none.
 */
#include "storage/index.h"

#include "base/utf8.h"
#include "storage/words.h"

#define DOCUMENT_VERSION 1
#define KEY_LEN		 14

void index_fold(struct buf *out, struct str text)
{
	size_t before = out->len;

	utf8_fold_put(out, str_slice(text, 0, INDEX_TEXT));
	if (out->len - before > INDEX_TEXT)
		out->len = before + INDEX_TEXT;
}

static void facet(struct buf *out, enum index_field field, struct str text)
{
	struct buf folded = BUF(4 * INDEX_TEXT + 16);

	index_fold(&folded, text);
	out->failed |= folded.failed;
	buf_u8(out, (uint8_t)field);
	buf_varint(out, folded.len);
	buf_put(out, folded.ptr, folded.len);
	buf_free(&folded);
}

static void facet_unless_empty(struct buf *out, enum index_field field, struct str text)
{
	if (text.len > 0)
		facet(out, field, text);
}

static void facets_put(struct buf *out, const struct alert *alert)
{
	const struct alert_rule *rule = &alert->rule;

	facet(out, INDEX_LEVEL, level_name(rule->level));
	facet_unless_empty(out, INDEX_REPLAY, alert->replay);
	facet_unless_empty(out, INDEX_RULE, rule->id);
	if (!str_eq(rule->title, rule->id))
		facet_unless_empty(out, INDEX_RULE, rule->title);
	if (!str_eq(rule->title_vi, rule->title))
		facet_unless_empty(out, INDEX_RULE, rule->title_vi);
	facet_unless_empty(out, INDEX_AGENCY, alert->agency);
	facet_unless_empty(out, INDEX_SENDER, alert->sender);
	facet_unless_empty(out, INDEX_HOST, alert->host);
	facet_unless_empty(out, INDEX_USER, alert->user);
	for (size_t i = 0; i < alert->address_count; i++)
		facet_unless_empty(out, INDEX_ADDRESS, alert->addresses[i]);
}

void index_document(struct buf *out, const struct alert *alert, struct str json)
{
	struct buf facets = BUF(1u << 20);

	facets_put(&facets, alert);
	out->failed |= facets.failed;
	buf_u8(out, DOCUMENT_VERSION);
	buf_varint(out, facets.len);
	buf_put(out, facets.ptr, facets.len);
	buf_str_put(out, json);
	buf_free(&facets);
}

bool index_split(struct str row, struct str *ret_facets, struct str *ret_json)
{
	uint64_t len;

	if (row.len < 1 || row.ptr[0] != DOCUMENT_VERSION)
		return false;
	row = str_slice(row, 1, row.len);
	if (!take_varint(&row, &len) || !take_bytes(&row, len, ret_facets))
		return false;
	*ret_json = row;
	return true;
}

bool index_next(struct str *facets, enum index_field *ret_field, struct str *ret_text)
{
	struct str field;
	uint64_t len;

	if (!take_bytes(facets, 1, &field) || !take_varint(facets, &len) ||
	    !take_bytes(facets, len, ret_text))
		return false;
	*ret_field = (enum index_field)(uint8_t)field.ptr[0];
	return true;
}

static size_t step(struct str text, size_t at)
{
	size_t len;

	(void)utf8_decode(str_slice(text, at, text.len), &len);
	return len;
}

/* The last '*' is the only one that need be taken up again: linear for one, quadratic at worst. */
bool index_match(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = STR_NOT_FOUND, mark = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.len && pattern.ptr[p] == '?') {
			p++;
			t += step(text, t);
		} else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
			p++;
			t++;
		} else if (star != STR_NOT_FOUND) {
			p = star + 1;
			t = mark += step(text, mark);
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

struct hash128 index_make_key(struct hash_key site)
{
	return hash_sip128(site, STR("tocsin.storage.index"));
}

int index_key(struct db_txn *txn, struct hash_key *ret, struct error *error)
{
	struct str row;
	int code = db_get(txn, TABLE_META, STR("key"), &row, error);

	if (code < 0)
		return code;
	return code == DB_FOUND && words_get(row, ret, sizeof(*ret)) ? 0 : day_damaged(error);
}

static struct str posting_key(char out[KEY_LEN], struct hash_key key, uint32_t bucket,
    enum index_field field, struct str text)
{
	db_key_u32(out, bucket);
	out[4] = 0;
	out[5] = (char)field;
	db_key_u64(out + 6, hash_sip64(key, text));
	return str_from(out, KEY_LEN);
}

static uint32_t posting_crc(struct str key, uint32_t ordinal)
{
	return hash_crc32c(hash_crc32c(0, key.ptr, key.len), &ordinal, sizeof(ordinal));
}

static int bucket_count(struct db_txn *txn, uint32_t bucket, int64_t time_ns, struct error *error)
{
	struct bucket counted = {INT64_MAX, INT64_MIN, 0};
	struct words words;
	struct str row;
	char key[4];

	db_key_u32(key, bucket);
	int code = db_get(txn, TABLE_BUCKET, str_from(key, 4), &row, error);

	if (code == DB_FOUND && !words_get(row, &counted, sizeof(counted)))
		code = day_damaged(error);
	if (code < 0)
		return code;
	counted.count++;
	counted.min_ns = time_ns < counted.min_ns ? time_ns : counted.min_ns;
	counted.max_ns = time_ns > counted.max_ns ? time_ns : counted.max_ns;
	return db_put(txn, TABLE_BUCKET, str_from(key, 4),
	    words_put(&words, &counted, sizeof(counted)), 0, error);
}

int index_put(struct db_txn *txn, struct hash_key key, uint64_t sequence, int64_t time_ns,
    struct str facets, struct error *error)
{
	uint32_t bucket = (uint32_t)(sequence / DAY_BUCKET);
	uint32_t ordinal = (uint32_t)(sequence % DAY_BUCKET);
	char at[KEY_LEN], value[8];
	enum index_field field;
	struct str text;
	int code = bucket_count(txn, bucket, time_ns, error);

	while (code >= 0 && index_next(&facets, &field, &text)) {
		if (field == INDEX_REPLAY)
			continue;
		struct str place = posting_key(at, key, bucket, field, text);

		db_key_u32(value, ordinal);
		db_key_u32(value + 4, posting_crc(place, ordinal));
		code = db_put(txn, TABLE_IX, place, str_from(value, 8), 0, error);
	}
	return code < 0 ? code : 0;
}

int index_read(struct db_txn *txn, struct hash_key key, uint32_t bucket, enum index_field field,
    struct str text, uint64_t *bits, struct error *error)
{
	char at[KEY_LEN];
	struct str place = posting_key(at, key, bucket, field, text), found = place, value;
	struct db_cursor *cursor;
	int code = db_cursor_open(txn, TABLE_IX, &cursor, error);

	if (code != 0)
		return code;
	code = db_cursor_get(cursor, DB_EXACT, &found, &value, error);
	while (code == DB_FOUND) {
		uint32_t ordinal = value.len == 8 ? db_key_get_u32(value.ptr) : DAY_BUCKET;

		if (ordinal >= DAY_BUCKET ||
		    db_key_get_u32(value.ptr + 4) != posting_crc(place, ordinal))
			code = day_damaged(error);
		else
			bits[ordinal / 64] |= UINT64_C(1) << (ordinal % 64);
		if (code == DB_FOUND)
			code = db_cursor_get(cursor, DB_NEXT_DUPLICATE, &found, &value, error);
	}
	db_cursor_close(cursor);
	return code < 0 ? code : 0;
}
