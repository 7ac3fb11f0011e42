/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_account.c - `signpost account`: mailboxes and their passwords.
 *
 * The hash is made and stored in secrets.db before the transaction; the row in signpost.db
 * then refers to it (zones/account.h). The first account of a domain also receives what is
 * sent to postmaster and abuse, because mail to them must arrive (RFC 5321 4.5.1, RFC 2142). */
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/crypto/pwhash.h"
#include "zones/account.h"
#include "zones/alias.h"
#include "zones/change.h"
#include "zones/cli/cli.h"
#include "zones/cli/password.h"
#include "zones/cli/table.h"

/* ---- passwords ---- */

static enum cli_exit get_password(struct cli *c, const struct cli_args *a,
                                  const char *login, char password[PASSWORD_MAX + 1])
{
    struct err err = {0};
    int rc = 0;

    if (cli_has(a, "--generate") && cli_has(a, "--password-stdin"))
        return cli_say(CLI_FAULT, "--generate and --password-stdin exclude each other");
    if (cli_has(a, "--generate"))
        password_make_up(c->rng, password);
    else if (cli_has(a, "--password-stdin"))
        rc = password_from_stdin(password, &err);
    else
        rc = password_from_terminal(login, password, &err);
    return rc == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

/* Hash the password and put it into secrets.db under a new reference. */
static enum cli_exit store_password(struct cli *c, const char *password,
                                    char ref[DOMAINDB_REF_TEXT + 1])
{
    uint8_t salt[PWHASH_SALT];
    char hash[PWHASH_MAX + 1];
    struct err err = {0};
    int rc;

    domaindb_new_ref(c->rng, ref);
    rng_fill(c->rng, salt, sizeof(salt));
    rc = pwhash_make(span_str(password), salt, &pwhash_default, hash, &err);
    if (rc == 0)
        rc = secret_put(c->db, ref, hash, clock_wall_s(c->clock), &err);
    OPENSSL_cleanse(hash, sizeof(hash));
    return rc == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

static void show_generated(struct cli *c, const struct cli_args *a, const char *login,
                           const char *password)
{
    if (!cli_has(a, "--generate"))
        return;
    if (c->is_json)
        (void)printf("{\"login\":\"%s\",\"password\":\"%s\"}\n", login, password);
    else
        cli_note(c, "password %s (shown this once)", password);
}

/* ---- add ---- */

static void count_one(void *ctx, const struct account_row *row)
{
    (void)row;
    ++*(size_t *)ctx;
}

/* postmaster@ and abuse@ lead to the first account, unless something answers there. */
static int add_duty_aliases(struct cli *c, const struct account_row *account,
                            struct err *err)
{
    static const char *const names[] = {"postmaster", "abuse"};
    const char *domain = strchr(account->address, '@') + 1;
    size_t n = 0;

    if (account_each(c->db, account->domain_id, count_one, &n, err) == -1)
        return -1;
    for (size_t i = 0; n == 1 && i < COUNT_OF(names); i++) {
        struct alias_row alias = {.id = 0};
        struct account_row same;

        (void)snprintf(alias.address, sizeof(alias.address), "%s@%s", names[i], domain);
        (void)snprintf(alias.target, sizeof(alias.target), "%s", account->address);
        if (account_find(c->db, span_str(alias.address), &same, err) == DOMAINDB_OK)
            continue;
        switch (alias_insert(c->db, &alias, err)) {
        case DOMAINDB_OK:
            cli_note(c, "%s leads to it too", alias.address);
            break;
        case DOMAINDB_EXISTS:
            break;
        case DOMAINDB_NONE:
        case DOMAINDB_REFUSED:
        case DOMAINDB_FAULT:
            return -1;
        }
    }
    return 0;
}

static enum cli_exit insert_account(struct cli *c, struct account_row *row)
{
    struct err err = {0};
    enum domaindb_result r;

    if (cli_begin(c) == -1)
        return CLI_FAULT;
    r = account_insert(c->db, row, &err);
    if (r == DOMAINDB_OK && add_duty_aliases(c, row, &err) == -1)
        r = DOMAINDB_FAULT;
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        return cli_result(r, row->address, &err);
    }
    return cli_commit(c, NULL);
}

static enum cli_exit check_new(struct cli *c, const char *text, struct account_row *row)
{
    struct account_row old;
    struct domain_row domain;
    struct err err = {0};
    size_t local_n;

    if (address_fold(span_str(text), row->address, &local_n, &err) != DOMAINDB_OK)
        return cli_say(CLI_FAULT, "%s", err.text);
    if (row->address[0] == '*' && local_n == 1)
        return cli_say(CLI_FAULT,
                       "* is no account; for a catch-all say: signpost alias add "
                       "'%s' TARGET",
                       row->address);
    if (cli_open(c, DOMAINDB_WRITE | DOMAINDB_SECRETS) == -1)
        return CLI_FAULT;
    /* Before a password is asked for. */
    if (domain_find(c->db, span_str(row->address + local_n + 1), &domain, &err) ==
        DOMAINDB_NONE)
        return cli_say(CLI_NO,
                       "domain %s is not hosted here; add it first with: signpost "
                       "domain add %s",
                       row->address + local_n + 1, row->address + local_n + 1);
    if (account_find(c->db, span_str(row->address), &old, &err) == DOMAINDB_OK)
        return cli_say(CLI_NO,
                       "account %s is there already; change its password with: "
                       "signpost account passwd %s",
                       row->address, row->address);
    return CLI_OK;
}

static enum cli_exit run_add(struct cli *c, const struct cli_args *a)
{
    struct account_row row = {.created_s = clock_wall_s(c->clock)};
    char password[PASSWORD_MAX + 1];
    enum cli_exit rc = check_new(c, a->word[0], &row);

    if (rc == CLI_OK)
        rc = get_password(c, a, row.address, password);
    if (rc == CLI_OK)
        rc = store_password(c, password, row.secret_ref);
    if (rc == CLI_OK)
        rc = insert_account(c, &row);
    if (rc == CLI_OK) {
        cli_note(c, "account %s added", row.address);
        show_generated(c, a, row.address, password);
    }
    OPENSSL_cleanse(password, sizeof(password));
    return rc;
}

/* ---- passwd, remove ---- */

static enum cli_exit find_account(struct cli *c, const char *text,
                                  struct account_row *row)
{
    struct err err = {0};
    enum domaindb_result r = account_find(c->db, span_str(text), row, &err);

    if (r == DOMAINDB_NONE)
        (void)err_set(&err, "account %s is not known; see: signpost account list", text);
    return cli_result(r, text, &err);
}

static enum cli_exit run_passwd(struct cli *c, const struct cli_args *a)
{
    struct account_row row;
    char password[PASSWORD_MAX + 1], ref[DOMAINDB_REF_TEXT + 1];
    struct err err = {0};
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE | DOMAINDB_SECRETS | DOMAINDB_KEYS) == -1)
        return CLI_FAULT;
    rc = find_account(c, a->word[0], &row);
    if (rc == CLI_OK)
        rc = get_password(c, a, row.address, password);
    if (rc == CLI_OK)
        rc = store_password(c, password, ref);
    if (rc == CLI_OK && cli_begin(c) == -1)
        rc = CLI_FAULT;
    if (rc == CLI_OK) {
        enum domaindb_result r = account_set_secret(c->db, row.id, ref, &err);

        if (r != DOMAINDB_OK)
            change_rollback(c->db);
        rc = r == DOMAINDB_OK ? cli_commit(c, NULL) : cli_result(r, row.address, &err);
    }
    if (rc == CLI_OK) {
        cli_note(c, "password of %s changed", row.address);
        show_generated(c, a, row.address, password);
    }
    OPENSSL_cleanse(password, sizeof(password));
    if (rc == CLI_OK && domaindb_sweep(c->db, clock_wall_s(c->clock), &err) == -1)
        rc = cli_say(CLI_FAULT, "%s", err.text);
    return rc;
}

