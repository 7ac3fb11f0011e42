/* SPDX-License-Identifier: ISC */
/* zones/cli/main.c - the program `signpost`: find the command, read its options, run it.
 *
 * A command is noun and verb ("domain add"); some nouns are the whole command ("setup",
 * "trace", "status", "why"). Options may stand anywhere behind the noun; "--" ends them. What
 * a command may be given is in its row (zones/cli/cli.h); so is its help. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf/suggest.h"
#include "base/core/version.h"
#include "zones/cli/cli.h"

#define DEFAULT_CONF "/etc/signpost/signpost.conf"

static const struct cli_noun *const nouns[] = {
    &cli_setup, &cli_domain, &cli_host, &cli_account, &cli_alias, &cli_record,
    &cli_zone,  &cli_dkim,   &cli_why,  &cli_queue,   &cli_trace, &cli_status,
};

/* ---- help ---- */

static void help_all(void)
{
    (void)fputs(
        "signpost - administration of domains, accounts, keys and mail in transit\n\n"
        "usage: signpost [-f FILE] [--json] COMMAND ...\n\n",
        stdout);
    for (size_t i = 0; i < COUNT_OF(nouns); i++)
        (void)printf("  %-8s  %s\n", nouns[i]->name, nouns[i]->help);
    (void)fputs("\n  -f, --conf FILE  configuration (default " DEFAULT_CONF
                ", or $SIGNPOST_CONF)\n"
                "      --json       rows as JSON objects, one a line\n"
                "  -h, --help       help of a command: signpost domain add --help\n"
                "      --version\n\n"
                "examples:\n"
                "  signpost setup\n"
                "  signpost domain add example.com\n"
                "  signpost account add ann@example.com\n"
                "  signpost zone show example.com\n\n"
                "exit code: 0 done, 1 the answer is no (not found, refused, findings), "
                "2 wrong use or a fault\n",
                stdout);
}

static void help_noun(const struct cli_noun *n)
{
    (void)printf("signpost %s - %s\n\n", n->name, n->help);
    for (const struct cli_command *k = n->commands; k->verb != NULL; k++)
        (void)printf("  signpost %s%s%s%s%s\n      %s\n", n->name, k->verb[0] ? " " : "",
                     k->verb, k->usage[0] ? " " : "", k->usage, k->help);
    (void)fputs("\nexamples:\n", stdout);
    for (const struct cli_command *k = n->commands; k->verb != NULL; k++)
        (void)printf("%.*s\n", (int)strcspn(k->examples, "\n"), k->examples);
}

static void help_command(const struct cli_noun *n, const struct cli_command *k)
{
    (void)printf("usage: signpost %s%s%s%s%s\n\n%s\n", n->name, k->verb[0] ? " " : "",
                 k->verb, k->usage[0] ? " " : "", k->usage, k->help);
    if (k->options != NULL) {
        (void)fputs("\noptions:\n", stdout);
        for (const struct cli_option *o = k->options; o->name != NULL; o++)
            (void)printf("  %s%s%s\n      %s\n", o->name, o->value ? " " : "",
                         o->value ? o->value : "", o->help);
    }
    if (k->examples[0] != '\0')
        (void)printf("\nexamples:\n%s\n", k->examples);
}

/* ---- finding the command ---- */

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const struct cli_noun *find_noun(const char *word)
{
    struct suggest s = {.wanted = word};

    for (size_t i = 0; i < COUNT_OF(nouns); i++) {
        if (strcmp(nouns[i]->name, word) == 0)
            return nouns[i];
        suggest_offer(&s, nouns[i]->name);
    }
    (void)cli_say(CLI_FAULT, "there is no command \"%s\"%s%s%s; see: signpost --help",
                  word, s.best ? "; did you mean \"" : "", s.best ? s.best : "",
                  s.best ? "\"" : "");
    return NULL;
}

static const struct cli_command *find_verb(const struct cli_noun *n, const char *word)
{
    if (n->commands[0].verb[0] == '\0')
        return &n->commands[0];
    for (const struct cli_command *k = n->commands; word != NULL && k->verb != NULL; k++)
        if (strcmp(k->verb, word) == 0)
            return k;
    if (word == NULL)
        (void)cli_say(CLI_FAULT, "say what to do; see: signpost %s --help", n->name);
    else
        (void)cli_say(CLI_FAULT, "\"%s\" has no \"%s\"; see: signpost %s --help", n->name,
                      word, n->name);
    return NULL;
}

static int take_option(struct cli *c, const struct cli_command *k, struct cli_args *a,
                       char **argv, int *at)
{
    const char *word = argv[*at];

    if (strcmp(word, "--json") == 0) {
        c->is_json = true;
        return 0;
    }
    for (size_t i = 0; k->options != NULL && k->options[i].name != NULL; i++) {
        const struct cli_option *o = &k->options[i];
        size_t n = strlen(o->name);
        const char *value = "";

        if (strncmp(word, o->name, n) != 0 || (word[n] != '\0' && word[n] != '='))
            continue;
        if (o->value == NULL && word[n] == '=') {
            (void)cli_say(CLI_FAULT, "%s takes no value", o->name);
            return -1;
        }
        if (o->value != NULL)
            value = word[n] == '=' ? word + n + 1 : argv[*at + 1];
        if (value == NULL) {
            (void)cli_say(CLI_FAULT, "%s needs a value: %s", o->name, o->value);
            return -1;
        }
        if (o->value != NULL && word[n] != '=')
            ++*at;
        if (a->count[i] == CLI_VALUES_MAX) {
            (void)cli_say(CLI_FAULT, "%s stands too often", o->name);
            return -1;
        }
        a->value[i][a->count[i]++] = value;
        return 0;
    }
    (void)cli_say(CLI_FAULT, "unknown option %s; see the same command with --help", word);
    return -1;
}

