#include "decoder/timestamp.h"

#include "base/clock.h"
#include "decoder/scan.h"

#include <endian.h>

/*
 * Each form is a function that takes what it knows off the front of a cursor and says whether it
 * was there; timestamp_take tries those that the first character allows. A form that fails half-way
 * leaves the cursor of the caller alone.
 */

#define DAY_NS (86400 * (int64_t)NS_PER_S)

struct zone {
	struct str name;
	int minutes;
};

static const struct zone zones[] = {
#define ZONE(name, minutes) {{name, sizeof(name) - 1}, minutes},
#include "decoder/zones.def"
#undef ZONE
};

/* A number of min to max digits; more digits than max are no number of this kind. */
static bool take_number(struct str *s, size_t min, size_t max, int *ret)
{
	size_t n = scan_count(*s, char_is_digit);
	int value = 0;

	if (n < min || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (s->ptr[i] - '0');
	scan_skip(s, n);
	*ret = value;
	return true;
}

/* English month name, three letters or whole, in any case. */
static bool take_month(struct str *s, int *ret)
{
	static const char names[] = "januaryfebruarymarchaprilmayjunejulyaugust"
				    "septemberoctobernovemberdecember";
	static const unsigned char at[] = {0, 7, 15, 20, 25, 28, 32, 36, 42, 51, 58, 66, 74};
	size_t n = scan_count(*s, char_is_alpha);

	for (int m = 0; m < 12; m++) {
		struct str whole = {names + at[m], (size_t)(at[m + 1] - at[m])};
		if ((n == 3 || n == whole.len) &&
		    str_eq_fold(str_slice(*s, 0, n), str_slice(whole, 0, n))) {
			scan_skip(s, n);
			*ret = m + 1;
			return true;
		}
	}
	return false;
}

static bool take_weekday(struct str *s)
{
	static const char names[] = "sunmontuewedthufrisat";
	size_t n = scan_count(*s, char_is_alpha);

	if (n != 3)
		return false;
	for (size_t d = 0; d < 7; d++) {
		if (str_eq_fold(str_slice(*s, 0, 3), str_from(names + 3 * d, 3))) {
			scan_skip(s, 3);
			scan_char(s, ',');
			scan_spaces(s);
			return true;
		}
	}
	return false;
}

/* Digits after the second, to ns; digits after the ninth are dropped. */
static void take_fraction(struct str *s, int *ret_ns)
{
	int ns = 0;
	char c = scan_peek(*s, 0);

	if ((c != '.' && c != ',') || !char_is_digit(scan_peek(*s, 1)))
		return;
	scan_skip(s, 1);
	static const int scale[] = {
	    1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
	size_t n = 0;

	for (; n < 9 && n < s->len && char_is_digit(s->ptr[n]); n++)
		ns = ns * 10 + (s->ptr[n] - '0');
	*ret_ns = ns * scale[n];
	scan_skip(s, n);
	scan_skip(s, scan_count(*s, char_is_digit));
}

/* " AM" and " PM"; Cisco's call manager writes the fraction after them. */
static void take_meridiem(struct str *s, struct civil *c)
{
	struct str at = *s;
	char half;

	scan_spaces(&at);
	half = char_lower(scan_peek(at, 0));
	if ((half != 'a' && half != 'p') || char_lower(scan_peek(at, 1)) != 'm' ||
	    char_is_alpha(scan_peek(at, 2)) || char_is_digit(scan_peek(at, 2)) ||
	    scan_peek(at, 2) == '-')
		return;
	if (c->hour < 1 || c->hour > 12)
		return;
	c->hour = c->hour % 12 + (half == 'p' ? 12 : 0);
	scan_skip(&at, 2);
	take_fraction(&at, &c->ns);
	*s = at;
}

/* hh:mm:ss with a fraction; where short_too, hh:mm is enough. */
static bool take_clock(struct str *s, bool short_too, struct civil *c)
{
	struct str at = *s;

	if (!take_number(&at, 1, 2, &c->hour) || !scan_char(&at, ':') ||
	    !take_number(&at, 2, 2, &c->minute))
		return false;
	struct str seconds = at;
	if (scan_char(&seconds, ':') && take_number(&seconds, 2, 2, &c->second)) {
		at = seconds;
		take_fraction(&at, &c->ns);
	} else if (!short_too) {
		return false;
	}
	*s = at;
	return true;
}

/* +07, +0700, +07:00 */
static bool take_offset(struct str *s, int32_t *ret)
{
	struct str at = *s;
	char sign = scan_peek(at, 0);
	int hours = 0, minutes = 0;

	if (sign != '+' && sign != '-')
		return false;
	scan_skip(&at, 1);
	size_t n = scan_count(at, char_is_digit);
	if (n == 4) {
		struct str half = str_slice(at, 0, 2);
		take_number(&half, 2, 2, &hours);
		half = str_slice(at, 2, 4);
		take_number(&half, 2, 2, &minutes);
		scan_skip(&at, 4);
	} else if (n == 1 || n == 2) {
		take_number(&at, 1, 2, &hours);
		struct str rest = at;
		if (scan_char(&rest, ':') && take_number(&rest, 2, 2, &minutes))
			at = rest;
	} else {
		return false;
	}
	if (hours > 18 || minutes > 59)
		return false;
	*ret = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
	*s = at;
	return true;
}

static bool take_abbreviation(struct str *s, int32_t *ret)
{
	size_t n = scan_count(*s, char_is_alpha);
	char after = scan_peek(*s, n);

	if (n == 0 || n > 5 || char_is_digit(after) || after == '-' || after == '.' ||
	    after == '_' || after == '[' || after == '/')
		return false;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (str_eq(zones[i].name, str_slice(*s, 0, n))) {
			*ret = zones[i].minutes * 60;
			scan_skip(s, n);
			return true;
		}
	}
	return false;
}

/* (UTC-07:00), (GMT+0:00), UTC+7 */
static bool take_utc_offset(struct str *s, int32_t *ret)
{
	struct str at = *s;
	bool bracket = scan_char(&at, '(');

	if (!str_starts(at, STR("UTC")) && !str_starts(at, STR("GMT")))
		return false;
	scan_skip(&at, 3);
	if (!take_offset(&at, ret) || (bracket && !scan_char(&at, ')')))
		return false;
	*s = at;
	return true;
}

bool timestamp_zone(struct str *rest, int32_t *ret)
{
	return take_offset(rest, ret) || take_utc_offset(rest, ret) || take_abbreviation(rest, ret);
}

/* "DST" and its like before a Cisco colon: a zone that no list knows. */
static void skip_unknown_zone(struct str *s)
{
	struct str at = *s;
	size_t n = scan_count(at, char_is_alpha);

	for (size_t i = 0; i < n; i++) {
		if (at.ptr[i] < 'A' || at.ptr[i] > 'Z')
			return;
	}
	if (n < 3 || n > 4)
		return;
	scan_skip(&at, n);
	if (scan_peek(at, 0) == ':' && scan_peek(at, 1) == ' ' && scan_peek(at, 2) == '%')
		*s = at;
}

static void take_zone(struct str *s, struct timestamp *t)
{
	struct str at = *s;

	scan_spaces(&at);
	if (timestamp_zone(&at, &t->zone_s)) {
		t->has_zone = true;
		*s = at;
		return;
	}
	skip_unknown_zone(&at);
	if (at.len < s->len && scan_peek(at, 0) == ':')
		*s = at;
}

/* A year after the time ("03:04:05 2026 host"), which must be a word of its own. */
static void take_late_year(struct str *s, struct civil *c)
{
	struct str at = *s;
	int year;

	scan_spaces(&at);
	if (at.len == s->len || !take_number(&at, 4, 4, &year) || year < 1970 || year > 2199)
		return;
	char after = scan_peek(at, 0);
	bool colon = after == ':' && (at.len == 1 || scan_peek(at, 1) == ' ');
	if (at.len != 0 && !char_is_space(after) && !colon && after != ']' && after != '"')
		return;
	c->year = year;
	*s = at;
}

/* Mmm [d]d [yyyy] hh:mm:ss [zone] [yyyy] */
static bool take_month_first(struct str *s, struct timestamp *t)
{
	struct str at = *s;
	int year;

	if (!take_month(&at, &t->civil.month) || !scan_char(&at, ' '))
		return false;
	scan_spaces(&at);
	if (!take_number(&at, 1, 2, &t->civil.day))
		return false;
	scan_char(&at, ',');
	if (!scan_char(&at, ' '))
		return false;
	scan_spaces(&at);
	struct str with_year = at;
	if (take_number(&with_year, 4, 4, &year) && scan_char(&with_year, ' ')) {
		t->civil.year = year;
		at = with_year;
		scan_spaces(&at);
	}
	if (!take_clock(&at, false, &t->civil))
		return false;
	if (t->civil.year == 0)
		take_late_year(&at, &t->civil);
	else
		take_meridiem(&at, &t->civil);
	take_zone(&at, t);
	if (t->civil.year == 0)
		take_late_year(&at, &t->civil);
	*s = at;
	return true;
}

/* What follows a date: T, space, tab, or ':' (CLF), then the clock and the zone. */
static bool take_after_date(struct str *s, struct timestamp *t)
{
	struct str at = *s;

	if (!scan_char(&at, 'T') && !scan_char(&at, 't') && !scan_char(&at, ' ') &&
	    !scan_char(&at, ':') && !scan_char(&at, '\t'))
		return false;
	scan_spaces(&at);
	if (!take_clock(&at, true, &t->civil))
		return false;
	take_meridiem(&at, &t->civil);
	take_zone(&at, t);
	if (!t->has_zone && scan_char(&at, 'z'))
		t->has_zone = true;
	*s = at;
	return true;
}

/* yyyy-mm-dd, yyyy/mm/dd, yyyy-Mmm-dd, yyyy Mmm dd, yyyy.mm.dd */
static bool take_year_first(struct str *s, struct timestamp *t)
{
	struct str at = *s;
	char between;

	if (!take_number(&at, 4, 4, &t->civil.year) || at.len == 0)
		return false;
	between = at.ptr[0];
	if (between != '-' && between != '/' && between != ' ' && between != '.')
		return false;
	scan_skip(&at, 1);
	if (!take_month(&at, &t->civil.month) &&
	    (between == ' ' || !take_number(&at, 1, 2, &t->civil.month)))
		return false;
	if (!scan_char(&at, between))
		return false;
	scan_spaces(&at);
	if (!take_number(&at, 1, 2, &t->civil.day) || !take_after_date(&at, t))
		return false;
	*s = at;
	return true;
}

/* dd/Mmm/yyyy:, dd-Mmm-yyyy, dd Mmm yyyy, mm/dd/yyyy, dd/mm/yyyy */
static bool take_day_first(struct str *s, struct timestamp *t)
{
	struct str at = *s;
	char between;
	int first, second;

	if (!take_number(&at, 1, 2, &first) || at.len == 0)
		return false;
	between = at.ptr[0];
	if (between != '-' && between != '/' && between != ' ')
		return false;
	scan_skip(&at, 1);
	if (take_month(&at, &t->civil.month)) {
		t->civil.day = first;
	} else if (between == '/' && take_number(&at, 1, 2, &second)) {
		bool day_leads = first > 12;
		t->civil.day = day_leads ? first : second;
		t->civil.month = day_leads ? second : first;
		t->day_first = first <= 12 && second <= 12;
	} else {
		return false;
	}
	if (!scan_char(&at, between) || !take_number(&at, 4, 4, &t->civil.year) ||
	    !take_after_date(&at, t))
		return false;
	*s = at;
	return true;
}

/* 10 digits with or without a fraction, 13 (ms), 16 (us), 19 (ns); years 2001 to 2286. */
static bool take_epoch(struct str *s, struct timestamp *t)
{
	struct str at = *s;
	size_t n = scan_count(at, char_is_digit);
	uint64_t value;
	int64_t scale = n == 10 ? NS_PER_S : n == 13 ? 1000000 : n == 16 ? 1000 : n == 19 ? 1 : 0;
	int fraction = 0;

	if (scale == 0 || at.ptr[0] == '0' || !str_to_u64(str_slice(at, 0, n), &value) ||
	    value > (uint64_t)(INT64_MAX / scale))
		return false;
	scan_skip(&at, n);
	if (n == 10)
		take_fraction(&at, &fraction);
	t->form = TIMESTAMP_EPOCH;
	if (__builtin_add_overflow((int64_t)value * scale, fraction, &t->epoch_ns))
		return false;
	t->has_zone = true;
	*s = at;
	return true;
}

/* Cisco: 00:01:01, 1w2d, 3d04h, "1 2" before a colon. */
static bool take_uptime(struct str *s, struct timestamp *t)
{
	struct str at = *s;
	struct civil clock;
	size_t n = 0, units = 0;

	if (!take_clock(&at, false, &clock)) {
		for (; n < at.len && n < 12; n++) {
			bool unit =
			    n > 0 && str_find_char(STR("ywdhms "), at.ptr[n]) != STR_NOT_FOUND;
			if (!unit && !char_is_digit(at.ptr[n]))
				break;
			units += unit;
		}
		if (n < 3 || units == 0)
			return false;
		scan_skip(&at, n);
	}
	if (scan_peek(at, 0) != ':' || scan_peek(at, 1) != ' ')
		return false;
	t->form = TIMESTAMP_UPTIME;
	*s = at;
	return true;
}

static bool take_form(struct str *s, struct timestamp *t)
{
	typedef bool take_fn(struct str *, struct timestamp *);
	static take_fn *const digits[] = {take_year_first, take_day_first, take_epoch, take_uptime};
	struct timestamp none = *t;

	if (s->len == 0)
		return false;
	if (!char_is_digit(s->ptr[0])) {
		if (take_weekday(s))
			return take_month_first(s, t) || (*t = none, take_day_first(s, t));
		return take_month_first(s, t);
	}
	for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
		*t = none;
		if (digits[i](s, t))
			return true;
	}
	return false;
}

