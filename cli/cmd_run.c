/*
 * The supervisor: each stage a process of its own, started again with a growing pause when it dies,
 * stopped in the order of the line so that each one empties what the one before left.
 */
#include "cli/command.h"
#include "cli/gather.h"
#include "cli/privilege.h"
#include "cli/stage.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/metrics.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 64
#define PAUSE_MIN_NS (200 * NS_PER_MS)
#define PAUSE_MAX_NS (10 * NS_PER_S)
/* A child that lived this long has recovered: its next pause begins anew. */
#define SETTLED_NS   (30 * NS_PER_S)
#define STOP_NS      (10 * NS_PER_S)

struct child {
	char name[32];
	char instance[32];    /* "0/2", or empty */
	const char *command;
	const char *option;   /* behind the command; NULL: none */
	pid_t pid;            /* 0: not running */
	int64_t started_ns, due_ns, pause_ns;
	uint64_t restarts;
	int last_status;
};

struct supervisor {
	struct context *context;
	struct child children[CHILDREN_MAX];
	size_t count;
};

static char **child_arguments(struct supervisor *supervisor, const struct child *child)
{
	struct context *context = supervisor->context;
	size_t set = 0, at = 0;

	while (context->set[set] != NULL)
		set++;
	char **argv = calloc(set * 2 + 9, sizeof(*argv));

	if (argv == NULL)
		return NULL;
	argv[at++] = (char *)(uintptr_t)context->program;
	argv[at++] = (char *)(uintptr_t)child->command;
	if (child->option != NULL)
		argv[at++] = (char *)(uintptr_t)child->option;
	if (context->config_path != NULL) {
		argv[at++] = (char *)(uintptr_t)"--config";
		argv[at++] = (char *)(uintptr_t)context->config_path;
	}
	for (size_t i = 0; i < set; i++) {
		argv[at++] = (char *)(uintptr_t)"--set";
		argv[at++] = context->set[i];
	}
	if (child->instance[0] != '\0') {
		argv[at++] = (char *)(uintptr_t)"--instance";
		argv[at++] = (char *)(uintptr_t)child->instance;
	}
	return argv;
}

