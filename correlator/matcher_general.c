#include "correlator/matcher_general.h"

#include "base/check.h"
#include "correlator/matcher_pairs.h"

#include <stdlib.h>
#include <string.h>

#define FOUR 4u

/*
 * What fields of no known kind are full of, folded. A literal that occurs here would be found all
 * the time; the longer ones that only contain such a piece would not.
 */
static const char ordinary[] =
    "c:\\windows\\system32\\ c:\\windows\\syswow64\\ c:\\program files\\ c:\\program files (x86)\\ "
    "c:\\programdata\\microsoft\\ c:\\users\\administrator\\appdata\\local\\temp\\ "
    "\\appdata\\roaming\\ "
    "c:\\windows\\explorer.exe svchost.exe -k netsvcs -p -s services.exe lsass.exe wmiprvse.exe "
    "cmd.exe /c powershell.exe windowspowershell\\v1.0\\ rundll32.exe conhost.exe taskhostw.exe "
    "kernel32.dll ntdll.dll mscoree.dll .dll .exe .tmp .log .dat .txt .ps1 \\device\\harddiskvolume "
    "hklm\\software\\microsoft\\windows\\currentversion\\ hklm\\system\\currentcontrolset\\services\\ "
    "hku\\s-1-5-21- nt authority\\system local service network service http://www. https:// .com/ "
    "microsoft windows operating system microsoft corporation true false 0x0 0x1 127.0.0.1 "
    "get-item -object -name -path param function return $true $null write-host set-content invoke "
    "-noprofile -noninteractive -executionpolicy bypass -file -command http/1.1 get post mozilla/5.0 "
    "applewebkit/537.36 (khtml, like gecko) chrome/ safari/ /usr/bin/ /usr/sbin/ /bin/bash -c root "
    "/var/log/ /etc/ /home/ sha1= md5= sha256= imphash= allow deny accept drop tcp udp high medium "
    "low system integritylevel query_status user32.dll advapi32.dll ?.?.?.? google update ";

/* What stands between values. */
static const char between[] =
    "{\"name\":\"value\",\"name\":0,\"name\":{\"name\":\"0\",\"name\":[\"a\",\"b\"],"
    "\"name\":null}} \\r\\n\\r\\n\\t\\tname:\\t\\tvalue\\r\\n name=value name=\"value\" "
    "name: value, name: 1; [1]: (1) 2026-11-22 10:11:12.134 2026-11-22t10:11:12.567z "
    "c:\\\\users\\\\name\\\\ ";

#define VALUES_MOST 32u

enum kind {
	KIND_ANY,
#define KIND(name, fields)  KIND_##name,
#define VALUE(name, value)
#include "correlator/general.def"
#undef VALUE
#undef KIND
	KINDS
};

static const char *const kind_fields[KINDS] = {
#define KIND(name, fields) [KIND_##name] = fields,
#define VALUE(name, value)
#include "correlator/general.def"
#undef VALUE
#undef KIND
};

static const struct value {
	enum kind kind;
	struct str text;
} values[] = {
#define KIND(name, fields)
#define VALUE(name, value) {KIND_##name, STR_INIT(value)},
#include "correlator/general.def"
#undef VALUE
#undef KIND
};

#define VALUES (sizeof(values) / sizeof(values[0]))

/* Examples of one kind. */
struct examples {
	const struct value *values;
	uint32_t count;
	uint32_t windows[1u << GENERAL_BITS]; /* a bit each */
};

struct general {
	const struct program *program;
	struct examples examples[KINDS];
	uint8_t pairs[1u << 16];
	uint8_t *kinds; /* by slot */
	uint8_t *wants; /* by slot */
	float odds[];   /* by predicate */
};

static uint32_t four_at(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static void windows_add(struct examples *examples, struct str text, uint32_t bit)
{
	for (size_t at = 0; at + FOUR <= text.len; at++)
		examples->windows[general_place(four_at(text.ptr + at))] |= bit;
}

static void pairs_add(struct general *general, struct str text)
{
	for (size_t at = 0; at + 1 < text.len; at++) {
		uint8_t *count = &general->pairs[pair_at(text.ptr + at)];

		*count = (uint8_t)(*count + (*count < UINT8_MAX));
	}
}

static void examples_make(struct general *general)
{
	windows_add(&general->examples[KIND_ANY], STR(ordinary), 1);
	pairs_add(general, STR(ordinary));
	pairs_add(general, STR(between));
	for (size_t i = 0; i < VALUES; i++) {
		struct examples *examples = &general->examples[values[i].kind];

		if (examples->count == 0)
			examples->values = &values[i];
		CHECK(examples->count < VALUES_MOST);
		pairs_add(general, values[i].text);
		windows_add(examples, values[i].text, UINT32_C(1) << examples->count++);
	}
}

/* The lists have a space around each name. */
static enum kind kind_of(struct str field)
{
	char name[64];

	if (field.len + 2 > sizeof(name))
		return KIND_ANY;
	name[0] = name[field.len + 1] = ' ';
	for (size_t i = 0; i < field.len; i++)
		name[i + 1] = char_lower(field.ptr[i]);
	for (enum kind kind = KIND_ANY + 1; kind < KINDS; kind++) {
		if (memmem(kind_fields[kind], strlen(kind_fields[kind]), name, field.len + 2) !=
		    NULL)
			return kind;
	}
	return KIND_ANY;
}

static const struct examples *examples_of(const struct general *general, uint32_t slot)
{
	return &general->examples[slot == SLOT_ANYWHERE ? KIND_ANY : general->kinds[slot]];
}

const uint32_t *general_windows(const struct general *general, uint32_t slot)
{
	return examples_of(general, slot)->windows;
}

/* Those of the examples that have each four bytes of the text. */
static uint32_t windows_common(const struct examples *examples, struct str text)
{
	uint32_t common = UINT32_MAX;

	for (size_t at = 0; at + FOUR <= text.len && common != 0; at++)
		common &= examples->windows[general_place(four_at(text.ptr + at))];
	return common;
}

static bool is_high(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((uint8_t)text.ptr[i] >= 0x80)
			return true;
	}
	return false;
}

