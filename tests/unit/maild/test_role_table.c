/* SPDX-License-Identifier: ISC */
/* What each role of maild is left with: laws over the table, and each row entered by a child
 * that then tries what no intruder may get. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "maild/roles.h"

#define FIRST_ROLE ((int)ROLE_PARENT + 1)

enum {
    NETWORK = SANDBOX_CONNECT | SANDBOX_UDP,
    DISK = SANDBOX_READ | SANDBOX_FILES | SANDBOX_DATABASE
};

static bool has(int role, unsigned calls)
{
    return (role_table[role].confined.calls & calls) != 0;
}

static void every_role_has_a_user_of_its_own(void **state)
{
    (void)state;
    for (int a = FIRST_ROLE; a < ROLE_COUNT; a++) {
        assert_non_null(role_table[a].confined.user);
        for (int b = FIRST_ROLE; b < a; b++)
            assert_string_not_equal(role_table[a].confined.user,
                                    role_table[b].confined.user);
    }
}

static void only_who_works_with_files_sees_a_folder(void **state)
{
    (void)state;
    for (int r = FIRST_ROLE; r < ROLE_COUNT; r++) {
        const struct sandbox *s = &role_table[r].confined;

        assert_int_equal(s->root, has(r, DISK) ? SANDBOX_DATA : SANDBOX_EMPTY);
        assert_int_equal(s->limits.file_octets == SANDBOX_ANY_SIZE,
                         has(r, SANDBOX_FILES));
        assert_true(s->limits.memory_octets > 0 && s->limits.tasks > 0);
    }
}

/* Nobody who can reach out can read files, and the other way round. */
static void nobody_has_both_files_and_network(void **state)
{
    (void)state;
    for (int r = FIRST_ROLE; r < ROLE_COUNT; r++)
        assert_false(has(r, DISK) && has(r, NETWORK));
    assert_false(has(ROLE_EDGE, NETWORK));
    assert_false(has(ROLE_DIRECTORY, SANDBOX_FILES));
    assert_false(has(ROLE_SIGNER, SANDBOX_FILES | SANDBOX_ACCEPT));
}

/* ---- entered --------------------------------------------------------------------------- */

static int enter_and(int role, int (*act)(void))
{
    static const struct sandbox_host host = {.level = SANDBOX_SECCOMP};
    int status;
    pid_t pid = fork();
    struct err err;

    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        if (sandbox_enter(&role_table[role].confined, &host, &err) == -1)
            _exit(99);
        (void)close(STDERR_FILENO);
        _exit(act());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void *nothing(void *arg)
{
    return arg;
}

static int do_work(void)
{
    void *memory = calloc(1, 1 << 20);
    pthread_t t;

    if (memory == NULL || pthread_create(&t, NULL, nothing, NULL) != 0 ||
        pthread_join(t, NULL) != 0)
        return 1;
    free(memory);
    return 0;
}

static int do_program(void)
{
    char *none[] = {NULL};

    return execve("/bin/sh", none, none);
}

static int do_trace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getpid(), NULL, NULL);
}

static int do_packets(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static int do_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int do_tcp(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) == -1;
}

static int do_open(void)
{
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) == -1;
}

static int do_make(void)
{
    return open("/nonexistent/file", O_WRONLY | O_CREAT | O_TRUNC, 0600) != -1;
}

static void rows_allow_the_work_and_nothing_else(void **state)
{
    enum { KILLED = 1000 + SIGSYS };
    enum sandbox_level level;

    (void)state;
    if (sandbox_level_pick("seccomp", &level, NULL) != 0 || level == SANDBOX_OFF)
        skip(); /* built with a sanitizer */
    for (int r = FIRST_ROLE; r < ROLE_COUNT; r++) {
        assert_int_equal(enter_and(r, do_work), 0);
        assert_int_equal(enter_and(r, do_program), KILLED);
        assert_int_equal(enter_and(r, do_trace), KILLED);
        assert_int_equal(enter_and(r, do_packets), KILLED);
        assert_int_equal(enter_and(r, do_code), KILLED);
        assert_int_equal(enter_and(r, do_tcp), has(r, SANDBOX_CONNECT) ? 0 : KILLED);
        assert_int_equal(enter_and(r, do_open), has(r, DISK) ? 0 : KILLED);
        assert_int_equal(enter_and(r, do_make), has(r, SANDBOX_FILES) ? 0 : KILLED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_has_a_user_of_its_own),
        cmocka_unit_test(only_who_works_with_files_sees_a_folder),
        cmocka_unit_test(nobody_has_both_files_and_network),
        cmocka_unit_test(rows_allow_the_work_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
