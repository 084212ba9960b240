#include "cli/show.h"

#include "cli/why.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

#include <string.h>

/* Width of the names of an alert's parts. */
#define LABEL   18
/* Where the last column of the list begins. */
#define SUBJECT 50

static const char *level_color(const struct context *context, enum level level)
{
	static const char *const colors[] = {"\033[2m", "\033[36m", "\033[33m", "\033[31m",
	    "\033[1;37;41m"};

	return context->color ? colors[level] : "";
}

static const char *plain(const struct context *context)
{
	return context->color ? "\033[0m" : "";
}

static const char *bold(const struct context *context)
{
	return context->color ? "\033[1m" : "";
}

const char *show_level(enum level level)
{
	static const enum text_id ids[] = {TEXT_cli_level_informational, TEXT_cli_level_low,
	    TEXT_cli_level_medium, TEXT_cli_level_high, TEXT_cli_level_critical};

	return text(ids[level]);
}

struct str show_title(const struct alert *alert)
{
	bool vietnamese = text_language() == LANGUAGE_VIETNAMESE && alert->rule.title_vi.len > 0;

	return vietnamese ? alert->rule.title_vi : alert->rule.title;
}

static void print_time(const struct context *context, int64_t ns)
{
	char time[CIVIL_TEXT];
	struct str shown = civil_format(ns, context->zone_s, 0, time);

	printf("%.10s %.8s", shown.ptr, shown.ptr + 11);
}

void show_head(const struct context *context)
{
	fputs(bold(context), stdout);
	print_padded(stdout, text(TEXT_cli_column_time), 21);
	print_padded(stdout, text(TEXT_cli_column_level), 12);
	print_padded(stdout, text(TEXT_cli_column_count), -5);
	fputs("  ", stdout);
	print_padded(stdout, text(TEXT_cli_column_id), 10);
	printf("%s%s\n", text(TEXT_cli_column_alert), plain(context));
}

/* What the alert is, and about whom, as one text. */
static void put_subject(struct buf *out, const struct query_alert *shown)
{
	const struct alert *alert = &shown->alert;

	buf_str_put(out, show_title(alert));
	for (size_t i = 0; i < alert->group_count; i++) {
		buf_str_put(out, i == 0 ? STR("  ") : STR(" "));
		buf_str_put(out, alert->groups[i].name);
		buf_char(out, '=');
		buf_str_put(out, alert->groups[i].value);
	}
	if (alert->status == ALERT_REPLACED)
		buf_printf(out, "  (%s)", text(TEXT_cli_status_replaced));
	else if (shown->suppressed > 0)
		buf_printf(out, "  (+%llu %s)", (unsigned long long)shown->suppressed,
		    text(TEXT_cli_suppressed));
}

void show_line(const struct context *context, const struct query_alert *shown)
{
	const struct alert *alert = &shown->alert;
	struct buf subject = BUF(1u << 20);
	char id[HASH128_TEXT];

	print_time(context, alert->time_ns);
	printf("  %s", level_color(context, alert->rule.level));
	print_padded(stdout, show_level(alert->rule.level), 12);
	printf("%s%5llu  ", plain(context), (unsigned long long)alert->count);
	hash128_format(alert->id, id);
	printf("%.8s  ", id);
	put_subject(&subject, shown);
	print_wrapped(stdout, buf_str(&subject), SUBJECT, context->columns);
	buf_free(&subject);
}

static void label(const struct context *context, enum text_id id)
{
	printf("%s", bold(context));
	print_padded(stdout, text(id), LABEL);
	printf("%s", plain(context));
}

static void line(const struct context *context, enum text_id id, struct str value)
{
	if (value.len == 0)
		return;
	label(context, id);
	print_escaped(stdout, value);
	putchar('\n');
}

