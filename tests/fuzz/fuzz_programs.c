/* fuzz: decoder - messages of programs behind a header */
#include "tests/fuzz/behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const prefixes[] = {"<38>Nov 22 03:04:05 h sshd[1]: ",
    "<38>Nov 22 03:04:05 h sudo: ", "<4>Nov 22 03:04:05 h kernel: ", "<38>Nov 22 03:04:05 h su: ",
    "<38>Nov 22 03:04:05 h useradd: ", "type=EXECVE msg=audit(1795316645.5:7): ",
    "<78>Nov 22 03:04:05 h CRON[1]: ", "<86>Nov 22 03:04:05 h login: pam_unix(login:auth): ",
    "192.0.2.1 - - [22/Nov/2026:03:04:05 +0000] \"", "[Sun Nov 22 03:04:05.6 2026] [core:error] ",
    "2026/11/22 03:04:05 [error] 1#1: ", "<14>Nov 22 03:04:05 h MSWinEventLog\t1\tSecurity\t7\t",
    "<14>Nov 22 03:04:05 h 1,2026/11/22 03:04:05,0,TRAFFIC,"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_behind(prefixes, sizeof(prefixes) / sizeof(prefixes[0]), data, size);
	return 0;
}
