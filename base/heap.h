/*
 * heap.h - how malloc deals with the machine.
 */
#ifndef TOCSIN_BASE_HEAP_H
#define TOCSIN_BASE_HEAP_H

/*
 * For a process that lives long and has loaded much: what is freed stays with it, up to 64 MiB, and
 * serves what is made next, in place of going back and being asked for anew, page by page. Before
 * the first large allocation; without effect where malloc is not glibc's.
 */
void heap_keep(void);

#endif
