#include "cli/coverage.h"

#include "base/json.h"
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>

#define TITLES_MAX 8u

struct tactic {
	const char *tag, *english, *vietnamese;
};

static const struct tactic tactics[] = {
#define TACTIC(tag, english, vietnamese) {tag, english, vietnamese},
#include "sigma/tactics.def"
#undef TACTIC
};

#define TACTICS (sizeof(tactics) / sizeof(tactics[0]))

/* "This rule names that technique." */
struct naming {
	char id[16]; /* "T1059.001" */
	const struct rule *rule;
};

/* What stands behind "attack." in a tag; empty when it is none of ATT&CK's. */
static struct str tag_of(const struct rule *rule, size_t index)
{
	struct str tag = rule->meta.tags[index];

	return str_starts_fold(tag, STR("attack.")) ? str_slice(tag, 7, tag.len) : STR_NONE;
}

static bool digits_take(struct str *rest, size_t count)
{
	if (rest->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!char_is_digit(rest->ptr[i]))
			return false;
	}
	*rest = str_slice(*rest, count, rest->len);
	return true;
}

/* "t1059", "t1059.001" */
static bool technique_parse(struct str tag, char ret[16])
{
	struct str rest = str_slice(tag, 1, tag.len);

	if (tag.len == 0 || char_lower(tag.ptr[0]) != 't' || !digits_take(&rest, 4))
		return false;
	if (rest.len > 0) {
		if (rest.ptr[0] != '.')
			return false;
		rest = str_slice(rest, 1, rest.len);
		if (!digits_take(&rest, 3) || rest.len > 0)
			return false;
	}
	memcpy(ret, tag.ptr, tag.len);
	ret[0] = 'T';
	ret[tag.len] = '\0';
	return true;
}

static char tag_char(char c)
{
	return c == '_' ? '-' : char_lower(c);
}

/* Older rules write "initial_access". */
static size_t tactic_find(struct str tag)
{
	for (size_t i = 0; i < TACTICS; i++) {
		size_t at = 0;

		while (at < tag.len && tag_char(tag.ptr[at]) == tactics[i].tag[at])
			at++;
		if (at == tag.len && tag.len > 0 && tactics[i].tag[at] == '\0')
			return i;
	}
	return STR_NOT_FOUND;
}

static bool has_tactic(const struct rule *rule, size_t tactic)
{
	for (size_t i = 0; i < rule->meta.tag_count; i++) {
		if (tactic_find(tag_of(rule, i)) == tactic)
			return true;
	}
	return false;
}

static int naming_compare(const void *a, const void *b)
{
	const struct naming *left = a, *right = b;
	int order = strcmp(left->id, right->id);

	if (order != 0 || left->rule == right->rule)
		return order;
	return left->rule->index < right->rule->index ? -1 : 1;
}

/* Sorted by technique, then rule; each pair once. */
static struct naming *namings_collect(const struct ruleset *ruleset, size_t *ret_count)
{
	size_t most = 0, count = 0, kept = 0;

	for (uint32_t i = 0; i < ruleset_count(ruleset); i++)
		most += ruleset_rule(ruleset, i)->meta.tag_count;
	struct naming *namings = calloc(most + 1, sizeof(*namings));

	for (uint32_t i = 0; namings != NULL && i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		for (size_t tag = 0; tag < rule->meta.tag_count; tag++) {
			namings[count].rule = rule;
			count += technique_parse(tag_of(rule, tag), namings[count].id);
		}
	}
	if (namings == NULL)
		return NULL;
	qsort(namings, count, sizeof(*namings), naming_compare);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || naming_compare(&namings[kept - 1], &namings[i]) != 0)
			namings[kept++] = namings[i];
	}
	*ret_count = kept;
	return namings;
}

/* How many in a row have the technique of the first. */
static size_t run_of(const struct naming *namings, size_t count)
{
	size_t run = 1;

	while (run < count && strcmp(namings[run].id, namings[0].id) == 0)
		run++;
	return run;
}

static void comment_write(struct json *json, const struct naming *namings, size_t run)
{
	struct buf out = BUF(1 << 16);

	for (size_t i = 0; i < run && i < TITLES_MAX; i++) {
		buf_str_put(&out, i > 0 ? STR("; ") : STR(""));
		buf_str_put(&out, namings[i].rule->meta.title);
	}
	if (run > TITLES_MAX)
		buf_str_put(&out, STR("; ..."));
	json_pair(json, "comment", buf_str(&out));
	buf_free(&out);
}

