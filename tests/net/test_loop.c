#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

/* Stands before that of the C library: a kernel that does not know the call. */
static bool kernel_is_old;

int epoll_pwait2(int epoll, struct epoll_event *events, int max, const struct timespec *timeout,
    const sigset_t *signals)
{
	if (!kernel_is_old)
		return (int)syscall(SYS_epoll_pwait2, epoll, events, max, timeout, signals, 8);
	errno = ENOSYS;
	return -1;
}

struct end {
	struct loop *loop;
	struct watch *watch;
	struct end *other; /* removed when this one is called */
	int fd, peer;
	unsigned calls, ready;
	bool remove_self;
};

static void called(void *context, unsigned ready)
{
	struct end *end = context;

	end->calls++;
	end->ready = ready;
	if (end->other != NULL) {
		watch_remove(end->other->watch);
		end->other->watch = NULL;
	}
	if (end->remove_self) {
		watch_remove(end->watch);
		end->watch = NULL;
	}
}

static void end_open(struct end *end, struct loop *loop, unsigned wants)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*end = (struct end){.loop = loop, .fd = pair[0], .peer = pair[1]};
	assert_int_equal(watch_add(&end->watch, loop, end->fd, wants, called, end, NULL), 0);
}

static void end_close(struct end *end)
{
	watch_remove(end->watch);
	close(end->fd);
	if (end->peer >= 0)
		close(end->peer);
}

static struct loop *open_loop(void **state)
{
	struct loop *loop = NULL;

	(void)state;
	assert_int_equal(loop_open(&loop, NULL), 0);
	return loop;
}

static void test_ready(void **state)
{
	struct loop *loop = open_loop(state);
	struct end end;

	end_open(&end, loop, WATCH_READ);
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	assert_int_equal(write(end.peer, "a", 1), 1);
	assert_int_equal(loop_step(loop, -1, NULL), 1);
	assert_int_equal(end.ready, WATCH_READ);
	assert_int_equal(watch_set(end.watch, WATCH_READ | WATCH_WRITE, NULL), 0);
	assert_int_equal(loop_step(loop, NS_PER_S, NULL), 1);
	assert_int_equal(end.ready, WATCH_READ | WATCH_WRITE);
	end_close(&end);
	loop_close(loop);
}

/*
 * A paused watcher is not called, whatever happens to its descriptor, and does not wake the loop.
 */
static void test_pause(void **state)
{
	struct loop *loop = open_loop(state);
	struct end end;

	end_open(&end, loop, 0);
	assert_int_equal(write(end.peer, "a", 1), 1);
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	assert_int_equal(watch_set(end.watch, WATCH_READ, NULL), 0);
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_int_equal(watch_set(end.watch, 0, NULL), 0);
	close(end.peer);
	end.peer = -1;
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	assert_int_equal(end.calls, 1);
	assert_int_equal(watch_set(end.watch, WATCH_READ, NULL), 0);
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_true(end.ready & WATCH_HANGUP);
	end_close(&end);
	loop_close(loop);
}

/* Both are ready in one round; whichever is called first removes the other, and itself. */
static void test_remove_within(void **state)
{
	struct loop *loop = open_loop(state);
	struct end a, b;

	end_open(&a, loop, WATCH_READ);
	end_open(&b, loop, WATCH_READ);
	a.other = &b;
	b.other = &a;
	assert_int_equal(write(a.peer, "a", 1), 1);
	assert_int_equal(write(b.peer, "b", 1), 1);
	assert_int_equal(loop_step(loop, 0, NULL), 2);
	assert_int_equal(a.calls + b.calls, 1);
	struct end *left = a.watch != NULL ? &a : &b;

	left->other = NULL;
	left->remove_self = true;
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_null(left->watch);
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	end_close(&a);
	end_close(&b);
	loop_close(loop);
}

struct adder {
	struct loop *loop;
	struct end added;
	bool done;
};

static void add_one(void *context, unsigned ready)
{
	struct adder *adder = context;

	(void)ready;
	if (!adder->done)
		end_open(&adder->added, adder->loop, WATCH_WRITE);
	adder->done = true;
}

static void test_add_within(void **state)
{
	struct adder adder = {.loop = open_loop(state)};
	struct watch *watch;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(
	    watch_add(&watch, adder.loop, pair[0], WATCH_WRITE, add_one, &adder, NULL), 0);
	assert_int_equal(loop_step(adder.loop, 0, NULL), 1);
	assert_int_equal(adder.added.calls, 0);
	assert_int_equal(loop_step(adder.loop, 0, NULL), 2);
	assert_int_equal(adder.added.calls, 1);
	end_close(&adder.added);
	watch_remove(watch);
	close(pair[0]);
	close(pair[1]);
	loop_close(adder.loop);
}

static void test_refused(void **state)
{
	struct loop *loop = open_loop(state);
	struct error error = {0};
	struct watch *watch = NULL;

	assert_int_equal(watch_add(&watch, loop, -1, WATCH_READ, called, NULL, &error), ERR_IO);
	assert_null(watch);
	assert_true(error.text[0] != '\0');
	watch_remove(NULL);
	loop_close(loop);
	loop_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ready),
	    cmocka_unit_test(test_pause),
	    cmocka_unit_test(test_remove_within),
	    cmocka_unit_test(test_add_within),
	    cmocka_unit_test(test_refused),
	};

	int failed = cmocka_run_group_tests_name("as the kernel is", tests, NULL, NULL);

	kernel_is_old = true;
	return failed + cmocka_run_group_tests_name("before Linux 5.11", tests, NULL, NULL);
}
