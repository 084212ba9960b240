#include "correlator/suppress.h"

static bool suppress_begin(struct alert *alert, struct arena *arena, const struct rule *rule)
{
	alert->suppress_ns = rule->suppress_ns;
	if (rule->suppress_ns == 0 || rule->suppress_by_count == 0)
		return false;
	alert->suppress = arena_array(arena, rule->suppress_by_count, sizeof(*alert->suppress));
	return alert->suppress != NULL;
}

static void suppress_put(struct alert *alert, struct str name, struct str value)
{
	alert->suppress[alert->suppress_count++] = (struct alert_pair){name, value};
}

void suppress_of_record(struct alert *alert, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, const struct record *record)
{
	if (!suppress_begin(alert, arena, rule))
		return;
	for (size_t i = 0; i < rule->suppress_by_count; i++) {
		const struct field *field = record_find(record, rule->suppress_by[i]);

		if (field != NULL && field->kind != FIELD_NULL)
			suppress_put(alert, rule->suppress_by[i],
			    group_text(site, arena, field->value));
	}
}

void suppress_of_groups(struct alert *alert, struct arena *arena, const struct rule *rule)
{
	if (!suppress_begin(alert, arena, rule))
		return;
	for (size_t i = 0; i < rule->suppress_by_count; i++)
		for (size_t g = 0; g < alert->group_count; g++)
			if (str_eq(alert->groups[g].name, rule->suppress_by[i]))
				suppress_put(alert, alert->groups[g].name, alert->groups[g].value);
}
