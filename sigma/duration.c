#include "sigma/draft.h"

#include "base/clock.h"

struct unit {
	char letter;
	int64_t seconds;
};

/*
 * A month and a year are a twelfth and the whole of the mean Gregorian year, as elsewhere in Sigma.
 */
static const struct unit units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800},
    {'M', 2629746}, {'y', 31556952}};

static bool duration_parse(struct str text, int64_t *ret)
{
	uint64_t count;

	if (text.len < 2 || !str_to_u64(str_slice(text, 0, text.len - 1), &count))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].letter != text.ptr[text.len - 1])
			continue;
		if (count > (uint64_t)(INT64_MAX / NS_PER_S / 4 / units[i].seconds))
			return false;
		*ret = (int64_t)count * units[i].seconds * NS_PER_S;
		return true;
	}
	return false;
}

int duration_take(struct builder *builder, const struct yaml_node *node, bool zero, int64_t *ret)
{
	struct str text = node->scalar;

	if (node->kind != YAML_SCALAR)
		return builder_refuse_node(
		    builder, node, TEXT_sigma_expected_text, STR_ARG(node->key));
	if (zero && str_eq(text, STR("0"))) {
		*ret = 0;
		return 0;
	}
	if (!duration_parse(text, ret) || (!zero && *ret == 0))
		return builder_refuse_node(builder, node, TEXT_sigma_duration, STR_ARG(text));
	return 0;
}
