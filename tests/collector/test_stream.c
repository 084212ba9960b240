/*
 * Connections whose sender waits for an answer, by a protocol made for this test: a line is an
 * event, and is answered "yes" when it is durable, "no" when it was refused. "big" is larger than
 * any bus takes, "fill" is answered at length, "hold" is not read on from before its answer, "!"
 * closes.
 */
#include "collector/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/address.h"
#include "tests/collector/rig.h"

struct answer {
	struct stream *stream;
	struct answer *next;
	struct ticket *ticket;
};

struct state {
	struct answer *owed;
};

static int tickets_done, ended;
static char big[BUS_RECORD_MAX + 1];

static void answer_remove(struct answer *answer)
{
	struct state *state = stream_state(answer->stream);
	struct answer **at = &state->owed;

	while (*at != answer)
		at = &(*at)->next;
	*at = answer->next;
	free(answer);
}

static void answer_done(void *context, bool durable)
{
	struct answer *answer = context;
	struct stream *stream = answer->stream;

	tickets_done++;
	answer_remove(answer);
	stream_write(stream, durable ? STR("yes\n") : STR("no\n"));
	stream_hold(stream, false);
}

static bool echo_take(struct stream *stream, struct str *bytes, bool end)
{
	struct state *state = stream_state(stream);
	size_t at;
	bool held = false;

	(void)end;
	while (!held && (at = str_find_char(*bytes, '\n')) != STR_NOT_FOUND) {
		struct str line = str_slice(*bytes, 0, at);

		if (str_eq(line, STR("fill")) && !stream_write(stream, str_from(big, 60000)))
			return false;
		struct answer *answer = calloc(1, sizeof(*answer));

		assert_non_null(answer);
		*answer = (struct answer){stream, state->owed, ticket_new(answer_done, answer)};
		state->owed = answer;
		struct ticket *ticket = answer->ticket;

		if (str_eq(line, STR("big")))
			line = str_from(big, sizeof(big));
		stream_event(stream, line, false, ticket);
		if (str_eq(line, STR("hold")))
			stream_hold(stream, held = true);
		ticket_release(ticket, true);
		*bytes = str_slice(*bytes, at + 1, bytes->len);
		if (str_eq(line, STR("!")))
			return false;
	}
	return true;
}

static bool echo_owes(const struct stream *stream)
{
	return ((const struct state *)stream_state_of(stream))->owed != NULL;
}

static void echo_end(struct stream *stream)
{
	struct state *state = stream_state(stream);

	ended++;
	while (state->owed != NULL) {
		ticket_cancel(state->owed->ticket);
		answer_remove(state->owed);
	}
}

static const struct stream_kind echo = {.name = "echo", .transport = TRANSPORT_RELP,
    .state_bytes = sizeof(struct state), .partial_max = 64, .take = echo_take,
    .owes = echo_owes, .end = echo_end, .patience_ns = 10 * NS_PER_S};

struct bench {
	struct rig rig;
	struct loop *loop;
	struct intake intake;
	struct collector_options options;
	struct input *input;
	int client;
};

static int64_t now_ns;

static int64_t fake_clock(void)
{
	return now_ns;
}

