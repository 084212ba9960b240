#include "decoder/json_fields.h"

#include "decoder/json_mask.h"
#include "decoder/json_path.h"
#include "decoder/json_scalar.h"
#include "decoder/json_scan.h"
#include "decoder/json_unescape.h"

#if CPU_HAS_V3
#include <immintrin.h>
#endif

#define WALK_DEPTH 64u

#define INLINE inline __attribute__((always_inline))

/* An object or array that the walk is in. */
struct container {
	struct str name; /* of elements; of members what stands before their own */
	uint32_t path;
	bool object;
};

/* Where among them it is. */
struct nest {
	struct container in;
	size_t level;
	struct container *stack; /* what in stands in */
	unsigned depth;
};

/* What does not change from one string to the next, and what is seldom needed. */
struct ground {
	struct str text; /* without white space at its ends; the last byte is '}' */
	struct json_masks masks;
	struct record *record;
	uint16_t *first;          /* of the record */
	struct notes *notes;
	struct keybook *book;     /* NULL: names are not looked up here */
	char *room;               /* of unescaped strings; NULL before the first */
	char *room_start;
	bool coded;               /* it holds more than values with escapes of one letter */
	char *names, *names_end;  /* room for whole names */
	json_unescape_fn *unescape;
	enum cpu_level level;
	const char *brink;        /* from here on a step's text may not stand before the end */
	char tail[2 * STEP_TEXT]; /* the text from there, with zeros behind */
};

/* What does. */
struct walk {
	const char *text;
	const uint64_t *quotes;
	size_t at, len;
	struct field *out, *limit;
	struct json_step *step; /* of the last name */
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

/*
 * The bits from one on, that one lowest; so many are told that what is looked for there seldom lies
 * beyond, as it would in every other word: at least 57, where the machine's lowest byte is the
 * first. from is not beyond the words.
 */
static INLINE uint64_t bits_ahead(const uint64_t *bits, size_t from)
{
#if CPU_HAS_V3
	uint64_t ahead;

	memcpy(&ahead, (const char *)bits + from / 8, sizeof(ahead));
	return ahead >> from % 8;
#else
	return bits[from / 64] >> from % 64;
#endif
}

/* The first quote at or behind from; when there is none, one behind the text's end. */
static INLINE size_t quote_find(const uint64_t *quotes, size_t from)
{
	size_t word = from / 64;
	uint64_t left = quotes[word] & UINT64_MAX << from % 64;

	while (left == 0)
		left = quotes[++word];
	return word * 64 + (unsigned)__builtin_ctzll(left);
}

/* Whether escapes lie in the string [from, to) between two quotes: other marks do not. */
static INLINE bool has_escapes(const struct ground *ground, size_t from, size_t to)
{
	const uint64_t *word = &ground->masks.marks[from / 64];
	const uint64_t *last = &ground->masks.marks[to / 64];
	uint64_t some = *word & UINT64_MAX << from % 64;

	for (; word < last && some == 0; some = *word)
		word++;
	return (word == last ? some & ((UINT64_C(1) << to % 64) - 1) : some) != 0;
}

/*
 * The string between two quotes, which has escapes. No escape is shorter than what it stands for,
 * so one room as long as the text is enough for all.
 */
static struct str unescaped(struct ground *ground, size_t from, size_t to)
{
	if (ground->room == NULL)
		ground->room = ground->room_start = arena_alloc(
		    ground->record->arena, ground->text.len + JSON_UNESCAPE_SLACK);
	if (ground->room == NULL)
		return STR_NONE;
	char *start = ground->room;
	size_t len = ground->unescape(
	    start, ground->text, from, to, &ground->masks, &ground->coded);

	if (len == SIZE_MAX)
		return STR_NONE;
	ground->room += len;
	return (struct str){start, len};
}

/* The string whose opening quote is at w->at; w->at is left behind the closing one. */
static INLINE bool string_take(struct walk *w, struct ground *ground, struct str *ret)
{
	size_t open = w->at, close = quote_find(w->quotes, open + 1);

	w->at = close + 1;
	if (__builtin_expect(close >= w->len, 0))
		return false;
	if (__builtin_expect(has_escapes(ground, open + 1, close), 0)) {
		*ret = unescaped(ground, open + 1, close);
		return ret->ptr != NULL;
	}
	*ret = (struct str){w->text + open + 1, close - open - 1};
	return true;
}

static INLINE bool name_take(struct walk *w, struct ground *ground, struct str outer,
    struct str *ret)
{
	if (space(w) != '"')
		return false;
	const char *open = w->text + w->at;

