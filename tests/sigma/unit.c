#include "tests/sigma/unit.h"

static void refused(void *context, const struct error *error)
{
	struct refusals *refusals = context;

	if (refusals->count++ == 0)
		refusals->first = *error;
}

struct ruleset *load_text(const char *text, struct refusals *refusals)
{
	struct refusals own;
	struct refusals *to = refusals == NULL ? &own : refusals;
	struct ruleset_options options = {.refused = refused, .context = to};
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	memset(to, 0, sizeof(*to));
	int code = ruleset_load_text(&ruleset, str_of(text), "quy-tac.yml", &options, &error);

	if (code != 0)
		print_message("# %s\n", error.text);
	assert_int_equal(code, 0);
	assert_int_equal(ruleset_refused(ruleset), to->count);
	if (refusals == NULL && own.count > 0)
		fail_msg(
		    "%u:%u: %s in\n%s", own.first.line, own.first.column, own.first.text, text);
	return ruleset;
}

void assert_refused(const char *text, unsigned line, unsigned column, const char *words)
{
	struct refusals refusals;
	struct ruleset *ruleset = load_text(text, &refusals);

	if (refusals.count != 1 || refusals.first.line != line || refusals.first.column != column ||
	    strstr(refusals.first.text, words) == NULL)
		fail_msg("%zu refusals, the first %u:%u '%s', expected %u:%u '%s' in\n%s",
		    refusals.count, refusals.first.line, refusals.first.column, refusals.first.text,
		    line, column, words, text);
	assert_string_equal(refusals.first.file, "quy-tac.yml");
	ruleset_free(ruleset);
}

const char *rule_around(const char *detection, char *out, size_t size)
{
	int len = snprintf(out, size,
	    "title: Thu\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n    product: thu\n"
	    "level: low\ndetection:\n%s",
	    detection);

	assert_true(len > 0 && (size_t)len < size);
	return out;
}
