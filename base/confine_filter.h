/*
 * confine_filter.h - confine_calls.def as a program for the kernel (seccomp, classic BPF).
 */
#ifndef TOCSIN_BASE_CONFINE_FILTER_H
#define TOCSIN_BASE_CONFINE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* AddressSanitizer looks for leaks as a debugger does. */
#if defined(__SANITIZE_ADDRESS__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif

#define CONFINE_FILTER_MAX 1024

/* This machine's calls are numbered as the table's are here (x86-64, aarch64). */
bool confine_filter_fits(void);
/* Gives how many instructions program has; pid: the process that OWN rows mean. */
size_t confine_filter(struct sock_filter program[CONFINE_FILTER_MAX], int pid, bool online);

#endif
