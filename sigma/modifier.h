/*
 * modifier.h - what stands behind '|' in a field's key: one const struct a modifier, one row in
 * modifiers.def. Modifiers are applied from left to right, each to every value of the item.
 */
#ifndef TOCSIN_SIGMA_MODIFIER_H
#define TOCSIN_SIGMA_MODIFIER_H

#include "sigma/builder.h"

enum value_kind {
	VALUE_STRING,
	VALUE_NUMBER,
	VALUE_NULL,
	VALUE_REGEX,
	VALUE_CIDR,
	VALUE_EXISTS,
	VALUE_COMPARE,
	VALUE_TIME,
	VALUE_FIELD,
	VALUE_ANY_OF /* what a modifier has made of one value: alternatives */
};

struct value {
	enum value_kind kind;
	const struct yaml_node *node; /* where it stands */
	struct str scalar;            /* as the rule has it */
	bool touched;                 /* by a modifier: scalar no longer tells the value */
	bool cased;
	bool dashed;                  /* windash has been here: no longer one text */
	struct glob glob;             /* VALUE_STRING */
	unsigned regex_flags;
	double number;
	enum compare compare;
	enum time_part part;
	bool exists;
	struct cidr cidr;
	bool open_front, open_behind; /* VALUE_FIELD */
	struct value *variants;
	size_t variant_count;
};

/* One "field|modifiers: values" of a detection. */
struct item {
	struct builder *builder;
	const struct yaml_node *node;
	struct str field;    /* empty: keywords */
	struct str modifier; /* that is applied now, and where it stands */
	unsigned modifier_column;
	struct value *values;
	size_t value_count;
	bool all, negated;
};

struct modifier {
	const char *name;
	const char *summary;
	/*
	 * Exactly one: on each value that is no VALUE_ANY_OF, or on the item. 0 or a negative code.
	 */
	int (*value)(struct item *item, struct value *value);
	int (*item)(struct item *item);
};

size_t modifier_count(void);
const struct modifier *modifier_at(size_t index);
/* NULL when there is none of that name. */
const struct modifier *modifier_find(struct str name);
/* To every value, alternatives included. */
int modifier_apply(const struct modifier *modifier, struct item *item);

/* Makes a string of a number; refuses what is neither. For the modifiers. */
int value_want_string(struct item *item, struct value *value);
/* As above, and without wildcards: *ret is the text. */
int value_want_text(struct item *item, struct value *value, struct str *ret);
/* A string as the rule has it, which no modifier has touched. */
int value_want_scalar(struct item *item, struct value *value);
int value_want_number(struct item *item, struct value *value);
/* Replaces the value's text. */
int value_set_text(struct item *item, struct value *value, struct str text);
/* Refuses: this modifier cannot be applied to this value. */
int value_refuse(struct item *item, const struct value *value);

#endif
