#include "decoder/json_scalar.h"

/* Behind the digits at at, of which there is one at least; else NULL. */
static const char *digits_take(const char *at)
{
	const char *end = at;

	while (char_is_digit(*end))
		end++;
	return end > at ? end : NULL;
}

static const char *number_take(const char *at)
{
	if ((at = digits_take(at + (*at == '-'))) == NULL)
		return NULL;
	if (*at == '.' && (at = digits_take(at + 1)) == NULL)
		return NULL;
	if ((*at | 0x20) != 'e')
		return at;
	at++;
	return digits_take(at + (*at == '+' || *at == '-'));
}

static bool word_is(const char *at, const char *word)
{
	while (*word != '\0' && *at == *word) {
		at++;
		word++;
	}
	return *word == '\0';
}

const char *json_scalar_take(struct field *out, const char *at)
{
	static const struct {
		const char *word;
		size_t len;
		enum field_kind kind;
	} words[] = {{"true", 4, FIELD_BOOL}, {"false", 5, FIELD_BOOL}, {"null", 4, FIELD_NULL}};
	const char *end = NULL;

	if (*at == '-' || char_is_digit(*at)) {
		out->kind = FIELD_NUMBER;
		end = number_take(at);
	}
	for (size_t i = 0; end == NULL && i < 3; i++) {
		if (!word_is(at, words[i].word))
			continue;
		out->kind = words[i].kind;
		end = at + words[i].len;
	}
	if (end != NULL)
		out->value = (struct str){at, (size_t)(end - at)};
	return end;
}

const char *json_integer_take(struct field *out, const char *at)
{
	const char *end = at;

	while (char_is_digit(*end))
		end++;
	if (__builtin_expect(end == at || *end == '.' || (*end | 0x20) == 'e', 0))
		return json_scalar_take(out, at);
	out->kind = FIELD_NUMBER;
	out->value = (struct str){at, (size_t)(end - at)};
	return end;
}
