/*
 * Files that others write, followed. Each gets a turn of one read in a round, so that a large one
 * does not keep the others waiting. What was read is handed on with a ticket, and the position that
 * is kept moves behind it when its events are durable: a kill repeats at most what was under way.
 * inotify tells at once what has changed; a look about once a second finds what it did not tell.
 */
#include "collector/files.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define TURNS	   16u          /* reads before other inputs get theirs */
#define SAVE_NS	   (100 * NS_PER_MS)
#define READ_BYTES (256u << 10) /* of one turn, or twice the longest event */

/* Events of one turn. */
struct batch {
	struct batch *next;
	struct files *files;
	struct follow *follow;
	struct ticket *ticket; /* NULL: done */
	uint64_t end;          /* the position behind them ... */
	bool skip;             /* ... and whether it is within a line that was cut */
};

struct input {
	struct files *files;
};

static struct follow *ready_take(struct files *files)
{
	struct follow *follow = files->ready_first;

	if (follow == NULL)
		return NULL;
	files->ready_first = follow->next_ready;
	if (files->ready_first == NULL)
		files->ready_last = NULL;
	follow->ready = false;
	return follow;
}

static void closed(struct files *files, struct follow *follow)
{
	files->open_count -= follow->fd >= 0;
	follow_close(follow);
}

/* Once, until it can be: no right to read it, or a link to what is closed to us. */
static void tell_closed(struct files *files, struct follow *follow, int system)
{
	const struct collector_options *options = files->intake->options;
	struct error error = {0};

	if (follow->told || options->tell == NULL)
		return;
	follow->told = true;
	error_system(&error, system, TEXT_base_open, follow->path);
	options->tell(options->tell_context, &error);
}

enum follow_result files_open(struct files *files, struct follow *follow)
{
	bool was_open = follow->fd >= 0;

	errno = 0;
	enum follow_result result = follow_open(follow);

	if (result == FOLLOW_FAILED && errno != 0)
		tell_closed(files, follow, errno);
	if (result == FOLLOW_SOME)
		follow->told = false;
	files->open_count += !was_open && result == FOLLOW_SOME;
	return result;
}

static void tell_lost(struct files *files, struct follow *follow)
{
	struct frame_gap gap = {.reason = GAP_RETENTION,
	    .from = follow->read_at,
	    .to = follow->size_seen,
	    .source = str_of(follow->path)};

	if (!follow->packed && follow->read_at < follow->size_seen)
		packer_gap(
		    files->intake->packer, files->row->partition, &gap, files->intake->now_ns);
}

/* Those that waited for it. */
static void ready_behind(struct files *files, struct follow *follow)
{
	for (size_t i = 0; follow->awaited && i < files->count; i++) {
		if (files->all[i]->before == follow)
			files_ready(files, files->all[i]);
	}
	follow->awaited = false;
}

void files_finish(struct files *files, struct follow *follow)
{
	tell_lost(files, follow);
	closed(files, follow);
	follow->finished = follow->at_end = true;
	follow->part = false;
	ready_behind(files, follow);
}

/* ---- what is kept ---- */

/* Once a minute while it lasts: nothing is lost, but a death would repeat all since then. */
static void tell_unsaved(struct files *files, const struct error *error)
{
	const struct collector_options *options = files->intake->options;
	int64_t now_ns = files->intake->now_ns, since_ns = now_ns - files->told_ns;

	if (options->tell == NULL ||
	    (files->told_ns != 0 && since_ns >= 0 && since_ns < 60 * NS_PER_S))
		return;
	files->told_ns = now_ns;
	options->tell(options->tell_context, error);
}

static void save(struct files *files)
{
	struct buf out = BUF((size_t)256 << 20);
	struct error error = {0};
	struct file_row row;

	file_state_begin(&out, clock_wall_ns());
	for (size_t i = 0; i < files->count; i++) {
		follow_row(files->all[i], &row);
		file_state_put(&out, &row);
	}
	int code = out.failed ? error_set(&error, ERR_MEMORY, TEXT_base_memory)
			      : file_replace(files->state_path, buf_str(&out), 0600, &error);

	/* Not written: what is there says less, and is tried again. */
	if (code == 0)
		files->dirty = false;
	else
		tell_unsaved(files, &error);
	files->saved_ns = files->intake->now_ns;
	buf_free(&out);
}

