/*
 * cpu.h - which instructions the hot loops may use.
 *
 * A loop that exists twice is written once in plain C, which runs everywhere and says what is
 * meant, and once for x86-64-v3 (AVX2, BMI2), in a function marked CPU_V3_CODE. Both give the same
 * results, which the tests compare. The machine is asked once; TOCSIN_CPU=portable in the
 * environment, or cpu_limit, chooses the plain one. Few loops exist a third time, for machines that
 * press the chosen bytes of a block together (AVX-512 VBMI2), in a function marked CPU_V4_CODE;
 * TOCSIN_CPU=v3 leaves these out.
 */
#ifndef TOCSIN_BASE_CPU_H
#define TOCSIN_BASE_CPU_H

#include <stdbool.h>

#if defined(__x86_64__)
#define CPU_HAS_V3   1
#define CPU_V3_CODE  __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define CPU_V4_CODE                                                                                \
	__attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")))
#else
#define CPU_HAS_V3 0
#endif

enum cpu_level { CPU_PORTABLE, CPU_V3, CPU_V4 };

/* Constant while the process runs, but for cpu_limit. At most CPU_V3, for loops that end there. */
enum cpu_level cpu_level(void);
/* The same, for loops that exist for CPU_V4 too. */
enum cpu_level cpu_level_most(void);
/* At most this level from now on; for tests, before other threads run. */
void cpu_limit(enum cpu_level most);

#endif
