/* The suite of every bus, in a folder. */
#include "tests/bus/conformance.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

static char root[256];

static void fresh(struct bus_options *ret)
{
	static unsigned number;
	static char path[300];

	CHECK(snprintf(path, sizeof(path), "%s/%u", root, number++) < (int)sizeof(path));
	ret->backend = "local";
	ret->path = path;
}

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

int main(void)
{
	static const struct house house = {"bus_local", HOUSE_KILL | HOUSE_TWICE, fresh, NULL};
	const char *base = getenv("TMPDIR");
	int failed;

	CHECK(snprintf(root, sizeof(root), "%s/tocsin-conform-XXXXXX", base == NULL ? "/tmp" : base)
	    < (int)sizeof(root));
	CHECK(mkdtemp(root) != NULL);
	failed = conformance_run(&house);
	remove_tree(root);
	return failed;
}
