/* SPDX-License-Identifier: ISC */
/* tests/crash/fsrec.c - a preloaded library that writes down, stops or fails file operations.
 *
 * Why:       the crash test must see every change that a program makes to its data directory,
 *            our own calls as well as SQLite's, in the order in which the kernel did them. So it
 *            stands between the program and the C library, below everything of ours.
 * Threads:   any; one lock is held across an operation and its line in the log, so the log's
 *            order is the disk's order.
 *
 * FSREC_ROOT  folder to watch; everything else passes by
 * FSREC_LOG   file the operations are appended to (tests/crash/disk.py reads it)
 * FSREC_CTL   32 octets shared with the test: what to do to which operation (struct control)
 *
 * Also written down: the first octets of what is sent to TCP clients, since a promise is made
 * in that moment. Not seen: writes through mmap(2), which SQLite uses for -shm files only, and
 * those are made anew by every start. Watched files are kept open, so that no inode number is
 * used twice.
 *
 * Over 500 lines because each call of the C library that changes a file stands here once, in
 * both widths. */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    OP_CREATE = 1,
    OP_WRITE,
    OP_SIZE,
    OP_SYNC,
    OP_SYNC_DIR,
    OP_LINK,
    OP_UNLINK,
    OP_RENAME,
    OP_MKDIR,
    OP_RMDIR,
    OP_GROW,
    OP_SENT,
    OP_SYNC_ALL
};

enum mode {
    MODE_PASS,
    MODE_FAIL_ONE,  /* operation number `at` fails with `error` */
    MODE_FAIL_FROM, /* it and all that follow */
    MODE_SHORT,     /* if it is a write, half of it is done */
    MODE_KILL       /* the process dies in its place */
};

struct control {
    uint32_t mode, error;
    uint64_t at;    /* counted from 1 */
    uint64_t count; /* operations so far */
    uint64_t hits;  /* how often something was done to one */
};

struct line {
    uint8_t kind;
    uint64_t ino, ino2, at;
    const char *name, *name2;
    const void *data;
    size_t n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static int log_fd = -1;
static struct control none, *control = &none;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FSREC_ROOT"), *log = getenv("FSREC_LOG"),
               *ctl = getenv("FSREC_CTL");
    int fd;

    if (path == NULL || log == NULL || ctl == NULL || realpath(path, root) == NULL)
        return;
    root_len = strlen(root);
    fd = (int)syscall(SYS_openat, AT_FDCWD, ctl, O_RDWR | O_CLOEXEC);
    if (fd != -1)
        control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED || fd == -1)
        abort();
    (void)syscall(SYS_close, fd);
    fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3000);
    if (log_fd == -1)
        abort();
    (void)syscall(SYS_close, fd);
}

/* ---- the log -------------------------------------------------------------------------- */

static void put(uint8_t *head, size_t *n, uint64_t v, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        head[(*n)++] = (uint8_t)(v >> (8 * i) & 0xff);
}

static void note(const struct line *l)
{
    const char *name = l->name != NULL ? l->name : "";
    const char *name2 = l->name2 != NULL ? l->name2 : "";
    uint8_t head[64];
    struct iovec v[4];
    size_t n = 0;

    put(head, &n, l->kind, 1);
    put(head, &n, l->ino, 8);
    put(head, &n, l->ino2, 8);
    put(head, &n, l->at, 8);
    put(head, &n, strlen(name), 4);
    put(head, &n, strlen(name2), 4);
    put(head, &n, l->n, 4);
    v[0] = (struct iovec){head, n};
    v[1] = (struct iovec){(void *)(uintptr_t)name, strlen(name)};
    v[2] = (struct iovec){(void *)(uintptr_t)name2, strlen(name2)};
    v[3] = (struct iovec){(void *)(uintptr_t)l->data, l->n};
    if (syscall(SYS_writev, log_fd, v, 4) == -1)
        abort();
}

/* Of SQLite: made anew by whoever opens the database first. */
static bool is_shared_memory(const char *path)
{
    size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, "-shm") == 0;
}

/* ---- what is watched ------------------------------------------------------------------- */

static bool is_below_root(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n < (ssize_t)root_len)
        return false;
    path[n] = '\0';
    if (is_shared_memory(path))
        return false;
    return strncmp(path, root, root_len) == 0 &&
           (path[root_len] == '/' || path[root_len] == '\0');
}

static uint64_t ino_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static bool is_watched(int fd)
{
    struct stat st;

    return log_fd != -1 && fd >= 0 && fstat(fd, &st) == 0 &&
           (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && is_below_root(fd);
}

/* The folder that holds `path`, its inode number or 0, and the last part of the path. */
static uint64_t folder_of(int dirfd, const char *path, const char **last)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    uint64_t ino = 0;
    int fd;

    *last = slash == NULL ? path : slash + 1;
    if (log_fd == -1)
        return 0;
    (void)snprintf(dir, sizeof(dir), "%.*s", (int)n, path);
    fd = (int)syscall(SYS_openat, dirfd,
                      n > 0           ? dir
                      : slash == path ? "/"
                                      : ".",
                      O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1)
        return 0;
    if (is_below_root(fd))
        ino = ino_of(fd);
    (void)syscall(SYS_close, fd);
    return ino;
}

