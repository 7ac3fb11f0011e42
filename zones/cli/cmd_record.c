/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_record.c - `signpost record`: what the owner adds to a generated zone.
 *
 * What is typed is parsed to wire form and printed again before it is stored, so that one
 * record has one text and nothing unparsable ever reaches the generator. Names are absolute
 * (with or without final dot) and may hold U-labels. */
#include <stdlib.h>
#include <string.h>

#include "base/dns/idna.h"
#include "base/dns/rdata.h"
#include "zones/change.h"
#include "zones/cli/cli.h"
#include "zones/cli/table.h"
#include "zones/record.h"

enum { TTL_MAX = INT32_MAX };

/* ---- reading a record from the command line ---- */

static bool has_high_octet(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return true;
    return false;
}

/* Shells take quotes away, so words of a TXT record are the text itself, joined by blanks;
 * text that still begins with a quote is master-file form. */
static int txt_to_wire(const struct cli_args *a, size_t first, struct buf *wire,
                       struct err *err)
{
    struct buf text;
    int rc = 0;

    buf_init(&text, RECORD_RDATA_MAX);
    for (size_t i = first; i < a->n && rc == 0; i++)
        rc = buf_printf(&text, "%s%s", i == first ? "" : " ", a->word[i]);
    if (rc == -1)
        (void)err_set(err, "the text is longer than %d octets", RECORD_RDATA_MAX);
    else if (text.len > 0 && text.data[0] == '"')
        rc = rdata_parse(RR_TXT, buf_all(&text), NULL, wire, err);
    else
        rc = rdata_put_txt(wire, buf_all(&text));
    buf_free(&text);
    return rc;
}

static int words_to_wire(uint16_t type, const struct cli_args *a, size_t first,
                         struct buf *wire, struct err *err)
{
    struct buf text;
    int rc = 0;

    buf_init(&text, RECORD_RDATA_MAX);
    for (size_t i = first; i < a->n && rc == 0; i++) {
        char ascii[IDNA_NAME_MAX + 1];
        const char *word = a->word[i];

        if (has_high_octet(word)) {
            rc = idna_to_ascii(span_str(word), ascii, err);
            word = ascii;
        }
        if (rc == 0 && buf_printf(&text, "%s%s", i == first ? "" : " ", word) == -1)
            rc = err_set(err, "the data is longer than %d octets", RECORD_RDATA_MAX);
    }
    if (rc == 0)
        rc = rdata_parse(type, buf_all(&text), NULL, wire, err);
    buf_free(&text);
    return rc;
}

/* Canonical text of words[first...] in a heap string, or NULL with *err. */
static char *read_rdata(uint16_t type, const struct cli_args *a, size_t first,
                        struct err *err)
{
    struct buf wire, text;
    char *out = NULL;

    buf_init(&wire, RDATA_MAX);
    buf_init(&text, RECORD_RDATA_MAX);
    if ((type == RR_TXT ? txt_to_wire(a, first, &wire, err)
                        : words_to_wire(type, a, first, &wire, err)) == 0) {
        if (rdata_print(type, buf_all(&wire), &text) == 0)
            out = span_dup(buf_all(&text));
        else
            (void)err_set(err, "the data is longer than %d octets", RECORD_RDATA_MAX);
    }
    buf_free(&text);
    buf_free(&wire);
    return out;
}

static enum cli_exit read_key(const struct cli_args *a, struct record_row *row)
{
    if (cli_name(a->word[0], row->owner) == -1)
        return CLI_FAULT;
    if (!rrtype_parse(span_str(a->word[1]), &row->type))
        return cli_say(CLI_FAULT,
                       "\"%s\" is not a record type, as A, AAAA, MX, TXT, CNAME, "
                       "SRV or TYPE65280 are",
                       a->word[1]);
    return CLI_OK;
}

static enum cli_exit read_ttl(const struct cli_args *a, struct record_row *row)
{
    uint64_t ttl = 0;

