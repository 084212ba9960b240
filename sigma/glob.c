/*
 * Matching goes back only to the last '*', which is enough for patterns without alternatives: at
 * most subject times pattern steps, and memmem for a literal behind a star.
 */
#include "sigma/glob.h"

#include "base/utf8.h"

#include <string.h>

static const struct str dashes[] = {
    {"-", 1}, {"/", 1}, {"\xE2\x80\x93", 3}, {"\xE2\x80\x94", 3}, {"\xE2\x80\x95", 3}};

static void token_add(struct glob *glob, enum glob_kind kind, struct str text)
{
	struct glob_token *last = glob->count > 0 ? &glob->tokens[glob->count - 1] : NULL;

	if (kind == GLOB_ANY && last != NULL && last->kind == GLOB_ANY)
		return;
	if (kind == GLOB_LITERAL && text.len == 0)
		return;
	glob->tokens[glob->count++] = (struct glob_token){kind, text};
}

/* Literals lie one after the other in the same copy, so a longer one is only a longer length. */
static void literal_char(struct glob *glob, char *at, char c)
{
	struct glob_token *last = glob->count > 0 ? &glob->tokens[glob->count - 1] : NULL;

	*at = c;
	if (last != NULL && last->kind == GLOB_LITERAL)
		last->text.len++;
	else
		token_add(glob, GLOB_LITERAL, str_from(at, 1));
}

bool glob_parse(struct arena *arena, struct str text, struct glob *ret)
{
	struct glob glob = {arena_array(arena, text.len + 1, sizeof(*glob.tokens)), 0};
	char *copy = arena_alloc(arena, text.len), *to = copy;

	if (glob.tokens == NULL || copy == NULL)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		char next = i + 1 < text.len ? text.ptr[i + 1] : '\0';

		if (c == '\\' && (next == '*' || next == '?' || next == '\\')) {
			literal_char(&glob, to++, next);
			i++;
		} else if (c == '*') {
			token_add(&glob, GLOB_ANY, STR_NONE);
		} else if (c == '?') {
			token_add(&glob, GLOB_ONE, STR_NONE);
		} else {
			literal_char(&glob, to++, c);
		}
	}
	*ret = glob;
	return true;
}

bool glob_literal(struct arena *arena, struct str text, struct glob *ret)
{
	struct glob glob = {arena_array(arena, 1, sizeof(*glob.tokens)), 0};

	if (glob.tokens == NULL)
		return false;
	token_add(&glob, GLOB_LITERAL, text);
	*ret = glob;
	return true;
}

bool glob_widen(struct arena *arena, struct glob glob, bool front, bool behind, struct glob *ret)
{
	struct glob wide = {arena_array(arena, glob.count + 2, sizeof(*wide.tokens)), 0};

	if (wide.tokens == NULL)
		return false;
	if (front)
		token_add(&wide, GLOB_ANY, STR_NONE);
	for (size_t i = 0; i < glob.count; i++)
		token_add(&wide, glob.tokens[i].kind, glob.tokens[i].text);
	if (behind)
		token_add(&wide, GLOB_ANY, STR_NONE);
	*ret = wide;
	return true;
}

/* General punctuation apart, what lies beyond ASCII counts as letters. */
static bool is_word(struct str rest)
{
	size_t len;

	if (rest.len == 0)
		return false;
	uint32_t c = utf8_decode(rest, &len);

	if (c < 0x80)
		return char_is_alpha((char)c) || char_is_digit((char)c) || c == '_';
	return c != UTF8_BAD && (c < 0x2000 || c > 0x206F);
}

static bool word_before(struct str text, size_t at)
{
	while (at > 0 && ((uint8_t)text.ptr[at - 1] & 0xC0) == 0x80)
		at--;
	return at > 0 && is_word(str_slice(text, at - 1, text.len));
}

static bool is_flag(struct str text, size_t at)
{
	return (text.ptr[at] == '-' || text.ptr[at] == '/') && !word_before(text, at) &&
	    is_word(str_slice(text, at + 1, text.len));
}

