/* fuzz: collector - bodies of HEC, _bulk and OTLP requests through the whole port: each gets one
 * answer, and what was taken is on the bus. */
#include "base/check.h"
#include "base/clock.h"
#include "bus/bus.h"
#include "collector/collector.h"
#include "net/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const heads[] = {
    "POST /services/collector/event HTTP/1.1\r\n",
    "POST /services/collector/raw?host=a&sourcetype=b HTTP/1.1\r\n",
    "POST /services/collector/ack?channel=c HTTP/1.1\r\n",
    "POST /x/_bulk HTTP/1.1\r\n",
    "POST /_bulk?filter_path=errors,items.*.status HTTP/1.1\r\n",
    "POST /v1/logs HTTP/1.1\r\nContent-Type: application/json\r\n",
    "POST /v1/logs HTTP/1.1\r\nContent-Type: application/x-protobuf\r\n",
};

static struct bus *bus;
static struct bus_reader *reader;
static struct loop *loop;
static struct config *config;
static struct collector *collector;
static int client = -1;

static void open_all(void)
{
	struct bus_options bus_options = {
	    .backend = "memory", .partitions = {1, 1, 1}, .queue_bytes = 64u << 20};
	uint32_t partition = 0;
	struct bus_reader_options reading = {
	    .topic = TOPIC_EVENTS, .group = "fuzz", .partitions = &partition, .partition_count = 1};
	static const struct collector_listener listener = {"http", "127.0.0.1:0"};
	char path[] = "/tmp/tocsin-fuzz-http-XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	close(fd);
	unlink(path);
	config = config_new();
	CHECK(config != NULL && bus_open(&bus, &bus_options, NULL) == 0);
	CHECK(bus_reader_open(&reader, bus, &reading, NULL) == 0 && loop_open(&loop, NULL) == 0);
	struct collector_options options = {.bus = bus, .loop = loop, .config = config,
	    .identity_path = path, .listeners = &listener, .listener_count = 1,
	    .connections_max = 16, .connections_per_peer = 16, .idle_ns = 60 * NS_PER_S,
	    .frame_limit = 1000, .frame_bytes = 16384, .tick_ns = NS_PER_S, .senders_max = 16};

	CHECK(collector_open(&collector, &options, NULL) == 0);
	unlink(path);
}

static void dial(void)
{
	char address[64];

	snprintf(address, sizeof(address), "127.0.0.1:%u", collector_port(collector, 0));
	client = address_connect(address, NULL);
	CHECK(client >= 0);
}

static void drain(void)
{
	struct bus_record records[64];

	while (bus_poll(reader, records, 64, 0, NULL) > 0)
		continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[8192], in[65536];
	ssize_t n = -1;

	if (size < 1 || size > 4096)
		return 0;
	if (collector == NULL)
		open_all();
	if (client < 0)
		dial();
	int len = snprintf(out, sizeof(out), "%sContent-Length: %zu\r\n\r\n",
	    heads[data[0] % (sizeof(heads) / sizeof(heads[0]))], size - 1);

	memcpy(out + len, data + 1, size - 1);
	CHECK(send(client, out, (size_t)len + size - 1, MSG_NOSIGNAL) == len + (ssize_t)size - 1);
	for (int round = 0; round < 1000 && n < 0; round++) {
		CHECK(collector_step(collector, NS_PER_MS, NULL) >= 0);
		drain();
		n = recv(client, in, sizeof(in), MSG_DONTWAIT);
	}
	/* One answer; a connection is closed for nothing that stands in a body. */
	CHECK(n > 12 && memcmp(in, "HTTP/1.1 ", 9) == 0);
	CHECK(collector_in_flight(collector) == 0);
	return 0;
}