static int read_args(struct cli *c, const struct cli_noun *n, const struct cli_command *k,
                     char **argv, struct cli_args *a)
{
    bool is_literal = false;

    a->options = k->options;
    for (int i = 0; argv[i] != NULL; i++) {
        if (!is_literal && strcmp(argv[i], "--") == 0) {
            is_literal = true;
        } else if (!is_literal && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (take_option(c, k, a, argv, &i) == -1)
                return -1;
        } else if (a->n == CLI_ARGS_MAX) {
            (void)cli_say(CLI_FAULT, "too many words");
            return -1;
        } else {
            a->word[a->n++] = argv[i];
        }
    }
    if (a->n >= k->min && a->n <= k->max)
        return 0;
    (void)cli_say(CLI_FAULT, "%s; usage: signpost %s%s%s %s",
                  a->n < k->min ? "something is missing" : "too many words", n->name,
                  k->verb[0] ? " " : "", k->verb, k->usage);
    return -1;
}

/* ---- running it ---- */

static void set_who(struct cli *c)
{
    const char *name = getenv("SUDO_USER");
    const struct passwd *pw = NULL;

    if (name == NULL)
        pw = getpwuid(getuid());
    if (pw != NULL)
        name = pw->pw_name;
    (void)snprintf(c->who, sizeof(c->who), "%s", name == NULL ? "unknown" : name);
}

/* No option carries a secret, so the command line can be kept as it was typed. */
static void set_intent(struct cli *c, char **argv)
{
    size_t at = 0;

    for (size_t i = 0; argv[i] != NULL && at + 1 < sizeof(c->intent); i++) {
        int n = snprintf(c->intent + at, sizeof(c->intent) - at, "%s%s",
                         i == 0 ? "" : " ", argv[i]);

        if (n < 0)
            break;
        at += (size_t)n;
    }
}

static enum cli_exit run_command(struct cli *c, const struct cli_noun *n, char **argv)
{
    const struct cli_command *k;
    struct cli_args a = {.n = 0};
    struct err err = {0};

    if (argv[1] != NULL && is_help(argv[1]) && n->commands[0].verb[0] != '\0') {
        help_noun(n);
        return CLI_OK;
    }
    k = find_verb(n, argv[1]);
    if (k == NULL)
        return CLI_FAULT;
    set_intent(c, argv);
    argv += k->verb[0] == '\0' ? 1 : 2;
    for (char **w = argv; *w != NULL && strcmp(*w, "--") != 0; w++) {
        if (is_help(*w)) {
            help_command(n, k);
            return CLI_OK;
        }
    }
    if (read_args(c, n, k, argv, &a) == -1)
        return CLI_FAULT;
    if (n != &cli_setup) {
        c->conf = conf_load(c->conf_path, &err);
        if (c->conf == NULL)
            return cli_say(CLI_FAULT, "%s%s", err.text,
                           access(c->conf_path, F_OK) == -1
                               ? "; make one with: signpost setup --hostname NAME "
                                 "--address ADDR"
                               : "");
    }
    return k->run(c, &a);
}

/* Options in front of the command. Returns the index of the command, 0 when done, -1. */
static int read_globals(struct cli *c, char **argv)
{
    int i = 1;

    for (; argv[i] != NULL && argv[i][0] == '-'; i++) {
        if (is_help(argv[i])) {
            help_all();
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            (void)puts("signpost " SIGNPOST_VERSION);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            c->is_json = true;
        } else if (strncmp(argv[i], "--conf=", 7) == 0) {
            c->conf_path = argv[i] + 7;
        } else if ((strcmp(argv[i], "-f") == 0 || strcmp(argv[i], "--conf") == 0) &&
                   argv[i + 1] != NULL) {
            c->conf_path = argv[++i];
        } else {
            (void)cli_say(CLI_FAULT, "unknown option %s; see: signpost --help", argv[i]);
            return -1;
        }
    }
    if (argv[i] != NULL)
        return i;
    help_all();
    return -1;
}

int main(int argc, char **argv)
{
    struct cli c = {.clock = clock_system(), .rng = rng_system()};
    const struct cli_noun *n;
    enum cli_exit code = CLI_FAULT;
    int at;

    (void)argc;
    c.conf_path = getenv("SIGNPOST_CONF");
    if (c.conf_path == NULL)
        c.conf_path = DEFAULT_CONF;
    at = read_globals(&c, argv);
    if (at <= 0)
        return at == 0 ? CLI_OK : CLI_FAULT;
    set_who(&c);
    n = find_noun(argv[at]);
    if (n != NULL)
        code = run_command(&c, n, argv + at);
    domaindb_close(&c.db);
    conf_free(&c.conf);
    if (fflush(stdout) != 0)
        code = cli_say(CLI_FAULT, "write to standard output failed");
    return (int)code;
}
