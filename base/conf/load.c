/* SPDX-License-Identifier: ISC */
/* base/conf/load.c - the one place of base/conf that touches a file. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf/conf.h"
#include "base/core/buf.h"

#define FILE_MAX (1024u * 1024u + 1) /* one more than conf_parse() takes */

/* All of `fd` into `text`; -1 with *err, also when it does not fit. */
static int read_all(int fd, struct buf *text, struct err *err)
{
    for (;;) {
        ssize_t n;

        if (buf_reserve(text, 4096) == -1)
            return err_set(err, "the file is too large to be a configuration");
        n = read(fd, text->data + text->len, 4096);
        if (n == 0)
            return 0;
        if (n == -1)
            return err_sys(err, "read");
        text->len += (size_t)n;
    }
}

struct conf *conf_load(const char *path, struct err *err)
{
    struct conf *c = NULL;
    struct buf text;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    buf_init(&text, FILE_MAX);
    if (fd == -1 || fstat(fd, &st) == -1) {
        err_sys(err, "configuration %s", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, "configuration %s: not a regular file", path);
        goto out;
    }
    if (read_all(fd, &text, err) == -1) {
        err_wrap(err, "configuration %s", path);
        goto out;
    }
    c = conf_parse(path, buf_all(&text), err);
out:
    buf_free(&text);
    if (fd != -1)
        (void)close(fd);
    return c;
}