	if (!string_take(w, ground, ret) || space(w) != ':')
		return false;
	w->at++;
	ground->coded |= ret->ptr != open + 1;
	if (__builtin_expect(outer.ptr != NULL, 0))
		*ret = arena_join(ground->record->arena, outer, '.', *ret); /* "outer.key" */
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
	if (c != '"') {
		const char *end = json_scalar_take(out, w->text + w->at);

		if (end == NULL)
			return false;
		w->at = (size_t)(end - w->text);
	} else if (!string_take(w, ground, &out->value)) {
		return false;
	}
	if (ground->book != NULL)
		name_note(ground, (size_t)(out - record->fields), name);
	return true;
}

#if CPU_HAS_V3
/* Not always_inline: it is so once its callers are in members_v3, and may not before. */
CPU_V3_CODE static inline bool text_is(const char *text, const struct json_step *step)
{
	__m256i is = _mm256_loadu_si256((const void *)text);
	__m256i wanted = _mm256_load_si256((const void *)step->text);

	return (~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(is, wanted)) & step->mask) == 0;
}
#endif

/* Whether the name of the step stands at text, of which STEP_TEXT bytes may be read. */
static INLINE bool step_is(const char *text, const struct json_step *step, uint32_t path,
    enum cpu_level level)
{
	if (step->outer != path)
		return false;
#if CPU_HAS_V3
	if (level >= CPU_V3)
		return text_is(text, step);
#endif
	(void)level;
	return memcmp(text, step->text, step->len) == 0;
}

/* The step of a name in such an object when none of the guesses is it. */
static INLINE struct json_step *step_find(struct ground *ground, const struct container *in,
    struct json_step *last, const char *name)
{
	struct str text = ground->text;
	size_t at = (size_t)(name - text.ptr), close = quote_find(ground->masks.quotes, at);

	if (close >= text.len || has_escapes(ground, at, close) || text.ptr[close + 1] != ':')
		return NULL;
	return json_step_find(ground->book->paths, last, in->path, in->name,
	    (struct str){name, close - at}, ground->book);
}

/* The second guess, if it is right; it is the first the next time. */
static INLINE struct json_step *step_second(struct json_step *last, const char *text,
    uint32_t path, enum cpu_level level)
{
	struct json_step *step = json_step_guess(last, 1);
	int32_t next = last->next[1];

	if (!step_is(text, step, path, level))
		return NULL;
	last->next[1] = last->next[0];
	last->next[0] = next;
	return step;
}

/* What is found; or guesses that could not be held against the text. NULL: left to others. */
static INLINE struct json_step *step_seek(struct ground *ground, const struct container *in,
    struct json_step *last, const char *name, enum cpu_level level)
{
	struct json_step *step = json_step_guess(last, 0);

	if (__builtin_expect(name >= ground->brink, 0)) {
		const char *text = ground->tail + (name - ground->brink);

		if (step_is(text, step, in->path, level) ||
		    (step = step_second(last, text, in->path, level)) != NULL)
			return step;
	}
	return step_find(ground, in, last, name);
}

#if CPU_HAS_V3
CPU_V3_CODE static __attribute__((noinline)) struct json_step *step_seek_v3(struct ground *ground,
    const struct container *in, struct json_step *last, const char *name)
{
	return step_seek(ground, in, last, name, CPU_V3);
}
#endif

static __attribute__((noinline)) struct json_step *step_seek_portable(struct ground *ground,
    const struct container *in, struct json_step *last, const char *name)
{
	return step_seek(ground, in, last, name, CPU_PORTABLE);
}

/* What is to be asked when the first guess is not right: NULL when the name is left to others. */
static INLINE struct json_step *step_ask(struct ground *ground, const struct container *in,
    struct json_step *last, const char *name, enum cpu_level level)
{
	struct json_step *step;

	if (__builtin_expect(name < ground->brink, 1) &&
	    (step = step_second(last, name, in->path, level)) != NULL)
		return step;
#if CPU_HAS_V3
	if (level >= CPU_V3)
		return step_seek_v3(ground, in, last, name);
#endif
	return step_seek_portable(ground, in, last, name);
}

