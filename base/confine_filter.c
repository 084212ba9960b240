#include "base/confine_filter.h"

#include "base/check.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

/* faccessat2 and epoll_pwait2 are the newest that the table means to answer for. */
#define NEWEST 441u
/* Beyond it are the calls of x32, another way to the same ones. */
#define X32    0x40000000u

#define REFUSED (SECCOMP_RET_ERRNO | EPERM)
#define UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS)

enum op { OP_CALL, OP_ONLINE, OP_AMONG, OP_WITHOUT, OP_NOT_BOTH, OP_NOTHING, OP_OWN, OP_ABSENT,
	OP_FATAL };

struct row {
	uint32_t call;
	enum op op;
	unsigned arg, other;
	uint32_t mask;
	uint32_t values[3];
};

static const struct row rows[] = {
#define CALL(name) {.call = __NR_##name, .op = OP_CALL},
#define ONLINE(name) {.call = __NR_##name, .op = OP_ONLINE},
#define AMONG(name, arg_, bits, a, b, c)                                                           \
	{.call = __NR_##name, .op = OP_AMONG, .arg = arg_, .mask = bits, .values = {a, b, c}},
#define WITHOUT(name, arg_, bits)                                                                  \
	{.call = __NR_##name, .op = OP_WITHOUT, .arg = arg_, .mask = bits},
#define NOT_BOTH(name, arg_, bits, arg2, bits2)                                                    \
	{.call = __NR_##name, .op = OP_NOT_BOTH, .arg = arg_, .mask = bits, .other = arg2,         \
	    .values = {bits2}},
#define NOTHING(name, arg_) {.call = __NR_##name, .op = OP_NOTHING, .arg = arg_},
#define OWN(name, arg_) {.call = __NR_##name, .op = OP_OWN, .arg = arg_},
#define ABSENT(name) {.call = __NR_##name, .op = OP_ABSENT},
#define FATAL(name) {.call = __NR_##name, .op = OP_FATAL},
#include "base/confine_calls.def"
};

struct writer {
	struct sock_filter *program;
	size_t count;
	uint32_t pid;
	bool online;
};

static void put(struct writer *w, unsigned code, uint32_t k, size_t yes, size_t no)
{
	CHECK(w->count < CONFINE_FILTER_MAX && yes <= UINT8_MAX && no <= UINT8_MAX);
	w->program[w->count++] = (struct sock_filter){
	    .code = (uint16_t)code, .jt = (uint8_t)yes, .jf = (uint8_t)no, .k = k};
}

static void load(struct writer *w, size_t offset)
{
	put(w, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void load_call(struct writer *w)
{
	load(w, offsetof(struct seccomp_data, nr));
}

/* Half 0 is the low one: both machines are little-endian. */
static void load_argument(struct writer *w, unsigned arg, unsigned half)
{
	load(w, offsetof(struct seccomp_data, args) + 8 * arg + 4 * half);
}

static void answer(struct writer *w, uint32_t what)
{
	put(w, BPF_RET | BPF_K, what, 0, 0);
}

#define JUMP_EQUAL (BPF_JMP | BPF_JEQ | BPF_K)
#define JUMP_BITS  (BPF_JMP | BPF_JSET | BPF_K)
#define MASK	   (BPF_ALU | BPF_AND | BPF_K)

/* Falls through where the row does not refuse; the number of the call is in the register then. */
static void put_refusal(struct writer *w, const struct row *row)
{
	load_argument(w, row->arg, 0);
	switch (row->op) {
	case OP_AMONG:
		put(w, MASK, row->mask, 0, 0);
		put(w, JUMP_EQUAL, row->values[0], 3, 0);
		put(w, JUMP_EQUAL, row->values[1], 2, 0);
		put(w, JUMP_EQUAL, row->values[2], 1, 0);
		break;
	case OP_WITHOUT:
		put(w, JUMP_BITS, row->mask, 0, 1);
		break;
	case OP_NOT_BOTH:
		put(w, JUMP_BITS, row->mask, 0, 3);
		load_argument(w, row->other, 0);
		put(w, JUMP_BITS, row->values[0], 0, 1);
		break;
	case OP_NOTHING:
		put(w, JUMP_EQUAL, 0, 0, 2);
		load_argument(w, row->arg, 1);
		put(w, JUMP_EQUAL, 0, 1, 0);
		break;
	case OP_OWN:
		put(w, JUMP_EQUAL, w->pid, 1, 0);
		break;
	case OP_CALL:
	case OP_ONLINE:
	case OP_ABSENT:
	case OP_FATAL:
		CHECK(false);
	}
	answer(w, REFUSED);
	load_call(w);
}

static void put_row(struct writer *w, const struct row *row)
{
	size_t test = w->count;

	put(w, JUMP_EQUAL, row->call, 0, 0);
	switch (row->op) {
	case OP_ONLINE:
		answer(w, w->online ? SECCOMP_RET_ALLOW : REFUSED);
		break;
	case OP_CALL:
		answer(w, SECCOMP_RET_ALLOW);
		break;
	case OP_ABSENT:
		answer(w, UNKNOWN);
		break;
	case OP_FATAL:
		answer(w, SECCOMP_RET_KILL_PROCESS);
		break;
	case OP_AMONG:
	case OP_WITHOUT:
	case OP_NOT_BOTH:
	case OP_NOTHING:
	case OP_OWN:
		put_refusal(w, row);
		break;
	}
	CHECK(w->count - test - 1 <= UINT8_MAX);
	w->program[test].jf = (uint8_t)(w->count - test - 1);
}

bool confine_filter_fits(void)
{
	return ARCH != 0;
}

size_t confine_filter(struct sock_filter program[CONFINE_FILTER_MAX], int pid, bool online)
{
	struct writer w = {.program = program, .pid = (uint32_t)pid, .online = online};

	load(&w, offsetof(struct seccomp_data, arch));
	put(&w, JUMP_EQUAL, ARCH, 1, 0);
	answer(&w, SECCOMP_RET_KILL_PROCESS);
	load_call(&w);
	put(&w, BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
	answer(&w, REFUSED);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put_row(&w, &rows[i]);
	put(&w, BPF_JMP | BPF_JGT | BPF_K, NEWEST, 0, 1);
	answer(&w, UNKNOWN);
	answer(&w, REFUSED);
	return w.count;
}
