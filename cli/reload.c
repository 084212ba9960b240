#include "cli/reload.h"

#include "base/clock.h"
#include "base/json.h"
#include "cli/reload_job.h"

#include <pthread.h>
#include <stdlib.h>

enum outcome { OUTCOME_NONE, OUTCOME_SWITCHED, OUTCOME_SAME, OUTCOME_FAILED };

struct reload {
	struct context *context;
	struct job *job;            /* NULL: none is under way */
	pthread_t thread;
	bool joined;
	atomic_bool done;
	uint64_t begun, wanted, ended; /* numbers: begun last, asked for last, ended last */
	bool wanted_force;
	enum outcome outcome;       /* of the one that ended last, with its job */
	struct job *last;
	uint64_t dropped;
	struct reload_stats stats;
};

struct reload *reload_new(struct context *context)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (reload != NULL)
		reload->context = context;
	return reload;
}

static void thread_join(struct reload *reload)
{
	if (reload->job != NULL && !reload->joined)
		pthread_join(reload->thread, NULL);
	reload->joined = true;
}

void reload_close(struct reload *reload)
{
	if (reload == NULL)
		return;
	if (reload->job != NULL)
		atomic_store(&reload->job->stop, true);
	thread_join(reload);
	job_free(reload->job);
	job_free(reload->last);
	free(reload);
}

static void *thread_run(void *argument)
{
	struct reload *reload = argument;

	job_run(reload->job);
	atomic_store(&reload->done, true);
	return NULL;
}

/* ---- the end of one ---- */

static void problems_log(const struct reload *reload, const struct job *job)
{
	size_t told = job->problem_count < JOB_PROBLEMS ? job->problem_count : JOB_PROBLEMS;
	int64_t now_ns = clock_wall_ns();

	for (size_t i = 0; i < told; i++)
		log_error(&reload->context->log, now_ns, &job->problems[i]);
	if (job->problem_count > told)
		log_put(&reload->context->log, now_ns, LOG_LEVEL_ERROR, TEXT_cli_reload_more,
		    job->problem_count - told);
}

static void outcome_log(const struct reload *reload, const struct job *job, uint64_t dropped)
{
	const struct log *log = &reload->context->log;
	char text[1200];

	if (reload->outcome == OUTCOME_FAILED)
		log_put(log, clock_wall_ns(), LOG_LEVEL_ERROR, TEXT_cli_reload_failed,
		    error_format(&job->error, text, sizeof(text)));
	else if (reload->outcome == OUTCOME_SAME)
		log_put(log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_reload_same,
		    job->running_count);
	else
		log_put(log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_reload_switched,
		    reload->stats.rules, reload->stats.refused, job->diff.added,
		    job->diff.removed, job->diff.changed, job->diff.same, dropped,
		    job->examples.passed);
}

static void reload_end(struct reload *reload, enum outcome outcome, uint64_t dropped)
{
	struct job *job = reload->job;

	job_free(reload->last);
	reload->last = job;
	reload->job = NULL;
	job->running = NULL;
	reload->ended = reload->begun;
	reload->outcome = outcome;
	reload->dropped = dropped;
	reload->stats.failed += outcome == OUTCOME_FAILED;
	reload->stats.failing = outcome == OUTCOME_FAILED ? reload->stats.failing + 1 : 0;
	if (outcome == OUTCOME_SWITCHED) {
		reload->stats.switches++;
		reload->stats.rules = job->diff.added + job->diff.changed + job->diff.same;
		reload->stats.refused = job->refused;
	}
	problems_log(reload, job);
	outcome_log(reload, job, dropped);
	job_shrink(job);
}

/* ---- the beginning of one ---- */

static void job_begin(struct reload *reload, struct worker *worker)
{
	struct job *job = job_new(reload->context);

	if (job == NULL)
		return; /* at the next step */
	job->force = reload->wanted_force;
	job->running = worker_ruleset(worker);
	job->running_count = ruleset_count(job->running);
	job->running_bundle = worker_bundle(worker);
	job->source_count =
	    matcher_sources(worker_matcher(worker), job->sources, JOB_SOURCES);
	reload->job = job;
	reload->begun = reload->wanted;
	reload->wanted_force = false;
	reload->joined = false;
	atomic_store(&reload->done, false);
	log_put(&reload->context->log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_reload_begun);
	int system = pthread_create(&reload->thread, NULL, thread_run, reload);

	if (system == 0)
		return;
	reload->joined = true;
	error_system(&job->error, system, TEXT_cli_reload_thread);
	reload_end(reload, OUTCOME_FAILED, 0);
}

