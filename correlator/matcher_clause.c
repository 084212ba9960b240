#include "correlator/matcher_clause.h"

#include <string.h>

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
    "get-item -object -name -path param function return $true $null write-host set-content invoke";

static size_t four_place(const char four[4])
{
	uint32_t word;

	memcpy(&word, four, sizeof(word));
	return word * 2654435761u >> 20;
}

void commonness_learn(struct commonness *commonness)
{
	memset(commonness, 0, sizeof(*commonness));
	for (size_t i = 0; i + 4 < sizeof(ordinary); i++) {
		uint8_t *count = &commonness->counts[four_place(ordinary + i)];

		if (*count < UINT8_MAX)
			++*count;
	}
}

/* Windows that the sample does not have differ by how many letters they have: those are common. */
unsigned commonness_of(const struct commonness *commonness, const char four[4])
{
	unsigned letters = 0;

	for (size_t i = 0; i < 4; i++)
		letters += (four[i] >= 'a' && four[i] <= 'z') || four[i] == ' ';
	return commonness->counts[four_place(four)] * 8u + letters;
}

static bool is_ordinary(struct str text)
{
	return str_find(STR(ordinary), text) != STR_NOT_FOUND;
}

static double literal_cost(struct str text)
{
	static const double by_length[] = {1000, 900, 700, 400, 100, 50, 30, 15};

	if (is_ordinary(text))
		return 300 + 500 / (double)(text.len + 1);
	for (size_t i = 0; i < text.len; i++) {
		if ((uint8_t)text.ptr[i] >= 0x80)
			return 2;
	}
	return text.len < sizeof(by_length) / sizeof(by_length[0]) ? by_length[text.len] : 8;
}

static double predicate_cost(const struct predicate *predicate)
{
	struct str text = predicate->folded;

	switch (predicate->kind) {
	case PREDICATE_EXACT:
		return text.len == 0 ? 300 : is_ordinary(text) ? 120 : 10;
	case PREDICATE_NUMBER:
		return 200;
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
		return text.len < 4 ? 900 : literal_cost(text) * 0.6;
	case PREDICATE_CONTAINS:
		return literal_cost(text) + 5;
	case PREDICATE_GLOB:
		return literal_cost(text) * 1.5 + 5;
	case PREDICATE_CIDR:
	case PREDICATE_COMPARE:
	case PREDICATE_TIME:
		return 1000;
	case PREDICATE_FIELD:
	case PREDICATE_EXISTS:
		return 1200;
	case PREDICATE_REGEX:
		return text.len < 4 ? 3000 : literal_cost(text) * 2 + 20;
	case PREDICATE_NULL:
		break;
	}
	return CLAUSE_NONE;
}

static const struct expression *cheapest(const struct program *program,
    const struct expression *expression, double *ret_cost)
{
	const struct expression *best = NULL;

	*ret_cost = CLAUSE_NONE;
	for (size_t i = 0; i < expression->count; i++) {
		double cost = clause_cost(program, expression->children[i]);

		if (cost < *ret_cost) {
			*ret_cost = cost;
			best = expression->children[i];
		}
	}
	return best;
}

double clause_cost(const struct program *program, const struct expression *expression)
{
	double cost = 0;

	switch (expression->kind) {
	case EXPRESSION_PREDICATE:
		return predicate_cost(&program->predicates[expression->predicate]);
	case EXPRESSION_AND:
		(void)cheapest(program, expression, &cost);
		return cost;
	case EXPRESSION_OR:
	case EXPRESSION_AT_LEAST:
		for (size_t i = 0; i < expression->count; i++)
			cost += clause_cost(program, expression->children[i]);
		return cost < CLAUSE_NONE ? cost : CLAUSE_NONE;
	case EXPRESSION_NOT:
		break;
	}
	return CLAUSE_NONE;
}

bool clause_each(const struct program *program, const struct expression *expression,
    bool (*take)(void *context, uint32_t predicate), void *context)
{
	double cost;

	if (expression->kind == EXPRESSION_PREDICATE)
		return take(context, expression->predicate);
	if (expression->kind == EXPRESSION_AND)
		return clause_each(program, cheapest(program, expression, &cost), take, context);
	for (size_t i = 0; i < expression->count; i++) {
		if (!clause_each(program, expression->children[i], take, context))
			return false;
	}
	return true;
}
