/*
 * program.h - the compiled form of a ruleset, for the matcher: predicates, each once for all rules
 * that use it, and a boolean expression over them a rule. Read only; lives as long as the ruleset.
 */
#ifndef TOCSIN_SIGMA_PROGRAM_H
#define TOCSIN_SIGMA_PROGRAM_H

#include "base/buf.h"
#include "event/record.h"
#include "sigma/glob.h"
#include "sigma/regex.h"
#include "sigma/ruleset.h"

#define SLOT_ANYWHERE UINT32_MAX /* keywords: the raw line, and the value of every field */

enum predicate_kind {
	PREDICATE_EXACT,    /* text is the whole value */
	PREDICATE_PREFIX,
	PREDICATE_SUFFIX,
	PREDICATE_CONTAINS, /* the last of those that are a text and no more */
	PREDICATE_GLOB,
	PREDICATE_NUMBER,   /* equal as numbers, or as text */
	PREDICATE_COMPARE,  /* ordered as numbers */
	PREDICATE_CIDR,
	PREDICATE_REGEX,
	PREDICATE_TIME,     /* a part of a timestamp is number */
	PREDICATE_FIELD,    /* equals, or contains ..., the value of another field */
	PREDICATE_NULL,     /* absent or null */
	PREDICATE_EXISTS    /* present, null and empty included */
};

enum compare { COMPARE_LT, COMPARE_LTE, COMPARE_GT, COMPARE_GTE };
enum time_part { TIME_MINUTE, TIME_HOUR, TIME_DAY, TIME_WEEK, TIME_MONTH, TIME_YEAR };

struct cidr {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;       /* of 128 */
};

struct predicate {
	enum predicate_kind kind;
	uint32_t slot;
	bool cased;
	bool open_front, open_behind; /* PREDICATE_FIELD: other text may stand there */
	struct str text;              /* literal, folded unless cased; else as the rule has it */
	struct str folded;            /* folded in every case; GLOB, REGEX: a literal it needs */
	struct glob glob;             /* GLOB: folded unless cased */
	double number;
	enum compare compare;
	enum time_part part;
	struct cidr cidr;
	const struct regex *regex;
	unsigned regex_flags;         /* enum regex_flag */
	uint32_t other;               /* PREDICATE_FIELD: its slot */
	struct hash128 hash;          /* of field, kind, operand and flags: its name for ever */
};

enum expression_kind {
	EXPRESSION_PREDICATE,
	EXPRESSION_AND,
	EXPRESSION_OR,       /* of nothing: never holds */
	EXPRESSION_NOT,
	EXPRESSION_AT_LEAST /* need of the children */
};

struct expression {
	enum expression_kind kind;
	uint32_t predicate;
	uint32_t need;
	const struct expression **children;
	size_t count;
	struct hash128 hash; /* the order of children does not change it */
	struct str name;     /* of the detection or filter that it is; else empty */
};

/* A field that some predicate looks at. */
struct slot {
	struct str name;
	enum field_id id;
};

struct program {
	const struct predicate *predicates;
	size_t predicate_count;
	const struct slot *slots;
	size_t slot_count;
	const struct expression *const *rules; /* by rule index; NULL for a correlation */
	uint32_t regex_steps;
	uint32_t *slot_of; /* by field_id below id_count; SLOT_ANYWHERE: no predicate looks at it */
	size_t id_count;
	uint32_t generation; /* of fields: in records as new, FIELD_OTHER is in no slot */
};

const struct program *ruleset_program(const struct ruleset *ruleset);
/* The slot of a name, or SLOT_ANYWHERE when no predicate looks at it. Constant time. */
uint32_t program_slot_named(const struct program *program, struct str name);
/*
 * The slot of a field. generation: of its record; an older one may not know the ids of rules that
 * were loaded since.
 */
static inline uint32_t program_slot(const struct program *program, enum field_id id,
    struct str name, uint32_t generation)
{
	if (id != FIELD_OTHER)
		return id < program->id_count ? program->slot_of[id] : SLOT_ANYWHERE;
	return generation >= program->generation ? SLOT_ANYWHERE
	                                         : program_slot_named(program, name);
}

/* As a rule would have it: "CommandLine|contains: whoami". */
void predicate_write(const struct program *program, const struct predicate *predicate,
    struct buf *out);

/* One value of a field; folded is fold_text of raw. */
struct subject {
	enum field_kind kind;
	bool padded; /* folded has FOLD_PADDING behind it */
	struct str raw, folded;
};

/* Kinds up to PREDICATE_TIME. Nothing but NULL matches a null. */
bool predicate_holds(const struct predicate *predicate, const struct subject *subject,
    struct regex_scratch *scratch);
/* PREDICATE_FIELD. */
bool predicate_relates(const struct predicate *predicate, const struct subject *subject,
    const struct subject *other);

#endif
