/*
 * Syslog over TLS (RFC 5425). Frames are counted in octets there; senders that end them with LF are
 * understood too, since frames are told apart one by one.
 */
#include "collector/syslog.h"

static const struct stream_kind kind = {
    .name = "syslog-tls",
    .transport = TRANSPORT_TLS,
    .tls = true,
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

const struct input_kind input_syslog_tls = {
    .name = "syslog-tls",
    .listen = CONFIG_SYSLOG_TLS_LISTEN,
    .summary = "syslog over TLS (RFC 5425)",
    .open = syslog_open,
    .close = streams_close,
    .pause = streams_pause,
    .finish = streams_finish,
    .tick = streams_tick,
    .port = streams_port,
};
