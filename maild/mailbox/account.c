/* SPDX-License-Identifier: ISC */
/* An account is in memory while somebody holds it: sessions, loaded folders, ops under
 * way. Keywords are numbered per account, so that a copy between its mailboxes keeps its
 * flag bits; a new one reaches the index before the flags that use it, since ops of a shard
 * keep their order. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/mailbox/mailbox_int.h"

static struct span key_of(const uint64_t *id)
{
    return span_of(id, sizeof(*id));
}

struct account *account_held(struct mailbox *m, uint64_t id)
{
    return map_get(m->accounts, key_of(&id));
}

struct account *account_hold(struct mailbox *m, uint64_t id)
{
    struct account *a = account_held(m, id);

    if (a != NULL) {
        a->holds++;
        return a;
    }
    a = mem_new(1, sizeof(*a));
    a->m = m;
    a->id = id;
    a->shard = m->shards[mailfile_shard(id)];
    a->holds = 1;
    list_init(&a->folders);
    if (map_put(m->accounts, key_of(&id), a) == -1) {
        free(a);
        return NULL;
    }
    return a;
}

void account_release(struct account *a)
{
    assert(a->holds > 0);
    if (--a->holds > 0)
        return;
    (void)map_take(a->m->accounts, key_of(&a->id));
    for (size_t i = 0; i < COUNT_OF(a->keywords); i++)
        free(a->keywords[i]);
    free(a);
}

/* ---- keywords --------------------------------------------------------------------- */

struct keyword_op {
    struct shard_op op;
    struct account *account;
    unsigned bit;
    char *name;
};

static void keyword_run(struct shard_op *op, struct index *ix)
{
    struct keyword_op *k = LIST_ENTRY(op, struct keyword_op, op);

    op->result = index_keyword_add(ix, k->account->id, k->bit, k->name, &op->err);
}

static void keyword_done(struct shard_op *op)
{
    struct keyword_op *k = LIST_ENTRY(op, struct keyword_op, op);

    account_release(k->account);
    free(k->name);
    free(k);
}

static void keyword_save(struct account *a, unsigned bit)
{
    struct keyword_op *k = mem_new(1, sizeof(*k));

    k->op.run = keyword_run;
    k->op.done = keyword_done;
    k->op.is_write = true;
    k->account = a;
    k->bit = bit;
    k->name = mem_strdup(a->keywords[bit]);
    a->holds++;
    shard_submit(a->shard, &k->op);
}

int account_keyword(struct account *a, struct span name, bool create)
{
    for (unsigned i = 0; i < COUNT_OF(a->keywords); i++) {
        if (a->keywords[i] != NULL && span_eq_str_nocase(name, a->keywords[i]))
            return (int)i;
    }
    for (unsigned i = 0; create && i < COUNT_OF(a->keywords); i++) {
        if (a->keywords[i] == NULL) {
            a->keywords[i] = span_dup(name);
            keyword_save(a, i);
            return (int)i;
        }
    }
    return -1;
}

bool account_flags(struct account *a, const struct imap_flags *f, uint64_t *bits)
{
    *bits = f->system;
    for (size_t i = 0; i < f->n; i++) {
        int bit = account_keyword(a, f->keywords[i], true);

        if (bit < 0)
            return false;
        *bits |= (uint64_t)1 << (IMAP_FLAG_KEYWORD + bit);
    }
    return true;
}
