#include "collector/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "collector/file_state.h"
#include "collector/joiner.h"
#include "tests/collector/rig.h"

static int64_t now_ns;

static int64_t test_clock(void)
{
	return now_ns;
}

/* A collector over a folder of files. */
struct stand {
	struct rig rig;
	struct loop *loop;
	struct collector *collector;
	struct config *config;
	struct collector_listener listeners[2];
	struct collector_options options;
	char logs[96], pattern[128];
};

static char *in(const struct stand *stand, const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", stand->logs, name);
	return path;
}

static void put(const struct stand *stand, const char *name, const char *text)
{
	FILE *file = fopen(in(stand, name), "ab");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void set(struct stand *stand, const char *key, const char *value)
{
	assert_int_equal(config_set(stand->config, str_of(key), str_of(value), NULL), 0);
}

static void stand_prepare(struct stand *stand)
{
	*stand = (struct stand){.config = config_new()};
	now_ns = clock_wall_ns();
	rig_open(&stand->rig, 0);
	assert_int_equal(loop_open(&stand->loop, NULL), 0);
	snprintf(stand->logs, sizeof(stand->logs), "%s/logs", stand->rig.folder);
	assert_int_equal(mkdir(stand->logs, 0700), 0);
	snprintf(stand->pattern, sizeof(stand->pattern), "%s/*.log", stand->logs);
	set(stand, "file.sender", "langson-web01");
	stand->listeners[0] = (struct collector_listener){"file", stand->pattern};
	stand->options = (struct collector_options){.bus = stand->rig.bus,
	    .loop = stand->loop,
	    .config = stand->config,
	    .identity_path = stand->rig.identity,
	    .listeners = stand->listeners,
	    .listener_count = 1,
	    .frame_limit = 4096,
	    .frame_bytes = 32768,
	    .frame_delay_ns = 5 * NS_PER_MS,
	    .tick_ns = 5 * NS_PER_S,
	    .senders_max = 100,
	    .clock = test_clock};
}

static void stand_start(struct stand *stand)
{
	struct error error = {0};

	if (collector_open(&stand->collector, &stand->options, &error) < 0)
		fail_msg("%s", error.text);
}

/* Without a last word, as kill -9 has it: the state stays as it was last saved. */
static void stand_kill(struct stand *stand)
{
	char state[128], kept[136];

	snprintf(state, sizeof(state), "%s/files.state", stand->rig.folder);
	snprintf(kept, sizeof(kept), "%s.kept", state);
	bool there = link(state, kept) == 0;

	assert_int_equal(bus_flush(stand->rig.bus, NS_PER_S, NULL), 0);
	rig_read(&stand->rig);
	collector_close(stand->collector);
	if (there)
		assert_int_equal(rename(kept, state), 0);
	rig_restart(&stand->rig);
	now_ns += NS_PER_S;
}

static void folder_empty(const char *path)
{
	DIR *dir = opendir(path);
	char name[512];

	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		unlink(name);
	}
	closedir(dir);
	rmdir(path);
}

static void stand_close(struct stand *stand)
{
	char state[128];

	collector_close(stand->collector);
	folder_empty(stand->logs);
	snprintf(state, sizeof(state), "%s/files.state", stand->rig.folder);
	unlink(state);
	loop_close(stand->loop);
	config_free(stand->config);
	rig_close(&stand->rig);
}

static void steps(struct stand *stand, unsigned count)
{
	while (count-- > 0) {
		now_ns += 100 * NS_PER_MS;
		assert_int_equal(collector_step(stand->collector, 0, NULL), 0);
	}
	rig_read(&stand->rig);
}

static unsigned times(const struct stand *stand, const char *raw)
{
	unsigned count = 0;

	for (size_t i = 0; i < stand->rig.seen_count; i++)
		count += strcmp(stand->rig.seen[i].raw, raw) == 0;
	return count;
}

