/* SPDX-License-Identifier: ISC */
/* Each case runs in a child that enters a sandbox and then does one thing; the parent looks
 * how it ended: "lives" is exit code 0, "dies" is SIGSYS. Users and roots need root. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/io/sandbox.h"
#include "base/msg/encword.h"

enum { MIB = 1024 * 1024 };

static const struct sandbox plain = {.calls = SANDBOX_BASE,
                                     .limits = {.file_octets = MIB}};

/* ---- a child ---- */

struct ending {
    bool is_exit;
    int code;       /* exit code or signal */
    char said[512]; /* on descriptor 2 */
};

/* Runs in the child, after entering; its result is the exit code. */
typedef int (*act_fn)(void);

static int child(const struct sandbox *s, const struct sandbox_host *h, act_fn act)
{
    struct err err = {0};

    if (sandbox_enter(s, h, &err) == -1) {
        if (write(STDERR_FILENO, err.text, strlen(err.text)) == -1)
            return 101;
        return 100;
    }
    return act();
}

static struct ending run(const struct sandbox *s, const struct sandbox_host *h,
                         act_fn act)
{
    struct ending e = {0};
    int status, says[2];
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(says), 0);
    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        (void)dup2(says[1], STDERR_FILENO);
        _exit(child(s, h, act));
    }
    (void)close(says[1]);
    while ((got = read(says[0], e.said + n, sizeof(e.said) - 1 - n)) > 0)
        n += (size_t)got;
    (void)close(says[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    e.is_exit = WIFEXITED(status);
    e.code = e.is_exit ? WEXITSTATUS(status) : WTERMSIG(status);
    return e;
}

static const struct sandbox_host filter_only = {.level = SANDBOX_SECCOMP};

static bool is_sanitized(void)
{
    enum sandbox_level level;

    return sandbox_level_pick("seccomp", &level, NULL) == 0 && level == SANDBOX_OFF;
}

static void must_live(const char *what, unsigned calls, act_fn act)
{
    struct sandbox s = plain;
    struct ending e;

    s.calls = calls;
    e = run(&s, &filter_only, act);
    if (!e.is_exit || e.code != 0)
        fail_msg("%s: %s %d: %s", what, e.is_exit ? "exit" : "signal", e.code, e.said);
}

static void must_die(const char *what, unsigned calls, act_fn act, const char *want_name)
{
    struct sandbox s = plain;
    struct ending e;

    s.calls = calls;
    e = run(&s, &filter_only, act);
    if (e.is_exit || e.code != SIGSYS || strstr(e.said, want_name) == NULL)
        fail_msg("%s: %s %d: %s", what, e.is_exit ? "exit" : "signal", e.code, e.said);
}

/* ---- what one may do ---- */

static void *thread_main(void *arg)
{
    *(int *)arg = 7;
    return NULL;
}

static int do_thread(void)
{
    pthread_t t;
    int seen = 0;

    return pthread_create(&t, NULL, thread_main, &seen) != 0 ||
           pthread_join(t, NULL) != 0 || seen != 7;
}

static int do_memory(void)
{
    char *small[64], *big = malloc(8 * MIB);

    for (size_t i = 0; i < COUNT_OF(small); i++)
        small[i] = malloc(100000);
    memset(big, 1, 8 * MIB);
    big = realloc(big, 16 * MIB);
    for (size_t i = 0; i < COUNT_OF(small); i++)
        free(small[i]);
    free(big);
    return 0;
}

static int do_abort(void)
{
    abort();
}

static int do_socketpair(void)
{
    int fds[2];

    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1 ||
           send(fds[0], "x", 1, 0) != 1;
}

static int do_tcp(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    return fd == -1 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1;
}

static int do_udp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd == -1 || sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1;
}

static int do_memfd(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    return fd == -1 || ftruncate(fd, 4096) == -1 ||
           fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) == -1;
}

static int do_open_read(void)
{
    struct stat st;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd == -1 || fstat(fd, &st) == -1 || stat("/nonexistent", &st) != -1;
}

