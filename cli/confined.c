#include "cli/confined.h"

#include "base/clock.h"
#include "base/confine.h"
#include "base/confine_filter.h"
#include "base/metrics.h"
#include "base/privilege.h"
#include "cli/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAP(name) ((uint64_t)1 << (name))
/* Until the ports are open: low ones, and receive buffers beyond net.core.rmem_max. */
#define CAPS_OPENING (CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_NET_ADMIN))

/* privilege.confine */
enum { CONFINED_NO, CONFINED_YES, CONFINED_REQUIRED };

struct confined {
	struct context *context;
	struct confine *confine;
	uint64_t caps; /* kept to the end */
	int landlock;  /* what this kernel has: once confined, it cannot be asked */
	bool seccomp;
	bool off, entered;
};

/* Every key that is a path, so that a new one is not forgotten. */
#define KEY_bool(key)
#define KEY_integer(key)
#define KEY_size(key)
#define KEY_duration(key)
#define KEY_zone(key)
#define KEY_string(key)
#define KEY_choice(key)
#define KEY_list(key)
#define KEY_map(key)
#define KEY_path(key) key,
static const enum config_key paths[] = {
#define SECTION(name, english, vietnamese)
#define CONFIG(symbol, key, type, initial, min, max, unit, english, vietnamese)                    \
	KEY_##type(CONFIG_##symbol)
#include "base/config.def"
#undef CONFIG
#undef SECTION
};

/* Those that are no file for collect to read: folders, what is written, what other stages read. */
static const enum config_key others[] = {CONFIG_DATA_PATH, CONFIG_RUN_PATH, CONFIG_BUS_PATH,
    CONFIG_BUS_SPOOL_PATH, CONFIG_STORE_PATH, CONFIG_FILE_STATE, CONFIG_DECODE_LOGSOURCES};

static const struct {
	const char *path;
	unsigned rights;
} system_paths[] = {
#define SYSTEM(path, rights) {path, rights},
#include "cli/confined_paths.def"
#undef SYSTEM
};

/* ---- which paths ---- */

static int opened(struct confined *confined, enum config_key key, const char *path,
    enum confine_outcome outcome, struct error *error)
{
	const struct log *log = &confined->context->log;
	struct str name = config_key_text(key);

	switch (outcome) {
	case CONFINE_OPEN:
		return 0;
	case CONFINE_ALONE:
		log_put(log, clock_wall_ns(), LOG_LEVEL_WARNING, TEXT_cli_confine_alone,
		    STR_ARG(name), path);
		return 0;
	case CONFINE_MISSING:
		log_put(log, clock_wall_ns(), LOG_LEVEL_WARNING, TEXT_cli_confine_missing,
		    STR_ARG(name), path);
		return 0;
	case CONFINE_WIDE:
		return error_set(error, ERR_DOCUMENT, TEXT_cli_confine_wide, STR_ARG(name), path);
	case CONFINE_FULL:
		break;
	}
	return error_set(error, ERR_DOCUMENT, TEXT_cli_confine_full, STR_ARG(name), path);
}

static int keep_out(struct confined *confined, struct error *error)
{
	struct context *context = confined->context;
	const char *const kept[] = {"/etc/shadow", "/etc/gshadow", "/etc/sudoers",
	    context_store_path(context), context_data_path(context, "site.key"),
	    context_data_path(context, "correlate.mdb"), context_data_path(context, "replays")};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (confine_keep_out(confined->confine, kept[i]) != CONFINE_OPEN)
			return error_set(error, ERR_IO, TEXT_base_open, kept[i]);
	}
	return 0;
}

static int open_file(
    struct confined *confined, enum config_key key, struct str path, struct error *error)
{
	struct stat status;
	bool folder = stat(path.ptr, &status) == 0 && S_ISDIR(status.st_mode);
	struct confine *confine = confined->confine;

	if (path.len == 0)
		return 0;
	return opened(confined, key, path.ptr,
	    folder ? confine_folder(confine, path.ptr, CONFINE_READ)
		   : confine_file(confine, path.ptr, CONFINE_READ), error);
}

/* Of a pattern: the folder before its first wildcard. */
static int open_pattern(struct confined *confined, const char *pattern, struct error *error)
{
	char folder[PATH_MAX];
	size_t plain = strcspn(pattern, "*?[\\"), end = plain;

	if (pattern[plain] == '\0')
		return open_file(confined, CONFIG_FILE_FOLLOW, str_of(pattern), error);
	while (end > 0 && pattern[end - 1] != '/')
		end--;
	if (snprintf(folder, sizeof(folder), "%.*s", end == 0 ? 1 : (int)end,
		end == 0 ? "." : pattern) >= (int)sizeof(folder))
		return error_system(error, ENAMETOOLONG, TEXT_base_open, pattern);
	return opened(confined, CONFIG_FILE_FOLLOW, pattern,
	    confine_folder(confined->confine, folder, CONFINE_READ), error);
}

