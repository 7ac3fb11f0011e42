/* SPDX-License-Identifier: ISC */
/* Design: one table row per request; a handler sends rows and ends the request, at once or,
 * for counters, when serve has answered. What a row says comes from the builder; here it is
 * only put into JSON. */
#include "dnsd/control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/core/mem.h"
#include "base/dns/dname.h"
#include "base/io/control.h"

struct dnsctl {
    const struct dnsd_env *env;
    struct control *control;
    struct builder *builder;
    int64_t started_us;
};

struct verb {
    const char *name;
    bool has_argument;
    void (*run)(struct dnsctl *c, struct control_req *req, struct span argument);
    const char *help;
};

/* Send and release one row. */
static int row(struct control_req *req, json_t *value)
{
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    int rc = -1;

    if (text != NULL)
        rc = control_row(req, span_str(text));
    free(text);
    json_decref(value);
    return rc;
}

static void do_status(struct dnsctl *c, struct control_req *req, struct span argument)
{
    struct builder_status s;
    int64_t up_us = clock_mono_us(c->env->clock) - c->started_us;

    (void)argument;
    builder_status(c->builder, &s);
    (void)row(req,
              json_pack("{s:s,s:I,s:I,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:s}", "program",
                        "dnsd", "pid", (json_int_t)getpid(), "uptime_s",
                        (json_int_t)(up_us / 1000000), "ready", s.is_ready, "zones",
                        (json_int_t)s.zones, "served", (json_int_t)s.served, "faulty",
                        (json_int_t)s.faulty, "waiting", (json_int_t)s.left, "change",
                        (json_int_t)s.serial, "octets", (json_int_t)s.octets,
                        "empty_refused", s.is_empty_refused, "fault", s.fault));
    control_ok(req);
}

static json_t *zone_json(struct span name, const struct zone_status *z)
{
    return json_pack("{s:s%,s:I,s:I,s:I,s:I,s:s}", "zone", name.p, name.n, "serial",
                     (json_int_t)z->soa_serial, "records", (json_int_t)z->records,
                     "octets", (json_int_t)z->octets, "published_s",
                     (json_int_t)z->published_s, "fault",
                     z->fault != NULL ? z->fault : "");
}

static int cmp_name(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static void do_zones(struct dnsctl *c, struct control_req *req, struct span argument)
{
    const struct zone_status *z;
    struct span *names = NULL;
    size_t cursor = 0;
    size_t n = 0;
    size_t cap = 0;
    struct span name;

    (void)argument;
    while (zonestat_next(builder_zones(c->builder), &cursor, &name, &z)) {
        if (n == cap) {
            cap = cap == 0 ? 64 : cap * 2;
            names = mem_resize(names, cap, sizeof(names[0]));
        }
        names[n++] = name;
    }
    if (n > 0)
        qsort(names, n, sizeof(names[0]), cmp_name);
    for (size_t i = 0; i < n; i++)
        if (row(req, zone_json(names[i],
                               zonestat_get(builder_zones(c->builder), names[i]))) != 0)
            break;
    free(names);
    control_ok(req);
}

static void do_zone(struct dnsctl *c, struct control_req *req, struct span argument)
{
    const struct zone_status *z = NULL;
    struct dname name;
    char text[DNAME_TEXT];

    if (dname_parse(argument, NULL, &name) == DNAME_OK) {
        size_t n;

        dname_lower(&name);
        n = dname_print_bare(dname_span(&name), text);
        z = zonestat_get(builder_zones(c->builder), span_of(text, n));
        if (z != NULL)
            (void)row(req, zone_json(span_of(text, n), z));
    }
    if (z != NULL)
        control_ok(req);
    else
        control_error(req, "not-found", "no zone %.*s here", SPAN_ARG(argument));
}

static void on_stats(void *ctx, struct span json)
{
    struct control_req *req = ctx;

    if (json.n == 0) {
        control_error(req, "fault", "the serving part does not answer");
        return;
    }
    (void)!control_row(req, json);
    control_ok(req);
}

static void do_stats(struct dnsctl *c, struct control_req *req, struct span argument)
{
    (void)argument;
    builder_ask_stats(c->builder, on_stats, req);
}

static void do_reload(struct dnsctl *c, struct control_req *req, struct span argument)
{
    (void)argument;
    builder_poke(c->builder);
    control_ok(req);
}

static void do_confirm(struct dnsctl *c, struct control_req *req, struct span argument)
{
    (void)argument;
    builder_confirm_empty(c->builder);
    control_ok(req);
}

static void do_help(struct dnsctl *c, struct control_req *req, struct span argument);

static const struct verb verbs[] = {
    {"status", false, do_status, "one row: zones, faults, newest change, memory"},
    {"zones", false, do_zones, "one row a zone: serial, records, when published, fault"},
    {"zone", true, do_zone, "zone NAME: that zone's row"},
    {"stats", false, do_stats, "counters of all answering threads"},
    {"reload", false, do_reload, "look at the database now"},
    {"confirm", false, do_confirm, "believe that the database has no zone any more"},
    {"help", false, do_help, "this list"},
};

static void do_help(struct dnsctl *c, struct control_req *req, struct span argument)
{
    (void)c;
    (void)argument;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        (void)row(
            req, json_pack("{s:s,s:s}", "request", verbs[i].name, "does", verbs[i].help));
    control_ok(req);
}

static void on_request(void *ctx, struct control_req *req, struct span line)
{
    struct dnsctl *c = ctx;
    struct span word;
    struct span argument = line;

    if (!span_word(&argument, &word))
        word = span_of(NULL, 0);
    argument = span_trim(argument);
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (!span_eq_str(word, verbs[i].name))
            continue;
        if (verbs[i].has_argument != (argument.n > 0))
            control_error(req, "usage", "%s %s", verbs[i].name,
                          verbs[i].has_argument ? "needs a name" : "takes no argument");
        else
            verbs[i].run(c, req, argument);
        return;
    }
    control_error(req, "usage", "unknown request \"%.*s\"; try help", SPAN_ARG(word));
}

struct dnsctl *dnsctl_start(const struct dnsd_env *env, struct builder *b, int fd)
{
    struct dnsctl *c = mem_new(1, sizeof(*c));

    c->env = env;
    c->builder = b;
    c->started_us = clock_mono_us(env->clock);
    c->control = control_adopt(env->loop, fd, on_request, c);
    return c;
}

void dnsctl_stop(struct dnsctl **c)
{
    if (*c == NULL)
        return;
    control_free(&(*c)->control);
    free(*c);
    *c = NULL;
}