static int do_open_write(void)
{
    return open("/nonexistent/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600) != -1;
}

static int do_mkdir(void)
{
    return mkdir("/nonexistent/folder", 0700) != -1;
}

static int do_unlink_refused(void)
{
    return unlink("/nonexistent") == 0 || errno != EACCES;
}

static int do_library_code(void)
{
    /* As dlopen does for a module of iconv: refused, not fatal. */
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
               MAP_FAILED ||
           errno != EACCES;
}

static void test_groups_allow_what_they_are_for(void **state)
{
    (void)state;
    if (is_sanitized())
        skip();
    must_live("memory", 0, do_memory);
    must_live("code of a library", 0, do_library_code);
    must_live("threads", SANDBOX_THREADS, do_thread);
    must_live("pair", SANDBOX_PAIR, do_socketpair);
    must_live("tcp", SANDBOX_CONNECT, do_tcp);
    must_live("udp", SANDBOX_UDP, do_udp);
    must_live("memfd", SANDBOX_MEMFD, do_memfd);
    must_live("read", SANDBOX_READ, do_open_read);
    must_live("database", SANDBOX_READ | SANDBOX_DATABASE, do_open_write);
    must_live("database, unlink", SANDBOX_READ | SANDBOX_DATABASE, do_unlink_refused);
    must_live("files", SANDBOX_READ | SANDBOX_FILES, do_open_write);
    must_live("files, mkdir", SANDBOX_READ | SANDBOX_FILES, do_mkdir);
}

static bool is_cyrillic(const char *charset, const char *octets)
{
    struct buf out;
    bool is_right;

    buf_init(&out, 64);
    is_right = charset_to_utf8(span_str(charset), span_str(octets), &out) &&
               span_eq(buf_all(&out), span_str("\xd0\x94\xd0\xb0")); /* "Da" */
    buf_free(&out);
    return is_right;
}

/* With no way to open a file: what was kept is there, by any letter case. */
static int do_charsets(void)
{
    for (int i = 0; i < 3; i++)
        if (!is_cyrillic("koi8-r", "\xe4\xc1") ||
            !is_cyrillic("Windows-1251", "\xc4\xe0"))
            return 1;
    return 0;
}

static void test_kept_charsets_outlive_confinement(void **state)
{
    (void)state;
    if (is_sanitized())
        skip();
    charset_keep();
    must_live("charsets", 0, do_charsets);
}

static void test_abort_stays_an_abort(void **state)
{
    struct ending e;

    (void)state;
    if (is_sanitized())
        skip();
    e = run(&plain, &filter_only, do_abort);
    assert_false(e.is_exit);
    assert_int_equal(e.code, SIGABRT);
}

/* ---- what ends a role ---- */

static int do_execve(void)
{
    char *argv[] = {NULL}, *envp[] = {NULL};

    return execve("/bin/true", argv, envp);
}

static int do_fork(void)
{
    return (int)fork();
}

static int do_ptrace(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int do_write_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int do_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int do_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int do_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
}

static int do_open_trunc(void)
{
    return open("/nonexistent/file", O_WRONLY | O_TRUNC | O_CLOEXEC);
}

static int do_open_unnamed(void)
{
    return open("/nonexistent", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

static int do_kill(void)
{
    return kill(1, 0);
}

static int do_tgkill_other(void)
{
    return (int)syscall(SYS_tgkill, 1, 1, 0);
}

static int do_raise_limit(void)
{
    struct rlimit lim = {0, 0};

    return setrlimit(RLIMIT_CORE, &lim);
}

static int do_new_handler(void)
{
    return signal(SIGSYS, SIG_IGN) == SIG_ERR;
}

/* The upper half of a register is not the kernel's concern, so it must not be the filter's. */
static int do_new_handler_high(void)
{
    return (int)syscall(SYS_rt_sigaction, 0x100000000 + SIGSYS, NULL, NULL, 8);
}

static int do_socket_high(void)
{
    return (int)syscall(SYS_socket, 0x200000000 + AF_UNIX, SOCK_STREAM, 0);
}

static int do_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int do_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static int do_attach_filter(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0);
}

static int do_sendto_address(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};

    return (int)sendto(0, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
}

static int do_foreign_abi(void)
{
    return (int)syscall(0x40000000 + SYS_getpid); /* x32 */
}

static void test_everything_else_ends_the_process_and_is_named(void **state)
{
    static const struct {
        const char *name;
        unsigned calls;
        act_fn act;
        const char *want;
    } cases[] = {
        {"execve", ~0u, do_execve, "execve"},
        {"fork", ~0u, do_fork, "clone"},
        {"ptrace", ~0u, do_ptrace, "ptrace"},
        {"code out of data", ~0u, do_write_code, "mprotect"},
        {"packet socket", ~0u, do_packet_socket, "socket"},
        {"unix socket", ~0u, do_unix_socket, "socket"},
        {"raw socket", ~0u, do_raw_socket, "socket"},
        {"kill", ~0u, do_kill, "kill"},
        {"signal to another", ~0u, do_tgkill_other, "tgkill"},
        {"limits", ~0u, do_raise_limit, "prlimit64"},
        {"handler", ~0u, do_new_handler, "rt_sigaction"},
        {"handler, high bits", ~0u, do_new_handler_high, "rt_sigaction"},
        {"socket, high bits", ~0u, do_socket_high, "socket"},
        {"dumpable", ~0u, do_dumpable, "prctl"},
        {"namespace", ~0u, do_namespace, "unshare"},
        {"bpf on a socket", SANDBOX_CONNECT, do_attach_filter, "setsockopt"},
        {"thread", 0, do_thread, ""}, /* glibc blocks signals around it: no name */
        {"tcp without the group", ~(unsigned)SANDBOX_CONNECT, do_tcp, "socket"},
        {"udp without the group", ~(unsigned)SANDBOX_UDP, do_udp, "socket"},
        {"pair without the group", 0, do_socketpair, "socketpair"},
        {"memfd without the group", 0, do_memfd, "memfd_create"},
        {"sendto an address", SANDBOX_ACCEPT | SANDBOX_CONNECT, do_sendto_address,
         "sendto"},
        {"open", SANDBOX_ACCEPT | SANDBOX_CONNECT | SANDBOX_UDP, do_open_read, "openat"},
        {"write to a file", SANDBOX_READ, do_open_write, "openat"},
        {"truncate", SANDBOX_READ | SANDBOX_DATABASE, do_open_trunc, "openat"},
        {"unnamed file", SANDBOX_READ | SANDBOX_DATABASE, do_open_unnamed, "openat"},
        {"mkdir", SANDBOX_READ | SANDBOX_DATABASE, do_mkdir, "mkdir"},
    };

    (void)state;
    if (is_sanitized())
        skip();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        must_die(cases[i].name, cases[i].calls, cases[i].act, cases[i].want);
}

static void test_a_foreign_abi_is_killed_at_once(void **state)
{
    struct ending e;

    (void)state;
    if (is_sanitized())
        skip();
    e = run(&plain, &filter_only, do_foreign_abi);
    assert_false(e.is_exit);
    assert_int_equal(e.code, SIGSYS);
}

static void *execve_in_thread(void *arg)
{
    (void)arg;
    (void)do_execve();
    return NULL;
}

/* Made before the filter, as a library might: TSYNC covers it. */
static int wake_fd;

static void *waiting_thread(void *arg)
{
    uint64_t one;

    if (read(wake_fd, &one, sizeof(one)) != sizeof(one))
        return arg;
    return execve_in_thread(arg);
}

static int do_early_thread(void)
{
    struct err err;
    pthread_t t;
    uint64_t one = 1;

    wake_fd = eventfd(0, EFD_CLOEXEC);
    if (pthread_create(&t, NULL, waiting_thread, NULL) != 0 ||
        sandbox_enter(&plain, &filter_only, &err) == -1 ||
        write(wake_fd, &one, sizeof(one)) != sizeof(one))
        return 1;
    (void)pthread_join(t, NULL);
    return 0;
}

static void test_threads_made_before_are_covered(void **state)
{
    static const struct sandbox_host off = {.level = SANDBOX_OFF};
    struct ending e;

    (void)state;
    if (is_sanitized())
        skip();
    e = run(&plain, &off, do_early_thread);
    assert_false(e.is_exit);
    assert_int_equal(e.code, SIGSYS);
}

/* ---- limits ---- */

static int do_limits(void)
{
    struct rlimit core, files;

    if (getrlimit(RLIMIT_CORE, &core) == -1 || getrlimit(RLIMIT_NOFILE, &files) == -1)
        return 1;
    if (core.rlim_max != 0 || files.rlim_max != 20 || files.rlim_cur != 20)
        return 2;
    return 0;
}

static int do_grow_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    ssize_t n = pwrite(fd, "0123456789", 10, 4096);

    return n != -1 || errno != EFBIG;
}

static int do_take_memory(void)
{
    void *p = malloc(512 * (size_t)MIB);

    return p != NULL;
}

static void test_limits_hold(void **state)
{
    static const struct sandbox s = {.calls = SANDBOX_MEMFD,
                                     .limits = {.file_octets = 4096,
                                                .files = 20,
                                                .memory_octets = 256 * (uint64_t)MIB}};
    static const struct {
        const char *name;
        act_fn act;
    } cases[] = {{"core, files", do_limits},
                 {"size of files", do_grow_file},
                 {"memory", do_take_memory}};

    (void)state;
    if (is_sanitized())
        skip();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ending e = run(&s, &filter_only, cases[i].act);

        if (!e.is_exit || e.code != 0)
            fail_msg("%s: %s %d: %s", cases[i].name, e.is_exit ? "exit" : "signal",
                     e.code, e.said);
    }
}