static int open_folder(struct confined *confined, enum config_key key, const char *path,
    unsigned rights, struct error *error)
{
	int code = privilege_make_folder(path, 0750, NULL, error);

	return code < 0 ? code
			: opened(confined, key, path,
			      confine_folder(confined->confine, path, rights), error);
}

static int open_state(struct confined *confined, struct error *error)
{
	struct str path = config_text(confined->context->config, CONFIG_FILE_STATE);
	size_t slash = str_find_last(path, '/');
	char folder[PATH_MAX];

	if (path.len == 0)
		return 0;
	snprintf(folder, sizeof(folder), "%.*s",
	    slash == STR_NOT_FOUND ? 1 : slash == 0 ? 1 : (int)slash,
	    slash == STR_NOT_FOUND ? "." : path.ptr);
	/* It is written beside and renamed, so the folder it is. */
	return opened(confined, CONFIG_FILE_STATE, folder,
	    confine_folder(confined->confine, folder, CONFINE_WRITE), error);
}

/* Certificates, keys, key tabs, modules; and the connections themselves. */
static int open_kafka(struct confined *confined, enum config_key key, struct error *error)
{
	const struct config *c = confined->context->config;
	int code = 0;

	confine_may_connect(confined->confine);
	for (size_t i = 0; i < config_count(c, key) && code == 0; i++) {
		struct str value = config_item(c, key, i);

		if (str_starts(value, STR("/")))
			code = open_file(confined, key, value, error);
		if (str_starts(config_name(c, key, i), STR("sasl.mechanism")) &&
		    str_eq(value, STR("GSSAPI")))
			log_put(&confined->context->log, clock_wall_ns(), LOG_LEVEL_WARNING,
			    TEXT_cli_confine_kinit);
	}
	return code;
}

static int open_bus(struct confined *confined, struct error *error)
{
	struct context *context = confined->context;
	const struct config *c = context->config;
	int64_t backend = config_number(c, CONFIG_BUS_BACKEND);
	int code = 0;

	if (backend == 0)
		return open_folder(confined, CONFIG_BUS_PATH, context_bus_path(context),
		    CONFINE_WRITE, error);
	if (backend == 1)
		code = open_kafka(confined, CONFIG_BUS_KAFKA_PROPERTIES, error);
	if (code == 0 && backend == 1 && config_bool(c, CONFIG_BUS_SPOOL_ENABLED))
		code = open_folder(confined, CONFIG_BUS_SPOOL_PATH, context_spool_path(context),
		    CONFINE_WRITE, error);
	return code;
}

static int open_own(struct confined *confined, struct error *error)
{
	struct context *context = confined->context;
	int code = open_folder(confined, CONFIG_DATA_PATH, context_collect_path(context, NULL),
	    CONFINE_WRITE, error);

	/* For the socket, which goes at the end. */
	if (code == 0)
		code = open_folder(confined, CONFIG_RUN_PATH, context_run_path(context, NULL),
		    CONFINE_REMOVE, error);
	if (code == 0)
		code = open_bus(confined, error);
	if (code == 0 && config_count(context->config, CONFIG_KAFKA_TOPICS) > 0)
		code = open_kafka(confined, CONFIG_KAFKA_PROPERTIES, error);
	if (code == 0 && config_count(context->config, CONFIG_KAFKA_TOPICS) > 0)
		code = open_kafka(confined, CONFIG_BUS_KAFKA_PROPERTIES, error);
	return code == 0 ? open_state(confined, error) : code;
}

static bool is_read(enum config_key key)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (others[i] == key)
			return false;
	}
	return true;
}

static int open_all(struct confined *confined, struct error *error)
{
	const struct config *c = confined->context->config;
	int code = keep_out(confined, error);

	for (size_t i = 0; i < sizeof(system_paths) / sizeof(system_paths[0]); i++)
		(void)confine_path(
		    confined->confine, system_paths[i].path, system_paths[i].rights);
	/* Mostly a link to what a daemon writes: the folder behind it, then. */
	(void)confine_file(confined->confine, "/etc/resolv.conf", CONFINE_READ);
	if (code == 0)
		code = open_own(confined, error);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && code == 0; i++)
		if (is_read(paths[i]))
			code = open_file(confined, paths[i], config_text(c, paths[i]), error);
	for (size_t i = 0; i < config_count(c, CONFIG_PRIVILEGE_READ) && code == 0; i++)
		code = open_file(confined, CONFIG_PRIVILEGE_READ,
		    config_item(c, CONFIG_PRIVILEGE_READ, i), error);
	for (size_t i = 0; i < config_count(c, CONFIG_FILE_FOLLOW) && code == 0; i++)
		code = open_pattern(confined, config_item(c, CONFIG_FILE_FOLLOW, i).ptr, error);
	return code;
}

/* ---- what the kernel has ---- */

