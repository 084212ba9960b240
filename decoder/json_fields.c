#include "decoder/json_fields.h"

#include "decoder/json_mask.h"
#include "decoder/json_scan.h"
#include "decoder/json_unescape.h"

#define WALK_DEPTH 64u

#define INLINE inline __attribute__((always_inline))

/* An object or array that the walk is in. */
struct container {
	struct str name; /* of an object's members: what stands before their own; of elements: theirs */
	bool object;
};

/* What does not change from one string to the next, and what is seldom needed. */
struct ground {
	struct str text; /* without white space at its ends; the last byte is '}' */
	struct json_masks masks;
	struct record *record;
	char *room; /* of unescaped strings; NULL before the first */
	enum cpu_level level;
};

/* What does; its address goes nowhere, so that it stays in registers. */
struct walk {
	const char *text;
	size_t at, len;
	const uint64_t *word; /* of the next quotes */
	uint64_t quotes;      /* of that word, those that are still to come */
	size_t base;          /* where that word begins */
	size_t escape;        /* the first escape behind the last string, or SIZE_MAX */
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

/* Until there are quotes in the word; the one behind the last has one behind the text's end. */
static INLINE void word_find(struct walk *w)
{
	while (w->quotes == 0) {
		w->quotes = *++w->word;
		w->base += 64;
	}
}

static size_t escape_from(const struct ground *ground, size_t from)
{
	size_t word = from / 64;
	uint64_t left = ground->masks.escapes[word] & UINT64_MAX << from % 64;

	while (left == 0) {
		if (++word >= ground->masks.words)
			return SIZE_MAX;
		left = ground->masks.escapes[word];
	}
	return word * 64 + (unsigned)__builtin_ctzll(left);
}

/* No escape is shorter than what it stands for, so one room as long as the text is enough for all. */
static struct str unescaped(struct ground *ground, size_t from, size_t to)
{
	if (ground->room == NULL)
		ground->room = arena_alloc(
		    ground->record->arena, ground->text.len + JSON_UNESCAPE_SLACK);
	if (ground->room == NULL)
		return STR_NONE;
	char *start = ground->room;
	size_t len =
	    json_unescape(start, ground->text, from, to, &ground->masks, ground->level);