/* So often at most: each is two fsyncs, and longer the more files there are. */
static bool save_is_due(const struct files *files)
{
	int64_t pause_ns = SAVE_NS + (int64_t)files->count * NS_PER_MS;
	int64_t passed_ns = files->intake->now_ns - files->saved_ns;

	return files->dirty && (passed_ns >= pause_ns || passed_ns < 0);
}

/* Those whose events are durable, in order. */
static void batches_settle(struct follow *follow)
{
	struct files *files = follow->oldest->files;

	while (follow->oldest != NULL && follow->oldest->ticket == NULL) {
		struct batch *batch = follow->oldest;

		follow->durable_at = batch->end;
		follow->durable_skip = batch->skip;
		follow->oldest = batch->next;
		if (follow->oldest == NULL)
			follow->newest = NULL;
		files->dirty = true;
		free(batch);
	}
	if (save_is_due(files))
		files_ring(files);
}

/* What was refused was counted and told; it would be refused again. */
static void batch_done(void *context, bool durable)
{
	struct batch *batch = context;

	(void)durable;
	batch->ticket = NULL;
	batches_settle(batch->follow);
}

/* NULL: no memory. */
static struct batch *batch_begin(struct files *files, struct follow *follow)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	struct ticket *ticket = batch == NULL ? NULL : ticket_new(batch_done, batch);

	if (ticket == NULL) {
		free(batch);
		return NULL;
	}
	*batch = (struct batch){.files = files, .follow = follow, .ticket = ticket};
	return batch;
}

static void batch_end(struct batch *batch, uint64_t end, bool skip)
{
	struct follow *follow = batch->follow;

	batch->end = end;
	batch->skip = skip;
	if (follow->newest != NULL)
		follow->newest->next = batch;
	else
		follow->oldest = batch;
	follow->newest = batch;
	ticket_release(batch->ticket, true);
}

static void batches_cancel(struct follow *follow)
{
	while (follow->oldest != NULL) {
		struct batch *batch = follow->oldest;

		follow->oldest = batch->next;
		ticket_cancel(batch->ticket);
		free(batch);
	}
}

/* ---- reading ---- */

/* Hands on the events of bytes. False: no memory; nothing was taken. */
static bool take(
    struct files *files, struct follow *follow, struct str bytes, enum join_end end)
{
	struct intake *intake = files->intake;
	struct batch *batch = batch_begin(files, follow);
	struct joined joined = {.skip = follow->skip};
	size_t at = 0;

	if (batch == NULL)
		return false;
	intake->decoder = follow->decoder;
	do {
		joined = joiner_next(
		    &follow->joiner, str_slice(bytes, at, bytes.len), joined.skip, end);
		at += joined.took;
		files->row->counts.frames += joined.event.ptr != NULL;
		if (joined.event.ptr != NULL)
			intake_event(intake, files->row, "file", TRANSPORT_FILE,
			    str_of(follow->path), joined.event, joined.cut, batch->ticket);
	} while (joined.took > 0 && at < bytes.len);
	intake->decoder = STR_NONE;
	follow->part = at < bytes.len;
	bool good = follow_took(follow, bytes, at, joined.skip);

	batch_end(batch, follow->read_at, follow->skip);
	return good;
}

static void reached_end(struct files *files, struct follow *follow)
{
	follow->at_end = true;
	ready_behind(files, follow);
	if (follow->packed && !follow->part)
		files_finish(files, follow);
	else if (files->open_count >= files->open_max && !follow->leaving)
		closed(files, follow);
}

