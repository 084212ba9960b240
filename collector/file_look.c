/*
 * Which files there are. A look goes through all patterns and compares what it finds with what is
 * followed: a known inode elsewhere was renamed, an unknown one where a known file was has taken
 * its place. What was written and rotated away between two looks, or while nobody looked, is found
 * beside it by the names that rotation gives.
 */
#include "collector/files.h"

#include "base/clock.h"

#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>

#define ENTRIES_MAX 100000u /* of a folder that is searched */
#define BETWEEN_MAX 256u    /* rotated files of one name */

struct found {
	char path[PATH_MAX];
	struct stat stat;
};

static bool head_is(const struct follow *follow, const char *head, int got)
{
	return follow->head_len > 0 && got >= (int)follow->head_len &&
	       follow_head_hash(str_from(head, follow->head_len)) == follow->head;
}

/* Calls visit with each name of the folder of path that begins with prefix; until it is false. */
static void beside(const char *path, struct str prefix,
    bool (*visit)(void *context, const char *path), void *context)
{
	size_t slash = str_find_last(str_of(path), '/');
	struct str folder = slash == STR_NOT_FOUND ? STR("./") : str_from(path, slash + 1);
	char name[PATH_MAX];
	size_t entries = 0;

	snprintf(name, sizeof(name), "%.*s", STR_ARG(folder));
	DIR *dir = opendir(name);

	if (dir == NULL)
		return;
	for (struct dirent *e; (e = readdir(dir)) != NULL && entries < ENTRIES_MAX; entries++) {
		if (!str_starts(str_of(e->d_name), prefix) || e->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%.*s%s", STR_ARG(folder), e->d_name) <
			(int)sizeof(name) &&
		    !visit(context, name))
			break;
	}
	closedir(dir);
}

static struct str base_of(const char *path)
{
	struct str text = str_of(path);
	size_t slash = str_find_last(text, '/');

	return slash == STR_NOT_FOUND ? text : str_slice(text, slash + 1, text.len);
}

/* "app" of "app.log" and of "app.log.1": a rotation may put its mark before the ending. */
static struct str stem_of(const char *path)
{
	struct str base = base_of(path);
	size_t dot = str_find_char(base, '.');

	return dot == STR_NOT_FOUND || dot == 0 ? base : str_slice(base, 0, dot);
}

/* ---- where one has gone ---- */

struct search {
	struct files *files;
	struct follow *follow;
	struct found best;
	bool is_found;
};

static bool search_visit(void *context, const char *path)
{
	struct search *search = context;
	const struct follow *follow = search->follow;
	char head[FOLLOW_HEAD];
	struct stat stat;
	int got = follow_head(path, head, &stat);

	if (got < 0)
		return true;
	bool same = follow->head_len == 0 || head_is(follow, head, got);
	bool inode = stat.st_ino == follow->inode && same;
	const struct follow *known =
	    files_by_inode(search->files, stat.st_dev, stat.st_ino);
	bool copy = head_is(follow, head, got) && (known == NULL || known == follow) &&
	    (follow_is_packed(str_of(path)) || (uint64_t)stat.st_size >= follow->read_at);

	if ((inode && (known == NULL || known == follow)) || (copy && !search->is_found)) {
		snprintf(search->best.path, sizeof(search->best.path), "%s", path);
		search->best.stat = stat;
		search->is_found = true;
	}
	return !inode;
}

bool files_search(struct files *files, struct follow *follow)
{
	struct search search = {.files = files, .follow = follow};

	beside(follow->path, stem_of(follow->path), search_visit, &search);
	return search.is_found &&
	       files_rename(files, follow, search.best.path, &search.best.stat);
}

/* ---- what was rotated away unseen ---- */

struct between {
	struct files *files;
	const char *path;
	int64_t since_ns;
	struct found *found;
	size_t count;
};

/* "app.log.1", "app.log-20260101.gz" of "app.log". */
static bool is_rotated(const char *path, const char *of)
{
	struct str rest = str_of(path), base = str_of(of);

	if (!str_starts(rest, base))
		return false;
	rest = str_slice(rest, base.len, rest.len);
	return rest.len >= 2 && (rest.ptr[0] == '.' || rest.ptr[0] == '-') &&
	       char_is_digit(rest.ptr[1]);
}

