/* SPDX-License-Identifier: ISC */
/* tests/unit/dnsd/builder_world.h - the builder on a real database, with serve played: it notes
 * what it is sent and confirms it. */
#ifndef TESTS_UNIT_DNSD_BUILDER_WORLD_H
#define TESTS_UNIT_DNSD_BUILDER_WORLD_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/dns/dname.h"
#include "base/dns/rrtype.h"
#include "base/io/ipc.h"
#include "dnsd/builder.h"
#include "dnsd/ipc_msgs.h"
#include "dnsd/zonetab.h"
#include "zones/change.h"
#include "zones/domain.h"
#include "zones/host.h"
#include "zones/record.h"

#define NOW 1795000000

/* What serve has of a zone. */
struct served {
    char name[DNAME_TEXT];
    uint32_t soa_serial, crc;
    bool is_withheld;
};

struct world {
    char dir[64];
    struct domaindb *db;
    int64_t host_id;
    struct rng rng;
    struct loop *loop;
    struct log log;
    struct conf *conf;
    struct dnsd_env env;
    struct builder *builder;
    struct ipc *serve; /* played */
    struct served zones[64];
    size_t n;
    unsigned images; /* that came */
    unsigned images_at_loaded;
    bool is_loaded;
};

static inline void path_in(const struct world *w, const char *rest, char path[160])
{
    (void)snprintf(path, 160, "%s/%s", w->dir, rest);
}

static inline struct served *served(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->zones[i].name, name) == 0)
            return &w->zones[i];
    return NULL;
}

static inline struct served *served_new(struct world *w, struct span apex)
{
    char name[DNAME_TEXT];
    struct served *z;

    name[dname_print_bare(apex, name)] = '\0';
    z = served(w, name);
    if (z != NULL)
        return z;
    assert_true(w->n < COUNT_OF(w->zones));
    z = &w->zones[w->n++];
    *z = (struct served){.is_withheld = false};
    (void)snprintf(z->name, sizeof(z->name), "%s", name);
    return z;
}

static inline void take_images(struct world *w, const struct d_images *m, int fd)
{
    uint8_t *map = mmap(NULL, (size_t)m->octets, PROT_READ, MAP_SHARED, fd, 0);
    size_t at = 0;

    assert_true(map != MAP_FAILED);
    for (uint32_t i = 0; i < m->count; i++) {
        struct image_header h;
        struct zone_live *live;
        struct served *z;
        struct err err = {0};

        memcpy(&h, map + at, sizeof(h));
        live = zone_live_new(span_of(map + at, h.size), &err);
        if (live == NULL)
            fail_msg("%s", err.text);
        z = served_new(w, live->apex);
        z->soa_serial = h.soa_serial;
        z->crc = h.crc;
        z->is_withheld = false;
        free(live);
        at += h.size;
        w->images++;
    }
    assert_int_equal(at, m->octets);
    (void)munmap(map, (size_t)m->octets);
    (void)close(fd);
}

static inline uint32_t take_names(struct world *w, struct span names, bool is_removal)
{
    struct rd r;
    uint32_t n = 0;

    rd_init(&r, names);
    for (; rd_left(&r) > 0; n++) {
        struct span apex = rd_span16(&r);
        bool is_new = true;
        struct served *z;
        size_t had = w->n;

        assert_false(r.is_bad);
        z = served_new(w, apex);
        is_new = w->n > had;
        if (is_removal)
            *z = w->zones[--w->n];
        else if (is_new)
            z->is_withheld = true;
    }
    return n;
}

static inline void play_serve(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct world *w = ctx;
    struct d_published done = {.zones = (uint32_t)w->n};
    struct d_images images;
    struct d_removed names;
    struct buf out;
    struct wr wr;

    buf_init(&out, 64);
    wr_init(&wr, &out);
    if (in->type == DIPC_LOADED) {
        w->is_loaded = true;
        w->images_at_loaded = w->images;
        d_serving_encode(&(struct d_serving){1}, &wr);
        assert_int_equal(ipc_reply(ch, in->call, DIPC_SERVING, buf_all(&out), -1), 0);
        buf_free(&out);
        return;
    }
    if (in->type == DIPC_IMAGES) {
        assert_true(d_images_decode(in->payload, &images));
        take_images(w, &images, in->fd);
        done.count = images.count;
    } else {
        assert_true(d_removed_decode(in->payload, &names));
        done.count = take_names(w, names.names, in->type == DIPC_REMOVED);
    }
    d_published_encode(&done, &wr);
    assert_int_equal(ipc_reply(ch, in->call, DIPC_PUBLISHED, buf_all(&out), -1), 0);
    buf_free(&out);
}

static inline void serve_closed(void *ctx, struct ipc *ch)
{
    (void)ctx;
    (void)ch;
}

#define UNTIL(w, cond)                                                                   \
    do {                                                                                 \
        int turn_ = 0;                                                                   \
        for (; turn_ < 5000 && !(cond); turn_++)                                         \
            loop_turn((w)->loop, 2);                                                     \
        assert_true(cond);                                                               \
    } while (0)

