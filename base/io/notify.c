/* SPDX-License-Identifier: ISC */
/* base/io/notify.c - datagram sockets in a directory. */
#include "base/io/notify.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/unixsock_int.h"

struct notify {
    int fd;
    struct loop_io *io;
    char *path; /* NULL: adopted */
    void (*cb)(void *ctx);
    void *ctx;
};

static void on_ready(void *ctx, unsigned what)
{
    struct notify *n = ctx;
    char waste[16];
    bool has_any = false;

    (void)what;
    /* At most what the queue of a datagram socket holds; the rest wakes us again. */
    for (unsigned i = 0; i < 512 && recv(n->fd, waste, sizeof(waste), 0) >= 0; i++)
        has_any = true;
    if (has_any)
        n->cb(n->ctx);
}

static int open_at(const char *dir, const char *name, char path[256], struct err *err)
{
    if (mkdir(dir, 0770) == -1 && errno != EEXIST)
        return err_sys(err, "create %s", dir);
    if (snprintf(path, 256, "%s/%s", dir, name) >= 256)
        return err_set(err, "%s: path too long for a socket", dir);
    return unixsock_bind(path, SOCK_DGRAM, 0660, err);
}

int notify_open(const char *dir, const char *name, struct err *err)
{
    char path[256];

    return open_at(dir, name, path, err);
}

struct notify *notify_adopt(struct loop *l, int fd, void (*cb)(void *ctx), void *ctx)
{
    struct notify *n = mem_new(1, sizeof(*n));

    n->fd = fd;
    n->cb = cb;
    n->ctx = ctx;
    n->io = loop_io_new(l, fd, "notify", on_ready, n);
    loop_io_watch(n->io, LOOP_READ);
    return n;
}

struct notify *notify_listen(struct loop *l, const char *dir, const char *name,
                             void (*cb)(void *ctx), void *ctx, struct err *err)
{
    char path[256];
    int fd = open_at(dir, name, path, err);
    struct notify *n;

    if (fd == -1)
        return NULL;
    n = notify_adopt(l, fd, cb, ctx);
    n->path = mem_strdup(path);
    return n;
}

void notify_free(struct notify **np)
{
    struct notify *n = *np;

    if (n == NULL)
        return;
    *np = NULL;
    loop_io_free(&n->io);
    (void)close(n->fd);
    if (n->path != NULL)
        (void)unlink(n->path);
    free(n->path);
    free(n);
}

/* One datagram. A full queue counts as told: the listener has a wake-up waiting. */
static bool tell(int fd, const char *path)
{
    struct sockaddr_un sun;

    if (unixsock_name(path, &sun, NULL) == -1)
        return false;
    if (sendto(fd, "c", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&sun,
               sizeof(sun)) == 1 ||
        errno == EAGAIN || errno == ENOBUFS)
        return true;
    if (errno == ECONNREFUSED) /* left behind by a process that was killed */
        (void)unlink(path);
    return false;
}

int notify_send(const char *dir)
{
    DIR *d = opendir(dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct dirent *e;
    int told = 0;

    while (d != NULL && fd != -1 && (e = readdir(d)) != NULL) {
        char path[512];

        if (e->d_name[0] == '.' || (e->d_type != DT_SOCK && e->d_type != DT_UNKNOWN))
            continue;
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < sizeof(path))
            told += tell(fd, path);
    }
    if (fd != -1)
        (void)close(fd);
    if (d != NULL)
        (void)closedir(d);
    return told;
}
