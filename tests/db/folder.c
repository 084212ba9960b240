#include "tests/db/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

char *folder_new(void)
{
	const char *base = getenv("TMPDIR");
	char *name = NULL;

	CHECK(asprintf(&name, "%s/tocsin-test-XXXXXX", base == NULL ? "/tmp" : base) > 0);
	CHECK(mkdtemp(name) != NULL);
	return name;
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

void folder_free(char *folder)
{
	remove_tree(folder);
	free(folder);
}

char *folder_path(const char *folder, const char *name, char out[512])
{
	CHECK(snprintf(out, 512, "%s/%s", folder, name) < 512);
	return out;
}

void folder_copy(const char *from, const char *to)
{
	static char block[1 << 16];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t got;

	CHECK(in >= 0 && out >= 0);
	while ((got = read(in, block, sizeof(block))) > 0)
		CHECK(write(out, block, (size_t)got) == got);
	(void)close(in);
	(void)close(out);
}

/* splitmix64 (Steele, Lea, Flood 2014) */
unsigned long long folder_random(unsigned long long *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}