static void assert_seen(const struct stand *stand, const char *const *lines)
{
	size_t count = 0;

	for (; lines[count] != NULL; count++) {
		if (times(stand, lines[count]) != 1)
			fail_msg("'%s': %u times", lines[count], times(stand, lines[count]));
	}
	assert_int_equal(stand->rig.seen_count, count);
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_grows(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand);
	put(&stand, "app.log", "one\r\n\ntwo\nthr");
	stand_start(&stand);
	steps(&stand, 20);
	assert_seen(&stand, LINES("one", "two"));
	put(&stand, "app.log", "ee\n");
	put(&stand, "new.log", "first of another\n");
	steps(&stand, 20);
	assert_seen(&stand, LINES("one", "two", "three", "first of another"));
	const struct seen *seen = rig_find(&stand.rig, "three");

	assert_string_equal(seen->sender, "langson-web01");
	assert_string_equal(seen->peer, in(&stand, "app.log"));
	assert_int_equal(seen->transport, TRANSPORT_FILE);
	stand_close(&stand);
}

static void test_long_and_dirty(void **state)
{
	struct stand stand;
	char line[10000];

	(void)state;
	stand_prepare(&stand);
	memset(line, 'x', sizeof(line));
	FILE *file = fopen(in(&stand, "app.log"), "wb");

	fwrite("a\0b\n\xff\xfe\n", 1, 7, file);
	fwrite(line, 1, sizeof(line), file);
	fwrite("\nafter\n", 1, 7, file);
	fclose(file);
	stand_start(&stand);
	steps(&stand, 20);
	assert_int_equal(stand.rig.seen_count, 4);
	assert_int_equal(stand.rig.seen[0].raw_len, 3);
	assert_int_equal(stand.rig.seen[0].flags, EVENT_HAS_NUL);
	assert_int_equal(stand.rig.seen[1].flags, EVENT_BAD_UTF8);
	assert_int_equal(stand.rig.seen[2].raw_len, 4096);
	assert_int_equal(stand.rig.seen[2].flags, EVENT_TRUNCATED);
	assert_string_equal(stand.rig.seen[3].raw, "after");
	stand_close(&stand);
}

/* Longer than what it is known by, and cut behind that. */
static void test_truncated_behind_head(void **state)
{
	struct stand stand;
	char line[101];

	(void)state;
	stand_prepare(&stand);
	memset(line, 'x', 99);
	memcpy(line + 99, "\n", 2);
	for (unsigned i = 0; i < 30; i++)
		put(&stand, "app.log", line);
	stand_start(&stand);
	steps(&stand, 20);
	assert_int_equal(stand.rig.seen_count, 30);
	assert_int_equal(truncate(in(&stand, "app.log"), 1200), 0);
	put(&stand, "app.log", "fresh\n");
	steps(&stand, 20);
	assert_int_equal(times(&stand, "fresh"), 1);
	stand_close(&stand);
}

/* What happens to a file of which "one" and "two" were read, and what must be seen then. */
static void by_rename(struct stand *stand)
{
	put(stand, "app.log", "left over\n");
	rename(in(stand, "app.log"), in(stand, "app.log.1"));
	put(stand, "app.log", "fresh\n");
}

static void by_rename_and_writer(struct stand *stand)
{
	put(stand, "app.log", "left ");
	rename(in(stand, "app.log"), in(stand, "app.log.1"));
	put(stand, "app.log", "fresh\n");
	steps(stand, 20);
	put(stand, "app.log.1", "over\n");
}

static void by_rename_twice(struct stand *stand)
{
	rename(in(stand, "app.log"), in(stand, "app.log.2"));
	put(stand, "app.log", "left over\n");
	rename(in(stand, "app.log"), in(stand, "app.log.1"));
	put(stand, "app.log", "fresh\n");
}

static void by_copytruncate(struct stand *stand)
{
	put(stand, "app.log", "left over\n");
	put(stand, "app.log.1", "one\ntwo\nleft over\n");
	assert_int_equal(truncate(in(stand, "app.log"), 0), 0);
	put(stand, "app.log", "fresh\n");
}

