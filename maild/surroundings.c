/* SPDX-License-Identifier: ISC */
/* maild/surroundings.c - what must be right before a role starts, each fault with its
 * remedy. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io/tlsctx.h"
#include "maild/parent_int.h"

#define LOCK_WAIT_MS 10000 /* roles of a parent that was killed end within this */
#define LOCK_TRY_MS  10

const char *surroundings_user(void)
{
    const struct passwd *pw = getpwuid(geteuid());

    return pw != NULL ? pw->pw_name : "this user";
}

int check_data_dir(const struct parent_options *o, struct err *err)
{
    const char *dir = conf_text(o->conf, "data_dir");
    struct stat st;

    if (stat(dir, &st) == -1) {
        if (errno == ENOENT)
            return err_set(
                err, "data_dir %s does not exist; make it with: signpost -f %s setup",
                dir, o->conf_path);
        return err_sys(err, "data_dir %s", dir);
    }
    if (!S_ISDIR(st.st_mode))
        return err_set(err, "data_dir %s is not a directory", dir);
    if (access(dir, W_OK | X_OK) == -1)
        return err_set(
            err, "data_dir %s cannot be written by %s (%s); remedy: chown -R %s %s", dir,
            surroundings_user(), strerror(errno), surroundings_user(), dir);
    return 0;
}

/* Passwords in clear are refused unless the configuration says that this is wanted. */
int check_tls(const struct parent_options *o, struct err *err)
{
    const struct conf *c = o->conf;
    const char *chain = conf_text(c, "tls_chain");
    const char *key = conf_text(c, "tls_key");
    bool has_files = conf_is_set(c, "tls_chain") || access(chain, F_OK) == 0;
    enum conf_service service;
    struct ipaddr addr;
    struct tlsctx *tls;
    uint16_t port;

    if (has_files) {
        tls = tlsctx_new_server(chain, key, err);
        if (tls == NULL)
            return err_wrap(err, "tls_chain, tls_key");
        tlsctx_free(&tls);
        return 0;
    }
    for (size_t i = 0; conf_listen(c, i, &service, &addr, &port); i++) {
        bool is_tls_only = service == CONF_SUBMISSIONS || service == CONF_IMAPS;
        bool has_login = service == CONF_SUBMISSION || service == CONF_IMAP;

        if (is_tls_only || (has_login && !conf_bool(c, "allow_cleartext_login")))
            return err_set(err,
                           "listen %s needs a certificate and there is no %s: signpost "
                           "setup makes a first one%s",
                           conf_service_name(service), chain,
                           has_login ? ", or allow_cleartext_login yes" : "");
    }
    return 0;
}

/* For the sockets of the daemons and of signpost; gone after each boot where it lies in
 * memory, so it is made when missing. */
int check_run_dir(const struct parent_options *o, struct err *err)
{
    const char *dir = conf_text(o->conf, "run_dir");

    if (mkdir(dir, 0755) == -1 && errno != EEXIST)
        return err_sys(err, "run_dir %s", dir);
    if (access(dir, W_OK | X_OK) == -1)
        return err_set(err, "run_dir %s cannot be written by %s (%s)", dir,
                       surroundings_user(), strerror(errno));
    return 0;
}

static bool is_alive(int lock_fd)
{
    char text[32];
    ssize_t n = pread(lock_fd, text, sizeof(text) - 1, 0);
    long pid;

    text[n > 0 ? n : 0] = '\0';
    pid = strtol(text, NULL, 10);
    return pid > 0 && pid <= INT32_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* True when it is ours. While the parent that had it lives there is no point in waiting. */
static bool take_lock(int fd)
{
    const struct timespec pause = {0, LOCK_TRY_MS * 1000000L};

    for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) == -1;) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || is_alive(fd) || waited_ms >= LOCK_WAIT_MS)
            return false;
        (void)nanosleep(&pause, NULL);
        waited_ms += LOCK_TRY_MS;
    }
    return true;
}

int lock_data_dir(const struct parent_options *o, int *fd, struct err *err)
{
    char *path = conf_path(o->conf, "maild.lock");
    int rc = -1;

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (*fd == -1)
        (void)err_sys(err, "%s", path);
    else if (!take_lock(*fd))
        (void)err_set(err, "another maild is running on %s",
                      conf_text(o->conf, "data_dir"));
    else if (ftruncate(*fd, 0) == -1 || dprintf(*fd, "%ld\n", (long)getpid()) < 0)
        (void)err_sys(err, "%s", path);
    else
        rc = 0;
    if (rc != 0 && *fd != -1) {
        (void)close(*fd);
        *fd = -1;
    }
    free(path);
    return rc;
}
