/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_setup.c - `signpost setup`: from a configuration to a host that can work.
 *
 * May be run again at any time: it brings the host in the database in line with the
 * configuration (name, addresses, name servers, ports of services), upgrades the databases,
 * and leaves alone what is right. With privsep full the files get the owners and modes that
 * the roles need (rights.c). What it did is printed, one line each. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/core/mem.h"
#include "base/crypto/selfca.h"
#include "zones/change.h"
#include "zones/cli/cli.h"
#include "zones/cli/setup_rights.h"

enum { PEM_MAX = 65536, NAMES_MAX = 16 };

/* ---- a first configuration ---- */

static const char conf_services[] = "listen dns *:53\n"
                                    "listen smtp *:25\n"
                                    "listen submission *:587\n"
                                    "listen submissions *:465\n"
                                    "listen imap *:143\n"
                                    "listen imaps *:993\n";

static int write_file(const char *path, mode_t mode, struct span text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    ssize_t n;

    if (fd == -1)
        return err_sys(err, "create %s", path);
    n = write(fd, text.p, text.n);
    if (n != (ssize_t)text.n || fsync(fd) == -1) {
        (void)err_sys(err, "write %s", path);
        (void)close(fd);
        (void)unlink(path);
        return -1;
    }
    return close(fd) == -1 ? err_sys(err, "write %s", path) : 0;
}

