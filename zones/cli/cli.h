/* SPDX-License-Identifier: ISC */
/* zones/cli/cli.h - what every command of `signpost` is given, and how it says how it went.
 *
 * Why:       one file per noun holds the commands; everything they share (configuration,
 *            database, messages, exit codes) is here, so that a new command is a row of its
 *            noun's table and one function.
 * Ownership: main() owns the struct; commands borrow it.
 * Threads:   one. */
#ifndef ZONES_CLI_CLI_H
#define ZONES_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/conf/conf.h"
#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/rng.h"
#include "zones/domain.h"
#include "zones/domaindb.h"
#include "zones/draft.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_NO = 1,   /* the answer is no: not found, refused, findings */
    CLI_FAULT = 2 /* wrong use, or something this program needs failed */
};

struct cli {
    const char *conf_path;
    struct conf *conf; /* NULL for commands that need none */
    struct domaindb *db;
    const struct clock *clock;
    struct rng *rng;
    bool is_json;
    char who[64];
    char intent[256]; /* the command line, for the change log */
};

/* ---- commands and their options ---- */

#define CLI_ARGS_MAX   64
#define CLI_VALUES_MAX 16

struct cli_option {
    const char *name;  /* "--host" */
    const char *value; /* "HOST" for the help, NULL: a switch */
    const char *help;
};

struct cli_args {
    const char *word[CLI_ARGS_MAX]; /* what is not an option */
    size_t n;
    const struct cli_option *options;
    const char *value[CLI_VALUES_MAX][CLI_VALUES_MAX]; /* per option, as often as given */
    size_t count[CLI_VALUES_MAX];
};

struct cli_command {
    const char *verb;                 /* "" when the noun is the whole command */
    const char *usage;                /* "NAME [OPTIONS]" */
    const char *help;                 /* one sentence */
    size_t min, max;                  /* words */
    const struct cli_option *options; /* ends with a NULL name; NULL: none */
    const char *examples;             /* lines; "" for none */
    enum cli_exit (*run)(struct cli *c, const struct cli_args *a);
};

struct cli_noun {
    const char *name;
    const char *help;
    const struct cli_command *commands; /* ends with a NULL verb */
};

bool cli_has(const struct cli_args *a, const char *option);
/* The last value of an option, or NULL. */
const char *cli_value(const struct cli_args *a, const char *option);
/* The n-th value, or NULL past the end. */
const char *cli_nth(const struct cli_args *a, const char *option, size_t n);

extern const struct cli_noun cli_setup, cli_domain, cli_host, cli_account, cli_alias,
    cli_record, cli_zone, cli_dkim, cli_queue, cli_trace, cli_status, cli_why;

/* ---- saying it ---- */

/* "signpost: ..." on standard error; returns the exit code given. */
enum cli_exit cli_say(enum cli_exit code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The exit code for a result; prints *err unless it is OK. NONE prints `what` ("domain
 * example.com") as not found when *err is empty. */
enum cli_exit cli_result(enum domaindb_result r, const char *what, const struct err *err);
/* Text for people on standard output; nothing with --json. */
void cli_note(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* True, or says that --yes is needed for what cannot be taken back. */
bool cli_confirmed(const struct cli_args *a, const char *what);

/* ---- the database ---- */

/* Open c->db with these parts (enum of zones/domaindb.h). Says what failed. */
MUST_USE int cli_open(struct cli *c, unsigned flags);
MUST_USE int cli_begin(struct cli *c);
/* Commit; *serial may be NULL. On error the change is rolled back. */
MUST_USE enum cli_exit cli_commit(struct cli *c, int64_t *serial);

/* A name as typed to A-labels; says what is wrong with it. */
MUST_USE int cli_name(const char *text, char name[DOMAINDB_NAME_MAX + 1]);
/* The domain of this name; says that it is not hosted here. */
MUST_USE enum cli_exit cli_find_domain(struct cli *c, const char *text,
                                       struct domain_row *row);
/* The hosted domain that holds this name: itself or the closest above. */
MUST_USE enum cli_exit cli_find_zone(struct cli *c, const char *name,
                                     struct domain_row *row);
/* Generate and lint a domain inside the open change, as the builder will after it. */
MUST_USE enum domaindb_result cli_check_zone(struct cli *c, const struct domain_row *row,
                                             struct err *err);
/* The same for the closest domain above a host's name, if any is hosted here. */
MUST_USE enum domaindb_result cli_check_zone_of(struct cli *c, const char *name,
                                                struct err *err);

#endif
