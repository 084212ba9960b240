/* fuzz: correlator - rules and an event: the index finds what the plain evaluator finds */
/*
 * The text up to the first line "..." is rules; each line behind it is a field "Name=value", and
 * all of them together are the raw line.
 */
#include "base/check.h"
#include "correlator/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MATCHES 64

/* As a decoder puts values whose escapes it takes out: one behind the other, apart from the line. */
static struct str moved(char **room, struct str value)
{
	char *to = *room;

	if (to == NULL || value.len == 0)
		return value;
	memcpy(to, value.ptr, value.len);
	*room += value.len;
	return (struct str){to, value.len};
}

static void record_fill(struct record *record, struct str rest)
{
	char *room = rest.len % 2 == 0 ? NULL : arena_alloc(record->arena, rest.len);
	struct str line, name;

	while (str_cut(&rest, '\n', &line)) {
		enum field_kind kind = FIELD_STRING;

		if (line.len > 0 && (line.ptr[0] == '!' || line.ptr[0] == '#')) {
			kind = line.ptr[0] == '!' ? FIELD_NULL : FIELD_NUMBER;
			line = str_slice(line, 1, line.len);
		}
		if (str_cut(&line, '=', &name))
			record_put_named(record, name, kind, moved(&room, line));
	}
}

static void compare(struct matcher *matcher, const struct record *record)
{
	uint32_t indexed[MATCHES];
	const uint32_t *matches;
	size_t count = matcher_run(matcher, record, &matches);

	if (count > MATCHES)
		return;
	for (size_t i = 0; i < count; i++)
		indexed[i] = matches[i];
	CHECK(matcher_run_plain(matcher, record, &matches) == count);
	for (size_t i = 0; i < count; i++)
		CHECK(indexed[i] == matches[i]);
	/* What comes again is remembered, from the second time on. */
	for (int again = 0; again < 2; again++) {
		CHECK(matcher_run(matcher, record, &matches) == count);
		for (size_t i = 0; i < count; i++)
			CHECK(indexed[i] == matches[i]);
	}
	for (size_t i = 0; i < count; i++) {
		struct alert_pair pairs[4];

		CHECK(matcher_explain(matcher, record, indexed[i], pairs, 4) <= 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Few regex steps: with machine code and without, both sides count the same. */
	struct ruleset_options options = {.memory = (size_t)16 << 20, .regex_steps = 1000};
	struct str text = str_from(data, size), rest = STR_NONE;
	size_t end = str_find(text, STR("\n...\n"));
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	if (end != STR_NOT_FOUND) {
		rest = str_slice(text, end + 5, text.len);
		text = str_slice(text, 0, end + 1);
	}
	if (ruleset_load_text(&ruleset, text, "fuzz.yml", &options, &error) != 0)
		return 0;
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new((size_t)16 << 20);
	struct event event = {.raw = rest};
	struct record record;

	if (matcher != NULL && arena != NULL) {
		record_begin(&record, &event, arena, 256);
		record_fill(&record, rest);
		compare(matcher, &record);
	}
	matcher_free(matcher);
	arena_free(arena);
	ruleset_free(ruleset);
	return 0;
}