static void gz(const struct stand *stand, const char *name, const char *text)
{
	gzFile file = gzopen(in(stand, name), "wb");

	assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
	gzclose(file);
}

static void by_copytruncate_packed(struct stand *stand)
{
	put(stand, "app.log", "left over\n");
	gz(stand, "app.log.1.gz", "one\ntwo\nleft over\n");
	assert_int_equal(truncate(in(stand, "app.log"), 0), 0);
	put(stand, "app.log", "fresh\n");
}

static void by_truncation_to_longer(struct stand *stand)
{
	assert_int_equal(truncate(in(stand, "app.log"), 0), 0);
	put(stand, "app.log", "left over\nfresh\n");
}

static void by_deletion(struct stand *stand)
{
	put(stand, "app.log", "left over\n");
	steps(stand, 1);
	unlink(in(stand, "app.log"));
	steps(stand, 15);
	put(stand, "app.log", "fresh\n");
}

static void by_symlink(struct stand *stand)
{
	rename(in(stand, "app.log"), in(stand, "a.1"));
	assert_int_equal(symlink("a.1", in(stand, "app.log")), 0);
	steps(stand, 15);
	put(stand, "a.1", "left over\n");
	put(stand, "a.2", "fresh\n");
	unlink(in(stand, "app.log"));
	assert_int_equal(symlink("a.2", in(stand, "app.log")), 0);
}

static void by_compression(struct stand *stand)
{
	put(stand, "app.log", "left over\n");
	gz(stand, "app.log-20260101.gz", "one\ntwo\nleft over\n");
	unlink(in(stand, "app.log"));
	put(stand, "app.log", "fresh\n");
}

struct change {
	const char *name;
	void (*change)(struct stand *stand);
	bool live; /* only while it is followed */
};

static const struct change changes[] = {
    {"rename, create", by_rename, false},
    {"a writer that has the old one", by_rename_and_writer, true},
    {"renamed twice", by_rename_twice, false},
    {"copytruncate", by_copytruncate, false},
    {"copytruncate, compressed", by_copytruncate_packed, false},
    {"truncated, longer", by_truncation_to_longer, false},
    {"deleted", by_deletion, true},
    {"link", by_symlink, true},
    {"compressed", by_compression, false},
};

static void change_one(const struct change *change, bool live, bool killed, const char *open_max)
{
	struct stand stand;

	print_message("%s, %s, %s open\n", change->name,
	    live ? "live" : killed ? "after a kill" : "stopped", open_max);
	stand_prepare(&stand);
	set(&stand, "file.descriptors", open_max);
	put(&stand, "app.log", "one\ntwo\n");
	stand_start(&stand);
	steps(&stand, 30);
	assert_seen(&stand, LINES("one", "two"));
	if (killed)
		stand_kill(&stand);
	else if (!live) {
		assert_int_equal(collector_stop(stand.collector, NS_PER_S, NULL), 0);
		stand_kill(&stand);
	}
	change->change(&stand);
	if (!live)
		stand_start(&stand);
	steps(&stand, 150);
	assert_seen(&stand, LINES("one", "two", "left over", "fresh"));
	/* And once more from the start: everything is known. */
	assert_int_equal(collector_stop(stand.collector, NS_PER_S, NULL), 0);
	stand_kill(&stand);
	stand_start(&stand);
	steps(&stand, 150);
	assert_seen(&stand, LINES("one", "two", "left over", "fresh"));
	stand_close(&stand);
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		change_one(&changes[i], true, false, "512");
		if (changes[i].live)
			continue;
		change_one(&changes[i], false, false, "512");
		change_one(&changes[i], false, true, "1");
	}
}

