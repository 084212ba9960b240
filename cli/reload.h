/*
 * reload.h - other rules for a worker that runs: loaded, proved and made ready in a thread beside
 * it, and handed over between two batches (docs/ARCHITECTURE.md, "Other rules").
 *
 * The running rules stay when nothing can be loaded, when a file cannot be read, when a rule that
 * is in force would be refused, or when an example does not do what it says. Forced, only the first
 * keeps them.
 */
#ifndef TOCSIN_CLI_RELOAD_H
#define TOCSIN_CLI_RELOAD_H

#include "cli/command.h"
#include "correlator/worker.h"

struct reload;

struct reload_stats {
	uint64_t switches, failed;
	uint64_t failing; /* failed ones since the last that did not */
	size_t rules, refused; /* of the last switch; 0 before it */
};

/* NULL without memory. */
struct reload *reload_new(struct context *context);
/* Waits for the thread, which leaves off at the next example. Accepts NULL. */
void reload_close(struct reload *reload);
/*
 * Begins one; behind one that is under way, another. Gives its number, by which reload_answer tells
 * what became of it.
 */
uint64_t reload_begin(struct reload *reload, struct worker *worker, bool force);
/* Once a step: hands over what is ready, and logs what has ended. */
void reload_step(struct reload *reload, struct worker *worker);
/* Appends one JSON object and a line feed. State "lost": nobody was given that number. */
void reload_answer(const struct reload *reload, uint64_t number, struct buf *out);
void reload_stats(const struct reload *reload, struct reload_stats *ret);

/* `tocsin rules reload`: asks every worker and tells what became of it. Exit code or negative. */
int rules_reload(struct context *context, const struct arguments *arguments,
    struct error *error);

#endif
