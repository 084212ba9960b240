/*
 * What describes a rule: title, id, status, tags, dates.
 */
#include "sigma/lint_state.h"

#define TITLE_MAX 256u
#define TAGS_MAX  1024u /* more than people write are not judged */

static const struct yaml_node *key_of(const struct lint_document *document, const char *key)
{
	return yaml_get(document->root, str_of(key));
}

static void check_title(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *node = key_of(document, "title");
	const uint32_t *other;
	size_t characters = 0;

	if (document->title.len == 0)
		return;
	for (size_t i = 0; i < document->title.len; i++)
		characters += ((uint8_t)document->title.ptr[i] & 0xC0) != 0x80;
	if (characters > TITLE_MAX)
		lint_tell(linter, document, LINT_TITLE_LONG, node, STR_NONE);
	other = name_table_find(&linter->titles, document->title);
	if (other == NULL) {
		(void)name_table_put(linter->arena, &linter->titles, document->title,
		    (uint32_t)linter->count - 1);
		return;
	}
	const struct lint_document *first = linter->documents[*other];

	lint_tell(linter, document, LINT_TITLE_TWICE, node,
	    arena_printf(linter->arena, "%s:%u", first->file, first->root->line));
}

/* RFC 9562 section 4: 8-4-4-4-12 hexadecimal digits. */
static bool is_uuid(struct str text)
{
	if (text.len != 36)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text.ptr[i] != '-' : char_hex(text.ptr[i]) < 0)
			return false;
	}
	return true;
}

static void check_id(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *node = key_of(document, "id");

	if (lint_text(node).len == 0)
		lint_tell(linter, document, LINT_ID_MISSING, document->root, STR_NONE);
	else if (!is_uuid(node->scalar))
		lint_tell(linter, document, LINT_ID_FORM, node, node->scalar);
}

static void check_status(struct linter *linter, const struct lint_document *document)
{
	static const char *const known[] = {
	    "stable", "test", "experimental", "deprecated", "unsupported"};
	const struct yaml_node *node = key_of(document, "status");
	struct str status = lint_text(node);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_eq(status, str_of(known[i])))
			return;
	}
	lint_tell(linter, document, LINT_STATUS, node != NULL ? node : document->root, status);
}

static void check_said(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *author = key_of(document, "author");

	if (!document->is_filter && lint_text(key_of(document, "level")).len == 0)
		lint_tell(linter, document, LINT_LEVEL_MISSING, document->root, STR_NONE);
	if (str_trim(lint_text(key_of(document, "description"))).len == 0)
		lint_tell(linter, document, LINT_DESCRIPTION, document->root, STR_NONE);
	if (author == NULL || (author->kind != YAML_LIST && lint_text(author).len == 0))
		lint_tell(linter, document, LINT_AUTHOR, document->root, STR_NONE);
}

/* "t1059.001", "g0016", "ta0001": one or two letters, four digits, and a technique's part. */
static bool is_attack_id(struct str text)
{
	size_t letters = 0, at;

	while (letters < text.len && char_is_alpha(text.ptr[letters]))
		letters++;
	for (at = letters; at < text.len && at < letters + 4; at++) {
		if (!char_is_digit(text.ptr[at]))
			return false;
	}
	if (letters == 0 || letters > 2 || at != letters + 4)
		return false;
	if (at == text.len)
		return true;
	if (char_lower(text.ptr[0]) != 't' || letters != 1 || text.len != at + 4 ||
	    text.ptr[at] != '.')
		return false;
	return char_is_digit(text.ptr[at + 1]) && char_is_digit(text.ptr[at + 2]) &&
	    char_is_digit(text.ptr[at + 3]);
}

static bool is_tactic(struct str text)
{
	static const struct str tactics[] = {
#define TACTIC(tag, english, vietnamese) STR_INIT(tag),
#include "sigma/tactics.def"
#undef TACTIC
	};

	for (size_t i = 0; i < sizeof(tactics) / sizeof(tactics[0]); i++) {
		bool same = text.len == tactics[i].len;

		for (size_t k = 0; same && k < text.len; k++) {
			char c = text.ptr[k] == '_' ? '-' : char_lower(text.ptr[k]);

			same = c == tactics[i].ptr[k];
		}
		if (same)
			return true;
	}
	return false;
}

