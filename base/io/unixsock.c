/* SPDX-License-Identifier: ISC */
/* base/io/unixsock.c - UNIX socket names and their left-overs. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/unixsock_int.h"

int unixsock_name(const char *path, struct sockaddr_un *sun, struct err *err)
{
    size_t n = strlen(path);

    memset(sun, 0, sizeof(*sun));
    sun->sun_family = AF_UNIX;
    if (n >= sizeof(sun->sun_path))
        return err_set(err, "%s: path too long for a socket (%zu octets, at most %zu)",
                       path, n, sizeof(sun->sun_path) - 1);
    memcpy(sun->sun_path, path, n);
    return 0;
}

/* Is somebody there? A socket file stays behind when its process is killed. */
static int is_alive(const struct sockaddr_un *sun, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc;

    if (fd == -1)
        return 0;
    rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN;
    (void)close(fd);
    return rc;
}

int unixsock_bind(const char *path, int type, unsigned mode, struct err *err)
{
    struct sockaddr_un sun;
    int fd;

    if (unixsock_name(path, &sun, err) == -1)
        return -1;
    if (is_alive(&sun, type))
        return err_set(err, "%s: in use, is the program already running?", path);
    if (unlink(path) == -1 && errno != ENOENT)
        return err_sys(err, "replace %s", path);
    fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
        (void)err_sys(err, "open socket %s", path);
        goto bad;
    }
    if (chmod(path, (mode_t)mode) == -1) {
        (void)err_sys(err, "set the mode of %s", path);
        (void)unlink(path);
        goto bad;
    }
    return fd;
bad:
    if (fd != -1)
        (void)close(fd);
    return -1;
}