/* ---- user and root --------------------------------------------------------------------- */

static const struct sandbox full = {.user = "nobody",
                                    .root = SANDBOX_EMPTY,
                                    .calls = SANDBOX_READ | SANDBOX_FILES,
                                    .limits = {.file_octets = 0}};

static int do_look_around(void)
{
    char entries[4096];
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
        return 1;
    /* At most "." and "..". */
    if (fd != -1 && syscall(SYS_getdents64, fd, entries, sizeof(entries)) > 64)
        return 2;
    if (open("/../../etc/passwd", O_RDONLY | O_CLOEXEC) != -1)
        return 3;
    if (open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600) != -1 ||
        mkdir("/folder", 0700) != -1)
        return 4;
    return 0;
}

static int do_back_to_root(void)
{
    return setuid(0);
}

static int do_look_at_data(void)
{
    return open("/there", O_RDONLY | O_CLOEXEC) == -1 ||
           open("/etc/passwd", O_RDONLY | O_CLOEXEC) != -1;
}

static int do_wait(void)
{
    char word;

    return write(STDERR_FILENO, "ready", 5) != 5 || read(wake_fd, &word, 1) != 1;
}

struct place {
    char dir[32];
    struct sandbox_host host;
};

static bool begin(struct place *p)
{
    enum sandbox_level level;

    if (geteuid() != 0 || sandbox_level_pick("full", &level, NULL) == -1 ||
        level != SANDBOX_FULL)
        return false;
    memcpy(p->dir, "/tmp/sandbox-test-XXXXXX", 25);
    assert_non_null(mkdtemp(p->dir));
    assert_int_equal(chmod(p->dir, 0755), 0);
    p->host = (struct sandbox_host){
        .level = SANDBOX_FULL, .data_dir = p->dir, .run_dir = p->dir};
    return true;
}