static void test_truncated_shorter(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand);
	put(&stand, "app.log", "one is long\ntwo is long\n");
	stand_start(&stand);
	steps(&stand, 20);
	assert_int_equal(truncate(in(&stand, "app.log"), 0), 0);
	put(&stand, "app.log", "short\n");
	steps(&stand, 20);
	assert_seen(&stand, LINES("one is long", "two is long", "short"));
	stand_close(&stand);
}

/* Numbers are given again: what is there now is read from its start, and nothing of the old one. */
static void test_inode_again(void **state)
{
	struct stand stand;

	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		stand_prepare(&stand);
		put(&stand, "app.log", "one\ntwo\n");
		stand_start(&stand);
		steps(&stand, 20);
		if (closed)
			stand_kill(&stand);
		unlink(in(&stand, "app.log"));
		put(&stand, "other.log", "another one\nwith more in it\n");
		put(&stand, "app.log", "3\n");
		if (closed)
			stand_start(&stand);
		steps(&stand, 100);
		assert_seen(&stand, LINES("one", "two", "3", "another one", "with more in it"));
		stand_close(&stand);
	}
}

/* Neither waits for a writer, nor is read. */
static void test_no_file(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand);
	assert_int_equal(mkfifo(in(&stand, "fifo.log"), 0600), 0);
	assert_int_equal(mkdir(in(&stand, "dir.log"), 0700), 0);
	assert_int_equal(symlink("nowhere", in(&stand, "link.log")), 0);
	assert_int_equal(symlink("app.log", in(&stand, "again.log")), 0);
	put(&stand, "app.log", "one\n");
	put(&stand, "packed.log.gz", "no gzip\n");
	stand_start(&stand);
	steps(&stand, 30);
	assert_seen(&stand, LINES("one"));
	rmdir(in(&stand, "dir.log"));
	stand_close(&stand);
}

/* More than one read of it: the others are not kept waiting. */
static void test_fair(void **state)
{
	struct stand stand;
	char line[32];
	size_t small = 0;

	(void)state;
	stand_prepare(&stand);
	FILE *file = fopen(in(&stand, "large.log"), "wb");

	for (unsigned i = 0; i < 200000; i++)
		fprintf(file, "line %u of a large file\n", i);
	fclose(file);
	snprintf(line, sizeof(line), "of a small one\n");
	put(&stand, "small.log", line);
	stand_start(&stand);
	for (unsigned i = 0; i < 100; i++)
		steps(&stand, 1);
	assert_int_equal(stand.rig.seen_count, 200001);
	while (strcmp(stand.rig.seen[small].raw, "of a small one") != 0)
		small++;
	/* Of four partitions it has one alone, and frames of it wait for none of the other. */
	assert_true(small < 60000);
	stand_close(&stand);
}

/* The bus has not said that it is durable: the position stays, and the tail is repeated. */
static void test_kill_repeats(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand);
	put(&stand, "app.log", "one\n");
	stand_start(&stand);
	steps(&stand, 20);
	stand.rig.fault_call = "receipts";
	stand.rig.fault = FAULT_BUSY;
	put(&stand, "app.log", "two\n");
	for (int i = 0; i < 30; i++) {
		now_ns += 100 * NS_PER_MS;
		collector_step(stand.collector, 0, NULL);
		/* Another one makes it write the positions of all. */
		if (i == 10)
			put(&stand, "other.log", "of the other\n");
	}
	stand_kill(&stand);
	stand.rig.fault = FAULT_NONE;
	stand_start(&stand);
	steps(&stand, 20);
	assert_int_equal(times(&stand, "one"), 1);
	assert_int_equal(times(&stand, "two"), 2);
	assert_true(times(&stand, "of the other") >= 1);
	stand_close(&stand);
}