    if (cli_has(a, "--ttl") &&
        (!span_to_u64(span_str(cli_value(a, "--ttl")), TTL_MAX, &ttl) || ttl == 0))
        return cli_say(CLI_FAULT, "--ttl %s: seconds, from 1 to %d",
                       cli_value(a, "--ttl"), TTL_MAX);
    row->ttl_s = (uint32_t)ttl;
    return CLI_OK;
}

/* ---- add ---- */

static enum domaindb_result check_and_insert(struct cli *c,
                                             const struct domain_row *domain,
                                             struct record_row *row, struct err *err)
{
    enum domaindb_result r;
    struct draft dr;

    if (draft_open(&dr, c->db, err) == -1)
        return DOMAINDB_FAULT;
    r = draft_check_record(&dr, domain, row, err);
    draft_close(&dr);
    return r == DOMAINDB_OK ? record_insert(c->db, row, err) : r;
}

static enum cli_exit add_record(struct cli *c, struct record_row *row)
{
    struct domain_row domain;
    struct err err = {0};
    char type[RRTYPE_TEXT];
    enum domaindb_result r;
    int64_t serial = 0;
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    rc = cli_find_zone(c, row->owner, &domain);
    if (rc == CLI_OK) {
        row->domain_id = domain.id;
        r = check_and_insert(c, &domain, row, &err);
        rc = cli_result(r, row->owner, &err);
    }
    if (rc != CLI_OK) {
        change_rollback(c->db);
        return rc;
    }
    rc = cli_commit(c, &serial);
    if (rc != CLI_OK)
        return rc;
    cli_note(c, "%s %s added to %s, change %lld", row->owner,
             rrtype_print(row->type, type), domain.name, (long long)serial);
    if (row->type == RR_A || row->type == RR_AAAA)
        cli_note(c,
                 "a name with an address and no mail is locked against use in mail; see: "
                 "signpost why %s MX",
                 row->owner);
    return CLI_OK;
}

static enum cli_exit run_add(struct cli *c, const struct cli_args *a)
{
    struct record_row row = {.id = 0};
    struct err err = {0};
    char *rdata;
    enum cli_exit rc = read_key(a, &row);

    if (rc == CLI_OK)
        rc = read_ttl(a, &row);
    if (rc != CLI_OK)
        return rc;
    rdata = read_rdata(row.type, a, 2, &err);
    if (rdata == NULL)
        return cli_say(CLI_FAULT, "%s %s: %s", row.owner, a->word[1], err.text);
    row.rdata = rdata;
    rc = add_record(c, &row);
    free(rdata);
    return rc;
}

/* ---- list ---- */

static const struct column list_columns[] = {
    {"id", "ID", COLUMN_NUMBER},    {"owner", "NAME", COLUMN_TEXT},
    {"ttl", "TTL", COLUMN_NUMBER},  {"type", "TYPE", COLUMN_TEXT},
    {"rdata", "DATA", COLUMN_TEXT},
};

static void list_one(void *ctx, const struct record_row *row)
{
    char id[24], ttl[16], type[RRTYPE_TEXT];

    (void)snprintf(id, sizeof(id), "%lld", (long long)row->id);
    (void)snprintf(ttl, sizeof(ttl), "%u", (unsigned)row->ttl_s);
    const char *const values[] = {id, row->owner, row->ttl_s == 0 ? NULL : ttl,
                                  rrtype_print(row->type, type), row->rdata};

    table_row(ctx, values);
}

static enum cli_exit run_list(struct cli *c, const struct cli_args *a)
{
    struct domain_row domain = {.id = 0};
    struct err err = {0};
    struct table *t;
    enum cli_exit rc = CLI_OK;
    int got;

