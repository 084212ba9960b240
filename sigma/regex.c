#define PCRE2_CODE_UNIT_WIDTH 8
#include "sigma/regex.h"

#include <pcre2.h>
#include <stdlib.h>

#define HEAP_KIB    1024u
#define DEPTH       1000u
#define STACK_FIRST (32u * 1024)
#define STACK_MOST  (1024u * 1024) /* what machine code may use in place of the heap */

struct regex {
	pcre2_code *code;
};

struct regex_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	struct regex_counts counts;
};

static void *memory_take(size_t size, void *arena)
{
	return arena_alloc(arena, size);
}

static void memory_keep(void *piece, void *arena)
{
	(void)piece; /* the arena gives everything back at once */
	(void)arena;
}

static uint32_t options_of(unsigned flags)
{
	/* Values are bytes: bad UTF-8 in one is simply not matched by any character. */
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;

	if (flags & REGEX_CASELESS)
		options |= PCRE2_CASELESS;
	if (flags & REGEX_MULTILINE)
		options |= PCRE2_MULTILINE;
	if (flags & REGEX_DOTALL)
		options |= PCRE2_DOTALL;
	return options;
}

enum regex_status regex_compile(struct regex **ret, struct arena *arena, struct str pattern,
    unsigned flags, size_t *ret_offset, char *reason, size_t size)
{
	pcre2_general_context *general =
	    pcre2_general_context_create(memory_take, memory_keep, arena);
	pcre2_compile_context *context =
	    general == NULL ? NULL : pcre2_compile_context_create(general);
	struct regex *regex = arena_zalloc(arena, sizeof(*regex));
	int code = 0;

	if (context == NULL || regex == NULL)
		return REGEX_MEMORY;
	pcre2_set_max_pattern_length(context, REGEX_PATTERN);
	*ret_offset = 0;
	regex->code = pcre2_compile((PCRE2_SPTR)(pattern.len == 0 ? "" : pattern.ptr), pattern.len,
	    options_of(flags), &code, ret_offset, context);
	if (regex->code == NULL && (arena_failed(arena) || code == PCRE2_ERROR_HEAP_FAILED))
		return REGEX_MEMORY;
	if (regex->code == NULL) {
		pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, size);
		return REGEX_INVALID;
	}
	/* Where the system forbids machine code the interpreter gives the same answers. */
	(void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	*ret = regex;
	return REGEX_OK;
}

void regex_free(struct regex *regex)
{
	if (regex != NULL)
		pcre2_code_free(regex->code);
}

struct regex_scratch *regex_scratch_new(uint32_t steps)
{
	struct regex_scratch *scratch = calloc(1, sizeof(*scratch));

	if (scratch == NULL)
		return NULL;
	scratch->data = pcre2_match_data_create(1, NULL);
	scratch->context = pcre2_match_context_create(NULL);
	scratch->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, NULL);
	if (scratch->data == NULL || scratch->context == NULL || scratch->stack == NULL) {
		regex_scratch_free(scratch);
		return NULL;
	}
	pcre2_set_match_limit(scratch->context, steps);
	pcre2_set_heap_limit(scratch->context, HEAP_KIB);
	pcre2_set_depth_limit(scratch->context, DEPTH);
	pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
	return scratch;
}

void regex_scratch_free(struct regex_scratch *scratch)
{
	if (scratch == NULL)
		return;
	pcre2_match_data_free(scratch->data);
	pcre2_match_context_free(scratch->context);
	pcre2_jit_stack_free(scratch->stack);
	free(scratch);
}

bool regex_search(const struct regex *regex, struct regex_scratch *scratch, struct str subject)
{
	scratch->counts.searches++;
	if (subject.len > REGEX_SUBJECT) {
		subject.len = REGEX_SUBJECT;
		scratch->counts.cut_subjects++;
	}
	int found = pcre2_match(regex->code, (PCRE2_SPTR)(subject.len == 0 ? "" : subject.ptr),
	    subject.len, 0, 0, scratch->data, scratch->context);

	if (found < 0 && found != PCRE2_ERROR_NOMATCH)
		scratch->counts.limit_hits++;
	return found >= 0;
}

struct regex_counts regex_scratch_counts(const struct regex_scratch *scratch)
{
	return scratch->counts;
}
