/* SPDX-License-Identifier: ISC */
/* base/io/sandbox_filter.c - sandbox_calls.def as a filter in the kernel.
 *
 * A call without a row that passes is answered with SIGSYS, whose handler writes one line
 * with the call's name and ends the process by a call that the kernel kills for. The handler
 * is no hole: the refused call was not made, the filter lets nobody set another handler, and
 * where the signal is blocked the kernel kills at once. It calls nothing that allocates or
 * locks, since the program may be stopped anywhere and in anybody's hands. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io/sandbox.h"

/* ---- the table ---- */

enum kind { KIND_ALLOW, KIND_REFUSE, KIND_NOBODY };
enum op { OP_IS, OP_SELF };

struct test {
    unsigned arg;
    enum op op;
    uint64_t mask, value;
};

struct row {
    const char *name;
    int call; /* negative: this machine does not have it */
    enum kind kind;
    unsigned groups, unless;
    int error; /* KIND_REFUSE */
    unsigned n_tests;
    struct test tests[2];
};

/* What of an argument counts. The kernel takes 32 bits of an int; above stands anything. */
#define MASK_INT       0xffffffffu
#define MASK_ADDRESS   UINT64_MAX
#define MASK_SOCK_TYPE 0xfu /* without SOCK_CLOEXEC, SOCK_NONBLOCK */
#define MASK_OPEN      ((unsigned)(O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)))
#define THREAD_WANT    (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define THREAD_BITS                                                                      \
    (THREAD_WANT | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |         \
     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_VFORK | CLONE_PTRACE)

#define T(arg, op, mask, value)                                                          \
    {                                                                                    \
        (arg), OP_##op, (uint64_t)(mask), (uint64_t)(value)                              \
    }
#define CALL(call, groups, why)                                                          \
    {#call, SCMP_SYS(call), KIND_ALLOW, groups, 0, 0, 0, {{0, OP_IS, 0, 0}}},
#define CALL1(call, groups, a, o, m, v, why)                                             \
    {#call, SCMP_SYS(call), KIND_ALLOW, groups, 0, 0, 1, {T(a, o, m, v)}},
#define CALL2(call, groups, a, o, m, v, a2, o2, m2, v2, why)                             \
    {#call,      SCMP_SYS(call),                                                         \
     KIND_ALLOW, groups,                                                                 \
     0,          0,                                                                      \
     2,          {T(a, o, m, v), T(a2, o2, m2, v2)}},
#define REFUSE(call, groups, unless, error, why)                                         \
    {#call, SCMP_SYS(call), KIND_REFUSE, groups, unless, error, 0, {{0, OP_IS, 0, 0}}},
#define REFUSE1(call, groups, a, o, m, v, error, why)                                    \
    {#call, SCMP_SYS(call), KIND_REFUSE, groups, 0, error, 1, {T(a, o, m, v)}},
#define NOBODY(call) {#call, SCMP_SYS(call), KIND_NOBODY, 0, 0, 0, 0, {{0, OP_IS, 0, 0}}},

enum { /* the .def says BASE, this file SANDBOX_BASE */
       BASE = SANDBOX_BASE,
       THREADS = SANDBOX_THREADS,
       ACCEPT = SANDBOX_ACCEPT,
       PAIR = SANDBOX_PAIR,
       CONNECT = SANDBOX_CONNECT,
       UDP = SANDBOX_UDP,
       DATAGRAMS = SANDBOX_DATAGRAMS,
       MEMFD = SANDBOX_MEMFD,
       READ = SANDBOX_READ,
       DATABASE = SANDBOX_DATABASE,
       FILES = SANDBOX_FILES
};

static const struct row rows[] = {
#include "base/io/sandbox_calls.def"
};

/* ---- when a call is refused ---- */

static const char *name_of(int call)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].call == call)
            return rows[i].name;
    return "unknown";
}

static size_t put(char *out, size_t at, const char *text)
{
    while (*text != '\0')
        out[at++] = *text++;
    return at;
}

static size_t put_number(char *out, size_t at, unsigned n)
{
    char digits[12];
    size_t i = sizeof(digits) - 1;

    digits[i] = '\0';
    do
        digits[--i] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return put(out, at, digits + i);
}

static NO_RETURN void on_refused(int signo, siginfo_t *info, void *context)
{
    char line[128]; /* the longest name has 20 octets */
    size_t n = put(line, 0, "sandbox: this role may not call ");

    (void)signo, (void)context;
    n = put(line, n, name_of(info->si_syscall));
    n = put(line, n, " (");
    n = put_number(line, n, (unsigned)info->si_syscall);
    n = put(line, n, "); it ends\n");
    if (write(STDERR_FILENO, line, n) == -1) {
        /* Nobody listens: the parent still sees the signal. */
    }
    (void)syscall(SYS_personality, 0xffffffff); /* the filter kills for it */
    _exit(128 + SIGSYS);
}

static int catch_refused(struct err *err)
{
    struct sigaction sa = {.sa_sigaction = on_refused,
                           .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND)};
    sigset_t set;

    if (sigfillset(&sa.sa_mask) == -1 || sigemptyset(&set) == -1 ||
        sigaddset(&set, SIGSYS) == -1 || sigaction(SIGSYS, &sa, NULL) == -1 ||
        sigprocmask(SIG_UNBLOCK, &set, NULL) == -1)
        return err_sys(err, "sandbox: catch SIGSYS");
    return 0;
}

/* ---- the filter ---- */

static struct scmp_arg_cmp compare(const struct test *t)
{
    uint64_t value = t->op == OP_SELF ? (uint64_t)getpid() : t->value;

    return SCMP_CMP64(t->arg, SCMP_CMP_MASKED_EQ, t->mask, value);
}

/* Has this machine the call, and this role the group? */
static bool applies(const struct row *r, unsigned calls)
{
    return r->call >= 0 && r->kind != KIND_NOBODY && (r->groups & calls) != 0 &&
           (r->unless & calls) == 0;
}

/* 0 or a negative errno, as libseccomp does. */
static int add_row(scmp_filter_ctx f, const struct row *r)
{
    uint32_t action =
        r->kind == KIND_ALLOW ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)r->error);
    struct scmp_arg_cmp tests[2];

    for (unsigned i = 0; i < r->n_tests; i++)
        tests[i] = compare(&r->tests[i]);
    return seccomp_rule_add_array(f, action, r->call, r->n_tests, tests);
}

static int build(scmp_filter_ctx f, unsigned calls)
{
    int rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (rc == 0) /* threads that libraries have made already are covered */
        rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0) /* a binary tree: the calls with tests are not looked for one by one */
        rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(personality), 0);
    for (size_t i = 0; rc == 0 && i < COUNT_OF(rows); i++)
        if (applies(&rows[i], calls))
            rc = add_row(f, &rows[i]);
    return rc;
}

int sandbox_filter(unsigned calls, struct err *err)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
    int rc = f == NULL ? -ENOMEM : build(f, calls | SANDBOX_BASE);

    if (rc == 0)
        rc = catch_refused(err) == -1 ? -EINVAL : seccomp_load(f);
    if (rc != 0) {
        errno = -rc;
        (void)err_sys(err,
                      "sandbox: set the filter of system calls (does this kernel have "
                      "seccomp? privsep off does without)");
    }
    seccomp_release(f);
    return rc == 0 ? 0 : -1;
}
