/* SPDX-License-Identifier: ISC */
/* Design: one thread, jobs in order: LOAD (rows to a batch), SAVE (a batch to rows, one
 * transaction), SWEEP (rows of no zone). Each opens the file when it is not open, so that a
 * disk that comes back is used again.
 *
 * 1. A row is used when its checksum is right, its format ours and its zone in the plan under
 *    the same number and name. It is *current* when it was made from the change that the
 *    database names, by this version of the generator; else it is stale: served until the
 *    zone has been compiled anew. After a backup was restored, an image may be newer than the
 *    database; it is stale like any other.
 * 2. When the database is empty and several images are here, they are all served until
 *    somebody confirms it (dnsd/build.h: losing everything at once is taken for an accident).
 * 3. Damage of the file ends the load (what is left is compiled) and sets the file aside.
 * 4. At most WAITING_MAX batches wait for the disk; more are let go of unsaved. */
#include "dnsd/keep.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/core/mem.h"
#include "base/io/pool.h"
#include "zones/generate.h"
#include "zones/image.h"
#include "zones/imagestore.h"

enum { WAITING_MAX = 16, JOBS_MAX = WAITING_MAX + 8 };

struct keep {
    const struct dnsd_env *env;
    struct pool *pool;
    struct imagestore *store; /* the thread's */
    struct buf images;        /* the thread's: of the batch under way */
    bool was_told;            /* the thread's: of a fault, so that it is logged once */
    unsigned n_waiting;
};

struct keep_job {
    struct keep *k;
    struct batch *batch;
    struct plan *plan;
    void (*done)(void *ctx, struct batch *t);
    void *ctx;
};

/* --- the file, on the thread --- */

static void tell(struct keep *k, const struct err *err)
{
    if (!k->was_told)
        log_event(k->env->log, LOG_DNS_IMAGES_FAILED, LOGF_S("error", err->text));
    k->was_told = true;
}

static bool is_open(struct keep *k)
{
    struct err err = {0};
    bool was_unusable = false;

    if (k->store != NULL)
        return true;
    k->store = imagestore_open(k->env->data_dir, &was_unusable, &err);
    if (was_unusable)
        log_event(k->env->log, LOG_DNS_IMAGES_UNUSABLE, LOGF_S("error", err.text));
    else if (k->store == NULL)
        tell(k, &err);
    return k->store != NULL;
}

/* A call failed. Closed in any case: the next job begins with a fresh look. */
static void give_up(struct keep *k, const struct err *err)
{
    bool is_damaged = imagestore_is_damaged(k->store);
    struct err aside = {0};

    imagestore_close(&k->store);
    if (!is_damaged) {
        tell(k, err);
        return;
    }
    log_event(k->env->log, LOG_DNS_IMAGES_UNUSABLE, LOGF_S("error", err->text));
    if (imagestore_set_aside(k->env->data_dir, &aside) != 0)
        tell(k, &aside);
}

/* --- loading --- */

struct load {
    struct keep *k;
    struct plan *plan;
    struct batch *batch;
    bool is_full;
};

static void note_orphan(struct plan *p, int64_t domain_id)
{
    if (p->n_orphans == p->cap_orphans) {
        p->cap_orphans = p->cap_orphans == 0 ? 16 : p->cap_orphans * 2;
        p->orphans = mem_resize(p->orphans, p->cap_orphans, sizeof(p->orphans[0]));
    }
    p->orphans[p->n_orphans++] = domain_id;
}

static void note_kept(struct plan *p, const char *name)
{
    if (p->n_kept == p->cap_kept) {
        p->cap_kept = p->cap_kept == 0 ? 16 : p->cap_kept * 2;
        p->kept = mem_resize(p->kept, p->cap_kept, sizeof(p->kept[0]));
    }
    p->kept[p->n_kept++] = name;
}

static bool is_image(struct span image, struct image_header *h)
{
    if (image.n < sizeof(*h))
        return false;
    memcpy(h, image.p, sizeof(*h));
    return h->size == image.n && image.n % 8 == 0;
}

