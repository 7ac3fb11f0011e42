/* SPDX-License-Identifier: ISC */
/* dnsd - authoritative name server fed straight from the domain database. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/conf/conf.h"
#include "dnsd/child.h"
#include "dnsd/parent.h"

#define CONF_DEFAULT "/etc/signpost/signpost.conf"
#define VERSION      "0.1.0"

static void usage(FILE *to)
{
    (void)fputs(
        "usage: dnsd [-hnV] [-f FILE] [--single]\n"
        "\n"
        "The authoritative name server of Signpost, straight from the domain "
        "database.\n"
        "\n"
        "  -f, --config FILE  configuration, default " CONF_DEFAULT "\n"
        "  -n, --check        check configuration and database, then end\n"
        "  -h, --help         this text\n"
        "  -V, --version      print the version\n"
        "      --single       all parts in this process, unconfined: for debuggers\n"
        "\n"
        "SIGTERM ends it in good order.\n"
        "Example: dnsd -n -f signpost.conf && dnsd -f signpost.conf\n"
        "Exit codes: 0 good, 1 it could not start, 2 wrong usage or "
        "configuration.\n",
        to);
}

/* 0 go on, 1 end well, 2 usage. */
static int read_options(int argc, char **argv, struct dnsd_options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];

        if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            usage(stdout);
            return 1;
        }
        if (strcmp(a, "-V") == 0 || strcmp(a, "--version") == 0) {
            (void)puts("dnsd (Signpost) " VERSION);
            return 1;
        }
        if (strcmp(a, "-n") == 0 || strcmp(a, "--check") == 0)
            o->check_only = true;
        else if ((strcmp(a, "-f") == 0 || strcmp(a, "--config") == 0) && i + 1 < argc)
            o->conf_path = argv[++i];
        else if (strcmp(a, "--single") == 0)
            o->is_single = true;
        else {
            bool is_file = strcmp(a, "-f") == 0 || strcmp(a, "--config") == 0;

            (void)fprintf(stderr, "dnsd: %s %s; see: dnsd --help\n", a,
                          is_file ? "needs the name of a file" : "is no option");
            return 2;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct dnsd_options o = {.conf_path = CONF_DEFAULT};
    struct err err = {0};
    struct conf *conf;
    int rc;

    /* How a parent starts its roles, and nobody else. */
    if (argc == 5 && strcmp(argv[1], "--role") == 0)
        return dnsd_child_run(argv[2]);
    rc = read_options(argc, argv, &o);
    if (rc != 0)
        return rc == 1 ? 0 : 2;
    conf = conf_load(o.conf_path, &err);
    if (conf == NULL) {
        (void)fprintf(stderr, "dnsd: %s\n", err.text);
        return 2;
    }
    o.conf = conf;
    rc = dnsd_run(&o, &err);
    if (rc != 0)
        (void)fprintf(stderr, "dnsd: %s\n", err.text);
    else if (o.check_only)
        (void)printf("dnsd: %s and the database are good\n", o.conf_path);
    conf_free(&conf);
    return rc == 0 ? 0 : 1;
}