/* Of a text in a value, of which nothing is known but that it is not in any example. */
static float unknown_odds(struct str text)
{
	static const float by_length[] = {1, .9F, .7F, .4F, .1F, .05F, .03F, .015F};

	if (is_high(text))
		return .002F;
	return text.len < sizeof(by_length) / sizeof(by_length[0]) ? by_length[text.len] : .008F;
}

/* In a field of no known kind. */
static float any_odds(const struct general *general, const struct predicate *predicate, bool exact)
{
	struct str text = predicate->folded;
	bool is_ordinary = text.len >= FOUR && !is_high(text) &&
	    windows_common(&general->examples[KIND_ANY], text) != 0;

	if (exact)
		return text.len == 0 ? .3F : is_ordinary ? .12F : .02F;
	return is_ordinary ? .3F + .5F / (float)(text.len + 1) : unknown_odds(text);
}

static bool value_has(struct str value, const struct predicate *predicate, bool exact)
{
	struct str text = predicate->folded;

	if (exact)
		return str_eq(value, text);
	if (predicate->kind == PREDICATE_PREFIX)
		return str_starts(value, text);
	if (predicate->kind == PREDICATE_SUFFIX)
		return str_ends(value, text);
	return text.len == 0 || memmem(value.ptr, value.len, text.ptr, text.len) != NULL;
}

/* The share of the examples, beside that something else is there. */
static float known_odds(const struct examples *examples, const struct predicate *predicate,
    bool exact)
{
	float unknown = exact ? .01F : unknown_odds(predicate->folded);
	uint32_t common = windows_common(examples, predicate->folded), count = 0;

	for (uint32_t i = 0; i < examples->count; i++)
		count += (common >> i & 1) != 0 &&
		    value_has(examples->values[i].text, predicate, exact);
	float share = (float)count / (float)examples->count;

	return share > unknown ? share : unknown;
}

static float odds_of(const struct general *general, const struct predicate *predicate)
{
	const struct examples *examples = examples_of(general, predicate->slot);
	bool exact =
	    predicate->kind == PREDICATE_EXACT || predicate->kind == PREDICATE_NUMBER;

	return examples->count > 0 ? known_odds(examples, predicate, exact)
	                           : any_odds(general, predicate, exact);
}

/* What has to be known of values for its odds. */
static uint8_t wants_of(const struct predicate *predicate)
{
	uint8_t inside = predicate->folded.len < FOUR ? GENERAL_BYTES : GENERAL_FOURS;

	switch (predicate->kind) {
	case PREDICATE_EXACT:
	case PREDICATE_NUMBER:
		return GENERAL_PRESENT | GENERAL_EXACT;
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
		return GENERAL_PRESENT | GENERAL_ENDS | inside;
	case PREDICATE_CONTAINS:
	case PREDICATE_GLOB:
	case PREDICATE_REGEX:
		return GENERAL_PRESENT | inside;
	case PREDICATE_CIDR:
	case PREDICATE_TIME:
	case PREDICATE_COMPARE:
	case PREDICATE_FIELD:
	case PREDICATE_EXISTS:
	case PREDICATE_NULL:
		break;
	}
	return GENERAL_PRESENT;
}

struct general *general_new(const struct program *program)
{
	struct general *general = calloc(1, sizeof(*general) +
	    program->predicate_count * sizeof(general->odds[0]) + 2 * program->slot_count);

	if (general == NULL)
		return NULL;
	general->program = program;
	general->kinds = (uint8_t *)&general->odds[program->predicate_count];
	general->wants = general->kinds + program->slot_count;
	examples_make(general);
	for (size_t i = 0; i < program->slot_count; i++)
		general->kinds[i] = (uint8_t)kind_of(program->slots[i].name);
	for (size_t i = 0; i < program->predicate_count; i++)
		general->odds[i] = odds_of(general, &program->predicates[i]);
	for (size_t i = 0; i < program->predicate_count; i++) {
		if (program->predicates[i].slot != SLOT_ANYWHERE)
			general->wants[program->predicates[i].slot] |=
			    wants_of(&program->predicates[i]);
	}
	return general;
}

void general_free(struct general *general)
{
	free(general);
}

const struct program *general_program(const struct general *general)
{
	return general->program;
}

const uint8_t *general_wants(const struct general *general)
{
	return general->wants;
}

const uint8_t *general_pairs(const struct general *general)
{
	return general->pairs;
}

const float *general_odds(const struct general *general)
{
	return general->odds;
}
