/* SPDX-License-Identifier: ISC */
/* base/io/resolver.c - libunbound behind ask and answer.
 *
 * libunbound resolves on a thread of its own and says through a descriptor when answers are
 * there; ub_process() then calls us back on the loop's thread. Time-outs are ours: a query
 * that takes too long is cancelled there and answered here.
 *
 * Its option calls are refused once the first question was asked, and `local-zone` by call
 * has no effect at all, so everything is said in one generated file. The rcode is read from
 * the answer packet: ub_result.rcode does not tell REFUSED from SERVFAIL in all versions. */
#include "base/io/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <unbound.h>

#include "base/core/buf.h"
#include "base/core/list.h"
#include "base/core/mem.h"
#include "base/dns/message.h"
#include "base/dns/rrtype.h"

enum { FILE_MAX = 65536, WARM_UP_MS = 10000 };

struct resolver {
    struct loop *loop;
    struct ub_ctx *ub;
    struct loop_io *io;
    struct list queries;
};

struct resolver_query {
    struct list link;
    struct resolver *r;
    struct loop_timer *timer;
    int async_id; /* libunbound's; 0 once it has answered, or never took the question */
    char *name;
    void (*cb)(void *ctx, const struct resolver_answer *a);
    void *ctx;
};

/* ---- configuration ---- */

static int put_path(struct buf *b, const char *option, const char *path, struct err *err)
{
    if (strpbrk(path, "\"\n") != NULL)
        return err_set(err, "%s: this path cannot be used by the resolver", path);
    if (access(path, R_OK) == -1)
        return err_sys(err, "resolver: read %s", path);
    return buf_printf(b, "    %s: \"%s\"\n", option, path);
}

static int put_word(struct buf *b, const char *before, const char *word,
                    const char *after, struct err *err)
{
    if (word[0] == '\0' || strpbrk(word, "\" \t\r\n#") != NULL)
        return err_set(err, "resolver: \"%s\" is neither a zone nor an address", word);
    return buf_printf(b, "    %s%s%s\n", before, word, after);
}

static int put_file(struct buf *b, const struct resolver_config *cfg, struct err *err)
{
    bool validates = cfg->trust_anchor != NULL;

    if (buf_printf(b,
                   "# Made by the program at each start; changes are lost.\n"
                   "server:\n"
                   "    use-syslog: no\n"
                   "    verbosity: 0\n"
                   "    module-config: \"%siterator\"\n"
                   "    edns-buffer-size: 1232\n"
                   "    qname-minimisation: yes\n"
                   "    cache-max-ttl: 86400\n"
                   "    cache-max-negative-ttl: 900\n"
                   "    do-not-query-localhost: %s\n",
                   validates ? "validator " : "",
                   cfg->do_query_localhost ? "no" : "yes") == -1)
        return err_set(err, "resolver: configuration too long");
    if (cfg->root_hints != NULL && put_path(b, "root-hints", cfg->root_hints, err) == -1)
        return -1;
    if (validates && put_path(b, "trust-anchor-file", cfg->trust_anchor, err) == -1)
        return -1;
    for (size_t i = 0; cfg->nodefault != NULL && cfg->nodefault[i] != NULL; i++)
        if (put_word(b, "local-zone: \"", cfg->nodefault[i], "\" nodefault", err) == -1)
            return -1;
    if (cfg->forward == NULL || cfg->forward[0] == NULL)
        return 0;
    if (buf_str(b, "forward-zone:\n    name: \".\"\n") == -1)
        return err_set(err, "resolver: configuration too long");
    for (size_t i = 0; cfg->forward[i] != NULL; i++)
        if (put_word(b, "forward-addr: ", cfg->forward[i], "", err) == -1)
            return -1;
    return 0;
}

static int write_all(int fd, const char *path, struct span s, struct err *err)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);

        if (n == -1)
            return err_sys(err, "write %s", path);
        s = span_drop(s, (size_t)n);
    }
    return 0;
}

