/* SPDX-License-Identifier: ISC */
#include "dnsd/batch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/core/wire.h"
#include "base/dns/dname.h"

enum { ARENA_MAX = 64 << 20 };

struct batch *batch_new(void)
{
    struct batch *t = mem_new(1, sizeof(*t));

    t->arena = arena_new(ARENA_MAX);
    t->fd = -1;
    buf_init(&t->removed, (size_t)BATCH_NAMES_MAX + 512);
    buf_init(&t->withheld, (size_t)BATCH_NAMES_MAX + 512);
    return t;
}

void batch_free(struct batch **t)
{
    if (*t == NULL)
        return;
    if ((*t)->fd != -1)
        (void)close((*t)->fd);
    arena_free(&(*t)->arena);
    buf_free(&(*t)->removed);
    buf_free(&(*t)->withheld);
    free((*t)->items);
    free(*t);
    *t = NULL;
}

struct build_item *batch_add(struct batch *t, enum build_news news, const char *zone,
                             const char *why)
{
    struct build_item *it;

    if (t->n_items == t->cap_items) {
        t->cap_items = t->cap_items == 0 ? 16 : t->cap_items * 2;
        t->items = mem_resize(t->items, t->cap_items, sizeof(t->items[0]));
    }
    it = &t->items[t->n_items++];
    *it = (struct build_item){.news = news};
    it->zone = arena_strdup(t->arena, span_str(zone));
    it->why = arena_strdup(t->arena, span_str(why));
    if (it->zone == NULL || it->why == NULL) { /* cannot be: a batch is bounded */
        it->zone = "";
        it->why = "";
    }
    return it;
}

bool batch_has_room(const struct buf *names)
{
    return names->len <= BATCH_NAMES_MAX - 2 - DNAME_MAX;
}

bool batch_put_name(struct buf *names, const char *zone)
{
    struct dname name;
    struct wr w;

    if (!batch_has_room(names) || dname_parse(span_str(zone), NULL, &name) != DNAME_OK)
        return false;
    wr_init(&w, names);
    wr_span16(&w, dname_span(&name));
    return !w.is_bad;
}

int batch_seal(struct batch *t, struct span images)
{
    size_t done = 0;

    if (t->count == 0)
        return 0;
    t->fd = memfd_create("signpost-zones", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (t->fd == -1)
        return err_sys(&t->err, "memory for %zu octets of zones", images.n);
    while (done < images.n) {
        ssize_t n = write(t->fd, images.p + done, images.n - done);

        if (n <= 0)
            return err_sys(&t->err, "memory for %zu octets of zones", images.n);
        done += (size_t)n;
    }
    if (fcntl(t->fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1)
        return err_sys(&t->err, "seal zones");
    t->octets = images.n;
    return 0;
}
