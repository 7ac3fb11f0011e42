/* SPDX-License-Identifier: ISC */
#include "zones/cli/setup_rights.h"

#include <unistd.h>

#include "base/io/sandbox.h"
#include "zones/cli/rights.h"

static void on_user(void *ctx, const char *text)
{
    cli_note(ctx, "made            %s", text);
}

static void on_difference(void *ctx, const char *path, const char *what)
{
    cli_note(ctx, "%s: %s", path, what);
}

static void on_change(void *ctx, const char *path, const char *what)
{
    (void)ctx, (void)path,
        (void)what; /* counted; `setup --check` lists them beforehand */
}

enum cli_exit setup_rights(struct cli *c, bool makes_users)
{
    struct rights_report r = {.differs = on_change, .ctx = c};
    struct sandbox_host host;
    const char *missing;
    struct err err = {0};

    if (sandbox_host_of(c->conf, &host, &err) == -1 ||
        (makes_users && geteuid() == 0 && rights_make_users(on_user, c, &err) == -1))
        return cli_say(CLI_FAULT, "%s", err.text);
    if (makes_users && geteuid() != 0)
        return cli_say(CLI_FAULT, "setup --users needs root");
    if (host.level != SANDBOX_FULL)
        return CLI_OK; /* all roles are the user that starts the daemons */
    missing = rights_missing();
    if (missing != NULL) {
        cli_note(
            c,
            "users           %s is missing: the daemons run as users of their own and "
            "need: signpost setup --users (or privsep seccomp in %s)",
            missing, c->conf_path);
        return CLI_OK;
    }
    if (rights_apply(host.data_dir, &r, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    if (r.n == 0)
        cli_note(c, "rights          %s (unchanged)", host.data_dir);
    else
        cli_note(c,
                 "rights          %s: %zu files and folders given to the users of the "
                 "roles",
                 host.data_dir, r.n);
    return CLI_OK;
}

enum cli_exit setup_check(struct cli *c)
{
    struct rights_report r = {.differs = on_difference, .ctx = c, .is_check = true};
    const char *missing = rights_missing();
    struct err err = {0};

    if (missing != NULL)
        return cli_say(CLI_NO, "%s is missing; remedy: signpost setup --users", missing);
    if (rights_apply(conf_text(c->conf, "data_dir"), &r, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    if (r.n > 0)
        return cli_say(CLI_NO,
                       "%zu paths are not as the roles need them; remedy: signpost "
                       "setup",
                       r.n);
    cli_note(c, "users and rights are as the roles need them");
    return CLI_OK;
}
