/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_host.c - `signpost host`: machines, their roles, addresses and services.
 *
 * add and set share their options; each option alters the row, the row is stored, and the zone
 * that holds the host's name is generated and linted before the commit. The other zones follow
 * when the builder hears of the change: it keeps the last good one of any that would break. */
#include <string.h>

#include "zones/change.h"
#include "zones/cli/cli.h"
#include "zones/cli/table.h"
#include "zones/host.h"

static const struct {
    const char *name;
    enum host_role role;
} roles[] = {{"mail", HOST_MAIL}, {"ns", HOST_NS}, {"backup", HOST_BACKUP}};

/* ---- options ---- */

/* "mail,ns" sets, "+ns" adds, "-ns" takes away. */
static enum cli_exit apply_role(const char *text, struct host_row *h)
{
    char sign = text[0] == '+' || text[0] == '-' ? text[0] : '=';
    struct span rest = span_str(sign == '=' ? text : text + 1), one;
    unsigned bits = 0;

    while (rest.n > 0) {
        bool is_known = false;

        span_cut(rest, ',', &one, &rest);
        for (size_t i = 0; i < COUNT_OF(roles); i++) {
            if (span_eq_str(one, roles[i].name)) {
                bits |= roles[i].role;
                is_known = true;
            }
        }
        if (!is_known)
            return cli_say(CLI_FAULT,
                           "--role %s: roles are mail, ns and backup; +ns adds "
                           "one, -ns takes it away",
                           text);
    }
    h->roles = sign == '+' ? h->roles | bits : sign == '-' ? h->roles & ~bits : bits;
    return CLI_OK;
}

/* All --address together are the new list. */
static enum cli_exit apply_addresses(const struct cli_args *a, struct host_row *h)
{
    if (!cli_has(a, "--address"))
        return CLI_OK;
    h->n_addr = 0;
    for (size_t i = 0; cli_nth(a, "--address", i) != NULL; i++) {
        const char *text = cli_nth(a, "--address", i);

        if (strcmp(text, "none") == 0)
            continue;
        if (h->n_addr == HOST_ADDRESSES_MAX)
            return cli_say(CLI_FAULT, "a host has at most %d addresses",
                           HOST_ADDRESSES_MAX);
        if (!ipaddr_parse(span_str(text), &h->addr[h->n_addr]))
            return cli_say(CLI_FAULT, "--address %s: not an IPv4 or IPv6 address", text);
        h->n_addr++;
    }
    return CLI_OK;
}

/* "imaps=993", "imap=off" */
static enum cli_exit apply_service(const char *text, struct host_row *h)
{
    struct span name, value;
    enum host_service s;
    uint64_t port = 0;

    if (!span_cut(span_str(text), '=', &name, &value) || !host_service_parse(name, &s) ||
        (!span_eq_str(value, "off") &&
         (!span_to_u64(value, UINT16_MAX, &port) || port == 0)))
        return cli_say(CLI_FAULT,
                       "--service %s: write NAME=PORT or NAME=off with a name of "
                       "submission submissions imap imaps pop3 pop3s sieve",
                       text);
    h->port[s] = (uint16_t)port;
    return CLI_OK;
}

static enum cli_exit apply_options(const struct cli_args *a, struct host_row *h)
{
    enum cli_exit rc = apply_addresses(a, h);

    for (size_t i = 0; rc == CLI_OK && cli_nth(a, "--role", i) != NULL; i++)
        rc = apply_role(cli_nth(a, "--role", i), h);
    for (size_t i = 0; rc == CLI_OK && cli_nth(a, "--service", i) != NULL; i++)
        rc = apply_service(cli_nth(a, "--service", i), h);
    return rc;
}

static enum cli_exit host_name(const char *text, char name[DOMAINDB_NAME_MAX + 1])
{
    if (cli_name(text, name) == -1)
        return CLI_FAULT;
    if (strchr(name, '.') == NULL || strpbrk(name, "_*") != NULL)
        return cli_say(CLI_FAULT,
                       "\"%s\" is not a full host name, as mail.example.com is", name);
    return CLI_OK;
}

/* ---- add, set ---- */

/* Store inside the open change, look at the zone that holds the name, commit or roll back. */
static enum cli_exit store(struct cli *c, struct host_row *h, bool is_new,
                           const char *what)
{
    struct err err = {0};
    int64_t serial = 0;
    enum domaindb_result r =
        is_new ? host_insert(c->db, h, &err) : host_update(c->db, h, &err);
    enum cli_exit rc;

    if (r == DOMAINDB_OK)
        r = cli_check_zone_of(c, h->name, &err);
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        return cli_result(r, h->name, &err);
    }
    rc = cli_commit(c, &serial);
    if (rc == CLI_OK && serial == 0)
        cli_note(c, "nothing to change");
    else if (rc == CLI_OK)
        cli_note(c, "host %s %s, change %lld", h->name, what, (long long)serial);
    return rc;
}

static enum cli_exit run_add(struct cli *c, const struct cli_args *a)
{
    struct host_row h = {.id = 0};
    enum cli_exit rc = host_name(a->word[0], h.name);

    if (rc == CLI_OK)
        rc = apply_options(a, &h);
    if (rc != CLI_OK)
        return rc;
    if (h.roles == 0)
        return cli_say(CLI_FAULT, "say what the host is for: --role mail, --role ns, or "
                                  "--role backup");
    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    return store(c, &h, true, "added");
}

/* Inside the change, so that another `set` at the same time is not undone. */
static enum cli_exit find_host(struct cli *c, const char *text, struct host_row *h)
{
    char name[DOMAINDB_NAME_MAX + 1];
    const struct host_row *found;
    struct host_set set;
    struct err err = {0};

