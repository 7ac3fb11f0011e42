/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_domain.c - `signpost domain`: add, list, show, set, remove.
 *
 * Adding: keys are made first (RSA takes its time), their private halves are committed to
 * keys.db, then one transaction writes the domain. What a failure in between leaves behind is
 * an orphan in keys.db, swept later. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/dns/idna.h"
#include "zones/account.h"
#include "zones/change.h"
#include "zones/cli/cli.h"
#include "zones/cli/domain_policy.h"
#include "zones/cli/table.h"
#include "zones/dkimkeys.h"
#include "zones/lint.h"

/* ---- add ---- */

struct fresh_keys {
    struct dkim_key_row row[2];
    struct buf pem[2];
};

static void drop_keys(struct fresh_keys *k)
{
    for (size_t i = 0; i < COUNT_OF(k->pem); i++) {
        if (k->pem[i].data != NULL)
            OPENSSL_cleanse(k->pem[i].data, k->pem[i].cap);
        buf_free(&k->pem[i]);
    }
}

/* Both key pairs, stored in keys.db. */
static int make_keys(struct cli *c, struct fresh_keys *k, struct err *err)
{
    static const enum key_algorithm kinds[] = {KEY_RSA2048, KEY_ED25519};

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (dkimkeys_generate(kinds[i], clock_wall_s(c->clock), c->rng, &k->row[i],
                              &k->pem[i], err) == -1 ||
            dkimkeys_put(c->db, &k->row[i], buf_all(&k->pem[i]), err) == -1)
            return -1;
        k->row[i].state = KEYSTATE_ACTIVE; /* see zones/keystate.h */
    }
    return 0;
}

static enum cli_exit default_host(struct cli *c, struct domain_row *row)
{
    struct host_set set;
    struct err err = {0};
    bool has_ns = false;

