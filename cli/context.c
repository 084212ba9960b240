#include "cli/command.h"

#include "base/clock.h"
#include "base/civil.h"
#include "base/file.h"
#include "base/utf8.h"
#include "bus/bus_spool.h"
#include "bus/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *joined(struct context *context, struct str folder, const char *below)
{
	struct str path = below == NULL || below[0] == '\0'
	    ? arena_printf(context->arena, "%.*s", STR_ARG(folder))
	    : arena_printf(context->arena, "%.*s/%s", STR_ARG(folder), below);

	return path.ptr == NULL ? "" : path.ptr;
}

const char *context_data_path(struct context *context, const char *below)
{
	return joined(context, config_text(context->config, CONFIG_DATA_PATH), below);
}

const char *context_run_path(struct context *context, const char *name)
{
	struct str run = config_text(context->config, CONFIG_RUN_PATH);

	if (run.len == 0)
		run = str_of(context_data_path(context, "run"));
	return joined(context, run, name);
}

const char *context_store_path(struct context *context)
{
	struct str path = config_text(context->config, CONFIG_STORE_PATH);

	return path.len > 0 ? joined(context, path, "") : context_data_path(context, "alerts");
}

const char *context_bus_path(struct context *context)
{
	struct str path = config_text(context->config, CONFIG_BUS_PATH);

	return path.len > 0 ? joined(context, path, "") : context_data_path(context, "bus");
}

const char *context_spool_path(struct context *context)
{
	struct str path = config_text(context->config, CONFIG_BUS_SPOOL_PATH);

	return path.len > 0 ? joined(context, path, "") : context_data_path(context, "spool");
}

const char *context_collect_path(struct context *context, const char *name)
{
	return joined(context, str_of(context_data_path(context, "collect")), name);
}

const char *context_replay_path(struct context *context, const char *name)
{
	struct str below = arena_printf(context->arena, "replays/%s", name);

	return context_data_path(context, below.ptr == NULL ? "replays" : below.ptr);
}

static int kafka_settings(struct context *context, struct bus_options *options,
    struct error *error)
{
	struct bus_setting *settings;
	int code = bus_settings_read(context->arena, context->config, CONFIG_BUS_KAFKA_PROPERTIES,
	    CONFIG_BUS_KAFKA_PASSWORD_FILE, &settings, &options->setting_count, error);

	if (code == 0)
		options->settings = settings;
	return code;
}

static int bus_settings(struct context *context, struct bus_options *ret, struct error *error)
{
	static const char *const backends[] = {"local", "kafka", "memory"};
	const struct config *c = context->config;
	struct bus_options options = {
	    .backend = backends[config_number(c, CONFIG_BUS_BACKEND)],
	    .path = context_bus_path(context),
	    .partitions = {(uint32_t)config_number(c, CONFIG_BUS_PARTITIONS_EVENTS),
		(uint32_t)config_number(c, CONFIG_BUS_PARTITIONS_DETECTIONS),
		(uint32_t)config_number(c, CONFIG_BUS_PARTITIONS_ALERTS)},
	    .segment_bytes = (uint64_t)config_number(c, CONFIG_BUS_LOCAL_SEGMENT),
	    .retain_bytes = (uint64_t)config_number(c, CONFIG_BUS_LOCAL_RETAIN_BYTES),
	    .retain_ns = config_number(c, CONFIG_BUS_LOCAL_RETAIN_AGE),
	    .commit_ns = config_number(c, CONFIG_BUS_LOCAL_COMMIT_DELAY),
	    .commit_bytes = (uint64_t)config_number(c, CONFIG_BUS_LOCAL_COMMIT_BYTES),
	    .queue_bytes = (uint64_t)config_number(c, CONFIG_BUS_LOCAL_QUEUE),
	    .prefix = config_text(c, CONFIG_BUS_KAFKA_PREFIX).ptr,
	};
	int code = kafka_settings(context, &options, error);

	*ret = options;
	if (code == 0 && config_number(c, CONFIG_BUS_BACKEND) == 0)
		code = file_make_folder(options.path, 0750, error);
	return code;
}

int context_bus(struct context *context, struct bus **ret, struct error *error)
{
	struct bus_options options;
	int code = bus_settings(context, &options, error);

	return code < 0 ? code : bus_open(ret, &options, error);
}

