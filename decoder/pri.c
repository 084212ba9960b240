#include "decoder/pri.h"

#include "decoder/scan.h"

/* Decimal texts of 0 to 191, so that a field needs no memory of its own. */
#define D(n)                                                                                       \
	{                                                                                          \
		n, sizeof(n) - 1                                                                   \
	}
#define D10(t)                                                                                     \
	D(t "0"), D(t "1"), D(t "2"), D(t "3"), D(t "4"), D(t "5"), D(t "6"), D(t "7"), D(t "8"),  \
	    D(t "9")
static const struct str decimals[] = {D10(""), D10("1"), D10("2"), D10("3"), D10("4"), D10("5"),
    D10("6"), D10("7"), D10("8"), D10("9"), D10("10"), D10("11"), D10("12"), D10("13"), D10("14"),
    D10("15"), D10("16"), D10("17"), D10("18"), D10("19")};

bool pri_take(struct str *rest, unsigned *ret, bool *ret_bad)
{
	struct str at = *rest, digits;
	unsigned value = 0;

	*ret = PRI_DEFAULT;
	*ret_bad = true;
	if (!scan_char(&at, '<'))
		return false;
	size_t n = scan_count(at, char_is_digit);
	if (n > 5)
		return false;
	digits = str_slice(at, 0, n);
	scan_skip(&at, n);
	if (!scan_char(&at, '>'))
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (unsigned)(digits.ptr[i] - '0');
	if (n > 0 && n <= 3 && value <= 191) {
		*ret = value;
		*ret_bad = false;
	}
	*rest = at;
	return true;
}

void pri_put(struct record *record, unsigned pri)
{
	record_put_number(record, FIELD_PRI, decimals[pri]);
	record_put_number(record, FIELD_FACILITY, decimals[pri / 8]);
	record_put_number(record, FIELD_SEVERITY, decimals[pri % 8]);
}

struct str pri_skip_junk(struct str text)
{
	struct str at = text;

	scan_literal(&at, STR("\xEF\xBB\xBF"));
	while (at.len > 0 && (char_is_space(at.ptr[0]) || at.ptr[0] == '\0'))
		scan_skip(&at, 1);
	struct str counted = at;
	size_t n = scan_count(counted, char_is_digit);
	scan_skip(&counted, n);
	if (n > 0 && n <= 7 && scan_char(&counted, ' ') && scan_peek(counted, 0) == '<')
		return counted;
	return at;
}