static void test_state_damaged(void **state)
{
	struct stand stand;
	char path[160], text[4096];

	(void)state;
	stand_prepare(&stand);
	put(&stand, "a.log", "of a\n");
	put(&stand, "b.log", "of b\n");
	stand_start(&stand);
	steps(&stand, 30);
	stand_kill(&stand);
	snprintf(path, sizeof(path), "%s/files.state", stand.rig.folder);
	FILE *file = fopen(path, "r+b");
	size_t len = fread(text, 1, sizeof(text) - 1, file);

	text[len] = '\0';
	char *row = strstr(text, "a.log");

	assert_non_null(row);
	fseek(file, row - text, SEEK_SET);
	fputc('z', file);
	fclose(file);
	stand_start(&stand);
	steps(&stand, 20);
	/* Its row alone is lost. */
	assert_int_equal(times(&stand, "of a"), 2);
	assert_int_equal(times(&stand, "of b"), 1);
	struct source_row total;

	collector_total(stand.collector, &total);
	assert_int_equal(total.bad_frames, 1);
	stand_close(&stand);
}

static void test_state_not_written(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand);
	set(&stand, "file.state", in(&stand, "none/files.state"));
	put(&stand, "app.log", "one\n");
	stand_start(&stand);
	steps(&stand, 20);
	assert_seen(&stand, LINES("one"));
	/* The place is there again. */
	assert_int_equal(mkdir(in(&stand, "none"), 0700), 0);
	steps(&stand, 20);
	assert_int_equal(access(in(&stand, "none/files.state"), R_OK), 0);
	collector_close(stand.collector);
	rig_restart(&stand.rig);
	stand_start(&stand);
	steps(&stand, 20);
	assert_seen(&stand, LINES("one"));
	unlink(in(&stand, "none/files.state"));
	rmdir(in(&stand, "none"));
	stand_close(&stand);
}

static void count_told(void *context, const struct error *error)
{
	unsigned *told = context;

	assert_non_null(strstr(error->text, "files.state"));
	++*told;
}

/* The disk is full after so many bytes: what was there stays whole, nothing is lost, it is said. */
static void test_state_cut_short(void **state)
{
	struct rlimit before, little;
	char line[32];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (unsigned bytes = 0; bytes < 220; bytes += 11) {
		struct stand stand;
		unsigned told = 0;

		stand_prepare(&stand);
		stand.options.tell = count_told;
		stand.options.tell_context = &told;
		put(&stand, "app.log", "one\n");
		stand_start(&stand);
		steps(&stand, 20);
		assert_int_equal(told, 0);
		snprintf(line, sizeof(line), "two of %u\n", bytes);
		put(&stand, "app.log", line);
		little = (struct rlimit){.rlim_cur = bytes, .rlim_max = before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
		steps(&stand, 20);
		assert_true(bytes < 100 ? told == 1 : told <= 1);
		stand_kill(&stand);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		line[strlen(line) - 1] = '\0';
		stand_start(&stand);
		steps(&stand, 20);
		assert_int_equal(times(&stand, "one"), 1);
		assert_true(times(&stand, line) == (bytes < 100 ? 2 : times(&stand, line)));
		assert_true(times(&stand, line) >= 1);
		stand_close(&stand);
	}
}

static void test_history(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand);
	set(&stand, "file.history", "true");
	gz(&stand, "app.log.2.gz", "oldest\nno end");
	put(&stand, "app.log.1", "older\n");
	put(&stand, "app.log", "now\n");
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	assert_int_equal(utimensat(AT_FDCWD, in(&stand, "app.log.2.gz"), old, 0), 0);
	stand_start(&stand);
	steps(&stand, 150);
	assert_seen(&stand, LINES("oldest", "no end", "older", "now"));
	assert_string_equal(stand.rig.seen[0].raw, "oldest");
	assert_string_equal(stand.rig.seen[3].raw, "now");
	assert_int_equal(collector_stop(stand.collector, NS_PER_S, NULL), 0);
	stand_kill(&stand);
	stand_start(&stand);
	steps(&stand, 150);
	assert_int_equal(stand.rig.seen_count, 4);
	stand_close(&stand);
}