static inline bool is_idle(struct world *w)
{
    struct builder_status s;
    struct err err = {0};

    builder_status(w->builder, &s);
    return s.is_ready && s.left == 0 && s.in_flight == 0 &&
           s.serial == change_last(w->db, &err);
}

/* A serve that knows no zone takes the place of whoever was there. */
static inline void serve_comes(struct world *w)
{
    static const struct ipc_handlers handlers = {.message = play_serve,
                                                 .closed = serve_closed};
    struct err err = {0};
    int fds[2];

    w->n = w->images = w->images_at_loaded = 0;
    w->is_loaded = false;
    assert_int_equal(ipc_pair(fds, &err), 0);
    w->serve =
        ipc_new(w->loop, fds[1], &dnsd_ipc_table, DNSD_SERVE, DNSD_BUILDER, &handlers, w);
    builder_plug(w->builder, DNSD_SERVE, fds[0]);
}

/* A life of the builder, until nothing is left to be done. */
static inline void life_begin(struct world *w)
{
    struct err err = {0};

    w->builder = builder_start(&w->env, &err);
    if (w->builder == NULL)
        fail_msg("%s", err.text);
    serve_comes(w);
}

static inline void life_end(struct world *w)
{
    builder_stop(&w->builder); /* writes what it was given to keep */
    ipc_free(&w->serve);
}

static inline void live(struct world *w)
{
    life_begin(w);
    UNTIL(w, is_idle(w));
    life_end(w);
}

static inline void begin(struct world *w)
{
    const struct change_intent i = {"test", "test", NOW};
    struct err err = {0};

    if (change_begin(w->db, &i, &err) != 0)
        fail_msg("%s", err.text);
}

static inline int64_t commit(struct world *w)
{
    int64_t serial;
    struct err err = {0};

    if (change_commit(w->db, &serial, &err) != 0)
        fail_msg("%s", err.text);
    return serial;
}

static inline int64_t add_domain(struct world *w, const char *name)
{
    struct domain_row row = {
        .host_id = w->host_id, .mx_preference = 10, .created_s = NOW};
    struct err err = {0};

    (void)snprintf(row.name, sizeof(row.name), "%s", name);
    begin(w);
    if (domain_insert(w->db, &row, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    (void)commit(w);
    return row.id;
}

static inline void remove_domain(struct world *w, int64_t id)
{
    struct err err = {0};

    begin(w);
    if (domain_delete(w->db, id, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    (void)commit(w);
}

/* Straight into the database, past the checks of `signpost record add`. Its serial. */
static inline int64_t add_record(struct world *w, int64_t domain, const char *owner,
                                 uint16_t type, const char *rdata)
{
    struct record_row row = {.domain_id = domain, .type = type, .rdata = rdata};
    struct err err = {0};

    (void)snprintf(row.owner, sizeof(row.owner), "%s", owner);
    begin(w);
    if (record_insert(w->db, &row, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    return commit(w);
}

static inline void open_database(struct world *w, unsigned more)
{
    struct err err = {0};

    w->db = domaindb_open(w->dir, NULL, DOMAINDB_WRITE | more, &err);
    if (w->db == NULL)
        fail_msg("%s", err.text);
}

static inline void make_host(struct world *w)
{
    struct host_row host = {.name = "mx.ours.test", .roles = HOST_MAIL | HOST_NS};
    struct err err = {0};

    assert_true(ipaddr_parse(SPAN_LIT("192.0.2.1"), &host.addr[0]));
    host.n_addr = 1;
    begin(w);
    if (host_insert(w->db, &host, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    w->host_id = host.id;
    (void)commit(w);
}

static inline int world_setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));
    struct err err = {0};
    char text[256];
    char path[160];

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/signpost-images-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_database(w, DOMAINDB_CREATE);
    make_host(w);
    rng_seeded_init(&w->rng, 1);
    path_in(w, "log", path);
    log_init(&w->log, open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600), "test",
             clock_system());
    w->loop = loop_new(&w->log, clock_system());
    (void)snprintf(text, sizeof(text),
                   "hostname mx.ours.test\naddress 192.0.2.1\nlisten dns "
                   "127.0.0.1:5300\ndata_dir %s\nrun_dir %s/run\n",
                   w->dir, w->dir);
    path_in(w, "run", path);
    assert_int_equal(mkdir(path, 0700), 0);
    w->conf = conf_parse("test", span_str(text), &err);
    if (w->conf == NULL)
        fail_msg("%s", err.text);
    w->env = (struct dnsd_env){.loop = w->loop,
                               .log = &w->log,
                               .clock = clock_system(),
                               .rng = &w->rng,
                               .conf = w->conf,
                               .data_dir = w->dir};
    *state = w;
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    char command[128];

    domaindb_close(&w->db);
    loop_free(&w->loop);
    conf_free(&w->conf);
    (void)close(w->log.fd);
    (void)snprintf(command, sizeof(command), "rm -r %s", w->dir);
    if (system(command) != 0)
        return -1;
    free(w);
    return 0;
}

/* Does the log say so? Forgets what it said. */
static inline bool log_said(struct world *w, const char *what)
{
    static char text[65536];
    ssize_t n = pread(w->log.fd, text, sizeof(text) - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(ftruncate(w->log.fd, 0), 0);
    return strstr(text, what) != NULL;
}

#endif