#define NAMES_ROOM (16 * STEP_NAME)

static __attribute__((noinline)) bool names_room(struct ground *ground)
{
	ground->names = ground->names_end = arena_alloc(ground->record->arena, NAMES_ROOM);
	if (ground->names == NULL)
		return false;
	ground->names_end += NAMES_ROOM;
	return true;
}

/* Whether the name of a step is still what it was when the step was made. */
static INLINE bool name_stands(const struct ground *ground, const struct json_step *step)
{
	return ground->book->paths->names[step->name].inner == step->inner;
}

/* The whole name of a step whose name stands; ptr NULL without memory. */
static INLINE struct str name_whole(struct ground *ground, const struct json_step *step)
{
	const struct json_name *name = &ground->book->paths->names[step->name];

	if (name->known.len > 0)
		return name->known;
	if ((size_t)(ground->names_end - ground->names) < STEP_NAME && !names_room(ground))
		return STR_NONE;
	struct str whole = {ground->names, name->whole_len};

	memcpy(ground->names, name->whole, STEP_NAME);
	ground->names += whole.len;
	return whole;
}

static INLINE void step_note(struct ground *ground, size_t index, const struct json_step *step)
{
	const struct json_name *name = &ground->book->paths->names[step->name];
	bool is_bare = (step->key.flags & KEY_RENAMED) != 0 && name->inner == step->inner &&
	    name->is_bare;

	if (is_bare)
		notes_put(ground->notes, index, &step->key, &name->bare);
	else
		notes_put(ground->notes, index, &step->key, NULL);
}

/* Gives a field its id, and notes it. number: 1 + its index. */
static INLINE void step_put(struct ground *ground, struct field *out, unsigned number,
    const struct json_step *step)
{
	uint16_t *first = &ground->first[step->key.mark];

	out->id = (enum field_id)step->key.id;
	*first = *first != 0 ? *first : (uint16_t)number; /* stored without a branch */
	if (__builtin_expect(step->key.flags != 0, 0))
		step_note(ground, number - 1, step);
}

/* The value of a string that is long or has escapes; what is behind its quote, or NULL. */
static __attribute__((noinline)) const char *string_end(struct ground *ground, struct field *out,
    const char *start)
{
	size_t from = (size_t)(start - ground->text.ptr);
	uint64_t ahead = bits_ahead(ground->masks.marks, from);
	size_t end = ahead != 0 ? from : quote_find(ground->masks.marks, from);
	bool escapes = ahead != 0 || (end < ground->text.len && ground->text.ptr[end] != '"');

	if (escapes) {
		ahead = bits_ahead(ground->masks.quotes, end);
		end = ahead != 0 ? end + (unsigned)__builtin_ctzll(ahead)
		    : quote_find(ground->masks.quotes, end);
	}
	if (end >= ground->text.len)
		return NULL;
	out->value = escapes ? unescaped(ground, from, end) : (struct str){start, end - from};
	return out->value.ptr != NULL ? ground->text.ptr + end + 1 : NULL;
}

/* The same of any string; nearly all end soon, and the first mark is their quote. */
static INLINE const char *string_put(struct ground *ground, struct field *out, const char *start)
{
	uint64_t ahead = bits_ahead(ground->masks.marks, (size_t)(start - ground->text.ptr));

	out->kind = FIELD_STRING;
	if (__builtin_expect(ahead != 0, 1)) {
		size_t len = (unsigned)__builtin_ctzll(ahead);

		out->value = (struct str){start, len};
		if (__builtin_expect(start[len] == '"', 1))
			return start + len + 1;
	}
	return string_end(ground, out, start);
}

/* Into the container at w->at; false when it is empty, begins with space or is too deep. */
static INLINE bool nest_open(struct walk *w, struct nest *nest, struct str name, uint32_t path)
{
	bool object = w->text[w->at] == '{';
	char c = w->text[w->at + 1];

	if ((object ? c != '"' : c <= ' ' || c == ']') || nest->level + 1 >= nest->depth)
		return false;
	nest->stack[nest->level++] = nest->in;
	nest->in = (struct container){name, path, object};
	w->at++;
	return true;
}

