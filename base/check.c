#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *expression, const char *file, int line,
    const char *function)
{
	fprintf(
	    stderr, "tocsin: broken program: %s (%s:%d, %s)\n", expression, file, line, function);
	abort();
}
