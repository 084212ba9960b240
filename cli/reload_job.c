#include "cli/reload_job.h"

#include "correlator/warming.h"
#include "sigma/bundle.h"

#include <stdlib.h>

#define JOB_ARENA ((size_t)64 << 20)

struct job *job_new(const struct context *context)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->context = *context;
	job->context.arena = arena_new(JOB_ARENA);
	job->bundle = BUF(BUNDLE_MAX);
	if (job->context.arena == NULL) {
		free(job);
		return NULL;
	}
	return job;
}

void job_free(struct job *job)
{
	if (job == NULL)
		return;
	job_shrink(job);
	free(job);
}

void job_shrink(struct job *job)
{
	matcher_free(job->matcher);
	ruleset_free(job->ruleset);
	arena_free(job->context.arena);
	buf_free(&job->bundle);
	job->matcher = NULL;
	job->ruleset = NULL;
	job->context.arena = NULL;
}

static void problem_add(struct job *job, const struct error *error)
{
	if (job->problem_count < JOB_PROBLEMS)
		job->problems[job->problem_count] = *error;
	job->problem_count++;
}

static void on_refused(void *argument, const struct error *error)
{
	struct job *job = argument;

	job->refused++;
	problem_add(job, error);
}

static void on_failed(void *argument, const struct rule *rule, const struct rule_example *example,
    bool raised)
{
	struct error error = {0};

	examples_explain(&error, rule, example, raised);
	problem_add(argument, &error);
}

static int job_gather(struct job *job)
{
	struct ruleset_options options;
	int code = context_rules_options(&job->context, &options, &job->error);

	options.refused = on_refused;
	options.context = job;
	if (code == 0)
		code = bundle_gather(&job->bundle, &options, &job->unread, &job->error);
	if (code == 0)
		job->is_same = str_eq(buf_str(&job->bundle), job->running_bundle);
	return code;
}

static int job_load(struct job *job)
{
	struct ruleset_options options = {.refused = on_refused, .context = job};

	return ruleset_load_bundle(&job->ruleset, buf_str(&job->bundle), &options, &job->error);
}

static void job_compare(struct job *job)
{
	for (uint32_t i = 0; i < ruleset_count(job->ruleset); i++) {
		const struct rule *now = ruleset_rule(job->ruleset, i);
		const struct rule *before = ruleset_find(job->running, now->meta.id);

		if (before == NULL)
			job->diff.added++;
		else if (hash128_eq(before->meta.hash, now->meta.hash))
			job->diff.same++;
		else
			job->diff.changed++;
	}
	job->diff.removed =
	    ruleset_count(job->running) - job->diff.same - job->diff.changed;
}

/* Whether a refusal stands in the file that the rule came from. */
static bool file_is_refused(const struct job *job, struct str file)
{
	size_t count = job->problem_count < JOB_PROBLEMS ? job->problem_count : JOB_PROBLEMS;

	for (size_t i = 0; i < count; i++)
		if (str_eq(str_of(job->problems[i].file), file))
			return true;
	/* What was not written down may have been of this file. */
	return job->problem_count > JOB_PROBLEMS;
}

/* Rules that run, are not in the new set, and not because somebody has taken them away. */
static size_t lost_count(const struct job *job)
{
	size_t lost = 0;

	for (uint32_t i = 0; job->refused > 0 && i < ruleset_count(job->running); i++) {
		const struct rule *rule = ruleset_rule(job->running, i);

		lost += ruleset_find(job->ruleset, rule->meta.id) == NULL &&
		    file_is_refused(job, rule->file);
	}
	return lost;
}

static int job_judge(struct job *job)
{
	size_t before = ruleset_count(job->running), lost = lost_count(job);

	if (ruleset_count(job->ruleset) == 0 && before > 0)
		return error_set(&job->error, ERR_MISSING, TEXT_cli_reload_empty, before);
	if (job->force)
		return 0;
	if (job->unread > 0)
		return error_set(&job->error, ERR_DOCUMENT, TEXT_cli_reload_unread, job->unread);
	if (lost > 0)
		return error_set(&job->error, ERR_DOCUMENT, TEXT_cli_reload_refused, lost);
	return 0;
}

static int job_prove(struct job *job)
{
	struct examples examples = {.context = &job->context, .ruleset = job->ruleset,
	    .failed = on_failed, .argument = job, .stop = &job->stop};
	int code = examples_run(&examples, &job->examples, &job->error);

	if (code == 0 && job->examples.failed > 0 && !job->force)
		code = error_set(&job->error, ERR_DOCUMENT, TEXT_cli_reload_examples,
		    job->examples.failed);
	return code;
}

/* With the indexes of the log sources that come, so that their next events do not wait for them. */
static bool job_warm(struct job *job)
{
	for (size_t i = 0; i < job->source_count; i++)
		if (!matcher_warm(job->matcher, &job->sources[i]))
			return false;
	return warming_run(job->matcher, job->ruleset);
}

static int job_prepare(struct job *job)
{
	job->matcher = matcher_new(job->ruleset);
	if (job->matcher != NULL && job_warm(job))
		return 0;
	matcher_free(job->matcher);
	job->matcher = NULL;
	return error_set(&job->error, ERR_MEMORY, TEXT_base_memory);
}

void job_run(struct job *job)
{
	int code = job_gather(job);

	if (code < 0 || job->is_same)
		return;
	code = job_load(job);
	if (code < 0)
		return;
	job_compare(job);
	code = job_judge(job);
	if (code == 0)
		code = job_prove(job);
	if (code == 0)
		job_prepare(job);
}
