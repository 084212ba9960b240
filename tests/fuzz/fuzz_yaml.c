/* fuzz: base - a YAML text, its tree walked and held against the limits */
#include "base/check.h"
#include "base/utf8.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct yaml_limits limits = {1u << 16, 4096, 32};

/* Nodes below and with this one; what a getter says must be what the kind allows. */
static size_t walk(const struct yaml_node *node, size_t depth)
{
	size_t nodes = 1, children = 0;
	int64_t integer;
	double number;
	bool truth;

	CHECK(depth <= limits.depth && node->line > 0 && node->column > 0);
	bool scalar = yaml_is_null(node) || yaml_to_bool(node, &truth) ||
		      yaml_to_i64(node, &integer) || yaml_to_double(node, &number);

	CHECK(!scalar || (node->kind == YAML_SCALAR && !node->quoted));
	CHECK(utf8_is_valid(node->scalar));
	for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
		if (node->kind == YAML_MAP)
			CHECK(yaml_get(node, child->key) == child);
		nodes += walk(child, depth + 1);
		children++;
	}
	CHECK(children == node->count && (children == 0 || node->kind != YAML_SCALAR));
	return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(8u << 20);
	struct yaml_node **roots;
	struct error error = {0};
	size_t count, nodes = 0;

	CHECK(arena != NULL);
	int code = yaml_parse(arena, str_from(data, size), "fuzz", &limits, &roots, &count, &error);

	CHECK(code == error.code);
	CHECK(code == 0 || code == ERR_DOCUMENT);
	CHECK(code == 0 || (error.line > 0 && error.column > 0 && error.text[0] != '\0'));
	for (size_t i = 0; code == 0 && i < count; i++)
		nodes += roots[i] == NULL ? 1 : walk(roots[i], 1);
	CHECK(nodes <= limits.nodes);
	arena_free(arena);
	return 0;
}
