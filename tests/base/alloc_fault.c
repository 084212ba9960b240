#include "tests/base/alloc_fault.h"

#include "tests/base/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * glibc exports its allocator under these names too, for programs that bring their own malloc. The
 * address sanitizer brings its own already: there nothing is refused and nothing counted, and it is
 * the sanitizer that looks for leaks.
 */
#if defined(__SANITIZE_ADDRESS__)
#define INTERPOSE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INTERPOSE 0
#endif
#endif
#ifndef INTERPOSE
#define INTERPOSE 1
#endif

static size_t countdown;
static bool armed, refused;
static long live;

void alloc_fault_or_skip(void)
{
#if !INTERPOSE
	fputs("skipped: the sanitizer's allocator cannot be made to refuse; MODE=release does\n",
	    stderr);
	skip();
#endif
}

void alloc_fault_arm(size_t n)
{
	countdown = n;
	armed = n != 0;
	refused = false;
}

bool alloc_fault_disarm(void)
{
	armed = false;
	return refused;
}

long alloc_fault_live(void)
{
	return live;
}

#if INTERPOSE
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static bool refuses(void)
{
	if (!armed)
		return false;
	if (countdown > 1) {
		countdown--;
		return false;
	}
	refused = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *memory)
{
	live += memory != NULL;
	return memory;
}

void *malloc(size_t size)
{
	return refuses() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return refuses() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
	if (refuses())
		return NULL;
	return old == NULL ? counted(__libc_realloc(old, size)) : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return refuses() ? NULL : counted(__libc_memalign(alignment, size));
}

void free(void *memory)
{
	live -= memory != NULL;
	__libc_free(memory);
}
#endif
