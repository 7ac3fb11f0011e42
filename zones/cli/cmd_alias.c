/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_alias.c - `signpost alias`: addresses that lead to other addresses. */
#include <string.h>

#include "zones/account.h"
#include "zones/alias.h"
#include "zones/change.h"
#include "zones/cli/cli.h"
#include "zones/cli/table.h"

static enum cli_exit read_address(const char *text, bool is_target,
                                  char out[DOMAINDB_ADDRESS_MAX + 1])
{
    struct err err = {0};
    size_t local_n;
    enum domaindb_result r =
        is_target ? address_fold_remote(span_str(text), out, &local_n, &err)
                  : address_fold(span_str(text), out, &local_n, &err);

    return r == DOMAINDB_OK ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

/* Targets at domains of ours are kept folded, so that each has one spelling. */
static int fold_ours(struct cli *c, char target[DOMAINDB_ADDRESS_MAX + 1],
                     struct err *err)
{
    char folded[DOMAINDB_ADDRESS_MAX + 1];
    size_t local_n;
    int ours;

    if (address_fold(span_str(target), folded, &local_n, err) != DOMAINDB_OK)
        return -1;
    ours = domain_is_ours(c->db, span_str(folded + local_n + 1), err);
    if (ours == 1)
        memcpy(target, folded, strlen(folded) + 1);
    return ours == -1 ? -1 : 0;
}

static enum domaindb_result add_targets(struct cli *c, const struct cli_args *a,
                                        struct alias_row *row, struct err *err)
{
    enum domaindb_result r = DOMAINDB_OK;

    for (size_t i = 1; i < a->n && r == DOMAINDB_OK; i++) {
        size_t local_n;

        if (address_fold_remote(span_str(a->word[i]), row->target, &local_n, err) !=
            DOMAINDB_OK)
            return DOMAINDB_REFUSED;
        if (fold_ours(c, row->target, err) == -1)
            return DOMAINDB_FAULT;
        r = alias_insert(c->db, row, err);
    }
    return r;
}

/* An alias that ends nowhere is worth a word, but may be meant (the account comes next). */
static void warn_of_dead_end(struct cli *c, const char *address)
{
    struct address_targets list;
    struct err err = {0};

    switch (address_expand(c->db, span_str(address), &list, &err)) {
    case ADDRESS_UNKNOWN:
        (void)cli_say(CLI_OK,
                      "note: %s leads to no mailbox yet; mail to it is refused "
                      "until its targets exist",
                      address);
        break;
    case ADDRESS_LOOP:
        (void)cli_say(CLI_OK,
                      "note: %s leads back to itself or through too many aliases; "
                      "mail to it is refused",
                      address);
        break;
    case ADDRESS_OK:
    case ADDRESS_NOT_OURS:
    case ADDRESS_DISABLED:
    case ADDRESS_MALFORMED:
    case ADDRESS_FAULT:
        break;
    }
}

static enum cli_exit run_add(struct cli *c, const struct cli_args *a)
{
    struct alias_row row = {.id = 0};
    struct err err = {0};
    enum domaindb_result r;
    enum cli_exit rc = read_address(a->word[0], false, row.address);

    if (rc != CLI_OK)
        return rc;
    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    r = add_targets(c, a, &row, &err);
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        return cli_result(r, row.address, &err);
    }
    rc = cli_commit(c, NULL);
    if (rc == CLI_OK) {
        cli_note(c, "alias %s added", row.address);
        warn_of_dead_end(c, row.address);
    }
    return rc;
}

static enum cli_exit run_remove(struct cli *c, const struct cli_args *a)
{
    char address[DOMAINDB_ADDRESS_MAX + 1], target[DOMAINDB_ADDRESS_MAX + 1] = "";
    struct err err = {0};
    enum domaindb_result r = DOMAINDB_OK;
    enum cli_exit rc = read_address(a->word[0], false, address);

    if (rc == CLI_OK && a->n == 2)
        rc = read_address(a->word[1], true, target);
    if (rc != CLI_OK)
        return rc;
    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    if (target[0] != '\0' && fold_ours(c, target, &err) == -1)
        r = DOMAINDB_FAULT;
    if (r == DOMAINDB_OK)
        r = alias_delete(c->db, span_str(address), span_str(target), &err);
    if (r == DOMAINDB_NONE)
        (void)err_set(&err, "alias %s%s%s is not known; see: signpost alias list",
                      address, target[0] ? " to " : "", target);
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        return cli_result(r, address, &err);
    }
    rc = cli_commit(c, NULL);
    if (rc == CLI_OK)
        cli_note(c, "alias %s%s%s removed", address, target[0] ? " to " : "", target);
    return rc;
}

static const struct column list_columns[] = {
    {"alias", "ALIAS", COLUMN_TEXT},
    {"target", "LEADS TO", COLUMN_TEXT},
};

static void list_one(void *ctx, const struct alias_row *row)
{
    const char *const values[] = {row->address, row->target};

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
    got = alias_each(c->db, domain.id, list_one, t, &err);
    (void)table_end(&t, "no aliases");
    return got == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

static const struct cli_command alias_commands[] = {
    {"add", "ADDRESS TARGET...",
     "Mail to ADDRESS goes to the targets, here or elsewhere. *@DOMAIN is the catch-all.",
     2, CLI_ARGS_MAX, NULL,
     "  signpost alias add info@example.com ann@example.com ben@example.com\n"
     "  signpost alias add '*@example.com' ann@example.com",
     run_add},
    {"list", "[DOMAIN]", "Aliases of all domains or of one.", 0, 1, NULL,
     "  signpost alias list example.com", run_list},
    {"remove", "ADDRESS [TARGET]", "Remove an alias, or one of its targets.", 1, 2, NULL,
     "  signpost alias remove info@example.com ben@example.com", run_remove},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_alias = {"alias", "aliases: addresses that lead elsewhere",
                                   alias_commands};
