#include "cli/stage.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/metrics.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* A stage that waits for the bus still looks at its control socket this often. */
#define STEP_NS  (20 * NS_PER_MS)
#define RETRY_NS (200 * NS_PER_MS)

struct running {
	struct context *context;
	struct stage *stage;
	int64_t started_ns;
	bool stop, reload;
	int failing;          /* the code that is being tried again; 0: none */
};

void stage_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void signal_ready(void *argument, unsigned ready)
{
	struct running *running = argument;
	struct timespec none = {0, 0};
	sigset_t set;
	siginfo_t info;

	(void)ready;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	while (sigtimedwait(&set, &info, &none) > 0) {
		if (info.si_signo == SIGHUP)
			running->reload = true;
		else
			running->stop = true;
	}
}

static void write_status(struct running *running, struct buf *out)
{
	struct json json = json_begin(out);

	json_open(&json, '{');
	json_pair(&json, "stage", str_of(running->stage->name));
	json_pair_i64(&json, "pid", getpid());
	json_pair_i64(&json, "started_ns", running->started_ns);
	json_pair(&json, "state", running->failing == ERR_FULL ? STR("disk-full")
		: running->failing != 0 ? STR("waiting") : STR("running"));
	metrics_measure();
	json_pair_u64(&json, "resident_bytes", metrics_get(METRIC_RESIDENT_BYTES));
	json_key(&json, STR("details"));
	running->stage->status(running->stage->self, out);
	json.after_key = false;
	json.comma |= 1u << json.depth;
	json_close(&json, '}');
	buf_char(out, '\n');
}

static int answer(void *argument, struct str request, struct buf *out, struct error *error)
{
	struct running *running = argument;
	struct stage *stage = running->stage;

	if (str_eq(request, STR("status"))) {
		write_status(running, out);
		return 0;
	}
	if (str_eq(request, STR("metrics"))) {
		metrics_measure();
		stage->measure(stage->self);
		metrics_write(out, str_of(stage->name), text_language());
		return 0;
	}
	int code = stage->answer == NULL ? 1 : stage->answer(stage->self, request, out, error);

	if (code <= 0)
		return code;
	if (str_eq(request, STR("reload"))) {
		code = stage->reload == NULL ? 0 : stage->reload(stage->self, error);
		if (code == 0)
			buf_str_put(out, STR("ok\n"));
		return code < 0 ? code : 0;
	}
	return error_set(error, ERR_USAGE, TEXT_cli_request_unknown, STR_ARG(request));
}

/*
 * Some failures pass: the disk has room again, the broker comes back. They are told once each time.
 */
static bool passes(int code)
{
	return code == ERR_FULL || code == ERR_BUS || code == ERR_STALE;
}

static int stage_once(struct running *running, struct loop *loop, struct error *error)
{
	struct context *context = running->context;
	struct stage *stage = running->stage;
	bool own_loop = loop != NULL;

	if (running->reload) {
		running->reload = false;
		struct error told = {0};
		int code = stage->reload == NULL ? 0 : stage->reload(stage->self, &told);

		if (code < 0)
			log_error(&context->log, clock_wall_ns(), &told);
		else if (code == 0)
			log_put(&context->log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_reloaded);
	}
	int code = stage->step(stage->self, own_loop ? 200 * NS_PER_MS : STEP_NS, error);

	if (code >= 0) {
		if (running->failing != 0)
			log_put(&context->log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_recovered);
		running->failing = 0;
		return 0;
	}
	if (!passes(code))
		return code;
	if (running->failing != code)
		log_error(&context->log, clock_wall_ns(), error);
	running->failing = code;
	error_clear(error);
	struct timespec wait = {0, RETRY_NS};

	nanosleep(&wait, NULL);
	return 0;
}

int stage_run(struct context *context, struct stage *stage, struct loop *own_loop,
    struct error *error)
{
	struct running running = {
	    .context = context, .stage = stage, .started_ns = clock_wall_ns()};
	struct loop *loop = own_loop;
	struct control *control = NULL;
	struct watch *signals = NULL;
	char name[80];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	int code = file_make_folder(context_run_path(context, NULL), 0750, error);

	snprintf(name, sizeof(name), "%s.sock", stage->name);
	if (code == 0 && loop == NULL)
		code = loop_open(&loop, error);
	if (code == 0)
		code = watch_add(&signals, loop, fd, WATCH_READ, signal_ready, &running, error);
	if (code == 0)
		code = control_open(
		    &control, loop, context_run_path(context, name), answer, &running, error);
	if (code == 0 && stage->ready != NULL)
		code = stage->ready(stage->self, error);
	if (code == 0)
		log_put(&context->log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_stage_started);
	while (code == 0 && !running.stop) {
		code = stage_once(&running, own_loop, error);
		if (code == 0 && own_loop == NULL) {
			int served = loop_step(loop, 0, error);

			code = served < 0 ? served : 0;
		}
	}
	control_close(control);
	watch_remove(signals);
	if (fd >= 0)
		close(fd);
	if (own_loop == NULL)
		loop_close(loop);
	return code;
}
