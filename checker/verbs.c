/* SPDX-License-Identifier: ISC */
/* checker/verbs.c - from the command line to facts wanted, run, printed.
 *
 * Every verb has the same shape:
 *
 *     setting_load()   configuration, if any, and from it the resolver to ask
 *     own_open()       domain only: the zone our database publishes, and its selectors
 *     run()            collect_run() with the verb's checks, then report_print()
 *
 * Exit codes come from report_print(); 2 with one line on stderr when nothing ran. */
#include "checker/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf/conf.h"
#include "base/dns/idna.h"
#include "checker/check.h"
#include "checker/collect.h"
#include "zones/draft.h"
#include "zones/keystate.h"

enum { FORWARDERS_MAX = 16 };

static const struct collect_limits limits = {
    .in_flight = 64, .question_ms = 5000, .run_ms = 60000};

/* What a verb works with: the configuration if there is one, and the resolver's. */
struct setting {
    struct conf *conf;
    const char *forward[FORWARDERS_MAX + 1];
    const char *nodefault[FORWARDERS_MAX + 1];
    struct resolver_config resolver;
    bool is_private_reachable;
};

static const char *const *take_list(const struct conf *c, const char *key,
                                    const char **list)
{
    size_t n = conf_count(c, key);

    for (size_t i = 0; i < n && i < FORWARDERS_MAX; i++)
        list[i] = conf_nth(c, key, i);
    return n > 0 ? list : NULL;
}

static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static int setting_load(struct setting *s, const struct verb_options *o, struct err *err)
{
    *s = (struct setting){0};
    if (o->conf_path != NULL) {
        s->conf = conf_load(o->conf_path, err);
        if (s->conf == NULL)
            return -1;
        s->resolver.root_hints = text_or_null(conf_text(s->conf, "resolver_root_hints"));
        s->resolver.trust_anchor =
            text_or_null(conf_text(s->conf, "resolver_trust_anchor"));
        s->resolver.forward = take_list(s->conf, "resolver_forward", s->forward);
        s->resolver.nodefault = take_list(s->conf, "resolver_nodefault", s->nodefault);
        s->resolver.do_query_localhost = conf_bool(s->conf, "resolver_localhost");
        s->is_private_reachable = conf_bool(s->conf, "loopback_is_stranger");
    }
    if (o->resolver != NULL) {
        s->forward[0] = o->resolver;
        s->forward[1] = NULL;
        s->resolver.forward = s->forward;
        s->resolver.do_query_localhost = true;
    }
    return 0;
}

static int complain(const struct err *err)
{
    fprintf(stderr, "checker: %s\n", err->text);
    return 2;
}

/* Run the checks, print, and give the exit code. */
static int run(const struct setting *s, const struct verb_options *o, const char *title,
               check_fn check, void *ctx)
{
    struct findings out;
    struct err err = {0};
    int rc;

    findings_init(&out);
    if (collect_run(&s->resolver, &limits, check, ctx, &out, &err) == -1)
        rc = complain(&err);
    else
        rc = report_print(stdout, title, &out, &o->report);
    findings_free(&out);
    return rc;
}

/* Our own view of the domain, when a database is at hand and hosts it. */
struct own {
    struct domaindb *db;
    struct draft draft;
    bool is_draft_open;
    struct zone *zone;
    struct check_target *target;
    char selector[CHECK_SELECTORS_MAX][KEYSTATE_SELECTOR_MAX + 1];
};

static void own_close(struct own *own)
{
    zone_free(&own->zone);
    if (own->is_draft_open)
        draft_close(&own->draft);
    domaindb_close(&own->db);
}

static void take_selector(void *ctx, const struct dkim_key_row *row)
{
    struct own *own = ctx;
    size_t n = own->target->n_selectors;

    if (!keystate_is_published(row->state) || n == CHECK_SELECTORS_MAX)
        return;
    (void)snprintf(own->selector[n], sizeof(own->selector[n]), "%s", row->selector);
    own->target->selector[n] = own->selector[n];
    own->target->n_selectors++;
}

static int own_open(struct own *own, const struct setting *s, struct check_target *t,
                    struct err *err)
{
    struct domain_row row;
    enum domaindb_result r;

    own->target = t;
    own->db = domaindb_open(conf_text(s->conf, "data_dir"), NULL, 0, err);
    if (own->db == NULL || draft_open(&own->draft, own->db, err) == -1)
        return -1;
    own->is_draft_open = true;
    r = draft_zone_named(&own->draft, span_str(t->domain), &row, &own->zone, err);
    if (r == DOMAINDB_NONE)
        return 0;
    if (r != DOMAINDB_OK)
        return -1;
    t->zone = own->zone;
    return dkim_key_each(own->db, row.id, take_selector, own, err);
}

int verb_domain(const struct verb_options *o, char **args, int n)
{
    struct setting s;
    struct own own = {0};
    struct check_target t = {.n_selectors = o->n_selectors};
    struct err err = {0};
    char name[256];
    int rc;

    (void)n;
    memcpy(t.selector, o->selector, sizeof(t.selector));
    if (setting_load(&s, o, &err) == -1 ||
        idna_to_ascii(span_str(args[0]), name, &err) == -1) {
        rc = complain(&err);
        goto out;
    }
    t.domain = name;
    t.is_private_reachable = s.is_private_reachable;
    if (s.conf != NULL && own_open(&own, &s, &t, &err) == -1) {
        rc = complain(&err);
        goto out;
    }
    rc = run(&s, o, name, check_domain, &t);
out:
    own_close(&own);
    conf_free(&s.conf);
    return rc;
}

int verb_rdns(const struct verb_options *o, char **args, int n)
{
    struct setting s;
    struct check_host h = {0};
    struct err err = {0};
    char name[256];
    int rc;

    (void)n;
    if (setting_load(&s, o, &err) == -1) {
        rc = complain(&err);
        goto out;
    }
    if (!ipaddr_parse(span_str(args[0]), &h.addr)) {
        if (idna_to_ascii(span_str(args[0]), name, &err) == -1) {
            rc = complain(&err);
            goto out;
        }
        h.name = name;
    }
    rc = run(&s, o, args[0], check_rdns, &h);
out:
    conf_free(&s.conf);
    return rc;
}

int verb_blocklist(const struct verb_options *o, char **args, int n)
{
    struct setting s;
    struct check_listed c = {.lists = o->list, .n_lists = o->n_lists};
    struct err err = {0};
    char name[256];
    int rc;

    (void)n;
    if (setting_load(&s, o, &err) == -1) {
        rc = complain(&err);
        goto out;
    }
    if (!ipaddr_parse(span_str(args[0]), &c.addr)) {
        if (idna_to_ascii(span_str(args[0]), name, &err) == -1) {
            rc = complain(&err);
            goto out;
        }
        c.domain = name;
    }
    rc = run(&s, o, args[0], check_blocklist, &c);
out:
    conf_free(&s.conf);
    return rc;
}