static void check_tag(struct linter *linter, const struct lint_document *document,
    const struct yaml_node *tag)
{
	static const char *const known[] = {
	    "attack", "car", "cve", "d3fend", "detection", "stp", "tlp"};
	struct str rest = lint_text(tag), space;
	bool found = false;

	(void)str_cut(&rest, '.', &space);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		found |= str_eq_fold(space, str_of(known[i]));
	if (!found || rest.len == 0)
		lint_tell(linter, document, LINT_TAG_NAMESPACE, tag, lint_text(tag));
	else if (str_eq_fold(space, STR("attack")) && !is_attack_id(rest) && !is_tactic(rest))
		lint_tell(linter, document, LINT_TAG_ATTACK, tag, tag->scalar);
}

static void check_tags(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *tags = key_of(document, "tags");

	if (tags == NULL || tags->kind != YAML_LIST || tags->count > TAGS_MAX)
		return;
	for (const struct yaml_node *tag = tags->first; tag != NULL; tag = tag->next) {
		bool twice = false;

		check_tag(linter, document, tag);
		for (const struct yaml_node *other = tags->first; other != tag && !twice;
		     other = other->next)
			twice = str_eq_fold(lint_text(other), lint_text(tag));
		if (twice)
			lint_tell(linter, document, LINT_TAG_TWICE, tag, lint_text(tag));
	}
}

static bool is_date(struct str text)
{
	uint64_t year, month, day;

	return text.len == 10 && text.ptr[4] == '-' && text.ptr[7] == '-' &&
	    str_to_u64(str_slice(text, 0, 4), &year) && year >= 1970 &&
	    str_to_u64(str_slice(text, 5, 7), &month) && month >= 1 && month <= 12 &&
	    str_to_u64(str_slice(text, 8, 10), &day) && day >= 1 && day <= 31;
}

static void check_dates(struct linter *linter, const struct lint_document *document)
{
	static const char *const keys[] = {"date", "modified"};
	const struct yaml_node *nodes[2];
	bool good = true;

	for (size_t i = 0; i < 2; i++) {
		nodes[i] = key_of(document, keys[i]);
		if (nodes[i] != NULL && !is_date(lint_text(nodes[i]))) {
			lint_tell(linter, document, LINT_DATE, nodes[i], lint_text(nodes[i]));
			good = false;
		}
	}
	if (good && nodes[0] != NULL && nodes[1] != NULL &&
	    str_compare(nodes[1]->scalar, nodes[0]->scalar) < 0)
		lint_tell(linter, document, LINT_DATE_ORDER, nodes[1], nodes[1]->scalar);
}

static void check_falsepositive(struct linter *linter, const struct lint_document *document,
    const struct yaml_node *node)
{
	static const char *const idle[] = {"none", "no", "n/a", "na", "-", "nothing", "nil"};
	struct str text = str_trim(lint_text(node));

	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		text.len--;
	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
		if (str_eq_fold(text, str_of(idle[i]))) {
			lint_tell(linter, document, LINT_FALSEPOSITIVE, node, node->scalar);
			return;
		}
	}
}

static void check_falsepositives(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *node = key_of(document, "falsepositives");
	bool list = node != NULL && node->kind == YAML_LIST;

	for (const struct yaml_node *one = list ? node->first : node; one != NULL;
	     one = list ? one->next : NULL)
		check_falsepositive(linter, document, one);
}

static void check_examples(struct linter *linter, const struct lint_document *document)
{
	const struct yaml_node *own = key_of(document, "tocsin");

	if (!document->is_filter && (own == NULL || own->kind != YAML_MAP ||
	                                yaml_get(own, STR("examples")) == NULL))
		lint_tell(linter, document, LINT_EXAMPLES, document->root, STR_NONE);
}

void lint_meta(struct linter *linter, const struct lint_document *document)
{
	check_title(linter, document);
	check_id(linter, document);
	check_said(linter, document);
	check_status(linter, document);
	check_tags(linter, document);
	check_dates(linter, document);
	check_falsepositives(linter, document);
	check_examples(linter, document);
}
