#include "correlator/matcher_general.h"

#include <stdlib.h>
#include <string.h>

#define FOUR 4u

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

struct general {
	const struct program *program;
	bool has[1u << GENERAL_BITS];
	float odds[]; /* by predicate */
};

static uint32_t four_at(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

const bool *general_windows(const struct general *general, uint32_t slot)
{
	(void)slot;
	return general->has;
}

static bool is_ordinary(const struct general *general, struct str text)
{
	for (size_t at = 0; at + FOUR <= text.len; at++) {
		if (!general->has[general_place(four_at(text.ptr + at))])
			return false;
	}
	return true;
}

/* Of a text somewhere in a value, of which nothing else is known. */
static float inside_odds(const struct general *general, struct str text)
{
	static const float by_length[] = {1, .9F, .7F, .4F, .1F, .05F, .03F, .015F};

	for (size_t i = 0; i < text.len; i++) {
		if ((uint8_t)text.ptr[i] >= 0x80)
			return .002F;
	}
	if (text.len < FOUR)
		return by_length[text.len];
	if (is_ordinary(general, text))
		return .3F + .5F / (float)(text.len + 1);
	return text.len < sizeof(by_length) / sizeof(by_length[0]) ? by_length[text.len] : .008F;
}

static float odds_of(const struct general *general, const struct predicate *predicate)
{
	struct str text = predicate->folded;

	if (predicate->kind != PREDICATE_EXACT && predicate->kind != PREDICATE_NUMBER)
		return inside_odds(general, text);
	if (text.len == 0)
		return .3F;
	return text.len >= FOUR && is_ordinary(general, text) ? .12F : .02F;
}

struct general *general_new(const struct program *program)
{
	struct general *general =
	    calloc(1, sizeof(*general) + program->predicate_count * sizeof(general->odds[0]));

	if (general == NULL)
		return NULL;
	general->program = program;
	for (size_t i = 0; i + FOUR < sizeof(ordinary); i++)
		general->has[general_place(four_at(ordinary + i))] = true;
	for (size_t i = 0; i < program->predicate_count; i++)
		general->odds[i] = odds_of(general, &program->predicates[i]);
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

const float *general_odds(const struct general *general)
{
	return general->odds;
}