static void techniques_write(struct json *json, const struct naming *namings, size_t count,
    size_t *ret_most)
{
	*ret_most = 1;
	json_key(json, STR("techniques"));
	json_open(json, '[');
	for (size_t i = 0, run; i < count; i += run) {
		run = run_of(namings + i, count - i);
		*ret_most = run > *ret_most ? run : *ret_most;
		json_open(json, '{');
		json_pair(json, "techniqueID", str_of(namings[i].id));
		json_pair_u64(json, "score", run);
		comment_write(json, namings + i, run);
		json_pair_bool(json, "enabled", true);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void layer_print(const struct naming *namings, size_t count, const char *name)
{
	struct buf out = BUF((size_t)64 << 20);
	struct json json = json_begin(&out);
	size_t most;

	json_open(&json, '{');
	json_pair(&json, "name", str_of(name));
	json_key(&json, STR("versions"));
	json_open(&json, '{');
	json_pair(&json, "layer", STR("4.5"));
	json_pair(&json, "navigator", STR("5.1.0"));
	json_close(&json, '}');
	json_pair(&json, "domain", STR("enterprise-attack"));
	json_pair(&json, "description", str_of(text(TEXT_cli_coverage_layer)));
	json_pair_u64(&json, "sorting", 3); /* by score, falling */
	techniques_write(&json, namings, count, &most);
	json_key(&json, STR("gradient"));
	json_open(&json, '{');
	json_key(&json, STR("colors"));
	json_open(&json, '[');
	json_str(&json, STR("#e8f1fa"));
	json_str(&json, STR("#1f5fa8"));
	json_close(&json, ']');
	json_pair_u64(&json, "minValue", 0);
	json_pair_u64(&json, "maxValue", most);
	json_close(&json, '}');
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static void row_print(const char *name, size_t rules, size_t techniques)
{
	print_padded(stdout, name, 30);
	printf("%8zu %10zu\n", rules, techniques);
}

/* Techniques with a rule of that tactic. */
static size_t techniques_count(const struct naming *namings, size_t count, size_t tactic)
{
	size_t found = 0;

	for (size_t i = 0, run; i < count; i += run) {
		bool here = false;

		run = run_of(namings + i, count - i);
		for (size_t k = 0; k < run && !here; k++)
			here = has_tactic(namings[i + k].rule, tactic);
		found += here;
	}
	return found;
}

static bool is_named(const struct rule *rule)
{
	for (size_t i = 0; i < rule->meta.tag_count; i++) {
		char id[16];
		struct str tag = tag_of(rule, i);

		if (technique_parse(tag, id) || tactic_find(tag) != STR_NOT_FOUND)
			return true;
	}
	return false;
}

static void table_print(const struct ruleset *ruleset, const struct naming *namings, size_t count)
{
	bool vietnamese = text_language() == LANGUAGE_VIETNAMESE;
	size_t named = 0, techniques = 0;

	print_padded(stdout, text(TEXT_cli_coverage_tactic), 30);
	print_padded(stdout, text(TEXT_cli_coverage_rules), -8);
	print_padded(stdout, text(TEXT_cli_coverage_techniques), -11);
	putchar('\n');
	for (size_t t = 0; t < TACTICS; t++) {
		size_t rules = 0;

		for (uint32_t i = 0; i < ruleset_count(ruleset); i++)
			rules += has_tactic(ruleset_rule(ruleset, i), t);
		row_print(vietnamese ? tactics[t].vietnamese : tactics[t].english, rules,
		    techniques_count(namings, count, t));
	}
	for (uint32_t i = 0; i < ruleset_count(ruleset); i++)
		named += is_named(ruleset_rule(ruleset, i));
	for (size_t i = 0; i < count; i += run_of(namings + i, count - i))
		techniques++;
	print_text(stdout, TEXT_cli_coverage_total, named, ruleset_count(ruleset), techniques);
	putchar('\n');
}

int coverage_print(const struct ruleset *ruleset, const char *name, bool layer,
    struct error *error)
{
	size_t count = 0;
	struct naming *namings = namings_collect(ruleset, &count);

	if (namings == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (layer)
		layer_print(namings, count, name);
	else
		table_print(ruleset, namings, count);
	free(namings);
	return 0;
}
