#include "base/privilege.h"

#include "base/check.h"
#include "base/file.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORD_MAX 16384
/* More than any kernel has by now; the first that does not exist ends the walk. */
#define CAP_MOST   63

static bool number_of(const char *text, unsigned *ret)
{
	uint64_t number;

	/* The largest means "unchanged" to the calls that take one. */
	if (!str_to_u64(str_of(text), &number) || number >= UINT32_MAX)
		return false;
	*ret = (unsigned)number;
	return true;
}

/* By name first: a name may consist of digits. */
static int find_user(const char *name, bool *has_group, struct user *ret, struct error *error)
{
	char record[RECORD_MAX];
	struct passwd entry, *found = NULL;
	unsigned number = 0;
	int failure = getpwnam_r(name, &entry, record, sizeof(record), &found);
	bool numeric = found == NULL && number_of(name, &number);

	if (numeric)
		failure = getpwuid_r(number, &entry, record, sizeof(record), &found);
	if (found == NULL && !numeric)
		return failure != 0 && failure != ENOENT
			   ? error_system(error, failure, TEXT_base_user, name)
			   : error_set(error, ERR_DOCUMENT, TEXT_base_user, name);
	ret->uid = number;
	if (found == NULL)
		return 0;
	int count = PRIVILEGE_GROUPS;

	ret->uid = found->pw_uid;
	if (!*has_group)
		ret->gid = found->pw_gid;
	*has_group = true;
	if (getgrouplist(found->pw_name, ret->gid, ret->groups, &count) < 0)
		return error_set(
		    error, ERR_DOCUMENT, TEXT_base_user_groups, name, PRIVILEGE_GROUPS);
	ret->group_count = (size_t)count;
	return 0;
}

static int find_group(const char *name, gid_t *ret, struct error *error)
{
	char record[RECORD_MAX];
	struct group entry, *found = NULL;
	unsigned number;
	int failure = getgrnam_r(name, &entry, record, sizeof(record), &found);

	if (found != NULL)
		*ret = found->gr_gid;
	else if (number_of(name, &number))
		*ret = number;
	else
		return failure != 0 && failure != ENOENT
			   ? error_system(error, failure, TEXT_base_group, name)
			   : error_set(error, ERR_DOCUMENT, TEXT_base_group, name);
	return 0;
}

int privilege_user(const char *text, struct user *ret, struct error *error)
{
	char name[sizeof(ret->name)];
	const char *colon = strchr(text, ':');
	bool has_group = colon != NULL;

	*ret = (struct user){0};
	if (strlen(text) >= sizeof(name))
		return error_set(error, ERR_DOCUMENT, TEXT_base_user, text);
	snprintf(ret->name, sizeof(ret->name), "%s", text);
	snprintf(name, sizeof(name), "%s", text);
	name[strcspn(name, ":")] = '\0';
	int code = has_group ? find_group(colon + 1, &ret->gid, error) : 0;

	if (code == 0)
		code = find_user(name, &has_group, ret, error);
	if (code == 0 && !has_group)
		code = error_set(error, ERR_DOCUMENT, TEXT_base_user_group, text);
	if (code == 0 && ret->group_count == 0)
		ret->groups[ret->group_count++] = ret->gid;
	return code;
}

bool privilege_is_root(void)
{
	return geteuid() == 0;
}

/* ---- capabilities ---- */

struct caps {
	uint64_t effective, permitted;
};

static bool caps_get(struct caps *ret)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &head, data) != 0)
		return false;
	*ret = (struct caps){(uint64_t)data[1].effective << 32 | data[0].effective,
	    (uint64_t)data[1].permitted << 32 | data[0].permitted};
	return true;
}

static bool caps_set(uint64_t caps)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {.effective = (uint32_t)caps, .permitted = (uint32_t)caps},
	    {.effective = (uint32_t)(caps >> 32), .permitted = (uint32_t)(caps >> 32)}};

	return syscall(SYS_capset, &head, data) == 0;
}

/* What could ever be gained by running a program. Only who has CAP_SETPCAP may do it. */
static void bound_drop(void)
{
	for (unsigned long cap = 0; cap <= CAP_MOST; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return;
	}
}

int privilege_limit(uint64_t keep, struct error *error)
{
	struct caps caps;

	/* An old kernel has no ambient ones: then there is nothing to clear. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	bound_drop();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !caps_get(&caps))
		return error_system(error, errno, TEXT_base_capabilities);
	uint64_t left = caps.permitted & keep;

	/* Who has none need not be allowed to say so. */
	if ((caps.permitted != left || caps.effective != left) && !caps_set(left))
		return error_system(error, errno, TEXT_base_capabilities);
	return 0;
}

uint64_t privilege_held(void)
{
	struct caps caps;

	return caps_get(&caps) ? caps.effective : UINT64_MAX;
}

int privilege_become(const struct user *user, uint64_t keep, struct error *error)
{
	int signal = 0;

	(void)prctl(PR_GET_PDEATHSIG, &signal);
	/* First, while that is still allowed. */
	bound_drop();
	if (prctl(PR_SET_KEEPCAPS, keep != 0, 0, 0, 0) != 0 ||
	    setgroups(user->group_count, user->groups) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return error_system(error, errno, TEXT_base_become, user->name);
	(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	/* The kernel forgets it with the old user. */
	if (signal != 0)
		(void)prctl(PR_SET_PDEATHSIG, signal);
	int code = privilege_limit(keep, error);

	/* A way back would make all of this a pretence. */
	CHECK(code != 0 || user->uid == 0 || setresuid(0, 0, 0) != 0);
	return code;
}

int privilege_make_folder(
    const char *path, unsigned mode, const struct user *user, struct error *error)
{
	return user == NULL ? file_make_folder(path, mode, error)
	                    : file_make_folder_of(path, mode, user->uid, user->gid, error);
}
