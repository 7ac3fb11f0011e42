/* SPDX-License-Identifier: ISC */
/* maild/given.c - ports, certificate and socket files of the parent.
 *
 * A port is known by its line in the configuration. A reload keeps the descriptors of lines
 * that are in both, so no client of those notices; a changed line is a new port. All that can
 * fail comes before anything is given up. */
#include "maild/given.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/core/mem.h"
#include "base/io/control.h"
#include "base/io/listen.h"
#include "base/io/notify.h"
#include "base/io/tlsctx.h"

#define LISTEN_MAX 1000 /* as many `listen` lines as a configuration may have */

struct ports {
    struct {
        int fd;
        const char *text; /* "smtp 192.0.2.1:25", of the conf */
    } at[LISTEN_MAX];
    size_t n;
};

struct given {
    const struct conf *conf;
    struct ports ports;
    int tls_fd, control_fd, notify_fd;
    char *control_path, *notify_path;
};

/* The descriptor of this port, or -1. */
static int port_find(const struct ports *p, const char *text)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->at[i].text, text) == 0)
            return p->at[i].fd;
    return -1;
}

/* Close what `keep` has not. */
static void ports_close(struct ports *p, const struct ports *keep)
{
    for (size_t i = 0; i < p->n; i++)
        if (keep == NULL || port_find(keep, p->at[i].text) == -1)
            (void)close(p->at[i].fd);
    p->n = 0;
}

/* The ports of `c`: those of `old` as they are, the others opened. */
static int ports_open(struct ports *p, const struct ports *old, const struct conf *c,
                      struct err *err)
{
    enum conf_service service;
    struct ipaddr addr;
    uint16_t port;

    p->n = 0;
    for (size_t i = 0; conf_listen(c, i, &service, &addr, &port); i++) {
        const char *text = conf_nth(c, "listen", i);
        int fd;

        if (service == CONF_DNS || p->n == LISTEN_MAX)
            continue;
        fd = port_find(old, text);
        if (fd == -1)
            fd = listen_open(conf_service_name(service), &addr, port, err);
        if (fd == -1) {
            ports_close(p, old);
            return -1;
        }
        p->at[p->n].fd = fd;
        p->at[p->n++].text = text;
    }
    return 0;
}

/* Without files there is no TLS; the parent has judged before whether that may be. */
static int read_tls(const struct conf *c, int *fd, struct err *err)
{
    const char *chain = conf_text(c, "tls_chain");
    struct buf pem;
    int rc;

    *fd = -1;
    if (!conf_is_set(c, "tls_chain") && access(chain, F_OK) == -1)
        return 0;
    buf_init(&pem, TLSCTX_PEM_MAX + 2);
    rc = tlsctx_read(chain, conf_text(c, "tls_key"), &pem, err);
    if (rc == 0)
        *fd = bag_memory("tls", buf_all(&pem), err);
    if (pem.len > 0)
        OPENSSL_cleanse(pem.data, pem.len);
    buf_free(&pem);
    return rc == 0 && *fd != -1 ? 0 : -1;
}

static int open_sockets(struct given *g, struct err *err)
{
    char *dir = conf_run_path(g->conf, "notify");

    g->control_path = conf_run_path(g->conf, "maild.ctl");
    g->notify_path = conf_run_path(g->conf, "notify/maild");
    g->control_fd = control_listen(g->control_path, err);
    if (g->control_fd != -1)
        g->notify_fd = notify_open(dir, "maild", err);
    free(dir);
    return g->notify_fd == -1 ? -1 : 0;
}

struct given *given_open(const struct conf *c, struct err *err)
{
    static const struct ports none;
    struct given *g = mem_new(1, sizeof(*g));

    g->conf = c;
    g->tls_fd = g->control_fd = g->notify_fd = -1;
    if (ports_open(&g->ports, &none, c, err) == -1 ||
        read_tls(c, &g->tls_fd, err) == -1 || open_sockets(g, err) == -1)
        given_close(&g);
    return g;
}

/* A socket file and its path; the file is ours only when it was opened. */
static void close_socket(int fd, char *path)
{
    if (fd != -1) {
        (void)close(fd);
        (void)unlink(path);
    }
    free(path);
}

void given_close(struct given **gp)
{
    struct given *g = *gp;

    if (g == NULL)
        return;
    *gp = NULL;
    ports_close(&g->ports, NULL);
    if (g->tls_fd != -1)
        (void)close(g->tls_fd);
    close_socket(g->control_fd, g->control_path);
    close_socket(g->notify_fd, g->notify_path);
    free(g);
}

static int add(struct bag *bag, const char *name, const char *text, int fd,
               struct err *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy == -1)
        return err_sys(err, "hand over %s %s", name, text);
    bag_add(bag, name, span_str(text), copy);
    return 0;
}

int given_fill(const struct given *g, enum role r, struct bag *bag, struct err *err)
{
    if (r == ROLE_QUEUE)
        return add(bag, "control", g->control_path, g->control_fd, err);
    if (r == ROLE_SIGNER)
        return add(bag, "notify", g->notify_path, g->notify_fd, err);
    if (r != ROLE_EDGE)
        return 0;
    for (size_t i = 0; i < g->ports.n; i++)
        if (add(bag, "listen", g->ports.at[i].text, g->ports.at[i].fd, err) == -1)
            return -1;
    return g->tls_fd == -1 ? 0 : add(bag, "tls", "", g->tls_fd, err);
}

int given_reload(struct given *g, const struct conf *c, struct err *err)
{
    struct ports fresh;
    int fd;

    if (read_tls(c, &fd, err) == -1)
        return -1;
    if (fd == -1 && g->tls_fd != -1)
        return err_set(err, "certificate %s: it is gone", conf_text(c, "tls_chain"));
    if (ports_open(&fresh, &g->ports, c, err) == -1) {
        if (fd != -1)
            (void)close(fd);
        return -1;
    }
    ports_close(&g->ports, &fresh);
    g->ports = fresh;
    if (g->tls_fd != -1)
        (void)close(g->tls_fd);
    g->tls_fd = fd;
    g->conf = c;
    return 0;
}

int given_tls(const struct given *g)
{
    return g->tls_fd;
}
