#include "cli/gather.h"

#include "base/clock.h"
#include "base/file.h"
#include "net/control.h"

#define WAIT_NS (3 * NS_PER_S)

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return str_compare(
	    ((const struct gathered *)a)->stage, ((const struct gathered *)b)->stage);
}

/* Sockets are no regular files, so file_list does not see them. */
static int list_sockets(struct context *context, struct gathered ret[GATHER_MAX], size_t *count,
    struct error *error)
{
	const char *path = context_run_path(context, NULL);
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL && errno == ENOENT)
		return 0;
	if (folder == NULL)
		return error_system(error, errno, TEXT_base_open, path);
	while ((entry = readdir(folder)) != NULL && *count < GATHER_MAX) {
		struct str name = str_of(entry->d_name);

		if (!str_ends(name, STR(".sock")) || str_eq(name, STR("tocsin.sock")))
			continue;
		ret[(*count)++].stage =
		    arena_dup(context->arena, str_slice(name, 0, name.len - 5));
	}
	closedir(folder);
	qsort(ret, *count, sizeof(*ret), by_name);
	return 0;
}

int gather_list(struct context *context, struct gathered ret[GATHER_MAX], size_t *ret_count,
    struct error *error)
{
	memset(ret, 0, GATHER_MAX * sizeof(*ret));
	*ret_count = 0;
	return list_sockets(context, ret, ret_count, error);
}

void gather_ask(struct context *context, struct gathered *stage, struct str request)
{
	struct buf answer = BUF(16u << 20);
	struct error ignored = {0};
	char name[96];

	snprintf(name, sizeof(name), "%.*s.sock", STR_ARG(stage->stage));
	stage->failed = control_ask(context_run_path(context, name), request, WAIT_NS, &answer,
	    &ignored) < 0 || str_starts(buf_str(&answer), STR("error: "));
	stage->answer = arena_dup(context->arena, buf_str(&answer));
	buf_free(&answer);
}

int gather(struct context *context, struct str request, struct gathered ret[GATHER_MAX],
    size_t *ret_count, struct error *error)
{
	int code = gather_list(context, ret, ret_count, error);

	for (size_t i = 0; i < *ret_count && code == 0; i++)
		gather_ask(context, &ret[i], request);
	return code;
}
