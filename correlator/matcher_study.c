#include "correlator/matcher_study.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_BITS   16u
#define GENERAL_BITS 12u
#define VALUE_MOST   1024u /* bytes of a value that are looked at */
#define PRIOR_WEIGHT 2.0   /* events that general knowledge stands for */
#define FOUR         4u

/*
 * What ordinary events are full of, folded. A literal that occurs here would be found all the time;
 * the longer ones that only contain such a piece would not.
 */
static const char ordinary[] =
    "c:\\windows\\system32\\ c:\\windows\\syswow64\\ c:\\program files\\ c:\\program files (x86)\\ "
    "c:\\programdata\\microsoft\\ c:\\users\\administrator\\appdata\\local\\temp\\ \\appdata\\roaming\\ "
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

/* Keys of different meaning differ in this. */
enum what { WHAT_PRESENT = 1, WHAT_EXACT, WHAT_PREFIX, WHAT_SUFFIX, WHAT_FOUR, WHAT_BYTE };

struct study {
	const struct program *program;
	double events;
	uint8_t general[1u << GENERAL_BITS];
	uint16_t counts[1u << COUNT_BITS];
	bool wanted[]; /* by slot */
};

static uint32_t four_at(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static uint64_t eight_at(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static size_t general_place(uint32_t four)
{
	return four * 2654435761u >> (32 - GENERAL_BITS);
}

static uint64_t salt(uint32_t slot, enum what what)
{
	return ((uint64_t)slot << 3 | (uint64_t)what) * UINT64_C(0xd1b54a32d192ed03);
}

static size_t place(uint64_t salt, uint64_t bytes)
{
	return (size_t)((bytes ^ salt) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - COUNT_BITS));
}

static size_t exact_place(uint32_t slot, struct str text)
{
	uint64_t hash = text.len;

	for (; text.len >= 8; text.ptr += 8, text.len -= 8) {
		hash = (hash ^ eight_at(text.ptr)) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	for (; text.len > 0; text.ptr++, text.len--)
		hash = hash << 8 ^ (uint8_t)*text.ptr ^ hash >> 56;
	return place(salt(slot, WHAT_EXACT), hash);
}

struct study *study_new(const struct program *program)
{
	struct study *study = calloc(1, sizeof(*study) + program->slot_count);

	if (study == NULL)
		return NULL;
	study->program = program;
	for (size_t i = 0; i + FOUR < sizeof(ordinary); i++) {
		uint8_t *count = &study->general[general_place(four_at(ordinary + i))];

		if (*count < UINT8_MAX)
			++*count;
	}
	return study;
}

void study_free(struct study *study)
{
	free(study);
}

void study_want(struct study *study, const struct expression *expression)
{
	if (expression->kind == EXPRESSION_PREDICATE) {
		uint32_t slot = study->program->predicates[expression->predicate].slot;

		if (slot != SLOT_ANYWHERE)
			study->wanted[slot] = true;
	}
	for (size_t i = 0; i < expression->count; i++)
		study_want(study, expression->children[i]);
}

size_t study_bytes(void)
{
	return sizeof(struct study);
}

static void count_up(struct study *study, size_t place)
{
	uint16_t *count = &study->counts[place];

	*count = (uint16_t)(*count + (*count < UINT16_MAX));
}

/* Each byte that occurs, once. */
static void bytes_take(struct study *study, uint32_t slot, struct str text)
{
	const uint64_t byte = salt(slot, WHAT_BYTE);
	uint64_t seen[4] = {0};

	for (size_t i = 0; i < text.len; i++)
		seen[(uint8_t)text.ptr[i] >> 6] |= UINT64_C(1) << (text.ptr[i] & 63);
	for (uint64_t i = 0; i < 4; i++) {
		for (; seen[i] != 0; seen[i] &= seen[i] - 1)
			count_up(study,
			    place(byte, i << 6 | (uint64_t)__builtin_ctzll(seen[i])));
	}
}

static void value_take(struct study *study, uint32_t slot, struct str text)
{
	const uint64_t four = salt(slot, WHAT_FOUR);

	if (text.len > VALUE_MOST)
		text.len = VALUE_MOST;
	count_up(study, exact_place(slot, text));
	if (text.len >= 8) {
		count_up(study, place(salt(slot, WHAT_PREFIX), eight_at(text.ptr)));
		count_up(study, place(salt(slot, WHAT_SUFFIX), eight_at(text.ptr + text.len - 8)));
	}
	for (size_t at = 0; at + FOUR <= text.len; at++)
		count_up(study, place(four, four_at(text.ptr + at)));
	bytes_take(study, slot, text);
}

void study_take(struct study *study, struct view *view)
{
	study->events++;
	for (size_t i = 0; i < view->value_count; i++) {
		struct view_value *value = &view->values[i];
		uint32_t slot = view->shape->slots[i];

		if (slot == SLOT_ANYWHERE || !study->wanted[slot])
			continue;
		if (view_first(view, slot) == i)
			count_up(study, place(salt(slot, WHAT_PRESENT), 0));
		if (view_kind(view, (uint32_t)i) != FIELD_NULL)
			value_take(study, slot, view_subject(view, value)->folded);
	}
}

void study_fade(struct study *study)
{
	study->events /= 2;
	for (size_t i = 0; i < sizeof(study->counts) / sizeof(study->counts[0]); i++)
		study->counts[i] /= 2;
}

/* Beside count of the events seen, general knowledge. */
static double blend(const struct study *study, double count, double general)
{
	double share = (count + PRIOR_WEIGHT * general) / (study->events + PRIOR_WEIGHT);

	return share > 1 ? 1 : share;
}

static bool is_ordinary(const struct study *study, struct str text)
{
	for (size_t at = 0; at + FOUR <= text.len; at++) {
		if (study->general[general_place(four_at(text.ptr + at))] == 0)
			return false;
	}
	return true;
}

/* Of a text somewhere in a value, of which nothing else is known. */
static double general_odds(const struct study *study, struct str text)
{
	static const double by_length[] = {1, .9, .7, .4, .1, .05, .03, .015};

	for (size_t i = 0; i < text.len; i++) {
		if ((uint8_t)text.ptr[i] >= 0x80)
			return .002;
	}
	if (text.len < FOUR || is_ordinary(study, text))
		return text.len < FOUR ? by_length[text.len] : .3 + .5 / (double)(text.len + 1);
	return text.len < sizeof(by_length) / sizeof(by_length[0]) ? by_length[text.len] : .008;
}

/* At least how often text was in a value of the field. */
static double windows_count(const struct study *study, uint32_t slot, struct str text)
{
	const uint64_t four = salt(slot, WHAT_FOUR);
	unsigned least = UINT16_MAX;

	for (size_t at = 0; at + FOUR <= text.len && least > 0; at++) {
		unsigned count = study->counts[place(four, four_at(text.ptr + at))];

		if (count < least)
			least = count;
	}
	return least < study->events ? least : study->events;
}

/* Less than four bytes: at least how often their rarest was there. */
static double bytes_count(const struct study *study, uint32_t slot, struct str text)
{
	double least = study->events;

	for (size_t i = 0; i < text.len; i++) {
		double count =
		    study->counts[place(salt(slot, WHAT_BYTE), (uint8_t)text.ptr[i])];

		if (count < least)
			least = count;
	}
	return least;
}

static double inside_odds(const struct study *study, uint32_t slot, struct str text)
{
	double general = general_odds(study, text);

	if (slot == SLOT_ANYWHERE)
		return general;
	return blend(study, text.len < FOUR ? bytes_count(study, slot, text)
	                                    : windows_count(study, slot, text), general);
}

static double end_odds(const struct study *study, uint32_t slot, struct str text, enum what what)
{
	double inside = inside_odds(study, slot, text);

	if (slot == SLOT_ANYWHERE || text.len < 8)
		return inside;
	const char *end = what == WHAT_PREFIX ? text.ptr : text.ptr + text.len - 8;
	double ends = blend(study, study->counts[place(salt(slot, what), eight_at(end))],
	    general_odds(study, text) * .6);

	return ends < inside ? ends : inside;
}

static double exact_odds(const struct study *study, uint32_t slot, struct str text)
{
	double general = text.len == 0 ? .3 : text.len >= FOUR && is_ordinary(study, text) ? .12
	                                                                                  : .02;

	if (slot == SLOT_ANYWHERE)
		return general;
	return blend(study, study->counts[exact_place(slot, text)], general);
}

double study_presence(const struct study *study, uint32_t slot)
{
	if (slot == SLOT_ANYWHERE)
		return 1;
	return blend(study, study->counts[place(salt(slot, WHAT_PRESENT), 0)], 1);
}

double study_odds(const struct study *study, const struct predicate *predicate)
{
	uint32_t slot = predicate->slot;

	switch (predicate->kind) {
	case PREDICATE_EXACT:
		return exact_odds(study, slot, predicate->folded);
	case PREDICATE_NUMBER:
		return exact_odds(study, slot, predicate->folded) + .01;
	case PREDICATE_PREFIX:
		return end_odds(study, slot, predicate->folded, WHAT_PREFIX);
	case PREDICATE_SUFFIX:
		return end_odds(study, slot, predicate->folded, WHAT_SUFFIX);
	case PREDICATE_CONTAINS:
	case PREDICATE_GLOB:
	case PREDICATE_REGEX:
		return inside_odds(study, slot, predicate->folded);
	case PREDICATE_CIDR:
	case PREDICATE_TIME:
		return study_presence(study, slot) * .2;
	case PREDICATE_COMPARE:
	case PREDICATE_FIELD:
		return study_presence(study, slot) * .4;
	case PREDICATE_EXISTS:
		return study_presence(study, slot);
	case PREDICATE_NULL:
		return 1.01 - study_presence(study, slot);
	}
	return 1;
}

/* Windows that are in neither differ by how many letters they have: those are common. */
double study_window(const struct study *study, uint32_t slot, const char four[4])
{
	unsigned letters = 0;
	uint32_t word = four_at(four);
	double general = study->general[general_place(word)] > 0 ? .3 : .001;

	for (size_t i = 0; i < FOUR; i++)
		letters += (four[i] >= 'a' && four[i] <= 'z') || four[i] == ' ';
	if (slot == SLOT_ANYWHERE)
		return general + letters * .001;
	return blend(study, study->counts[place(salt(slot, WHAT_FOUR), word)], general) +
	    letters * .0001;
}
