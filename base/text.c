#include "base/text.h"

#include "base/check.h"

static const char *const catalogue[TEXT_COUNT][2] = {
#define TEXT(name, english, vietnamese) [TEXT_##name] = {english, vietnamese},
#include "base/text.def"
#undef TEXT
};

static enum language chosen = LANGUAGE_ENGLISH;

const char *text_in(enum text_id id, enum language language)
{
	CHECK(id < TEXT_COUNT);
	return catalogue[id][language];
}

const char *text(enum text_id id)
{
	return text_in(id, chosen);
}

void text_choose(enum language language)
{
	chosen = language;
}

enum language text_language(void)
{
	return chosen;
}

bool text_language_of(struct str name, enum language *ret)
{
	if (str_starts_fold(name, STR("vi")))
		*ret = LANGUAGE_VIETNAMESE;
	else if (str_starts_fold(name, STR("en")))
		*ret = LANGUAGE_ENGLISH;
	else
		return false;
	return true;
}
