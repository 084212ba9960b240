#include "collector/framer.h"

#include <string.h>

#define COUNT_DIGITS 10
/* Line ends that some senders count in, and that are no part of the event. */
#define COUNTED_END 2
#define FIRST_LOOK  512

struct framer framer_begin(size_t limit)
{
	return (struct framer){.limit = limit};
}

static bool is_ending(char c)
{
	return c == '\n' || c == '\r' || c == '\0';
}

struct str framer_datagram(struct str s)
{
	while (s.len > 0 && is_ending(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static struct str without_cr(struct str line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static enum framer_status give(
    const struct framer *framer, struct str event, struct str *frame, bool *cut)
{
	*cut = event.len > framer->limit;
	*frame = str_slice(event, 0, framer->limit);
	return FRAMER_EVENT;
}

enum prefix { PREFIX_NONE, PREFIX_COUNT, PREFIX_UNDECIDED };

/* Does a number and a space that can only be a count begin here? *head: their length. */
static enum prefix count_prefix(
    const struct framer *framer, struct str s, bool end, uint64_t *count, size_t *head)
{
	size_t digits = 0;

	if (s.ptr[0] < '1' || s.ptr[0] > '9')
		return PREFIX_NONE;
	while (digits < s.len && digits <= COUNT_DIGITS && char_is_digit(s.ptr[digits]))
		digits++;
	if (digits > COUNT_DIGITS)
		return PREFIX_NONE;
	if (digits < s.len && s.ptr[digits] != ' ')
		return PREFIX_NONE;
	if (digits + 1 >= s.len)
		return end ? PREFIX_NONE : PREFIX_UNDECIDED;
	char after = s.ptr[digits + 1];

	if (after != '<' && after != '\xef' && framer->last != FRAMER_COUNT)
		return PREFIX_NONE;
	str_to_u64(str_slice(s, 0, digits), count);
	*head = digits + 1;
	return PREFIX_COUNT;
}

static enum framer_status take_counted(struct framer *framer, struct str *rest, uint64_t count,
    size_t head, bool end, struct str *frame, bool *cut)
{
	struct str body = str_slice(*rest, head, rest->len);

	if (count > FRAMER_COUNT_MAX)
		return FRAMER_BAD;
	/* Cut at the limit: no need to wait for what will be dropped. */
	size_t want = count <= framer->limit + COUNTED_END ? (size_t)count : framer->limit;

	if (body.len < want && !end)
		return FRAMER_MORE;
	size_t here = want < body.len ? want : body.len;

	framer->last = FRAMER_COUNT;
	framer->skip = (size_t)count - here;
	*rest = str_slice(body, here, body.len);
	give(framer, framer_datagram(str_slice(body, 0, here)), frame, cut);
	*cut = *cut || here < count;
	return FRAMER_EVENT;
}

enum ending { ENDING_NONE, ENDING_HERE, ENDING_UNDECIDED };

/* Does the NUL at s[at] end the line? */
static enum ending nul_ending(struct str s, size_t at, bool end)
{
	if (at + 1 == s.len)
		return end ? ENDING_HERE : ENDING_UNDECIDED;
	return s.ptr[at + 1] == '<' || s.ptr[at + 1] == '\n' ? ENDING_HERE : ENDING_NONE;
}

/*
 * The offset of the LF or NUL that ends the line at the front of s. It is looked for in steps that
 * grow, so that many NUL-terminated frames in one read do not each cost a search for LF through
 * all.
 */
static enum ending line_end(struct str s, bool end, size_t *ret)
{
	size_t from = 0;

	for (size_t step = FIRST_LOOK; from < s.len; step *= 2) {
		size_t to = s.len - from < step ? s.len : from + step;
		size_t lf = str_find_char(str_slice(s, from, to), '\n');

		to = lf == STR_NOT_FOUND ? to : from + lf;
		for (size_t nul; from < to; from = nul + 1) {
			nul = str_find_char(str_slice(s, from, to), '\0');
			if (nul == STR_NOT_FOUND)
				break;
			nul += from;
			*ret = nul;
			enum ending ending = nul_ending(s, nul, end);

			if (ending != ENDING_NONE)
				return ending;
		}
		*ret = to;
		if (lf != STR_NOT_FOUND)
			return ENDING_HERE;
		from = to;
	}
	return ENDING_NONE;
}

static enum framer_status take_line(
    struct framer *framer, struct str *rest, bool end, struct str *frame, bool *cut)
{
	size_t at;
	enum ending ending = line_end(*rest, end, &at);
	bool eager = framer->last == FRAMER_NONE || framer->last == FRAMER_NUL;
	bool whole = ending == ENDING_HERE || (ending == ENDING_UNDECIDED && eager);

	/* One byte more than the limit, for the CR that does not count. */
	size_t shortest = ending == ENDING_UNDECIDED ? at : rest->len;

	if (!whole && shortest <= framer->limit + 1 && !end)
		return FRAMER_MORE;
	struct str line = str_slice(*rest, 0, whole ? at : rest->len);

	framer->last = whole && rest->ptr[at] == '\0' ? FRAMER_NUL : FRAMER_LF;
	framer->skip_line = !whole && !end;
	*rest = str_slice(*rest,
	    ending == ENDING_UNDECIDED && !whole ? at
	    : whole				 ? at + 1
						 : rest->len,
	    rest->len);
	return give(framer, without_cr(line), frame, cut);
}

/* Drops what belongs to a frame that was cut; false when all of *rest belongs to it. */
static bool drop_tail(struct framer *framer, struct str *rest, bool end)
{
	size_t n = framer->skip < rest->len ? framer->skip : rest->len;
	size_t at = 0;

	framer->skip -= n;
	*rest = str_slice(*rest, n, rest->len);
	if (framer->skip_line) {
		enum ending ending = line_end(*rest, end, &at);

		framer->skip_line = ending != ENDING_HERE;
		if (ending == ENDING_HERE)
			framer->last = rest->ptr[at] == '\0' ? FRAMER_NUL : FRAMER_LF;
		*rest = str_slice(*rest, ending == ENDING_NONE ? rest->len : at, rest->len);
	}
	return framer->skip == 0 && !framer->skip_line;
}

enum framer_status framer_next(
    struct framer *framer, struct str *rest, bool end, struct str *frame, bool *cut)
{
	for (;;) {
		uint64_t count = 0;
		size_t head = 0;

		if (!drop_tail(framer, rest, end))
			return FRAMER_MORE;
		while (rest->len > 0 && is_ending(rest->ptr[0]))
			*rest = str_slice(*rest, 1, rest->len);
		if (rest->len == 0)
			return FRAMER_MORE;
		enum prefix prefix = count_prefix(framer, *rest, end, &count, &head);

		if (prefix == PREFIX_UNDECIDED)
			return FRAMER_MORE;
		enum framer_status status =
		    prefix == PREFIX_COUNT
			? take_counted(framer, rest, count, head, end, frame, cut)
			: take_line(framer, rest, end, frame, cut);

		if (status != FRAMER_EVENT || frame->len > 0)
			return status;
	}
}