/* Over the ends of objects at w->at, behind a value, and the comma that follows in an object. */
static __attribute__((noinline)) bool nest_close(struct walk *w, struct nest *nest)
{
	while (w->text[w->at] == '}' && nest->level > 0 && nest->in.object &&
	    w->at + 1 < w->len) {
		nest->in = nest->stack[--nest->level];
		w->at++;
	}
	bool more = w->text[w->at] == ',' && nest->in.object && nest->in.path != PATH_NONE;

	w->at += more;
	return more;
}

/* A member whose value is a container, up to its first item. False: it is left to others. */
static __attribute__((noinline)) bool inner_take(struct walk *w, struct nest *nest,
    struct str name, struct json_step *step, size_t from)
{
	size_t before = w->at;

	w->at = from;
	if (nest_open(w, nest, name, step->inner)) {
		w->step = step;
		return true;
	}
	w->at = before;
	return false;
}

enum place { AT_ITEM, BEHIND_VALUE };

/*
 * Takes members of objects, as nearly all senders write nearly all of them, with nothing between;
 * what it does not know is left to the others. What it needs for each fits into the registers: the
 * rest is read where it is needed, and what is seldom is called.
 */
static INLINE enum place members_take(struct walk *w, struct ground *ground, struct nest *nest,
    enum cpu_level level)
{
	const char *name = w->text + w->at + 1, *end;
	struct json_step *last = w->step;
	struct field *out = w->out;
	unsigned number = (unsigned)(out - ground->record->fields) + 1;
	uint32_t path = nest->in.path;
	enum place place = AT_ITEM;

	while (name[-1] == '"' && out < w->limit) {
		struct json_step *step = json_step_guess(last, 0);

		if (__builtin_expect(name >= ground->brink, 0) ||
		    __builtin_expect(!step_is(name, step, path, level), 0)) {
			step = step_ask(ground, &nest->in, last, name, level);
			if (step == NULL)
				break;
		}
		out->name = (struct str){name, step->name_len};
		if (path != PATH_ROOT) {
			if (__builtin_expect(!name_stands(ground, step), 0)) {
				step = step_find(ground, &nest->in, last, name);
				if (step == NULL)
					break;
			}
			out->name = name_whole(ground, step);
			if (out->name.ptr == NULL)
				break;
		}
		const char *start = name + step->len;

		if (__builtin_expect(*start == '"', 1)) {
			if ((end = string_put(ground, out, start + 1)) == NULL)
				break;
		} else if (__builtin_expect((*start | 0x20) != '{', 1)) {
			if ((end = json_integer_take(out, start)) == NULL)
				break;
		} else {
			w->at = (size_t)(name - 1 - w->text);
			if (!inner_take(w, nest, out->name, step, (size_t)(start - w->text)))
				break;
			name = w->text + w->at + 1;
			last = step;
			path = step->inner;
			if (nest->in.object)
				continue;
			break;
		}
		step_put(ground, out, number, step);
		out++;
		number++;
		last = step;
		name = end + 2;
		if (__builtin_expect(*end != ',', 0)) {
			w->at = (size_t)(end - w->text);
			bool more = nest_close(w, nest);

			name = w->text + w->at + 1;
			path = nest->in.path;
			if (!more) {
				place = BEHIND_VALUE;
				break;
			}
		}
	}
	w->at = (size_t)(name - 1 - w->text);
	w->out = out;
	w->step = last;
	return place;
}

#if CPU_HAS_V3
CPU_V3_CODE static __attribute__((noinline)) enum place members_v3(struct walk *w,
    struct ground *ground, struct nest *nest)
{
	return members_take(w, ground, nest, CPU_V3);
}
#endif

static enum place members(struct walk *w, struct ground *ground, struct nest *nest)
{
#if CPU_HAS_V3
	if (ground->level >= CPU_V3)
		return members_v3(w, ground, nest);
#endif
	return members_take(w, ground, nest, CPU_PORTABLE);
}

/*
 * Behind a value: over the ends of containers to the next comma, and over it. False at the text's
 * end, where *ret_end tells whether it is one, and at what must not stand there.
 */
static INLINE bool comma_take(struct walk *w, struct nest *nest, bool *ret_end)
{
	while (space(w) != ',') {
		bool closes = w->text[w->at++] == (nest->in.object ? '}' : ']');

		if (!closes || nest->level == 0 || w->at == w->len) {
			*ret_end = closes && nest->level == 0 && w->at == w->len;
			return false;
		}
		nest->in = nest->stack[--nest->level];
	}
	w->at++;
	return true;
}

