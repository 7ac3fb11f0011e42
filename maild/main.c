/* SPDX-License-Identifier: ISC */
/* maild/main.c - options of the mail daemon. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/conf/conf.h"
#include "base/core/version.h"
#include "maild/child.h"
#include "maild/parent.h"

#define CONF_DEFAULT "/etc/signpost/signpost.conf"

static const char usage[] =
    "usage: maild [-n] [-f FILE] [--single]\n"
    "\n"
    "The mail daemon of Signpost: SMTP, submission, queue, IMAP.\n"
    "\n"
    "  -f, --config FILE   configuration (default " CONF_DEFAULT ")\n"
    "  -n, --check         check configuration, data directory and certificate, and end\n"
    "      --single        all roles in one process, nothing confined: for debugging\n"
    "  -h, --help          this text\n"
    "  -V, --version       version\n"
    "\n"
    "SIGTERM ends it in good order, SIGHUP opens the log anew and reads the "
    "certificate.\n"
    "Example: maild -n -f signpost.conf && maild -f signpost.conf\n"
    "Exit codes: 0 good, 1 it could not start, 2 wrong usage or configuration.\n";

static const struct option options[] = {
    {"config", required_argument, NULL, 'f'}, {"check", no_argument, NULL, 'n'},
    {"single", no_argument, NULL, 's'},       {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
    struct parent_options o = {.conf_path = CONF_DEFAULT};
    struct err err = {0};
    struct conf *conf;
    int c, rc;

    /* How a parent starts its roles, and nobody else. */
    if (argc == 5 && strcmp(argv[1], "--role") == 0)
        return child_run(argv[2], argv[4]);
    while ((c = getopt_long(argc, argv, "f:nhV", options, NULL)) != -1)
        switch (c) {
        case 'f':
            o.conf_path = optarg;
            break;
        case 'n':
            o.check_only = true;
            break;
        case 's':
            o.is_single = true;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return 0;
        case 'V':
            printf("maild %s\n", SIGNPOST_VERSION);
            return 0;
        default:
            (void)fputs("maild: --help shows how to use it\n", stderr);
            return 2;
        }
    if (optind != argc) {
        fprintf(stderr, "maild: \"%s\" is not expected; --help shows how to use it\n",
                argv[optind]);
        return 2;
    }
    conf = conf_load(o.conf_path, &err);
    if (conf == NULL) {
        fprintf(stderr, "maild: %s\n", err.text);
        return 2;
    }
    o.conf = conf;
    rc = parent_run(&o, &err);
    if (rc != 0)
        fprintf(stderr, "maild: %s\n", err.text);
    else if (o.check_only)
        printf("maild: %s is good\n", o.conf_path);
    conf_free(&conf);
    return rc == 0 ? 0 : 1;
}