static bool is_known(const struct files *files, const char *path, const struct stat *stat,
    const char *head, int got)
{
	if (files_by_inode(files, stat->st_dev, stat->st_ino) != NULL)
		return true;
	for (size_t i = 0; i < files->count; i++) {
		if (str_eq(stem_of(files->all[i]->path), stem_of(path)) &&
		    head_is(files->all[i], head, got))
			return true;
	}
	return false;
}

static bool between_visit(void *context, const char *path)
{
	struct between *between = context;
	char head[FOLLOW_HEAD];
	struct stat stat;

	if (!is_rotated(path, between->path))
		return true;
	int got = follow_head(path, head, &stat);
	int64_t written_ns = stat.st_mtim.tv_sec * NS_PER_S + stat.st_mtim.tv_nsec;

	if (got <= 0 || written_ns < between->since_ns ||
	    is_known(between->files, path, &stat, head, got))
		return true;
	struct found *found = &between->found[between->count++];

	snprintf(found->path, sizeof(found->path), "%s", path);
	found->stat = stat;
	return between->count < BETWEEN_MAX;
}

static int by_time(const void *a, const void *b)
{
	const struct timespec *x = &((const struct found *)a)->stat.st_mtim;
	const struct timespec *y = &((const struct found *)b)->stat.st_mtim;

	return x->tv_sec != y->tv_sec ? (x->tv_sec > y->tv_sec) - (x->tv_sec < y->tv_sec)
				      : (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Oldest first, each read before the next, all of them before the one that is there now. */
static void take_between(struct files *files, struct follow *now, int64_t since_ns)
{
	struct between between = {.files = files, .path = now->path, .since_ns = since_ns};

	between.found = malloc(BETWEEN_MAX * sizeof(*between.found));
	if (between.found == NULL)
		return;
	beside(now->path, base_of(now->path), between_visit, &between);
	if (between.count > 0)
		qsort(between.found, between.count, sizeof(*between.found), by_time);
	for (size_t i = 0; i < between.count; i++) {
		struct follow *follow =
		    files_add(files, between.found[i].path, &between.found[i].stat);

		if (follow == NULL)
			break;
		follow->leaving = true;
		follow->before = now->before;
		now->before = follow;
	}
	free(between.found);
}

/* ---- what was known at the start ---- */

static void row_adopt(struct follow *follow, const struct file_row *row)
{
	follow->head_len = row->head_len;
	follow->head = row->head;
	follow->read_at = follow->durable_at = row->offset;
	follow->skip = follow->durable_skip = row->skip;
}

/* Goes on where it stood, when the file is what it was. */
static void adopt(struct files *files, struct follow *follow)
{
	const struct file_row empty = {0};
	struct file_rows *saved = &files->saved;

	for (size_t i = file_rows_find(saved, follow->inode);
	     i < saved->count && saved->rows[i].inode == follow->inode; i++) {
		struct file_row *row = &saved->rows[i];

		if (row->taken || (row->device != follow->device &&
				      !str_eq(row->path, str_of(follow->path))))
			continue;
		row_adopt(follow, row);
		if (files_open(files, follow) == FOLLOW_SOME) {
			row->taken = true;
			return;
		}
		row_adopt(follow, &empty);
	}
}

/* Also by the name that it had before it was rotated. */
static bool is_wanted(const struct files *files, struct str path)
{
	char name[PATH_MAX];

	for (size_t len = path.len; len > 0 && len < sizeof(name); len--) {
		if (len < path.len && path.ptr[len] != '.' && path.ptr[len] != '-')
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)len, path.ptr);
		for (size_t i = 0; i < files->pattern_count; i++) {
			if (fnmatch(files->patterns[i], name, FNM_PATHNAME | FNM_PERIOD) == 0)
				return true;
		}
	}
	return false;
}

/* What is no longer where it was: read to its end, from where it has gone to. */
static void take_left(struct files *files)
{
	for (size_t i = 0; i < files->saved.count; i++) {
		struct file_row *row = &files->saved.rows[i];
		struct stat stat = {.st_dev = row->device, .st_ino = row->inode};

		if (row->taken || !is_wanted(files, row->path))
			continue;
		struct follow *now = files_by_path(files, row->path);
		struct follow *follow = files_add(files, row->path.ptr, &stat);

		if (follow == NULL)
			return;
		row_adopt(follow, row);
		follow->leaving = true;
		if (!files_search(files, follow)) {
			/* Nobody asks for what it was again. */
			files_rename(files, follow, follow->path, NULL);
			files_finish(files, follow);
		} else if (now != NULL && now != follow) {
			follow->before = now->before;
			now->before = follow;
		}
	}
}