/* Other content in its place: what is missing of the old one may have been copied away. */
static void replaced(struct files *files, struct follow *follow)
{
	struct stat now;
	bool there = stat(follow->path, &now) == 0 && S_ISREG(now.st_mode) &&
	    now.st_ino == follow->inode;
	char *path = strdup(follow->path);

	closed(files, follow);
	files_rename(files, follow, follow->path, NULL);
	follow->leaving = true;
	follow->at_end = false;
	follow->grown_ns = files->intake->now_ns;
	struct follow *fresh = there && path != NULL ? files_add(files, path, &now) : NULL;

	if (fresh != NULL)
		fresh->before = follow;
	free(path);
	if (files_search(files, follow))
		files_ready(files, follow);
	else
		files_finish(files, follow);
}

static void gone(struct files *files, struct follow *follow)
{
	if (!follow->leaving) {
		files->look_due = true;
		return;
	}
	if (files_search(files, follow) && files_open(files, follow) == FOLLOW_SOME) {
		files_ready(files, follow);
		return;
	}
	files_finish(files, follow);
}

static enum join_end ending(const struct files *files, const struct follow *follow, bool all)
{
	int64_t quiet_ns = files->intake->now_ns - follow->grown_ns;

	if (follow->packed && all)
		return JOIN_CLOSED;
	if (follow->leaving && quiet_ns >= FILES_LEAVE_NS)
		return JOIN_CLOSED;
	return quiet_ns >= files->delay_ns ? JOIN_QUIET : JOIN_OPEN;
}

static void taken(struct files *files, struct follow *follow, size_t len, size_t held)
{
	bool all = len == held; /* nothing came behind what was left */
	uint64_t reach = follow->read_at + len, before = follow->read_at;

	if (reach > follow->size_seen || (follow->packed && !all)) {
		follow->size_seen = reach;
		follow->grown_ns = files->intake->now_ns;
	}
	if (!take(files, follow, str_from(files->intake->scratch, len),
		ending(files, follow, all)))
		return;
	if (follow->read_at == before && all)
		reached_end(files, follow);
	else if (follow->read_at == before && !follow->packed)
		reached_end(files, follow);
	else
		files_ready(files, follow);
}

static void read_one(struct files *files, struct follow *follow)
{
	size_t room = files->joiner.limit * 2 + 4096, len = 0, held = follow->held.len;
	enum follow_result result = files_open(files, follow);

	if (result == FOLLOW_SOME) {
		follow->at_end = false;
		held = follow->held.len;
		result = follow_read(follow, files->intake->scratch,
		    room < READ_BYTES ? READ_BYTES : room, &len);
	}
	switch (result) {
	case FOLLOW_SOME:
		taken(files, follow, len, held);
		break;
	case FOLLOW_END:
		reached_end(files, follow);
		break;
	case FOLLOW_AGAIN:
		files_ready(files, follow);
		break;
	case FOLLOW_REPLACED:
		replaced(files, follow);
		break;
	case FOLLOW_GONE:
		gone(files, follow);
		break;
	case FOLLOW_FAILED:
		files->listener->counts.bad_frames++;
		/* Tried again when it changes. */
		follow->at_end = true;
		ready_behind(files, follow);
		if (follow->packed)
			files_finish(files, follow);
		break;
	}
}

static bool may_read(struct files *files)
{
	struct ledger_row *row = files->row;

	return !files->paused && !packer_is_behind_for(files->intake->packer, row) &&
	       quota_wait(ledger_bucket(row), &row->identity->quota, files->intake->now_ns) == 0;
}

static void serve(struct files *files)
{
	unsigned turns = TURNS;

	while (turns-- > 0 && may_read(files)) {
		struct follow *follow = ready_take(files);

		if (follow == NULL)
			return;
		/* Since it was put there. */
		if (follow->finished)
			continue;
		/* It becomes ready again when that is at its end. */
		if (follow->before != NULL && !follow->before->at_end) {
			follow->before->awaited = true;
			files_ready(files, follow->before);
			continue;
		}
		follow->before = NULL;
		read_one(files, follow);
	}
	if (files->ready_first != NULL && may_read(files))
		files_ring(files);
}

