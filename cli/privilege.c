#include "cli/privilege.h"

#include "base/clock.h"
#include "base/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FOLDERS_MAX 6u

/* Those that the stages write to; the ones above others first. */
static size_t folders_of(struct context *context, const char *ret[FOLDERS_MAX])
{
	bool kafka = config_number(context->config, CONFIG_BUS_BACKEND) == 1;
	size_t count = 0;

	ret[count++] = context_data_path(context, NULL);
	ret[count++] = context_run_path(context, NULL);
	ret[count++] = context_store_path(context);
	ret[count++] = context_collect_path(context, NULL);
	if (config_number(context->config, CONFIG_BUS_BACKEND) == 0)
		ret[count++] = context_bus_path(context);
	if (kafka && config_bool(context->config, CONFIG_BUS_SPOOL_ENABLED))
		ret[count++] = context_spool_path(context);
	return count;
}

static int folders_make(struct context *context, const struct user *user, struct error *error)
{
	const char *folders[FOLDERS_MAX];
	size_t count = folders_of(context, folders);
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++)
		code = privilege_make_folder(folders[i], 0750, user, error);
	return code;
}

static int folders_check(struct context *context, const struct user *user, struct error *error)
{
	const char *folders[FOLDERS_MAX];
	size_t count = folders_of(context, folders);

	for (size_t i = 0; i < count; i++) {
		if (faccessat(AT_FDCWD, folders[i], R_OK | W_OK | X_OK, AT_EACCESS) != 0)
			return error_set(error, ERR_IO, TEXT_cli_privilege_folder, folders[i],
			    user->name, user->name, folders[i]);
	}
	return 0;
}

/* 1: *ret is whom to become; 0: nobody else. */
static int user_of(const struct context *context, struct user *ret, struct error *error)
{
	struct str text = config_text(context->config, CONFIG_PRIVILEGE_USER);

	if (text.len == 0)
		return 0;
	int code = privilege_user(text.ptr, ret, error);

	if (code < 0)
		return code;
	if (privilege_is_root())
		return 1;
	if (ret->uid == geteuid())
		return 0;
	return error_set(error, ERR_USAGE, TEXT_cli_privilege_user, text.ptr);
}

/* The folder is the user's, so there may be a link by now: never what it leads to. */
static int give(const struct user *user, const char *path, struct error *error)
{
	return lchown(path, user->uid, user->gid) == 0
		   ? 0 : error_system(error, errno, TEXT_base_write, path);
}

int privilege_give(struct context *context, const char *path, struct error *error)
{
	struct user user;
	int code = user_of(context, &user, error);

	return code > 0 ? give(&user, path, error) : code;
}

int privilege_prepare(struct context *context, struct error *error)
{
	const char *key = context_data_path(context, "site.key");
	bool is_new = access(key, F_OK) != 0;
	struct hash_key made;
	struct user user;
	int code = user_of(context, &user, error);

	if (code <= 0)
		return code;
	code = folders_make(context, &user, error);
	if (code == 0)
		code = context_site_key(context, &made, error);
	return code == 0 && is_new ? give(&user, key, error) : code;
}

int privilege_start(struct context *context, uint64_t keep, struct error *error)
{
	struct user user;
	int code = user_of(context, &user, error);

	if (code == 0 && privilege_is_root())
		log_put(&context->log, clock_wall_ns(), LOG_LEVEL_WARNING, TEXT_cli_privilege_root);
	/* Those that whoever started us gave along, as CAP_NET_BIND_SERVICE. */
	if (code <= 0)
		return code < 0 || privilege_is_root() ? code : privilege_limit(keep, error);
	code = folders_make(context, &user, error);
	if (code == 0)
		code = privilege_become(&user, keep, error);
	return code == 0 ? folders_check(context, &user, error) : code;
}