static void test_multiline(void **state)
{
	static const char trace[] = "09:00 failed\nTraceback (most recent call last):\n"
				    "  File \"a.py\", line 1\nValueError: no";
	struct stand stand;
	char text[256];

	(void)state;
	stand_prepare(&stand);
	char key[160];

	snprintf(key, sizeof(key), "file.multiline.%s/*.log", stand.logs);
	set(&stand, key, "python");
	snprintf(text, sizeof(text), "%s\n09:01 next\n", trace);
	put(&stand, "app.log", text);
	stand_start(&stand);
	steps(&stand, 10);
	assert_seen(&stand, LINES(trace));
	/* The last one may go on, until nothing has come for the delay. */
	steps(&stand, 40);
	assert_seen(&stand, LINES(trace, "09:01 next"));
	stand_close(&stand);
}

static void test_many(void **state)
{
	struct stand stand;
	char name[32], line[32];

	(void)state;
	stand_prepare(&stand);
	set(&stand, "file.descriptors", "16");
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%u.log", i);
		snprintf(line, sizeof(line), "line of %u\n", i);
		put(&stand, name, line);
	}
	stand_start(&stand);
	steps(&stand, 400);
	assert_int_equal(stand.rig.seen_count, 2000);
	put(&stand, "1234.log", "more\n");
	steps(&stand, 30);
	assert_int_equal(stand.rig.seen_count, 2001);
	unsigned open = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (readdir(dir) != NULL)
		open++;
	closedir(dir);
	assert_true(open < 60);
	stand_close(&stand);
}

/* ---- the joiner alone ---- */

struct join_row {
	const char *rule, *text, *events; /* events divided by '|'; '!' before one that was cut */
	enum join_end end;
};

static const struct join_row join_rows[] = {
    {"lines", "a\nb\r\n\nc", "a|b|", JOIN_OPEN},
    {"lines", "a\nb\r\n\nc", "a|b|c|", JOIN_CLOSED},
    {"lines", "0123456789abcdefghijklmnop\nb\n", "!0123456789abcdef|b|", JOIN_OPEN},
    {"lines", "0123456789abcdef\r", "", JOIN_OPEN},
    {"lines", "0123456789abcdef\r\n", "0123456789abcdef|", JOIN_OPEN},
    {"lines", "0123456789abcdefg", "!0123456789abcdef|", JOIN_CLOSED},
    {"indent", "a\n b\n\tc\nd\n", "a\n b\n\tc|", JOIN_OPEN},
    {"indent", "a\n b\n\tc\nd\n", "a\n b\n\tc|d|", JOIN_QUIET},
    {"indent", "a\n b\n c", "a\n b|", JOIN_QUIET},
    {"indent", "a\n b\n c", "a\n b\n c|", JOIN_CLOSED},
    {"indent", "a\n 1\n 2\n 3\n 4\nb\n", "!a\n 1\n 2\n 3| 4|b|", JOIN_CLOSED},
    {"indent", "aaaaaaaa\n bbbbbbbb\nc\n", "!aaaaaaaa| bbbbbbbb|c|", JOIN_CLOSED},
    {"java", "e\n\tat f\nCaused by: x\nn\n", "!e\n\tat f|Caused by: x|n|", JOIN_CLOSED},
    {"java", "e\nCaused by: x\n", "e\nCaused by: x|", JOIN_QUIET},
    {"start:##:", "10:a\nb\n11:c\n1x:d\n", "10:a\nb|11:c\n1x:d|", JOIN_CLOSED},
    {"start:\\#?", "#1\n2\n#3\n", "#1\n2|#3|", JOIN_CLOSED},
};

static void join_all(const struct join_row *row, size_t limit, char *out, size_t size)
{
	struct joiner joiner = {.limit = limit, .lines = 4};
	struct str rest = str_of(row->text);
	struct joined joined = {0};
	size_t len = 0;

	assert_true(joiner_parse(str_of(row->rule), &joiner));
	out[0] = '\0';
	do {
		joined = joiner_next(&joiner, rest, joined.skip, row->end);
		rest = str_slice(rest, joined.took, rest.len);
		if (joined.event.ptr != NULL)
			len += (size_t)snprintf(out + len, size - len, "%s%.*s|",
			    joined.cut ? "!" : "", STR_ARG(joined.event));
	} while (joined.took > 0 && rest.len > 0);
}

