/* fuzz: sigma - a condition over four detections: compiled, or refused inside its text */
#include "base/check.h"
#include "sigma/detection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"a", "ab", "_c", "sel-1"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)32 << 20);
	struct error error = {0};
	struct builder builder = {
	    .arena = arena, .scratch = arena, .file = "fuzz.yml", .error = &error};
	struct yaml_node node = {.kind = YAML_SCALAR, .line = 1, .column = 1};
	struct detection detections[4];
	const struct expression *expression = NULL;
	uint32_t predicate;

	if (arena == NULL)
		return 0;
	for (uint32_t i = 0; i < 4; i++) {
		struct predicate made = {.kind = PREDICATE_EXISTS, .slot = 0};

		CHECK(builder_slot(&builder, str_of(names[i]), &made.slot) == 0);
		CHECK(builder_predicate(&builder, made, &predicate) == 0);
		detections[i] = (struct detection){str_of(names[i]),
		    expression_predicate(&builder, predicate)};
	}
	node.scalar = str_from(data, size);
	int code = condition_compile(&builder, &node, detections, 4, &expression);

	CHECK(code == 0 || code == ERR_DOCUMENT || code == ERR_MEMORY);
	CHECK((code == 0) == (expression != NULL) || code < 0);
	CHECK(code != ERR_DOCUMENT || (error.line == 1 && error.column <= size + 1));
	arena_free(arena);
	return 0;
}
