#include "sigma/decimal.h"

#define DIGITS_MAX   27 /* before and behind the point together */
#define EXPONENT_MAX 400

/* Digits as one number, and how many of them were behind the point. */
static bool digits_take(struct str *rest, decimal *ret, int *ret_behind)
{
	bool any = false, point = false;
	size_t at = 0;

	*ret = 0;
	*ret_behind = 0;
	for (; at < rest->len; at++) {
		char c = rest->ptr[at];

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (!char_is_digit(c))
			break;
		/* Ten times more than can be kept is kept, for zeros at the end may go again. */
		if (*ret > (decimal)1e18 * (decimal)1e18)
			return false;
		*ret = *ret * 10 + (c - '0');
		*ret_behind += point;
		any = true;
	}
	*rest = str_slice(*rest, at, rest->len);
	return any;
}

static bool exponent_take(struct str rest, int *ret)
{
	uint64_t number;
	bool negative;

	*ret = 0;
	if (rest.len == 0)
		return true;
	if (rest.len < 2 || (rest.ptr[0] != 'e' && rest.ptr[0] != 'E'))
		return false;
	negative = rest.ptr[1] == '-';
	if (rest.ptr[1] == '-' || rest.ptr[1] == '+')
		rest = str_slice(rest, 1, rest.len);
	if (!str_to_u64(str_slice(rest, 1, rest.len), &number) || number > EXPONENT_MAX)
		return false;
	*ret = negative ? -(int)number : (int)number;
	return true;
}

static bool scale(decimal *value, int by)
{
	decimal most = 1;

	for (int i = 0; i < DIGITS_MAX; i++)
		most *= 10;
	for (; by < 0 && *value != 0; by++) {
		if (*value % 10 != 0)
			return false;
		*value /= 10;
	}
	for (; by > 0 && *value != 0; by--) {
		if (*value >= most)
			return false;
		*value *= 10;
	}
	return *value < most;
}

bool decimal_parse(struct str text, decimal *ret)
{
	struct str rest = str_trim(text);
	bool negative = rest.len > 0 && rest.ptr[0] == '-';
	int behind, exponent;

	if (rest.len > 0 && (rest.ptr[0] == '-' || rest.ptr[0] == '+'))
		rest = str_slice(rest, 1, rest.len);
	if (!digits_take(&rest, ret, &behind) || !exponent_take(rest, &exponent) ||
	    !scale(ret, exponent - behind + 9))
		return false;
	if (negative)
		*ret = -*ret;
	return true;
}

void decimal_put(struct buf *out, decimal value)
{
	decimal amount = value < 0 ? -value : value;
	uint64_t behind = (uint64_t)(amount % DECIMAL_ONE);
	char digits[40];
	size_t at = sizeof(digits);

	for (amount /= DECIMAL_ONE; amount > 0 || at == sizeof(digits); amount /= 10)
		digits[--at] = (char)('0' + (int)(amount % 10));
	if (value < 0)
		buf_char(out, '-');
	buf_str_put(out, str_from(digits + at, sizeof(digits) - at));
	if (behind == 0)
		return;
	buf_char(out, '.');
	for (uint64_t unit = DECIMAL_ONE / 10; behind > 0; unit /= 10) {
		buf_char(out, (char)('0' + behind / unit));
		behind %= unit;
	}
}
