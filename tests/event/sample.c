#include "tests/event/sample.h"

#include "base/check.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const struct hash_key sample_key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

void sample_events(struct event events[SAMPLE_EVENTS])
{
	const struct frame_head head = sample_head(FRAME_EVENTS);

	events[0] = (struct event){
	    .received_ns = SAMPLE_TIME,
	    .transport = TRANSPORT_TCP,
	    .flags = EVENT_CLOCK_SKEW,
	    .zone_s = 25200,
	    .peer = STR("192.0.2.7:40112"),
	    .sender = STR("web01.langson.example"),
	    .agency = STR("langson"),
	    .system = STR("portal"),
	    .decoder = STR("rfc3164"),
	    .raw = STR("<38>Nov 22 13:27:00 web01 sshd[812]: Failed password for root"),
	};
	events[1] = (struct event){
	    .received_ns = SAMPLE_TIME + 1,
	    .transport = TRANSPORT_UDP,
	    .encoding = ENCODING_JSON,
	    .zone_s = -12600,
	    .peer = STR("[2001:db8::7]:514"),
	    .raw = STR("{\"User\":\"S\xc6\xa1n\"}"),
	};
	events[2] = (struct event){
	    .flags = EVENT_HAS_NUL | EVENT_BAD_UTF8,
	    .raw = STR("a\0b\xff"),
	    .message = {0x0123456789abcdefu, 0xfedcba9876543210u},
	};
	for (uint64_t i = 0; i < SAMPLE_EVENTS; i++)
		events[i].at = (struct coordinate){head.collector, head.epoch, head.first + i};
}

struct frame_head sample_head(enum frame_type type)
{
	return (struct frame_head){
	    .type = type,
	    .collector = 0xc0ffee0123456789u,
	    .epoch = 0x16b0f2a3c4d5e6f7u,
	    .first = 42,
	    .previous = 17,
	    .count = type == FRAME_EVENTS ? SAMPLE_EVENTS : 0,
	    .made_ns = SAMPLE_TIME + 1000,
	};
}

struct frame_gap sample_gap(void)
{
	return (struct frame_gap){GAP_KERNEL_DROP, 1024, SAMPLE_TIME - 5, SAMPLE_TIME,
	    STR("udp:192.0.2.1:514")};
}

void sample_frame(struct buf *out)
{
	struct event events[SAMPLE_EVENTS];
	struct frame_head head = sample_head(FRAME_EVENTS);

	sample_events(events);
	frame_begin(out);
	for (size_t i = 0; i < SAMPLE_EVENTS; i++)
		frame_add(out, &events[i]);
	CHECK(frame_end(out, &head));
}

struct detection sample_detection(void)
{
	return (struct detection){
	    .correlation = STR("5f0e1c1e-0000-4000-8000-000000000001"),
	    .rule = STR("5f0e1c1e-0000-4000-8000-000000000002"),
	    .groups = {STR("198.51.100.23"), STR("")},
	    .group_count = 2,
	    .values = {STR("root"), STR_NONE, STR("")},
	    .value_count = 3,
	    .time_ns = SAMPLE_TIME,
	    .received_ns = SAMPLE_TIME + 250,
	    .at = {0xc0ffee0123456789u, 0x16b0f2a3c4d5e6f7u, 43},
	    .position = {3, 77, 1},
	    .agency = STR("langson"),
	    .host = STR("web01"),
	    .flags = EVENT_CLOCK_SKEW,
	    .replay = STR("drill"),
	};
}

void sample_progress(struct progress rows[2])
{
	rows[0] = (struct progress){0, 3, 8, SAMPLE_TIME, 78, false, false};
	rows[1] = (struct progress){1, 0, 2, -1, UINT64_MAX, true, true};
}

static struct str tags[] = {
    {"attack.credential-access", 24},
    {"attack.t1110.001", 16},
};
static struct str falsepositives[] = {{"A password that was changed", 27}};
static struct str addresses[] = {{"198.51.100.23", 13}, {"2001:db8::23", 12}, {"\xfe", 1}};
static struct alert_pair groups[] = {{{"src_ip", 6}, {"198.51.100.23", 13}}};
static struct alert_pair matched[] = {
    {{"User", 4}, {"Nguy\xe1\xbb\x85n", 8}},
    {{"CommandLine", 11}, {"a\0b\xff\"\\\n", 7}},
};
static struct alert_event events[] = {
    {{0xc0ffee0123456789u, 0x16b0f2a3c4d5e6f7u, 42}, {3, 77, 0}, SAMPLE_TIME,
	{"5f0e1c1e-0000-4000-8000-000000000002", 36}},
    {{0xc0ffee0123456789u, 0x16b0f2a3c4d5e6f7u, 43}, {3, 77, 1}, SAMPLE_TIME + 1, {"", 0}},
};

struct alert sample_alert(void)
{
	struct alert alert = {
	    .status = ALERT_SETTLED,
	    .replaces = {1, 2},
	    .rule = {.id = STR("5f0e1c1e-0000-4000-8000-000000000001"),
		.title = STR("SSH brute force"),
		.title_vi = STR("D\xc3\xb2 m\xe1\xba\xadt kh\xe1\xba\xa9u SSH"),
		.level = LEVEL_HIGH,
		.kind = STR("event_count"),
		.hash = {0x0123456789abcdefu, 0xfedcba9876543210u},
		.tags = tags,
		.tag_count = 2,
		.falsepositives = falsepositives,
		.falsepositive_count = 1},
	    .time_ns = SAMPLE_TIME,
	    .at = {0xc0ffee0123456789u, 0x16b0f2a3c4d5e6f7u, 43},
	    .received_ns = SAMPLE_TIME + 250,
	    .made_ns = SAMPLE_TIME + 1000,
	    .first_ns = SAMPLE_TIME - 60000000000,
	    .last_ns = SAMPLE_TIME,
	    .count = 12,
	    .groups = groups,
	    .group_count = 1,
	    .window_ns = 60000000000,
	    .fold_ns = 3600000000000,
	    .agency = STR("langson"),
	    .host = STR("web01"),
	    .addresses = addresses,
	    .address_count = 3,
	    .matched = matched,
	    .matched_count = 2,
	    .events = events,
	    .event_count = 2,
	    .events_cut = 10,
	};

	alert.id = alert_make_id(sample_key, &alert);
	return alert;
}

struct guarded guard_copy(struct str bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (bytes.len + page - 1) / page * page;
	struct guarded guarded = {.map_len = room + page};

	guarded.map = mmap(NULL, guarded.map_len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(guarded.map != MAP_FAILED);
	CHECK(mprotect(guarded.map + room, page, PROT_NONE) == 0);
	char *at = guarded.map + room - bytes.len;

	if (bytes.len > 0)
		memcpy(at, bytes.ptr, bytes.len);
	guarded.bytes = (struct str){at, bytes.len};
	return guarded;
}

void guard_free(struct guarded *guarded)
{
	munmap(guarded->map, guarded->map_len);
}
