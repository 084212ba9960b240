/*
 * lint_state.h - what a linter holds; for the files lint*.c alone.
 */
#ifndef TOCSIN_SIGMA_LINT_STATE_H
#define TOCSIN_SIGMA_LINT_STATE_H

#include "base/yaml.h"
#include "sigma/lint.h"
#include "sigma/name_table.h"

struct lint_document {
	const char *file;
	const struct yaml_node *root;      /* a map */
	const struct yaml_node *detection; /* of a rule or filter; else NULL */
	const struct yaml_node *correlation;
	struct str title, product, category, service;
	bool is_filter;
};

struct linter {
	struct arena *arena;
	struct lint_sources sources;
	void (*found)(void *context, const struct lint_finding *finding);
	void *context;
	struct lint_document **documents;
	size_t count, capacity;
	struct name_table titles, names; /* of documents */
	struct name_table places;        /* "file:line" */
};

/* One "field|modifiers: values". */
struct lint_item {
	const struct lint_document *document;
	const struct yaml_node *node;
	struct str field, modifiers;
};

void lint_tell(struct linter *linter, const struct lint_document *document, enum lint lint,
    const struct yaml_node *node, struct str subject);
/* The same at a key. */
void lint_tell_key(struct linter *linter, const struct lint_document *document, enum lint lint,
    const struct yaml_node *node, struct str subject);
bool lint_has_modifier(const struct lint_item *item, const char *name);
/* Each item of all detections. */
void lint_items_each(const struct lint_document *document,
    void (*take)(void *context, const struct lint_item *item), void *context);
/* A scalar's text; empty for what is none, or null. node may be NULL. */
struct str lint_text(const struct yaml_node *node);

/* lint_meta.c */
void lint_meta(struct linter *linter, const struct lint_document *document);
/* lint_detection.c */
void lint_detection(struct linter *linter, const struct lint_document *document);
/* lint_value.c: one item */
void lint_values(struct linter *linter, const struct lint_item *item);
/* lint_source.c */
void lint_source(struct linter *linter, const struct lint_document *document);
void lint_correlation(struct linter *linter, const struct lint_document *document);

#endif