/* ---- what is done to an operation ------------------------------------------------------- */

/* Its number is taken; false when it must fail, with errno. `may_halve`: is it a write? */
static bool allow(bool *halve)
{
    uint64_t number = ++control->count;
    bool is_it =
        control->mode == MODE_FAIL_FROM ? number >= control->at : number == control->at;

    if (halve != NULL)
        *halve = false;
    if (control->mode == MODE_PASS || !is_it)
        return true;
    if (control->mode == MODE_SHORT && halve == NULL)
        return true;
    control->hits++;
    if (control->mode == MODE_KILL)
        (void)kill(getpid(), SIGKILL);
    if (control->mode == MODE_SHORT) {
        *halve = true;
        return true;
    }
    errno = (int)control->error;
    return false;
}

/* ---- files ------------------------------------------------------------------------------ */

static int do_open(int dirfd, const char *path, int flags, mode_t mode)
{
    const char *name;
    uint64_t dir = (flags & (O_CREAT | O_TRUNC)) != 0 && !is_shared_memory(path)
                       ? folder_of(dirfd, path, &name)
                       : 0;
    struct stat st;
    bool is_new;
    int fd;

    if (dir == 0)
        return (int)syscall(SYS_openat, dirfd, path, flags, mode);
    (void)pthread_mutex_lock(&lock);
    is_new = fstatat(dirfd, path, &st, 0) == -1;
    if ((is_new || (flags & O_TRUNC) != 0) && !allow(NULL)) {
        (void)pthread_mutex_unlock(&lock);
        return -1;
    }
    fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
    if (fd != -1 && is_new) {
        note(&(struct line){
            .kind = OP_CREATE, .ino = dir, .ino2 = ino_of(fd), .name = name});
        if (fcntl(fd, F_DUPFD_CLOEXEC, 3000) == -1)
            abort();
    } else if (fd != -1 && (flags & O_TRUNC) != 0)
        note(&(struct line){.kind = OP_SIZE, .ino = ino_of(fd)});
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(ap, unsigned) : 0;
}

#define WITH_MODE(dirfd)                                                                 \
    do {                                                                                 \
        va_list ap;                                                                      \
        mode_t mode;                                                                     \
        va_start(ap, flags);                                                             \
        mode = mode_of(flags, ap);                                                       \
        va_end(ap);                                                                      \
        return do_open(dirfd, path, flags, mode);                                        \
    } while (0)

int open(const char *path, int flags, ...)
{
    WITH_MODE(AT_FDCWD);
}

int open64(const char *path, int flags, ...)
{
    WITH_MODE(AT_FDCWD);
}

int openat(int dirfd, const char *path, int flags, ...)
{
    WITH_MODE(dirfd);
}

int openat64(int dirfd, const char *path, int flags, ...)
{
    WITH_MODE(dirfd);
}

