/* SPDX-License-Identifier: ISC */
/* One mailbox in memory: forty octets a message, sorted by UID, which is the order of
 * arrival. It changes in two ways only: by done() of a committed op (add, remove), and by
 * flags, which are set here first and written to the index within a second.
 *
 * `clock` counts changes of flags and `expunges` removals; a session remembers how far it
 * has looked, so "nothing new" costs two comparisons. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/mailbox/mailbox_int.h"

struct folder *folder_find(struct account *a, uint64_t id)
{
    LIST_EACH (it, &a->folders) {
        struct folder *f = LIST_ENTRY(it, struct folder, link);

        if (f->id == id)
            return f;
    }
    return NULL;
}

static void reserve(struct folder *f, size_t n)
{
    if (n <= f->cap)
        return;
    f->cap = n < 64 ? 64 : n + n / 2;
    f->msgs = mem_resize(f->msgs, f->cap, sizeof(*f->msgs));
}

struct folder *folder_install(struct account *a, const struct index_box *box,
                              struct index_msg *v, size_t n)
{
    struct folder *f = folder_find(a, box->id);

    if (f == NULL) {
        f = mem_new(1, sizeof(*f));
        f->account = a;
        f->id = box->id;
        f->uidvalidity = box->uidvalidity;
        f->recent_uid = box->recent_uid;
        list_init(&f->dirty);
        list_init(&f->viewers);
        list_add_tail(&a->folders, &f->link);
        a->holds++;
        reserve(f, n);
        for (size_t i = 0; i < n; i++)
            folder_add(f, &v[i]);
        f->uidnext = box->uidnext;
        f->clock = 1;
    }
    free(v);
    f->holds++;
    return f;
}

void folder_release(struct folder *f)
{
    struct account *a = f->account;

    assert(f->holds > 0);
    if (f->holds == 1 && (f->n_dirty > 0 || f->is_recent_dirty))
        folder_flush(f); /* takes a hold of its own */
    if (--f->holds > 0)
        return;
    list_remove(&f->link);
    list_remove(&f->dirty);
    free(f->msgs);
    free(f);
    account_release(a);
}

