/*
 * draft.h - a document of a rule file on its way to a rule. Lives for the loading; what the rule
 * keeps is copied into the ruleset's arena.
 */
#ifndef TOCSIN_SIGMA_DRAFT_H
#define TOCSIN_SIGMA_DRAFT_H

#include "sigma/builder.h"

enum draft_state { DRAFT_PENDING, DRAFT_READY, DRAFT_REFUSED, DRAFT_FILTER };

struct draft {
	enum draft_state state;
	struct rule rule;
	const char *file;
	const struct yaml_node *root;
	bool skipped;                        /* deprecated or unsupported */
	const struct expression *expression; /* of a plain rule */

	struct first_seen *first_seen;       /* of a plain rule; or NULL */
	const struct yaml_node *correlation_node;
	struct correlation *correlation;
	const struct yaml_node *aliases;
	struct draft **steps;                /* rules that it refers to */
	const struct yaml_node *references;  /* its list of ids and names */
	struct formula *formula;             /* a condition over rules; or NULL */

	const struct yaml_node *filter_rules; /* of a filter: its list, or NULL for any */
	bool is_filter;
	const struct expression **filters;   /* of a plain rule */
	size_t filter_count, filter_capacity;
	const struct draft *filtered_by;     /* the last of them */
};

/* Fills the draft from its root. 0, ERR_DOCUMENT or ERR_MEMORY. (draft.c) */
int draft_read(struct builder *builder, struct draft *draft);
/* The custom attribute "tocsin". (attribute.c) */
int attribute_read(struct builder *builder, const struct yaml_node *node, struct draft *draft);
/* What of it can only be judged beside the rest of the document. */
int attribute_check(struct builder *builder, struct draft *draft);
/* Adds tocsin.first_seen, if there is one, to the rule's compiled form. */
void attribute_first_seen_name(struct draft *draft, struct buf *out);
/* What a correlation says by itself. (correlation.c) */
int correlation_read(struct builder *builder, const struct yaml_node *node, struct draft *draft);
/* Its condition, when all else has been read. (correlation_condition.c) */
int correlation_condition_read(struct builder *builder, const struct yaml_node *node,
    struct draft *draft);
/* The alternatives of a condition over rules, when the steps stand. */
int correlation_condition_bind(struct builder *builder, struct draft *draft);
bool correlation_is_temporal(const struct correlation *correlation);
/* A list of different texts, not empty. */
int correlation_list_check(struct builder *builder, const struct yaml_node *node, size_t max);
/* The list of references; correlation_read has checked that it is a list of texts. */
const struct yaml_node *correlation_references(const struct draft *draft);
/* Binds a correlation to its steps, which are READY: everything but indexes, root and keys. */
int correlation_bind(struct builder *builder, struct draft *draft);

/*
 * The compiled form of a plain rule: what it means, and where. Again whenever its expression has
 * changed.
 */
int draft_name(struct builder *builder, struct draft *draft);
/* What a filter says by itself. (filter.c) */
int filter_read(struct builder *builder, const struct yaml_node *node, struct draft *draft);
/*
 * Which correlations belong together, and by which groups: roots, keys and depths, of drafts whose
 * rules have their indexes. False without memory. (chain.c)
 */
bool chain_place(struct builder *builder, struct draft **drafts, size_t count);
/* Whether the filter's log source takes in the rule's: each attribute that it gives is equal. */
bool filter_covers(const struct draft *filter, const struct draft *rule);
/* Adds the filter to the rule's. */
int filter_add(struct builder *builder, const struct draft *filter, struct draft *rule);
/* The rule holds only where its filters do too. */
int filter_apply(struct builder *builder, struct draft *rule);

/* One row of a table of keys. */
struct key {
	const char *name;
	int (*read)(struct builder *builder, const struct yaml_node *node, struct draft *draft);
	bool required;
};
/* Calls the handler of each key of the map; unknown keys are passed over when tolerant. */
int keys_read(struct builder *builder, const struct yaml_node *map, const struct key *keys,
    size_t count, bool tolerant, struct draft *draft);
int text_take(struct builder *builder, const struct yaml_node *node, size_t max, struct str *ret);
/* A text or a list of texts. */
int texts_take(struct builder *builder, const struct yaml_node *node, struct str **ret,
    size_t *ret_count);
/* "5m"; units s m h d w M y. zero: "0" is allowed. (duration.c) */
int duration_take(struct builder *builder, const struct yaml_node *node, bool zero, int64_t *ret);

#define TEXT_MAX 16384u
#define NAME_MAX_BYTES 256u

#endif