	if (len == SIZE_MAX)
		return STR_NONE;
	ground->room += len;
	return str_from(start, len);
}

/*
 * The string whose opening quote is at w->at; w->at is left behind the closing one. All quotes before
 * have been taken and no backslash stands between strings, so the next quote is the opening one.
 */
static INLINE bool string_take(struct walk *w, struct ground *ground, struct str *ret)
{
	size_t open = w->at, close;

	word_find(w);
	w->quotes &= w->quotes - 1;
	word_find(w);
	close = w->base + (unsigned)__builtin_ctzll(w->quotes);
	w->quotes &= w->quotes - 1;
	w->at = close + 1;
	if (__builtin_expect(close >= w->len, 0))
		return false;
	if (__builtin_expect(w->escape < close, 0)) {
		*ret = unescaped(ground, open + 1, close);
		w->escape = escape_from(ground, close);
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

static INLINE bool value_take(struct walk *w, struct ground *ground, struct str name, char c)
{
	struct field *out = w->out;

	if (__builtin_expect(out == w->limit, 0)) {
		struct record *record = ground->record;

		if (!room_make(record, out))
			return false;
		out = record->fields + record->field_count;
		w->limit = record->fields + record->field_capacity;
	}
	w->out = out + 1;
	out->name = name;
	out->id = FIELD_OTHER;
	out->kind = FIELD_STRING;
	return c == '"' ? string_take(w, ground, &out->value) : scalar_take(w, out);
}

static INLINE unsigned pair_at(const char *at)
{
	return (unsigned)(uint8_t)at[0] | (unsigned)(uint8_t)at[1] << 8;
}

#define PAIR(a, b) ((unsigned)(a) | (unsigned)(b) << 8)

/* Where the string ends whose opening quote is the next one; both are taken. */
static INLINE size_t close_take(struct walk *w)
{
	word_find(w);
	w->quotes &= w->quotes - 1;
	word_find(w);
	size_t close = w->base + (unsigned)__builtin_ctzll(w->quotes);

	w->quotes &= w->quotes - 1;
	return close;
}

/* The end of the integer at from, or from when there is none that another member follows. */
static INLINE size_t integer_end(const struct walk *w, size_t from)
{
	size_t at = from;

	while (char_is_digit(w->text[at]))
		at++;
	return at > from && at + 2 < w->len ? at : from;
}

/*
 * Takes the members "name":"value", and "name":123, as nearly all senders write nearly all of them,
 * with nothing between, and stops before the first that is not so, or is the last.
 */
static INLINE void members_take(struct walk *w, struct ground *ground)
{
	while (w->text[w->at] == '"' && w->out < w->limit) {
		const struct walk before = *w;
		struct field *out = w->out;
		size_t close = close_take(w), end;

		if (close + 2 >= w->len || w->escape < close)
			goto stop;
		out->name = (struct str){w->text + w->at + 1, close - w->at - 1};
		out->id = FIELD_OTHER;
		if (__builtin_expect(pair_at(w->text + close + 1) == PAIR(':', '"'), 1)) {
			end = close_take(w);
			if (end + 3 >= w->len || pair_at(w->text + end + 1) != PAIR(',', '"'))
				goto stop;
			out->kind = FIELD_STRING;
			out->value = (struct str){w->text + close + 3, end - close - 3};
			if (__builtin_expect(w->escape < end, 0)) {
				out->value = unescaped(ground, close + 3, end);
				w->escape = escape_from(ground, end);
				if (out->value.ptr == NULL)
					goto stop;
			}
			w->at = end + 2;
		} else {
			end = integer_end(w, close + 2);
			if (w->text[close + 1] != ':' || end == close + 2 ||
			    pair_at(w->text + end) != PAIR(',', '"'))
				goto stop;
			out->kind = FIELD_NUMBER;
			out->value = (struct str){w->text + close + 2, end - close - 2};
			w->at = end + 1;
		}
		w->out = out + 1;
		continue;
stop:
		*w = before;
		return;
	}
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
    unsigned depth)
{
	struct container in = {STR_NONE, true};
	size_t level = 0;
	bool end = false;

	if (space(w) == '}')
		return w->at + 1 == w->len;
	for (;;) {
		struct str name = in.name;

		if (level == 0)
			members_take(w, ground);
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

static INLINE bool walk_text(struct ground *ground, unsigned depth)
{
	struct container stack[WALK_DEPTH] __attribute__((uninitialized));
	struct record *record = ground->record;
	struct walk w = {.text = ground->text.ptr,
	    .at = 1,
	    .len = ground->text.len,
	    .word = ground->masks.quotes,
	    .quotes = ground->masks.quotes[0],
	    .escape = escape_from(ground, 0)};

	w.out = w.limit = NULL;
	if (record->fields != NULL) {
		w.out = record->fields + record->field_count;
		w.limit = record->fields + record->field_capacity;
	}
	if (!walk(&w, ground, stack, depth))
		return false;
	if (record->fields != NULL)
		record->field_count = (size_t)(w.out - record->fields);
	return true;
}

#if CPU_HAS_V3
CPU_V3_CODE static bool walk_v3(struct ground *ground, unsigned depth)
{
	return walk_text(ground, depth);
}
#endif

static bool walk_portable(struct ground *ground, unsigned depth)
{
	return walk_text(ground, depth);
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

bool json_fields_walk(struct record *record, struct str text, unsigned depth,
    enum cpu_level level)
{
	struct ground ground = {.text = without_space(text), .record = record, .level = level};

	text = ground.text;
	if (text.len < 2 || text.ptr[0] != '{' || text.ptr[text.len - 1] != '}' ||
	    depth == 0 || depth > WALK_DEPTH ||
	    !json_masks_make(&ground.masks, text, record->arena, level))
		return false;
#if CPU_HAS_V3
	if (level == CPU_V3)
		return walk_v3(&ground, depth);
#endif
	return walk_portable(&ground, depth);
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

bool json_fields(struct record *record, struct str text, unsigned depth)
{
	size_t first = record->field_count;

	if (json_fields_walk(record, text, depth, cpu_level()))
		return true;
	record->field_count = first;
	return json_fields_scan(record, text, depth);
}
