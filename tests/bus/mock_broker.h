/*
 * mock_broker.h - librdkafka's mock cluster in a process of its own, so that a test may fork and
 * several processes may use it. It ends with the test.
 */
#ifndef TOCSIN_TESTS_BUS_MOCK_BROKER_H
#define TOCSIN_TESTS_BUS_MOCK_BROKER_H

#include <stdio.h>
#include <sys/types.h>

struct mock_broker {
	pid_t pid;
	FILE *commands, *answers;
	char address[128];
};

/* Before the first client of librdkafka in this process: it forks. 0 or -1. */
int mock_broker_start(struct mock_broker *mock);
/*
 * "topic NAME PARTITIONS", "down", "up", "rtt MS", "fail API CODE COUNT" (the next COUNT requests
 * of that kind are answered with the error). Returns when it is done; -1 when it is not.
 */
int mock_broker_tell(struct mock_broker *mock, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mock_broker_stop(struct mock_broker *mock);

#endif
