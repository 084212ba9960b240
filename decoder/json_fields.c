#include "decoder/json_fields.h"

#include "decoder/json_mask.h"
#include "decoder/json_scan.h"
#include "decoder/json_unescape.h"

#if CPU_HAS_V3
#include <emmintrin.h> /* every x86-64 has it */
#endif

#define WALK_DEPTH 64u

#define INLINE inline __attribute__((always_inline))

/* An object or array that the walk is in. */
struct container {
	struct str name; /* of elements; of members what stands before their own */
	bool object;
};

/* What does not change from one string to the next, and what is seldom needed. */
struct ground {
	struct str text; /* without white space at its ends; the last byte is '}' */
	struct json_masks masks;
	struct record *record;
	struct notes *notes;
	struct keybook *book;     /* NULL: names are not looked up here */
	char *room;               /* of unescaped strings; NULL before the first */
	size_t escape;            /* the first escape behind the last string that had some */
	json_unescape_fn *unescape;
	enum cpu_level level;
};

/* What does; its address goes nowhere, so that it stays in registers. */
struct walk {
	const char *text;
	const uint64_t *quotes;
	size_t at, len;
	size_t escape; /* the first escape behind the last string, or SIZE_MAX */
	struct field *out, *limit;
};

/*
 * The last byte of the text is '}', and nothing but the outermost object's end accepts it at its
 * place: so every step that stops at a byte that it does not expect stays inside.
 */
