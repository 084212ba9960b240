/*
 * reload_job.h - the thread of a reload: from files to a set that is ready, and what to tell of it.
 */
#ifndef TOCSIN_CLI_RELOAD_JOB_H
#define TOCSIN_CLI_RELOAD_JOB_H

#include "cli/examples.h"
#include "correlator/matcher.h"

#define JOB_PROBLEMS 64u
#define JOB_SOURCES  256u

struct job_diff {
	size_t added, removed, changed, same;
};

struct job {
	/* given; nothing of it changes while the thread runs */
	struct context context;        /* with an arena of its own */
	bool force;
	const struct ruleset *running;
	struct str running_bundle;
	size_t running_count;
	struct matcher_source sources[JOB_SOURCES]; /* that the running matcher has met */
	size_t source_count;
	atomic_bool stop;
	/* made */
	struct buf bundle;
	struct ruleset *ruleset;
	struct matcher *matcher;
	bool is_same;                  /* what is on the disk is what runs */
	struct job_diff diff;
	struct examples_tally examples;
	size_t unread, refused;
	struct error problems[JOB_PROBLEMS]; /* refusals and examples, in words */
	size_t problem_count;          /* all of them */
	struct error error;            /* why the running rules stay; code 0: they do not */
};

/* NULL without memory. */
struct job *job_new(const struct context *context);
void job_free(struct job *job); /* accepts NULL */
/* Gives back what is large; what is told of it stays. */
void job_shrink(struct job *job);
/* In a thread, or not. */
void job_run(struct job *job);

#endif
