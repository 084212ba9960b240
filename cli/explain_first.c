#include "cli/explain_first.h"

#include "cli/context.h"

static void names_print(const struct str *names, size_t count, const struct record *record)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *field = record_find(record, names[i]);

		printf("      ");
		print_escaped(stdout, names[i]);
		printf(" = ");
		if (field == NULL || field->kind == FIELD_NULL)
			fputs(text(TEXT_cli_explain_absent), stdout);
		else
			print_escaped(stdout, field->value);
		putchar('\n');
	}
}

static bool all_there(const struct str *names, size_t count, const struct record *record)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *field = record_find(record, names[i]);

		if (field == NULL || field->kind == FIELD_NULL)
			return false;
	}
	return true;
}

void explain_first_print(const struct first_seen *first_seen, const struct record *record)
{
	char span[32];

	printf("  ");
	print_text(
	    stdout, TEXT_cli_explain_first, format_duration(first_seen->within_ns, span).ptr);
	putchar('\n');
	names_print(first_seen->fields, first_seen->field_count, record);
	if (first_seen->by_count > 0)
		printf("    %s\n", text(TEXT_cli_explain_first_by));
	names_print(first_seen->by, first_seen->by_count, record);
	if (first_seen->learn_ns > 0) {
		printf("    ");
		print_text(stdout, TEXT_cli_explain_first_learn,
		    format_duration(first_seen->learn_ns, span).ptr);
		putchar('\n');
	}
	if (!all_there(first_seen->fields, first_seen->field_count, record) ||
	    !all_there(first_seen->by, first_seen->by_count, record))
		printf("    %s\n", text(TEXT_cli_explain_first_absent));
}

static void names_json(struct json *json, const char *key, const struct str *names, size_t count,
    const struct record *record)
{
	json_key(json, str_of(key));
	json_open(json, '[');
	for (size_t i = 0; i < count; i++) {
		const struct field *field = record_find(record, names[i]);
		bool there = field != NULL && field->kind != FIELD_NULL;

		json_open(json, '{');
		json_pair(json, "name", names[i]);
		json_pair_bool(json, "there", there);
		if (there)
			json_pair(json, "value", field->value);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void explain_first_json(
    struct json *json, const struct first_seen *first_seen, const struct record *record)
{
	json_key(json, STR("first_seen"));
	json_open(json, '{');
	names_json(json, "fields", first_seen->fields, first_seen->field_count, record);
	names_json(json, "by", first_seen->by, first_seen->by_count, record);
	json_pair_i64(json, "within_ns", first_seen->within_ns);
	json_pair_i64(json, "learn_ns", first_seen->learn_ns);
	json_close(json, '}');
}
