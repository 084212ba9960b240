/*
 * Syslog over TCP: a stream of frames, told apart one by one. The protocol has no answer.
 */
#include "collector/syslog.h"

static const struct stream_kind kind = {
    .name = "syslog-tcp",
    .transport = TRANSPORT_TCP,
    .state_bytes = sizeof(struct framer),
    .partial_max = INTAKE_SCRATCH / 2,
    .begin = syslog_begin,
    .take = syslog_take,
};

static int syslog_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	return streams_open(ret, &kind, intake, address, error);
}

const struct input_kind input_syslog_tcp = {
    .name = "syslog-tcp",
    .listen = CONFIG_SYSLOG_TCP_LISTEN,
    .summary = "syslog over TCP (RFC 6587)",
    .open = syslog_open,
    .close = streams_close,
    .pause = streams_pause,
    .finish = streams_finish,
    .tick = streams_tick,
    .port = streams_port,
};