/* For a program without a folder of its own: the text in memory, by the name it has there. */
static int configure_from_memory(struct ub_ctx *ub, struct span text, struct err *err)
{
    char path[64];
    int fd = memfd_create("resolver.conf", MFD_CLOEXEC);
    int rc = -1;

    if (fd == -1)
        return err_sys(err, "resolver: memory file");
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write_all(fd, path, text, err) == 0) {
        rc = ub_ctx_config(ub, path);
        if (rc != 0)
            rc = err_set(err, "resolver: %s", ub_strerror(rc));
    }
    (void)close(fd);
    return rc;
}

/* libunbound reads the file at once, so a second program in the same folder may replace it. */
static int configure_from_file(struct ub_ctx *ub, const char *dir, struct span text,
                               struct err *err)
{
    char path[1024], tmp[1100];
    int fd, rc = -1;

    if ((size_t)snprintf(path, sizeof(path), "%s/resolver.conf", dir) >= sizeof(path))
        return err_set(err, "%s: path too long", dir);
    (void)snprintf(tmp, sizeof(tmp), "%s.%ld", path, (long)getpid());
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd == -1)
        return err_sys(err, "write %s", tmp);
    if (write_all(fd, tmp, text, err) == 0) {
        rc = ub_ctx_config(ub, tmp);
        if (rc != 0)
            rc = err_set(err, "resolver: %s: %s", path, ub_strerror(rc));
    }
    (void)close(fd);
    if (rename(tmp, path) == -1 && rc == 0)
        rc = err_sys(err, "write %s", path);
    return rc;
}

static int configure(struct ub_ctx *ub, const struct resolver_config *cfg,
                     struct err *err)
{
    struct buf text;
    int rc;

    buf_init(&text, FILE_MAX);
    rc = put_file(&text, cfg, err);
    if (rc == 0 && cfg->state_dir != NULL)
        rc = configure_from_file(ub, cfg->state_dir, buf_all(&text), err);
    else if (rc == 0)
        rc = configure_from_memory(ub, buf_all(&text), err);
    buf_free(&text);
    return rc;
}

static void on_ready(void *ctx, unsigned what)
{
    struct resolver *r = ctx;

    (void)what;
    (void)ub_process(r->ub);
}

static void on_first(void *ctx, int failed, struct ub_result *res)
{
    bool *is_answered = ctx;

    (void)failed;
    *is_answered = true;
    ub_resolve_free(res);
}

/* The first question makes libunbound read its files and start its thread. It is asked here,
 * about a name that needs nobody else, so that both have happened when the caller goes on
 * and perhaps gives up files and threads. */