    if (host_set_load(c->db, &set, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    row->host_id = 0;
    for (size_t i = 0; i < set.n; i++) {
        if (row->host_id == 0 && (set.host[i].roles & HOST_MAIL))
            row->host_id = set.host[i].id;
        has_ns |= (set.host[i].roles & HOST_NS) != 0;
    }
    host_set_free(&set);
    if (row->host_id == 0)
        return cli_say(CLI_NO, "there is no mail host yet that a domain could mail "
                               "through; make one with: signpost setup");
    if (!has_ns)
        return cli_say(CLI_NO,
                       "no host has the role ns, so nobody would serve the domain; "
                       "give it with: signpost host set NAME --role +ns");
    return CLI_OK;
}

static enum domaindb_result insert_all(struct cli *c, struct domain_row *row,
                                       struct fresh_keys *k, struct err *err)
{
    enum domaindb_result r = domain_insert(c->db, row, err);

    for (size_t i = 0; i < COUNT_OF(k->row) && r == DOMAINDB_OK; i++) {
        k->row[i].domain_id = row->id;
        r = dkim_key_insert(c->db, &k->row[i], err);
    }
    if (r == DOMAINDB_OK)
        r = cli_check_zone(c, row, err);
    /* The zone above delegates to this one from now on: custom records of its own at or below
     * the new name would be hidden. */
    if (r == DOMAINDB_OK)
        r = cli_check_zone_of(c, strchr(row->name, '.') + 1, err);
    if (r == DOMAINDB_REFUSED)
        (void)err_wrap(err, "domain %s cannot be published", row->name);
    return r;
}

/* What is left to be done so that the world finds the zone. */
static void say_delegation(struct cli *c, const struct domain_row *row)
{
    struct span rest = span_str(row->name), head;
    struct host_set set;
    struct err err;

    while (span_cut(rest, '.', &head, &rest)) {
        if (domain_is_ours(c->db, rest, &err) == 1) {
            cli_note(
                c, "  nothing at the registrar: %.*s is hosted here and delegates to it",
                SPAN_ARG(rest));
            return;
        }
    }
    if (host_set_load(c->db, &set, &err) == -1)
        return;
    cli_note(c, "  at the registrar, name these servers for %s:", row->name);
    for (size_t i = 0; i < set.n; i++) {
        const struct host_row *h = &set.host[i];
        char ips[HOST_ADDRESSES_MAX * IPADDR_TEXT] = "";

        if ((h->roles & HOST_NS) == 0)
            continue;
        for (size_t j = 0; j < h->n_addr; j++) {
            size_t at = strlen(ips);

            ips[at] = ' ';
            ipaddr_print(&h->addr[j], ips + at + 1);
        }
        cli_note(c, "      %s %s", h->name, ips);
    }
    host_set_free(&set);
}

static void say_added(struct cli *c, const struct domain_row *row, int64_t serial)
{
    char unicode[IDNA_DISPLAY_MAX + 1];
    bool is_idn;

    if (c->is_json) {
        (void)printf("{\"domain\":\"%s\",\"serial\":%lld}\n", row->name,
                     (long long)serial);
        return;
    }
    idna_to_display(row->name, unicode);
    is_idn = strcmp(unicode, row->name) != 0;
    cli_note(c, "domain %s added%s%s%s, change %lld; its zone is published now\n",
             row->name, is_idn ? " (" : "", is_idn ? unicode : "", is_idn ? ")" : "",
             (long long)serial);
    cli_note(c, "next:");
    say_delegation(c, row);
    cli_note(c, "  signpost account add someone@%s", row->name);
    domain_policy_say_consent(c, row);
}

static enum cli_exit add_prepared(struct cli *c, struct domain_row *row)
{
    struct fresh_keys keys = {.row = {{.id = 0}}};
    struct err err = {0};
    enum domaindb_result r;
    int64_t serial = 0;
    enum cli_exit rc = CLI_FAULT;

    for (size_t i = 0; i < COUNT_OF(keys.pem); i++)
        buf_init(&keys.pem[i], DKIMKEYS_PEM_MAX);
    if (make_keys(c, &keys, &err) == -1) {
        (void)cli_say(CLI_FAULT, "%s", err.text);
        goto out;
    }
    if (cli_begin(c) == -1)
        goto out;
    r = insert_all(c, row, &keys, &err);
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        rc = cli_result(r, row->name, &err);
        goto out;
    }
    rc = cli_commit(c, &serial);
    if (rc == CLI_OK)
        say_added(c, row, serial);
out:
    drop_keys(&keys);
    return rc;
}

/* A domain name for mail: letters, digits, hyphens, at least two labels. */
static enum cli_exit mail_name(const char *text, char name[DOMAINDB_NAME_MAX + 1])
{
    if (cli_name(text, name) == -1)
        return CLI_FAULT;
    if (strchr(name, '.') == NULL)
        return cli_say(CLI_FAULT,
                       "\"%s\" is a single label; a mail domain has at least "
                       "two, as in example.com",
                       name);
    if (strpbrk(name, "_*") != NULL)
        return cli_say(CLI_FAULT,
                       "\"%s\" cannot be a mail domain: only letters, digits "
                       "and hyphens (RFC 5321 4.1.2)",
                       name);
    return CLI_OK;
}

static enum cli_exit run_add(struct cli *c, const struct cli_args *a)
{
    struct domain_row row = {.mx_preference = 10}, old;
    struct err err = {0};
    enum cli_exit rc = mail_name(a->word[0], row.name);

    if (rc != CLI_OK)
        return rc;
    if (cli_open(c, DOMAINDB_WRITE | DOMAINDB_KEYS) == -1)
        return CLI_FAULT;
    /* Asked again inside the transaction; here it saves making keys for nothing. */
    if (domain_find(c->db, span_str(row.name), &old, &err) == DOMAINDB_OK)
        return cli_say(CLI_NO,
                       "domain %s is hosted here already; see: signpost domain "
                       "show %s",
                       row.name, row.name);
    row.created_s = clock_wall_s(c->clock);
    if (strlen(row.name) + strlen("postmaster@") <= DOMAINDB_ADDRESS_MAX)
        (void)snprintf(row.rua, sizeof(row.rua), "postmaster@%s", row.name);
    rc = default_host(c, &row);
    if (rc == CLI_OK)
        rc = domain_policy_apply(c, a, &row);
    return rc == CLI_OK ? add_prepared(c, &row) : rc;
}

/* ---- list, show ---- */

static const struct column list_columns[] = {
    {"domain", "DOMAIN", COLUMN_TEXT},
    {"host", "MAIL HOST", COLUMN_TEXT},
    {"spf", "SPF", COLUMN_TEXT},
    {"dmarc", "DMARC", COLUMN_TEXT},
    {"soa_serial", "SERIAL", COLUMN_NUMBER},
    {"is_settled", NULL, COLUMN_BOOL},
    {"unicode", NULL, COLUMN_TEXT},
};

struct listing {
    struct table *table;
    const struct host_set *hosts;
    int64_t base;
};

static void list_one(void *ctx, const struct domain_row *row)
{
    struct listing *l = ctx;
    const struct host_row *h = host_set_by_id(l->hosts, row->host_id);
    char unicode[IDNA_DISPLAY_MAX + 1], serial[16];

    idna_to_display(row->name, unicode);
    (void)snprintf(serial, sizeof(serial), "%u",
                   (unsigned)change_soa_serial(l->base, row->zone_serial));
    const char *const values[] = {row->name,
                                  h == NULL ? NULL : h->name,
                                  row->spf == DOMAIN_SPF_HARD ? "-all" : "~all",
                                  domain_policy_dmarc(row->dmarc),
                                  serial,
                                  row->is_settled ? "yes" : "no",
                                  unicode};

    table_row(l->table, values);
}

static enum cli_exit run_list(struct cli *c, const struct cli_args *a)
{
    struct err err = {0};
    struct listing l;
    struct draft dr;
    int rc;

