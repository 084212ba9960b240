/*
 * The chain. A header decoder takes the line apart; a payload decoder reads what is left where that
 * is a format in itself; otherwise the program's own decoder reads it. Each takes views of the
 * line, so no byte is decoded twice: what one stage understood, the next gets as fields or not at
 * all.
 */
#include "decoder/decoder.h"

#include "base/check.h"
#include "decoder/decoders.h"
#include "decoder/host.h"
#include "decoder/notes.h"
#include "decoder/scan.h"
#include "decoder/tag.h"
#include "decoder/timestamp.h"

#include <pthread.h>
#include <stdlib.h>

static const struct decoder *const decoders[] = {
#define DECODER(symbol) &decode_##symbol,
#include "decoder/decoders.def"
#undef DECODER
};

#define DECODERS (sizeof(decoders) / sizeof(decoders[0]))
#define NAMES	 5 /* decoders that can take part in one event */

struct program {
	struct str name;
	const struct decoder *decoder;
	struct str service;
};

static const struct program programs[] = {
#define PROGRAM(name, symbol, service)                                                             \
	{{name, sizeof(name) - 1}, &decode_##symbol, {service, sizeof(service) - 1}},
#include "decoder/programs.def"
#undef PROGRAM
};

struct decoding {
	const struct logsources *sources;
	struct keybook *book;
	struct notes notes; /* of the event that is decoded */
};

struct chain {
	struct record *record;
	struct notes *notes;
	bool payload; /* the message came out as fields: it is not put as one more */
	const struct decoder *taken[NAMES];
	size_t count;
};

/* The rows of each stage stand together. */
static struct {
	size_t begin, end;
} stages[DECODER_APPLICATION + 1];
static pthread_once_t built = PTHREAD_ONCE_INIT;

static void build(void)
{
	for (size_t i = 0; i < DECODERS; i++) {
		unsigned stage = decoders[i]->stage;

		if (i == 0 || decoders[i - 1]->stage != decoders[i]->stage) {
			CHECK(stages[stage].end == 0);
			stages[stage].begin = i;
		}
		stages[stage].end = i + 1;
	}
}

size_t decoder_count(void)
{
	return DECODERS;
}

const struct decoder *decoder_at(size_t index)
{
	CHECK(index < DECODERS);
	return decoders[index];
}

const struct decoder *decoder_find(struct str name)
{
	for (size_t i = 0; i < DECODERS; i++) {
		if (str_eq(str_of(decoders[i]->name), name))
			return decoders[i];
	}
	return NULL;
}

/* What a decoder may change; fields and their ids record_shorten takes back. */
struct before {
	int64_t time_ns;
	uint32_t flags;
	struct str product, service, message, unescaped;
	size_t category_count, field_count;
};

static inline bool has_lead(struct str text, struct str lead)
{
	return lead.len == 0 || (text.len >= lead.len && text.ptr[lead.len - 1] ==
	    lead.ptr[lead.len - 1] && str_starts(text, lead));
}

static inline struct before before_of(const struct record *record)
{
	return (struct before){.time_ns = record->time_ns,
	    .flags = record->flags,
	    .product = record->product,
	    .service = record->service,
	    .message = record->message,
	    .unescaped = record->unescaped,
	    .category_count = record->category_count,
	    .field_count = record->field_count};
}

static void take_back(struct record *record, const struct before *before)
{
	record->time_ns = before->time_ns;
	record->flags = before->flags;
	record->product = before->product;
	record->service = before->service;
	record->message = before->message;
	record->unescaped = before->unescaped;
	record->category_count = before->category_count;
	if (record->field_count > before->field_count)
		record_shorten(record, before->field_count);
}

/* A decoder that says no leaves the record as it was: the fields that it put are forgotten. */
static bool try_one(struct chain *chain, const struct decoder *decoder, struct str text)
{
	const struct before before = before_of(chain->record);
	enum decode_status status = decoder->decode != NULL
	    ? decoder->decode(chain->record, text)
	    : decoder->decode_noted(chain->record, text, chain->notes);

	if (status == DECODE_NO) {
		take_back(chain->record, &before);
		return false;
	}
	if (chain->count < NAMES)
		chain->taken[chain->count++] = decoder;
	return true;
}

static bool try_stage(struct chain *chain, enum decoder_stage stage, struct str text)
{
	for (size_t i = stages[stage].begin; i < stages[stage].end; i++) {
		if (has_lead(text, decoders[i]->lead) && try_one(chain, decoders[i], text))
			return true;
	}
	return false;
}

/* The decoder that the configuration names for this sender comes before all others. */
static const struct decoder *try_hint(struct chain *chain, struct str text)
{
	struct str name = chain->record->event->decoder;
	const struct decoder *hint = name.len > 0 ? decoder_find(name) : NULL;

	if (hint == NULL || hint->stage == DECODER_APPLICATION || hint->stage == DECODER_SOURCE ||
	    hint->stage == DECODER_ENVELOPE || !has_lead(text, hint->lead) ||
	    !try_one(chain, hint, text))
		return NULL;
	return hint;
}

/*
 * "message repeated 3 times: [ Failed password ...]": the message in the brackets is what happened.
 */
static struct str unwrap_repeat(struct record *record, struct str text)
{
	struct str rest = text, times;

	if (!scan_literal(&rest, STR("message repeated ")))
		return text;
	times = scan_word(&rest);
	if (!scan_all(times, char_is_digit) || !scan_literal(&rest, STR(" times: [ ")))
		return text;
	record_put_named(record, STR("repeated"), FIELD_NUMBER, times);
	return str_slice(rest, 0, rest.len - str_ends(rest, STR("]")));
}

static const struct program *find_program(struct str app)
{
	struct str name = tag_program(app);

	for (size_t i = 0; name.len > 0 && i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (str_eq_fold(programs[i].name, name))
			return &programs[i];
	}
	return NULL;
}

static void run_program(struct chain *chain)
{
	struct record *record = chain->record;
	const struct program *program = find_program(record_value(record, FIELD_APP));

	if (program == NULL) {
		if (chain->count > 0)
			try_one(chain, &decode_pairs, record->message);
		return;
	}
	record->product = STR("linux");
	record->service = program->service;
	if (program->decoder == &decode_plain)
		return;
	/* rsyslog: the space behind the tag of RFC 3164 becomes the message's first character. */
	struct str text = unwrap_repeat(record, str_trim(record->message));
	if (!try_one(chain, program->decoder, text) && program->decoder != &decode_pam)
		try_one(chain, &decode_pam, text);
}

static void run_payload(struct chain *chain)
{
	struct record *record = chain->record;
	struct str text = record->message, trimmed = text;

	if (scan_peek(text, 0) != '{' || text.ptr[text.len - 1] != '}')
		trimmed = str_trim(text);
	if (try_stage(chain, DECODER_PAYLOAD, trimmed)) {
		chain->payload = true;
		/* Fluent Bit, Vector and others wrap Windows' XML in JSON. */
		if (scan_peek(record->message, 0) == '<' &&
		    chain->taken[chain->count - 1] == &decode_json)
			try_one(chain, &decode_windows_xml, record->message);
		try_stage(chain, DECODER_SOURCE, text);
	} else {
		timestamp_refine_text(record, text);
		run_program(chain);
	}
}

/* "rfc3164/sshd" */
static struct str chain_names(const struct chain *chain)
{
	size_t len = 0, at = 0;
	char *out;

	if (chain->count == 2 && chain->taken[0] == &decode_json &&
	    chain->taken[1] == &decode_windows)
		return STR("json/windows");
	struct str last = str_of(chain->taken[chain->count - 1]->name);

	if (chain->count == 1)
		return last;
	for (size_t i = 0; i < chain->count; i++)
		len += str_of(chain->taken[i]->name).len + 1;
	out = arena_alloc(chain->record->arena, len);
	if (out == NULL)
		return last;
	for (size_t i = 0; i < chain->count; i++) {
		struct str name = str_of(chain->taken[i]->name);
		if (i > 0)
			out[at++] = '/';
		__builtin_memcpy(out + at, name.ptr, name.len);
		at += name.len;
	}
	return str_from(out, at);
}

/* Frames are delimited by LF; CR before it and NUL after it are the sender's (RFC 6587, 3.4.2). */
static struct str without_end(struct str raw)
{
	while (raw.len > 0 && (raw.ptr[raw.len - 1] == '\n' || raw.ptr[raw.len - 1] == '\r' ||
				  raw.ptr[raw.len - 1] == '\0'))
		raw.len--;
	return raw;
}

static void put_peer(struct record *record)
{
	struct str peer = host_of_peer(record->event->peer);

	if (host_is_address(peer))
		record_put(record, FIELD_HOST, peer);
}

static void finish(struct chain *chain)
{
	struct record *record = chain->record;

	if (record_get(record, FIELD_HOST) == NULL)
		put_peer(record);
	if (!chain->payload && record->message.len > 0 && record_get(record, FIELD_MESSAGE) == NULL)
		record_put(record, FIELD_MESSAGE, record->message);
	record->decoders = chain_names(chain);
}

/* What the envelope holds, or the text itself; false: nothing is left of it but fields. */
static bool open_envelope(struct chain *chain, struct str *text)
{
	struct record *record = chain->record;
	const struct decoder *hint = decoder_find(record->event->decoder);

	if (hint == NULL || hint->stage != DECODER_ENVELOPE || !try_one(chain, hint, *text))
		return true;
	*text = record->message = without_end(record->message);
	return text->len > 0;
}

static void run_text(struct chain *chain, struct str text)
{
	struct record *record = chain->record;
	const struct decoder *hint = try_hint(chain, text);

	if (hint != NULL && hint->stage == DECODER_PAYLOAD) {
		chain->payload = true;
		try_stage(chain, DECODER_SOURCE, record->message);
		return;
	}
	/* a line that begins as JSON has no header: both would say so, and slowly */
	if (hint == NULL && scan_peek(text, 0) != '{')
		try_stage(chain, DECODER_HEADER, text);
	run_payload(chain);
}

static void run(struct record *record, const struct event *event, struct arena *arena,
    struct notes *notes)
{
	struct chain chain = {.record = record, .notes = notes};
	struct str text = without_end(event->raw);

	pthread_once(&built, build);
	record_begin(record, event, arena, DECODER_FIELDS);
	record->message = text;
	record->flags |= RECORD_NO_TIME;
	if (event->decoder.len == 0 || open_envelope(&chain, &text))
		run_text(&chain, text);
	if (chain.count == 0)
		try_one(&chain, &decode_plain, text);
	finish(&chain);
}

void decoder_run(struct record *record, const struct event *event, struct arena *arena)
{
	struct notes notes __attribute__((uninitialized)); /* notes_begin says what is there */

	notes_begin(&notes, NULL);
	run(record, event, arena, &notes);
}

void decoding_run(struct decoding *decoding, struct record *record, const struct event *event,
    struct arena *arena)
{
	if (decoding == NULL) {
		decoder_run(record, event, arena);
		return;
	}
	notes_begin(&decoding->notes, decoding->book);
	run(record, event, arena, &decoding->notes);
	if (decoding->sources != NULL)
		logsources_apply(decoding->sources, record, &decoding->notes);
}

struct decoding *decoding_new(const struct logsources *sources)
{
	struct decoding *decoding = calloc(1, sizeof(*decoding));

	if (decoding == NULL)
		return NULL;
	decoding->sources = sources;
	decoding->book = keybook_new(sources);
	if (decoding->book == NULL) {
		free(decoding);
		return NULL;
	}
	return decoding;
}

void decoding_free(struct decoding *decoding)
{
	if (decoding == NULL)
		return;
	keybook_free(decoding->book);
	free(decoding);
}
