/*
 * Each decoder through decoding_run, from the raw line to fields: what the stage detect pays before
 * matching.
 */
#include "bench/lines.h"

#include "decoder/decoder.h"

struct measured {
	struct lines lines;
	struct arena *arena;
	struct decoding *decoding;
	const char *expected; /* what record.decoders must hold, else the figure lies */
};

static size_t decode_all(void *context)
{
	struct measured *decoding = context;
	struct record record;

	for (size_t i = 0; i < decoding->lines.count; i++) {
		arena_reset(decoding->arena);
		decoding_run(decoding->decoding, &record, &decoding->lines.events[i],
		    decoding->arena);
	}
	CHECK(str_find(record.decoders, str_of(decoding->expected)) != STR_NOT_FOUND);
	return decoding->lines.count;
}

static void decode_one(const char *name, line_maker *maker, const char *expected)
{
	struct measured decoding = {lines_make(maker, LINES_COUNT), arena_new(8u << 20),
	    decoding_new(NULL), expected};
	char full[64], extra[64];

	CHECK(decoding.arena != NULL && decoding.decoding != NULL);
	snprintf(full, sizeof(full), "decode %s", name);
	snprintf(extra, sizeof(extra), ",\"bytes_per_event\":%zu",
	    decoding.lines.bytes / decoding.lines.count);
	bench_print(full,
	    bench_measure(decode_all, &decoding, BENCH_ROUNDS, BENCH_ROUND_NS), extra);
	decoding_free(decoding.decoding);
	arena_free(decoding.arena);
	lines_free(&decoding.lines);
}

int main(void)
{
	decode_one("rfc3164 sshd", line_sshd, "sshd");
	decode_one("rfc5424", line_rfc5424, "rfc5424");
	decode_one("nginx access", line_nginx, "web_access");
	decode_one("windows json", line_windows, "windows");
	decode_one("cef", line_cef, "cef");
	decode_one("kv fortigate", line_fortigate, "kv");
	decode_one("auditd", line_auditd, "auditd");
	decode_one("plain", line_plain, "rfc3164");
	return 0;
}