static enum cli_exit set_enabled(struct cli *c, const struct cli_args *a, bool is_enabled)
{
    struct account_row row;
    struct err err = {0};
    enum domaindb_result r;
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE) == -1 || cli_begin(c) == -1)
        return CLI_FAULT;
    rc = find_account(c, a->word[0], &row);
    if (rc == CLI_OK) {
        r = account_set_enabled(c->db, row.id, is_enabled, &err);
        rc = cli_result(r, row.address, &err);
    }
    if (rc != CLI_OK) {
        change_rollback(c->db);
        return rc;
    }
    rc = cli_commit(c, NULL);
    if (rc == CLI_OK)
        cli_note(c, "account %s is %s", row.address, is_enabled ? "enabled" : "disabled");
    return rc;
}

static enum cli_exit run_disable(struct cli *c, const struct cli_args *a)
{
    return set_enabled(c, a, false);
}

static enum cli_exit run_enable(struct cli *c, const struct cli_args *a)
{
    return set_enabled(c, a, true);
}

static enum cli_exit run_remove(struct cli *c, const struct cli_args *a)
{
    struct account_row row;
    struct err err = {0};
    enum domaindb_result r;
    enum cli_exit rc;

    if (cli_open(c, DOMAINDB_WRITE | DOMAINDB_SECRETS | DOMAINDB_KEYS) == -1)
        return CLI_FAULT;
    rc = find_account(c, a->word[0], &row);
    if (rc != CLI_OK)
        return rc;
    if (!cli_confirmed(a, "removes the account"))
        return CLI_NO;
    if (cli_begin(c) == -1)
        return CLI_FAULT;
    r = account_delete(c->db, row.id, &err);
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        return cli_result(r, row.address, &err);
    }
    rc = cli_commit(c, NULL);
    if (rc == CLI_OK && domaindb_sweep(c->db, clock_wall_s(c->clock), &err) == -1)
        rc = cli_say(CLI_FAULT, "%s", err.text);
    if (rc == CLI_OK)
        cli_note(c,
                 "account %s removed; its mail stays below %s/mail (account %lld). "
                 "Aliases that lead to it are left alone: signpost alias list",
                 row.address, conf_text(c->conf, "data_dir"), (long long)row.id);
    return rc;
}

