/* SPDX-License-Identifier: ISC */
/* A shard is copied when it has changed and its last copy is older than `index_snapshot`; the
 * age of a copy is its file's, so restarts do not hurry or delay it.
 *
 *     snapshot.db.tmp   written by SQLite from a connection of its own, synced
 *     snapshot.db       --> snapshot.old.db (second name, then the first is taken over)
 *     folder synced
 *
 * A copy reads every row, so a damaged index fails here and the last good copy stays. */
#include "maild/mailbox/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"

#define FIRST_S                                                                          \
    60 /* a shard without any copy gets one this soon after its first change */

struct one {
    uint64_t changes; /* when it was copied */
    int64_t next_s;   /* not before */
};

struct snapshots {
    struct mailbox *m;
    int64_t every_s;
    struct one shards[MAILFILE_SHARDS];
    /* the copy under way */
    bool is_running;
    unsigned number;
    uint64_t changes;
    const char *path;
    struct err err;
    bool has_failed;
};

static void rel(unsigned number, const char *name, char path[MAILFILE_PATH_MAX])
{
    (void)snprintf(path, MAILFILE_PATH_MAX, "mail/%02u/%s", number, name);
}

/* Also SQLite's journal of it: it must never meet another file. */
static int drop_tmp(const struct mailbox *m, unsigned number, struct err *err)
{
    static const char *const names[] = {"snapshot.db.tmp-journal", "snapshot.db.tmp"};
    char path[MAILFILE_PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        rel(number, names[i], path);
        if (unlinkat(m->dirfd, path, 0) == -1 && errno != ENOENT)
            return err_sys(err, "remove %s", path);
    }
    return 0;
}

struct snapshots *snapshots_new(struct mailbox *m)
{
    struct snapshots *s = mem_new(1, sizeof(*s));
    int64_t now_s = clock_wall_s(m->env->clock);

    s->m = m;
    s->every_s = conf_int(m->env->conf, "index_snapshot");
    for (unsigned i = 0; i < MAILFILE_SHARDS; i++) {
        char path[MAILFILE_PATH_MAX];
        struct stat st;

        if (role_mailbox(m->env, i) != m->env->instance)
            continue;
        (void)drop_tmp(m, i, NULL); /* a crash cut it short */
        rel(i, "snapshot.db", path);
        if (fstatat(m->dirfd, path, &st, 0) == 0)
            s->shards[i].next_s = st.st_mtim.tv_sec + s->every_s;
        else
            s->shards[i].next_s = now_s + (s->every_s < FIRST_S ? s->every_s : FIRST_S);
    }
    return s;
}

void snapshots_free(struct snapshots **sp)
{
    free(*sp);
    *sp = NULL;
}

/* ---- on a file thread ------------------------------------------------------------------- */

static int sync_file(int dirfd, const char *path, struct err *err)
{
    int fd = openat(dirfd, path, O_RDWR | O_CLOEXEC);
    int rc = 0;

    if (fd == -1 || fchmod(fd, INDEX_FILE_MODE) == -1 || fsync(fd) == -1)
        rc = err_sys(err, "make %s durable", path);
    if (fd != -1)
        (void)close(fd);
    return rc;
}

static int take_over(struct snapshots *s, const char *tmp, struct err *err)
{
    char path[MAILFILE_PATH_MAX], old[MAILFILE_PATH_MAX], folder[MAILFILE_PATH_MAX];
    int dirfd = s->m->dirfd;

    rel(s->number, "snapshot.db", path);
    rel(s->number, "snapshot.old.db", old);
    (void)snprintf(folder, sizeof(folder), "mail/%02u", s->number);
    if (unlinkat(dirfd, old, 0) == -1 && errno != ENOENT)
        return err_sys(err, "remove %s", old);
    if (linkat(dirfd, path, dirfd, old, 0) == -1 && errno != ENOENT)
        return err_sys(err, "name %s", old);
    if (renameat(dirfd, tmp, dirfd, path) == -1)
        return err_sys(err, "name %s", path);
    return mailfile_sync_folder(dirfd, folder, err);
}

static void copy_work(void *ctx)
{
    struct snapshots *s = ctx;
    char tmp[MAILFILE_PATH_MAX], target[4096];
    const char *slash = strrchr(s->path, '/');

    s->has_failed = true;
    rel(s->number, "snapshot.db.tmp", tmp);
    if (drop_tmp(s->m, s->number, &s->err) == -1)
        return;
    (void)snprintf(target, sizeof(target), "%.*s/snapshot.db.tmp", (int)(slash - s->path),
                   s->path);
    if (index_copy_file(s->path, target, &s->err) == -1 ||
        sync_file(s->m->dirfd, tmp, &s->err) == -1)
        (void)drop_tmp(s->m, s->number, NULL); /* a full disk gets its room back */
    else
        s->has_failed = take_over(s, tmp, &s->err) == -1;
}

/* ---- on the loop ------------------------------------------------------------------------ */

static void copy_done(void *ctx)
{
    struct snapshots *s = ctx;
    struct one *o = &s->shards[s->number];

    s->is_running = false;
    o->next_s = clock_wall_s(s->m->env->clock) + s->every_s;
    if (s->has_failed) {
        log_event(s->m->env->log, LOG_MAILBOX_FAILED, LOGF_N("shard", s->number),
                  LOGF_S("error", s->err.text));
        return;
    }
    o->changes = s->changes;
    log_event(s->m->env->log, LOG_MAILBOX_SNAPSHOT, LOGF_N("shard", s->number));
}

void snapshots_tick(struct snapshots *s)
{
    int64_t now_s = clock_wall_s(s->m->env->clock), oldest = INT64_MAX;
    unsigned which = MAILFILE_SHARDS;

    for (unsigned i = 0; i < MAILFILE_SHARDS && !s->is_running; i++) {
        const struct one *o = &s->shards[i];

        if (shard_changes(s->m->shards[i]) == o->changes || o->next_s > now_s ||
            o->next_s >= oldest)
            continue;
        which = i;
        oldest = o->next_s;
    }
    if (which == MAILFILE_SHARDS)
        return;
    s->number = which;
    s->path = shard_path(s->m->shards[which]);
    s->changes = shard_changes(s->m->shards[which]);
    s->is_running = mailbox_job(s->m, copy_work, copy_done, s) == 0;
}
