/* SPDX-License-Identifier: ISC */
/* zones/cli/rights.c - see rights.h.
 *
 * Who needs what, and why the modes are as they are:
 *   data_dir        the root of the roles that work with files: all pass through, the two that
 *                   make folders durable (queue, mailbox) read it
 *   db              readers of signpost.db are in signpost-db. A reader writes -shm (its read
 *                   marks) but not -wal, which is data. Nobody but root makes files here: a
 *                   forged -journal would be played back into the database
 *   signpost.db     the builder's: it settles TTLs; the CLI is root
 *   secrets.db, keys.db   one reader each, by group; written by root only
 *   mail/blobs      queue's; the mailbox role links them, for which Linux asks that it could
 *                   write them (fs.protected_hardlinks), so files are open to signpost-store
 *   mail/NN         mailbox's; its folders give their group to the files in them, and files
 *                   that came as links keep queue as owner
 *
 * The walk goes from descriptor to descriptor and never through a link, since it is root that
 * walks where roles can write. */
#include "zones/cli/rights.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEPTH_MAX 16
#define SHARDS    16 /* mail/00 ... mail/15 */

const char *const rights_groups[] = {"signpost-db", "signpost-store", NULL};

const struct rights_user rights_users[] = {
    {"_signpost-edge", "Signpost, connections of mail clients and servers", NULL},
    {"_signpost-queue", "Signpost, mail on its way", "signpost-store"},
    {"_signpost-relay", "Signpost, connections to other mail servers", NULL},
    {"_signpost-mail", "Signpost, mailboxes", "signpost-store"},
    {"_signpost-dir", "Signpost, who may log in, send, receive", "signpost-db"},
    {"_signpost-sign", "Signpost, DKIM keys", "signpost-db"},
    {"_signpost-resolv", "Signpost, look-ups", NULL},
    {"_signpost-dnsb", "Signpost, zones from the database", "signpost-db"},
    {"_signpost-dns", "Signpost, answers of the name server", NULL},
    {NULL, NULL, NULL},
};

enum kind {
    DIR_MADE, /* made when missing */
    FILE_IF,  /* if it is there */
    TREE      /* made when missing; all below belongs to the same user */
};

static const struct row {
    const char *path;
    enum kind kind;
    const char *owner, *group;
    mode_t mode;
} rows[] = {
    /* clang-format off */
    {"",                   DIR_MADE, "root",             "signpost-store",   0751},
    {"db",                 DIR_MADE, "root",             "signpost-db",      0750},
    {"db/signpost.db",     FILE_IF,  "_signpost-dnsb",   "signpost-db",      0640},
    {"db/signpost.db-wal", FILE_IF,  "_signpost-dnsb",   "signpost-db",      0640},
    {"db/signpost.db-shm", FILE_IF,  "_signpost-dnsb",   "signpost-db",      0660},
    {"db/secrets.db",      FILE_IF,  "root",             "_signpost-dir",    0640},
    {"db/secrets.db-wal",  FILE_IF,  "root",             "_signpost-dir",    0640},
    {"db/secrets.db-shm",  FILE_IF,  "root",             "_signpost-dir",    0660},
    {"keys",               DIR_MADE, "root",             "_signpost-sign",   0750},
    {"keys/keys.db",       FILE_IF,  "root",             "_signpost-sign",   0640},
    {"keys/keys.db-wal",   FILE_IF,  "root",             "_signpost-sign",   0640},
    {"keys/keys.db-shm",   FILE_IF,  "root",             "_signpost-sign",   0660},
    {"dns",                TREE,     "_signpost-dnsb",   "_signpost-dnsb",   0700},
    {"queue",              TREE,     "_signpost-queue",  "_signpost-queue",  0700},
    {"journal",            DIR_MADE, "root",             "root",             0711},
    {"journal/queue",      TREE,     "_signpost-queue",  "_signpost-queue",  0700},
    {"mail",               DIR_MADE, "root",             "signpost-store",   0750},
    {"mail/blobs",         TREE,     "_signpost-queue",  "signpost-store",   02750},
    {"mail/%02u",          TREE,     "_signpost-mail",   "signpost-store",   02700},
    {"tls/key.pem",        FILE_IF,  "root",             "root",             0600},
    /* clang-format on */
};

