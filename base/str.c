#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *text)
{
	return text == NULL ? STR_NONE : (struct str){text, strlen(text)};
}

struct str str_from(const void *ptr, size_t len)
{
	return (struct str){ptr, len};
}

int char_hex(char c)
{
	if (char_is_digit(c))
		return c - '0';
	c = char_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_eq_fold(struct str a, struct str b)
{
	return a.len == b.len && str_starts_fold(a, b);
}

int str_compare(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_starts_fold(struct str s, struct str prefix)
{
	if (s.len < prefix.len)
		return false;
	for (size_t i = 0; i < prefix.len; i++) {
		if (char_lower(s.ptr[i]) != char_lower(prefix.ptr[i]))
			return false;
	}
	return true;
}

bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

size_t str_find(struct str s, struct str needle)
{
	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return STR_NOT_FOUND;
	const char *at = memmem(s.ptr, s.len, needle.ptr, needle.len);

	return at == NULL ? STR_NOT_FOUND : (size_t)(at - s.ptr);
}

size_t str_find_char(struct str s, char c)
{
	const char *at = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);

	return at == NULL ? STR_NOT_FOUND : (size_t)(at - s.ptr);
}

size_t str_find_last(struct str s, char c)
{
	for (size_t i = s.len; i > 0; i--) {
		if (s.ptr[i - 1] == c)
			return i - 1;
	}
	return STR_NOT_FOUND;
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && char_is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && char_is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool str_cut(struct str *rest, char sep, struct str *head)
{
	if (rest->ptr == NULL)
		return false;
	size_t at = str_find_char(*rest, sep);

	if (at == STR_NOT_FOUND) {
		*head = *rest;
		*rest = STR_NONE;
		return true;
	}
	*head = str_slice(*rest, 0, at);
	*rest = str_slice(*rest, at + 1, rest->len);
	return true;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!char_is_digit(s.ptr[i]))
			return false;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
	bool negative = s.len > 0 && s.ptr[0] == '-';
	uint64_t magnitude;

	if (!str_to_u64(str_slice(s, negative, s.len), &magnitude))
		return false;
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1u : 0u))
		return false;
	*ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

/* strtod wants a NUL and accepts more than JSON does (hexadecimal, "inf"): both are kept out. */
bool str_to_double(struct str s, double *ret)
{
	char text[64];
	char *end;

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!char_is_digit(s.ptr[i]) && strchr("+-.eE", s.ptr[i]) == NULL)
			return false;
	}
	if (s.ptr[0] == '+' || memchr(s.ptr, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	errno = 0;
	double value = strtod(text, &end);

	if (end != text + s.len)
		return false;
	*ret = value;
	return true;
}

bool str_to_bytes(struct str s, uint8_t *ret, size_t size)
{
	if (s.len != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = char_hex(s.ptr[2 * i]);
		int low = char_hex(s.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