bool timestamp_take(struct str *rest, struct timestamp *ret)
{
	struct str at = *rest;
	struct timestamp t = {0};

	if (scan_peek(at, 0) == '*' || scan_peek(at, 0) == '.') {
		t.unsynced = true;
		scan_skip(&at, 1);
	}
	if (!take_form(&at, &t))
		return false;
	*ret = t;
	*rest = at;
	return true;
}

/* Eight characters at once: where mask has ff they must be as in wanted, where it has f0 digits. */
static inline bool is_shaped(uint64_t word, uint64_t mask, uint64_t wanted)
{
	uint64_t carry = word + (~mask & UINT64_C(0x0606060606060606));

	return (word & mask) == wanted && ((carry ^ word) & UINT64_C(0x1010101010101010)) == 0;
}

/* The number that the digits at place and place + 1 of a word make. */
static inline int two_digits(uint64_t pairs, unsigned place)
{
	return (int)(pairs >> place * 8 & 0xff);
}

static inline uint64_t pairs_of(uint64_t word)
{
	word &= UINT64_C(0x0f0f0f0f0f0f0f0f);
	return word * 10 + (word >> 8);
}

/* What may follow the seconds up to the end: a fraction, and Z or an offset. */
static bool take_iso_end(struct str rest, struct timestamp *t)
{
	take_fraction(&rest, &t->civil.ns);
	if (rest.len == 0)
		return true;
	t->has_zone = rest.len == 1 ? rest.ptr[0] == 'Z'
				    : rest.len == 6 && take_offset(&rest, &t->zone_s) &&
			rest.len == 0;
	return t->has_zone;
}

