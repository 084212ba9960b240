/*
 * A predicate in the words of a rule. It is what the rule means, not how it was written:
 * '*whoami*' comes back as contains, and a text without regard to case in lower case.
 */
#include "sigma/program.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const compare_names[] = {
    [COMPARE_LT] = "lt", [COMPARE_LTE] = "lte", [COMPARE_GT] = "gt", [COMPARE_GTE] = "gte"};
static const char *const part_names[] = {[TIME_MINUTE] = "minute", [TIME_HOUR] = "hour",
    [TIME_DAY] = "day", [TIME_WEEK] = "week", [TIME_MONTH] = "month", [TIME_YEAR] = "year"};

static void modifier_put(struct buf *out, const char *name)
{
	buf_char(out, '|');
	buf_str_put(out, str_of(name));
}

static void regex_modifiers(const struct predicate *predicate, struct buf *out)
{
	modifier_put(out, "re");
	if (predicate->regex_flags & REGEX_CASELESS)
		modifier_put(out, "i");
	if (predicate->regex_flags & REGEX_MULTILINE)
		modifier_put(out, "m");
	if (predicate->regex_flags & REGEX_DOTALL)
		modifier_put(out, "s");
}

static void field_modifiers(const struct predicate *predicate, struct buf *out)
{
	modifier_put(out, "fieldref");
	if (predicate->open_front && predicate->open_behind)
		modifier_put(out, "contains");
	else if (predicate->open_front)
		modifier_put(out, "endswith");
	else if (predicate->open_behind)
		modifier_put(out, "startswith");
}

static void modifiers_write(const struct predicate *predicate, struct buf *out)
{
	switch (predicate->kind) {
	case PREDICATE_PREFIX:
		modifier_put(out, "startswith");
		break;
	case PREDICATE_SUFFIX:
		modifier_put(out, "endswith");
		break;
	case PREDICATE_CONTAINS:
		modifier_put(out, "contains");
		break;
	case PREDICATE_COMPARE:
		modifier_put(out, compare_names[predicate->compare]);
		break;
	case PREDICATE_CIDR:
		modifier_put(out, "cidr");
		break;
	case PREDICATE_REGEX:
		regex_modifiers(predicate, out);
		break;
	case PREDICATE_TIME:
		modifier_put(out, part_names[predicate->part]);
		break;
	case PREDICATE_FIELD:
		field_modifiers(predicate, out);
		break;
	case PREDICATE_EXISTS:
		modifier_put(out, "exists");
		break;
	case PREDICATE_EXACT:
	case PREDICATE_GLOB:
	case PREDICATE_NUMBER:
	case PREDICATE_NULL:
		break;
	}
	if (predicate->cased)
		modifier_put(out, "cased");
}

static bool is_special(char c)
{
	return c == '*' || c == '?' || c == '\\';
}

/* A '\' before an ordinary character needs none; the last one may stand before a wildcard. */
static void escaped_put(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\\' ? i + 1 == text.len || is_special(text.ptr[i + 1]) : is_special(c))
			buf_char(out, '\\');
		buf_char(out, c);
	}
}

static void glob_write(struct glob glob, struct buf *out)
{
	for (size_t i = 0; i < glob.count; i++) {
		switch (glob.tokens[i].kind) {
		case GLOB_LITERAL:
			escaped_put(out, glob.tokens[i].text);
			break;
		case GLOB_ONE:
			buf_char(out, '?');
			break;
		case GLOB_ANY:
			buf_char(out, '*');
			break;
		case GLOB_DASH: /* of windash */
			buf_char(out, '-');
			break;
		}
	}
}

static void cidr_write(const struct cidr *cidr, struct buf *out)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
	bool four = cidr->bits >= 96 && memcmp(cidr->address, mapped, sizeof(mapped)) == 0;
	char text[INET6_ADDRSTRLEN];

	CHECK(inet_ntop(four ? AF_INET : AF_INET6, cidr->address + (four ? 12 : 0), text,
		  sizeof(text)) != NULL);
	buf_printf(out, "%s/%u", text, cidr->bits - (four ? 96 : 0));
}

static void operand_write(const struct program *program, const struct predicate *predicate,
    struct buf *out)
{
	switch (predicate->kind) {
	case PREDICATE_EXACT:
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
	case PREDICATE_CONTAINS:
		if (predicate->text.len == 0)
			buf_str_put(out, STR("''"));
		escaped_put(out, predicate->text);
		break;
	case PREDICATE_GLOB:
		glob_write(predicate->glob, out);
		break;
	case PREDICATE_NUMBER:
	case PREDICATE_COMPARE:
	case PREDICATE_TIME:
	case PREDICATE_REGEX:
		buf_str_put(out, predicate->text);
		break;
	case PREDICATE_CIDR:
		cidr_write(&predicate->cidr, out);
		break;
	case PREDICATE_FIELD:
		buf_str_put(out, program->slots[predicate->other].name);
		break;
	case PREDICATE_NULL:
		buf_str_put(out, STR("null"));
		break;
	case PREDICATE_EXISTS:
		buf_str_put(out, STR("true"));
		break;
	}
}

void predicate_write(const struct program *program, const struct predicate *predicate,
    struct buf *out)
{
	if (predicate->slot != SLOT_ANYWHERE)
		buf_str_put(out, program->slots[predicate->slot].name);
	modifiers_write(predicate, out);
	buf_str_put(out, STR(": "));
	operand_write(program, predicate, out);
}
