#include "base/cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN (-1)

static _Atomic int level = UNKNOWN;
static pthread_once_t asked = PTHREAD_ONCE_INIT;

static enum cpu_level best(void)
{
	const char *wish = getenv("TOCSIN_CPU");

	if (wish != NULL && strcmp(wish, "portable") == 0)
		return CPU_PORTABLE;
#if CPU_HAS_V3
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
	    !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
		return CPU_PORTABLE;
	if ((wish != NULL && strcmp(wish, "v3") == 0) || !__builtin_cpu_supports("avx512f") ||
	    !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vbmi") ||
	    !__builtin_cpu_supports("avx512vbmi2"))
		return CPU_V3;
	return CPU_V4;
#else
	return CPU_PORTABLE;
#endif
}

static void ask(void)
{
	atomic_store_explicit(&level, (int)best(), memory_order_relaxed);
}

/* It is asked for thousands of times an event: once it is known that is one load. */
enum cpu_level cpu_level_most(void)
{
	int known = atomic_load_explicit(&level, memory_order_relaxed);

	if (__builtin_expect(known == UNKNOWN, 0)) {
		pthread_once(&asked, ask);
		known = atomic_load_explicit(&level, memory_order_relaxed);
	}
	return (enum cpu_level)known;
}

enum cpu_level cpu_level(void)
{
	enum cpu_level most = cpu_level_most();

	return most < CPU_V3 ? most : CPU_V3;
}

void cpu_limit(enum cpu_level most)
{
	if (cpu_level_most() > most)
		atomic_store_explicit(&level, (int)most, memory_order_relaxed);
}
