/* SPDX-License-Identifier: ISC */
/* kill -9 at every write, sync, cut and removal of a file while images.db is made and changed.
 *
 * SQLite's own calls are counted: this program defines them, so the dynamic linker gives them
 * to the library too. First life: a process that is the whole builder, killed in call n.
 * Second life: starts on what is left. Every zone must be served, from an image that is one of
 * those that the first life made, and nothing may count as damaged (docs/STATES.md: D1, D5 and
 * D8 are all that a kill leaves). */
#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/dnsd/builder_world.h"

static unsigned calls, kill_at;

static void count_call(void)
{
    if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == kill_at)
        (void)kill(getpid(), SIGKILL);
}

/* The next definition of the same function; a function pointer cannot be cast from void *. */
#define REAL(f)                                                                          \
    __typeof__(&(f)) real_;                                                              \
    void *found_ = dlsym(RTLD_NEXT, #f);                                                 \
    memcpy(&real_, &found_, sizeof(real_))

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    REAL(pwrite64);
    count_call();
    return real_(fd, p, n, at);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    count_call();
    return real_(fd);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(ftruncate64);
    count_call();
    return real_(fd, size);
}

int unlink(const char *path)
{
    REAL(unlink);
    count_call();
    return real_(path);
}

/* Zones of the first life: a.test changes, b.test goes, c.test comes. Names below the
 * directory, so that the second life starts with the same database. */
static int first_life(struct world *w)
{
    life_begin(w);
    UNTIL(w, is_idle(w));
    (void)add_record(w, 1, "www.a.test", RR_A, "192.0.2.7");
    builder_poke(w->builder);
    UNTIL(w, is_idle(w));
    remove_domain(w, 2);
    (void)add_domain(w, "c.test");
    builder_poke(w->builder);
    UNTIL(w, is_idle(w));
    life_end(w);
    return 0;
}

/* After a kill anywhere: complete what the first life was doing to the database, and look. */
static int second_life(struct world *w)
{
    struct domain_row row;
    struct err err = {0};
    bool has_b, has_c;

    live(w);
    if (log_said(w, "unusable") || !w->is_loaded)
        return 2;
    has_b = domain_find(w->db, SPAN_LIT("b.test"), &row, &err) == DOMAINDB_OK;
    has_c = domain_find(w->db, SPAN_LIT("c.test"), &row, &err) == DOMAINDB_OK;
    if (served(w, "a.test") == NULL || (served(w, "b.test") != NULL) != has_b ||
        (served(w, "c.test") != NULL) != has_c)
        return 3;
    live(w); /* now all is on disk: nothing is compiled any more */
    return log_said(w, "stale=0 newer=0 damaged=0 format=0 orphans=0") ? 0 : 4;
}

/* Exit code of `life` in a process of its own, -1 when it was killed. */
static int in_process(struct world *w, int (*life)(struct world *w), unsigned at)
{
    pid_t pid = fork();
    int status = 0;

    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        w->loop = loop_new(&w->log, clock_system());
        w->env.loop = w->loop;
        open_database(w, 0);
        calls = 0;
        kill_at = at;
        _exit(life(w));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The same start each time: two domains, no images. */
static void reset(struct world *w, const char *what)
{
    char command[400];

    (void)snprintf(command, sizeof(command),
                   strcmp(what, "save") == 0
                       ? "cp -r %s/db %s/first"
                       : "rm -r %s/db; cp -r %s/first %s/db; rm -rf %s/dns",
                   w->dir, w->dir, w->dir, w->dir);
    assert_int_equal(system(command), 0);
}

static void killed_at_every_file_call(void **state)
{
    struct world *w = *state;
    int first = -1;
    unsigned at = 0;

    (void)add_domain(w, "a.test");
    (void)add_domain(w, "b.test");
    domaindb_close(&w->db); /* not carried across fork */
    loop_free(&w->loop);
    reset(w, "save");
    while (first != 0) {
        int second;

        reset(w, "again");
        first = in_process(w, first_life, ++at);
        assert_true(first == 0 || first == -1);
        second = in_process(w, second_life, 0);
        if (second != 0)
            fail_msg("killed at call %u: the second life ended with %d", at, second);
        assert_true(at < 2000);
    }
    assert_true(at > 20); /* the calls are really counted */
    w->loop = loop_new(&w->log, clock_system());
    open_database(w, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_every_file_call, world_setup,
                                        world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