/* Where older versions had it. */
static const struct {
    const char *from, *to;
} moved[] = {
    {"db/queue.db", "queue/queue.db"},
    {"db/queue.db-wal", "queue/queue.db-wal"},
    {"db/queue.db-shm", "queue/queue.db-shm"},
    {"db/history.db", "queue/history.db"},
    {"db/history.db-wal", "queue/history.db-wal"},
    {"db/history.db-shm", "queue/history.db-shm"},
};

/* ---- users ---- */

static bool has_group(const char *name)
{
    return getgrnam(name) != NULL;
}

static bool is_member(const struct rights_user *u)
{
    const struct group *g = u->group == NULL ? NULL : getgrnam(u->group);

    for (char **m = g == NULL ? NULL : g->gr_mem; m != NULL && *m != NULL; m++)
        if (strcmp(*m, u->name) == 0)
            return true;
    return u->group == NULL;
}

const char *rights_missing(void)
{
    for (size_t i = 0; rights_groups[i] != NULL; i++)
        if (!has_group(rights_groups[i]))
            return rights_groups[i];
    for (const struct rights_user *u = rights_users; u->name != NULL; u++)
        if (getpwnam(u->name) == NULL || !has_group(u->name) || !is_member(u))
            return u->name;
    return NULL;
}

/* posix_spawn() takes arrays of char * and changes nothing: words of ours are copied. */
static int run(const char *const words[], struct err *err)
{
    char path[64], text[16][128], *argv[17] = {NULL};
    char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *env[] = {search, NULL};
    int rc, status;
    pid_t pid;

    for (size_t i = 0; i < 16 && words[i] != NULL; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%s", words[i]);
        argv[i] = text[i];
    }
    (void)snprintf(path, sizeof(path), "/usr/sbin/%s", words[0]);
    rc = posix_spawn(&pid, path, NULL, NULL, argv, env);
    if (rc != 0) {
        errno = rc;
        return err_sys(err,
                       "run %s (package passwd); systemd-sysusers with our sysusers.d "
                       "file makes the users, too",
                       path);
    }
    if (waitpid(pid, &status, 0) == -1)
        return err_sys(err, "wait for %s", path);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, "%s failed; it says why above", path);
    return 0;
}

static int make_group(const char *name, struct err *err)
{
    const char *const argv[] = {"groupadd", "--system", name, NULL};

    return run(argv, err);
}

static int make_user(const struct rights_user *u, struct err *err)
{
    const char *argv[] = {"useradd",
                          "--system",
                          "--no-create-home",
                          "--no-log-init",
                          "--home-dir",
                          "/nonexistent",
                          "--shell",
                          "/usr/sbin/nologin",
                          "--comment",
                          u->gecos,
                          "--gid",
                          u->name,
                          u->name,
                          NULL,
                          NULL,
                          NULL};

    if (u->group != NULL) {
        argv[12] = "--groups";
        argv[13] = u->group;
        argv[14] = u->name;
    }
    return run(argv, err);
}

static int add_member(const struct rights_user *u, struct err *err)
{
    const char *const argv[] = {"usermod", "--append", "--groups",
                                u->group,  u->name,    NULL};

    return run(argv, err);
}

static void say_made(void (*said)(void *, const char *), void *ctx, const char *what,
                     const char *name)
{
    char line[96];

    (void)snprintf(line, sizeof(line), "%s %s", what, name);
    said(ctx, line);
}

