/*
 * `tocsin rules stats`: what the rules have found and what they cost, from the workers that run.
 */
#include "cli/rules.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/gather.h"
#include "cli/rule_counts.h"
#include "cli/show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_BYTES ((size_t)256 << 20)
#define TOP_DEFAULT 20u

static int by_cost(const void *a, const void *b);
static int by_hits(const void *a, const void *b);
static int by_candidates(const void *a, const void *b);
static int by_last(const void *a, const void *b);

static const struct {
	const char *name;
	int (*compare)(const void *a, const void *b);
} orders[] = {
    {"cost", by_cost}, {"hits", by_hits}, {"candidates", by_candidates}, {"last", by_last}};

enum choice { CHOICE_ALL, CHOICE_HIT, CHOICE_NEVER, CHOICE_ALWAYS };

static const char *const choices[] = {
    [CHOICE_ALL] = "all", [CHOICE_HIT] = "hit", [CHOICE_NEVER] = "never",
    [CHOICE_ALWAYS] = "always"};

struct stats {
	struct context *context;
	struct arena *arena; /* of one answer */
	bool json;
	size_t top, order;
	enum choice choice;
	int64_t now_ns;
};

/* ---- order ---- */

static int falling(uint64_t a, uint64_t b)
{
	return a == b ? 0 : a < b ? 1 : -1;
}

/* What is left equal goes by id, so that a table that follows does not dance. */
static int by_cost(const void *a, const void *b)
{
	const struct rule_count *left = a, *right = b;
	int order = falling(left->predicates, right->predicates);

	if (order == 0)
		order = falling(left->candidates, right->candidates);
	return order != 0 ? order : str_compare(left->id, right->id);
}

static int by_hits(const void *a, const void *b)
{
	const struct rule_count *left = a, *right = b;
	int order = falling(left->hits, right->hits);

	return order != 0 ? order : by_cost(a, b);
}

static int by_candidates(const void *a, const void *b)
{
	const struct rule_count *left = a, *right = b;
	int order = falling(left->candidates, right->candidates);

	return order != 0 ? order : by_cost(a, b);
}

static int by_last(const void *a, const void *b)
{
	const struct rule_count *left = a, *right = b;
	int order = falling((uint64_t)left->last_ns, (uint64_t)right->last_ns);

	return order != 0 ? order : by_cost(a, b);
}

static bool is_chosen(const struct stats *stats, const struct rule_count *row)
{
	switch (stats->choice) {
	case CHOICE_ALL:
		return true;
	case CHOICE_HIT:
		return row->hits > 0;
	case CHOICE_NEVER:
		return row->hits == 0;
	case CHOICE_ALWAYS:
		return row->always;
	}
	return false;
}

/* ---- showing ---- */

static void row_json(const struct rule_count *row)
{
	char time[CIVIL_TEXT];
	struct buf out = BUF(1 << 20);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "id", row->id);
	json_pair(&json, "title", row->title);
	json_pair(&json, "level", row->level);
	json_pair_u64(&json, "hits", row->hits);
	json_pair_u64(&json, "candidates", row->candidates);
	json_pair_u64(&json, "cost", row->predicates);
	json_key(&json, STR("last"));
	if (row->last_ns > 0)
		json_str(&json, civil_format(row->last_ns, 0, 3, time));
	else
		json_null(&json);
	json_pair_bool(&json, "always", row->always);
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static void head_print(void)
{
	static const enum text_id columns[] = {TEXT_cli_stats_hits, TEXT_cli_stats_candidates,
	    TEXT_cli_stats_cost, TEXT_cli_stats_share, TEXT_cli_stats_last};
	static const int widths[] = {-11, -12, -13, -8, -12};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		print_padded(stdout, text(columns[i]), widths[i]);
	printf("    %s\n", text(TEXT_cli_stats_rule));
}

static void row_print(const struct stats *stats, const struct rule_counts *counts,
    const struct rule_count *row)
{
	bool vietnamese = text_language() == LANGUAGE_VIETNAMESE && row->title_vi.len > 0;
	double share = counts->predicates == 0
	    ? 0 : 100.0 * (double)row->predicates / (double)counts->predicates;
	char ago[32] = "-";

	if (row->last_ns > 0)
		format_duration(stats->now_ns - row->last_ns, ago);
	printf("%11llu%12llu%13llu%7.1f%%%12s  %c ", (unsigned long long)row->hits,
	    (unsigned long long)row->candidates, (unsigned long long)row->predicates, share, ago,
	    row->always ? '*' : ' ');
	print_escaped(stdout, vietnamese ? row->title_vi : row->title);
	printf("  (");
	print_escaped(stdout, str_slice(row->id, 0, 8));
	printf(")\n");
}

