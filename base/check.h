/*
 * check.h - the answer to a broken program.
 *
 * CHECK aborts with the expression and the place. It is never compiled out. It states what the
 * program itself guarantees; foreign input and the outside world must never be able to fail it.
 */
#ifndef TOCSIN_BASE_CHECK_H
#define TOCSIN_BASE_CHECK_H

#define CHECK(expression)                                                                          \
	((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__, __func__))

/* Writes one line to standard error and aborts. Does not return, does not allocate. */
_Noreturn void check_failed(const char *expression, const char *file, int line,
    const char *function);

#endif