static void child_start(struct supervisor *supervisor, struct child *child)
{
	char **argv = child_arguments(supervisor, child);
	pid_t parent = getpid();
	pid_t pid = argv == NULL ? -1 : fork();

	if (pid == 0) {
		/* No stage outlives its supervisor, however that one dies. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(EXIT_WORLD);
		execv(supervisor->context->program, argv);
		_exit(127);
	}
	free(argv);
	child->started_ns = clock_monotonic_ns();
	if (pid > 0) {
		child->pid = pid;
		child->due_ns = 0;
	} else {
		child->due_ns = child->started_ns + PAUSE_MAX_NS;
	}
}

static void child_ended(struct supervisor *supervisor, struct child *child, int status)
{
	int64_t now_ns = clock_monotonic_ns();
	bool settled = now_ns - child->started_ns > SETTLED_NS;

	child->pid = 0;
	child->last_status = status;
	child->restarts++;
	child->pause_ns = settled || child->pause_ns == 0 ? PAUSE_MIN_NS : child->pause_ns * 2;
	if (child->pause_ns > PAUSE_MAX_NS)
		child->pause_ns = PAUSE_MAX_NS;
	child->due_ns = now_ns + child->pause_ns;
	log_put(&supervisor->context->log, clock_wall_ns(), LOG_LEVEL_WARNING,
	    WIFSIGNALED(status) ? TEXT_cli_stage_killed : TEXT_cli_stage_ended, child->name,
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
	    (double)child->pause_ns / NS_PER_S);
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < supervisor->count; i++) {
			if (supervisor->children[i].pid == pid)
				child_ended(supervisor, &supervisor->children[i], status);
		}
	}
}

static int supervisor_step(void *self, int64_t timeout_ns, struct error *error)
{
	struct supervisor *supervisor = self;
	struct timespec wait = {0, timeout_ns};
	int64_t now_ns;

	(void)error;
	nanosleep(&wait, NULL);
	reap(supervisor);
	now_ns = clock_monotonic_ns();
	for (size_t i = 0; i < supervisor->count; i++) {
		struct child *child = &supervisor->children[i];

		if (child->pid == 0 && now_ns >= child->due_ns)
			child_start(supervisor, child);
	}
	return 0;
}

static void supervisor_measure(void *self)
{
	(void)self;
}

static void supervisor_status(void *self, struct buf *out)
{
	struct supervisor *supervisor = self;
	struct json json = json_begin(out);
	int64_t now_ns = clock_monotonic_ns();

	json_open(&json, '[');
	for (size_t i = 0; i < supervisor->count; i++) {
		const struct child *child = &supervisor->children[i];

		json_open(&json, '{');
		json_pair(&json, "stage", str_of(child->name));
		json_pair_i64(&json, "pid", child->pid);
		json_pair_u64(&json, "restarts", child->restarts);
		json_pair_i64(&json, "up_s",
		    child->pid == 0 ? 0 : (now_ns - child->started_ns) / NS_PER_S);
		json_close(&json, '}');
	}
	json_close(&json, ']');
}

/*
 * What is no question about the supervisor itself is asked of the stages, and their answers joined.
 */
static int supervisor_answer(void *self, struct str request, struct buf *out, struct error *error)
{
	struct supervisor *supervisor = self;
	struct gathered found[GATHER_MAX];
	size_t count;
	bool stages = str_eq(request, STR("stages"));

	if (!stages && !str_eq(request, STR("sources")))
		return 1;
	int code =
	    gather(supervisor->context, stages ? STR("status") : request, found, &count, error);

	for (size_t i = 0; i < count && code == 0; i++) {
		if (!found[i].failed)
			buf_str_put(out, found[i].answer);
	}
	return code;
}

static int supervisor_reload(void *self, struct error *error)
{
	struct supervisor *supervisor = self;

	(void)error;
	for (size_t i = 0; i < supervisor->count; i++) {
		if (supervisor->children[i].pid > 0)
			kill(supervisor->children[i].pid, SIGHUP);
	}
	return 0;
}

static void child_stop(struct child *child)
{
	int64_t end_ns = clock_monotonic_ns() + STOP_NS;
	struct timespec wait = {0, 10 * NS_PER_MS};
	int status;

	if (child->pid <= 0)
		return;
	kill(child->pid, SIGTERM);
	while (waitpid(child->pid, &status, WNOHANG) == 0) {
		if (clock_monotonic_ns() > end_ns)
			kill(child->pid, SIGKILL);
		nanosleep(&wait, NULL);
	}
	child->pid = 0;
}

static void child_add(struct supervisor *supervisor, const char *command, unsigned i, unsigned n)
{
	struct child *child = &supervisor->children[supervisor->count++];

	child->command = command;
	if (n > 0) {
		snprintf(child->name, sizeof(child->name), "%s-%u", command, i);
		snprintf(child->instance, sizeof(child->instance), "%u/%u", i, n);
	} else {
		snprintf(child->name, sizeof(child->name), "%s", command);
	}
}

static int supervisor_ready(void *self, struct error *error)
{
	struct supervisor *supervisor = self;

	return privilege_give(supervisor->context,
	    context_run_path(supervisor->context, "tocsin.sock"), error);
}

static int run_run(struct context *context, const struct arguments *arguments)
{
	struct supervisor supervisor = {.context = context};
	struct stage stage = {.name = "tocsin", .ready = supervisor_ready,
	    .step = supervisor_step, .measure = supervisor_measure,
	    .status = supervisor_status, .answer = supervisor_answer,
	    .reload = supervisor_reload, .self = &supervisor};
	unsigned workers = (unsigned)config_number(context->config, CONFIG_CORRELATE_WORKERS);
	struct hash_key key;
	struct error error = {0};

	(void)arguments;
	stage_signals();
	context->log.stage = STR("run");
	/* Made here, once, before several stages would make it at the same moment. */
	int code = privilege_prepare(context, &error);

	if (code == 0)
		code = context_site_key(context, &key, &error);

	child_add(&supervisor, "store", 0, 0);
	for (unsigned i = 0; i < workers && i < CHILDREN_MAX - 3; i++)
		child_add(&supervisor, "correlate", i, workers);
	child_add(&supervisor, "collect", 0, 0);
	if (config_text(context->config, CONFIG_METRICS_LISTEN).len > 0) {
		child_add(&supervisor, "metrics", 0, 0);
		supervisor.children[supervisor.count - 1].option = "--serve";
	}
	if (code == 0)
		code = stage_run(context, &stage, NULL, &error);
	for (size_t i = supervisor.count; i > 0; i--)
		child_stop(&supervisor.children[i - 1]);
	if (code < 0)
		log_error(&context->log, clock_wall_ns(), &error);
	return code < 0 ? context_code(&error) : EXIT_OK;
}

const struct command command_run = {
    .name = "run",
    .synopsis = "[-c FILE]",
    .summary = TEXT_cli_run,
    .description = TEXT_cli_run_about,
    .examples = (const struct example_row[]){
	{"tocsin run", TEXT_cli_run_example},
	{"tocsin run -o syslog.udp.listen='*:514' -o syslog.tcp.listen='*:514'",
	    TEXT_cli_run_example2},
	{NULL, TEXT_COUNT}},
    .run = run_run,
};