/* Several lines of a rule's text, each indented under its label. */
static void block(const struct context *context, enum text_id id, struct str value)
{
	struct str rest = str_trim(value), one;
	bool first = true;

	if (rest.len == 0)
		return;
	while (str_cut(&rest, '\n', &one)) {
		if (first)
			label(context, id);
		else
			printf("%*s", LABEL, "");
		print_wrapped(stdout, str_trim(one), LABEL, context->columns);
		first = false;
	}
}

static void pairs(const struct context *context, enum text_id id, const struct alert_pair *list,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i == 0)
			label(context, id);
		else
			printf("%*s", LABEL, "");
		print_escaped(stdout, list[i].name);
		printf(" = ");
		print_escaped(stdout, list[i].value);
		putchar('\n');
	}
}

static void strings(const struct context *context, enum text_id id, const struct str *list,
    size_t count)
{
	struct buf all = BUF(1u << 20);

	for (size_t i = 0; i < count; i++) {
		buf_str_put(&all, i == 0 ? STR_NONE : STR(", "));
		buf_str_put(&all, list[i]);
	}
	block(context, id, buf_str(&all));
	buf_free(&all);
}

static int64_t suppressed_until(const struct alert *alert)
{
	int64_t until_ns;

	return __builtin_add_overflow(alert->time_ns, alert->suppress_ns, &until_ns) ? INT64_MAX
										      : until_ns;
}

/* How many, until when, on which key, and the first of them. */
static void show_suppressed(const struct context *context, const struct query_alert *shown)
{
	const struct alert *alert = &shown->alert;
	char at[COORDINATE_TEXT];

	if (alert->suppress_ns == 0)
		return;
	label(context, TEXT_cli_field_suppressed);
	print_text(stdout, TEXT_cli_suppressed_count, (unsigned long long)shown->suppressed);
	putchar(' ');
	print_time(context, suppressed_until(alert));
	putchar('\n');
	pairs(context, TEXT_cli_field_suppressed_key, alert->suppress, alert->suppress_count);
	for (size_t i = 0; i < shown->match_count; i++) {
		printf("%*s", LABEL, "");
		print_time(context, shown->matches[i].time_ns);
		printf("  %s\n", coordinate_format(shown->matches[i].at, at).ptr);
	}
}

static void show_times(const struct context *context, const struct query_alert *shown)
{
	const struct alert *alert = &shown->alert;
	char span[32];

	label(context, TEXT_cli_field_first);
	print_time(context, alert->first_ns);
	putchar('\n');
	label(context, TEXT_cli_field_last);
	print_time(context, alert->last_ns);
	putchar('\n');
	label(context, TEXT_cli_field_count);
	if (shown->folded > 1 && alert->suppress_ns == 0)
		print_text(stdout, TEXT_cli_count_of, (unsigned long long)alert->count,
		    (unsigned long long)shown->folded);
	else
		printf("%llu", (unsigned long long)alert->count);
	putchar('\n');
	if (alert->window_ns > 0) {
		label(context, TEXT_cli_field_window);
		printf("%s\n", format_duration(alert->window_ns, span).ptr);
	}
}

static void show_why(const struct context *context, const struct alert *alert,
    const struct ruleset *ruleset)
{
	struct buf why = BUF(65536);

	why_write(&why, alert, ruleset);
	block(context, TEXT_cli_field_matched, buf_str(&why));
	buf_free(&why);
}

static void show_status(const struct context *context, const struct query_alert *shown)
{
	static const enum text_id ids[] = {TEXT_cli_status_early, TEXT_cli_status_settled,
	    TEXT_cli_status_replaced};
	char id[HASH128_TEXT];

	label(context, TEXT_cli_field_status);
	printf("%s", text(ids[shown->alert.status]));
	if (shown->alert.status == ALERT_REPLACED) {
		hash128_format(shown->replaced_by, id);
		printf(" -> %s", id);
	}
	putchar('\n');
}

