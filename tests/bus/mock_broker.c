#include "tests/bus/mock_broker.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	char topic[200];
	int a, b, c;

	if (sscanf(line, "topic %199s %d", topic, &a) == 2)
		return rd_kafka_mock_topic_create(cluster, topic, a, 1) == 0;
	if (strcmp(line, "down\n") == 0)
		return rd_kafka_mock_broker_set_down(cluster, 1) == 0;
	if (strcmp(line, "up\n") == 0)
		return rd_kafka_mock_broker_set_up(cluster, 1) == 0;
	if (sscanf(line, "rtt %d", &a) == 1)
		return rd_kafka_mock_broker_set_rtt(cluster, 1, a) == 0;
	if (sscanf(line, "fail %d %d %d", &a, &b, &c) != 3)
		return false;
	rd_kafka_mock_clear_request_errors(cluster, (int16_t)a);
	for (int i = 0; i < c; i++)
		rd_kafka_mock_push_request_errors(cluster, (int16_t)a, 1, (rd_kafka_resp_err_t)b);
	return true;
}

static void quiet(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	(void)level;
	(void)facility;
	(void)text;
}

static _Noreturn void serve(FILE *commands, FILE *answers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char reason[256], line[256];

	rd_kafka_conf_set_log_cb(conf, quiet);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
	rd_kafka_mock_cluster_t *cluster = rk == NULL ? NULL : rd_kafka_mock_cluster_new(rk, 1);

	if (cluster == NULL)
		_exit(1);
	fprintf(answers, "%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(answers);
	while (fgets(line, sizeof(line), commands) != NULL) {
		fputs(obey(cluster, line) ? "yes\n" : "no\n", answers);
		fflush(answers);
	}
	_exit(0);
}

int mock_broker_start(struct mock_broker *mock)
{
	int down[2], up[2];

	if (pipe(down) != 0 || pipe(up) != 0)
		return -1;
	mock->pid = fork();
	if (mock->pid == 0) {
		close(down[1]);
		close(up[0]);
		serve(fdopen(down[0], "r"), fdopen(up[1], "w"));
	}
	close(down[0]);
	close(up[1]);
	mock->commands = fdopen(down[1], "w");
	mock->answers = fdopen(up[0], "r");
	if (mock->pid < 0 || fgets(mock->address, sizeof(mock->address), mock->answers) == NULL)
		return -1;
	mock->address[strcspn(mock->address, "\n")] = '\0';
	return 0;
}

int mock_broker_tell(struct mock_broker *mock, const char *format, ...)
{
	char answer[16];
	va_list args;

	va_start(args, format);
	vfprintf(mock->commands, format, args);
	va_end(args);
	fputc('\n', mock->commands);
	fflush(mock->commands);
	return fgets(answer, sizeof(answer), mock->answers) != NULL && strcmp(answer, "yes\n") == 0
	    ? 0 : -1;
}

void mock_broker_stop(struct mock_broker *mock)
{
	kill(mock->pid, SIGKILL);
	waitpid(mock->pid, NULL, 0);
	fclose(mock->commands);
	fclose(mock->answers);
}