/*
 * 2026-11-22T06:27:00.250Z and 2026-11-22 06:27:00, as nearly all fields write it: what take_form
 * finds in it, without looking for what else it might be. False for any other text.
 */
static bool iso_parse(struct str text, struct timestamp *ret)
{
	struct timestamp t = {0};
	uint64_t date, middle;

	if (text.len < 19)
		return false;
	memcpy(&date, text.ptr, 8);
	memcpy(&middle, text.ptr + 8, 8);
	date = le64toh(date);
	middle = le64toh(middle);
	if (!is_shaped(date, UINT64_C(0xfff0f0fff0f0f0f0), UINT64_C(0x2d30302d30303030)) ||
	    !is_shaped(middle | UINT64_C(0x740000), UINT64_C(0xf0f0fff0f0fff0f0),
		UINT64_C(0x30303a3030743030)) ||
	    (text.ptr[10] != 'T' && text.ptr[10] != ' ') || text.ptr[16] != ':' ||
	    !char_is_digit(text.ptr[17]) || !char_is_digit(text.ptr[18]))
		return false;
	date = pairs_of(date);
	middle = pairs_of(middle);
	t.civil.year = two_digits(date, 0) * 100 + two_digits(date, 2);
	t.civil.month = two_digits(date, 5);
	t.civil.day = two_digits(middle, 0);
	t.civil.hour = two_digits(middle, 3);
	t.civil.minute = two_digits(middle, 6);
	t.civil.second = (text.ptr[17] - '0') * 10 + text.ptr[18] - '0';
	if (!take_iso_end(str_slice(text, 19, text.len), &t))
		return false;
	*ret = t;
	return true;
}