static void show_evidence(const struct context *context, const struct query_alert *shown,
    const struct query_evidence *evidence, size_t count)
{
	printf("\n%s%s%s\n", bold(context), text(TEXT_cli_evidence), plain(context));
	for (size_t i = 0; i < count; i++) {
		printf("  ");
		print_time(context, evidence[i].event.received_ns);
		printf("  ");
		print_escaped(stdout, evidence[i].event.peer);
		printf("  ");
		print_escaped(stdout, evidence[i].event.raw);
		putchar('\n');
	}
	if (count < shown->alert.event_count || shown->alert.events_cut > 0) {
		printf("  ");
		print_text(stdout, TEXT_cli_evidence_cut,
		    (unsigned long long)(shown->alert.event_count - count +
					 shown->alert.events_cut));
		putchar('\n');
	}
}

void show_alert(const struct context *context, const struct query_alert *shown,
    const struct query_evidence *evidence, size_t count, const struct ruleset *ruleset)
{
	const struct alert *alert = &shown->alert;
	bool vi = text_language() == LANGUAGE_VIETNAMESE;
	char id[HASH128_TEXT];

	printf("%s%s%s  %s", level_color(context, alert->rule.level), show_level(alert->rule.level),
	    plain(context), bold(context));
	print_escaped(stdout, show_title(alert));
	printf("%s\n\n", plain(context));
	line(context, TEXT_cli_field_id, hash128_format(alert->id, id));
	show_status(context, shown);
	line(context, TEXT_cli_field_replay, alert->replay);
	show_times(context, shown);
	show_suppressed(context, shown);
	pairs(context, TEXT_cli_field_group, alert->groups, alert->group_count);
	show_why(context, alert, ruleset);
	pairs(context, alert->window_ns > 0 ? TEXT_cli_field_last_matched : TEXT_cli_field_matched,
	    alert->matched, alert->matched_count);
	line(context, TEXT_cli_field_host, alert->host);
	line(context, TEXT_cli_field_user, alert->user);
	strings(context, TEXT_cli_field_addresses, alert->addresses, alert->address_count);
	line(context, TEXT_cli_field_sender, alert->sender);
	line(context, TEXT_cli_field_agency, alert->agency);
	line(context, TEXT_cli_field_rule, alert->rule.id);
	line(context, TEXT_cli_field_kind, alert->rule.kind);
	line(context, TEXT_cli_field_author, alert->rule.author);
	strings(context, TEXT_cli_field_tags, alert->rule.tags, alert->rule.tag_count);
	block(context, TEXT_cli_field_description, alert->rule.description);
	block(context, TEXT_cli_field_advice,
	    vi && alert->rule.advice_vi.len > 0 ? alert->rule.advice_vi : alert->rule.advice);
	strings(context, TEXT_cli_field_falsepositives, alert->rule.falsepositives,
	    alert->rule.falsepositive_count);
	show_evidence(context, shown, evidence, count);
}

static void evidence_json(struct json *json, const struct query_evidence *evidence)
{
	char at[COORDINATE_TEXT], time[CIVIL_TEXT];

	json_open(json, '{');
	json_pair(json, "coordinate", coordinate_format(evidence->event.at, at));
	json_pair(json, "received", civil_format(evidence->event.received_ns, 0, 9, time));
	json_pair(json, "transport", transport_name(evidence->event.transport));
	json_pair(json, "peer", evidence->event.peer);
	json_pair(json, "raw", evidence->event.raw);
	json_key(json, STR("fields"));
	json_raw(json, evidence->fields_json.len > 0 ? evidence->fields_json : STR("{}"));
	json_close(json, '}');
}

static void suppressed_json(struct json *json, const struct query_alert *shown)
{
	char at[COORDINATE_TEXT], time[CIVIL_TEXT];

	json_pair_u64(json, "suppressed", shown->suppressed);
	json_pair(json, "suppressed_until",
	    civil_format(suppressed_until(&shown->alert), 0, 9, time));
	if (shown->match_count == 0)
		return;
	json_key(json, STR("suppressed_matches"));
	json_open(json, '[');
	for (size_t i = 0; i < shown->match_count; i++) {
		json_open(json, '{');
		json_pair(json, "time", civil_format(shown->matches[i].time_ns, 0, 9, time));
		json_pair(json, "coordinate", coordinate_format(shown->matches[i].at, at));
		json_close(json, '}');
	}
	json_close(json, ']');
}

