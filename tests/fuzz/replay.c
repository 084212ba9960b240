/*
 * Replays inputs through a fuzz target that is linked without libFuzzer: each argument is a file or
 * a folder of them; without arguments, tests/fuzz/corpus/NOUN for a program named fuzz_NOUN. One
 * line of TAP tells how many there were; a target that fails has aborted before.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX  (16u << 20)
#define INPUTS_MAX 100000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly its size on the heap, so that the sanitizer sees a step beyond it. */
static int replay_file(const char *path, struct error *error)
{
	struct arena *arena = arena_new(INPUT_MAX + 4096);
	struct str bytes;
	int code = arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				 : file_read(arena, path, INPUT_MAX, &bytes, error);

	if (code == 0) {
		uint8_t *exact = malloc(bytes.len == 0 ? 1 : bytes.len);

		if (exact == NULL) {
			code = error_set(error, ERR_MEMORY, TEXT_base_memory);
		} else {
			memcpy(exact, bytes.ptr, bytes.len);
			LLVMFuzzerTestOneInput(exact, bytes.len);
		}
		free(exact);
	}
	arena_free(arena);
	return code;
}

static int replay_path(const char *path, size_t *count, struct error *error)
{
	struct arena *arena = arena_new(64u << 20);
	struct str *paths = NULL;
	size_t found = 0;
	int code = arena == NULL
		       ? error_set(error, ERR_MEMORY, TEXT_base_memory)
		       : file_list(arena, path, STR(""), INPUTS_MAX, &paths, &found, error);

	for (size_t i = 0; code == 0 && i < found; i++)
		code = replay_file(paths[i].ptr, error);
	*count += found;
	arena_free(arena);
	return code;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash == NULL ? argv[0] : slash + 1;
	struct error error = {0};
	char message[1200], corpus[512];
	size_t count = 0;
	int code = 0;

	snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%s",
	    strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	if (argc < 2)
		code = replay_path(corpus, &count, &error);
	for (int i = 1; code == 0 && i < argc; i++)
		code = replay_path(argv[i], &count, &error);
	if (code == 0 && count > 0) {
		printf("1..1\nok 1 - %s: %zu inputs\n", name, count);
		return EXIT_SUCCESS;
	}
	printf("1..1\nnot ok 1 - %s: %s\n", name,
	    code == 0 ? "no inputs" : error_format(&error, message, sizeof(message)));
	return EXIT_FAILURE;
}
