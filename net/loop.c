#include "net/loop.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READY_MAX 64

struct watch {
	struct loop *loop;
	int fd;
	unsigned wants;
	watch_call *call; /* NULL: removed while its loop was serving */
	void *context;
	bool armed; /* in the epoll set */
	struct watch *next_dead;
};

struct loop {
	int epoll;
	bool serving;
	struct watch *dead; /* freed after the round, since an event of this round may name them */
};

int loop_open(struct loop **ret, struct error *error)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int code = error_system(error, errno, TEXT_net_epoll);

		free(loop);
		return code;
	}
	*ret = loop;
	return 0;
}

void loop_close(struct loop *loop)
{
	if (loop == NULL)
		return;
	CHECK(!loop->serving);
	close(loop->epoll);
	free(loop);
}

static uint32_t events_of(unsigned wants)
{
	return (wants & WATCH_READ ? EPOLLIN | EPOLLRDHUP : 0u) |
	       (wants & WATCH_WRITE ? (uint32_t)EPOLLOUT : 0u);
}

static unsigned ready_of(uint32_t events)
{
	return (events & (EPOLLIN | EPOLLRDHUP) ? WATCH_READ : 0u) |
	       (events & EPOLLOUT ? WATCH_WRITE : 0u) |
	       (events & (EPOLLHUP | EPOLLERR) ? WATCH_HANGUP : 0u);
}

static void bury(struct loop *loop)
{
	while (loop->dead != NULL) {
		struct watch *watch = loop->dead;

		loop->dead = watch->next_dead;
		free(watch);
	}
}

/* Kernels before 5.11, and some that stand in for one, only know milliseconds. */
static int events_wait(const struct loop *loop, struct epoll_event *ready, int64_t timeout_ns)
{
	struct timespec wait = {timeout_ns / NS_PER_S, timeout_ns % NS_PER_S};
	int count =
	    epoll_pwait2(loop->epoll, ready, READY_MAX, timeout_ns < 0 ? NULL : &wait, NULL);

	if (count >= 0 || errno != ENOSYS)
		return count;
	int64_t ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS > 0);

	return epoll_wait(loop->epoll, ready, READY_MAX,
	    timeout_ns < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms);
}

int loop_step(struct loop *loop, int64_t timeout_ns, struct error *error)
{
	struct epoll_event ready[READY_MAX];
	CHECK(!loop->serving);
	int count = events_wait(loop, ready, timeout_ns);

	if (count < 0 && errno == EINTR)
		return 0;
	if (count < 0)
		return error_system(error, errno, TEXT_net_epoll);
	loop->serving = true;
	for (int i = 0; i < count; i++) {
		struct watch *watch = ready[i].data.ptr;

		/* Removed or paused by a call of this round. */
		if (watch->call != NULL && watch->armed)
			watch->call(watch->context, ready_of(ready[i].events));
	}
	loop->serving = false;
	bury(loop);
	return count;
}

/*
 * A watcher that wants nothing leaves the set: epoll reports errors and hang-ups unasked, and a
 * paused connection whose peer is gone would wake the loop again and again.
 */
static int watch_arm(struct watch *watch, unsigned wants)
{
	struct epoll_event event = {.events = events_of(wants), .data.ptr = watch};
	int what = wants == 0 ? EPOLL_CTL_DEL : watch->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (wants == 0 && !watch->armed)
		return 0;
	if (epoll_ctl(watch->loop->epoll, what, watch->fd, &event) != 0)
		return -1;
	watch->armed = wants != 0;
	return 0;
}

int watch_add(struct watch **ret, struct loop *loop, int fd, unsigned wants, watch_call *call,
    void *context, struct error *error)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*watch = (struct watch){
	    .loop = loop, .fd = fd, .wants = wants, .call = call, .context = context};
	if (watch_arm(watch, wants) != 0) {
		int code = error_system(error, errno, TEXT_net_epoll);

		free(watch);
		return code;
	}
	*ret = watch;
	return 0;
}

int watch_set(struct watch *watch, unsigned wants, struct error *error)
{
	if (watch->wants == wants)
		return 0;
	if (watch_arm(watch, wants) != 0)
		return error_system(error, errno, TEXT_net_epoll);
	watch->wants = wants;
	return 0;
}

void watch_remove(struct watch *watch)
{
	if (watch == NULL)
		return;
	struct loop *loop = watch->loop;

	watch_arm(watch, 0);
	watch->call = NULL;
	watch->next_dead = loop->dead;
	loop->dead = watch;
	if (!loop->serving)
		bury(loop);
}