static void foot_print(const struct rule_counts *counts, size_t hidden)
{
	size_t never = 0, always = 0;

	for (size_t i = 0; i < counts->count; i++) {
		never += counts->rows[i].hits == 0;
		always += counts->rows[i].always;
	}
	if (hidden > 0) {
		print_text(stdout, TEXT_cli_trial_more, hidden);
		putchar('\n');
	}
	print_text(stdout, TEXT_cli_stats_done, (unsigned long long)counts->events,
	    (unsigned long long)counts->workers, counts->count, never, always);
	putchar('\n');
}

static void counts_show(const struct stats *stats, struct rule_counts *counts)
{
	size_t shown = 0, hidden = 0;

	if (counts->count > 0)
		qsort(counts->rows, counts->count, sizeof(*counts->rows),
		    orders[stats->order].compare);
	if (!stats->json)
		head_print();
	for (size_t i = 0; i < counts->count; i++) {
		if (!is_chosen(stats, &counts->rows[i]))
			continue;
		if (shown == stats->top) {
			hidden++;
			continue;
		}
		shown++;
		if (stats->json)
			row_json(&counts->rows[i]);
		else
			row_print(stats, counts, &counts->rows[i]);
	}
	if (!stats->json)
		foot_print(counts, hidden);
}

/* ---- asking ---- */

static int stats_once(struct stats *stats, struct error *error)
{
	struct rule_counts counts = {.arena = stats->arena};
	struct gathered found[GATHER_MAX];
	size_t count = 0;
	int code = gather_list(stats->context, found, &count, error);

	for (size_t i = 0; i < count && code == 0; i++) {
		if (!str_starts(found[i].stage, STR("correlate")))
			continue;
		gather_ask(stats->context, &found[i], STR("rules"));
		if (found[i].failed || !rule_counts_add(&counts, found[i].answer))
			return error_set(error, ERR_MISSING, TEXT_cli_check_silent,
			    arena_cstr(stats->context->arena, found[i].stage));
	}
	if (code == 0 && counts.workers == 0)
		return error_set(error, ERR_MISSING, TEXT_cli_not_running,
		    context_run_path(stats->context, NULL));
	stats->now_ns = clock_wall_ns();
	if (code == 0)
		counts_show(stats, &counts);
	return code;
}

static bool word_find(const char *word, size_t *ret, size_t count, const char *(*name)(size_t))
{
	for (size_t i = 0; i < count && word != NULL; i++) {
		if (strcmp(word, name(i)) == 0) {
			*ret = i;
			return true;
		}
	}
	return word == NULL;
}

static const char *order_name(size_t index)
{
	return orders[index].name;
}

static const char *choice_name(size_t index)
{
	return choices[index];
}

static int options_read(struct stats *stats, const struct arguments *arguments,
    struct error *error)
{
	const char *order = arguments_get(arguments, "sort");
	const char *choice = arguments_get(arguments, "show");
	size_t chosen = CHOICE_ALL;

	stats->json = arguments_has(arguments, "json");
	stats->top = stats->json ? SIZE_MAX : TOP_DEFAULT;
	if (!word_find(order, &stats->order, sizeof(orders) / sizeof(orders[0]), order_name))
		return error_set(error, ERR_USAGE, TEXT_cli_stats_sort, order);
	if (!word_find(choice, &chosen, sizeof(choices) / sizeof(choices[0]), choice_name))
		return error_set(error, ERR_USAGE, TEXT_cli_stats_show, choice);
	stats->choice = (enum choice)chosen;
	return arguments->word_count > 1 ? arguments_at_most(arguments, 1, error)
					 : rules_top(arguments, &stats->top, error);
}

int rules_stats(struct context *context, const struct arguments *arguments, struct error *error)
{
	struct stats stats = {.context = context, .arena = arena_new(ARENA_BYTES)};
	bool follow = arguments_has(arguments, "follow");
	struct timespec wait = {2, 0};
	int code = stats.arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				       : options_read(&stats, arguments, error);

	while (code == 0) {
		if (follow && context->columns > 0 && !stats.json)
			printf("\033[H\033[J");
		code = stats_once(&stats, error);
		fflush(stdout);
		arena_reset(stats.arena);
		arena_reset(context->arena);
		if (!follow || code < 0 || ferror(stdout))
			break;
		nanosleep(&wait, NULL);
	}
	arena_free(stats.arena);
	return code;
}