static void dashes_split(struct glob *glob, struct str text)
{
	size_t from = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (!is_flag(text, i))
			continue;
		token_add(glob, GLOB_LITERAL, str_slice(text, from, i));
		token_add(glob, GLOB_DASH, STR_NONE);
		from = i + 1;
	}
	token_add(glob, GLOB_LITERAL, str_slice(text, from, text.len));
}

bool glob_dashes(struct arena *arena, struct glob glob, struct glob *ret)
{
	size_t most = glob.count;

	for (size_t i = 0; i < glob.count; i++)
		most += glob.tokens[i].text.len;
	struct glob split = {arena_array(arena, most + 1, sizeof(*split.tokens)), 0};

	if (split.tokens == NULL)
		return false;
	for (size_t i = 0; i < glob.count; i++) {
		if (glob.tokens[i].kind == GLOB_LITERAL)
			dashes_split(&split, glob.tokens[i].text);
		else
			token_add(&split, glob.tokens[i].kind, STR_NONE);
	}
	*ret = split;
	return true;
}

bool glob_fold(struct arena *arena, struct glob glob, struct glob *ret)
{
	struct glob folded = {
	    arena_array(arena, glob.count + 1, sizeof(*folded.tokens)), glob.count};

	if (folded.tokens == NULL)
		return false;
	for (size_t i = 0; i < glob.count; i++) {
		folded.tokens[i].kind = glob.tokens[i].kind;
		folded.tokens[i].text = fold_text(arena, glob.tokens[i].text);
		if (folded.tokens[i].text.ptr == NULL && glob.tokens[i].kind == GLOB_LITERAL)
			return false;
	}
	*ret = folded;
	return true;
}

bool glob_is_plain(struct glob glob, struct str *ret)
{
	if (glob.count == 0) {
		*ret = STR("");
		return true;
	}
	*ret = glob.tokens[0].text;
	return glob.count == 1 && glob.tokens[0].kind == GLOB_LITERAL;
}

/* Bytes of rest that the token takes, or STR_NOT_FOUND. Not for GLOB_ANY. */
static size_t token_take(const struct glob_token *token, struct str rest)
{
	size_t len;

	if (token->kind == GLOB_LITERAL)
		return str_starts(rest, token->text) ? token->text.len : STR_NOT_FOUND;
	if (rest.len == 0)
		return STR_NOT_FOUND;
	if (token->kind == GLOB_ONE) {
		(void)utf8_decode(rest, &len);
		return len;
	}
	for (size_t i = 0; i < sizeof(dashes) / sizeof(dashes[0]); i++) {
		if (str_starts(rest, dashes[i]))
			return dashes[i].len;
	}
	return STR_NOT_FOUND;
}

/* Where the text behind a star may begin next, at or after from; STR_NOT_FOUND: nowhere. */
static size_t star_next(struct glob glob, size_t token, struct str subject, size_t from)
{
	if (from > subject.len)
		return STR_NOT_FOUND;
	if (token == glob.count || glob.tokens[token].kind != GLOB_LITERAL)
		return from;
	size_t found = str_find(str_slice(subject, from, subject.len), glob.tokens[token].text);

	return found == STR_NOT_FOUND ? found : from + found;
}

static size_t character_end(struct str subject, size_t at)
{
	size_t len = 1;

	if (at < subject.len)
		(void)utf8_decode(str_slice(subject, at, subject.len), &len);
	return at + len;
}

bool glob_match(struct glob glob, struct str subject)
{
	size_t token = 0, at = 0, star = STR_NOT_FOUND, begin = 0;

	for (;;) {
		if (token == glob.count && at == subject.len)
			return true;
		if (token < glob.count && glob.tokens[token].kind == GLOB_ANY) {
			if (token + 1 == glob.count)
				return true;
			star = ++token;
			begin = star_next(glob, star, subject, at);
		} else {
			size_t len = token == glob.count
			    ? STR_NOT_FOUND
			    : token_take(&glob.tokens[token], str_slice(subject, at, subject.len));

			if (len != STR_NOT_FOUND) {
				at += len;
				token++;
				continue;
			}
			if (star == STR_NOT_FOUND)
				return false;
			begin = star_next(glob, star, subject, character_end(subject, begin));
		}
		if (begin == STR_NOT_FOUND)
			return false;
		at = begin;
		token = star;
	}
}