    (void)a;
    if (cli_open(c, 0) == -1)
        return CLI_FAULT;
    if (draft_open(&dr, c->db, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    l.hosts = &dr.hosts;
    l.base = dr.serial_base;
    l.table = table_begin(list_columns, COUNT_OF(list_columns), c->is_json);
    rc = domain_each(c->db, list_one, &l, &err);
    (void)table_end(&l.table, "no domains yet; add one with: signpost domain add NAME");
    draft_close(&dr);
    return rc == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

static void count_one(void *ctx, const struct account_row *row)
{
    (void)row;
    ++*(size_t *)ctx;
}

static void print_finding(void *ctx, const struct lint_finding *f)
{
    (void)ctx;
    (void)printf("  %-8s %s: %s\n           %s\n", lint_severity_name(f->severity), f->id,
                 f->text, f->fix);
}

static const struct column show_columns[] = {
    {"domain", "domain", COLUMN_TEXT},
    {"unicode", "name", COLUMN_TEXT},
    {"host", "mail host", COLUMN_TEXT},
    {"mx_preference", "MX preference", COLUMN_NUMBER},
    {"spf", "SPF", COLUMN_TEXT},
    {"spf_extra", "SPF extra", COLUMN_TEXT},
    {"dmarc", "DMARC", COLUMN_TEXT},
    {"reports", "reports to", COLUMN_TEXT},
    {"has_apex_address", "apex address", COLUMN_BOOL},
    {"accounts", "accounts", COLUMN_NUMBER},
    {"records", "records", COLUMN_NUMBER},
    {"soa_serial", "SOA serial", COLUMN_NUMBER},
    {"is_settled", "long TTLs", COLUMN_BOOL},
};

static void print_domain(struct cli *c, const struct draft *dr,
                         const struct domain_row *row, const struct zone *z,
                         size_t accounts)
{
    const struct host_row *h = host_set_by_id(&dr->hosts, row->host_id);
    char unicode[IDNA_DISPLAY_MAX + 1], n[4][24];

    idna_to_display(row->name, unicode);
    (void)snprintf(n[0], sizeof(n[0]), "%d", row->mx_preference);
    (void)snprintf(n[1], sizeof(n[1]), "%zu", accounts);
    (void)snprintf(n[2], sizeof(n[2]), "%zu", zone_records(z));
    (void)snprintf(n[3], sizeof(n[3]), "%u", (unsigned)zone_serial(z));
    const char *const values[] = {
        row->name,
        unicode,
        h == NULL ? NULL : h->name,
        n[0],
        row->spf == DOMAIN_SPF_HARD ? "-all" : "~all",
        row->spf_extra[0] == '\0' ? NULL : row->spf_extra,
        domain_policy_dmarc(row->dmarc),
        row->rua[0] == '\0' ? NULL : row->rua,
        row->has_apex_address ? "yes" : "no",
        n[1],
        n[2],
        n[3],
        row->is_settled ? "yes" : "no",
    };

    if (c->is_json) {
        struct table *t = table_begin(show_columns, COUNT_OF(show_columns), true);

        table_row(t, values);
        (void)table_end(&t, "");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(show_columns); i++)
        if (values[i] != NULL && (i != 1 || strcmp(unicode, row->name) != 0))
            cli_note(c, "%-14s %s", show_columns[i].title, values[i]);
}

static enum cli_exit run_show(struct cli *c, const struct cli_args *a)
{
    struct domain_row row;
    struct err err = {0};
    struct zone *z = NULL;
    struct draft dr;
    size_t accounts = 0;
    enum cli_exit rc;

    if (cli_open(c, 0) == -1)
        return CLI_FAULT;
    rc = cli_find_domain(c, a->word[0], &row);
    if (rc != CLI_OK)
        return rc;
    if (draft_open(&dr, c->db, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    if (draft_zone(&dr, row.id, &z, &err) != DOMAINDB_OK ||
        account_each(c->db, row.id, count_one, &accounts, &err) == -1) {
        rc = cli_say(CLI_NO, "%s", err.text);
        goto out;
    }
    print_domain(c, &dr, &row, z, accounts);
    if (!c->is_json) {
        (void)putchar('\n');
        if (lint_zone(z, print_finding, NULL) > 0)
            rc = CLI_NO;
        cli_note(c, "\nrecords: signpost zone show %s", row.name);
    }
out:
    zone_free(&z);
    draft_close(&dr);
    return rc;
}

/* ---- set, remove ---- */

static enum cli_exit run_set(struct cli *c, const struct cli_args *a)
{
    struct domain_row row;
    struct err err = {0};
    enum domaindb_result r;
    int64_t serial = 0;
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    /* Inside the change, so that another `set` at the same time is not undone. */
    rc = cli_find_domain(c, a->word[0], &row);
    if (rc == CLI_OK)
        rc = domain_policy_apply(c, a, &row);
    if (rc == CLI_OK) {
        r = domain_update(c->db, &row, &err);
        if (r == DOMAINDB_OK)
            r = cli_check_zone(c, &row, &err);
        rc = cli_result(r, row.name, &err);
    }
    if (rc != CLI_OK) {
        change_rollback(c->db);
        return rc;
    }
    rc = cli_commit(c, &serial);
    if (rc != CLI_OK)
        return rc;
    if (serial == 0) {
        cli_note(c, "nothing to change");
        return CLI_OK;
    }
    cli_note(c, "domain %s changed, change %lld", row.name, (long long)serial);
    if (cli_has(a, "--reports"))
        domain_policy_say_consent(c, &row);
    return CLI_OK;
}

static enum cli_exit run_remove(struct cli *c, const struct cli_args *a)
{
    struct domain_row row;
    struct err err = {0};
    enum domaindb_result r;
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE | DOMAINDB_SECRETS | DOMAINDB_KEYS) == -1)
        return CLI_FAULT;
    rc = cli_find_domain(c, a->word[0], &row);
    if (rc != CLI_OK)
        return rc;
    if (!cli_confirmed(a,
                       "removes the domain with its accounts, aliases, records and keys"))
        return CLI_NO;
    if (cli_begin(c) == -1)
        return CLI_FAULT;
    r = domain_delete(c->db, row.id, &err);
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        return cli_result(r, row.name, &err);
    }
    rc = cli_commit(c, NULL);
    if (rc != CLI_OK)
        return rc;
    if (domaindb_sweep(c->db, clock_wall_s(c->clock), &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    cli_note(c,
             "domain %s removed; its mail is still below %s/mail. Take our name servers "
             "out at the registrar, or the domain stays delegated to nobody.",
             row.name, conf_text(c->conf, "data_dir"));
    return CLI_OK;
}

static const struct cli_option remove_options[] = {
    {"--yes", NULL, "really remove"},
    {NULL, NULL, NULL},
};

static const struct cli_command domain_commands[] = {
    {"add", "NAME [OPTIONS]",
     "Host a domain: makes DKIM keys and publishes every record that mail needs.", 1, 1,
     domain_policy_options,
     "  signpost domain add example.com\n"
     "  signpost domain add example.org --dmarc reject --spf hard",
     run_add},
    {"list", "", "All domains.", 0, 0, NULL, "  signpost --json domain list", run_list},
    {"show", "NAME", "One domain, and what lint finds in its zone.", 1, 1, NULL,
     "  signpost domain show example.com", run_show},
    {"set", "NAME OPTIONS", "Change policy or mail host of a domain.", 1, 1,
     domain_policy_options,
     "  signpost domain set example.com --spf hard --dmarc quarantine\n"
     "  signpost domain set example.com --spf-extra \"include:relay.example\"",
     run_set},
    {"remove", "NAME --yes", "Stop hosting a domain. Mail on disk stays.", 1, 1,
     remove_options, "  signpost domain remove example.com --yes", run_remove},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_domain = {"domain", "domains: add, list, show, set, remove",
                                    domain_commands};
