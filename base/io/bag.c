/* SPDX-License-Identifier: ISC */
/* base/io/bag.c - named descriptors and texts; see bag.h.
 *
 * On the wire an item is one datagram: its name and a NUL, then its text; its descriptor
 * goes with it. An empty name is the end mark. The receiver believes nothing: it runs as
 * root for one more moment, and a bug in the sender should be named. */
#include "base/io/bag.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/fdpass.h"

#define ITEMS_MAX 4096
#define SEALS     (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct bag_item {
    char name[BAG_NAME_MAX];
    char *text; /* n octets and a NUL */
    size_t n;
    int fd;
};

void bag_init(struct bag *b)
{
    *b = (struct bag){NULL, 0, 0};
}

void bag_free(struct bag *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->items[i].fd != -1)
            (void)close(b->items[i].fd);
        free(b->items[i].text);
    }
    free(b->items);
    bag_init(b);
}

void bag_add(struct bag *b, const char *name, struct span text, int fd)
{
    struct bag_item *it;

    assert(*name != '\0' && strlen(name) < BAG_NAME_MAX && text.n <= BAG_TEXT_MAX);
    if (b->n == b->cap) {
        b->cap = b->cap == 0 ? 16 : b->cap * 2;
        b->items = mem_resize(b->items, b->cap, sizeof(*b->items));
    }
    it = &b->items[b->n++];
    memcpy(it->name, name, strlen(name) + 1);
    it->text = mem_new(text.n + 1, 1);
    if (text.n > 0)
        memcpy(it->text, text.p, text.n);
    it->n = text.n;
    it->fd = fd;
}

static struct bag_item *find(const struct bag *b, const char *name, size_t i)
{
    for (size_t k = 0; k < b->n; k++)
        if (strcmp(b->items[k].name, name) == 0 && i-- == 0)
            return &b->items[k];
    return NULL;
}

size_t bag_count(const struct bag *b, const char *name)
{
    size_t n = 0;

    while (find(b, name, n) != NULL)
        n++;
    return n;
}

int bag_fd(const struct bag *b, const char *name, size_t i)
{
    const struct bag_item *it = find(b, name, i);

    return it != NULL ? it->fd : -1;
}

int bag_take(struct bag *b, const char *name, size_t i)
{
    struct bag_item *it = find(b, name, i);
    int fd = -1;

    if (it != NULL) {
        fd = it->fd;
        it->fd = -1;
    }
    return fd;
}

struct span bag_text(const struct bag *b, const char *name, size_t i)
{
    const struct bag_item *it = find(b, name, i);

    return it != NULL ? span_of((const uint8_t *)it->text, it->n) : span_of(NULL, 0);
}

/* ---- sealed memory -------------------------------------------------------------------- */

static int write_all(int fd, struct span s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        s = span_drop(s, (size_t)n);
    }
    return 0;
}

int bag_memory(const char *name, struct span octets, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd != -1 && write_all(fd, octets) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    (void)err_sys(err, "memory for %s", name);
    if (fd != -1)
        (void)close(fd);
    return -1;
}

int bag_map(int fd, size_t max, struct span *octets, struct err *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *p;

    if (seals == -1 || (seals & SEALS) != SEALS)
        return err_set(err, "memory that is not sealed was handed over");
    if (fstat(fd, &st) == -1)
        return err_sys(err, "memory that was handed over");
    if (st.st_size < 0 || (uint64_t)st.st_size > max)
        return err_set(err, "memory that was handed over is too long");
    *octets = span_of(NULL, 0);
    if (st.st_size == 0)
        return 0;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_sys(err, "map memory that was handed over");
    *octets = span_of(p, (size_t)st.st_size);
    return 0;
}

/* ---- over a socket -------------------------------------------------------------------- */

int bag_send(const struct bag *b, int sock, struct err *err)
{
    uint8_t room[BAG_NAME_MAX + BAG_TEXT_MAX];

    for (size_t i = 0; i < b->n; i++) {
        const struct bag_item *it = &b->items[i];
        size_t n = strlen(it->name) + 1;

        memcpy(room, it->name, n);
        memcpy(room + n, it->text, it->n);
        if (fdpass_send(sock, span_of(room, n + it->n), it->fd) == -1)
            return err_sys(err, "hand over %s", it->name);
    }
    if (fdpass_send(sock, SPAN_LIT("\0"), -1) == -1)
        return err_sys(err, "hand over the end mark");
    return 0;
}

int bag_receive(struct bag *b, int sock, struct err *err)
{
    uint8_t room[BAG_NAME_MAX + BAG_TEXT_MAX];

    for (;;) {
        int fd = -1;
        ssize_t n = fdpass_receive(sock, room, sizeof(room), &fd);
        const uint8_t *end = n > 0 ? memchr(room, '\0', (size_t)n) : NULL;

        if (n == -1)
            return err_sys(err, "receive what the parent hands over");
        if (n == 0)
            return err_set(err, "the parent went away while handing over");
        if (end == NULL || end - room >= BAG_NAME_MAX || b->n == ITEMS_MAX) {
            if (fd != -1)
                (void)close(fd);
            return err_set(err, "the parent handed over something malformed");
        }
        if (end == room)
            return 0;
        bag_add(b, (const char *)room,
                span_of(end + 1, (size_t)n - (size_t)(end + 1 - room)), fd);
    }
}
