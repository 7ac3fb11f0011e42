/* SPDX-License-Identifier: ISC */
#include "base/io/fdpass.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor more than is allowed: a second one must be seen to be closed. */
union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(2 * sizeof(int))];
};

int fdpass_send(int sock, struct span s, int fd)
{
    union control control;
    /* sendmsg only reads what the vector points at. */
    struct iovec iov = {(void *)(uintptr_t)s.p, s.n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (fd != -1) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    do
        n = sendmsg(sock, &m, MSG_NOSIGNAL);
    while (n == -1 && errno == EINTR);
    return n == -1 ? -1 : 0;
}

/* The descriptors that came along: the first into *fd, all others closed. */
static size_t take_descriptors(struct msghdr *m, int *fd)
{
    size_t found = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int one;

            memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (found++ == 0)
                *fd = one;
            else
                (void)close(one);
        }
    }
    return found;
}

ssize_t fdpass_receive(int sock, void *room, size_t max, int *fd)
{
    union control control;
    struct iovec iov = {room, max};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n;

    *fd = -1;
    do
        n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (n == -1 && errno == EINTR);
    if (n == -1)
        return -1;
    if (take_descriptors(&m, fd) > 1 || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        if (*fd != -1)
            (void)close(*fd);
        *fd = -1;
        errno = EMSGSIZE;
        return -1;
    }
    return n;
}