/* ---- list ---- */

static const struct column list_columns[] = {
    {"account", "ACCOUNT", COLUMN_TEXT},
    {"id", "ID", COLUMN_NUMBER},
    {"is_enabled", "ENABLED", COLUMN_BOOL},
    {"created", "CREATED", COLUMN_TEXT},
};

static void list_one(void *ctx, const struct account_row *row)
{
    const time_t t = (time_t)row->created_s;
    char id[24], created[32] = "";
    struct tm tm;

    (void)snprintf(id, sizeof(id), "%lld", (long long)row->id);
    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
    const char *const values[] = {row->address, id, row->is_enabled ? "yes" : "no",
                                  created};

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
    got = account_each(c->db, domain.id, list_one, t, &err);
    (void)table_end(&t,
                    "no accounts yet; add one with: signpost account add NAME@DOMAIN");
    return got == 0 ? CLI_OK : cli_say(CLI_FAULT, "%s", err.text);
}

static const struct cli_option password_options[] = {
    {"--password-stdin", NULL, "read the password from standard input, one line"},
    {"--generate", NULL, "make a password up and print it once"},
    {NULL, NULL, NULL},
};
static const struct cli_option remove_options[] = {
    {"--yes", NULL, "really remove"},
    {NULL, NULL, NULL},
};

static const struct cli_command account_commands[] = {
    {"add", "ADDRESS [--generate | --password-stdin]",
     "A mailbox with a login. Without an option the password is asked for.", 1, 1,
     password_options,
     "  signpost account add ann@example.com\n"
     "  signpost account add ann@example.com --generate\n"
     "  pwgen 20 1 | signpost account add ann@example.com --password-stdin",
     run_add},
    {"list", "[DOMAIN]", "Accounts of all domains or of one.", 0, 1, NULL,
     "  signpost account list example.com", run_list},
    {"passwd", "ADDRESS [--generate | --password-stdin]", "Change a password.", 1, 1,
     password_options, "  signpost account passwd ann@example.com", run_passwd},
    {"disable", "ADDRESS",
     "Lock an account: no login, and senders are told to try later.", 1, 1, NULL,
     "  signpost account disable ann@example.com", run_disable},
    {"enable", "ADDRESS", "Unlock it.", 1, 1, NULL,
     "  signpost account enable ann@example.com", run_enable},
    {"remove", "ADDRESS --yes", "Remove a login. Mail on disk stays.", 1, 1,
     remove_options, "  signpost account remove ann@example.com --yes", run_remove},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_account = {"account", "accounts: mailboxes and passwords",
                                     account_commands};
