#include "tests/collector/http_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "net/address.h"

static int64_t fixed_clock(void)
{
	return RIG_TIME;
}

void bench_dial(struct bench *bench)
{
	char address[64];

	snprintf(address, sizeof(address), "127.0.0.1:%u", collector_port(bench->collector, 0));
	bench->client = address_connect(address, NULL);
	assert_true(bench->client >= 0);
}

void bench_open_for(struct bench *bench, size_t queue_bytes, const char *agencies)
{
	static const struct collector_listener listener = {"http", "127.0.0.1:0"};

	*bench = (struct bench){.config = config_new()};
	assert_non_null(bench->config);
	assert_int_equal(config_set(bench->config, STR("http.body"), STR("100K"), NULL), 0);
	assert_int_equal(config_set(bench->config, STR("http.inflated"), STR("300K"), NULL), 0);
	rig_open(&bench->rig, 1u << 20);
	assert_int_equal(loop_open(&bench->loop, NULL), 0);
	struct collector_options options = {.bus = bench->rig.bus, .loop = bench->loop,
	    .config = bench->config, .identity_path = bench->rig.identity,
	    .listeners = &listener, .listener_count = 1, .connections_max = 16,
	    .connections_per_peer = 16, .idle_ns = 60 * NS_PER_S, .frame_limit = 1000,
	    .frame_bytes = 16384, .frame_delay_ns = 0, .tick_ns = NS_PER_S, .senders_max = 16,
	    .clock = fixed_clock,
	    .queue_bytes = queue_bytes};

	char path[128];

	snprintf(path, sizeof(path), "%s/agencies.yml", bench->rig.folder);
	if (agencies != NULL) {
		assert_int_equal(file_replace(path, str_of(agencies), 0600, NULL), 0);
		options.agencies_path = path;
	}
	assert_int_equal(collector_open(&bench->collector, &options, NULL), 0);
	unlink(path);
	bench_dial(bench);
}

void bench_open(struct bench *bench, size_t queue_bytes)
{
	bench_open_for(bench, queue_bytes, NULL);
}

void bench_close(struct bench *bench)
{
	close(bench->client);
	collector_close(bench->collector);
	loop_close(bench->loop);
	rig_close(&bench->rig);
	config_free(bench->config);
}

void bench_say(struct bench *bench, struct str text)
{
	assert_int_equal(send(bench->client, text.ptr, text.len, MSG_NOSIGNAL), text.len);
}

/* What is answered within some rounds; "(closed)" at the end. */
const char *bench_hear(struct bench *bench)
{
	static char text[1u << 20];
	size_t len = 0;
	ssize_t n = -1;

	for (int i = 0; i < 30; i++) {
		assert_true(collector_step(bench->collector, NS_PER_MS, NULL) >= 0);
		bus_flush(bench->rig.bus, NS_PER_S, NULL);
		while ((n = recv(bench->client, text + len, sizeof(text) - len - 16,
			    MSG_DONTWAIT)) > 0)
			len += (size_t)n;
		if (n == 0)
			break;
	}
	strcpy(text + len, n == 0 ? "(closed)" : "");
	return text;
}

unsigned bench_status(const char *answer)
{
	unsigned status = 0;

	return sscanf(answer, "HTTP/1.1 %u ", &status) == 1 ? status : 0;
}

const char *bench_ask(struct bench *bench, const char *method, const char *target,
    const char *headers, struct str body)
{
	static char all[1u << 18], out[1u << 20];
	int len = snprintf(all, sizeof(all),
	    "%s %s HTTP/1.1\r\nHost: siem.example.vn\r\n%sContent-Length: %zu\r\n\r\n", method,
	    target, headers, body.len);

	/* In one piece: a second one would wait for the first to be acknowledged (Nagle). */
	assert_true((size_t)len + body.len < sizeof(all));
	if (body.len > 0)
		memcpy(all + len, body.ptr, body.len);
	bench_say(bench, str_from(all, (size_t)len + body.len));
	const char *answer = bench_hear(bench), *behind = strstr(answer, "\r\n\r\n");

	if (behind == NULL)
		return answer;
	snprintf(out, sizeof(out), "%u %s", bench_status(answer), behind + 4);
	return out;
}
