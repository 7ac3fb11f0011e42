/* SPDX-License-Identifier: ISC */
#include "dnsd/given.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/control.h"
#include "base/io/notify.h"
#include "dnsd/sockets.h"

enum { THREADS_MAX = 256 };

struct dnsgiven {
    unsigned threads;
    int *udp, *tcp; /* [address * threads + thread] */
    size_t n_sockets;
    int control_fd, notify_fd;
    char *control_path, *notify_path;
};

static unsigned count_threads(const struct conf *c)
{
    long n = conf_int(c, "dns_threads");

    if (n == 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (n > THREADS_MAX ? THREADS_MAX : (unsigned)n);
}

/* One pair of sockets for each thread; all share the port. */
static int open_address(struct dnsgiven *g, const struct ipaddr *addr, uint16_t port,
                        struct err *err)
{
    if (sockets_check_free(addr, port, err) != 0)
        return -1;
    g->udp = mem_resize(g->udp, g->n_sockets + g->threads, sizeof(int));
    g->tcp = mem_resize(g->tcp, g->n_sockets + g->threads, sizeof(int));
    for (unsigned i = 0; i < g->threads; i++) {
        int udp = sockets_open_udp(addr, port, err);
        int tcp = udp != -1 ? sockets_open_tcp(addr, port, err) : -1;

        if (tcp == -1) {
            if (udp != -1)
                (void)close(udp);
            return -1;
        }
        g->udp[g->n_sockets] = udp;
        g->tcp[g->n_sockets++] = tcp;
    }
    return 0;
}

static int open_ports(struct dnsgiven *g, const struct conf *c, const struct log *log,
                      struct err *err)
{
    enum conf_service service;
    struct ipaddr addr;
    uint16_t port;

    for (size_t i = 0; conf_listen(c, i, &service, &addr, &port); i++) {
        char text[IPADDR_TEXT] = "*";

        if (service != CONF_DNS)
            continue;
        if (open_address(g, &addr, port, err) != 0)
            return -1;
        if (addr.family != 0)
            ipaddr_print(&addr, text);
        log_event(log, LOG_LISTEN, LOGF_S("service", "dns"), LOGF_S("address", text),
                  LOGF_N("port", port), LOGF_N("threads", g->threads));
    }
    return g->n_sockets > 0
               ? 0
               : err_set(err, "no `listen dns ADDRESS:PORT` in the configuration");
}

static int open_files(struct dnsgiven *g, const struct conf *c, struct err *err)
{
    char *dir = conf_run_path(c, "notify");

    g->control_path = conf_run_path(c, "dnsd.ctl");
    g->notify_path = conf_run_path(c, "notify/dnsd");
    g->control_fd = control_listen(g->control_path, err);
    if (g->control_fd != -1)
        g->notify_fd = notify_open(dir, "dnsd", err);
    free(dir);
    return g->notify_fd != -1 ? 0 : -1;
}

struct dnsgiven *dnsgiven_open(const struct conf *c, const struct log *log,
                               struct err *err)
{
    struct dnsgiven *g = mem_new(1, sizeof(*g));

    g->threads = count_threads(c);
    g->control_fd = g->notify_fd = -1;
    /* The control socket first: it tells best that another dnsd runs. */
    if (open_files(g, c, err) != 0 || open_ports(g, c, log, err) != 0)
        dnsgiven_close(&g);
    return g;
}

/* The file is ours only when it was opened. */
static void close_file(int fd, char *path)
{
    if (fd != -1) {
        (void)close(fd);
        (void)unlink(path);
    }
    free(path);
}

void dnsgiven_close(struct dnsgiven **gp)
{
    struct dnsgiven *g = *gp;

    if (g == NULL)
        return;
    *gp = NULL;
    for (size_t i = 0; i < g->n_sockets; i++) {
        (void)close(g->udp[i]);
        (void)close(g->tcp[i]);
    }
    close_file(g->control_fd, g->control_path);
    close_file(g->notify_fd, g->notify_path);
    free(g->udp);
    free(g->tcp);
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

int dnsgiven_fill(const struct dnsgiven *g, enum dnsd_role r, struct bag *bag,
                  struct err *err)
{
    char number[16];

    if (r == DNSD_BUILDER)
        return add(bag, "control", g->control_path, g->control_fd, err) == 0
                   ? add(bag, "notify", g->notify_path, g->notify_fd, err)
                   : -1;
    if (r != DNSD_SERVE)
        return 0;
    (void)snprintf(number, sizeof(number), "%u", g->threads);
    bag_add(bag, "threads", span_str(number), -1);
    for (size_t i = 0; i < g->n_sockets; i++)
        if (add(bag, "udp", "", g->udp[i], err) != 0 ||
            add(bag, "tcp", "", g->tcp[i], err) != 0)
            return -1;
    return 0;
}
