/* SPDX-License-Identifier: ISC */
/* zones/cli/cli.c - see cli.h. Everything that fails says so here, once, on standard error; what
 * is returned is the exit code. A command that got an exit code other than CLI_OK only has to
 * clean up and return it. */
#include "zones/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/dns/idna.h"
#include "zones/change.h"

/* ---- options ---- */

static size_t option_index(const struct cli_args *a, const char *option)
{
    size_t i = 0;

    while (strcmp(a->options[i].name, option) != 0)
        i++; /* asking for an option that the command does not have is a bug */
    return i;
}

bool cli_has(const struct cli_args *a, const char *option)
{
    return a->count[option_index(a, option)] > 0;
}

const char *cli_value(const struct cli_args *a, const char *option)
{
    size_t i = option_index(a, option);

    return a->count[i] == 0 ? NULL : a->value[i][a->count[i] - 1];
}

const char *cli_nth(const struct cli_args *a, const char *option, size_t n)
{
    size_t i = option_index(a, option);

    return n < a->count[i] ? a->value[i][n] : NULL;
}

/* ---- saying it ---- */

enum cli_exit cli_say(enum cli_exit code, const char *fmt, ...)
{
    va_list ap;

    (void)fflush(stdout);
    (void)fputs("signpost: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    return code;
}

enum cli_exit cli_result(enum domaindb_result r, const char *what, const struct err *err)
{
    switch (r) {
    case DOMAINDB_OK:
        return CLI_OK;
    case DOMAINDB_NONE:
        if (err->text[0] == '\0')
            return cli_say(CLI_NO, "there is no %s", what);
        return cli_say(CLI_NO, "%s", err->text);
    case DOMAINDB_EXISTS:
    case DOMAINDB_REFUSED:
        return cli_say(CLI_NO, "%s", err->text);
    case DOMAINDB_FAULT:
        break;
    }
    return cli_say(CLI_FAULT, "%s", err->text);
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->is_json)
        return;
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)putchar('\n');
}

bool cli_confirmed(const struct cli_args *a, const char *what)
{
    if (cli_has(a, "--yes"))
        return true;
    (void)cli_say(CLI_NO, "%s: this %s and cannot be taken back; say it again with --yes",
                  a->word[0], what);
    return false;
}

/* ---- the database ---- */

int cli_open(struct cli *c, unsigned flags)
{
    struct err err = {0};

    c->db = domaindb_open(conf_text(c->conf, "data_dir"), conf_text(c->conf, "run_dir"),
                          flags, &err);
    if (c->db != NULL)
        return 0;
    (void)cli_say(CLI_FAULT, "%s", err.text);
    return -1;
}

int cli_begin(struct cli *c)
{
    const struct change_intent i = {c->who, c->intent, clock_wall_s(c->clock)};
    struct err err = {0};

    if (change_begin(c->db, &i, &err) == 0)
        return 0;
    (void)cli_say(CLI_FAULT, "%s", err.text);
    return -1;
}

enum cli_exit cli_commit(struct cli *c, int64_t *serial)
{
    struct err err = {0};
    int64_t s;

    if (change_commit(c->db, serial == NULL ? &s : serial, &err) == 0)
        return CLI_OK;
    return cli_say(CLI_FAULT, "%s", err.text);
}

int cli_name(const char *text, char name[DOMAINDB_NAME_MAX + 1])
{
    struct err err = {0};

    if (idna_to_ascii(span_str(text), name, &err) == 0)
        return 0;
    (void)cli_say(CLI_FAULT, "%s", err.text);
    return -1;
}

enum cli_exit cli_find_domain(struct cli *c, const char *text, struct domain_row *row)
{
    char name[DOMAINDB_NAME_MAX + 1];
    struct err err = {0};
    enum domaindb_result r;

    if (cli_name(text, name) == -1)
        return CLI_FAULT;
    r = domain_find(c->db, span_str(name), row, &err);
    if (r == DOMAINDB_NONE)
        (void)err_set(&err, "domain %s is not hosted here; see: signpost domain list",
                      name);
    return cli_result(r, name, &err);
}

/* OK with the closest hosted domain at or above `name`, or NONE. */
static enum domaindb_result closest(struct cli *c, const char *name,
                                    struct domain_row *row, struct err *err)
{
    struct span rest = span_str(name), head;
    enum domaindb_result r = DOMAINDB_NONE;

    while (rest.n > 0 && r == DOMAINDB_NONE) {
        r = domain_find(c->db, rest, row, err);
        span_cut(rest, '.', &head, &rest);
    }
    return r;
}

enum cli_exit cli_find_zone(struct cli *c, const char *name, struct domain_row *row)
{
    struct err err = {0};
    enum domaindb_result r = closest(c, name, row, &err);

    if (r == DOMAINDB_NONE)
        (void)err_set(&err, "%s is in no domain hosted here; see: signpost domain list",
                      name);
    return cli_result(r, name, &err);
}

enum domaindb_result cli_check_zone(struct cli *c, const struct domain_row *row,
                                    struct err *err)
{
    enum domaindb_result r;
    struct domain_row fresh;
    struct draft dr;

    if (draft_open(&dr, c->db, err) == -1)
        return DOMAINDB_FAULT;
    r = domain_get(c->db, row->id, &fresh, err);
    if (r == DOMAINDB_OK)
        r = draft_check(&dr, &fresh, err);
    draft_close(&dr);
    return r;
}

enum domaindb_result cli_check_zone_of(struct cli *c, const char *name, struct err *err)
{
    struct domain_row row;
    enum domaindb_result r = closest(c, name, &row, err);

    if (r == DOMAINDB_NONE)
        return DOMAINDB_OK;
    return r == DOMAINDB_OK ? cli_check_zone(c, &row, err) : r;
}