static int warm_up(struct ub_ctx *ub, struct err *err)
{
    struct pollfd wait = {.fd = ub_fd(ub), .events = POLLIN};
    bool is_answered = false;
    sigset_t all, before;
    int rc;

    (void)sigfillset(&all);        /* signals are not for that thread ... */
    (void)sigdelset(&all, SIGSYS); /* ... but the sandbox names what it refuses */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc =
        ub_resolve_async(ub, "localhost", RR_A, RRCLASS_IN, &is_answered, on_first, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    while (rc == 0 && !is_answered && poll(&wait, 1, WARM_UP_MS) == 1)
        rc = ub_process(ub);
    if (rc != 0)
        return err_set(err, "resolver: %s", ub_strerror(rc));
    return is_answered ? 0 : err_set(err, "resolver: libunbound does not answer");
}

struct resolver *resolver_new(struct loop *l, const struct resolver_config *cfg,
                              struct err *err)
{
    struct ub_ctx *ub = ub_ctx_create();
    struct resolver *r;

    if (ub == NULL) {
        (void)err_set(err, "resolver: libunbound does not start");
        return NULL;
    }
    if (configure(ub, cfg, err) == -1 || ub_ctx_async(ub, 1) != 0 ||
        warm_up(ub, err) == -1) {
        ub_ctx_delete(ub);
        return NULL;
    }
    r = mem_new(1, sizeof(*r));
    r->loop = l;
    r->ub = ub;
    list_init(&r->queries);
    r->io = loop_io_new(l, ub_fd(ub), "resolver", on_ready, r);
    loop_io_watch(r->io, LOOP_READ);
    return r;
}

/* ---- questions ---- */

static void query_free(struct resolver_query *q)
{
    list_remove(&q->link);
    loop_timer_free(&q->timer);
    if (q->async_id != 0)
        (void)ub_cancel(q->r->ub, q->async_id);
    free(q->name);
    free(q);
}

void resolver_free(struct resolver **rp)
{
    struct resolver *r = *rp;

    if (r == NULL)
        return;
    *rp = NULL;
    while (!list_is_empty(&r->queries))
        query_free(LIST_ENTRY(r->queries.next, struct resolver_query, link));
    loop_io_free(&r->io);
    ub_ctx_delete(r->ub);
    free(r);
}

static void answer(struct resolver_query *q, const struct resolver_answer *a)
{
    void (*cb)(void *, const struct resolver_answer *) = q->cb;
    void *ctx = q->ctx;
    char *name = q->name; /* may be what a->canonical points at */

    q->name = NULL;
    query_free(q);
    cb(ctx, a);
    free(name);
}

static void on_timeout(void *ctx)
{
    struct resolver_query *q = ctx;
    struct resolver_answer a = {.rcode = -1, .canonical = q->name};

    answer(q, &a);
}

static int packet_rcode(const struct ub_result *res)
{
    struct message m;

    if (res->answer_packet == NULL || res->answer_len <= 0 ||
        !message_open(&m, span_of(res->answer_packet, (size_t)res->answer_len)))
        return res->rcode;
    return (int)message_rcode(&m);
}

/* Names are told without their final dot, as they were asked. */
static const char *bare(const char *name, char *out, size_t cap)
{
    size_t n = strlen(name);

    if (n > 1 && name[n - 1] == '.' && (n == 2 || name[n - 2] != '\\'))
        n--;
    return span_copy(span_of(name, n), out, cap) ? out : name;
}

static void on_answer(void *ctx, int failed, struct ub_result *res)
{
    char canonical[DNAME_TEXT];
    struct resolver_query *q = ctx;
    struct resolver_answer a = {.rcode = -1, .canonical = q->name};

    q->async_id = 0;
    if (failed == 0 && res != NULL) {
        a.rcode = packet_rcode(res);
        a.is_secure = res->secure != 0;
        a.is_bogus = res->bogus != 0;
        a.why_bogus = res->why_bogus;
        a.ttl_s = res->ttl > 0 ? (uint32_t)res->ttl : 0;
        if (res->canonname != NULL)
            a.canonical = bare(res->canonname, canonical, sizeof(canonical));
        for (size_t i = 0; res->havedata && res->data[i] != NULL; i++) {
            if (a.n == RESOLVER_ANSWERS_MAX)
                break;
            if (res->len[i] >= 0)
                a.rdata[a.n++] = span_of(res->data[i], (size_t)res->len[i]);
        }
    }
    answer(q, &a);
    ub_resolve_free(res);
}

struct resolver_query *
resolver_ask(struct resolver *r, const char *name, uint16_t type, int64_t timeout_ms,
             void (*cb)(void *ctx, const struct resolver_answer *a), void *ctx)
{
    struct resolver_query *q = mem_new(1, sizeof(*q));
    int rc;

    q->r = r;
    q->name = mem_strdup(name);
    q->cb = cb;
    q->ctx = ctx;
    q->timer = loop_timer_new(r->loop, "resolver.timeout", on_timeout, q);
    list_add_tail(&r->queries, &q->link);
    rc = ub_resolve_async(r->ub, name, type, RRCLASS_IN, q, on_answer, &q->async_id);
    if (rc != 0)
        q->async_id = 0;
    loop_timer_set(q->timer, rc != 0 ? 0 : timeout_ms);
    return q;
}

void resolver_cancel(struct resolver_query **qp)
{
    struct resolver_query *q = *qp;

    if (q == NULL)
        return;
    *qp = NULL;
    query_free(q);
}