static void look(struct files *files)
{
	size_t before = files->count;

	files_look(files);
	if (files->count != before || files->looks == 1)
		save(files);
}

static void bell_ready(void *context, unsigned ready)
{
	struct files *files = context;
	uint64_t count;

	(void)ready;
	CHECK(read(files->bell, &count, sizeof(count)) == sizeof(count) || errno == EAGAIN);
	intake_now(files->intake);
	if (files->looks == 0 ||
	    (files->look_due && clock_wall_ns() - files->looked_ns > 100 * NS_PER_MS))
		look(files);
	serve(files);
	if (save_is_due(files))
		save(files);
}

/* ---- what the kernel tells ---- */

static void notice(struct files *files, const struct inotify_event *event)
{
	char path[PATH_MAX];

	if ((event->mask & ~(uint32_t)IN_MODIFY) != 0 || event->len == 0) {
		files->look_due = true;
		return;
	}
	for (size_t i = 0; i < files->folder_count; i++) {
		if (files->folders[i].wd != event->wd ||
		    snprintf(path, sizeof(path), "%s%s", files->folders[i].path, event->name) >=
			(int)sizeof(path))
			continue;
		struct follow *follow = files_by_path(files, str_of(path));

		if (follow != NULL)
			files_ready(files, follow);
		return;
	}
}

static void inotify_ready(void *context, unsigned ready)
{
	struct files *files = context;
	_Alignas(struct inotify_event) char events[16384];
	ssize_t got = read(files->inotify, events, sizeof(events));

	(void)ready;
	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event = (const void *)(events + at);

		notice(files, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	if (files->look_due)
		files_ring(files);
}

/* ---- the input ---- */

static void files_free(struct files *files)
{
	if (files == NULL)
		return;
	watch_remove(files->bell_watch);
	watch_remove(files->inotify_watch);
	if (files->bell >= 0)
		close(files->bell);
	if (files->inotify >= 0)
		close(files->inotify);
	for (size_t i = 0; i < files->count; i++) {
		batches_cancel(files->all[i]);
		follow_free(files->all[i]);
	}
	for (size_t i = 0; i < files->folder_count; i++)
		free(files->folders[i].path);
	arena_free(files->arena);
	free(files->state_path);
	free(files->all);
	free(files);
}

/* Beside the collector's identity, unless the configuration names another place. */
static char *state_path_of(const struct intake *intake)
{
	struct str path = config_text(intake->config, CONFIG_FILE_STATE);
	struct str beside = str_of(intake->options->identity_path);
	size_t slash = str_find_last(beside, '/');
	char *out = NULL;

	if (path.len > 0)
		return strdup(path.ptr);
	if (asprintf(&out, "%.*sfiles.state", slash == STR_NOT_FOUND ? 0 : (int)slash + 1,
		beside.ptr) < 0)
		return NULL;
	return out;
}

static int rules_hold(const struct config *config, struct error *error)
{
	struct joiner joiner;

	for (size_t i = 0; i < config_count(config, CONFIG_FILE_MULTILINE); i++) {
		struct str rule = config_item(config, CONFIG_FILE_MULTILINE, i);

		if (!joiner_parse(rule, &joiner))
			return error_set(
			    error, ERR_DOCUMENT, TEXT_collector_multiline, STR_ARG(rule));
	}
	return 0;
}

static int files_fill(struct files *files, struct error *error)
{
	struct intake *intake = files->intake;
	const struct config *config = intake->config;
	struct str sender = config_text(config, CONFIG_FILE_SENDER);
	char host[64] = "localhost";

	if (sender.len == 0 && gethostname(host, sizeof(host) - 1) == 0)
		sender = str_of(host);
	files->row = ledger_local(intake->ledger, "file", sender);
	files->listener = ledger_listener(intake->ledger, "file", "followed");
	files->state_path = state_path_of(intake);
	files->arena = arena_new((size_t)1 << 30);
	if (files->row == NULL || files->listener == NULL || files->state_path == NULL ||
	    files->arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	files->open_max = (size_t)config_number(config, CONFIG_FILE_DESCRIPTORS);
	files->files_max = (size_t)config_number(config, CONFIG_FILE_FILES);
	files->delay_ns = config_number(config, CONFIG_FILE_MULTILINE_DELAY);
	files->history = config_bool(config, CONFIG_FILE_HISTORY);
	files->joiner = (struct joiner){.limit = intake->options->frame_limit,
	    .lines = (size_t)config_number(config, CONFIG_FILE_MULTILINE_LINES)};
	int code = rules_hold(config, error);

	if (code == 0)
		code = file_state_read(files->state_path, files->arena, &files->saved, error);
	files->listener->counts.bad_frames += files->saved.damaged;
	return code;
}

static int files_watch(struct files *files, struct error *error)
{
	struct loop *loop = files->intake->loop;

	files->bell = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	/* Without it a look a second finds what has changed. */
	files->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (files->bell < 0)
		return error_system(error, errno, TEXT_base_open, "eventfd");
	int code = watch_add(
	    &files->bell_watch, loop, files->bell, WATCH_READ, bell_ready, files, error);

	if (code == 0 && files->inotify >= 0)
		code = watch_add(&files->inotify_watch, loop, files->inotify, WATCH_READ,
		    inotify_ready, files, error);
	return code;
}

static int files_new(struct intake *intake, struct error *error)
{
	struct files *files = calloc(1, sizeof(*files));

	if (files == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	files->intake = intake;
	files->bell = files->inotify = -1;
	int code = files_fill(files, error);

	if (code == 0)
		code = files_watch(files, error);
	if (code < 0)
		files_free(files);
	else
		intake->files = files;
	return code;
}

static int file_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));
	int code = input == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;

	if (code == 0 && intake->files == NULL)
		code = files_new(intake, error);
	if (code < 0) {
		free(input);
		return code;
	}
	struct files *files = intake->files;

	CHECK(files->pattern_count < FILES_PATTERNS);
	files->patterns[files->pattern_count++] = address;
	files_watch_folder(files, address);
	input->files = files;
	*ret = input;
	return 0;
}

