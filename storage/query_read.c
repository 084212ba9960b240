#include "storage/query_read.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/words.h"

#define ANSWER_HEAD   5
#define ANSWERS_BYTES (512u << 20)
#define CHILD_BYTES   (512u << 20)
#define CHILD_SECONDS 60 /* a damaged tree may lead round in a circle */

/* ---- in the child ---- */

static void write_all(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		bytes = str_slice(bytes, (size_t)n, bytes.len);
	}
}

void reading_say(
    struct reading *reading, enum answer_kind kind, struct str first, struct str second)
{
	char head[ANSWER_HEAD];

	head[0] = (char)kind;
	set_u32(head + 1, (uint32_t)(first.len + second.len));
	write_all(reading->out, str_from(head, sizeof(head)));
	write_all(reading->out, first);
	write_all(reading->out, second);
}

static struct str error_bytes(const struct error *error)
{
	return str_from(error, sizeof(*error));
}

void reading_damaged(struct reading *reading, struct reading_file *file)
{
	if (!file->bad) {
		if (reading->error->file[0] == '\0')
			memcpy(reading->error->file, file->name.text, sizeof(file->name.text));
		reading_say(reading, ANSWER_DAMAGED, error_bytes(reading->error), STR_NONE);
	}
	error_clear(reading->error);
	file->bad = true;
}

static int file_begin(struct reading *reading, struct reading_file *file)
{
	static const struct day_open how = {.max_bytes = UINT64_C(1) << 40};
	struct str path = day_path(reading->arena, reading->question->folder, file->name.text);
	int code = path.ptr == NULL ? error_set(reading->error, ERR_MEMORY, TEXT_base_memory)
				    : day_open(&file->db, path.ptr, &how, reading->error);

	if (code == 0)
		code = db_begin(file->db, false, &file->txn, reading->error);
	if (code == 0)
		code = day_state_get(file->txn, &file->state, reading->error);
	if (code == 0)
		code = index_key(file->txn, &file->key, reading->error);
	return code;
}

bool reading_open(struct reading *reading, struct reading_file *file)
{
	int code;

	if (file->bad || file->txn != NULL)
		return !file->bad;
	reading_say(reading, ANSWER_FILE, str_of(file->name.text), STR_NONE);
	code = file_begin(reading, file);
	file->known = code == 0;
	if (code == ERR_MISSING) {
		/* retention was faster */
		error_clear(reading->error);
		file->bad = true;
	} else if (code != 0) {
		reading_damaged(reading, file);
	}
	return !file->bad;
}

int reading_mark(struct reading *reading, uint64_t sequence, struct mark *ret)
{
	char key[8];
	struct str row;

	for (size_t i = reading->count; i-- > 0;) {
		struct reading_file *file = &reading->files[i];

		if (!reading_open(reading, file))
			continue;
		int code = db_get(
		    file->txn, TABLE_MARK, day_key_sequence(key, sequence), &row, reading->error);

		if (code == DB_FOUND && words_get(row, ret, sizeof(*ret)))
			return DB_FOUND;
		if (code < 0)
			reading_damaged(reading, file);
		if (file->state.first <= sequence)
			break;
	}
	return DB_NOT_FOUND;
}

struct reading_file *reading_owner(struct reading *reading, uint64_t sequence)
{
	for (size_t i = reading->count; i-- > 0;) {
		struct reading_file *file = &reading->files[i];

		if (reading_open(reading, file) && file->state.first <= sequence)
			return sequence < file->state.next ? file : NULL;
	}
	return NULL;
}

int reading_document(struct reading *reading, struct reading_file *file, uint64_t sequence,
    struct str *ret_facets, struct str *ret_json)
{
	char key[8];
	struct str row;
	int code =
	    db_get(file->txn, TABLE_DOC, day_key_sequence(key, sequence), &row, reading->error);

	if (code == DB_FOUND && !index_split(row, ret_facets, ret_json))
		code = day_damaged(reading->error);
	if (code >= 0)
		return code;
	reading_damaged(reading, file);
	return DB_NOT_FOUND;
}

/* What the newest file that can be read knows of the older ones saves opening them. */
static void catalogue_read(struct reading *reading, const struct reading_file *newest)
{
	for (size_t i = 0; i < reading->count; i++) {
		struct reading_file *file = &reading->files[i];
		struct str row;

		if (!file->known && db_get(newest->txn, TABLE_FILE, str_of(file->name.text), &row,
					NULL) == DB_FOUND)
			file->known = words_get(row, &file->state, sizeof(file->state));
	}
}

static bool is_excluded(const struct question *question, const struct day_name *name)
{
	for (size_t i = 0; i < question->excluded_count; i++)
		if (strcmp(question->excluded[i], name->text) == 0)
			return true;
	return false;
}

static int files_list(struct reading *reading)
{
	struct day_name *names;
	int code = day_list(
	    reading->arena, reading->question->folder, &names, &reading->count, reading->error);

	if (code != 0)
		return code;
	reading->files = arena_array(reading->arena, reading->count + 1, sizeof(*reading->files));
	if (reading->files == NULL)
		return error_set(reading->error, ERR_MEMORY, TEXT_base_memory);
	for (size_t i = 0; i < reading->count; i++) {
		reading->files[i].name = names[i];
		reading->files[i].bad = is_excluded(reading->question, &names[i]);
	}
	for (size_t i = reading->count; i-- > 0;) {
		if (reading_open(reading, &reading->files[i])) {
			catalogue_read(reading, &reading->files[i]);
			break;
		}
	}
	return 0;
}

/* What damage can end a child with. */
static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};

static bool is_deadly(int number)
{
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		if (deadly[i] == number)
			return true;
	return false;
}