/* Copy the image into the batch; NULL when it is none. */
static const struct build_item *take(struct load *l, const struct imagestore_row *row)
{
    struct image_header h;
    struct build_item *it;
    char name[256];

    if (!is_image(row->image, &h) || !span_copy(row->name, name, sizeof(name)) ||
        buf_span(&l->k->images, row->image) != 0)
        return NULL;
    it = batch_add(l->batch, BUILD_KEPT, name, "");
    it->soa_serial = h.soa_serial;
    it->records = h.records;
    it->octets = row->image.n;
    l->batch->count++;
    return it;
}

static void take_for(struct load *l, const struct imagestore_row *row,
                     struct plan_zone *z)
{
    bool is_made_so = row->serial == z->serial && row->at_s == z->at_s;

    if (take(l, row) == NULL) {
        note_orphan(l->plan, row->domain_id);
        return;
    }
    z->state =
        is_made_so && row->generator == GENERATE_VERSION ? PLAN_CURRENT : PLAN_STALE;
    l->plan->n_sent++;
    l->plan->n_stale += z->state == PLAN_STALE;
    l->plan->n_newer += row->serial > z->serial;
}

static bool on_row(void *ctx, const struct imagestore_row *row)
{
    struct load *l = ctx;
    struct plan *p = l->plan;
    struct plan_zone *z = plan_find(p, row->domain_id);

    p->after = row->domain_id;
    p->n_damaged += row->state == IMAGESTORE_DAMAGED;
    p->n_foreign += row->state == IMAGESTORE_FOREIGN;
    if (p->was_all_gone && row->state == IMAGESTORE_GOOD) {
        const struct build_item *it = take(l, row);
        char *name = it != NULL ? arena_strdup(p->names, row->name) : NULL;

        if (name != NULL)
            note_kept(p, name);
    } else if (row->state != IMAGESTORE_GOOD || z == NULL ||
               !span_eq_str(row->name, z->name)) {
        note_orphan(p, row->domain_id);
    } else {
        take_for(l, row, z);
    }
    l->is_full = l->k->images.len >= BATCH_OCTETS || l->batch->n_items >= BATCH_ZONES;
    return !l->is_full;
}

static void log_loaded(const struct keep *k, const struct plan *p)
{
    log_event(k->env->log, LOG_DNS_IMAGES_LOADED, LOGF_N("zones", p->n_sent + p->n_kept),
              LOGF_N("stale", p->n_stale), LOGF_N("newer", p->n_newer),
              LOGF_N("damaged", p->n_damaged), LOGF_N("format", p->n_foreign),
              LOGF_N("orphans", p->n_orphans));
}

static void work_load(void *ctx)
{
    struct keep_job *j = ctx;
    struct keep *k = j->k;
    struct plan *p = j->plan;
    struct load l = {.k = k, .plan = p, .batch = j->batch};
    struct err err = {0};
    int rc = -1;

    buf_reset(&k->images);
    if (is_open(k)) {
        if (p->after == 0)
            p->was_all_gone = p->n == 0 && imagestore_count(k->store, &err) > 1;
        rc = imagestore_each(k->store, p->after, on_row, &l, &err);
        if (rc != 0)
            give_up(k, &err);
    }
    p->is_loaded = rc != 0 || !l.is_full;
    if (p->is_loaded)
        log_loaded(k, p);
    /* What came before the fault is good. */
    if (batch_seal(j->batch, buf_all(&k->images)) != 0) {
        tell(k, &j->batch->err);
        for (size_t i = 0; i < p->n; i++)
            p->zones[i].state = PLAN_MISSING;
        j->batch->count = 0;
        j->batch->n_items = 0;
        p->is_loaded = true;
    }
}

static void done_load(void *ctx)
{
    struct keep_job *j = ctx;

    j->done(j->ctx, j->batch);
    free(j);
}

/* --- saving --- */

