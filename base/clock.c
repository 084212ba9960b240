#include "base/clock.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
	struct timespec at;

	clock_gettime(id, &at);
	return (int64_t)at.tv_sec * NS_PER_S + at.tv_nsec;
}

int64_t clock_wall_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

int64_t clock_cpu_ns(void)
{
	return clock_read(CLOCK_PROCESS_CPUTIME_ID);
}

/* localtime_r is slow (it may stat /etc/localtime): call this at most once a minute. */
int32_t clock_zone_s(int64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm local;

	tzset();
	if (localtime_r(&seconds, &local) == NULL)
		return 0;
	return (int32_t)local.tm_gmtoff;
}