    if (cli_open(c, 0) == -1)
        return CLI_FAULT;
    if (a->n == 1)
        rc = cli_find_domain(c, a->word[0], &domain);
    if (rc != CLI_OK)
        return rc;
    t = table_begin(list_columns, COUNT_OF(list_columns), c->is_json);
    got = record_each(c->db, domain.id, list_one, t, &err);
    (void)table_end(&t, "no custom records; the generated ones: signpost zone show NAME");
    return got == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

/* ---- remove ---- */

struct match {
    const struct record_row *wanted; /* rdata NULL: any */
    int64_t id;
    size_t n;
};

static void match_one(void *ctx, const struct record_row *row)
{
    struct match *m = ctx;

    if (strcmp(row->owner, m->wanted->owner) == 0 && row->type == m->wanted->type &&
        (m->wanted->rdata == NULL || strcmp(row->rdata, m->wanted->rdata) == 0)) {
        m->id = row->id;
        m->n++;
    }
}

static enum cli_exit find_match(struct cli *c, const struct domain_row *domain,
                                struct match *m)
{
    char room[RRTYPE_TEXT];
    const char *type = rrtype_print(m->wanted->type, room);
    struct err err = {0};

    if (record_each(c->db, domain->id, match_one, m, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    if (m->n == 0)
        return cli_say(CLI_NO,
                       "%s has no such custom %s record; see: signpost record list "
                       "%s, and for generated ones: signpost why %s %s",
                       m->wanted->owner, type, domain->name, m->wanted->owner, type);
    if (m->n > 1)
        return cli_say(CLI_NO,
                       "%s has %zu custom %s records; add the data of the one to "
                       "remove",
                       m->wanted->owner, m->n, type);
    return CLI_OK;
}

static enum cli_exit remove_record(struct cli *c, const struct record_row *row)
{
    struct domain_row domain;
    struct match m = {.wanted = row};
    struct err err = {0};
    enum domaindb_result r;
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    rc = cli_find_zone(c, row->owner, &domain);
    if (rc == CLI_OK)
        rc = find_match(c, &domain, &m);
    if (rc == CLI_OK) {
        r = record_delete(c->db, m.id, &err);
        if (r == DOMAINDB_OK)
            r = cli_check_zone(c, &domain, &err);
        if (r == DOMAINDB_REFUSED)
            (void)err_wrap(&err, "without this record the zone would be wrong");
        rc = cli_result(r, row->owner, &err);
    }
    if (rc != CLI_OK) {
        change_rollback(c->db);
        return rc;
    }
    rc = cli_commit(c, NULL);
    if (rc == CLI_OK)
        cli_note(c, "record of %s removed", row->owner);
    return rc;
}

static enum cli_exit run_remove(struct cli *c, const struct cli_args *a)
{
    struct record_row row = {.id = 0};
    struct err err = {0};
    char *rdata = NULL;
    enum cli_exit rc = read_key(a, &row);

    if (rc != CLI_OK)
        return rc;
    if (a->n > 2) {
        rdata = read_rdata(row.type, a, 2, &err);
        if (rdata == NULL)
            return cli_say(CLI_FAULT, "%s %s: %s", row.owner, a->word[1], err.text);
    }
    row.rdata = rdata;
    rc = remove_record(c, &row);
    free(rdata);
    return rc;
}

static const struct cli_option add_options[] = {
    {"--ttl", "SECONDS", "instead of the zone's TTL policy"},
    {NULL, NULL, NULL},
};

static const struct cli_command record_commands[] = {
    {"add", "NAME TYPE DATA... [--ttl SECONDS]",
     "Add a record. Names are absolute; what would contradict a generated record is "
     "refused "
     "with the reason.",
     3, CLI_ARGS_MAX, add_options,
     "  signpost record add www.example.com A 192.0.2.80\n"
     "  signpost record add example.com TXT google-site-verification=abc\n"
     "  signpost record add shop.example.com CNAME shops.example.net",
     run_add},
    {"list", "[DOMAIN]", "Custom records of all domains or of one.", 0, 1, NULL,
     "  signpost record list example.com", run_list},
    {"remove", "NAME TYPE [DATA...]", "Remove a custom record.", 2, CLI_ARGS_MAX, NULL,
     "  signpost record remove www.example.com A", run_remove},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_record = {"record", "custom records beside the generated ones",
                                    record_commands};
