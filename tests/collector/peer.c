#include "tests/collector/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/address.h"

int64_t peer_now_ns;

static int64_t peer_clock(void)
{
	return peer_now_ns;
}

void peer_dial(struct peer *peer)
{
	char address[64];

	snprintf(address, sizeof(address), "127.0.0.1:%u", collector_port(peer->collector, 0));
	peer->client = address_connect(address, NULL);
	assert_true(peer->client >= 0);
}

static void dial_datagrams(struct peer *peer)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)collector_port(peer->collector, 0)),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};

	peer->client = socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(peer->client >= 0);
	assert_int_equal(connect(peer->client, (struct sockaddr *)&to, sizeof(to)), 0);
}

static const char *agencies_path(const struct peer *peer)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/agencies.yml", peer->rig.folder);
	return path;
}

static void agencies_write(const struct peer *peer, const char *yaml)
{
	FILE *file = fopen(agencies_path(peer), "w");

	assert_non_null(file);
	assert_true(fputs(yaml, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void peer_know(struct peer *peer, const char *yaml)
{
	struct error error = {0};

	agencies_write(peer, yaml);
	if (collector_reload(peer->collector, &error) < 0)
		fail_msg("%s", error.text);
}

static void collector_begin(struct peer *peer)
{
	struct collector_listener listener = {peer->input, "127.0.0.1:0"};
	struct collector_options options = {.bus = peer->rig.bus, .loop = peer->loop,
	    .config = peer->config, .identity_path = peer->rig.identity,
	    .listeners = &listener, .listener_count = 1, .connections_max = 16,
	    .connections_per_peer = 16, .idle_ns = 60 * NS_PER_S, .frame_limit = 1000,
	    .frame_bytes = 16384, .frame_delay_ns = 0, .tick_ns = NS_PER_S, .senders_max = 16,
	    .agencies_path = agencies_path(peer), .clock = peer_clock};
	struct error error = {0};

	if (collector_open(&peer->collector, &options, &error) < 0)
		fail_msg("%s", error.text);
}

static void open_with(struct peer *peer, const char *input, const char *const *settings,
    const char *yaml)
{
	peer_now_ns = RIG_TIME;
	*peer = (struct peer){.config = config_new(), .input = input};
	assert_non_null(peer->config);
	for (; settings != NULL && *settings != NULL; settings += 2)
		assert_int_equal(
		    config_set(peer->config, str_of(settings[0]), str_of(settings[1]), NULL), 0);
	rig_open(&peer->rig, 4u << 20);
	agencies_write(peer, yaml != NULL ? yaml : "agencies: []\n");
	assert_int_equal(loop_open(&peer->loop, NULL), 0);
	collector_begin(peer);
}

void peer_deaf(struct peer *peer)
{
	peer->rig.fault = FAULT_BUSY;
	peer->rig.fault_call = "receipts";
}

void peer_restart(struct peer *peer)
{
	struct bus_receipt receipts[16];

	rig_read(&peer->rig);
	rig_restart(&peer->rig);
	close(peer->client);
	collector_close(peer->collector);
	peer->rig.fault = FAULT_NONE;
	while (bus_receipts(peer->rig.bus, receipts, 16, 0, NULL) > 0)
		continue;
	collector_begin(peer);
	peer_dial(peer);
}

void peer_open(struct peer *peer, const char *input, const char *const *settings, bool datagrams)
{
	open_with(peer, input, settings, NULL);
	if (datagrams)
		dial_datagrams(peer);
	else
		peer_dial(peer);
}

void peer_open_known(struct peer *peer, const char *input, const char *yaml)
{
	open_with(peer, input, NULL, yaml);
	peer_dial(peer);
}

void peer_close(struct peer *peer)
{
	close(peer->client);
	collector_close(peer->collector);
	unlink(agencies_path(peer));
	loop_close(peer->loop);
	rig_close(&peer->rig);
	config_free(peer->config);
}

void peer_say(struct peer *peer, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(peer->client, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			bytes = str_slice(bytes, (size_t)n, bytes.len);
		else
			peer_step(peer);
	}
}

void peer_step(struct peer *peer)
{
	for (int i = 0; i < 20; i++) {
		collector_step(peer->collector, NS_PER_MS, NULL);
		bus_flush(peer->rig.bus, NS_PER_S, NULL);
	}
}

struct str peer_hear(struct peer *peer)
{
	static char text[1u << 17];
	size_t len = 0;
	ssize_t n;

	peer_step(peer);
	while ((n = recv(peer->client, text + len, sizeof(text) - len - 16, MSG_DONTWAIT)) > 0) {
		len += (size_t)n;
		peer_step(peer);
	}
	strcpy(text + len, n == 0 || errno != EAGAIN ? "(closed)" : "");
	return (struct str){text, len + strlen(text + len)};
}

void peer_busy(struct peer *peer, bool busy)
{
	peer->rig.fault = busy ? FAULT_BUSY : FAULT_NONE;
	peer->rig.fault_call = "publish";
}

size_t peer_events(struct peer *peer)
{
	rig_read(&peer->rig);
	return peer->rig.seen_count;
}

struct source_row peer_total(const struct peer *peer)
{
	struct source_row total;

	collector_total(peer->collector, &total);
	return total;
}
