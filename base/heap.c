#include "base/heap.h"

#include <malloc.h>

#define KEPT  (64 << 20)
#define LARGE (32 << 20) /* the most that glibc takes: larger ones are mappings of their own */

void heap_keep(void)
{
#ifdef __GLIBC__
	mallopt(M_TRIM_THRESHOLD, KEPT);
	mallopt(M_MMAP_THRESHOLD, LARGE);
#endif
}
