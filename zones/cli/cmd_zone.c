/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_zone.c - `signpost zone`, `signpost why`: the records of a domain, where each
 * comes from, and what changed.
 *
 * All work on drafts (zones/draft.h), which is what dnsd serves once it has heard of the last
 * commit; a draft of an earlier serial comes from zones/past.h, so a diff is two drafts. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/dns/rdata.h"
#include "base/io/control_client.h"
#include "zones/change.h"
#include "zones/cli/cli.h"
#include "zones/cli/table.h"
#include "zones/lint.h"
#include "zones/past.h"
#include "zones/zonefile.h"

enum { ASK_MS = 10000, LOG_ROWS = 1000 };

/* The draft of a domain: what the name server serves as soon as it has heard of it. */
static enum cli_exit load(struct cli *c, const char *name, struct domain_row *row,
                          struct zone **z)
{
    struct err err = {0};
    enum domaindb_result r;
    struct draft dr;
    enum cli_exit rc;

    *z = NULL;
    if (c->db == NULL && cli_open(c, 0) == -1)
        return CLI_FAULT;
    rc = cli_find_domain(c, name, row);
    if (rc != CLI_OK)
        return rc;
    if (draft_open(&dr, c->db, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    r = draft_zone(&dr, row->id, z, &err);
    draft_close(&dr);
    return cli_result(r, name, &err);
}

/* Owner, type and rdata as text; rdata is the caller's to free. */
static char *rr_text(const struct rrset *set, const struct rr *r, char owner[DNAME_TEXT],
                     const char **type, char room[RRTYPE_TEXT])
{
    struct buf text;
    char *out = NULL;

    buf_init(&text, 4 * RDATA_MAX);
    (void)dname_print_bare(set->owner, owner);
    *type = rrtype_print(set->type, room);
    if (r != NULL && rdata_print(set->type, r->rdata, &text) == 0)
        out = span_dup(buf_all(&text));
    buf_free(&text);
    return out;
}

/* ---- show, export, check ---- */

static const struct column show_columns[] = {
    {"owner", "NAME", COLUMN_TEXT}, {"ttl", "TTL", COLUMN_NUMBER},
    {"type", "TYPE", COLUMN_TEXT},  {"rule", "RULE", COLUMN_TEXT},
    {"rdata", "DATA", COLUMN_TEXT},
};

static void show_set(struct table *t, const struct rrset *set)
{
    char owner[DNAME_TEXT], room[RRTYPE_TEXT], ttl[16];
    const char *type;

    (void)snprintf(ttl, sizeof(ttl), "%u", (unsigned)set->ttl_s);
    for (size_t i = 0; i < set->n; i++) {
        char *rdata = rr_text(set, &set->rr[i], owner, &type, room);
        const char *const values[] = {owner, ttl, type, set->rr[i].rule, rdata};

        table_row(t, values);
        free(rdata);
    }
}

static enum cli_exit run_show(struct cli *c, const struct cli_args *a)
{
    struct domain_row row;
    struct zone *z;
    struct table *t;
    enum cli_exit rc = load(c, a->word[0], &row, &z);

    if (rc != CLI_OK)
        return rc;
    t = table_begin(show_columns, COUNT_OF(show_columns), c->is_json);
    for (size_t i = 0; i < zone_count(z); i++)
        show_set(t, zone_at(z, i));
    (void)table_end(&t, "no records");
    zone_free(&z);
    return CLI_OK;
}

static enum cli_exit run_export(struct cli *c, const struct cli_args *a)
{
    const struct zonefile_style style = {.has_rules = cli_has(a, "--rules")};
    struct domain_row row;
    struct zone *z;
    struct buf out;
    enum cli_exit rc;

    if (c->is_json)
        return cli_say(CLI_FAULT,
                       "a master file is not JSON; see: signpost --json zone show %s",
                       a->word[0]);
    rc = load(c, a->word[0], &row, &z);
    if (rc != CLI_OK)
        return rc;
    buf_init(&out, ZONE_OCTETS_MAX);
    if (zonefile_print(z, &style, &out) == -1)
        rc = cli_say(CLI_FAULT, "the zone is too large to be printed");
    else if (fwrite(out.data, 1, out.len, stdout) != out.len)
        rc = cli_say(CLI_FAULT, "write to standard output failed");
    buf_free(&out);
    zone_free(&z);
    return rc;
}

static const struct column check_columns[] = {
    {"severity", "SEVERITY", COLUMN_TEXT},
    {"id", "ID", COLUMN_TEXT},
    {"seen", "SEEN", COLUMN_TEXT},
    {"fix", "FIX", COLUMN_TEXT},
};

static void check_one(void *ctx, const struct lint_finding *f)
{
    const char *const values[] = {lint_severity_name(f->severity), f->id, f->text,
                                  f->fix};

    table_row(ctx, values);
}

static enum cli_exit run_check(struct cli *c, const struct cli_args *a)
{
    struct domain_row row;
    struct zone *z;
    struct table *t;
    size_t findings;
    enum cli_exit rc = load(c, a->word[0], &row, &z);

    if (rc != CLI_OK)
        return rc;
    t = table_begin(check_columns, COUNT_OF(check_columns), c->is_json);
    (void)lint_zone(z, check_one, t);
    findings = table_end(&t, "nothing found");
    zone_free(&z);
    return findings == 0 ? CLI_OK : CLI_NO;
}

/* ---- log ---- */

static const struct column log_columns[] = {
    {"serial", "CHANGE", COLUMN_NUMBER}, {"at", "WHEN", COLUMN_TEXT},
    {"who", "WHO", COLUMN_TEXT},         {"kind", "WHAT", COLUMN_TEXT},
    {"intent", "INTENT", COLUMN_TEXT},   {"before", NULL, COLUMN_TEXT},
    {"after", NULL, COLUMN_TEXT},
};

static void log_one(void *ctx, const struct change_info *i)
{
    const time_t t = (time_t)i->at_s;
    char serial[24], at[32] = "";
    struct tm tm;

    (void)snprintf(serial, sizeof(serial), "%lld", (long long)i->serial);
    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
    const char *const values[] = {serial,
                                  at,
                                  i->who,
                                  i->kind,
                                  i->intent,
                                  i->before[0] ? i->before : NULL,
                                  i->after[0] ? i->after : NULL};

    table_row(ctx, values);
}

static enum cli_exit run_log(struct cli *c, const struct cli_args *a)
{
    struct domain_row row = {.id = 0};
    struct err err = {0};
    struct table *t;
    enum cli_exit rc = CLI_OK;
    int got;

    if (cli_open(c, 0) == -1)
        return CLI_FAULT;
    if (a->n == 1)
        rc = cli_find_domain(c, a->word[0], &row);
    if (rc != CLI_OK)
        return rc;
    t = table_begin(log_columns, COUNT_OF(log_columns), c->is_json);
    got = change_list(c->db, row.id, LOG_ROWS, log_one, t, &err);
    (void)table_end(&t, "no changes");
    return got == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

/* ---- diff ---- */

/* A change serial, or a SOA serial as dig shows it. */
static enum cli_exit read_serial(const char *text, int64_t base, int64_t last,
                                 int64_t *serial)
{
    uint64_t v;

    if (!span_to_u64(span_str(text), UINT32_MAX, &v))
        return cli_say(CLI_FAULT, "\"%s\" is not a serial", text);
    *serial = base > 0 && (int64_t)v >= base ? (int64_t)v - base : (int64_t)v;
    if (*serial > last)
        return cli_say(CLI_NO, "serial %s is in the future; the last change is %lld",
                       text, (long long)last);
    return CLI_OK;
}

/* The zone after change `serial`; NULL when it did not exist then. */
static enum cli_exit load_past(struct cli *c, const char *name, int64_t serial,
                               struct zone **z)
{
    struct err err = {0};
    struct domain_row row;
    enum domaindb_result r = DOMAINDB_FAULT;
    struct draft dr = {.db = NULL};
    struct domaindb *past = past_open(conf_text(c->conf, "data_dir"), serial, &err);

    *z = NULL;
    if (past != NULL && draft_open(&dr, past, &err) == 0) {
        r = draft_zone_named(&dr, span_str(name), &row, z, &err);
        draft_close(&dr);
    }
    domaindb_close(&past);
    return r == DOMAINDB_NONE ? CLI_OK : cli_result(r, name, &err);
}

static void served_row(void *ctx, struct span json)
{
    json_t *row = json_loadb((const char *)json.p, json.n, 0, NULL);

    if (json_is_integer(json_object_get(row, "serial")))
        *(int64_t *)ctx = (int64_t)json_integer_value(json_object_get(row, "serial"));
    json_decref(row);
}

/* The SOA serial that dnsd answers with. */
static enum cli_exit served_serial(struct cli *c, const char *name, int64_t *serial)
{
    char *path = conf_run_path(c->conf, "dnsd.ctl");
    struct control_answer answer = {.code = ""};
    struct err err = {0};
    char line[DOMAINDB_NAME_MAX + 8];
    struct control_client *client = control_open(path, &err);
    enum cli_exit rc = CLI_FAULT;

    free(path);
    *serial = -1;
    if (client == NULL)
        return cli_say(CLI_FAULT, "%s", err.text);
    (void)snprintf(line, sizeof(line), "zone %s", name);
    switch (control_ask(client, line, ASK_MS, served_row, serial, &answer, &err)) {
    case CONTROL_OK:
        rc = *serial > 0 ? CLI_OK
                         : cli_say(CLI_NO,
                                   "dnsd serves no version of %s yet; see: signpost "
                                   "status, signpost zone check %s",
                                   name, name);
        break;
    case CONTROL_ERROR:
        rc = cli_say(CLI_NO, "dnsd: %s", answer.text);
        break;
    case CONTROL_FAULT:
        rc = cli_say(CLI_FAULT, "%s", err.text);
        break;
    }
    control_close(&client);
    return rc;
}

static const struct column diff_columns[] = {
    {"change", "", COLUMN_TEXT},    {"owner", "NAME", COLUMN_TEXT},
    {"ttl", "TTL", COLUMN_NUMBER},  {"type", "TYPE", COLUMN_TEXT},
    {"rdata", "DATA", COLUMN_TEXT},
};

static void diff_one(void *ctx, enum zone_change what, const struct rrset *set,
                     const struct rr *r)
{
    static const char *const signs[] = {
        [ZONE_REMOVED] = "-", [ZONE_APPEARED] = "+", [ZONE_TTL] = "~"};
    char owner[DNAME_TEXT], room[RRTYPE_TEXT], ttl[16];
    const char *type;
    char *rdata = rr_text(set, r, owner, &type, room);

    (void)snprintf(ttl, sizeof(ttl), "%u", (unsigned)set->ttl_s);
    const char *const values[] = {signs[what], owner, ttl, type, rdata};

    table_row(ctx, values);
    free(rdata);
}

static enum cli_exit diff_serials(struct cli *c, const char *name, int64_t from,
                                  int64_t to)
{
    struct zone *before = NULL, *after = NULL;
    struct table *t;
    enum cli_exit rc = load_past(c, name, from, &before);

    if (rc == CLI_OK)
        rc = load_past(c, name, to, &after);
    if (rc == CLI_OK) {
        t = table_begin(diff_columns, COUNT_OF(diff_columns), c->is_json);
        (void)zone_diff(before, after, diff_one, t);
        (void)table_end(&t, "no difference");
    }
    zone_free(&after);
    zone_free(&before);
    return rc;
}

/* Which two serials: as given, what dnsd serves and now, or the last change of the zone. */
static enum cli_exit choose_serials(struct cli *c, const struct cli_args *a,
                                    const struct domain_row *row, int64_t serials[2])
{
    struct err err = {0};
    int64_t last = change_last(c->db, &err), served;
    enum cli_exit rc = CLI_OK;
    struct draft dr;

    if (last == -1 || draft_open(&dr, c->db, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    serials[0] = row->zone_serial - 1;
    serials[1] = last;
    if (cli_has(a, "--served")) {
        rc = served_serial(c, row->name, &served);
        serials[0] = served - dr.serial_base;
    }
    for (size_t i = 1; i < a->n && rc == CLI_OK; i++)
        rc = read_serial(a->word[i], dr.serial_base, last, &serials[i - 1]);
    draft_close(&dr);
    return rc;
}

static enum cli_exit run_diff(struct cli *c, const struct cli_args *a)
{
    struct domain_row row;
    int64_t serials[2] = {0, 0};
    char name[DOMAINDB_NAME_MAX + 1];
    enum cli_exit rc;

    if (cli_name(a->word[0], name) == -1 || cli_open(c, 0) == -1)
        return CLI_FAULT;
    rc = cli_find_domain(c, name, &row);
    if (rc == CLI_OK)
        rc = choose_serials(c, a, &row, serials);
    return rc == CLI_OK ? diff_serials(c, name, serials[0], serials[1]) : rc;
}

static const struct cli_option export_options[] = {
    {"--rules", NULL, "name the rule behind each record in a comment"},
    {NULL, NULL, NULL},
};
static const struct cli_option diff_options[] = {
    {"--served", NULL, "from what dnsd answers with at this moment"},
    {NULL, NULL, NULL},
};

static const struct cli_command zone_commands[] = {
    {"show", "DOMAIN", "Every record and the rule that made it.", 1, 1, NULL,
     "  signpost zone show example.com", run_show},
    {"export", "DOMAIN [--rules]", "The zone as a master file (RFC 1035 5).", 1, 1,
     export_options, "  signpost zone export example.com > example.com.zone", run_export},
    {"check", "DOMAIN", "What lint finds. Exit code 1 when it finds something.", 1, 1,
     NULL, "  signpost zone check example.com", run_check},
    {"diff", "DOMAIN [FROM [TO]] [--served]",
     "What changed between two serials (of changes or of the SOA); without: by the last "
     "change.",
     1, 3, diff_options,
     "  signpost zone diff example.com\n"
     "  signpost zone diff example.com 2026112207 2026112212\n"
     "  signpost zone diff example.com --served",
     run_diff},
    {"log", "[DOMAIN]", "Who changed what and when, newest first.", 0, 1, NULL,
     "  signpost --json zone log example.com", run_log},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_zone = {"zone", "zones: show, export, check, diff, log",
                                  zone_commands};

/* ---- why ---- */

static const struct column why_columns[] = {
    {"rule", NULL, COLUMN_TEXT}, {"owner", NULL, COLUMN_TEXT},
    {"type", NULL, COLUMN_TEXT}, {"rdata", NULL, COLUMN_TEXT},
    {"why", NULL, COLUMN_TEXT},  {"change", NULL, COLUMN_TEXT},
};

static void why_one(struct cli *c, const struct rrset *set, const struct rr *r)
{
    const struct generate_rule_info *info = generate_rule_find(r->rule);
    char owner[DNAME_TEXT], room[RRTYPE_TEXT];
    const char *type;
    char *rdata = rr_text(set, r, owner, &type, room);
    const char *const values[] = {r->rule,
                                  owner,
                                  type,
                                  rdata,
                                  info == NULL ? NULL : info->why,
                                  info == NULL ? NULL : info->change};

    if (c->is_json) {
        struct table *t = table_begin(why_columns, COUNT_OF(why_columns), true);

        table_row(t, values);
        (void)table_end(&t, "");
    } else {
        cli_note(c, "%s %s %s\n  rule    %s\n  why     %s\n  change  %s", owner, type,
                 rdata == NULL ? "" : rdata, r->rule, info == NULL ? "" : info->why,
                 info == NULL ? "" : info->change);
    }
    free(rdata);
}

static enum cli_exit why_set(struct cli *c, const struct zone *z, const char *name,
                             const char *type_text)
{
    struct dname owner;
    const struct rrset *set;
    uint16_t type;

    if (!rrtype_parse(span_str(type_text), &type))
        return cli_say(CLI_FAULT, "\"%s\" is not a record type", type_text);
    if (dname_parse(span_str(name), NULL, &owner) != DNAME_OK)
        return cli_say(CLI_FAULT, "\"%s\" is not a name", name);
    set = zone_find(z, dname_span(&owner), type);
    if (set == NULL)
        return cli_say(CLI_NO, "%s has no %s record; see: signpost zone show", name,
                       type_text);
    for (size_t i = 0; i < set->n; i++)
        why_one(c, set, &set->rr[i]);
    return CLI_OK;
}

static enum cli_exit run_why(struct cli *c, const struct cli_args *a)
{
    char name[DOMAINDB_NAME_MAX + 1];
    struct domain_row row;
    struct zone *z;
    enum cli_exit rc;

    if (cli_name(a->word[0], name) == -1 || cli_open(c, 0) == -1)
        return CLI_FAULT;
    rc = cli_find_zone(c, name, &row);
    if (rc == CLI_OK)
        rc = load(c, row.name, &row, &z);
    if (rc != CLI_OK)
        return rc;
    rc = why_set(c, z, name, a->word[1]);
    zone_free(&z);
    return rc;
}

static const struct cli_command why_commands[] = {
    {"", "NAME TYPE", "Which rule made a record, why it is there, and what changes it.",
     2, 2, NULL,
     "  signpost why example.com MX\n"
     "  signpost why _dmarc.example.com TXT",
     run_why},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_why = {"why", "why a record is there and what changes it",
                                 why_commands};
