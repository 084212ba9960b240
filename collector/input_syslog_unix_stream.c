/*
 * Syslog over a Unix socket with connections (SOCK_STREAM).
 */
#include "collector/syslog.h"

static const struct stream_kind kind = {
    .name = "syslog-unix-stream",
    .transport = TRANSPORT_UNIX,
    .local = true,
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

const struct input_kind input_syslog_unix_stream = {
    .name = "syslog-unix-stream",
    .listen = CONFIG_SYSLOG_UNIX_STREAM,
    .summary = "syslog over a Unix socket, connections",
    .open = syslog_open,
    .close = streams_close,
    .pause = streams_pause,
    .finish = streams_finish,
    .tick = streams_tick,
    .port = streams_port,
};