int context_bus_spooled(struct context *context, struct bus **ret, struct error *error)
{
	const struct config *c = context->config;
	struct bus_spool_options *spool = arena_zalloc(context->arena, sizeof(*spool));
	struct bus_options options;
	int code = spool == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				 : bus_settings(context, &options, error);

	if (code < 0)
		return code;
	*spool = (struct bus_spool_options){
	    .inner = options.backend,
	    .path = context_spool_path(context),
	    .bytes = (uint64_t)config_number(c, CONFIG_BUS_SPOOL_BYTES),
	    .age_ns = config_number(c, CONFIG_BUS_SPOOL_AGE),
	    .after_ns = config_number(c, CONFIG_BUS_SPOOL_AFTER),
	};
	/* the local bus is on the same disk, and in memory nothing is to be kept */
	if (strcmp(options.backend, "kafka") == 0 && config_number(c, CONFIG_BUS_SPOOL_ENABLED)) {
		options.backend = "spool";
		options.spool = spool;
	}
	return bus_open(ret, &options, error);
}

/* Several stages may start at once in a new folder; the first key stays. */
static int site_key_make(const char *path, struct error *error)
{
	uint8_t bytes[16];
	char text[40] = "", own[4096];

	if (!hash_random(bytes, sizeof(bytes)))
		return error_set(error, ERR_IO, TEXT_collector_random);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	text[32] = '\n';
	snprintf(own, sizeof(own), "%s.%d", path, (int)getpid());
	int code = file_replace(own, str_from(text, 33), 0600, error);

	if (code == 0 && link(own, path) != 0 && errno != EEXIST)
		code = error_system(error, errno, TEXT_base_write, path);
	unlink(own);
	return code;
}

int context_site_key(struct context *context, struct hash_key *ret, struct error *error)
{
	const char *path = context_data_path(context, "site.key");
	struct hash128 key;
	struct str text;
	int code = 0;

	if (access(path, F_OK) != 0) {
		code = file_make_folder(context_data_path(context, NULL), 0750, error);
		if (code == 0)
			code = site_key_make(path, error);
	}
	if (code == 0)
		code = file_read(context->arena, path, 64, &text, error);
	if (code < 0)
		return code;
	if (!hash128_parse(str_trim(text), &key))
		return error_set(error, ERR_CORRUPT, TEXT_cli_site_key, path);
	*ret = (struct hash_key){key.high, key.low};
	return 0;
}

/* The default of rules.paths, also where `tocsin config --defaults` wrote it into a file. */
#define RULES_DEFAULT "/usr/local/share/tocsin/rules"

/* Rules that were installed with this binary, wherever that was: PREFIX/share beside PREFIX/bin. */
static const char *rules_beside(struct context *context)
{
	const char *slash = strrchr(context->program, '/');
	struct str path = slash == NULL
	    ? STR_NONE
	    : arena_printf(context->arena, "%.*s/../share/tocsin/rules",
		  (int)(slash - context->program), context->program);
	char *real = path.ptr == NULL ? NULL : realpath(path.ptr, NULL);
	char *kept = real == NULL ? NULL : arena_cstr(context->arena, str_of(real));

	free(real);
	return kept;
}

static const char **paths_of(struct context *context, enum config_key key)
{
	size_t count = config_count(context->config, key);
	const char **paths = arena_array(context->arena, count, sizeof(*paths));

	for (size_t i = 0; paths != NULL && i < count; i++)
		paths[i] = config_item(context->config, key, i).ptr;
	if (paths != NULL && key == CONFIG_RULES_PATHS && strcmp(paths[0], RULES_DEFAULT) == 0) {
		const char *beside = rules_beside(context);

		paths[0] = beside != NULL ? beside : paths[0];
	}
	return paths;
}

const char *const *context_rules_paths(struct context *context, size_t *ret_count)
{
	*ret_count = config_count(context->config, CONFIG_RULES_PATHS);
	return paths_of(context, CONFIG_RULES_PATHS);
}

int context_rules_options(struct context *context, struct ruleset_options *ret,
    struct error *error)
{
	const char **own = paths_of(context, CONFIG_RULES_PATHS);
	const char **lists = paths_of(context, CONFIG_RULES_LISTS);

	if (own == NULL || lists == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*ret = (struct ruleset_options){.paths = own,
	    .path_count = config_count(context->config, CONFIG_RULES_PATHS),
	    .lists = lists, .list_count = config_count(context->config, CONFIG_RULES_LISTS),
	    .regex_steps = (uint32_t)config_number(context->config, CONFIG_MATCH_REGEX_STEPS),
	    .skip_deprecated = true};
	return 0;
}

int context_rules_of(struct context *context, const char *const *paths, size_t count,
    void (*refused)(void *, const struct error *), void *argument, struct ruleset **ret,
    struct error *error)
{
	struct ruleset_options options;
	int code = context_rules_options(context, &options, error);

