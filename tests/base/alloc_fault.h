/*
 * alloc_fault.h - the allocator of the C library, refusing on purpose and counting.
 *
 * alloc_fault.c interposes malloc, calloc, realloc, aligned_alloc and free for the whole test
 * program.
 */
#ifndef TOCSIN_TESTS_BASE_ALLOC_FAULT_H
#define TOCSIN_TESTS_BASE_ALLOC_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* Skips the test, saying why, where another allocator (a sanitizer's) stands in the way. */
void alloc_fault_or_skip(void);
/* The n-th allocation from now (from 1) fails, and all after it; 0: none fails. */
void alloc_fault_arm(size_t n);
/* Ends the failing; true when an allocation was refused since alloc_fault_arm. */
bool alloc_fault_disarm(void);
/* Allocations not yet freed; the difference of two calls is what was leaked between them. */
long alloc_fault_live(void);

#endif
