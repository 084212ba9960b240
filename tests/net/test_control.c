#include "net/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define BIG (8u << 20)

static char folder[64], path[96];

struct server {
	struct loop *loop;
	struct control *control;
	unsigned asked;
	char last[4200];
};

static int answer(void *context, struct str request, struct buf *out, struct error *error)
{
	struct server *server = context;

	server->asked++;
	snprintf(server->last, sizeof(server->last), "%.*s", STR_ARG(request));
	if (str_eq(request, STR("fail")))
		return error_set(error, ERR_MISSING, TEXT_collector_input, "fail");
	if (str_eq(request, STR("big")) || str_eq(request, STR("huge"))) {
		size_t size = request.ptr[0] == 'b' ? BIG : 17u << 20;
		char *at = buf_extend(out, size);

		if (at != NULL)
			memset(at, 'x', size);
		return 0;
	}
	buf_printf(out, "you said %.*s\n", STR_ARG(request));
	return 0;
}

static void serve(struct server *server)
{
	*server = (struct server){0};
	assert_int_equal(loop_open(&server->loop, NULL), 0);
	assert_int_equal(
	    control_open(&server->control, server->loop, path, answer, server, NULL), 0);
}

static void serve_no_more(struct server *server)
{
	control_close(server->control);
	loop_close(server->loop);
}

static int client_open(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, path, strlen(path) + 1);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void steps(struct server *server)
{
	for (int i = 0; i < 100 && loop_step(server->loop, 0, NULL) > 0; i++)
		;
}

/* Everything that comes until the server closes; SIZE_MAX when it does not. */
static size_t read_all(struct server *server, int fd, char *out, size_t room)
{
	static char bytes[65536];
	size_t total = 0;

	for (int i = 0; i < 100000; i++) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return total;
		if (n > 0 && total < room)
			memcpy(out + total, bytes,
			    total + (size_t)n <= room ? (size_t)n : room - total);
		total += n > 0 ? (size_t)n : 0;
		if (n < 0 && loop_step(server->loop, 0, NULL) == 0 && i > 1000)
			return SIZE_MAX;
	}
	return SIZE_MAX;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void test_split_request(void **state)
{
	struct server server;
	char out[64] = "";

	(void)state;
	serve(&server);
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
	int fd = client_open();
	const char *request = "status all\r\n";

	for (const char *c = request; *c != '\0'; c++) {
		assert_int_equal(server.asked, 0);
		assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
		steps(&server);
	}
	assert_int_equal(read_all(&server, fd, out, sizeof(out)), 20);
	assert_memory_equal(out, "you said status all\n", 20);
	assert_int_equal(server.asked, 1);
	close(fd);
	serve_no_more(&server);
	assert_int_equal(stat(path, &status), -1);
}

static void test_too_long(void **state)
{
	struct server server;
	char request[4097], out[64];

	(void)state;
	serve(&server);
	int fd = client_open();

	memset(request, 'a', 4096);
	request[4096] = '\0';
	send_text(fd, request);
	assert_int_equal(read_all(&server, fd, out, sizeof(out)), 0);
	assert_int_equal(server.asked, 0);
	close(fd);
	fd = client_open();
	request[4095] = '\n';
	send_text(fd, request);
	assert_true(read_all(&server, fd, out, sizeof(out)) > 4000);
	assert_int_equal(server.asked, 1);
	close(fd);
	/* One that goes without a word, and one that goes within a word. */
	close(client_open());
	fd = client_open();
	send_text(fd, "sta");
	close(fd);
	steps(&server);
	assert_int_equal(server.asked, 1);
	serve_no_more(&server);
}

static void test_failure_is_told(void **state)
{
	struct server server;
	char out[256] = "";

	(void)state;
	serve(&server);
	int fd = client_open();

	send_text(fd, "fail\n");
	assert_true(read_all(&server, fd, out, sizeof(out) - 1) < sizeof(out));
	assert_non_null(strstr(out, "error: "));
	assert_non_null(strstr(out, "'fail'"));
	close(fd);
	fd = client_open();
	memset(out, 0, sizeof(out));
	send_text(fd, "huge\n");
	assert_true(read_all(&server, fd, out, sizeof(out) - 1) < sizeof(out));
	assert_non_null(strstr(out, "error: "));
	close(fd);
	serve_no_more(&server);
}

/* Clients that neither write nor read fill all places; the next one is served nevertheless. */
static void test_many_clients(void **state)
{
	struct server server;
	int silent[40];
	char out[64];

	(void)state;
	serve(&server);
	for (size_t i = 0; i < 40; i++) {
		silent[i] = client_open();
		if (i % 2 == 0)
			send_text(silent[i], "big\n");
		steps(&server);
	}
	int fd = client_open();

	send_text(fd, "status\n");
	assert_int_equal(read_all(&server, fd, out, sizeof(out)), 16);
	close(fd);
	/*
	 * One of the last 32 was not dropped, and gets all of a long answer when it begins to read.
	 */
	assert_int_equal(read_all(&server, silent[38], out, sizeof(out)), BIG);
	assert_true(read_all(&server, silent[0], out, sizeof(out)) < BIG);
	for (size_t i = 0; i < 40; i++)
		close(silent[i]);
	serve_no_more(&server);
}

