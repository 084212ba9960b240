/*
 * The suite of every bus with the spool in front: of the memory bus, and of Kafka's mock. Nothing
 * is ever behind here, so records go straight; what happens when it is, test_spool.c tells.
 */
#include "tests/bus/conformance.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bus/bus_spool.h"
#include "tests/bus/mock_broker.h"

static char root[256];
static struct mock_broker mock;
static struct bus_setting settings[4];
static struct bus_spool_options spool;

static void remove_tree(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char *inner = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		CHECK(asprintf(&inner, "%s/%s", path, entry->d_name) > 0);
		if (entry->d_type == DT_DIR)
			remove_tree(inner);
		else
			(void)unlink(inner);
		free(inner);
	}
	if (folder != NULL)
		(void)closedir(folder);
	(void)rmdir(path);
}

static void fresh(struct bus_options *ret, const char *inner)
{
	static unsigned number;
	static char path[300];

	CHECK(snprintf(path, sizeof(path), "%s/%u", root, number++) < (int)sizeof(path));
	spool = (struct bus_spool_options){.inner = inner, .path = path,
		.after_ns = 60 * NS_PER_S};
	ret->backend = "spool";
	ret->spool = &spool;
}

static void fresh_memory(struct bus_options *ret)
{
	fresh(ret, "memory");
	ret->path = spool.path;
	ret->memory_durable = true;
}

static void fresh_mock(struct bus_options *ret)
{
	static char prefix[32];
	static unsigned number;
	static const unsigned partitions[TOPIC_COUNT] = {4, 2, 1};

	fresh(ret, "kafka");
	snprintf(prefix, sizeof(prefix), "spool-%u.", number++);
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		CHECK(mock_broker_tell(&mock, "topic %s%s %u", prefix,
		    bus_topic_name((enum bus_topic)t).ptr, partitions[t]) == 0);
	settings[0] = (struct bus_setting){STR("bootstrap.servers"), str_of(mock.address)};
	settings[1] = (struct bus_setting){STR("compression.codec"), STR("none")};
	settings[2] = (struct bus_setting){STR("linger.ms"), STR("2")};
	settings[3] = (struct bus_setting){STR("retry.backoff.ms"), STR("10")};
	ret->prefix = prefix;
	ret->settings = settings;
	ret->setting_count = 4;
}

int main(void)
{
	static const struct house memory = {"bus_spool on memory", HOUSE_RETAIN, fresh_memory,
		NULL};
	static const struct house kafka = {"bus_spool on Kafka's mock",
		HOUSE_KILL | HOUSE_FORGETS, fresh_mock, NULL};
	const char *base = getenv("TMPDIR");
	int failed;

	CHECK(snprintf(root, sizeof(root), "%s/tocsin-spool-XXXXXX", base == NULL ? "/tmp" : base)
	    < (int)sizeof(root));
	CHECK(mkdtemp(root) != NULL);
	CHECK(mock_broker_start(&mock) == 0);
	failed = conformance_run(&memory);
	failed += conformance_run(&kafka);
	mock_broker_stop(&mock);
	remove_tree(root);
	return failed;
}
