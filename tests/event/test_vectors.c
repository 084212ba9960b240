/*
 * The vectors of docs/wire.md against what this program writes. "test_vectors write" prints them as
 * "name hex" lines instead, and random frames with their events as JSON, for tests/wire_test.py.
 */
#include "tests/event/sample.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void write_tick(struct buf *out)
{
	struct frame_head head = sample_head(FRAME_TICK);

	CHECK(frame_tick(out, &head));
}

static void write_gap(struct buf *out)
{
	struct frame_head head = sample_head(FRAME_GAP);
	struct frame_gap gap = sample_gap();

	CHECK(frame_gap(out, &head, &gap));
}

static void write_detection(struct buf *out)
{
	struct detection detection = sample_detection();

	detection_write(out, &detection);
}

static void write_progress(struct buf *out)
{
	struct progress rows[2];

	sample_progress(rows);
	progress_write(out, rows, 2);
}

static void write_alert(struct buf *out)
{
	struct alert alert = sample_alert();

	alert_write(out, &alert);
}

static void write_event_json(struct buf *out)
{
	struct event events[SAMPLE_EVENTS];

	sample_events(events);
	frame_json(out, &events[2]);
}

static void write_foreign(struct buf *out)
{
	struct event event;

	frame_foreign(STR("langson-cluster"), STR("events"), (struct position){3, 99, 0},
	    SAMPLE_TIME, STR("<13>hello"), &event);
	frame_json(out, &event);
}

static const struct vector {
	const char *name;
	void (*write)(struct buf *out);
} vectors[] = {
    {"frame-events", sample_frame},
    {"frame-tick", write_tick},
    {"frame-gap", write_gap},
    {"detection", write_detection},
    {"progress", write_progress},
    {"event-json", write_event_json},
    {"foreign-json", write_foreign},
    {"alert-json", write_alert},
};

#define VECTORS (sizeof(vectors) / sizeof(*vectors))

static void print_hex(const char *name, struct str bytes)
{
	printf("%s ", name);
	for (size_t i = 0; i < bytes.len; i++)
		printf("%02x", (uint8_t)bytes.ptr[i]);
	printf("\n");
}

static uint64_t random_state = 1;

static uint64_t dice(uint64_t sides)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % sides;
}

static struct str random_text(char *room, size_t most)
{
	size_t len = dice(3) == 0 ? 0 : dice(most);

	for (size_t i = 0; i < len; i++)
		room[i] = (char)(dice(4) == 0 ? dice(256) : 'a' + dice(26));
	return str_from(room, len);
}

static struct event random_event(char room[6][400], struct coordinate at)
{
	return (struct event){
	    .at = at,
	    .received_ns = dice(4) == 0 ? 0 : (int64_t)(dice(1 << 30) * 1700000003),
	    .transport = (enum transport)dice(TRANSPORT_COUNT),
	    .encoding = (enum encoding)dice(2),
	    .flags = (uint32_t)dice(64),
	    .zone_s = (int32_t)dice(100000) - 50000,
	    .peer = random_text(room[0], 50),
	    .sender = random_text(room[1], 200),
	    .agency = random_text(room[2], 20),
	    .system = random_text(room[3], 20),
	    .decoder = random_text(room[4], 20),
	    .raw = random_text(room[5], 400),
	};
}

static void print_random_frame(void)
{
	static char room[6][400];
	struct buf out = BUF(FRAME_MAX), lines = BUF(FRAME_MAX);
	struct frame_head head = sample_head(FRAME_EVENTS);

	head.count = 1 + (uint32_t)dice(20);
	head.collector = dice(1u << 31) << 32;
	frame_begin(&out);
	for (uint32_t i = 0; i < head.count; i++) {
		struct event event = random_event(room,
		    (struct coordinate){head.collector, head.epoch, head.first + i});

		frame_add(&out, &event);
		frame_json(&lines, &event);
		buf_char(&lines, '\n');
	}
	CHECK(frame_end(&out, &head));
	print_hex("random-frame", buf_str(&out));
	print_hex("random-events", buf_str(&lines));
	buf_free(&out);
	buf_free(&lines);
}

static int print_all(void)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct buf out = BUF(FRAME_MAX);

		vectors[i].write(&out);
		print_hex(vectors[i].name, buf_str(&out));
		buf_free(&out);
	}
	for (int i = 0; i < 100; i++)
		print_random_frame();
	return 0;
}

/* The hexadecimal digits of "```vector NAME" ... "```" in the document. */
static bool document_vector(struct str document, const char *name, struct buf *ret)
{
	struct str line, rest = document;
	char wanted[80];
	bool inside = false;
	int high = -1;

	snprintf(wanted, sizeof(wanted), "```vector %s", name);
	while (str_cut(&rest, '\n', &line)) {
		if (inside && str_eq(line, STR("```")))
			return true;
		for (size_t i = 0; inside && i < line.len; i++) {
			int digit = char_hex(line.ptr[i]);

			if (digit >= 0 && high >= 0)
				buf_u8(ret, (uint8_t)(high << 4 | digit));
			if (digit >= 0)
				high = high >= 0 ? -1 : digit;
		}
		inside = inside || str_eq(line, str_of(wanted));
	}
	return false;
}

static void the_document_agrees(void **state)
{
	struct str document = {*state, strlen(*state)};

	for (size_t i = 0; i < VECTORS; i++) {
		struct buf written = BUF(FRAME_MAX), read = BUF(FRAME_MAX);

		vectors[i].write(&written);
		if (!document_vector(document, vectors[i].name, &read))
			fail_msg("no vector %s", vectors[i].name);
		if (!str_eq(buf_str(&written), buf_str(&read)))
			fail_msg("vector %s differs", vectors[i].name);
		buf_free(&written);
		buf_free(&read);
	}
}

int main(int argc, char **argv)
{
	static char document[1 << 18];

	if (argc == 2 && strcmp(argv[1], "write") == 0)
		return print_all();
	FILE *file = fopen("docs/wire.md", "rb");

	if (file == NULL) {
		fprintf(stderr, "test_vectors: run it in the root of the project\n");
		return 1;
	}
	size_t len = fread(document, 1, sizeof(document) - 1, file);

	fclose(file);
	document[len] = '\0';
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_prestate(the_document_agrees, document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
