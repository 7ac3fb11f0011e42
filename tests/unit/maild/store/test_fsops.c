/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "maild/store/fsops.h"

/* The system's calls, and which folders were synced. */
struct noting {
    struct fsops ops; /* first */
    ino_t synced[16];
    size_t n;
};

static int note_sync(const struct fsops *fs, int dirfd)
{
    struct noting *note = (struct noting *)(void *)(uintptr_t)fs;
    struct stat st;

    assert_int_equal(fstat(dirfd, &st), 0);
    assert_true(note->n < 16);
    note->synced[note->n++] = st.st_ino;
    return 0;
}

static bool was_synced(const struct noting *note, const char *path)
{
    struct stat st;
    bool found = false;

    assert_int_equal(stat(path, &st), 0);
    for (size_t i = 0; i < note->n; i++)
        found = found || note->synced[i] == st.st_ino;
    return found;
}

static void names_of_new_folders_are_durable(void **state)
{
    struct noting note = {.ops = *fsops_system()};
    char dir[] = "/tmp/signpost-fsops-XXXXXX", path[64], cmd[64];
    struct err err;
    int fd;

    (void)state;
    note.ops.dir_sync = note_sync;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/journal/queue", dir);
    fd = fsops_open_dir(&note.ops, path, &err);
    assert_int_not_equal(fd, -1);
    (void)close(fd);
    assert_int_equal(note.n, 2);
    assert_true(was_synced(&note, dir));
    (void)snprintf(path, sizeof(path), "%s/journal", dir);
    assert_true(was_synced(&note, path));

    /* what is there already costs nothing */
    fd = fsops_open_dir(&note.ops, path, &err);
    assert_int_not_equal(fd, -1);
    (void)close(fd);
    assert_int_equal(note.n, 2);
    (void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
    assert_int_equal(system(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_new_folders_are_durable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
