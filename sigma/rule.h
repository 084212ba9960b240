/*
 * rule.h - a loaded Sigma rule, plain or correlation. Lives as long as its ruleset; read only.
 */
#ifndef TOCSIN_SIGMA_RULE_H
#define TOCSIN_SIGMA_RULE_H

#include "event/alert.h"
#include "sigma/decimal.h"

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

enum bound_kind { BOUND_GT, BOUND_GTE, BOUND_LT, BOUND_LTE, BOUND_EQ, BOUND_NEQ };

#define BOUND_KINDS 6

/*
 * Several bounds are all required, so two are a range. Counts are an interval too: min <= n <= max;
 * gt 4 is min 5. A temporal correlation counts distinct referenced rules.
 */
struct correlation_condition {
	uint64_t min, max;    /* max UINT64_MAX: none */
	struct correlation_bound {
		enum bound_kind kind;
		decimal value;
	} bounds[BOUND_KINDS];
	size_t bound_count;
};

/* When a correlation is decided. */
enum correlation_course {
	COURSE_ARRIVAL, /* as events come, for nothing that comes later undoes it; shown early */
	COURSE_SUM,     /* at each event, in order of time */
	COURSE_CLOSE,   /* when the window that a group's first event opens has passed */
	COURSE_PATTERN  /* temporal, by its terms: shown early where none asks for absence */
};

/* An alternative of a temporal correlation, as bits of steps. */
struct correlation_term {
	uint64_t present, absent;
};

struct correlation {
	enum correlation_type type;
	uint32_t *rules;            /* rule indexes in listed order */
	size_t rule_count;
	struct str *group_by;       /* names, or aliases, as written */
	size_t group_count;
	struct str *fields; /* [step * group_count + group]: the field of that rule's events */
	struct str *value_fields;   /* field or tuple of fields as written; or aliases */
	size_t value_count;
	struct str *values; /* [step * value_count + value]: the field of that rule's events */
	uint32_t rank;              /* value_percentile: in hundredths */
	int64_t timespan_ns;
	struct correlation_condition condition;
	enum correlation_course course;
	struct correlation_term *terms; /* COURSE_PATTERN */
	size_t term_count;
	bool waits;                 /* COURSE_PATTERN: some term asks for absence */
	bool generate;              /* the referenced rules alert on their own too */
	/*
	 * Chaining: correlations that refer to each other are evaluated in one partition, that of
	 * the groups that all of them have (chain.c). key_groups[i]: which of this correlation's
	 * groups is the i-th of those. root names them all: the outermost, or one of those. depth:
	 * how many correlations lie below it.
	 */
	uint32_t root, depth;
	uint32_t *key_groups;
	size_t key_group_count;
};

/*
 * tocsin.first_seen: of the rule's matches only those are told whose values of fields were not seen
 * in the group of by within that time before; none in the time in which a group is learnt. Names in
 * their order, no field twice.
 */
struct first_seen {
	struct str *by, *fields;
	size_t by_count, field_count;
	int64_t within_ns, learn_ns;
	struct hash128 scope; /* of rule id and names: whose memory a row is */
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
	const struct first_seen *first_seen;   /* RULE_PLAIN; or NULL */
	const struct rule_example *examples;
	size_t example_count;
};

#endif