static bool row_has_path(const struct files *files, struct str path)
{
	for (size_t i = 0; i < files->saved.count; i++) {
		if (str_eq(files->saved.rows[i].path, path))
			return true;
	}
	return false;
}

/* Not before all that is known has been found. */
static void first_look_ends(struct files *files)
{
	size_t count = files->count;
	int64_t since_ns = files->saved.saved_ns - NS_PER_S;

	take_left(files);
	for (size_t i = 0; i < count; i++) {
		struct follow *follow = files->all[i];

		if (files->history)
			take_between(files, follow, 0);
		else if (files->saved.saved_ns > 0 && !follow->leaving &&
		    row_has_path(files, str_of(follow->path)))
			take_between(files, follow, since_ns);
	}
}

/* ---- a look ---- */

static void rotated(struct files *files, struct follow *old, struct follow *now)
{
	old->at_end = old->finished;
	files_ready(files, old);
	now->before = old;
	take_between(files, now, files->looked_ns - 2 * NS_PER_S);
}

/* A file that was followed, and was compressed since. */
static bool is_unpacked_known(const struct files *files, const char *path)
{
	char head[FOLLOW_HEAD];
	struct stat stat;
	int got = follow_head(path, head, &stat);

	for (size_t i = 0; got > 0 && i < files->saved.count; i++) {
		const struct file_row *row = &files->saved.rows[i];

		if (row->head_len > 0 && got >= (int)row->head_len &&
		    row->inode != stat.st_ino &&
		    follow_head_hash(str_from(head, row->head_len)) == row->head)
			return true;
	}
	return got > 0 && is_known(files, path, &stat, head, got);
}

static void look_at(struct files *files, const char *path)
{
	struct stat stat_;

	if (stat(path, &stat_) != 0 || !S_ISREG(stat_.st_mode) ||
	    (follow_is_packed(str_of(path)) && !files->history))
		return;
	struct follow *old = files_by_path(files, str_of(path));
	struct follow *follow = files_by_inode(files, stat_.st_dev, stat_.st_ino);

	/* By two names at once: the first one is kept while it is there. */
	if (follow != NULL && follow->seen == files->looks)
		return;
	if (follow == NULL) {
		if (follow_is_packed(str_of(path)) && is_unpacked_known(files, path))
			return;
		follow = files_add(files, path, &stat_);
		if (follow == NULL)
			return;
		if (files->looks == 1)
			adopt(files, follow);
		else if (old != NULL)
			rotated(files, old, follow);
	} else if (old != follow) {
		files_rename(files, follow, path, &stat_);
	}
	/* Its number may be another's by now, which opening it shows. */
	if (follow->finished && !follow->packed)
		follow->finished = false;
	follow->leaving = false;
	follow->seen = files->looks;
	if ((uint64_t)stat_.st_size != follow->size_seen)
		files_ready(files, follow);
	follow->size_seen = (uint64_t)stat_.st_size;
}

static void look_for(struct files *files, const char *pattern)
{
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			look_at(files, found.gl_pathv[i]);
	}
	globfree(&found);
}

/* The pattern has it no longer: renamed away, or deleted. */
static void look_for_gone(struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		struct follow *follow = files->all[i];

		if (follow->seen == files->looks || follow->leaving || follow->finished)
			continue;
		follow->leaving = true;
		follow->grown_ns = files->intake->now_ns;
		if (follow->fd < 0 && !files_search(files, follow))
			files_finish(files, follow);
		else
			files_ready(files, follow);
	}
}

void files_look(struct files *files)
{
	bool first = files->looks++ == 0;

	files->look_due = false;
	for (size_t i = 0; i < files->pattern_count; i++)
		look_for(files, files->patterns[i]);
	if (first)
		first_look_ends(files);
	look_for_gone(files);
	files->looked_ns = clock_wall_ns();
}