/* Directories above `path`, as far as they are missing. */
static int make_parents(const char *path, mode_t mode, struct err *err)
{
    char *copy = mem_strdup(path);
    int rc = 0;

    for (char *p = copy + 1; rc == 0 && (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        if (mkdir(copy, mode) == -1 && errno != EEXIST)
            rc = err_sys(err, "create directory %s", copy);
        *p = '/';
    }
    free(copy);
    return rc;
}

static int write_conf(struct cli *c, const struct cli_args *a, struct err *err)
{
    const char *dir = cli_value(a, "--data-dir"), *run = cli_value(a, "--run-dir");
    struct buf text;
    int rc;

    buf_init(&text, 65536);
    rc = buf_printf(&text, "# Signpost. See signpost.conf(5).\nhostname %s\n",
                    cli_value(a, "--hostname"));
    for (size_t i = 0; rc == 0 && cli_nth(a, "--address", i) != NULL; i++)
        rc = buf_printf(&text, "address %s\n", cli_nth(a, "--address", i));
    for (size_t i = 0; rc == 0 && cli_nth(a, "--ns", i) != NULL; i++)
        rc = buf_printf(&text, "ns_name %s\n", cli_nth(a, "--ns", i));
    if (rc == 0 && dir != NULL)
        rc = buf_printf(&text, "data_dir %s\n", dir);
    if (rc == 0 && run != NULL)
        rc = buf_printf(&text, "run_dir %s\n", run);
    if (rc == 0)
        rc = buf_str(&text, conf_services);
    if (rc == -1) {
        (void)err_set(err, "the configuration would be too long");
    } else {
        /* Read it back before it is written: a bad host name is refused here, not later. */
        struct conf *conf = conf_parse(c->conf_path, buf_all(&text), err);

        rc = conf == NULL ? -1 : make_parents(c->conf_path, 0755, err);
        if (rc == 0)
            rc = write_file(c->conf_path, 0644, buf_all(&text), err);
        conf_free(&conf);
    }
    buf_free(&text);
    return rc;
}

static int get_conf(struct cli *c, const struct cli_args *a, struct err *err)
{
    if (access(c->conf_path, F_OK) == -1 && errno == ENOENT) {
        if (!cli_has(a, "--hostname") || !cli_has(a, "--address"))
            return err_set(err,
                           "%s does not exist; to have it written, say: signpost setup "
                           "--hostname mail.example.com --address 192.0.2.25",
                           c->conf_path);
        if (write_conf(c, a, err) == -1)
            return -1;
        cli_note(c, "configuration   %s written", c->conf_path);
    } else if (cli_has(a, "--hostname") || cli_has(a, "--address") ||
               cli_has(a, "--ns") || cli_has(a, "--data-dir") ||
               cli_has(a, "--run-dir")) {
        return err_set(err,
                       "%s is there already; change it with an editor, then run: "
                       "signpost setup",
                       c->conf_path);
    }
    c->conf = conf_load(c->conf_path, err);
    return c->conf == NULL ? -1 : 0;
}

/* ---- hosts ---- */

/* Services whose ports stand in SRV records, by what `listen` calls them. */
static const struct {
    enum conf_service listen;
    enum host_service service;
} services[] = {
    {CONF_SUBMISSION, HOST_SUBMISSION},
    {CONF_SUBMISSIONS, HOST_SUBMISSIONS},
    {CONF_IMAP, HOST_IMAP},
    {CONF_IMAPS, HOST_IMAPS},
};

static void read_host(const struct conf *conf, struct host_row *h)
{
    enum conf_service s;
    struct ipaddr addr;
    uint16_t port;

    h->n_addr = 0;
    while (h->n_addr < HOST_ADDRESSES_MAX &&
           conf_addr(conf, "address", h->n_addr, &h->addr[h->n_addr]))
        h->n_addr++;
    memset(h->port, 0, sizeof(h->port));
    for (size_t i = 0; conf_listen(conf, i, &s, &addr, &port); i++)
        for (size_t j = 0; j < COUNT_OF(services); j++)
            if (services[j].listen == s && h->port[services[j].service] == 0)
                h->port[services[j].service] = port;
}

static bool same_addresses(const struct host_row *a, const struct host_row *b)
{
    if (a->n_addr != b->n_addr)
        return false;
    for (size_t i = 0; i < a->n_addr; i++)
        if (!ipaddr_eq(&a->addr[i], &b->addr[i]))
            return false;
    return true;
}

static enum domaindb_result put_host(struct cli *c, const struct host_set *set,
                                     struct host_row *h, struct err *err)
{
    const struct host_row *old = host_set_find(set, span_str(h->name));

    if (old == NULL)
        return host_insert(c->db, h, err);
    h->id = old->id;
    h->roles |=
        old->roles & ~(unsigned)HOST_NS; /* that role is the configuration's to give */
    return host_update(c->db, h, err);
}

/* A name server named in the configuration is this machine: it has our addresses, unless
 * `signpost host set` gave it others. */
static enum domaindb_result put_ns(struct cli *c, const struct host_set *set,
                                   const struct host_row *self,
                                   const struct host_row *self_before, const char *name,
                                   struct err *err)
{
    struct host_row h = {.roles = HOST_NS};
    const struct host_row *old = host_set_find(set, span_str(name));

    if (!span_copy(span_str(name), h.name, sizeof(h.name)))
        return DOMAINDB_REFUSED;
    if (old != NULL)
        h = *old;
    h.roles |= HOST_NS;
    if (old == NULL || (self_before != NULL && same_addresses(old, self_before))) {
        memcpy(h.addr, self->addr, sizeof(h.addr));
        h.n_addr = self->n_addr;
    }
    return put_host(c, set, &h, err);
}

static enum domaindb_result put_hosts(struct cli *c, struct err *err)
{
    struct host_row self = {.roles = HOST_MAIL};
    size_t n_ns = conf_count(c->conf, "ns_name");
    enum domaindb_result r;
    struct host_set set;

    if (!span_copy(span_str(conf_text(c->conf, "hostname")), self.name,
                   sizeof(self.name)))
        return DOMAINDB_REFUSED;
    if (host_set_load(c->db, &set, err) == -1)
        return DOMAINDB_FAULT;
    const struct host_row *before = host_set_find(&set, span_str(self.name));

    read_host(c->conf, &self);
    if (n_ns == 0)
        self.roles |= HOST_NS;
    for (size_t i = 0; i < n_ns; i++)
        if (strcmp(conf_nth(c->conf, "ns_name", i), self.name) == 0)
            self.roles |= HOST_NS;
    r = put_host(c, &set, &self, err);
    for (size_t i = 0; i < n_ns && r == DOMAINDB_OK; i++)
        if (strcmp(conf_nth(c->conf, "ns_name", i), self.name) != 0)
            r = put_ns(c, &set, &self, before, conf_nth(c->conf, "ns_name", i), err);
    host_set_free(&set);
    return r;
}

/* SOA serials begin at the day of setup: 2026112200. */
static enum domaindb_result put_serial_base(struct cli *c, struct err *err)
{
    const time_t now = (time_t)clock_wall_s(c->clock);
    char value[256];
    struct tm tm;
    enum domaindb_result r = setting_get(c->db, "serial_base", NULL, value, err);

    if (r != DOMAINDB_NONE)
        return r;
    if (gmtime_r(&now, &tm) == NULL)
        return DOMAINDB_FAULT;
    (void)snprintf(value, sizeof(value), "%04d%02d%02d00", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday);
    return setting_put(c->db, "serial_base", value, err);
}

static bool is_configured(const struct conf *conf, const char *name)
{
    bool is_there = strcmp(conf_text(conf, "hostname"), name) == 0;

    for (size_t i = 0; i < conf_count(conf, "ns_name"); i++)
        is_there |= strcmp(conf_nth(conf, "ns_name", i), name) == 0;
    return is_there;
}

/* Hosts are never removed by the absence of a line: they may stand elsewhere. */
static void say_other_name_servers(struct cli *c)
{
    struct host_set set;
    struct err err;

    if (host_set_load(c->db, &set, &err) == -1)
        return;
    for (size_t i = 0; i < set.n; i++)
        if ((set.host[i].roles & HOST_NS) && !is_configured(c->conf, set.host[i].name))
            cli_note(c,
                     "name server     %s is published too; if it is gone: signpost host "
                     "remove %s --yes",
                     set.host[i].name, set.host[i].name);
    host_set_free(&set);
}

static enum cli_exit setup_database(struct cli *c)
{
    struct err err = {0};
    enum domaindb_result r;
    int64_t serial;

    if (cli_open(c, DOMAINDB_SECRETS | DOMAINDB_KEYS | DOMAINDB_WRITE |
                        DOMAINDB_CREATE) == -1 ||
        cli_begin(c) == -1)
        return CLI_FAULT;
    r = put_serial_base(c, &err);
    if (r == DOMAINDB_OK)
        r = put_hosts(c, &err);
    if (r == DOMAINDB_OK)
        r = cli_check_zone_of(c, conf_text(c->conf, "hostname"), &err);
    if (r != DOMAINDB_OK) {
        change_rollback(c->db);
        return cli_result(r, "host", &err);
    }
    if (cli_commit(c, &serial) != CLI_OK)
        return CLI_FAULT;
    if (domaindb_sweep(c->db, clock_wall_s(c->clock), &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    cli_note(c, "databases       %s/db, %s/keys", conf_text(c->conf, "data_dir"),
             conf_text(c->conf, "data_dir"));
    cli_note(c, "host            %s, %zu address%s%s", conf_text(c->conf, "hostname"),
             conf_count(c->conf, "address"),
             conf_count(c->conf, "address") == 1 ? "" : "es",
             serial == 0 ? " (unchanged)" : "");
    say_other_name_servers(c);
    return CLI_OK;
}

/* ---- certificate ---- */

static int write_certificate(struct cli *c, const char *ca_path, struct err *err)
{
    const char *names[NAMES_MAX] = {conf_text(c->conf, "hostname")};
    struct ipaddr addrs[HOST_ADDRESSES_MAX];
    struct selfca_request r = {.names = names,
                               .n_names = 1,
                               .addrs = addrs,
                               .now_s = clock_wall_s(c->clock),
                               .rng = c->rng};
    struct buf ca, chain, key;
    int rc = -1;

    while (r.n_addrs < COUNT_OF(addrs) &&
           conf_addr(c->conf, "address", r.n_addrs, &addrs[r.n_addrs]))
        r.n_addrs++;
    buf_init(&ca, PEM_MAX);
    buf_init(&chain, PEM_MAX);
    buf_init(&key, PEM_MAX);
    /* The key first: a chain without its key would stop the daemons. */
    if (selfca_make(&r, &ca, &chain, &key, err) == 0 &&
        make_parents(conf_text(c->conf, "tls_key"), 0755, err) == 0 &&
        make_parents(conf_text(c->conf, "tls_chain"), 0755, err) == 0 &&
        write_file(ca_path, 0644, buf_all(&ca), err) == 0 &&
        write_file(conf_text(c->conf, "tls_key"), 0600, buf_all(&key), err) == 0 &&
        write_file(conf_text(c->conf, "tls_chain"), 0644, buf_all(&chain), err) == 0)
        rc = 0;
    if (key.data != NULL)
        OPENSSL_cleanse(key.data, key.cap);
    buf_free(&key);
    buf_free(&chain);
    buf_free(&ca);
    return rc;
}

static enum cli_exit setup_certificate(struct cli *c)
{
    const char *chain = conf_text(c->conf, "tls_chain");
    const char *key = conf_text(c->conf, "tls_key");
    const char *slash = strrchr(chain, '/');
    struct err err = {0};
    char ca[4096];

    if (access(chain, F_OK) == 0 && access(key, F_OK) == 0) {
        cli_note(c, "certificate     %s (unchanged)", chain);
        return CLI_OK;
    }
    if (access(chain, F_OK) == 0 || access(key, F_OK) == 0)
        return cli_say(CLI_FAULT,
                       "of %s and %s only one is there; restore the other, or "
                       "move it away to have both made",
                       chain, key);
    if (snprintf(ca, sizeof(ca), "%.*sca.pem",
                 slash == NULL ? 0 : (int)(slash - chain) + 1, chain) >= (int)sizeof(ca))
        return cli_say(CLI_FAULT, "the path of tls_chain is too long");
    if (unlink(ca) == -1 && errno != ENOENT)
        return cli_say(CLI_FAULT, "cannot replace %s: %s", ca, strerror(errno));
    if (write_certificate(c, ca, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    cli_note(c,
             "certificate     %s, made by ourselves: mail programs trust it once they "
             "know %s",
             chain, ca);
    return CLI_OK;
}

static void say_next(struct cli *c)
{
    struct err err;
    int64_t n = domain_count(c->db, &err);

    if (n > 0)
        return;
    cli_note(
        c, "\nnext:\n"
           "  signpost domain add example.com        everything the domain needs is "
           "published\n"
           "  signpost account add ann@example.com   a mailbox with a password\n"
           "  dnsd, maild                            start the daemons (systemctl start "
           "dnsd maild)");
}

static enum cli_exit run_setup(struct cli *c, const struct cli_args *a)
{
    struct err err = {0};
    enum cli_exit rc;

    if (get_conf(c, a, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    if (cli_has(a, "--check"))
        return setup_check(c);
    if (make_parents(conf_text(c->conf, "data_dir"), 0755, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    rc = setup_database(c);
    if (rc == CLI_OK && !cli_has(a, "--no-certificate"))
        rc = setup_certificate(c);
    if (rc == CLI_OK)
        rc = setup_rights(c, cli_has(a, "--users"));
    if (rc == CLI_OK)
        say_next(c);
    return rc;
}

static const struct cli_option setup_options[] = {
    {"--hostname", "NAME",
     "write a configuration for this host name, when there is none"},
    {"--address", "ADDR", "its public address; once for each of IPv4 and IPv6"},
    {"--ns", "NAME",
     "name server to publish; may stand several times; default: the host"},
    {"--data-dir", "DIR", "where databases and mail go (default /var/lib/signpost)"},
    {"--run-dir", "DIR", "where sockets go (default /run/signpost)"},
    {"--no-certificate", NULL, "do not make a certificate when there is none"},
    {"--users", NULL,
     "make the users and groups that the parts of the daemons run as (root; privsep "
     "full)"},
    {"--check", NULL,
     "only look whether these users exist and files have their owners and modes"},
    {NULL, NULL, NULL},
};

static const struct cli_command setup_commands[] = {
    {"", "[--hostname NAME --address ADDR]",
     "Make or upgrade databases, host and certificate as the configuration says. May be "
     "run "
     "again after every change of the configuration.",
     0, 0, setup_options,
     "  signpost setup --hostname mail.example.com --address 192.0.2.25 "
     "--address 2001:db8::25\n"
     "  signpost -f build/run/signpost.conf setup",
     run_setup},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct cli_noun cli_setup = {
    "setup", "prepare this host: databases, host, certificate", setup_commands};