static void test_one_server(void **state)
{
	struct server server;
	struct control *second = NULL;
	struct error error = {0};

	(void)state;
	serve(&server);
	assert_int_equal(
	    control_open(&second, server.loop, path, answer, &server, &error), ERR_USAGE);
	/* The connection that asked is closed by now; the first server goes on. */
	steps(&server);
	int fd = client_open();
	char out[64];

	send_text(fd, "x\n");
	assert_int_equal(read_all(&server, fd, out, sizeof(out)), 11);
	close(fd);
	/* A server too busy to accept is not taken for a dead one. */
	int waiting[200];
	size_t count = 0;
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	memcpy(at.sun_path, path, strlen(path) + 1);
	for (; count < 200; count++) {
		waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(waiting[count], (struct sockaddr *)&at, sizeof(at)) != 0)
			break;
	}
	assert_true(count < 200);
	error = (struct error){0};
	assert_int_equal(
	    control_open(&second, server.loop, path, answer, &server, &error), ERR_USAGE);
	for (size_t i = 0; i <= count; i++)
		close(waiting[i]);
	serve_no_more(&server);
}

static void test_stale_socket(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct server server = {0};
	struct stat status;

	(void)state;
	memcpy(at.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	serve(&server);
	serve_no_more(&server);
	/* A file that is no socket is somebody's, and stays. */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	struct error error = {0};

	assert_int_equal(loop_open(&server.loop, NULL), 0);
	assert_int_equal(
	    control_open(&server.control, server.loop, path, answer, &server, &error), ERR_IO);
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	unlink(path);
	char lengthy[300];

	memset(lengthy, 'a', sizeof(lengthy));
	lengthy[0] = '/';
	lengthy[sizeof(lengthy) - 1] = '\0';
	assert_int_equal(control_open(&server.control, server.loop, lengthy, answer, &server, NULL),
	    ERR_DOCUMENT);
	loop_close(server.loop);
}

/* Without descriptors a client is turned away, and does not wake the loop for ever. */
static void test_no_descriptors(void **state)
{
	struct rlimit before, tight;
	struct server server;
	char out[64];
	int hoard[256];
	size_t count = 0;

	(void)state;
	serve(&server);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = 128;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	int fd = client_open();

	while (count < 256 && (hoard[count] = dup(fd)) >= 0)
		count++;
	assert_true(count < 256);
	assert_int_equal(loop_step(server.loop, NS_PER_S, NULL), 1);
	assert_int_equal(loop_step(server.loop, 0, NULL), 0);
	while (count > 0)
		close(hoard[--count]);
	assert_int_equal(read_all(&server, fd, out, sizeof(out)), 0);
	close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	fd = client_open();
	send_text(fd, "x\n");
	assert_int_equal(read_all(&server, fd, out, sizeof(out)), 11);
	close(fd);
	serve_no_more(&server);
}

static atomic_bool stop;

static void *serve_until_stop(void *context)
{
	struct server *server = context;

	while (!atomic_load(&stop))
		loop_step(server->loop, 10 * NS_PER_MS, NULL);
	return NULL;
}

static void test_ask(void **state)
{
	struct buf out = BUF(1u << 24);
	struct server server;
	struct error error = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(control_ask(path, STR("x"), NS_PER_S, &out, &error), ERR_MISSING);
	serve(&server);
	/* Nobody steps the loop: the time runs out. */
	error = (struct error){0};
	assert_int_equal(control_ask(path, STR("x"), 20 * NS_PER_MS, &out, &error), ERR_IO);
	assert_int_equal(error.system, ETIMEDOUT);
	assert_int_equal(pthread_create(&thread, NULL, serve_until_stop, &server), 0);
	assert_int_equal(control_ask(path, STR("rules reload"), 30 * NS_PER_S, &out, NULL), 0);
	assert_int_equal(out.len, 22);
	assert_memory_equal(out.ptr, "you said rules reload\n", 22);
	buf_clear(&out);
	assert_int_equal(control_ask(path, STR("big"), 30 * NS_PER_S, &out, NULL), 0);
	assert_int_equal(out.len, BIG);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	buf_free(&out);
	serve_no_more(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_split_request),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_failure_is_told),
	    cmocka_unit_test(test_many_clients),
	    cmocka_unit_test(test_one_server),
	    cmocka_unit_test(test_stale_socket),
	    cmocka_unit_test(test_no_descriptors),
	    cmocka_unit_test(test_ask),
	};
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/tocsin-control-XXXXXX",
	    tmp != NULL && strlen(tmp) < 32 ? tmp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/control", folder);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rmdir(folder);
	return failed;
}
