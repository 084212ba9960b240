/*
 * spool_inner.c - the bus behind the spool: opened by a thread, for opening Kafka waits for answers
 * of seconds, and whoever reads sockets must not.
 */
#include "bus/spool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define OPEN_WAIT     (3 * NS_PER_S)
#define OPEN_AGAIN    NS_PER_S
#define TROUBLE_LIMIT (5 * NS_PER_S)
#define NOTE_BYTES    512
#define NOTE_MAGIC    "tocsin.spool 1"

enum opener_state { OPENER_RUNS, OPENER_DONE, OPENER_ORPHAN };

/* ---- the note ---- */

/* "tocsin.spool 1\nidentity wT3...\nevents 4\ndetections 4\nalerts 1\n" */
static bool note_parse(struct bus *bus, struct str text)
{
	struct str line, word;
	uint64_t count;

	if (!str_cut(&text, '\n', &line) || !str_eq(line, STR(NOTE_MAGIC)))
		return false;
	if (!str_cut(&text, '\n', &line) || !str_cut(&line, ' ', &word) ||
	    !str_eq(word, STR("identity")) || line.len >= sizeof(bus->identity))
		return false;
	memcpy(bus->identity, line.ptr, line.len);
	bus->identity[line.len] = '\0';
	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		if (!str_cut(&text, '\n', &line) || !str_cut(&line, ' ', &word) ||
		    !str_eq(word, bus_topic_name((enum bus_topic)t)) ||
		    !str_to_u64(line, &count) || count < 1 || count > BUS_PARTITIONS_MAX)
			return false;
		bus->partitions[t] = (uint32_t)count;
	}
	return true;
}

/* What cannot be read is as good as none: the inner bus tells it anew. */
static bool note_load(struct bus *bus, const char *path)
{
	struct arena *arena = arena_new(16 * NOTE_BYTES);
	struct str text;
	bool good = arena != NULL && file_read(arena, path, NOTE_BYTES, &text, NULL) == 0 &&
	    note_parse(bus, text);

	arena_free(arena);
	return good;
}

static int note_save(const struct bus *inner, const char *path, struct error *error)
{
	struct buf text = BUF(NOTE_BYTES);
	int code;

	buf_printf(&text, NOTE_MAGIC "\nidentity %s\n", inner->identity);
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		buf_printf(&text, "%.*s %u\n", STR_ARG(bus_topic_name((enum bus_topic)t)),
		    inner->partitions[t]);
	code = text.failed ? error_set(error, ERR_MEMORY, TEXT_base_memory)
	    : file_replace(path, buf_str(&text), 0640, error);
	buf_free(&text);
	return code;
}

/* ---- the thread ---- */

static void *opener_run(void *argument)
{
	struct spool_opener *opener = argument;
	int runs = OPENER_RUNS;

	bus_close(opener->old);
	opener->old = NULL;
	opener->code = opener->open(&opener->made, &opener->options, &opener->error);
	if (!atomic_compare_exchange_strong(&opener->state, &runs, OPENER_DONE)) {
		if (opener->code == 0)
			bus_close(opener->made);
		free(opener);
	}
	return NULL;
}

static void opener_start(struct bus_spool *spool, struct bus *old)
{
	struct spool_opener *opener = calloc(1, sizeof(*opener));
	sigset_t every, before;
	int failure;

	if (opener == NULL)
		return;
	opener->old = old;
	opener->options = spool->inner_options;
	opener->open = spool->options.open != NULL ? spool->options.open : bus_open;
	atomic_init(&opener->state, OPENER_RUNS);
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	failure = pthread_create(&opener->thread, NULL, opener_run, opener);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failure != 0) {
		bus_close(old);
		free(opener);
		return;
	}
	spool->opener = opener;
}

/* ---- taking over ---- */

