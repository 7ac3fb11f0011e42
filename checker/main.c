/* SPDX-License-Identifier: ISC */
/* checker/main.c - the command: options, verbs, exit codes. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checker/verbs.h"

static const char usage_text[] =
    "checker - tells why mail does not arrive, and the exact change that mends it\n"
    "\n"
    "usage: checker [options] domain NAME          everything about one mail domain\n"
    "       checker [options] rdns HOST|ADDRESS    reverse names, confirmed both ways\n"
    "       checker [options] blocklist ADDRESS|DOMAIN\n"
    "       checker dkim generate DOMAIN [--selector NAME] [--type rsa|ed25519] --out "
    "FILE\n"
    "\n"
    "  -f, --conf FILE      signpost.conf: compare with the database, use its resolver\n"
    "      --json           findings as JSON\n"
    "  -q, --quiet          only what failed or could not be tested\n"
    "      --fail-on LEVEL  notice, warning, error (default) or critical: exit 1 from "
    "there on\n"
    "      --selector NAME  a DKIM selector to look at (repeatable)\n"
    "      --list ZONE      ask this block list instead of the built-in ones "
    "(repeatable)\n"
    "      --resolver ADDR  ask this resolver instead of the root servers\n"
    "\n"
    "examples:\n"
    "  checker domain example.com\n"
    "  checker --selector s2026a --json domain example.org\n"
    "  checker rdns mail.example.com\n"
    "  checker blocklist 192.0.2.25\n"
    "\n"
    "exit: 0 nothing at or above --fail-on, 1 findings, 2 usage or could not be tested\n";

struct verb {
    const char *name;
    int min_args, max_args;
    int (*run)(const struct verb_options *o, char **args, int n);
};

static const struct verb verbs[] = {
    {"domain", 1, 1, verb_domain},
    {"rdns", 1, 1, verb_rdns},
    {"blocklist", 1, 1, verb_blocklist},
    {"dkim", 2, 2, verb_dkim},
};

enum {
    OPT_JSON = 256,
    OPT_FAIL_ON,
    OPT_SELECTOR,
    OPT_LIST,
    OPT_RESOLVER,
    OPT_TYPE,
    OPT_OUT
};

static const struct option options[] = {
    {"conf", required_argument, NULL, 'f'},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"fail-on", required_argument, NULL, OPT_FAIL_ON},
    {"selector", required_argument, NULL, OPT_SELECTOR},
    {"list", required_argument, NULL, OPT_LIST},
    {"resolver", required_argument, NULL, OPT_RESOLVER},
    {"type", required_argument, NULL, OPT_TYPE},
    {"out", required_argument, NULL, OPT_OUT},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool parse_severity(const char *text, enum severity *s)
{
    for (int i = SEVERITY_NOTICE; i <= SEVERITY_CRITICAL; i++) {
        if (strcmp(text, severity_name((enum severity)i)) == 0) {
            *s = (enum severity)i;
            return true;
        }
    }
    fprintf(stderr, "checker: --fail-on %s: use notice, warning, error or critical\n",
            text);
    return false;
}

/* Put `value` behind the others of a repeatable option. */
static bool push(const char **list, size_t *n, const char *value, const char *what)
{
    if (*n == VERB_REPEAT_MAX) {
        fprintf(stderr, "checker: --%s: at most %d\n", what, VERB_REPEAT_MAX);
        return false;
    }
    list[(*n)++] = value;
    return true;
}

static bool take_option(int c, struct verb_options *o)
{
    switch (c) {
    case 'f':
        o->conf_path = optarg;
        return true;
    case 'q':
        o->report.is_quiet = true;
        return true;
    case OPT_JSON:
        o->report.is_json = true;
        return true;
    case OPT_FAIL_ON:
        return parse_severity(optarg, &o->report.fail_on);
    case OPT_SELECTOR:
        return push(o->selector, &o->n_selectors, optarg, "selector");
    case OPT_LIST:
        return push(o->list, &o->n_lists, optarg, "list");
    case OPT_RESOLVER:
        o->resolver = optarg;
        return true;
    case OPT_TYPE:
        o->key_type = optarg;
        return true;
    case OPT_OUT:
        o->out_path = optarg;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    struct verb_options o = {
        .conf_path = getenv("SIGNPOST_CONF"),
        .report = {.fail_on = SEVERITY_ERROR, .is_colour = isatty(STDOUT_FILENO) == 1}};
    int c;

    while ((c = getopt_long(argc, argv, "f:qh", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return 0;
        }
        if (!take_option(c, &o)) {
            fputs("checker: see checker --help\n", stderr);
            return 2;
        }
    }
    for (size_t i = 0; optind < argc && i < COUNT_OF(verbs); i++) {
        int n = argc - optind - 1;

        if (strcmp(argv[optind], verbs[i].name) != 0)
            continue;
        if (n >= verbs[i].min_args && n <= verbs[i].max_args)
            return verbs[i].run(&o, argv + optind + 1, n);
        break;
    }
    fputs(usage_text, stderr);
    return 2;
}