static INLINE char space(struct walk *w)
{
	char c = w->text[w->at];

	while (__builtin_expect((unsigned char)c <= ' ', 0) &&
	    (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
		c = w->text[++w->at];
	return c;
}

/* The first quote at or behind from; when there is none, one behind the text's end. */
static INLINE size_t quote_find(const struct walk *w, size_t from)
{
	const uint64_t *word = &w->quotes[from / 64];
	uint64_t left = *word >> from % 64;

	if (__builtin_expect(left != 0, 1))
		return from + (unsigned)__builtin_ctzll(left);
	do
		left = *++word;
	while (left == 0);
	return (size_t)(word - w->quotes) * 64 + (unsigned)__builtin_ctzll(left);
}

static INLINE size_t escape_from(const struct ground *ground, size_t from)
{
	const uint64_t *escapes = ground->masks.escapes;
	size_t word = from / 64;
	uint64_t left = escapes[word] & UINT64_MAX << from % 64;

	while (left == 0) {
		if (++word >= ground->masks.words)
			return SIZE_MAX;
		left = escapes[word];
	}
	return word * 64 + (unsigned)__builtin_ctzll(left);
}

/*
 * The string between two quotes, which has escapes; ground->escape becomes the one behind. No
 * escape is shorter than what it stands for, so one room as long as the text is enough for all.
 */
static struct str unescaped(struct ground *ground, size_t from, size_t to)
{
	if (ground->room == NULL)
		ground->room = arena_alloc(
		    ground->record->arena, ground->text.len + JSON_UNESCAPE_SLACK);
	if (ground->room == NULL)
		return STR_NONE;
	char *start = ground->room;
	size_t len = ground->unescape(start, ground->text, from, to, &ground->masks);

	if (len == SIZE_MAX)
		return STR_NONE;
	ground->room += len;
	ground->escape = escape_from(ground, to);
	return (struct str){start, len};
}

/* The string whose opening quote is at w->at; w->at is left behind the closing one. */
static INLINE bool string_take(struct walk *w, struct ground *ground, struct str *ret)
{
	size_t open = w->at, close = quote_find(w, open + 1);

	w->at = close + 1;
	if (__builtin_expect(close >= w->len, 0))
		return false;
	if (__builtin_expect(w->escape < close, 0)) {
		*ret = unescaped(ground, open + 1, close);
		w->escape = ground->escape;
		return ret->ptr != NULL;
	}
	*ret = (struct str){w->text + open + 1, close - open - 1};
	return true;
}

static INLINE bool digits_take(struct walk *w)
{
	size_t from = w->at;

	while (char_is_digit(w->text[w->at]))
		w->at++;
	return w->at > from;
}

static INLINE bool number_take(struct walk *w, struct str *ret)
{
	size_t from = w->at;

	w->at += w->text[w->at] == '-';
	if (!digits_take(w))
		return false;
	if (w->text[w->at] == '.') {
		w->at++;
		if (!digits_take(w))
			return false;
	}
	if ((w->text[w->at] | 0x20) == 'e') {
		w->at++;
		w->at += w->text[w->at] == '+' || w->text[w->at] == '-';
		if (!digits_take(w))
			return false;
	}
	*ret = (struct str){w->text + from, w->at - from};
	return true;
}

static bool word_take(const char *at, const char *word)
{
	while (*word != '\0' && *at == *word) {
		at++;
		word++;
	}
	return *word == '\0';
}

static INLINE bool scalar_take(struct walk *w, struct field *field)
{
	static const struct {
		const char *word;
		size_t len;
		enum field_kind kind;
	} words[] = {{"true", 4, FIELD_BOOL}, {"false", 5, FIELD_BOOL}, {"null", 4, FIELD_NULL}};
	char c = w->text[w->at];

	if (c == '-' || char_is_digit(c)) {
		field->kind = FIELD_NUMBER;
		return number_take(w, &field->value);
	}
	for (size_t i = 0; i < 3; i++) {
		if (!word_take(w->text + w->at, words[i].word))
			continue;
		field->kind = words[i].kind;
		field->value = (struct str){w->text + w->at, words[i].len};
		w->at += words[i].len;
		return true;
	}
	return false;
}

/* "outer.key" */
static struct str joined(struct record *record, struct str outer, struct str key)
{
	char *name = arena_alloc(record->arena, outer.len + 1 + key.len);

	if (name == NULL)
		return STR_NONE;
	memcpy(name, outer.ptr, outer.len);
	name[outer.len] = '.';
	memcpy(name + outer.len + 1, key.ptr, key.len);
	return str_from(name, outer.len + 1 + key.len);
}

static INLINE bool name_take(struct walk *w, struct ground *ground, struct str outer,
    struct str *ret)
{
	if (space(w) != '"' || !string_take(w, ground, ret) || space(w) != ':')
		return false;
	w->at++;
	if (__builtin_expect(outer.ptr != NULL, 0))
		*ret = joined(ground->record, outer, *ret);
	return ret->ptr != NULL;
}

/* Room for one more field, with those before out counted. */
static bool room_make(struct record *record, const struct field *out)
{
	if (record->fields != NULL)
		record->field_count = (size_t)(out - record->fields);
	return record->field_count < record->field_ceiling && record_room(record);
}

static void name_note(struct ground *ground, size_t index, struct str name)
{
	struct key room;

	notes_key(ground->notes, ground->record, index,
	    keybook_find(ground->book, name, &room));
}

static INLINE bool value_take(struct walk *w, struct ground *ground, struct str name, char c)
{
	struct record *record = ground->record;
	struct field *out = w->out;

	if (__builtin_expect(out == w->limit, 0)) {
		if (!room_make(record, out))
			return false;
		out = record->fields + record->field_count;
		w->limit = record->fields + record->field_capacity;
	}
	w->out = out + 1;
	out->name = name;
	out->kind = FIELD_STRING;
	if (!(c == '"' ? string_take(w, ground, &out->value) : scalar_take(w, out)))
		return false;
	if (ground->book != NULL)
		name_note(ground, (size_t)(out - record->fields), name);
	return true;
}

static INLINE unsigned pair_at(const char *at)
{
	return (unsigned)(uint8_t)at[0] | (unsigned)(uint8_t)at[1] << 8;
}

#define PAIR(a, b) ((unsigned)(a) | (unsigned)(b) << 8)

/* The end of the integer at from, or from when there is none. */
static INLINE size_t integer_end(const struct walk *w, size_t from)
{
	while (char_is_digit(w->text[from]))
		from++;
	return from;
}

/* What is known of a name of at most 16 bytes, behind which 40 more are to be read; or NULL. */
static INLINE const struct key *key_find(const struct keybook *book, struct str name,
    enum cpu_level level)
{
	uint64_t ends[2] = {0, 0};

#if CPU_HAS_V3
	static const char ones[32] = "\377\377\377\377\377\377\377\377"
				     "\377\377\377\377\377\377\377\377";

	if (level == CPU_V3) {
		__m128i text = _mm_loadu_si128((const void *)name.ptr);
		__m128i mask = _mm_loadu_si128((const void *)(ones + 16 - name.len));

		text = _mm_and_si128(text, mask);
		return keybook_short(book, (uint64_t)_mm_cvtsi128_si64(text),
		    (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(text, text)), name.len);
	}
#endif
	(void)level;
	memcpy(ends, name.ptr, name.len);
	return keybook_short(book, ends[0], ends[1], name.len);
}

/* Gives a field its id, and notes it. */
static INLINE void key_put(struct ground *ground, struct field *out, size_t index,
    const struct key *key)
{
	uint16_t *first = &ground->record->first[key->mark];

	out->id = (enum field_id)key->id;
	if (*first == 0)
		*first = (uint16_t)(index + 1);
	if (__builtin_expect(key->flags != 0, 0))
		notes_put(ground->notes, index, key);
}

/*
 * Takes the members "name":"value", and "name":123, as nearly all senders write nearly all of them,
 * with nothing between. True when it stands behind a value, false when before a name.
 */
static INLINE bool members_take(struct walk *w, struct ground *ground, enum cpu_level level)
{
	const char *text = w->text;
	const struct keybook *book = ground->book;
	size_t last = w->len < 20 ? 0 : w->len - 20, brink = w->len - 2;
	size_t index = (size_t)(w->out - ground->record->fields);

	if (text[w->at] != '"')
		return false;
	while (w->at < last && w->out < w->limit) {
		struct field *out = w->out;
		size_t close = quote_find(w, w->at + 1), from = close + 2, end;

		if (__builtin_expect(close >= brink, 0))
			return false;
		out->name = (struct str){text + w->at + 1, close - w->at - 1};
		if (__builtin_expect(pair_at(text + close + 1) == PAIR(':', '"'), 1)) {
			end = quote_find(w, from + 1);
			if (__builtin_expect(end >= brink, 0))
				return false;
			out->value = (struct str){text + from + 1, end - from - 1};
			out->kind = FIELD_STRING;
			if (__builtin_expect(w->escape < end, 0)) {
				if (w->escape < close)
					return false;
				out->value = unescaped(ground, from + 1, end);
				if (out->value.ptr == NULL)
					return false;
				w->escape = ground->escape;
			}
			end++;
		} else {
			end = integer_end(w, from);
			if (text[close + 1] != ':' || end == from || end > brink ||
			    w->escape < close || text[end] == '.' || (text[end] | 0x20) == 'e')
				return false;
			out->kind = FIELD_NUMBER;
			out->value = (struct str){text + from, end - from};
		}
		const struct key *key =
		    out->name.len - 1 < KEY_SHORT ? key_find(book, out->name, level) : NULL;

		if (__builtin_expect(key != NULL, 1))
			key_put(ground, out, index, key);
		else
			name_note(ground, index, out->name);
		w->out = out + 1;
		w->at = end;
		index++;
		if (__builtin_expect(pair_at(text + end) != PAIR(',', '"'), 0))
			return true;
		w->at++;
	}
	return false;
}

/*
 * Behind a value: over the ends of containers to the next comma, and over it. False at the text's
 * end, where *ret_end tells whether it is one, and at what must not stand there.
 */
static INLINE bool comma_take(struct walk *w, struct container *stack, size_t *level,
    struct container *in, bool *ret_end)
{
	while (space(w) != ',') {
		bool closes = w->text[w->at++] == (in->object ? '}' : ']');

		if (!closes || *level == 0 || w->at == w->len) {
			*ret_end = closes && *level == 0 && w->at == w->len;
			return false;
		}
		*in = stack[--*level];
	}
	w->at++;
	return true;
}

/* From behind the outermost brace to the end of the text. */
static INLINE bool walk(struct walk *w, struct ground *ground, struct container *stack,
    unsigned depth, enum cpu_level cpu)
{
	struct container in = {STR_NONE, true};
	size_t level = 0;
	bool end = false;

	if (space(w) == '}')
		return w->at + 1 == w->len;
	for (;;) {
		struct str name = in.name;

		if (level == 0 && ground->book != NULL && members_take(w, ground, cpu)) {
			if (!comma_take(w, stack, &level, &in, &end))
				return end;
			continue;
		}
		if (in.object && !name_take(w, ground, in.name, &name))
			return false;
		char c = space(w);

		if (__builtin_expect(c == '{' || c == '[', 0)) {
			if (level + 1 >= depth)
				return false;
			stack[level++] = in;
			in = (struct container){name, c == '{'};
			w->at++;
			if (space(w) != (in.object ? '}' : ']'))
				continue;
		} else if (!value_take(w, ground, name, c)) {
			return false;
		}
		if (!comma_take(w, stack, &level, &in, &end))
			return end;
	}
}

static INLINE bool walk_text(struct ground *ground, unsigned depth, enum cpu_level cpu)
{
	struct container stack[WALK_DEPTH] __attribute__((uninitialized));
	struct record *record = ground->record;
	struct walk w = {.text = ground->text.ptr,
	    .quotes = ground->masks.quotes,
	    .at = 1,
	    .len = ground->text.len,
	    .escape = escape_from(ground, 0)};

	if (!record_room(record))
		return false;
	w.out = record->fields + record->field_count;
	w.limit = record->fields + record->field_capacity;
	if (!walk(&w, ground, stack, depth, cpu))
		return false;
	record->field_count = (size_t)(w.out - record->fields);
	return true;
}

#if CPU_HAS_V3
CPU_V3_CODE static bool walk_v3(struct ground *ground, unsigned depth)
{
	return walk_text(ground, depth, CPU_V3);
}
#endif

static bool walk_portable(struct ground *ground, unsigned depth)
{
	return walk_text(ground, depth, CPU_PORTABLE);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str without_space(struct str text)
{
	while (text.len > 0 && is_space(text.ptr[0]))
		text = str_slice(text, 1, text.len);
	while (text.len > 0 && is_space(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

static bool walk_with(struct ground *ground, unsigned depth)
{
	struct str text = ground->text;

	if (text.len < 2 || text.ptr[0] != '{' || text.ptr[text.len - 1] != '}' ||
	    depth == 0 || depth > WALK_DEPTH ||
	    !json_masks_make(&ground->masks, text, ground->record->arena, ground->level))
		return false;
#if CPU_HAS_V3
	if (ground->level == CPU_V3)
		return walk_v3(ground, depth);
#endif
	return walk_portable(ground, depth);
}

bool json_fields_walk(struct record *record, struct str text, unsigned depth,
    struct notes *notes, enum cpu_level level)
{
	struct ground ground = {
	    .text = without_space(text), .record = record, .notes = notes, .level = level,
	    .unescape = json_unescape_for(level)};

	notes_take(notes, record);
	ground.book = notes->book;
	size_t noted = notes->count;
	unsigned flags = notes->flags;

	if (walk_with(&ground, depth)) {
		if (notes->book == NULL)
			return true;
		if (notes->asked == notes->looked)
			notes->asked = record->field_count;
		notes->looked = record->field_count;
		return true;
	}
	notes->count = noted;
	notes->flags = flags;
	return false;
}

static void give(void *context, struct str name, enum field_kind kind, struct str value)
{
	struct record *record = context;

	if (record_room(record))
		record->fields[record->field_count++] =
		    (struct field){FIELD_OTHER, kind, name, value};
}

bool json_fields_scan(struct record *record, struct str text, unsigned depth)
{
	return json_scan(text, depth, record->arena, give, record);
}

bool json_fields(struct record *record, struct str text, unsigned depth, struct notes *notes)
{
	size_t first = record->field_count;

	if (json_fields_walk(record, text, depth, notes, cpu_level()))
		return true;
	record_shorten(record, first);
	return json_fields_scan(record, text, depth);
}