static void test_another_user_in_an_empty_root(void **state)
{
    struct place p;
    struct ending e;

    (void)state;
    if (!begin(&p))
        skip();
    e = run(&full, &p.host, do_look_around);
    if (!e.is_exit || e.code != 0)
        fail_msg("exit or signal %d: %s", e.code, e.said);
    e = run(&full, &p.host, do_back_to_root);
    assert_false(e.is_exit);
    assert_int_equal(e.code, SIGSYS);
    assert_int_equal(rmdir(p.dir), 0); /* nothing was left in it */
}

static void test_data_folder_is_the_whole_world(void **state)
{
    struct sandbox s = full;
    struct ending e;
    struct place p;
    char path[64];
    int fd;

    (void)state;
    if (!begin(&p))
        skip();
    (void)snprintf(path, sizeof(path), "%s/there", p.dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_not_equal(fd, -1);
    (void)close(fd);
    s.root = SANDBOX_DATA;
    e = run(&s, &p.host, do_look_at_data);
    if (!e.is_exit || e.code != 0)
        fail_msg("exit or signal %d: %s", e.code, e.said);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(p.dir), 0);
}

/* /proc/PID belongs to root when the process may not be traced by its own user. */
static void test_others_of_the_same_user_cannot_trace_it(void **state)
{
    int wake[2], says[2], status;
    char path[64], word[5];
    struct place p;
    struct stat st;
    pid_t pid;

    (void)state;
    if (!begin(&p))
        skip();
    assert_int_equal(pipe(wake), 0);
    assert_int_equal(pipe(says), 0);
    wake_fd = wake[0];
    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        (void)dup2(says[1], STDERR_FILENO);
        _exit(child(&full, &p.host, do_wait));
    }
    assert_int_equal(read(says[0], word, sizeof(word)), sizeof(word));
    assert_memory_equal(word, "ready", 5);
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(write(wake[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 2; i++) {
        (void)close(wake[i]);
        (void)close(says[i]);
    }
    assert_int_equal(rmdir(p.dir), 0);
}

static void test_a_missing_user_is_named_with_the_remedy(void **state)
{
    struct sandbox s = full;
    struct place p;
    struct err err;

    (void)state;
    if (!begin(&p))
        skip();
    s.user = "_signpost-nobody-made-this";
    assert_int_equal(sandbox_enter(&s, &p.host, &err),
                     -1); /* before anything is given up */
    assert_non_null(strstr(err.text, "_signpost-nobody-made-this"));
    assert_non_null(strstr(err.text, "signpost setup --users"));
    assert_int_equal(rmdir(p.dir), 0);
}

static void test_level_of_who_is_not_root(void **state)
{
    enum sandbox_level level = SANDBOX_OFF;
    struct err err;
    int status;
    pid_t pid;

    (void)state;
    if (geteuid() != 0 || is_sanitized())
        skip();
    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        if (setresuid(65534, 65534, 65534) == -1)
            _exit(1);
        if (sandbox_level_pick("auto", &level, &err) == -1 || level != SANDBOX_SECCOMP)
            _exit(2);
        _exit(sandbox_level_pick("full", &level, &err) == -1 &&
                      strstr(err.text, "needs root") != NULL
                  ? 0
                  : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_allow_what_they_are_for),
        cmocka_unit_test(test_kept_charsets_outlive_confinement),
        cmocka_unit_test(test_abort_stays_an_abort),
        cmocka_unit_test(test_everything_else_ends_the_process_and_is_named),
        cmocka_unit_test(test_a_foreign_abi_is_killed_at_once),
        cmocka_unit_test(test_threads_made_before_are_covered),
        cmocka_unit_test(test_limits_hold),
        cmocka_unit_test(test_another_user_in_an_empty_root),
        cmocka_unit_test(test_data_folder_is_the_whole_world),
        cmocka_unit_test(test_others_of_the_same_user_cannot_trace_it),
        cmocka_unit_test(test_a_missing_user_is_named_with_the_remedy),
        cmocka_unit_test(test_level_of_who_is_not_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
