#include "base/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static enum cpu_level level;
static pthread_once_t asked = PTHREAD_ONCE_INIT;

static void ask(void)
{
	const char *wish = getenv("TOCSIN_CPU");

	if (wish != NULL && strcmp(wish, "portable") == 0)
		return;
#if CPU_HAS_V3
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("bmi2") &&
	    __builtin_cpu_supports("popcnt"))
		level = CPU_V3;
#endif
}

enum cpu_level cpu_level(void)
{
	pthread_once(&asked, ask);
	return level;
}

void cpu_limit(enum cpu_level most)
{
	pthread_once(&asked, ask);
	if (level > most)
		level = most;
}
