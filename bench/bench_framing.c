/*
 * From bytes to frames on the bus: the framer alone, and the whole collector, which a child process
 * sends to over loopback TCP; the child's CPU time does not count.
 */
#include "bench/bench.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "collector/collector.h"
#include "collector/framer.h"
#include "net/address.h"

#define LINES  2000u
#define EVENTS 200000u
#define ROUNDS 3

static const char line_text[] =
    "<38>Nov 22 13:27:00 web01.langson.example sshd[81234]: Failed password for invalid user "
    "quantri from 198.51.100.23 port 40112 ssh2: session terms agreed with chacha20-poly1305 and "
    "curve25519, banner sent, method publickey tried before, attempt counted against the limit of "
    "the host, address looked up and not found";

struct stream {
	struct buf bytes;
	size_t events;
};

static struct stream stream_make(bool counted)
{
	struct stream stream = {BUF(4u << 20), LINES};

	for (size_t i = 0; i < LINES; i++) {
		if (counted)
			buf_printf(&stream.bytes, "%zu %s", sizeof(line_text) - 1, line_text);
		else
			buf_printf(&stream.bytes, "%s\n", line_text);
	}
	CHECK(!stream.bytes.failed);
	return stream;
}

/* In reads of 64 KB, as they come from a socket; what is left of one begins the next. */
static size_t cut_frames(void *context)
{
	const struct stream *stream = context;
	struct framer framer = framer_begin(65536);
	struct str rest = {stream->bytes.ptr, 0}, frame;
	size_t count = 0, read = 0;
	bool cut;

	while (read < stream->bytes.len) {
		size_t more = stream->bytes.len - read < 65536 ? stream->bytes.len - read : 65536;

		rest.len += more;
		read += more;
		while (framer_next(&framer, &rest, false, &frame, &cut) == FRAMER_EVENT)
			count++;
	}
	CHECK(count == stream->events);
	return count;
}

static void send_stream(const struct stream *stream, unsigned port)
{
	char at[32];

	snprintf(at, sizeof(at), "127.0.0.1:%u", port);
	int fd = address_connect(at, NULL);

	CHECK(fd >= 0);
	for (size_t i = 0; i < EVENTS / LINES; i++) {
		for (size_t sent = 0; sent < stream->bytes.len;) {
			ssize_t n = send(
			    fd, stream->bytes.ptr + sent, stream->bytes.len - sent, MSG_NOSIGNAL);

			CHECK(n > 0);
			sent += (size_t)n;
		}
	}
	_exit(0);
}

struct whole {
	struct bus *bus;
	struct loop *loop;
	struct collector *collector;
	const struct stream *stream;
};

static size_t collect(void *context)
{
	struct whole *whole = context;
	struct source_row total;
	struct error error = {0};

	collector_total(whole->collector, &total);
	uint64_t want = total.durable + EVENTS;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		send_stream(whole->stream, collector_port(whole->collector, 0));
	while (total.durable < want) {
		bench_must(collector_step(whole->collector, 100 * NS_PER_MS, &error), &error);
		collector_total(whole->collector, &total);
	}
	CHECK(waitpid(child, NULL, 0) == child);
	return EVENTS;
}

static void whole_open(struct whole *whole, const char *folder, const char *backend)
{
	struct collector_listener listener = {"syslog-tcp", "127.0.0.1:0"};
	struct bus_options bus = {.backend = backend,
	    .path = folder,
	    .partitions = {4, 1, 1},
	    .retain_bytes = 512u << 20};
	char identity[300];
	struct error error = {0};

	snprintf(identity, sizeof(identity), "%s/collector.id", folder);
	bench_must(bus_open(&whole->bus, &bus, &error), &error);
	bench_must(loop_open(&whole->loop, &error), &error);
	struct collector_options options = {.bus = whole->bus,
	    .loop = whole->loop,
	    .identity_path = identity,
	    .listeners = &listener,
	    .listener_count = 1,
	    .connections_max = 10,
	    .connections_per_peer = 10,
	    .idle_ns = 600 * NS_PER_S,
	    .frame_limit = 65536,
	    .frame_bytes = 32768,
	    .frame_delay_ns = 5 * NS_PER_MS,
	    .tick_ns = 5 * NS_PER_S,
	    .senders_max = 100,
	    .agency = STR("langson")};

	bench_must(collector_open(&whole->collector, &options, &error), &error);
}

static void bench_collector(const struct stream *stream, const char *name, const char *backend)
{
	struct whole whole = {.stream = stream};
	char folder[256];

	bench_folder(folder);
	whole_open(&whole, folder, backend);
	bench_print(name, bench_measure(collect, &whole, ROUNDS, 1), "");
	collector_close(whole.collector);
	loop_close(whole.loop);
	bus_close(whole.bus);
	bench_forget(folder);
}

int main(void)
{
	struct stream lines = stream_make(false), octets = stream_make(true);

	signal(SIGPIPE, SIG_IGN);
	bench_run("framing.lf", cut_frames, &lines);
	bench_run("framing.octet", cut_frames, &octets);
	bench_collector(&lines, "collector.tcp.lf.memory", "memory");
	bench_collector(&lines, "collector.tcp.lf.local", "local");
	bench_collector(&octets, "collector.tcp.octet.local", "local");
	buf_free(&lines.bytes);
	buf_free(&octets.bytes);
	return 0;
}