/* A member or element, up to its end or into it. */
static INLINE bool item_take(struct walk *w, struct ground *ground, struct nest *nest,
    enum place *ret)
{
	struct str name = nest->in.name;
	uint32_t path = nest->in.object ? PATH_NONE : nest->in.path;

	*ret = BEHIND_VALUE;
	if (nest->in.object && !name_take(w, ground, nest->in.name, &name))
		return false;
	char c = space(w);

	if (__builtin_expect(c != '{' && c != '[', 1))
		return value_take(w, ground, name, c);
	if (nest->level + 1 >= nest->depth)
		return false;
	nest->stack[nest->level++] = nest->in;
	nest->in = (struct container){name, path, c == '{'};
	w->at++;
	if (space(w) != (nest->in.object ? '}' : ']'))
		*ret = AT_ITEM;
	return true;
}

/* From behind the outermost brace to the end of the text. */
static bool walk(struct walk *w, struct ground *ground, struct nest *nest)
{
	enum place place = AT_ITEM;
	bool end = false;

	if (space(w) == '}')
		return w->at + 1 == w->len;
	for (;;) {
		if (nest->in.path != PATH_NONE && nest->in.object)
			place = members(w, ground, nest);
		if (place == AT_ITEM && !item_take(w, ground, nest, &place))
			return false;
		if (place == BEHIND_VALUE) {
			if (!comma_take(w, nest, &end))
				return end;
			place = AT_ITEM;
		}
	}
}

static void tail_take(struct ground *ground)
{
	struct str text = ground->text;
	size_t rest = text.len < STEP_TEXT ? text.len : STEP_TEXT;

	ground->brink = text.ptr + text.len - rest;
	memset(ground->tail, 0, sizeof(ground->tail));
	if (__builtin_expect(rest == STEP_TEXT, 1))
		memcpy(ground->tail, ground->brink, STEP_TEXT);
	else
		memcpy(ground->tail, ground->brink, rest);
}

static bool walk_text(struct ground *ground, unsigned depth)
{
	struct container stack[WALK_DEPTH] __attribute__((uninitialized));
	struct record *record = ground->record;
	struct walk w = {.text = ground->text.ptr,
	    .quotes = ground->masks.quotes,
	    .at = 1,
	    .len = ground->text.len};
	struct nest nest = {.in = {STR_NONE, PATH_NONE, true}, .stack = stack, .depth = depth};

	if (ground->book != NULL) {
		w.step = &ground->book->paths->steps[STEP_START];
		nest.in.path = PATH_ROOT;
		tail_take(ground);
	}
	if (!record_room(record))
		return false;
	w.out = record->fields + record->field_count;
	w.limit = record->fields + record->field_capacity;
	if (!walk(&w, ground, &nest))
		return false;
	record->field_count = (size_t)(w.out - record->fields);
	return true;
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
	return walk_text(ground, depth);
}

static bool lies_in(struct str text, struct str whole)
{
	return (uintptr_t)text.ptr >= (uintptr_t)whole.ptr &&
	    (uintptr_t)text.ptr + text.len <= (uintptr_t)whole.ptr + whole.len;
}

/* Where there are two rooms, of JSON in JSON, the record tells the first. */
static void unescaped_tell(const struct ground *ground)
{
	struct record *record = ground->record;

	if (ground->room_start != NULL && !ground->coded && record->unescaped.len == 0 &&
	    record->event != NULL && lies_in(ground->text, record->event->raw))
		record->unescaped = (struct str){
		    ground->room_start, (size_t)(ground->room - ground->room_start)};
}

bool json_fields_walk(struct record *record, struct str text, unsigned depth,
    struct notes *notes, enum cpu_level level)
{
	struct ground ground __attribute__((uninitialized));

	ground.text = without_space(text);
	ground.record = record;
	ground.first = record->first;
	ground.notes = notes;
	ground.room = ground.room_start = ground.names = ground.names_end = NULL;
	ground.coded = false;
	ground.unescape = json_unescape_for(level);
	ground.level = level;

	notes_take(notes, record);
	ground.book = notes->book;
	size_t noted = notes->count;
	unsigned flags = notes->flags;

	if (walk_with(&ground, depth)) {
		unescaped_tell(&ground);
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

	if (json_fields_walk(record, text, depth, notes, cpu_level_most()))
		return true;
	record_shorten(record, first);
	return json_fields_scan(record, text, depth);
}