static void inner_take(struct bus_spool *spool, struct bus *inner)
{
	char *note = NULL;

	spool->inner = inner;
	spool->trouble_ns = 0;
	spool->busy_ns = 0;
	(void)snprintf(spool->bus.identity, sizeof(spool->bus.identity), "%s", inner->identity);
	/* without a note, an opening in an outage fails and is tried again */
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		if (spool->bus.partitions[t] == 0)
			spool->bus.partitions[t] = inner->partitions[t];
	/* without a note, an opening during an outage fails and is tried again */
	if (asprintf(&note, "%s/inner", spool->options.path) >= 0) {
		(void)note_save(inner, note, NULL);
		free(note);
	}
}

static int opener_finish(struct bus_spool *spool, struct error *error)
{
	struct spool_opener *opener = spool->opener;
	int code = opener->code;

	spool->opener = NULL;
	spool->open_again_ns = clock_monotonic_ns() + OPEN_AGAIN;
	if (code == 0)
		inner_take(spool, opener->made);
	else if (error != NULL)
		*error = opener->error;
	spool->why = opener->error;
	free(opener);
	return code;
}

static int opener_wait(struct bus_spool *spool, bool noted, struct error *error)
{
	int64_t end = clock_wall_ns() + OPEN_WAIT;
	struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
	int code;

	if (spool->opener == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (!noted)
		(void)pthread_join(spool->opener->thread, NULL);
	else if (pthread_timedjoin_np(spool->opener->thread, NULL, &until) != 0)
		return 0;
	code = opener_finish(spool, error);
	/* what is written wrongly does not mend by itself */
	return noted && (code == ERR_BUS || code == ERR_FULL) ? 0 : code;
}

int spool_inner_open(struct bus_spool *spool, struct error *error)
{
	struct error why;
	char *note = NULL;
	bool noted;
	int code;

	error_clear(&why);
	if (asprintf(&note, "%s/inner", spool->options.path) < 0)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	noted = note_load(&spool->bus, note);
	free(note);
	if (!noted)
		memset(spool->bus.partitions, 0, sizeof(spool->bus.partitions));
	opener_start(spool, NULL);
	code = opener_wait(spool, noted, &why);
	if (code == 0 && spool->inner != NULL)
		for (unsigned t = 0; t < TOPIC_COUNT; t++)
			spool->bus.partitions[t] = spool->inner->partitions[t];
	if (code != 0 && error != NULL)
		*error = why;
	return code;
}

void spool_inner_step(struct bus_spool *spool, int64_t now_ns)
{
	if (spool->inner != NULL)
		return;
	if (spool->opener == NULL) {
		if (now_ns >= spool->open_again_ns)
			opener_start(spool, NULL);
		return;
	}
	if (atomic_load(&spool->opener->state) != OPENER_DONE)
		return;
	(void)pthread_join(spool->opener->thread, NULL);
	(void)opener_finish(spool, NULL);
}

void spool_inner_trouble(struct bus_spool *spool, bool failed, int64_t now_ns)
{
	struct bus *old = spool->inner;

	if (!failed || spool->trouble_ns == 0)
		spool->trouble_ns = failed ? now_ns : 0;
	if (!failed || now_ns - spool->trouble_ns < TROUBLE_LIMIT || spool->readers > 0)
		return;
	spool_behind(spool);
	spool_drain_restart(spool);
	spool->inner = NULL;
	opener_start(spool, old);
	if (spool->opener == NULL)
		spool->open_again_ns = now_ns + OPEN_AGAIN;
}

void spool_inner_close(struct bus_spool *spool)
{
	struct spool_opener *opener = spool->opener;
	int runs = OPENER_RUNS;

	bus_close(spool->inner);
	spool->inner = NULL;
	if (opener == NULL)
		return;
	spool->opener = NULL;
	/* it waits for a Kafka that is not there, and is left to itself */
	if (atomic_compare_exchange_strong(&opener->state, &runs, OPENER_ORPHAN)) {
		(void)pthread_detach(opener->thread);
		return;
	}
	(void)pthread_join(opener->thread, NULL);
	if (opener->code == 0)
		bus_close(opener->made);
	free(opener);
}