/* {"alert": as stored, "store": what changes, "evidence": [...]}, one line. */
void show_json(const struct query_alert *shown, const struct query_evidence *evidence,
    size_t count, bool with_evidence)
{
	struct buf out = BUF(16u << 20);
	struct json json = json_begin(&out);
	char time[CIVIL_TEXT], id[HASH128_TEXT];

	json_open(&json, '{');
	json_pair(&json, "id", hash128_format(shown->alert.id, id));
	json_pair(&json, "status", alert_status_name(shown->alert.status));
	if (shown->alert.status == ALERT_REPLACED)
		json_pair(&json, "replaced_by", hash128_format(shown->replaced_by, id));
	json_pair_u64(&json, "count", shown->alert.count);
	json_pair_u64(&json, "folded", shown->folded);
	if (shown->alert.suppress_ns > 0)
		suppressed_json(&json, shown);
	json_pair(&json, "first", civil_format(shown->alert.first_ns, 0, 9, time));
	json_pair(&json, "last", civil_format(shown->alert.last_ns, 0, 9, time));
	json_key(&json, STR("alert"));
	json_raw(&json, shown->json);
	if (with_evidence) {
		json_key(&json, STR("evidence"));
		json_open(&json, '[');
		for (size_t i = 0; i < count; i++)
			evidence_json(&json, &evidence[i]);
		json_close(&json, ']');
	}
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

void show_one(const struct context *context, const struct query_alert *alert, bool json,
    bool first)
{
	if (json) {
		show_json(alert, NULL, 0, false);
		return;
	}
	if (first)
		show_head(context);
	show_line(context, alert);
}

/* A query gives at most a page; the cursor of the last alert shown leads on to the next one. */
#define PAGE       1000u
#define PAGE_ARENA (256u << 20)

struct listing {
	const struct context *context;
	bool json;
	size_t shown;
	bool told, damaged;
	char cursor[256];
};

static bool list_one(void *argument, const struct query_alert *alert)
{
	struct listing *listing = argument;

	show_one(listing->context, alert, listing->json, listing->shown++ == 0);
	snprintf(listing->cursor, sizeof(listing->cursor), "%.*s", STR_ARG(alert->cursor));
	return !ferror(stdout);
}

static void tell_damaged(void *argument, const struct error *error)
{
	((struct listing *)argument)->damaged = true;
	context_fail(error);
}

/* A damaged file is told with the first page, not with each. */
static int list_page(struct query *query, const struct query_filter *page, struct arena *arena,
    struct listing *listing, struct error *error)
{
	bool first = !listing->told;

	listing->told = true;
	return query_alerts(
	    query, page, arena, list_one, listing, first ? tell_damaged : NULL, error);
}

int show_list(const struct context *context, struct query *query,
    const struct query_filter *filter, bool json, size_t *ret_shown, struct error *error)
{
	struct listing listing = {.context = context, .json = json};
	struct arena *arena = arena_new(PAGE_ARENA);
	struct query_filter page = *filter;
	size_t before;
	int code;

	if (arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	do {
		before = listing.shown;
		page.limit = filter->limit - before < PAGE ? filter->limit - before : PAGE;
		arena_reset(arena);
		code = list_page(query, &page, arena, &listing, error);
		page.after = str_of(listing.cursor);
	} while (
	    code == 0 && listing.shown - before == page.limit && listing.shown < filter->limit &&
	    !ferror(stdout));
	arena_free(arena);
	*ret_shown = listing.shown;
	if (code == 0 && listing.damaged)
		return error_set(error, ERR_CORRUPT, TEXT_cli_damaged_files);
	return code;
}
