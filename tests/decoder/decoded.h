/*
 * decoded.h - a table of lines and what must become of them.
 *
 * expect holds one demand a line:
 *   name=value     a field of that name has that value (any of them, if there are several)
 *   -name          no field of that name
 *                  (\1 stands for LF, \2 for NUL)
 *   .time=T        the record's time, RFC 3339 with 3 digits
 *   .flags=A,B     exactly these flags: no_time bad_pri no_year bad_sd fields_cut unsynced
 *   .message=...   the message; .decoders=...; .source=product/category+category/service
 */
#ifndef TOCSIN_TESTS_DECODER_DECODED_H
#define TOCSIN_TESTS_DECODER_DECODED_H

#include "decoder/decoder.h"

struct decoded_row {
	struct str raw;
	const char *expect;
};

#define ROW(raw, expect)                                                                           \
	{                                                                                          \
		STR_INIT(raw), expect                                                              \
	}

#define DECODED_RECEIVED "2026-11-22T06:27:00Z"

/*
 * Decodes each row as received at DECODED_RECEIVED, in UTC, and holds it against its demands; then
 * every prefix of it, and it with a NUL and with a bad byte at each place, flush against a guard
 * page.
 */
void decoded_check(const struct decoded_row *rows, size_t count);
/* The same for an event of which more is told than the text. */
void decoded_check_event(const struct event *event, const char *expect);
int64_t decoded_time(const char *text);
/* len bytes that end where a page begins that faults when it is touched; one at a time. */
char *decoded_guarded(struct str text);

#define DECODED_CHECK(rows) decoded_check(rows, sizeof(rows) / sizeof((rows)[0]))

#endif
