/* SPDX-License-Identifier: ISC */
/* base/io/sandbox.c - from a process that may everything to a role; see sandbox.h.
 *
 * The order is the point:
 *   1. what needs files, while there are files: first uses of libraries, the user database
 *   2. limits, which an ordinary user could not raise again
 *   3. root, which only root can change
 *   4. groups, then user: the last moment we are root
 *   5. no_new_privs, dumpable (the change of user has reset it), filter: nothing after it
 *      needs a call that a role would not need anyway */
#include "base/io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/core/mem.h"

enum { GROUPS_MAX = 32, BLOCK = 100 * 1024 };

/* Whoever we are going to be. */
struct identity {
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MAX];
    int n_groups;
};

/* ---- level ---- */

/* gcc says which; the sanitizers' runtimes map code, open /proc and make threads. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

const char *sandbox_level_name(enum sandbox_level level)
{
    static const char *const names[] = {"off", "seccomp", "full"};

    return names[level];
}

int sandbox_level_pick(const char *word, enum sandbox_level *level, struct err *err)
{
    *level = SANDBOX_OFF;
    if (IS_SANITIZED || strcmp(word, "off") == 0)
        return 0;
    if (strcmp(word, "full") == 0 && geteuid() != 0)
        return err_set(err,
                       "privsep full: needs root, to change users and roots; remedy: "
                       "start as root, or privsep seccomp");
    *level =
        strcmp(word, "seccomp") == 0 || geteuid() != 0 ? SANDBOX_SECCOMP : SANDBOX_FULL;
    return 0;
}

int sandbox_host_of(const struct conf *c, struct sandbox_host *h, struct err *err)
{
    h->data_dir = conf_text(c, "data_dir");
    h->run_dir = conf_text(c, "run_dir");
    return sandbox_level_pick(conf_text(c, "privsep"), &h->level, err);
}

/* ---- 1. while there are files ---- */

/* The first time that glibc gives memory of a thread's arena back, it reads
 * /proc/sys/vm/overcommit_memory. Blocks below the size that gets a mapping of its own. */
static void *give_back(void *ctx)
{
    void *blocks[8];

    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = mem_new(1, BLOCK);
    for (size_t i = COUNT_OF(blocks); i-- > 0;)
        free(blocks[i]);
    return ctx;
}

static void first_uses(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, give_back, NULL) == 0)
        (void)pthread_join(thread, NULL);
    tzset();                             /* /etc/localtime */
    (void)sysconf(_SC_NPROCESSORS_ONLN); /* /sys/devices/system/cpu */
    (void)OPENSSL_init_ssl(0, NULL);     /* openssl.cnf, error texts, providers */
    (void)signal(SIGXFSZ, SIG_IGN);      /* a write past the limit fails, not ends */
}

static int look_up(const char *user, struct identity *id, struct err *err)
{
    const struct passwd *pw;

    errno = 0;
    pw = getpwnam(user);
    if (pw == NULL && errno != 0 && errno != ENOENT)
        return err_sys(err, "user %s", user);
    if (pw == NULL)
        return err_set(
            err,
            "privsep full: there is no user %s; remedy: signpost setup --users "
            "makes the users of all roles, or privsep seccomp does without",
            user);
    if (pw->pw_uid == 0)
        return err_set(err, "privsep full: user %s is root itself (uid 0)", user);
    id->uid = pw->pw_uid;
    id->gid = pw->pw_gid;
    id->n_groups = GROUPS_MAX;
    if (getgrouplist(user, pw->pw_gid, id->groups, &id->n_groups) == -1)
        return err_set(err, "user %s is in more than %d groups", user, GROUPS_MAX);
    return 0;
}

/* ---- 2. limits ---- */

static int set_limit(__rlimit_resource_t which, const char *name, uint64_t most,
                     struct err *err)
{
    struct rlimit lim;

    if (getrlimit(which, &lim) == -1)
        return err_sys(err, "read limit %s", name);
    if (lim.rlim_max > most)
        lim.rlim_max = most;
    lim.rlim_cur = lim.rlim_max; /* never more than we had */
    return setrlimit(which, &lim) == -1 ? err_sys(err, "set limit %s", name) : 0;
}

