/* fuzz: sigma - the linter over any text: each finding has a place in it and a code that is known */
#include "sigma/lint.h"

#include <stdlib.h>

static bool is_given(void *context, struct str product, struct str category, struct str service)
{
	(void)context;
	(void)category;
	(void)service;
	return product.len % 2 == 0;
}

static bool has_field(void *context, struct str product, struct str category, struct str field,
    struct str *ret_near)
{
	(void)context;
	(void)product;
	(void)category;
	if (ret_near != NULL)
		*ret_near = field.len % 3 == 0 ? STR("Near") : STR_NONE;
	return field.len % 2 == 0;
}

static void found(void *context, const struct lint_finding *finding)
{
	const size_t *size = context;

	if (finding->lint >= LINT_COUNT || finding->line == 0 || finding->column == 0 ||
	    finding->line > *size + 1 || (finding->subject.len > 0 && finding->subject.ptr == NULL))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct lint_sources sources = {is_given, has_field, NULL};
	struct linter *linter = linter_new(&sources, found, &size);
	struct str text = str_from(data, size);
	struct rule rule = {.file = STR("f.yml"), .line = 1};
	struct error error = {0};
	unsigned line, column;

	if (linter == NULL)
		return 0;
	/* A second file with the same text says everything twice. */
	if (linter_take(linter, text, "f.yml", &error) == 0 &&
	    linter_take(linter, str_slice(text, size / 2, size), "g.yml", &error) == 0)
		(void)linter_finish(linter, &error);
	linter_place(linter, &rule, STR("A"), STR("x"), &line, &column);
	linter_free(linter);
	return 0;
}