int rights_make_users(void (*said)(void *ctx, const char *text), void *ctx,
                      struct err *err)
{
    for (size_t i = 0; rights_groups[i] != NULL; i++) {
        if (has_group(rights_groups[i]))
            continue;
        if (make_group(rights_groups[i], err) == -1)
            return -1;
        say_made(said, ctx, "group", rights_groups[i]);
    }
    for (const struct rights_user *u = rights_users; u->name != NULL; u++) {
        if (!has_group(u->name) && make_group(u->name, err) == -1)
            return -1;
        if (getpwnam(u->name) == NULL) {
            if (make_user(u, err) == -1)
                return -1;
            say_made(said, ctx, "user ", u->name);
        } else if (!is_member(u)) {
            if (add_member(u, err) == -1)
                return -1;
            say_made(said, ctx, "member", u->name);
        }
    }
    return 0;
}

/* ---- files ---- */

struct want {
    uid_t uid;
    gid_t gid;
    mode_t mode;
    bool is_new;   /* just made, nothing to report */
    bool is_inner; /* below a TREE: any mode that others have nothing of */
};

static void say(struct rights_report *r, const char *path, const char *what)
{
    r->n++;
    r->differs(r->ctx, path, what);
}

/* Compare and, unless only looking, change what `fd` (O_PATH or open) stands for. */
static int settle(int fd, const char *path, const struct want *w, struct rights_report *r,
                  struct err *err)
{
    char what[160], proc[32];
    struct stat st = {0};
    mode_t mode = w->mode;
    bool is_shared = (w->mode & S_ISGID) != 0; /* a link keeps the owner of its file */

    if (fstat(fd, &st) == -1)
        return err_sys(err, "%s", path);
    if (w->is_inner)
        mode = S_ISDIR(st.st_mode) ? w->mode : 0660;
    if (w->is_inner && st.st_gid == w->gid && (st.st_mode & 07) == 0 &&
        (st.st_uid == w->uid || (is_shared && st.st_uid != 0)))
        return 0;
    if (!w->is_inner && st.st_uid == w->uid && st.st_gid == w->gid &&
        (st.st_mode & 07777) == mode)
        return 0;
    (void)snprintf(what, sizeof(what),
                   "owner %u, group %u, mode %04o; wanted owner %u, group %u, mode %04o",
                   st.st_uid, st.st_gid, st.st_mode & 07777, w->uid, w->gid, mode);
    if (!w->is_new)
        say(r, path, what);
    if (r->is_check)
        return 0;
    /* An O_PATH descriptor has no fchmod; the name below /proc is the descriptor itself. */
    (void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    if (fchownat(fd, "", w->uid, w->gid, AT_EMPTY_PATH) == -1 || chmod(proc, mode) == -1)
        return err_sys(err, "give %s its owner and mode", path);
    return 0;
}

static int walk(int parent, const char *name, const char *path, const struct want *w,
                struct rights_report *r, unsigned depth, struct err *err);

static int walk_entries(int fd, const char *path, const struct want *w,
                        struct rights_report *r, unsigned depth, struct err *err)
{
    DIR *d = fdopendir(fd);
    struct dirent *e;
    int rc = 0;

    if (d == NULL) {
        (void)close(fd);
        return err_sys(err, "read folder %s", path);
    }
    while (rc == 0 && (e = readdir(d)) != NULL) {
        char below[4096];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (snprintf(below, sizeof(below), "%s/%s", path, e->d_name) < (int)sizeof(below))
            rc = walk(dirfd(d), e->d_name, below, w, r, depth, err);
    }
    (void)closedir(d);
    return rc;
}

/* One thing below a TREE and, when it is a folder, all below it. */
static int walk(int parent, const char *name, const char *path, const struct want *w,
                struct rights_report *r, unsigned depth, struct err *err)
{
    int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), folder;
    struct stat st = {0};
    int rc = 0;

