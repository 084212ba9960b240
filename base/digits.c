#include "base/digits.h"

char *digits_padded(char *at, uint64_t value, unsigned width)
{
	for (unsigned i = width; i > 0; i--, value /= 10)
		at[i - 1] = (char)('0' + value % 10);
	return at + width;
}

char *digits_u64(char *at, uint64_t value)
{
	unsigned width = 1;

	for (uint64_t rest = value / 10; rest > 0; rest /= 10)
		width++;
	return digits_padded(at, value, width);
}

char *digits_i64(char *at, int64_t value)
{
	if (value >= 0)
		return digits_u64(at, (uint64_t)value);
	*at++ = '-';
	return digits_u64(at, -(uint64_t)value);
}

char *digits_hex64(char *at, uint64_t value)
{
	for (unsigned i = 16; i > 0; i--, value >>= 4)
		at[i - 1] = "0123456789abcdef"[value & 15];
	return at + 16;
}
