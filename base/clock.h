/*
 * clock.h - the one file that asks the operating system for the time.
 *
 * Everything else takes the time as an argument (ns since 1970-01-01T00:00:00Z, without leap
 * seconds, as int64_t: good until 2262). Only programs (cli/) and the loops of stages call these.
 */
#ifndef TOCSIN_BASE_CLOCK_H
#define TOCSIN_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

int64_t clock_wall_ns(void);
int64_t clock_monotonic_ns(void);
/* CPU time of the process, for benchmarks. */
int64_t clock_cpu_ns(void);
/* Offset of local time from UTC at that moment, in seconds east, from TZ or /etc/localtime. */
int32_t clock_zone_s(int64_t wall_ns);

#endif