ptrdiff_t folder_at(const struct folder *f, uint32_t uid)
{
    size_t lo = 0, hi = f->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (f->msgs[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < f->n && f->msgs[lo].uid == uid ? (ptrdiff_t)lo : -1;
}

void folder_add(struct folder *f, const struct index_msg *m)
{
    if (f->n > 0 && f->msgs[f->n - 1].uid >= m->uid)
        return; /* it was in the load already */
    reserve(f, f->n + 1);
    f->msgs[f->n++] = (struct folder_msg){.uid = m->uid,
                                          .flags = m->flags,
                                          .stamp = f->clock,
                                          .date_s = m->date_s,
                                          .size = m->size};
    if (m->uid >= f->uidnext)
        f->uidnext = m->uid + 1;
}

static int compare_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

void folder_remove(struct folder *f, const uint32_t *uids, size_t n)
{
    size_t to = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (bsearch(&f->msgs[i].uid, uids, n, sizeof(*uids), compare_uid) != NULL)
            f->n_dirty -= f->msgs[i].is_dirty;
        else
            f->msgs[to++] = f->msgs[i];
    }
    f->expunges += to != f->n;
    f->n = to;
}

static void mark_dirty(struct folder *f)
{
    if (list_is_empty(&f->dirty))
        list_add_tail(&f->account->m->dirty, &f->dirty);
}

void folder_set_flags(struct folder *f, size_t at, uint64_t flags)
{
    struct folder_msg *m = &f->msgs[at];

    if (m->flags == flags)
        return;
    m->flags = flags;
    m->stamp = ++f->clock;
    f->n_dirty += !m->is_dirty;
    m->is_dirty = true;
    mark_dirty(f);
}

void folder_set_recent(struct folder *f, uint32_t uid)
{
    if (uid <= f->recent_uid)
        return;
    f->recent_uid = uid;
    f->is_recent_dirty = true;
    mark_dirty(f);
}

void folder_notify(struct folder *f)
{
    struct list *it = f->viewers.next;

    while (it != &f->viewers) {
        struct client *c = LIST_ENTRY(it, struct client, viewer);

        it = it->next; /* the client may close */
        if (imap_session_is_idle(&c->proto)) {
            client_sync(c, true);
            (void)client_flush(c);
        }
    }
}

void folder_status(const struct folder *f, struct index_status *st)
{
    *st = (struct index_status){
        .messages = f->n, .uidnext = f->uidnext, .uidvalidity = f->uidvalidity};
    for (size_t i = 0; i < f->n; i++) {
        st->unseen += (f->msgs[i].flags & IMAP_FLAG_SEEN) == 0;
        st->recent += f->msgs[i].uid >= f->recent_uid;
        st->size += f->msgs[i].size;
    }
}

/* ---- writing flags ---------------------------------------------------------------- */

struct flush_op {
    struct shard_op op;
    struct folder *folder;
    uint64_t box;
    uint32_t recent_uid; /* 0: unchanged */
    size_t n;
    struct index_flag *v;
};

static void flush_run(struct shard_op *op, struct index *ix)
{
    struct flush_op *fl = LIST_ENTRY(op, struct flush_op, op);

    op->result = index_flags(ix, fl->box, fl->v, fl->n, &op->err);
    if (op->result == INDEX_OK && fl->recent_uid > 0)
        op->result = index_box_recent(ix, fl->box, fl->recent_uid, &op->err);
}

/* Not written (disk full): dirty again, the next tick tries again while it is open. */
static void flush_failed(struct flush_op *fl)
{
    struct folder *f = fl->folder;

    log_event(f->account->m->env->log, LOG_IMAP_FLAGS_LOST,
              LOGF_N("account", f->account->id), LOGF_N("messages", fl->n),
              LOGF_S("error", fl->op.err.text));
    if (f->holds == 1)
        return;
    for (size_t i = 0; i < fl->n; i++) {
        ptrdiff_t at = folder_at(f, fl->v[i].uid);

        if (at >= 0 && !f->msgs[at].is_dirty) {
            f->msgs[at].is_dirty = true;
            f->n_dirty++;
        }
    }
    f->is_recent_dirty = f->is_recent_dirty || fl->recent_uid > 0;
    mark_dirty(f);
}

static void flush_done(struct shard_op *op)
{
    struct flush_op *fl = LIST_ENTRY(op, struct flush_op, op);

    if (op->result != INDEX_OK)
        flush_failed(fl);
    folder_release(fl->folder);
    free(fl->v);
    free(fl);
}

void folder_flush(struct folder *f)
{
    struct flush_op *fl;

    list_remove(&f->dirty);
    if (f->is_gone || (f->n_dirty == 0 && !f->is_recent_dirty)) {
        f->n_dirty = 0;
        f->is_recent_dirty = false;
        return;
    }
    fl = mem_new(1, sizeof(*fl));
    fl->op.run = flush_run;
    fl->op.done = flush_done;
    fl->op.is_write = true;
    fl->folder = f;
    fl->box = f->id;
    fl->recent_uid = f->is_recent_dirty ? f->recent_uid : 0;
    fl->v = mem_new(f->n_dirty + 1, sizeof(*fl->v));
    for (size_t i = 0; i < f->n && f->n_dirty > 0; i++) {
        struct folder_msg *m = &f->msgs[i];

        if (m->is_dirty) {
            fl->v[fl->n++] = (struct index_flag){m->uid, m->flags};
            m->is_dirty = false;
            f->n_dirty--;
        }
    }
    f->is_recent_dirty = false;
    f->holds++;
    shard_submit(f->account->shard, &fl->op);
}