	if (code < 0)
		return code;
	if (count > 0) {
		options.paths = paths;
		options.path_count = count;
	}
	options.refused = refused;
	options.context = argument;
	return ruleset_load(ret, &options, error);
}

int context_rules(struct context *context, void (*refused)(void *, const struct error *),
    void *argument, struct ruleset **ret, struct error *error)
{
	return context_rules_of(context, NULL, 0, refused, argument, ret, error);
}

int context_logsources(struct context *context, const struct logsources **ret,
    struct error *error)
{
	struct str path = config_text(context->config, CONFIG_DECODE_LOGSOURCES);
	int code = 0;

	if (context->logsources == NULL && path.len > 0)
		code = logsources_load(&context->logsources, path.ptr, error);
	*ret = context->logsources;
	return code;
}

int context_code(const struct error *error)
{
	return error->code == ERR_USAGE || error->code == ERR_DOCUMENT ? EXIT_USAGE : EXIT_WORLD;
}

int context_fail(const struct error *error)
{
	char line[1200];
	struct buf shown = BUF(8192);

	utf8_escape(&shown, str_of(error_format(error, line, sizeof(line))), false);
	fprintf(stderr, "tocsin: %.*s\n", STR_ARG(buf_str(&shown)));
	buf_free(&shown);
	return context_code(error);
}

static bool parse_span(struct str text, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	uint64_t number;

	if (text.len < 2 || !str_to_u64(str_slice(text, 0, text.len - 1), &number) ||
	    number > 1000000)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].unit == text.ptr[text.len - 1]) {
			*ret = (int64_t)number * units[i].seconds * NS_PER_S;
			return true;
		}
	}
	return false;
}

/* YYYY-MM-DD[(T| )HH:MM[:SS]][Z|+HH:MM]; without a zone in the zone of this machine. */
bool parse_time(struct str text, int64_t now_ns, int32_t zone_s, int64_t *ret)
{
	struct civil c = {0};
	char copy[48], sign[2] = "", mark[2] = "";
	int used = 0, zone_h = 0, zone_m = 0;
	int64_t span;

	if (str_eq(text, STR("now"))) {
		*ret = now_ns;
		return true;
	}
	if (parse_span(text, &span)) {
		*ret = now_ns - span;
		return true;
	}
	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (sscanf(copy, "%4d-%2d-%2d%n", &c.year, &c.month, &c.day, &used) != 3)
		return false;
	const char *rest = copy + used;

	if (sscanf(rest, "%1[T ]%2d:%2d%n", mark, &c.hour, &c.minute, &used) == 3) {
		rest += used;
		if (sscanf(rest, ":%2d%n", &c.second, &used) == 1)
			rest += used;
		if (rest[0] == '.' && char_is_digit(rest[1]))
			rest += 1 + strspn(rest + 1, "0123456789");
	}
	if (strcmp(rest, "Z") == 0)
		zone_s = 0;
	else if (sscanf(rest, "%1[+-]%2d:%2d%n", sign, &zone_h, &zone_m, &used) == 3 &&
	    rest[used] == '\0')
		zone_s = (sign[0] == '-' ? -1 : 1) * (zone_h * 3600 + zone_m * 60);
	else if (rest[0] != '\0')
		return false;
	if (!civil_is_valid(&c) || zone_h > 18 || zone_m > 59 || zone_h < 0 || zone_m < 0)
		return false;
	*ret = civil_to_ns(&c, zone_s);
	return true;
}

bool level_range_parse(struct str text, enum level *ret_min, enum level *ret_max)
{
	char mark = text.len > 0 ? text.ptr[text.len - 1] : 0;
	enum level level;

	if (mark == '+' || mark == '-')
		text.len--;
	if (!level_parse(text, &level))
		return false;
	*ret_min = mark == '-' ? LEVEL_INFORMATIONAL : level;
	*ret_max = mark == '+' ? LEVEL_CRITICAL : level;
	return true;
}

struct str format_duration(int64_t ns, char out[32])
{
	static const struct {
		int64_t seconds;
		const char *name, *below;
		int64_t seconds_below;
	} units[] = {{86400, "d", "h", 3600}, {3600, "h", "m", 60}, {60, "m", "s", 1}};
	int64_t s = ns < 0 ? 0 : ns / NS_PER_S;
	int len = snprintf(out, 32, "%lld s", (long long)s);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t more = s % units[i].seconds / units[i].seconds_below;

		if (s < units[i].seconds)
			continue;
		len = snprintf(
		    out, 32, "%lld %s", (long long)(s / units[i].seconds), units[i].name);
		if (more > 0)
			len += snprintf(out + len, 32 - (size_t)len, " %lld %s", (long long)more,
			    units[i].below);
		break;
	}
	return (struct str){out, (size_t)len};
}