    if (fd == -1)
        return errno == ENOENT ? 0 : err_sys(err, "%s", path);
    if (fstat(fd, &st) == -1)
        rc = err_sys(err, "%s", path);
    else if (depth > DEPTH_MAX || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        say(r, path, "neither a file nor a folder that a role makes; please remove it");
    else {
        rc = settle(fd, path, w, r, err);
        if (rc == 0 && S_ISDIR(st.st_mode)) {
            folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            rc = folder == -1 ? err_sys(err, "read folder %s", path)
                              : walk_entries(folder, path, w, r, depth + 1, err);
        }
    }
    (void)close(fd);
    return rc;
}

static int look_up(const struct row *row, struct want *w, struct err *err)
{
    const struct passwd *pw = getpwnam(row->owner);
    const struct group *gr = getgrnam(row->group);

    if (pw == NULL || gr == NULL)
        return err_set(err, "there is no %s %s; make all with: signpost setup --users",
                       pw == NULL ? "user" : "group",
                       pw == NULL ? row->owner : row->group);
    *w = (struct want){.uid = pw->pw_uid, .gid = gr->gr_gid, .mode = row->mode};
    return 0;
}

static int apply_path(const char *path, const struct row *row, struct rights_report *r,
                      struct err *err)
{
    int fd, folder, rc;
    struct want w = {0};

    if (look_up(row, &w, err) == -1)
        return -1;
    if (row->kind != FILE_IF && !r->is_check && mkdir(path, 0700) == -1 &&
        errno != EEXIST)
        return err_sys(err, "make folder %s", path);
    fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1) {
        if (errno != ENOENT)
            return err_sys(err, "%s", path);
        if (row->kind != FILE_IF)
            say(r, path, "is missing");
        return 0;
    }
    rc = settle(fd, path, &w, r, err);
    if (rc == 0 && row->kind == TREE) {
        w.is_inner = true;
        w.is_new = false;
        folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = folder == -1 ? err_sys(err, "read folder %s", path)
                          : walk_entries(folder, path, &w, r, 0, err);
    }
    (void)close(fd);
    return rc;
}

static int apply_row(const char *data_dir, const struct row *row, struct rights_report *r,
                     struct err *err)
{
    bool is_many = strchr(row->path, '%') != NULL;
    char path[4096];
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < (is_many ? SHARDS : 1); i++) {
        int n = is_many ? snprintf(path, sizeof(path), "%s/mail/%02u", data_dir, i)
                        : snprintf(path, sizeof(path), "%s%s%s", data_dir,
                                   row->path[0] == '\0' ? "" : "/", row->path);

        rc = n >= (int)sizeof(path) ? err_set(err, "%s: path too long", data_dir)
                                    : apply_path(path, row, r, err);
    }
    return rc;
}

/* The folder of this file; owner and mode come with its row. */
static int make_above(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];

    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    return mkdir(folder, 0700) == -1 && errno != EEXIST
               ? err_sys(err, "make folder %s", folder)
               : 0;
}

static int move_old(const char *data_dir, struct rights_report *r, struct err *err)
{
    char from[4096], to[4096], what[4200];

    for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
        if (snprintf(from, sizeof(from), "%s/%s", data_dir, moved[i].from) >=
                (int)sizeof(from) ||
            snprintf(to, sizeof(to), "%s/%s", data_dir, moved[i].to) >= (int)sizeof(to))
            return err_set(err, "%s: path too long", data_dir);
        if (access(from, F_OK) == -1 || access(to, F_OK) == 0)
            continue;
        (void)snprintf(what, sizeof(what), "belongs to %s in this version", to);
        say(r, from, what);
        if (!r->is_check && rename(from, to) == -1 &&
            (errno != ENOENT || make_above(to, err) == -1 || rename(from, to) == -1))
            return err_sys(err, "move %s to %s", from, to);
    }
    return 0;
}

int rights_apply(const char *data_dir, struct rights_report *r, struct err *err)
{
    int rc;

    r->n = 0;
    rc = move_old(data_dir, r, err);
    for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        rc = apply_row(data_dir, &rows[i], r, err);
    }
    return rc;
}