static int set_limits(const struct sandbox_limits *l, bool is_user_ours, struct err *err)
{
    int rc = set_limit(RLIMIT_CORE, "core", 0, err);

    if (rc == 0 && l->file_octets != SANDBOX_ANY_SIZE)
        rc = set_limit(RLIMIT_FSIZE, "fsize", l->file_octets, err);
    if (rc == 0 && l->memory_octets > 0)
        rc = set_limit(RLIMIT_DATA, "data", l->memory_octets, err);
    if (rc == 0 && l->files > 0)
        rc = set_limit(RLIMIT_NOFILE, "nofile", l->files, err);
    if (rc == 0 && l->tasks > 0 && is_user_ours)
        rc = set_limit(RLIMIT_NPROC, "nproc", l->tasks, err);
    return rc;
}

/* ---- 3. root ---- */

/* A folder that has no name any more: it is empty for ever, whoever is root outside. */
static int open_nowhere(const char *run_dir, struct err *err)
{
    char path[4096];
    int fd;

    if (snprintf(path, sizeof(path), "%s/empty-XXXXXX", run_dir) >= (int)sizeof(path))
        return err_set(err, "run_dir %s: path too long", run_dir);
    if (mkdtemp(path) == NULL)
        return err_sys(err, "make an empty folder in run_dir %s", run_dir);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rmdir(path) == -1 || fd == -1) {
        (void)err_sys(err, "make an empty folder in run_dir %s", run_dir);
        if (fd != -1)
            (void)close(fd);
        return -1;
    }
    return fd;
}

static int change_root(enum sandbox_root root, const struct sandbox_host *h,
                       struct err *err)
{
    int fd, rc = 0;

    if (root == SANDBOX_HERE)
        return 0;
    if (root == SANDBOX_EMPTY)
        fd = open_nowhere(h->run_dir, err);
    else
        fd = open(h->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1)
        return root == SANDBOX_EMPTY ? -1 : err_sys(err, "data_dir %s", h->data_dir);
    /* Through the descriptor: a deleted folder has no path, and no path can be exchanged
     * between two calls. */
    if (fchdir(fd) == -1 || chroot(".") == -1 || chdir("/") == -1)
        rc = err_sys(err, "change root to %s",
                     root == SANDBOX_EMPTY ? "an empty folder" : h->data_dir);
    (void)close(fd); /* a descriptor of the folder would be a way out */
    return rc;
}

/* ---- 4. user ---- */

static int change_user(const struct identity *id, const char *user, struct err *err)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    if (setgroups((size_t)id->n_groups, id->groups) == -1 ||
        setresgid(id->gid, id->gid, id->gid) == -1 ||
        setresuid(id->uid, id->uid, id->uid) == -1)
        return err_sys(err, "become user %s", user);
    if (getresuid(&ruid, &euid, &suid) == -1 || getresgid(&rgid, &egid, &sgid) == -1 ||
        ruid != id->uid || euid != id->uid || suid != id->uid || rgid != id->gid ||
        egid != id->gid || sgid != id->gid)
        return err_set(err, "become user %s: the system did it in part only", user);
    if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ||
        setresgid((gid_t)-1, 0, (gid_t)-1) == 0)
        return err_set(err, "become user %s: root can be had back", user);
    return 0;
}

/* ---- all ---- */

int sandbox_enter(const struct sandbox *s, const struct sandbox_host *h, struct err *err)
{
    bool is_full = h->level == SANDBOX_FULL;
    bool has_user = is_full && s->user != NULL;
    struct identity id = {0};

    if (h->level == SANDBOX_OFF)
        return 0;
    first_uses();
    if (has_user && look_up(s->user, &id, err) == -1)
        return -1;
    if (set_limits(&s->limits, has_user, err) == -1)
        return -1;
    if (is_full && change_root(s->root, h, err) == -1)
        return -1;
    if (has_user && change_user(&id, s->user, err) == -1)
        return -1;
    if (has_user)
        (void)umask(
            007); /* groups have one purpose each; what is shared is shared by them */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        return err_sys(err, "give up new privileges");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
        return err_sys(err, "forbid tracing");
    return sandbox_filter(s->calls, err);
}
