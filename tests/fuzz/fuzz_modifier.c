/* fuzz: correlator - the values of each modifier: the index finds what the plain evaluator finds */
/*
 * Three bytes: modifier, another one behind it (or none), how the value is written. Then lines: the
 * value of the rule, the event's field A, its field B. The list "100" is there for expand.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "correlator/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const modifiers[] = {"contains", "startswith", "endswith", "all", "re", "i",
    "ignorecase", "m", "multiline", "s", "dotall", "cidr", "exists", "cased", "neq", "windash",
    "base64", "base64offset", "utf16le", "wide", "utf16be", "utf16", "lt", "lte", "gt", "gte",
    "fieldref", "expand", "minute", "hour", "day", "week", "month", "year"};

#define MODIFIERS (sizeof(modifiers) / sizeof(*modifiers))
#define LIST_FD   100 /* its name is the list's */

enum { FORM_PLAIN = 1, FORM_LIST = 2, FORM_KEYWORD = 4 };

static void list_make(void)
{
	static const char text[] = "alpha\nb*ta\n192.0.2.0/24\n4625\nđông hà\n";
	int file = memfd_create("list", 0);

	CHECK(file >= 0 && dup2(file, LIST_FD) == LIST_FD);
	CHECK(write(LIST_FD, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	close(file);
}

/* In double quotes, so that each text can be a value; YAML takes UTF-8 as it is. */
static void quoted_put(struct buf *out, struct str text)
{
	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '"');
}

static void value_put(struct buf *out, struct str text, unsigned form)
{
	bool plain = (form & FORM_PLAIN) != 0 && text.len > 0;

	for (size_t i = 0; plain && i < text.len; i++)
		plain = char_is_alpha(text.ptr[i]) || char_is_digit(text.ptr[i]) ||
		    text.ptr[i] == '.' || text.ptr[i] == '/';
	if (form & FORM_LIST)
		buf_str_put(out, STR("[second, "));
	if (plain)
		buf_str_put(out, text);
	else
		quoted_put(out, text);
	if (form & FORM_LIST)
		buf_char(out, ']');
}

static void rule_put(struct buf *out, const uint8_t *head, struct str value, const char *id,
    const char *condition)
{
	buf_printf(out, "title: %s\nid: %s\nlogsource: {}\ndetection: {s: {'%s|%s", id, id,
	    head[2] & FORM_KEYWORD ? "" : "A", modifiers[head[0] % MODIFIERS]);
	if (head[1] % (MODIFIERS + 1) < MODIFIERS)
		buf_printf(out, "|%s", modifiers[head[1] % (MODIFIERS + 1)]);
	buf_str_put(out, STR("': "));
	value_put(out, value, head[2]);
	buf_printf(out, "}, condition: %s}\n---\n", condition);
}

static void compare(const struct ruleset *ruleset, struct str a, struct str b)
{
	struct matcher *matcher = matcher_new(ruleset);
	struct arena *arena = arena_new((size_t)16 << 20);
	struct event event = {.raw = a};
	struct record record;
	uint32_t indexed[4];
	const uint32_t *matches;

	CHECK(matcher != NULL && arena != NULL);
	record_begin(&record, &event, arena, 8);
	if (a.ptr != NULL)
		record_put_named(&record, STR("A"), FIELD_STRING, a);
	if (b.ptr != NULL)
		record_put_named(&record, STR("B"), FIELD_STRING, b);
	size_t count = matcher_run(matcher, &record, &matches);

	CHECK(count <= 4);
	for (size_t i = 0; i < count; i++)
		indexed[i] = matches[i];
	CHECK(matcher_run_plain(matcher, &record, &matches) == count);
	for (size_t i = 0; i < count; i++)
		CHECK(indexed[i] == matches[i]);
	/* A rule and its contrary: exactly one of the two. */
	CHECK(ruleset_count(ruleset) != 2 || count == 1);
	matcher_free(matcher);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *lists[] = {"/proc/self/fd/100"};
	/* Few regex steps: with machine code and without, both sides count the same. */
	struct ruleset_options options = {.memory = (size_t)16 << 20, .regex_steps = 1000,
	    .lists = lists, .list_count = 1};
	static bool has_list;
	struct ruleset *ruleset = NULL;
	struct buf document = BUF(1 << 20);
	struct str rest, value = STR_NONE, a = STR_NONE, b = STR_NONE;
	struct error error = {0};

	if (size < 3 || size > 4096)
		return 0;
	if (!has_list)
		list_make();
	has_list = true;
	rest = str_from((const char *)data + 3, size - 3);
	if (str_cut(&rest, '\n', &value) && str_cut(&rest, '\n', &a))
		b = rest;
	rule_put(&document, data, value, "is", "s");
	rule_put(&document, data, value, "isnot", "not s");
	if (!document.failed && ruleset_load_text(&ruleset, buf_str(&document), "fuzz.yml",
	    &options, &error) == 0) {
		compare(ruleset, a, b);
		ruleset_free(ruleset);
	}
	buf_free(&document);
	return 0;
}
