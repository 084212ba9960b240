#include "base/confine.h"
#include "base/confine_filter.h"
#include "base/privilege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_CAPS UINT64_MAX
/* What a child says of an attempt that ended it by seccomp. */
#define KILLED 1000

/*
 * house/store/alerts        kept out
 * house/logs/app.log        followed; logs/to-store, to-shadow: links that a stranger has planted
 * house/certs/live.crt      a certificate
 * house/own                 written to
 * house/run/sock            removed at the end
 * house/alone.yml           beside the store: only itself
 */
static char house[64];

static const char *in(const char *below)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", house, below);
	return path;
}

static void put(const char *below, const char *text)
{
	FILE *file = fopen(in(below), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int make_house(void **state)
{
	static const char *const folders[] = {"store", "logs", "certs", "own", "run", "away"};

	(void)state;
	snprintf(house, sizeof(house), "/tmp/tocsin-confine-XXXXXX");
	assert_non_null(mkdtemp(house));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		assert_int_equal(mkdir(in(folders[i]), 0755), 0);
	put("store/alerts", "secret");
	put("logs/app.log", "line\n");
	put("certs/live.crt", "one");
	put("own/state", "old");
	put("run/sock", "");
	put("alone.yml", "agencies: []");
	put("away/real.crt", "two");
	put("away/other", "nothing of ours");
	assert_int_equal(symlink(in("store/alerts"), in("logs/to-store")), 0);
	assert_int_equal(symlink("/etc/shadow", in("logs/to-shadow")), 0);
	assert_int_equal(symlink(in("away/real.crt"), in("certs/link.crt")), 0);
	return 0;
}

static int remove_house(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof(line), "rm -rf '%s'", house);
	return system(line) == 0 ? 0 : -1;
}

static struct confine *house_confined(bool online)
{
	struct confine *confine = confine_new();

	assert_non_null(confine);
	assert_int_equal(confine_keep_out(confine, "/etc/shadow"), CONFINE_OPEN);
	assert_int_equal(confine_keep_out(confine, in("store")), CONFINE_OPEN);
	assert_int_equal(confine_keep_out(confine, in("not/yet/there")), CONFINE_OPEN);
	assert_int_equal(confine_folder(confine, in("logs"), CONFINE_READ), CONFINE_OPEN);
	assert_int_equal(confine_folder(confine, in("own"), CONFINE_WRITE), CONFINE_OPEN);
	assert_int_equal(confine_folder(confine, in("run"), CONFINE_REMOVE), CONFINE_OPEN);
	assert_int_equal(confine_file(confine, in("certs/live.crt"), CONFINE_READ), CONFINE_OPEN);
	assert_int_equal(confine_file(confine, in("alone.yml"), CONFINE_READ), CONFINE_ALONE);
	assert_int_equal(confine_path(confine, "/dev/null", CONFINE_READ), CONFINE_OPEN);
	assert_int_equal(confine_path(confine, "/proc/self", CONFINE_READ), CONFINE_OPEN);
	assert_int_equal(confine_path(confine, "/usr/lib", CONFINE_READ), CONFINE_OPEN);
	if (online)
		confine_may_connect(confine);
	return confine;
}

/* ---- attempts: 0, or errno ---- */

static int result(long code)
{
	return code < 0 ? errno : 0;
}

static int opens(const char *below, int flags)
{
	return result(open(below[0] == '/' ? below : in(below), flags | O_CLOEXEC, 0600));
}

static int try_read(void) { return opens("logs/app.log", O_RDONLY); }
static int try_shadow(void) { return opens("/etc/shadow", O_RDONLY); }
static int try_passwd(void) { return opens("/etc/passwd", O_RDONLY); }
static int try_store(void) { return opens("store/alerts", O_RDONLY); }
static int try_store_folder(void) { return opens("store", O_RDONLY | O_DIRECTORY); }
static int try_store_write(void) { return opens("store/alerts", O_WRONLY); }
static int try_link_to_store(void) { return opens("logs/to-store", O_RDONLY); }
static int try_link_to_shadow(void) { return opens("logs/to-shadow", O_RDONLY); }
static int try_write_read_only(void) { return opens("logs/app.log", O_WRONLY); }
static int try_truncate_read_only(void) { return opens("logs/app.log", O_RDONLY | O_TRUNC); }
static int try_make_read_only(void) { return opens("logs/new", O_WRONLY | O_CREAT); }
static int try_remove_read_only(void) { return result(unlink(in("logs/app.log"))); }
static int try_remove_store(void) { return result(unlink(in("store/alerts"))); }
static int try_rename_into_store(void) { return result(rename(in("own/state"), in("store/x"))); }
static int try_link_out_of_store(void) { return result(link(in("store/alerts"), in("own/x"))); }
static int try_alone(void) { return opens("alone.yml", O_RDONLY); }
static int try_beside_alone(void) { return opens("away/other", O_RDONLY); }
static int try_list(void) { return opens("logs", O_RDONLY | O_DIRECTORY); }
static int try_list_house(void) { return opens(".", O_RDONLY | O_DIRECTORY); }
static int try_remove_socket(void) { return result(unlink(in("run/sock"))); }
static int try_read_run(void) { return opens("run/sock", O_RDONLY); }
static int try_null(void) { return opens("/dev/null", O_RDONLY); }
static int try_statm(void) { return opens("/proc/self/statm", O_RDONLY); }
static int try_init(void) { return opens("/proc/1/status", O_RDONLY); }

static int try_replace(void)
{
	int code = opens("own/state.new", O_WRONLY | O_CREAT | O_EXCL);

	return code != 0 ? code : result(rename(in("own/state.new"), in("own/state")));
}

static int try_folder_below(void)
{
	int code = result(mkdir(in("own/topic"), 0700));

	if (code == 0)
		code = opens("own/topic/1", O_RDWR | O_CREAT);
	if (code == 0)
		code = result(rename(in("own/topic/1"), in("own/1")));
	return code != 0 ? code : result(rmdir(in("own/topic")));
}

/* Somebody else does what a confined process may not, and it sees what has become of it. */
static int by_another(const char *how);

static int try_replaced_certificate(void)
{
	int code = by_another("certificate");

	return code != 0 ? code : opens("certs/live.crt", O_RDONLY);
}

static int try_new_log(void)
{
	int code = by_another("log");

	return code != 0 ? code : opens("logs/sub/new.log", O_RDONLY);
}

static int try_replaced_alone(void)
{
	int code = by_another("alone");

	return code != 0 ? code : opens("alone.yml", O_RDONLY);
}

static int try_exec(void) { return result(execl("/bin/true", "true", (char *)NULL)); }
static int try_ptrace(void) { return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }
static int try_bpf(void) { return result(syscall(SYS_bpf, 0, NULL, 0)); }
static int try_mount(void) { return result(mount("none", "/mnt", "tmpfs", 0, NULL)); }
static int try_unshare(void) { return result(unshare(CLONE_NEWUSER)); }
static int try_chroot(void) { return result(chroot("/")); }
static int try_keyctl(void) { return result(syscall(SYS_keyctl, 0, -3, 0)); }
static int try_setuid(void) { return result(setuid(0)); }
static int try_uring(void) { return result(syscall(SYS_io_uring_setup, 1, NULL)); }
static int try_userfault(void) { return result(syscall(SYS_userfaultfd, 0)); }
static int try_handle(void) { return result(syscall(SYS_open_by_handle_at, 0, NULL, 0)); }
static int try_clone3(void) { return result(syscall(SYS_clone3, NULL, 0)); }
static int try_future(void) { return result(syscall(100000)); }
static int try_kill_other(void) { return result(kill(getppid(), 0)); }
static int try_kill_all(void) { return result(kill(-1, 0)); }
static int try_kill_thread(void) { return result(syscall(SYS_tgkill, getppid(), getppid(), 0)); }
static int try_kill_self(void) { return result(kill(getpid(), 0)); }

static int try_new_space(void)
{
	return result(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int try_raw(void) { return result(socket(AF_INET, SOCK_RAW, IPPROTO_UDP)); }
static int try_packet(void) { return result(socket(AF_PACKET, SOCK_RAW, 0)); }
static int try_ping(void) { return result(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)); }
static int try_netlink(void) { return result(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int try_unix(void) { return result(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int try_tcp(void) { return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
static int try_udp6(void) { return result(socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)); }

static int try_bind(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? errno : result(bind(fd, (struct sockaddr *)&at, sizeof(at)));
}

static int try_connect(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(1)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd < 0 ? errno : result(connect(fd, (struct sockaddr *)&at, sizeof(at)));
}

static int map(int protection, int flags)
{
	void *at = mmap(NULL, 4096, protection, flags, -1, 0);

	return at == MAP_FAILED ? errno : 0;
}

static int try_map(void) { return map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS); }
static int try_map_code(void) { return map(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }

static int try_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno : result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int try_file_code(void)
{
	int fd = open(in("own/state"), O_RDWR | O_CLOEXEC);
	void *at = mmap(NULL, 1, PROT_WRITE | PROT_EXEC, MAP_PRIVATE, fd, 0);

	return at == MAP_FAILED ? errno : 0;
}

static int try_module(void)
{
	int fd = open(in("own/state"), O_RDWR | O_CLOEXEC);
	void *at = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	return at == MAP_FAILED ? errno : 0;
}

static int try_waiting_bytes(void)
{
	int ends[2], count = 0;

	return pipe(ends) != 0 ? errno : result(ioctl(ends[0], FIONREAD, &count));
}

/* The other way to number the calls of x86-64. */
static int try_x32(void)
{
#ifdef __x86_64__
	return result(syscall(0x40000000 | SYS_getpid));
#else
	return EPERM;
#endif
}

static int try_type_ahead(void) { return result(ioctl(0, TIOCSTI, "x")); }
static int try_setuid_path(void) { return result(chmod(in("own/state"), 04755)); }

static int try_setuid_at(void)
{
	return result(syscall(SYS_fchmodat, AT_FDCWD, in("own/state"), 04755));
}

static int try_setuid_bit(void)
{
	int fd = open(in("own/state"), O_RDWR | O_CLOEXEC);

	return fd < 0 ? errno : result(fchmod(fd, 04755));
}

static int try_mode(void)
{
	int fd = open(in("own/state"), O_RDWR | O_CLOEXEC);

	return fd < 0 ? errno : result(fchmod(fd, 0600));
}

static int try_limit(void)
{
	struct rlimit limit;

	return result(getrlimit(RLIMIT_NOFILE, &limit));
}

static int try_raise_limit(void)
{
	struct rlimit limit = {1, 1};

	return result(setrlimit(RLIMIT_CORE, &limit));
}

static int try_dumpable(void) { return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }
static int try_is_dumpable(void) { return prctl(PR_GET_NAME, house, 0, 0, 0) < 0 ? errno : 0; }

static void *thread_opens(void *argument)
{
	*(int *)argument = opens("store/alerts", O_RDONLY);
	return NULL;
}

static int try_thread(void)
{
	pthread_t thread;
	int code = 0, failure = pthread_create(&thread, NULL, thread_opens, &code);

	if (failure != 0)
		return failure;
	pthread_join(thread, NULL);
	return code;
}

/* As db_verify does. */
static int try_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(opens("store/alerts", O_RDONLY));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

enum needs { CALLS = 1, FILES = 2, ONLINE = 4, OLD = 8, TRUNCATE = 16, NET = 32, PLAIN = 64 };

static const struct row {
	const char *name;
	int (*attempt)(void);
	int expected;
	unsigned needs;
} rows[] = {
    {"a followed file", try_read, 0, 0},
    {"the password file", try_shadow, EACCES, FILES},
    {"a file of /etc that was not named", try_passwd, EACCES, FILES},
    {"a file of the store", try_store, EACCES, FILES},
    {"the folder of the store", try_store_folder, EACCES, FILES},
    {"a file of the store, to write", try_store_write, EACCES, FILES},
    {"the store through a link", try_link_to_store, EACCES, FILES},
    {"the password file through a link", try_link_to_shadow, EACCES, FILES},
    {"writing where it reads", try_write_read_only, EACCES, FILES},
    {"emptying where it reads", try_truncate_read_only, EACCES, FILES | TRUNCATE},
    {"making where it reads", try_make_read_only, EACCES, FILES},
    {"removing where it reads", try_remove_read_only, EACCES, FILES},
    {"removing of the store", try_remove_store, EACCES, FILES},
    {"renaming into the store", try_rename_into_store, EACCES, FILES | OLD},
    {"a second name for a file of the store", try_link_out_of_store, EXDEV, FILES},
    {"a file whose folder stays closed", try_alone, 0, 0},
    {"another file of a closed folder", try_beside_alone, EACCES, FILES},
    {"the list of a folder", try_list, 0, 0},
    {"the list of a closed folder", try_list_house, EACCES, FILES},
    {"removing its socket", try_remove_socket, 0, 0},
    {"reading beside its socket", try_read_run, EACCES, FILES},
    {"replacing its state", try_replace, 0, 0},
    {"a folder below its own", try_folder_below, 0, OLD},
    {"a certificate that was replaced", try_replaced_certificate, 0, 0},
    {"a file that came later, in a folder that came later", try_new_log, 0, 0},
    {"another file in the place of the one that is open alone", try_replaced_alone, EACCES, FILES},
    {"/dev/null", try_null, 0, 0},
    {"its own figures", try_statm, 0, 0},
    {"those of another process", try_init, EACCES, FILES},
    {"a thread", try_thread, EACCES, FILES},
    {"a child", try_child, EACCES, FILES},
    {"execve", try_exec, KILLED, CALLS},
    {"ptrace", try_ptrace, KILLED, CALLS | PLAIN},
    {"bpf", try_bpf, KILLED, CALLS},
    {"mount", try_mount, KILLED, CALLS},
    {"unshare", try_unshare, KILLED, CALLS},
    {"chroot", try_chroot, KILLED, CALLS},
    {"open_by_handle_at", try_handle, KILLED, CALLS},
    {"keyctl", try_keyctl, EPERM, CALLS},
    {"setuid", try_setuid, EPERM, CALLS},
    {"io_uring", try_uring, EPERM, CALLS},
    {"userfaultfd", try_userfault, EPERM, CALLS},
    {"clone3", try_clone3, ENOSYS, CALLS},
    {"a call of a later kernel", try_future, ENOSYS, CALLS},
    {"a child in namespaces of its own", try_new_space, EPERM, CALLS},
    {"a signal to another process", try_kill_other, EPERM, CALLS},
    {"a signal to all", try_kill_all, EPERM, CALLS},
    {"a signal to a thread of another process", try_kill_thread, EPERM, CALLS},
    {"a signal to itself", try_kill_self, 0, 0},
    {"a raw socket", try_raw, EPERM, CALLS | ONLINE},
    {"a packet socket", try_packet, EPERM, CALLS | ONLINE},
    {"a socket for pings", try_ping, EPERM, CALLS | ONLINE},
    {"netlink", try_netlink, EPERM, CALLS | ONLINE},
    {"a Unix socket", try_unix, EPERM, CALLS | ONLINE},
    {"a TCP socket, for Kafka", try_tcp, 0, ONLINE},
    {"a UDP socket, for names", try_udp6, 0, ONLINE},
    {"a connection, for Kafka", try_connect, ECONNREFUSED, ONLINE},
    {"a port", try_bind, EPERM, CALLS | ONLINE},
    {"a TCP socket without Kafka", try_tcp, EPERM, CALLS},
    {"a UDP socket without Kafka", try_udp6, EPERM, CALLS},
    {"memory", try_map, 0, 0},
    {"memory that can be run", try_map_code, EPERM, CALLS},
    {"memory that becomes code", try_code, EPERM, CALLS},
    {"a file as code that can be written", try_file_code, EPERM, CALLS},
    {"a module of a library", try_module, 0, 0},
    {"how many bytes wait", try_waiting_bytes, 0, 0},
    {"typing for somebody", try_type_ahead, EPERM, CALLS},
    {"a call by its number of x32", try_x32, EPERM, CALLS},
    {"a set-user-id bit", try_setuid_bit, EPERM, CALLS},
    {"a set-user-id bit, in a folder", try_setuid_at, EPERM, CALLS},
    {"a set-user-id bit, by name", try_setuid_path, EPERM, CALLS},
    {"another mode", try_mode, 0, 0},
    {"asking for a limit", try_limit, 0, 0},
    {"changing a limit", try_raise_limit, EPERM, CALLS},
    {"giving its memory away", try_dumpable, EPERM, CALLS | PLAIN},
    {"its name", try_is_dumpable, 0, 0},
};

/* ---- running them ---- */

static int helper_in = -1, helper_out = -1;

static int by_another(const char *how)
{
	char answer = 0;

	if (write(helper_in, how, 1) != 1 || read(helper_out, &answer, 1) != 1)
		return EPIPE;
	return answer;
}

/* Outside; waits for one word, or the end. */
static void help(int in_fd, int out_fd)
{
	char what = 0;

	if (read(in_fd, &what, 1) == 1) {
		put(what == 'a' ? "alone.new" : "certs/new", "newer");
		if (what == 'c')
			rename(in("certs/new"), in("certs/live.crt"));
		if (what == 'a')
			rename(in("alone.new"), in("alone.yml"));
		if (what == 'l') {
			mkdir(in("logs/sub"), 0755);
			put("logs/sub/new.log", "line\n");
		}
		if (write(out_fd, "", 1) != 1)
			abort();
	}
}

/* What the attempt gave in a child that is confined; -1: it could not be confined. */
static int outcome(const struct row *row, int version)
{
	int ask[2], tell[2], status;

	assert_int_equal(pipe(ask), 0);
	assert_int_equal(pipe(tell), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct error error = {0};
		struct confine *confine = house_confined((row->needs & ONLINE) != 0);

		confine_as_of(confine, version);
		close(ask[0]);
		close(tell[1]);
		helper_in = ask[1];
		helper_out = tell[0];
		if (confine_enter(confine, ALL_CAPS, &error) < 0)
			_exit(255);
		_exit(row->attempt());
	}
	close(ask[1]);
	close(tell[0]);
	help(ask[0], tell[1]);
	close(ask[0]);
	close(tell[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : -WTERMSIG(status);
	return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

static const char *lacks(unsigned needs, int version)
{
	if ((needs & CALLS) != 0 && !confine_seccomp())
		return "no seccomp";
	if ((needs & FILES) != 0 && version == 0)
		return "no Landlock";
	if ((needs & OLD) != 0 && version < 2 && version > 0)
		return "Landlock 1 renames within a folder only";
	if ((needs & TRUNCATE) != 0 && version < 3)
		return "Landlock keeps no file from being emptied";
#ifdef CONFINE_SANITIZED
	if ((needs & PLAIN) != 0)
		return "the sanitizer needs it";
#endif
	return NULL;
}

static unsigned attempts(int version)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = lacks(rows[i].needs, version);

		if (why != NULL) {
			fprintf(stderr, "passed over, Landlock %d: %s: %s\n", version,
			    rows[i].name, why);
			continue;
		}
		make_house(NULL);
		int got = outcome(&rows[i], version);

		remove_house(NULL);
		if (got != rows[i].expected)
			fprintf(stderr, "Landlock %d: %s: %d, not %d\n", version, rows[i].name,
			    got, rows[i].expected);
		wrong += got != rows[i].expected;
	}
	return wrong;
}

/* As this kernel is, and as older ones are. */
static void test_attempts(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (int version = confine_landlock(); version >= 0; version--)
		wrong += attempts(version);
	assert_int_equal(wrong, 0);
}

/* ---- which paths are opened ---- */

static void test_outcomes(void **state)
{
	struct confine *confine = house_confined(false);

	(void)state;
	static const struct {
		const char *path;
		bool file;
		enum confine_outcome expected;
	} paths[] = {{"", false, CONFINE_WIDE}, {"store", false, CONFINE_WIDE},
	    {"store/../store", false, CONFINE_WIDE}, {"store/", false, CONFINE_WIDE},
	    {"store/below", false, CONFINE_MISSING},
	    {"logs/to-store", true, CONFINE_WIDE}, {"not", false, CONFINE_MISSING},
	    {"not-kept/yet", false, CONFINE_MISSING}, {"logs/later/still", false, CONFINE_OPEN},
	    {"certs/link.crt", true, CONFINE_OPEN}, {"gone.yml", true, CONFINE_MISSING},
	    {"logs/gone.log", true, CONFINE_OPEN}, {"store/alerts", true, CONFINE_WIDE},
	    {"storehouse", false, CONFINE_MISSING}};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		enum confine_outcome got = paths[i].file
		    ? confine_file(confine, in(paths[i].path), CONFINE_READ)
		    : confine_folder(confine, in(paths[i].path), CONFINE_READ);

		if (got != paths[i].expected)
			fail_msg("%s: %d, not %d", paths[i].path, got, paths[i].expected);
	}
	assert_int_equal(confine_folder(confine, "/", CONFINE_READ), CONFINE_WIDE);
	assert_int_equal(confine_folder(confine, "/etc", CONFINE_READ), CONFINE_WIDE);
	assert_int_equal(confine_path(confine, in("none"), CONFINE_READ), CONFINE_MISSING);
	mkdir(in("storehouse"), 0755);
	assert_int_equal(confine_folder(confine, in("storehouse"), CONFINE_READ), CONFINE_OPEN);
	confine_free(confine);
}

static void test_too_many(void **state)
{
	struct confine *confine = confine_new();
	enum confine_outcome last = CONFINE_OPEN;
	unsigned count = 0;

	(void)state;
	while (last == CONFINE_OPEN && count < 2000) {
		last = confine_path(confine, "/dev/null", CONFINE_READ);
		count++;
	}
	assert_int_equal(last, CONFINE_FULL);
	assert_int_equal(count, 513);
	confine_free(confine);
}

/* ---- threads that were there before ---- */

struct early {
	pthread_t thread;
	int go[2], file, call;
};

static void *early_run(void *argument)
{
	struct early *early = argument;
	char byte;

	if (read(early->go[0], &byte, 1) == 1) {
		early->file = opens("store/alerts", O_RDONLY);
		early->call = try_unix();
	}
	return NULL;
}

static int early_start(void *argument, struct error *error)
{
	struct early *early = argument;

	(void)error;
	return pthread_create(&early->thread, NULL, early_run, early) == 0 ? 7 : -1;
}

static int threads_attempt(void)
{
	struct early early = {.file = -1, .call = -1};
	struct confine *confine = house_confined(false);
	struct error error = {0};
	/* Asked now: it cannot be later. */
	bool files = confine_landlock() > 0, calls = confine_seccomp();

	if (pipe(early.go) != 0 ||
	    confine_thread(confine, 0, early_start, &early, &error) != 7)
		return 1;
	/* The caller is not confined by that. */
	if (opens("store/alerts", O_RDONLY) != 0)
		return 2;
	if (confine_enter(confine, 0, &error) < 0)
		return 3;
	if (write(early.go[1], "", 1) != 1 || pthread_join(early.thread, NULL) != 0)
		return 4;
	if (files && early.file != EACCES)
		return 5;
	if (calls && early.call != EPERM)
		return 6;
	return privilege_held() == 0 ? 0 : 7;
}

static int in_child(int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(attempt());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_threads(void **state)
{
	(void)state;
	assert_int_equal(in_child(threads_attempt), 0);
}

/* Landlock alone, before seccomp. */
static int without_ports(void *argument, struct error *error)
{
	bool online = *(bool *)argument;

	(void)error;
	if (try_bind() != EACCES)
		return 1;
	return try_connect() == (online ? ECONNREFUSED : EACCES) ? 0 : 2;
}

static int network_attempt(void)
{
	for (int online = 0; online < 2; online++) {
		struct confine *confine = house_confined(online != 0);
		struct error error = {0};
		bool is_online = online != 0;
		int code = confine_thread(confine, 0, without_ports, &is_online, &error);

		confine_free(confine);
		if (code != 0)
			return code + 2 * online;
	}
	return 0;
}

static void test_network(void **state)
{
	(void)state;
	if (confine_landlock() < 4) {
		fprintf(stderr, "Landlock knows nothing of the network\n");
		skip();
	}
	assert_int_equal(in_child(network_attempt), 0);
}

static int off_attempt(void)
{
	struct confine *confine = house_confined(false);
	struct error error = {0};

	confine_off(confine);
	if (confine_enter(confine, 0, &error) < 0)
		return 1;
	return opens("own/state", O_RDONLY) != 0 || try_unix() != 0 ||
	    opens("store", O_RDONLY | O_DIRECTORY) != 0 || privilege_held() != 0;
}

static void test_off(void **state)
{
	(void)state;
	assert_int_equal(in_child(off_attempt), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attempts),
	    cmocka_unit_test_setup_teardown(test_outcomes, make_house, remove_house),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test_setup_teardown(test_threads, make_house, remove_house),
	    cmocka_unit_test_setup_teardown(test_network, make_house, remove_house),
	    cmocka_unit_test_setup_teardown(test_off, make_house, remove_house),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