static void test_joiner(void **state)
{
	char out[512];

	(void)state;
	for (size_t i = 0; i < sizeof(join_rows) / sizeof(join_rows[0]); i++) {
		join_all(&join_rows[i], 16, out, sizeof(out));
		assert_string_equal(out, join_rows[i].events);
	}
	struct joiner joiner;

	assert_false(joiner_parse(STR("start:"), &joiner));
	assert_false(joiner_parse(STR("perl"), &joiner));
}

static void test_python(void **state)
{
	static const struct join_row row = {"python",
	    "Traceback (most recent call last):\n  f\nE: 1\n\n"
	    "During handling of the above exception, another exception occurred:\n\n"
	    "Traceback (most recent call last):\n  g\nF: 2\nplain\n",
	    NULL, JOIN_CLOSED};
	struct joiner joiner = {.limit = 4096, .lines = 100, .rule = JOIN_PYTHON};
	struct joined joined = joiner_next(&joiner, str_of(row.text), false, row.end);

	(void)state;
	assert_int_equal(joined.took, strlen(row.text) - 6);
	assert_true(str_ends(joined.event, STR("F: 2")));
}

static void test_state_text(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct buf out = BUF(1 << 16);
	struct file_rows rows;
	struct file_row row = {.device = 5,
	    .inode = 9,
	    .head_len = 1024,
	    .head = UINT64_C(0xfedcba9876543210),
	    .offset = INT64_MAX,
	    .skip = true,
	    .path = STR("/l\xc3\xa0ng s\xc6\xa1n/a b%\n.log")};

	(void)state;
	file_state_begin(&out, 77);
	file_state_put(&out, &row);
	row.inode = 3;
	file_state_put(&out, &row);
	assert_int_equal(file_state_parse(buf_str(&out), arena, &rows, NULL), 0);
	assert_int_equal(rows.count, 2);
	assert_int_equal(rows.damaged, 0);
	assert_int_equal(rows.saved_ns, 77);
	assert_int_equal(rows.rows[0].inode, 3);
	assert_true(str_eq(rows.rows[1].path, row.path));
	assert_true(rows.rows[1].skip && rows.rows[1].head == row.head);
	assert_int_equal(rows.rows[1].offset, row.offset);
	assert_int_equal(file_rows_find(&rows, 9), 1);
	/* Any byte: at most one row is lost, and none is wrong. */
	for (size_t i = 0; i + 1 < out.len; i++) {
		out.ptr[i] ^= 0x01;
		assert_int_equal(file_state_parse(buf_str(&out), arena, &rows, NULL), 0);
		assert_true(rows.damaged > 0);
		for (size_t j = 0; j < rows.count; j++)
			assert_true(rows.rows[j].offset == row.offset);
		out.ptr[i] ^= 0x01;
	}
	buf_free(&out);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_joiner),
	    cmocka_unit_test(test_python),
	    cmocka_unit_test(test_state_text),
	    cmocka_unit_test(test_grows),
	    cmocka_unit_test(test_long_and_dirty),
	    cmocka_unit_test(test_truncated_shorter),
	    cmocka_unit_test(test_truncated_behind_head),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_inode_again),
	    cmocka_unit_test(test_no_file),
	    cmocka_unit_test(test_fair),
	    cmocka_unit_test(test_kill_repeats),
	    cmocka_unit_test(test_state_damaged),
	    cmocka_unit_test(test_state_not_written),
	    cmocka_unit_test(test_state_cut_short),
	    cmocka_unit_test(test_history),
	    cmocka_unit_test(test_multiline),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("collector.files", tests, NULL, NULL);
}
