#include "base/privilege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIND ((uint64_t)1 << CAP_NET_BIND_SERVICE)

/* Users 0 and "root" are on every system; 54321 is on none. */
static void test_users(void **state)
{
	static const struct {
		const char *text;
		int code;
		uid_t uid;
		gid_t gid;
	} rows[] = {{"root", 0, 0, 0}, {"0", 0, 0, 0}, {"root:54321", 0, 0, 54321},
	    {"54321:54321", 0, 54321, 54321}, {"54321:root", 0, 54321, 0},
	    {"54321", ERR_DOCUMENT, 0, 0}, {"", ERR_DOCUMENT, 0, 0}, {":", ERR_DOCUMENT, 0, 0},
	    {"no-such-user", ERR_DOCUMENT, 0, 0}, {"root:no-such-group", ERR_DOCUMENT, 0, 0},
	    {"root:", ERR_DOCUMENT, 0, 0}, {"4294967295:0", ERR_DOCUMENT, 0, 0},
	    {"0:4294967295", ERR_DOCUMENT, 0, 0}, {"-1:-1", ERR_DOCUMENT, 0, 0},
	    {"a name that is longer than any system takes, and then some more of it: 0", ERR_DOCUMENT,
		0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error = {0};
		struct user user;
		int code = privilege_user(rows[i].text, &user, &error);
		bool group = false;

		if (code != rows[i].code)
			fail_msg("%s: %d, not %d: %s", rows[i].text, code, rows[i].code,
			    error.text);
		if (code != 0) {
			assert_int_not_equal(error.text[0], '\0');
			continue;
		}
		assert_string_equal(user.name, rows[i].text);
		assert_int_equal(user.uid, rows[i].uid);
		assert_int_equal(user.gid, rows[i].gid);
		for (size_t k = 0; k < user.group_count; k++)
			group = group || user.groups[k] == user.gid;
		assert_true(group);
	}
}

/* ---- as root, in a child ---- */

static void in_child(int (*attempt)(void))
{
	int status;

	if (!privilege_is_root()) {
		fprintf(stderr, "only root can become another user\n");
		skip();
	}
	pid_t pid = fork();

	if (pid == 0)
		_exit(attempt());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const struct user somebody = {
    .uid = 54321, .gid = 54322, .groups = {54322, 54323}, .group_count = 2, .name = "somebody"};

/* The field of /proc/self/status, as a number of base 16. */
static uint64_t field(const char *name)
{
	FILE *file = fopen("/proc/thread-self/status", "r");
	uint64_t value = UINT64_MAX;
	char line[256];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL, 16);
	}
	if (file != NULL)
		fclose(file);
	return value;
}

static int become_nothing(void)
{
	gid_t groups[8];
	uid_t uid[3];
	gid_t gid[3];

	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (privilege_become(&somebody, 0, NULL) != 0)
		return 1;
	int signal = 0;

	prctl(PR_GET_PDEATHSIG, &signal);
	if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
		return 2;
	for (int i = 0; i < 3; i++) {
		if (uid[i] != 54321 || gid[i] != 54322)
			return 3;
	}
	if (getgroups(8, groups) != 2 || groups[0] + groups[1] != 54322 + 54323)
		return 4;
	if (privilege_held() != 0 || field("CapPrm") != 0 || field("CapBnd") != 0 ||
	    field("CapAmb") != 0 || field("CapInh") != 0 || field("NoNewPrivs") != 1)
		return 5;
	if (setuid(0) == 0 || setgid(0) == 0 || open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0)
		return 6;
	return signal == SIGUSR1 && !privilege_is_root() ? 0 : 7;
}

static void test_become(void **state)
{
	(void)state;
	in_child(become_nothing);
}

static void *thread_holds(void *argument)
{
	*(uint64_t *)argument = privilege_held();
	return NULL;
}

static int become_with_ports(void)
{
	pthread_t thread;
	uint64_t of_thread = 0;

	if (privilege_become(&somebody, BIND, NULL) != 0 || privilege_held() != BIND ||
	    field("CapPrm") != BIND || field("CapBnd") != 0 || getuid() != 54321)
		return 1;
	if (setuid(0) == 0)
		return 2;
	if (privilege_limit(0, NULL) != 0 || privilege_held() != 0 || field("CapPrm") != 0)
		return 3;
	/* What is given up does not come back. */
	if (privilege_limit(BIND, NULL) != 0 || privilege_held() != 0)
		return 4;
	if (pthread_create(&thread, NULL, thread_holds, &of_thread) != 0)
		return 5;
	pthread_join(thread, NULL);
	return of_thread == 0 ? 0 : 6;
}

static void test_become_with_ports(void **state)
{
	(void)state;
	in_child(become_with_ports);
}

static int stay_root(void)
{
	uint64_t files = (uint64_t)1 << CAP_DAC_READ_SEARCH | BIND;

	if (privilege_limit(files, NULL) != 0 || privilege_held() != files || geteuid() != 0)
		return 1;
	return field("NoNewPrivs") == 1 ? 0 : 2;
}

static void test_stay_root(void **state)
{
	(void)state;
	in_child(stay_root);
}

static int folders_attempt(void)
{
	char house[64] = "/tmp/tocsin-privilege-XXXXXX", path[128], line[160];
	struct stat first, deep;
	int code = 0;

	if (mkdtemp(house) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/a/b/c", house);
	code = privilege_make_folder(path, 0750, &somebody, NULL) != 0 ||
	    privilege_make_folder(path, 0750, &somebody, NULL) != 0 ? 2 : 0;
	snprintf(line, sizeof(line), "%s/a", house);
	if (code == 0 && (stat(line, &first) != 0 || stat(path, &deep) != 0 ||
	    first.st_uid != 54321 || deep.st_uid != 54321 || deep.st_gid != 54322))
		code = 3;
	/* One that is there is left to whose it is. */
	if (code == 0 && (privilege_make_folder(house, 0750, &somebody, NULL) != 0 ||
	    stat(house, &first) != 0 || first.st_uid != 0))
		code = 4;
	snprintf(line, sizeof(line), "rm -rf '%s'", house);
	return system(line) == 0 ? code : 5;
}

static void test_folders(void **state)
{
	struct error error = {0};

	(void)state;
	assert_true(privilege_make_folder("", 0750, NULL, &error) < 0);
	error_clear(&error);
	assert_true(privilege_make_folder("/dev/null/x", 0750, NULL, &error) < 0);
	in_child(folders_attempt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_users), cmocka_unit_test(test_become),
	    cmocka_unit_test(test_become_with_ports), cmocka_unit_test(test_stay_root),
	    cmocka_unit_test(test_folders)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