uint64_t reload_begin(struct reload *reload, struct worker *worker, bool force)
{
	if (reload->wanted == reload->begun)
		reload->wanted++;
	reload->wanted_force |= force;
	if (reload->job == NULL)
		job_begin(reload, worker);
	return reload->wanted;
}

/* ---- between two batches ---- */

static void hand_over(struct reload *reload, struct worker *worker)
{
	struct job *job = reload->job;
	struct worker_rules rules = {job->ruleset, buf_str(&job->bundle), job->matcher};
	struct worker_stats before, after;

	worker_stats(worker, &before);
	int code = worker_reload(worker, &rules, &job->error);

	if (code == WORKER_NOT_YET)
		return;
	if (code < 0) {
		reload_end(reload, OUTCOME_FAILED, 0);
		return;
	}
	worker_stats(worker, &after);
	job->ruleset = NULL;
	job->matcher = NULL;
	reload_end(reload, OUTCOME_SWITCHED, after.state_dropped - before.state_dropped);
}

void reload_step(struct reload *reload, struct worker *worker)
{
	struct job *job = reload->job;

	if (job == NULL && reload->wanted > reload->begun)
		job_begin(reload, worker);
	if (job == NULL || !atomic_load(&reload->done))
		return;
	thread_join(reload);
	if (job->error.code < 0)
		reload_end(reload, OUTCOME_FAILED, 0);
	else if (job->is_same)
		reload_end(reload, OUTCOME_SAME, 0);
	else
		hand_over(reload, worker);
}

void reload_stats(const struct reload *reload, struct reload_stats *ret)
{
	*ret = reload->stats;
}

/* ---- telling ---- */

static void problem_write(struct json *json, const struct error *error)
{
	json_open(json, '{');
	json_pair(json, "file", str_of(error->file));
	json_pair_u64(json, "line", error->line);
	json_pair_u64(json, "column", error->column);
	json_pair(json, "text", str_of(error->text));
	json_close(json, '}');
}

static void problems_write(struct json *json, const struct job *job)
{
	json_pair_u64(json, "problems_count", job->problem_count);
	json_key(json, STR("problems"));
	json_open(json, '[');
	for (size_t i = 0; i < job->problem_count && i < JOB_PROBLEMS; i++)
		problem_write(json, &job->problems[i]);
	json_close(json, ']');
}

static void job_write(const struct reload *reload, struct json *json)
{
	const struct job *job = reload->last;
	char text[1200];

	json_pair_u64(json, "rules", reload->outcome == OUTCOME_SWITCHED ? reload->stats.rules
	    : job->running_count);
	json_pair_u64(json, "refused", job->refused);
	json_pair_u64(json, "added", job->diff.added);
	json_pair_u64(json, "removed", job->diff.removed);
	json_pair_u64(json, "changed", job->diff.changed);
	json_pair_u64(json, "unchanged", job->diff.same);
	json_pair_u64(json, "windows_dropped", reload->dropped);
	json_pair_u64(json, "examples_passed", job->examples.passed);
	json_pair_u64(json, "examples_failed", job->examples.failed);
	if (reload->outcome == OUTCOME_FAILED)
		json_pair(json, "reason",
		    str_of(error_format(&job->error, text, sizeof(text))));
	problems_write(json, job);
}

void reload_answer(const struct reload *reload, uint64_t number, struct buf *out)
{
	static const char *const outcomes[] = {"none", "switched", "unchanged", "failed"};
	struct json json = json_begin(out);
	bool ended = number <= reload->ended;

	json_open(&json, '{');
	json_pair_u64(&json, "number", number);
	json_pair(&json, "state", str_of(ended ? outcomes[reload->outcome]
	    : number <= reload->wanted         ? "loading"
	                                       : "lost"));
	if (ended && reload->last != NULL)
		job_write(reload, &json);
	json_close(&json, '}');
	buf_char(out, '\n');
}
