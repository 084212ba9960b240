#include "tests/correlator/rulebook.h"

uint32_t rulebook_random(uint32_t below)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

static void refused(void *context, const struct error *error)
{
	char text[1200];

	(void)context;
	fail_msg("%s", error_format(error, text, sizeof(text)));
}

struct ruleset *rulebook_load(const char *text)
{
	struct ruleset_options options = {.refused = refused};
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	assert_int_equal(ruleset_load_text(&ruleset, str_of(text), "r.yml", &options, &error), 0);
	return ruleset;
}

static enum field_kind kind_of(char mark)
{
	return mark == '#' ? FIELD_NUMBER : mark == '!' ? FIELD_NULL
	    : mark == '%'                               ? FIELD_BOOL
	                                                : FIELD_STRING;
}

struct record *rulebook_record(struct arena *arena, const char *fields, const char *raw)
{
	struct event *event = arena_zalloc(arena, sizeof(*event));
	struct record *record = arena_zalloc(arena, sizeof(*record));
	struct str rest = str_of(fields), line, name;

	assert_true(event != NULL && record != NULL);
	event->raw = str_of(raw == NULL ? fields : raw);
	record_begin(record, event, arena, 1024);
	record->product = STR("thu");
	while (str_cut(&rest, '\n', &line)) {
		enum field_kind kind = line.len > 0 ? kind_of(line.ptr[0]) : FIELD_STRING;

		if (kind != FIELD_STRING)
			line = str_slice(line, 1, line.len);
		if (str_cut(&line, '=', &name))
			record_put_named(record, name, kind, line);
	}
	return record;
}