static int dial(struct bench *bench)
{
	char address[64];

	snprintf(address, sizeof(address), "127.0.0.1:%u", streams_port(bench->input));
	int fd = address_connect(address, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void bench_open(struct bench *bench)
{
	now_ns = RIG_TIME;
	tickets_done = ended = 0;
	*bench = (struct bench){.options = {.clock = fake_clock, .connections_max = 8,
	    .connections_per_peer = 4, .idle_ns = 60 * NS_PER_S, .frame_limit = 1000}};
	rig_open(&bench->rig, 1u << 20);
	struct packer_options packing = {.bus = bench->rig.bus, .identity = {0xc0ffee, 1},
	    .frame_bytes = 16384, .frame_delay_ns = 5 * NS_PER_MS, .queue_bytes = 1u << 20};

	assert_int_equal(loop_open(&bench->loop, NULL), 0);
	bench->intake = (struct intake){.options = &bench->options, .loop = bench->loop,
	    .ledger = ledger_new(10, RIG_PARTITIONS, rig_nobody(STR("hue"))),
	    .agencies = rig_nobody(STR("hue")), .packer = packer_new(&packing),
	    .scratch = malloc(INTAKE_SCRATCH), .now_ns = now_ns};
	assert_int_equal(
	    streams_open(&bench->input, &echo, &bench->intake, "127.0.0.1:0", NULL), 0);
	bench->client = dial(bench);
}

static void bench_close(struct bench *bench)
{
	close(bench->client);
	streams_close(bench->input);
	packer_free(bench->intake.packer);
	ledger_free(bench->intake.ledger);
	free(bench->intake.scratch);
	loop_close(bench->loop);
	rig_close(&bench->rig);
}

static void serve(struct bench *bench)
{
	for (int i = 0; i < 20; i++)
		assert_true(loop_step(bench->loop, NS_PER_MS, NULL) >= 0);
}

static void publish(struct bench *bench)
{
	for (int i = 0; i < 5; i++) {
		assert_int_equal(packer_drive(bench->intake.packer, now_ns, true, NULL), 0);
		bus_flush(bench->rig.bus, NS_PER_S, NULL);
	}
	serve(bench);
}

static void say(const struct bench *bench, const char *text)
{
	assert_int_equal(send(bench->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come; "(closed)" at its end. */
static const char *heard(const struct bench *bench)
{
	static char text[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(bench->client, text + len, sizeof(text) - len - 16, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	strcpy(text + len, n == 0 ? "(closed)" : "");
	return text;
}

static void answers_come_when_all_is_durable(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	say(&bench, "one\ntwo\nthr");
	serve(&bench);
	assert_string_equal(heard(&bench), "");
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\nyes\n");
	say(&bench, "ee\n");
	serve(&bench);
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\n");
	rig_read(&bench.rig);
	assert_non_null(rig_find(&bench.rig, "three"));
	assert_int_equal(rig_find(&bench.rig, "two")->transport, TRANSPORT_RELP);
	bench_close(&bench);
}

static void a_receipt_that_is_unknown_is_no_answer(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	say(&bench, "one\n");
	serve(&bench);
	publish(&bench);
	assert_string_equal(heard(&bench), "");
	bench.rig.fault = FAULT_NONE;
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\n");
	bench_close(&bench);
}

static void what_the_bus_will_not_take_is_answered_so(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	memset(big, 'x', sizeof(big));
	say(&bench, "one\nbig\n");
	serve(&bench);
	publish(&bench);
	/* What is refused is known at once. */
	assert_string_equal(heard(&bench), "no\nyes\n");
	bench_close(&bench);
}

static void who_has_said_all_still_hears_the_answer(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	say(&bench, "one\n");
	shutdown(bench.client, SHUT_WR);
	serve(&bench);
	assert_string_equal(heard(&bench), "");
	assert_int_equal(ended, 0);
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\n(closed)");
	assert_int_equal(ended, 1);
	bench_close(&bench);
}

static void a_protocol_that_closes_answers_first(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	say(&bench, "!\nnever read\n");
	serve(&bench);
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\n(closed)");
	rig_read(&bench.rig);
	assert_null(rig_find(&bench.rig, "never read"));
	bench_close(&bench);
}

static void who_is_gone_is_not_answered(void **unused)
{
	struct bench bench;
	struct linger hard = {1, 0};

	(void)unused;
	bench_open(&bench);
	say(&bench, "one\n");
	serve(&bench);
	setsockopt(bench.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(bench.client);
	serve(&bench);
	assert_int_equal(ended, 1);
	publish(&bench);
	assert_int_equal(tickets_done, 0);
	bench.client = dial(&bench);
	rig_read(&bench.rig);
	assert_non_null(rig_find(&bench.rig, "one"));
	bench_close(&bench);
}

static void a_held_connection_is_not_read(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	say(&bench, "hold\nhold\nthree\nfo");
	serve(&bench);
	say(&bench, "ur\n");
	serve(&bench);
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\n");
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\n");
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\nyes\n");
	rig_read(&bench.rig);
	assert_non_null(rig_find(&bench.rig, "four"));
	bench_close(&bench);
}

static void the_end_of_the_stage_waits_for_answers(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	serve(&bench);
	say(&bench, "one\n");
	streams_finish(bench.input);
	assert_int_equal(ended, 0);
	publish(&bench);
	assert_string_equal(heard(&bench), "yes\n(closed)");
	streams_close(bench.input);
	bench.input = NULL;
	bench_close(&bench);
}

static void a_message_that_does_not_end_is_given_up(void **unused)
{
	struct bench bench;
	struct source_row total;
	char long_line[200];

	(void)unused;
	bench_open(&bench);
	say(&bench, "slow");
	serve(&bench);
	now_ns += 9 * NS_PER_S;
	say(&bench, "l");
	serve(&bench);
	intake_now(&bench.intake);
	streams_tick(bench.input);
	assert_int_equal(ended, 0);
	now_ns += 2 * NS_PER_S;
	intake_now(&bench.intake);
	streams_tick(bench.input);
	assert_int_equal(ended, 1);
	close(bench.client);
	bench.client = dial(&bench);
	memset(long_line, 'x', sizeof(long_line) - 1);
	long_line[sizeof(long_line) - 1] = '\0';
	say(&bench, long_line);
	serve(&bench);
	assert_int_equal(ended, 2);
	ledger_total(bench.intake.ledger, &total);
	assert_int_equal(total.bad_frames, 1);
	bench_close(&bench);
}

static void who_does_not_read_answers_is_dropped(void **unused)
{
	struct bench bench;

	(void)unused;
	bench_open(&bench);
	for (int i = 0; i < 200 && ended == 0; i++) {
		ssize_t n = send(bench.client, "fill\n", 5, MSG_DONTWAIT | MSG_NOSIGNAL);

		(void)n;
		assert_true(loop_step(bench.loop, NS_PER_MS, NULL) >= 0);
	}
	assert_int_equal(ended, 1);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_come_when_all_is_durable),
	    cmocka_unit_test(a_receipt_that_is_unknown_is_no_answer),
	    cmocka_unit_test(what_the_bus_will_not_take_is_answered_so),
	    cmocka_unit_test(who_has_said_all_still_hears_the_answer),
	    cmocka_unit_test(a_protocol_that_closes_answers_first),
	    cmocka_unit_test(who_is_gone_is_not_answered),
	    cmocka_unit_test(a_held_connection_is_not_read),
	    cmocka_unit_test(the_end_of_the_stage_waits_for_answers),
	    cmocka_unit_test(a_message_that_does_not_end_is_given_up),
	    cmocka_unit_test(who_does_not_read_answers_is_dropped),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
