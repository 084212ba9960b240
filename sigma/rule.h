/*
 * rule.h - a loaded Sigma rule, plain or correlation. Lives as long as its ruleset; read only.
 */
#ifndef TOCSIN_SIGMA_RULE_H
#define TOCSIN_SIGMA_RULE_H

#include "event/alert.h"

enum rule_kind { RULE_PLAIN, RULE_CORRELATION };

enum correlation_type {
#define CORRELATION(symbol, name, meaning) CORRELATION_##symbol,
#include "sigma/correlations.def"
#undef CORRELATION
	CORRELATION_COUNT
};

#define RULE_DEFAULT_FOLD (-1)

/* A line or two of traffic that must, or must not, raise the rule: custom attribute
 * tocsin.examples. */
struct rule_example {
	struct str name;
	bool fires;
	int64_t received_ns;  /* receive time of the first line; chooses the year where lines have
				 none */
	struct str *lines;    /* as received */
	size_t line_count;
	unsigned line;        /* where it stands in the rule's file */
};

/* "This rule is step number step of that correlation." */
struct rule_use {
	uint32_t correlation; /* rule index */
	uint32_t step;        /* index in its rules */
};

/*
 * Count conditions as an interval, so that two operators are a range: min <= n <= max, and not
 * equal except_. gt 4 is min 5. A temporal correlation counts distinct referenced rules.
 */
struct correlation_condition {
	uint64_t min, max;    /* max UINT64_MAX: none */
};

struct correlation {
	enum correlation_type type;
	uint32_t *rules;            /* rule indexes in listed order */
	size_t rule_count;
	struct str *group_by;       /* names, or aliases, as written */
	size_t group_count;
	struct str *fields; /* [step * group_count + group]: the field of that rule's events */
	struct str *value_fields;   /* value_count: field or tuple of fields */
	size_t value_count;
	int64_t timespan_ns;
	struct correlation_condition condition;
	bool generate;              /* the referenced rules alert on their own too */
	/*
	 * Chaining: a correlation that another one refers to is evaluated where that one is. root
	 * is the outermost; its group-by is a subset of each inner one's, so the key of the root
	 * decides the partition. key_groups[i]: which of this correlation's groups is the root's
	 * i-th.
	 */
	uint32_t root;
	uint32_t *key_groups;
	size_t key_group_count;
};

struct rule {
	uint32_t index;             /* in the ruleset */
	enum rule_kind kind;
	struct str name;            /* Sigma's name, for references; may be empty */
	struct alert_rule meta;     /* id, titles, level, tags, hash of the compiled form, ... */
	struct str file;            /* ended by NUL */
	unsigned line;              /* of its document */
	struct str product, category, service; /* log source; empty: any */
	bool silent; /* only feeds correlations without generate: no alert of its own */
	struct str *entity; /* tocsin.entity: fields whose values name what the alert is about */
	size_t entity_count;        /* 0: the default (host, user, source address as present) */
	/* tocsin.suppress: 0 is none; names in their order. by none: all matches are one key */
	int64_t suppress_ns;
	struct str *suppress_by;
	size_t suppress_by_count;
	int64_t fold_ns; /* tocsin.fold; 0 never; RULE_DEFAULT_FOLD: the store's default */
	const struct rule_use *uses;
	size_t use_count;
	const struct correlation *correlation; /* RULE_CORRELATION */
	const struct rule_example *examples;
	size_t example_count;
};

#endif