/* The parent may hold signals back or handle them; here they do what they do. */
static void child_settle(void)
{
	struct rlimit none = {0, 0};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		(void)signal(deadly[i], SIG_DFL);
		sigaddset(&set, deadly[i]);
	}
	(void)signal(SIGPIPE, SIG_DFL);
	/* Ctrl-C at the terminal is for the parent; without it the pipe ends us */
	(void)signal(SIGINT, SIG_IGN);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO); /* LMDB's assertions write there */
	(void)alarm(CHILD_SECONDS);
}

_Noreturn static void child(const struct question *question, int out)
{
	struct error error;
	struct reading reading = {
	    .question = question, .out = out, .error = &error, .arena = arena_new(CHILD_BYTES)};
	int code;

	child_settle();
	error_clear(&error);
	code = reading.arena == NULL ? error_set(&error, ERR_MEMORY, TEXT_base_memory)
				     : files_list(&reading);
	if (code == 0)
		code = question->read(&reading);
	if (code != 0)
		reading_say(&reading, ANSWER_ERROR, error_bytes(&error), STR_NONE);
	reading_say(&reading, ANSWER_END, STR_NONE, STR_NONE);
	for (size_t i = 0; i < reading.count; i++) {
		db_abort(reading.files[i].txn);
		db_close(reading.files[i].db);
	}
	_exit(0);
}

/* ---- in the parent ---- */

static int read_answers(int fd, struct buf *answers, struct error *error)
{
	for (;;) {
		char chunk[65536];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(error, errno, TEXT_storage_reader);
		if (n == 0)
			return answers->failed ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
		buf_put(answers, chunk, (size_t)n);
	}
}

static int run(
    const struct question *question, struct buf *answers, int *ret_signal, struct error *error)
{
	int ends[2], status = 0, code;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_system(error, errno, TEXT_storage_reader);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		child(question, ends[1]);
	}
	close(ends[1]);
	code = pid < 0 ? error_system(error, errno, TEXT_storage_reader)
		       : read_answers(ends[0], answers, error);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	*ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return code;
}

static bool next_answer(struct str *rest, enum answer_kind *ret_kind, struct str *ret_payload)
{
	struct str head;

	if (!take_bytes(rest, ANSWER_HEAD, &head) ||
	    !take_bytes(rest, get_u32(head.ptr + 1), ret_payload))
		return false;
	*ret_kind = (enum answer_kind)(unsigned char)head.ptr[0];
	return true;
}

/* Whether it came to its end; else the name of the file that it died of. */
static bool is_whole(struct str rest, struct str *ret_file)
{
	enum answer_kind kind = ANSWER_FILE;
	struct str payload;

	*ret_file = STR_NONE;
	while (next_answer(&rest, &kind, &payload))
		if (kind == ANSWER_FILE)
			*ret_file = payload;
	return kind == ANSWER_END && rest.len == 0;
}

struct asking {
	int (*take)(void *context, enum answer_kind kind, struct str payload);
	void *context;
	void (*damaged)(void *context, const struct error *error);
	void *damaged_context;
};

static int hand_over(const struct asking *asking, struct str rest, struct error *error)
{
	enum answer_kind kind;
	struct str payload;
	struct error told;
	int code = 0;

	while (code == 0 && next_answer(&rest, &kind, &payload)) {
		if ((kind == ANSWER_DAMAGED || kind == ANSWER_ERROR) && payload.len == sizeof(told))
			memcpy(&told, payload.ptr, sizeof(told));
		if (kind == ANSWER_ERROR) {
			if (error != NULL && error->code == 0)
				*error = told;
			code = told.code;
		} else if (kind == ANSWER_DAMAGED) {
			if (asking->damaged != NULL)
				asking->damaged(asking->damaged_context, &told);
		} else if (kind != ANSWER_FILE && kind != ANSWER_END) {
			code = asking->take(asking->context, kind, payload);
		}
	}
	return code < 0 ? code : 0;
}

static void tell_crash(const struct asking *asking, struct str name, int killed)
{
	struct error told;

	error_clear(&told);
	error_set(&told, ERR_CORRUPT, TEXT_storage_crash, name.ptr, killed);
	memcpy(told.file, name.ptr, name.len + 1);
	if (asking->damaged != NULL)
		asking->damaged(asking->damaged_context, &told);
}

/* False: there is nothing to leave out. */
static bool exclude(
    struct question *question, const struct asking *asking, struct str name, int killed)
{
	char *at;

	/* killed from outside, or for memory: that says nothing about the file */
	if (killed != 0 && !is_deadly(killed))
		return false;
	if (name.len == 0 || name.len >= DAY_NAME || question->excluded_count == EXCLUDED_MAX)
		return false;
	at = question->excluded[question->excluded_count++];
	memcpy(at, name.ptr, name.len);
	at[name.len] = '\0';
	tell_crash(asking, str_from(at, name.len), killed);
	return true;
}

int question_ask(struct question *question,
    int (*take)(void *context, enum answer_kind kind, struct str payload), void *context,
    void (*damaged)(void *context, const struct error *error), void *damaged_context,
    struct error *error)
{
	const struct asking asking = {take, context, damaged, damaged_context};
	struct buf answers = BUF(ANSWERS_BYTES);
	struct str died;
	int killed = 0, code;

	for (;;) {
		buf_clear(&answers);
		code = run(question, &answers, &killed, error);
		if (code != 0)
			break;
		if (is_whole(buf_str(&answers), &died)) {
			code = hand_over(&asking, buf_str(&answers), error);
			break;
		}
		if (!exclude(question, &asking, died, killed)) {
			code = error_set(error, ERR_IO, TEXT_storage_reader);
			break;
		}
	}
	buf_free(&answers);
	return code;
}