static int find_lacks(struct confined *confined, bool required, struct error *error)
{
	const struct log *log = &confined->context->log;
	int version = confined->landlock;
	int64_t now_ns = clock_wall_ns();

	if (required && (version == 0 || !confined->seccomp))
		return error_set(error, ERR_IO, TEXT_cli_confine_required,
		    version == 0 ? "Landlock" : "seccomp");
	if (version == 0)
		log_put(log, now_ns, LOG_LEVEL_WARNING, TEXT_cli_confine_lacks_landlock);
	else if (version < 3)
		log_put(
		    log, now_ns, LOG_LEVEL_WARNING, TEXT_cli_confine_lacks_truncate, version);
	if (version > 0 && version < 4)
		log_put(log, now_ns, LOG_LEVEL_WARNING, TEXT_cli_confine_lacks_net, version);
	if (!confined->seccomp)
		log_put(log, now_ns, LOG_LEVEL_WARNING, TEXT_cli_confine_lacks_seccomp);
	return 0;
}

/* Both lay in data.path, whose other files are none of collect's. */
static void move_own(struct context *context)
{
	static const char *const names[] = {"collector.id", "files.state"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *to = context_collect_path(context, names[i]);

		if (access(to, F_OK) != 0)
			(void)rename(context_data_path(context, names[i]), to);
	}
}

/* ---- the life of it ---- */

static int become(struct confined *confined, struct error *error)
{
	struct context *context = confined->context;
	int code = privilege_start(context, CAPS_OPENING, error);

	if (code < 0)
		return code;
	/* Root without them could not read the logs of others, which it was started for. */
	confined->caps = !privilege_is_root() ? 0
	    : CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_FOWNER) | CAP(CAP_CHOWN);
	return confined->off && privilege_is_root()
		   ? 0
		   : privilege_limit(confined->caps | CAPS_OPENING, error);
}

static int prepare(struct confined *confined, struct error *error)
{
	struct context *context = confined->context;
	int64_t wanted = config_number(context->config, CONFIG_PRIVILEGE_CONFINE);

	confined->off = wanted == CONFINED_NO;
	confined->landlock = confined->off ? 0 : confine_landlock();
	confined->seccomp = !confined->off && confine_seccomp();
	int code = become(confined, error);

	if (code == 0)
		code = privilege_make_folder(
		    context_collect_path(context, NULL), 0750, NULL, error);
	if (code < 0)
		return code;
	move_own(context);
	if (!confined->off) {
		code = find_lacks(confined, wanted == CONFINED_REQUIRED, error);
		return code == 0 ? open_all(confined, error) : code;
	}
	confine_off(confined->confine);
	log_put(&context->log, clock_wall_ns(), LOG_LEVEL_WARNING, TEXT_cli_confine_off);
	return 0;
}

int confined_open(struct confined **ret, struct context *context, struct error *error)
{
	struct confined *confined = calloc(1, sizeof(*confined));

	if (confined == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	confined->context = context;
	confined->confine = confine_new();
	int code = confined->confine == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
					     : prepare(confined, error);

	if (code < 0)
		confined_free(confined);
	else
		*ret = confined;
	return code;
}

void confined_free(struct confined *confined)
{
	if (confined == NULL)
		return;
	confine_free(confined->confine);
	free(confined);
}

struct bus_call {
	struct context *context;
	bool spooled;
	struct bus **ret;
};

static int bus_call_run(void *argument, struct error *error)
{
	const struct bus_call *call = argument;

	return call->spooled ? context_bus_spooled(call->context, call->ret, error)
			     : context_bus(call->context, call->ret, error);
}

int confined_thread(void *self, int (*run)(void *argument, struct error *error), void *argument,
    struct error *error)
{
	struct confined *confined = self;

	return confined->off && privilege_is_root()
		   ? run(argument, error)
		   : confine_thread(confined->confine, confined->caps, run, argument, error);
}

int confined_bus(struct confined *confined, bool spooled, struct bus **ret, struct error *error)
{
	struct bus_call call = {confined->context, spooled, ret};

	return confined_thread(confined, bus_call_run, &call, error);
}

int confined_enter(struct confined *confined, struct error *error)
{
	if (confined->off && privilege_is_root())
		return 0;
	int code = confine_enter(confined->confine, confined->caps, error);

	confined->entered = code == 0;
	if (code == 0 && !confined->off)
		log_put(&confined->context->log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_confined,
		    (unsigned)geteuid(), confined->landlock, confined->seccomp);
	return code;
}

void confined_status(const struct confined *confined, struct json *json)
{
	json_pair_u64(json, "uid", geteuid());
	json_pair_u64(json, "capabilities", privilege_held());
	json_pair_i64(json, "landlock", confined->entered ? confined->landlock : 0);
	json_pair_bool(json, "seccomp", confined->entered && confined->seccomp);
}

void confined_measure(const struct confined *confined)
{
	metrics_set(METRIC_CONFINE_LANDLOCK,
	    confined->entered ? (uint64_t)confined->landlock : 0);
	metrics_set(METRIC_CONFINE_SECCOMP, confined->entered && confined->seccomp);
}