bool timestamp_parse(struct str text, struct timestamp *ret)
{
	if (iso_parse(text, ret))
		return true;
	struct str rest = str_trim(text);

	return timestamp_take(&rest, ret) && str_trim(rest).len == 0;
}

static __attribute__((noinline)) bool month_learn(struct timestamp_month *month, struct str text,
    uint64_t date)
{
	struct timestamp t;

	if (!iso_parse(text, &t) || !civil_is_valid(&t.civil) || t.civil.year < 1700 ||
	    t.civil.year > 2200)
		return false;
	t.civil.day = 1;
	t.civil.hour = t.civil.minute = t.civil.second = t.civil.ns = 0;
	*month = (struct timestamp_month){
	    date, civil_to_ns(&t.civil, 0), civil_month_days(t.civil.year, t.civil.month)};
	return true;
}

/* ".250" and "Z", both or neither; false when something else stands there. */
static bool end_take(struct str text, int64_t *ret_ns, bool *ret_zone)
{
	static const int scale[] = {
	    0, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
	int64_t ns = 0;
	size_t n = 0;

	if (text.len == 5 && text.ptr[0] == '.' && text.ptr[4] == 'Z' &&
	    char_is_digit(text.ptr[1]) && char_is_digit(text.ptr[2]) &&
	    char_is_digit(text.ptr[3])) {
		*ret_ns = (text.ptr[1] * 100 + text.ptr[2] * 10 + text.ptr[3] - '0' * 111) *
		    INT64_C(1000000);
		*ret_zone = true;
		return true;
	}
	if (text.len > 1 && text.ptr[0] == '.') {
		scan_skip(&text, 1);
		for (; n < text.len && char_is_digit(text.ptr[n]); n++)
			ns = n < 9 ? ns * 10 + (text.ptr[n] - '0') : ns;
		if (n == 0 || n > 9)
			return false;
		ns *= scale[n];
	}
	*ret_ns = ns;
	*ret_zone = n + 1 == text.len && text.ptr[n] == 'Z';
	return *ret_zone || n == text.len;
}

bool timestamp_quick(struct timestamp_months *months, struct str text, int32_t zone_s,
    bool *ret_zone, int64_t *ret_ns)
{
	uint64_t date, middle;
	int64_t ns;

	if (text.len < 19)
		return false;
	memcpy(&date, text.ptr, 8);
	memcpy(&middle, text.ptr + 8, 8);
	date = le64toh(date);
	middle = le64toh(middle);
	if (!is_shaped(middle | UINT64_C(0x740000), UINT64_C(0xf0f0fff0f0fff0f0),
		UINT64_C(0x30303a3030743030)) ||
	    (text.ptr[10] != 'T' && text.ptr[10] != ' ') || text.ptr[16] != ':' ||
	    !char_is_digit(text.ptr[17]) || !char_is_digit(text.ptr[18]))
		return false;
	struct timestamp_month *month =
	    &months->of[date * UINT64_C(0x9e3779b97f4a7c15) >> 58];

	if (__builtin_expect(month->text != date, 0) && !month_learn(month, text, date))
		return false;
	middle = pairs_of(middle);
	int day = two_digits(middle, 0), hour = two_digits(middle, 3);
	int minute = two_digits(middle, 6);
	int second = (text.ptr[17] - '0') * 10 + text.ptr[18] - '0';

	if (day == 0 || day > month->days || hour > 23 || minute > 59 || second > 59 ||
	    !end_take((struct str){text.ptr + 19, text.len - 19}, &ns, ret_zone))
		return false;
	second += (day - 1) * 86400 + hour * 3600 + minute * 60 - (*ret_zone ? 0 : zone_s);
	*ret_ns = month->ns + second * NS_PER_S + ns;
	return true;
}

/* 24:00:00 and the like hold no instant, though they have the shape of one. */
static bool civil_instant(const struct civil *c, int32_t zone_s, int64_t *ret_ns)
{
	if (!civil_is_valid(c))
		return false;
	*ret_ns = civil_to_ns(c, zone_s);
	return true;
}

static uint64_t distance(int64_t a, int64_t b)
{
	return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static bool year_chosen(struct civil c, int64_t received_ns, int32_t zone_s, int64_t *ret_ns)
{
	int year = civil_from_ns(received_ns, zone_s).year;
	int64_t best = 0, ns;
	bool found = false;

	for (c.year = year - 1; c.year <= year + 1; c.year++) {
		if (!civil_instant(&c, zone_s, &ns) ||
		    (ns > received_ns && distance(ns, received_ns) > (uint64_t)DAY_NS))
			continue;
		if (!found || distance(ns, received_ns) < distance(best, received_ns))
			best = ns;
		found = true;
	}
	if (found)
		*ret_ns = best;
	return found;
}

bool timestamp_ns(const struct timestamp *t, int64_t received_ns, int32_t zone_s, int64_t *ret_ns)
{
	int32_t zone = t->has_zone ? t->zone_s : zone_s;
	struct civil swapped = t->civil;
	int64_t other;

	if (t->form == TIMESTAMP_UPTIME)
		return false;
	if (t->form == TIMESTAMP_EPOCH) {
		*ret_ns = t->epoch_ns;
		return true;
	}
	if (t->civil.year == 0)
		return year_chosen(t->civil, received_ns, zone, ret_ns);
	if (!civil_instant(&t->civil, zone, ret_ns))
		return false;
	swapped.day = t->civil.month;
	swapped.month = t->civil.day;
	if (t->day_first && civil_instant(&swapped, zone, &other) &&
	    distance(other, received_ns) < distance(*ret_ns, received_ns))
		*ret_ns = other;
	return true;
}

void timestamp_set_ns(struct record *record, const struct timestamp *stamp, int64_t ns)
{
	if (stamp->unsynced)
		record->flags |= RECORD_CLOCK_UNSYNCED;
	record->time_ns = ns;
	record->flags &= ~(uint32_t)RECORD_NO_TIME;
	if (stamp->form == TIMESTAMP_CIVIL && stamp->civil.year == 0)
		record->flags |= RECORD_NO_YEAR;
	else
		record->flags &= ~(uint32_t)RECORD_NO_YEAR;
}

bool timestamp_set(struct record *record, const struct timestamp *stamp)
{
	const struct event *event = record->event;
	int64_t ns;

	if (timestamp_ns(stamp, event->received_ns, event->zone_s, &ns)) {
		timestamp_set_ns(record, stamp, ns);
		return true;
	}
	if (stamp->unsynced)
		record->flags |= RECORD_CLOCK_UNSYNCED;
	record->time_ns = event->received_ns;
	record->flags |= RECORD_NO_TIME;
	return false;
}

bool timestamp_set_text(struct record *record, struct str value)
{
	struct timestamp stamp;
	int64_t ns;

	return timestamp_parse(value, &stamp) &&
	       timestamp_ns(&stamp, record->event->received_ns, record->event->zone_s, &ns) &&
	       timestamp_set(record, &stamp);
}

/* Equal but for the year: what a header without a year could not tell. */
static bool same_but_year(int64_t a, int64_t b)
{
	struct civil x = civil_from_ns(a, 0), y = civil_from_ns(b, 0);

	return x.month == y.month && x.day == y.day && x.hour == y.hour && x.minute == y.minute &&
	       x.second == y.second;
}

bool timestamp_refine(struct record *record, const struct timestamp *stamp)
{
	int64_t ns;
	bool yearless = (record->flags & RECORD_NO_YEAR) != 0;

	if ((record->flags & RECORD_NO_TIME) != 0 ||
	    !timestamp_ns(stamp, record->event->received_ns, record->event->zone_s, &ns))
		return false;
	bool finer = record->time_ns % NS_PER_S == 0 && ns - ns % NS_PER_S == record->time_ns;
	if (!finer && !(yearless && stamp->civil.year != 0 && same_but_year(ns, record->time_ns)) &&
	    !(yearless && stamp->form == TIMESTAMP_EPOCH && same_but_year(ns, record->time_ns)))
		return false;
	record->time_ns = ns;
	return true;
}

void timestamp_refine_text(struct record *record, struct str text)
{
	char before = ' ';

	text = str_slice(text, 0, TIMESTAMP_NEAR);
	if (record->time_ns % NS_PER_S != 0)
		return;
	for (size_t i = 0; i < text.len; before = text.ptr[i++]) {
		struct str at = str_slice(text, i, text.len);
		struct timestamp stamp;

		if (!char_is_digit(text.ptr[i]) ||
		    (before != ' ' && before != '[' && before != ','))
			continue;
		if (timestamp_take(&at, &stamp) && timestamp_refine(record, &stamp))
			return;
	}
}