static int save_images(struct keep *k, const struct batch *t, const uint8_t *images,
                       struct err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < t->n_items; i++) {
        const struct build_item *it = &t->items[i];
        struct imagestore_row row = {.domain_id = it->domain_id,
                                     .serial = it->serial,
                                     .at_s = it->at_s,
                                     .generator = GENERATE_VERSION,
                                     .format = IMAGE_VERSION,
                                     .name = span_str(it->zone)};

        if (it->news == BUILD_REMOVED &&
            imagestore_remove_named(k->store, row.name, err) != 0)
            return -1;
        if (it->news != BUILD_BUILT)
            continue;
        row.image = span_of(images + at, it->octets);
        at += it->octets;
        if (imagestore_put(k->store, &row, err) != 0)
            return -1;
    }
    return 0;
}

static void work_save(void *ctx)
{
    struct keep_job *j = ctx;
    struct keep *k = j->k;
    struct batch *t = j->batch;
    void *map = NULL;
    struct err err = {0};

    if (!is_open(k))
        return;
    if (t->count > 0)
        map = mmap(NULL, (size_t)t->octets, PROT_READ, MAP_SHARED, t->fd, 0);
    if (map == MAP_FAILED)
        return;
    if (imagestore_begin(k->store, &err) != 0 || save_images(k, t, map, &err) != 0 ||
        imagestore_commit(k->store, &err) != 0)
        give_up(k, &err);
    else
        k->was_told = false;
    if (map != NULL)
        (void)munmap(map, (size_t)t->octets);
}

static void done_save(void *ctx)
{
    struct keep_job *j = ctx;

    j->k->n_waiting--;
    batch_free(&j->batch);
    free(j);
}

static void work_sweep(void *ctx)
{
    struct keep_job *j = ctx;
    struct keep *k = j->k;
    struct err err = {0};
    int rc = 0;

    if (j->plan->n_orphans == 0 || !is_open(k))
        return;
    rc = imagestore_begin(k->store, &err);
    for (size_t i = 0; rc == 0 && i < j->plan->n_orphans; i++)
        rc = imagestore_remove(k->store, j->plan->orphans[i], &err);
    if (rc != 0 || imagestore_commit(k->store, &err) != 0)
        give_up(k, &err);
}

static void done_sweep(void *ctx)
{
    struct keep_job *j = ctx;

    plan_free(&j->plan);
    free(j);
}

/* --- on the loop --- */

struct keep *keep_new(const struct dnsd_env *env)
{
    struct keep *k = mem_new(1, sizeof(*k));

    k->env = env;
    buf_init(&k->images, IMAGE_SIZE_MAX + (size_t)BATCH_OCTETS);
    k->pool = pool_new(env->loop, "keep", 1, JOBS_MAX);
    return k;
}

void keep_free(struct keep **kp)
{
    struct keep *k = *kp;

    if (k == NULL)
        return;
    *kp = NULL;
    pool_free(&k->pool);
    imagestore_close(&k->store);
    buf_free(&k->images);
    free(k);
}

static struct keep_job *job_new(struct keep *k)
{
    struct keep_job *j = mem_new(1, sizeof(*j));

    j->k = k;
    return j;
}

void keep_load(struct keep *k, struct plan *plan,
               void (*done)(void *ctx, struct batch *t), void *ctx)
{
    struct keep_job *j = job_new(k);

    j->plan = plan;
    j->batch = batch_new();
    j->done = done;
    j->ctx = ctx;
    if (pool_run(k->pool, work_load, done_load, j) == 0)
        return;
    plan->is_loaded = true; /* cannot be: the queue has room for more than its users */
    done_load(j);
}

void keep_save(struct keep *k, struct batch **t)
{
    struct keep_job *j;

    if (k->n_waiting == WAITING_MAX) {
        batch_free(t);
        return;
    }
    j = job_new(k);
    j->batch = *t;
    *t = NULL;
    k->n_waiting++;
    if (pool_run(k->pool, work_save, done_save, j) != 0)
        done_save(j);
}

void keep_sweep(struct keep *k, struct plan **plan)
{
    struct keep_job *j = job_new(k);

    j->plan = *plan;
    *plan = NULL;
    if (pool_run(k->pool, work_sweep, done_sweep, j) != 0)
        done_sweep(j);
}
