/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_dkim.c - `signpost dkim`: the signing keys of a domain. */
#include <string.h>
#include <time.h>

#include "deliverability/record/dkim.h"
#include "zones/cli/cli.h"
#include "zones/cli/table.h"
#include "zones/keystate.h"

static const struct column show_columns[] = {
    {"selector", "SELECTOR", COLUMN_TEXT}, {"algorithm", "KEY", COLUMN_TEXT},
    {"state", "STATE", COLUMN_TEXT},       {"created", "CREATED", COLUMN_TEXT},
    {"name", NULL, COLUMN_TEXT},           {"record", NULL, COLUMN_TEXT},
};

struct showing {
    struct cli *c;
    const char *domain;
    struct table *table; /* NULL: print the records themselves */
};

static void show_one(void *ctx, const struct dkim_key_row *row)
{
    struct showing *s = ctx;
    const time_t t = (time_t)row->created_s;
    char created[32] = "", name[DOMAINDB_NAME_MAX + KEYSTATE_SELECTOR_MAX + 16];
    struct buf record;
    struct tm tm;

    buf_init(&record, 4096);
    (void)snprintf(name, sizeof(name), "%s._domainkey.%s", row->selector, s->domain);
    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(created, sizeof(created), "%Y-%m-%d", &tm);
    if (dkim_record_print(row->algorithm == KEY_RSA2048 ? DKIM_KEY_RSA : DKIM_KEY_ED25519,
                          span_str(row->public_b64), &record) == 0) {
        const char *const values[] = {row->selector,
                                      key_algorithm_name(row->algorithm),
                                      keystate_name(row->state),
                                      created,
                                      name,
                                      buf_cstr(&record)};

        if (s->table != NULL)
            table_row(s->table, values);
        else
            cli_note(s->c, "\n%s TXT\n  %s", name, values[5]);
    }
    buf_free(&record);
}

static enum cli_exit run_show(struct cli *c, const struct cli_args *a)
{
    struct domain_row row;
    struct err err = {0};
    struct showing s = {.c = c};
    enum cli_exit rc;
    int got;

    if (cli_open(c, 0) == -1)
        return CLI_FAULT;
    rc = cli_find_domain(c, a->word[0], &row);
    if (rc != CLI_OK)
        return rc;
    s.domain = row.name;
    s.table = table_begin(show_columns, COUNT_OF(show_columns), c->is_json);
    got = dkim_key_each(c->db, row.id, show_one, &s, &err);
    (void)table_end(&s.table, "no keys");
    if (got == 0 && !c->is_json)
        got = dkim_key_each(c->db, row.id, show_one, &s, &err);
    return got == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

static const struct cli_command dkim_commands[] = {
    {"show", "DOMAIN", "Selectors, states and the records that are published for them.",
     1, 1, NULL, "  signpost dkim show example.com", run_show},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_dkim = {"dkim", "signing keys of a domain", dkim_commands};
