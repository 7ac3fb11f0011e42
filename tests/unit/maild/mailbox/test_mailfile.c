/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "maild/mailbox/mailfile.h"

static void put_file(int dirfd, const char *name, const char *text)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

/* The queue's files lie on another file system, so that a delivery copies. After a power loss
 * the same DELIVER comes again and finds the copy, perhaps without its octets. */
static void repeated_delivery_across_file_systems_copies_again(void **state)
{
    char dir[] = "/tmp/signpost-mailfile-XXXXXX", far[] = "/dev/shm/signpost-mail-XXXXXX";
    char path[MAILFILE_PATH_MAX], cmd[128], link[96], got[8] = "";
    struct index_file f = {.account = 7, .size = 5};
    struct stat here, there;
    struct err err;
    int dirfd, fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    if (mkdtemp(far) == NULL || stat(dir, &here) != 0 || stat(far, &there) != 0 ||
        here.st_dev == there.st_dev) {
        (void)rmdir(dir);
        (void)rmdir(far);
        skip();
    }
    dirfd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_not_equal(dirfd, -1);
    assert_int_equal(mailfile_prepare(dirfd, &err), 0);
    (void)snprintf(link, sizeof(link), "%s/mail/blobs", dir);
    assert_int_equal(symlink(far, link), 0);
    put_file(dirfd, "mail/blobs/one", "hello");
    mailfile_path(&f, path);

    assert_int_equal(mailfile_adopt(dirfd, "mail/blobs/one", &f, &err), 0);
    put_file(dirfd, path, "");
    assert_int_equal(mailfile_adopt(dirfd, "mail/blobs/one", &f, &err), 0);
    fd = openat(dirfd, path, O_RDONLY);
    assert_int_equal(mailfile_read(fd, 0, got, 5, &err), 0);
    assert_string_equal(got, "hello");

    (void)close(fd);
    (void)close(dirfd);
    (void)snprintf(cmd, sizeof(cmd), "rm -r %s %s", dir, far);
    assert_int_equal(system(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_delivery_across_file_systems_copies_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