    if (cli_name(text, name) == -1)
        return CLI_FAULT;
    if (host_set_load(c->db, &set, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    found = host_set_find(&set, span_str(name));
    if (found != NULL)
        *h = *found;
    host_set_free(&set);
    return found != NULL
               ? CLI_OK
               : cli_say(CLI_NO, "host %s is not known; see: signpost host list", name);
}

static enum cli_exit run_set(struct cli *c, const struct cli_args *a)
{
    struct host_row h = {0};
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    rc = find_host(c, a->word[0], &h);
    if (rc == CLI_OK)
        rc = apply_options(a, &h);
    if (rc == CLI_OK)
        return store(c, &h, false, "changed");
    change_rollback(c->db);
    return rc;
}

static enum cli_exit run_remove(struct cli *c, const struct cli_args *a)
{
    struct host_row h = {0};
    struct err err = {0};
    enum domaindb_result r;
    enum cli_exit rc;

    if (!cli_confirmed(a, "removes the host and its records from all zones"))
        return CLI_NO;
    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    rc = find_host(c, a->word[0], &h);
    if (rc == CLI_OK) {
        r = host_delete(c->db, h.id, &err);
        if (r == DOMAINDB_REFUSED)
            (void)err_wrap(&err, "host %s is in use", h.name);
        if (r == DOMAINDB_OK)
            r = cli_check_zone_of(c, h.name, &err);
        rc = cli_result(r, h.name, &err);
    }
    if (rc != CLI_OK) {
        change_rollback(c->db);
        return rc;
    }
    rc = cli_commit(c, NULL);
    if (rc == CLI_OK)
        cli_note(c, "host %s removed", h.name);
    return rc;
}

/* ---- list ---- */

static const struct column list_columns[] = {
    {"host", "HOST", COLUMN_TEXT},
    {"roles", "ROLES", COLUMN_TEXT},
    {"addresses", "ADDRESSES", COLUMN_TEXT},
    {"services", "SERVICES", COLUMN_TEXT},
};

static void append(char *to, size_t cap, const char *fmt, const char *text, unsigned n)
{
    size_t at = strlen(to);

    if (at + 1 < cap)
        (void)snprintf(to + at, cap - at, "%s%s", at == 0 ? "" : " ", text);
    at = strlen(to);
    if (fmt != NULL && at + 1 < cap)
        (void)snprintf(to + at, cap - at, "=%u", n);
}

static void list_one(struct table *t, const struct host_row *h)
{
    char role[32] = "", addr[HOST_ADDRESSES_MAX * IPADDR_TEXT] = "", service[256] = "";

    for (size_t i = 0; i < COUNT_OF(roles); i++)
        if (h->roles & roles[i].role)
            append(role, sizeof(role), NULL, roles[i].name, 0);
    for (size_t i = 0; i < h->n_addr; i++) {
        char ip[IPADDR_TEXT];

        ipaddr_print(&h->addr[i], ip);
        append(addr, sizeof(addr), NULL, ip, 0);
    }
    for (size_t i = 0; i < HOST_SERVICE_COUNT; i++)
        if (h->port[i] != 0)
            append(service, sizeof(service), "=", host_service_name((enum host_service)i),
                   h->port[i]);
    const char *const values[] = {h->name, role, addr[0] ? addr : NULL,
                                  service[0] ? service : NULL};

    table_row(t, values);
}

static enum cli_exit run_list(struct cli *c, const struct cli_args *a)
{
    struct host_set set;
    struct err err = {0};
    struct table *t;

    (void)a;
    if (cli_open(c, 0) == -1)
        return CLI_FAULT;
    if (host_set_load(c->db, &set, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    t = table_begin(list_columns, COUNT_OF(list_columns), c->is_json);
    for (size_t i = 0; i < set.n; i++)
        list_one(t, &set.host[i]);
    (void)table_end(&t, "no hosts yet; make this one with: signpost setup");
    host_set_free(&set);
    return CLI_OK;
}

static const struct cli_option host_options[] = {
    {"--role", "ROLES",
     "mail (receives and sends), ns (name server), backup (second MX); "
     "several with commas; +ns adds one, -ns takes it away"},
    {"--address", "ADDR",
     "public address; all given together replace the old ones; "
     "\"none\" for no address"},
    {"--service", "NAME=PORT",
     "what SRV records offer: submission submissions imap imaps "
     "pop3 pop3s sieve; NAME=off takes one away"},
    {NULL, NULL, NULL},
};
static const struct cli_option remove_options[] = {
    {"--yes", NULL, "really remove"},
    {NULL, NULL, NULL},
};

static const struct cli_command host_commands[] = {
    {"add", "NAME --role ROLES [OPTIONS]",
     "A host that zones refer to. This machine is added by signpost setup.", 1, 1,
     host_options,
     "  signpost host add ns2.example.net --role ns --address 198.51.100.53\n"
     "  signpost host add mx2.example.net --role backup --address 198.51.100.25",
     run_add},
    {"list", "", "All hosts.", 0, 0, NULL, "  signpost host list", run_list},
    {"set", "NAME OPTIONS", "Change roles, addresses or services; all zones follow.", 1,
     1, host_options,
     "  signpost host set mail.example.com --address 192.0.2.26\n"
     "  signpost host set mail.example.com --service imap=off",
     run_set},
    {"remove", "NAME --yes", "Take a host out of all zones.", 1, 1, remove_options,
     "  signpost host remove ns2.example.net --yes", run_remove},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_host = {"host", "hosts: roles, addresses, services",
                                  host_commands};
