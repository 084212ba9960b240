/* fuzz: sigma - a rule file: loaded or refused with a position, never more memory than allowed */
#include "base/check.h"
#include "sigma/ruleset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused(void *context, const struct error *error)
{
	(void)context;
	CHECK(error->code != 0 && error->text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ruleset_options options = {.refused = refused, .memory = (size_t)16 << 20};
	struct ruleset *ruleset = NULL;
	struct error error = {0};
	int code = ruleset_load_text(&ruleset, str_from(data, size), "fuzz.yml", &options, &error);

	CHECK(code == 0 || code == ERR_MEMORY);
	for (uint32_t i = 0; code == 0 && i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		CHECK(rule->index == i && ruleset_find(ruleset, rule->meta.id) == rule);
	}
	ruleset_free(ruleset);
	return 0;
}