static ssize_t do_pwrite(int fd, const void *p, size_t n, off_t at)
{
    bool halve = false;
    ssize_t rc;

    if (!is_watched(fd))
        return syscall(SYS_pwrite64, fd, p, n, at);
    (void)pthread_mutex_lock(&lock);
    if (!allow(&halve)) {
        (void)pthread_mutex_unlock(&lock);
        return -1;
    }
    rc = syscall(SYS_pwrite64, fd, p, halve ? (n + 1) / 2 : n, at);
    if (rc > 0)
        note(&(struct line){.kind = OP_WRITE,
                            .ino = ino_of(fd),
                            .at = (uint64_t)at,
                            .data = p,
                            .n = (size_t)rc});
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return do_pwrite(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return do_pwrite(fd, p, n, at);
}

/* Did something go to a client? */
static void note_sent(int fd, const void *p, ssize_t n)
{
    int domain = 0, type = 0;
    socklen_t len = sizeof(int);

    if (log_fd == -1 || n <= 0 ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1 || domain != AF_INET ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 || type != SOCK_STREAM)
        return;
    note(&(struct line){
        .kind = OP_SENT, .data = p, .n = (size_t)n < 1000 ? (size_t)n : 1000});
}

ssize_t write(int fd, const void *p, size_t n)
{
    off_t at;
    ssize_t rc;

    if (is_watched(fd)) {
        int flags = fcntl(fd, F_GETFL);
        struct stat st;

        at = (flags & O_APPEND) != 0 && fstat(fd, &st) == 0 ? st.st_size
                                                            : lseek(fd, 0, SEEK_CUR);
        rc = do_pwrite(fd, p, n, at);
        if (rc > 0)
            (void)lseek(fd, at + rc, SEEK_SET);
        return rc;
    }
    if (log_fd == -1)
        return syscall(SYS_write, fd, p, n);
    (void)pthread_mutex_lock(&lock);
    rc = syscall(SYS_write, fd, p, n);
    note_sent(fd, p, rc);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    ssize_t rc;

    (void)pthread_mutex_lock(&lock);
    rc = syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
    note_sent(fd, p, rc);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    ssize_t rc;

    (void)pthread_mutex_lock(&lock);
    rc = syscall(SYS_writev, fd, v, n);
    if (n > 0 && rc > 0)
        note_sent(fd, v[0].iov_base,
                  rc < (ssize_t)v[0].iov_len ? rc : (ssize_t)v[0].iov_len);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

/* A call on a descriptor that becomes one line of the log when it succeeds. */
static int on_fd(long call, enum kind kind, int fd, off_t octets)
{
    bool is_file = is_watched(fd);
    struct stat st;
    int rc = -1;

    (void)pthread_mutex_lock(&lock);
    if (!is_file || allow(NULL)) {
        rc = call == SYS_fallocate   ? (int)syscall(call, fd, 0, 0, octets)
             : call == SYS_ftruncate ? (int)syscall(call, fd, octets)
             : is_file               ? 0 /* a sync: the test decides what is durable */
                                     : (int)syscall(call, fd);
        if (rc == 0 && is_file) {
            if (kind == OP_SYNC && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
                kind = OP_SYNC_DIR;
            note(&(struct line){
                .kind = (uint8_t)kind, .ino = ino_of(fd), .at = (uint64_t)octets});
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

int ftruncate(int fd, off_t octets)
{
    return on_fd(SYS_ftruncate, OP_SIZE, fd, octets);
}

int ftruncate64(int fd, off64_t octets)
{
    return on_fd(SYS_ftruncate, OP_SIZE, fd, octets);
}

int fallocate(int fd, int mode, off_t at, off_t octets)
{
    (void)mode, (void)at; /* the store uses it to make room from the beginning, only */
    return on_fd(SYS_fallocate, OP_GROW, fd, octets);
}

int fallocate64(int fd, int mode, off64_t at, off64_t octets)
{
    (void)mode, (void)at;
    return on_fd(SYS_fallocate, OP_GROW, fd, octets);
}

int fsync(int fd)
{
    return on_fd(SYS_fsync, OP_SYNC, fd, 0);
}

int fdatasync(int fd)
{
    return on_fd(SYS_fdatasync, OP_SYNC, fd, 0);
}

int syncfs(int fd)
{
    return on_fd(SYS_syncfs, OP_SYNC_ALL, fd, 0);
}

/* ---- names ------------------------------------------------------------------------------ */

int linkat(int fromdir, const char *from, int todir, const char *to, int flags)
{
    const char *name;
    uint64_t dir = folder_of(todir, to, &name);
    struct stat st;
    int rc = -1;

    (void)pthread_mutex_lock(&lock);
    if (dir == 0 || allow(NULL)) {
        rc = (int)syscall(SYS_linkat, fromdir, from, todir, to, flags);
        if (rc == 0 && dir != 0 && fstatat(todir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
            note(&(struct line){
                .kind = OP_LINK, .ino = dir, .ino2 = (uint64_t)st.st_ino, .name = name});
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    const char *name;
    uint64_t dir = folder_of(dirfd, path, &name);
    struct stat st;
    int rc = -1;

    (void)pthread_mutex_lock(&lock);
    /* a name that is not there changes nothing: no operation */
    if (dir != 0 && fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
        dir = 0;
    if (dir == 0 || allow(NULL)) {
        rc = (int)syscall(SYS_unlinkat, dirfd, path, flags);
        if (rc == 0 && dir != 0)
            note(
                &(struct line){.kind = (flags & AT_REMOVEDIR) != 0 ? OP_RMDIR : OP_UNLINK,
                               .ino = dir,
                               .ino2 = (uint64_t)st.st_ino,
                               .name = name});
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int renameat(int fromdir, const char *from, int todir, const char *to)
{
    const char *name, *name2;
    uint64_t dir = folder_of(fromdir, from, &name), dir2 = folder_of(todir, to, &name2);
    struct stat st;
    int rc = -1;

    (void)pthread_mutex_lock(&lock);
    if (dir2 != 0 && fstatat(fromdir, from, &st, AT_SYMLINK_NOFOLLOW) == -1)
        dir2 = 0;
    if (dir2 == 0 || allow(NULL)) {
        rc = (int)syscall(SYS_renameat, fromdir, from, todir, to);
        if (rc == 0 && dir2 != 0)
            note(&(struct line){.kind = OP_RENAME,
                                .ino = dir,
                                .ino2 = dir2,
                                .at = (uint64_t)st.st_ino,
                                .name = name,
                                .name2 = name2});
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    const char *name;
    uint64_t dir = folder_of(dirfd, path, &name);
    struct stat st;
    int rc = -1;

    (void)pthread_mutex_lock(&lock);
    if (dir != 0 && fstatat(dirfd, path, &st, 0) == 0)
        dir = 0; /* it is there: no operation */
    if (dir == 0 || allow(NULL)) {
        rc = (int)syscall(SYS_mkdirat, dirfd, path, mode);
        if (rc == 0 && dir != 0 && fstatat(dirfd, path, &st, 0) == 0)
            note(&(struct line){
                .kind = OP_MKDIR, .ino = dir, .ino2 = (uint64_t)st.st_ino, .name = name});
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}