/* They are closed together: nothing is read between the first and the last. */
static void file_close(struct input *input)
{
	if (input == NULL)
		return;
	struct files *files = input->files;

	free(input);
	if (--files->pattern_count > 0)
		return;
	if (files->dirty && files->looks > 0)
		save(files);
	files->intake->files = NULL;
	files_free(files);
}

static void file_pause(struct input *input, bool paused)
{
	input->files->paused = paused;
	if (!paused)
		files_ring(input->files);
}

/* What is not read now is read after the next start. */
static void file_finish(struct input *input)
{
	input->files->paused = true;
}

static void ready_waiting(struct files *files)
{
	int64_t now_ns = files->intake->now_ns;

	for (size_t i = 0; i < files->count; i++) {
		struct follow *follow = files->all[i];
		int64_t quiet_ns = now_ns - follow->grown_ns;

		if (follow->leaving && follow->at_end && quiet_ns >= FILES_LEAVE_NS &&
		    !follow->part && !follow->finished)
			files_finish(files, follow);
		else if (follow->part || follow->leaving)
			files_ready(files, follow);
	}
}

/* Of all patterns: one of the inputs does it. */
static void file_tick(struct input *input)
{
	struct files *files = input->files;
	int64_t now_ns = files->intake->now_ns;

	if (now_ns - files->ticked_ns < NS_PER_S / 2 && now_ns >= files->ticked_ns)
		return;
	files->ticked_ns = now_ns;
	look(files);
	ready_waiting(files);
	files_forget(files);
	files_ring(files);
	if (save_is_due(files))
		save(files);
}

static unsigned file_port(const struct input *input)
{
	(void)input;
	return 0;
}

const struct input_kind input_file = {
    .name = "file",
    .listen = CONFIG_FILE_FOLLOW,
    .summary = "files, followed as they grow",
    .open = file_open,
    .close = file_close,
    .pause = file_pause,
    .finish = file_finish,
    .tick = file_tick,
    .port = file_port,
};
