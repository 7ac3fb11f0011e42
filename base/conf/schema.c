/* SPDX-License-Identifier: ISC */
/* base/conf/schema.c - every key of signpost.conf, once.
 *
 * From this table come the checks of conf_parse(), the messages, docs/examples and
 * signpost.conf(5). A new key is a row here and a conf_*() call where it is used; keep the
 * rows in the order in which a reader of the manual page wants to meet them. */
#include "base/conf/conf.h"

/* clang-format off */
const struct conf_key conf_schema[] = {
    /* This host. */
    {.key = "hostname", .type = CONF_HOST, .example = "mail.example.com",
     .help = "name of this host in greetings, Received fields and MX records; it must "
             "resolve to its addresses and they back to it"},
    {.key = "address", .type = CONF_ADDR, .is_repeatable = true, .example = "192.0.2.25",
     .help = "public address of this host, published in A and AAAA and SPF records"},
    {.key = "ns_name", .type = CONF_HOST, .fallback = "", .is_repeatable = true,
     .example = "ns1.example.com",
     .help = "name server to publish in NS records; without any, hostname"},
    {.key = "data_dir", .type = CONF_PATH, .fallback = "/var/lib/signpost",
     .example = "/var/lib/signpost", .help = "databases, keys, journal and mail"},
    {.key = "run_dir", .type = CONF_PATH, .fallback = "/run/signpost",
     .example = "/run/signpost", .help = "control and notification sockets"},

    /* Listeners and TLS. */
    {.key = "listen", .type = CONF_LISTEN, .is_repeatable = true,
     .example = "smtp 192.0.2.25:25",
     .help = "open a port: dns (UDP and TCP), smtp (mail from other servers), submission "
             "(STARTTLS), submissions (TLS), imap (STARTTLS) or imaps (TLS), then "
             "ADDRESS:PORT, [ADDRESS]:PORT for IPv6 or *:PORT for all addresses"},
    {.key = "tls_chain", .type = CONF_PATH, .fallback = "%D/tls/chain.pem",
     .is_reloadable = true, .example = "/etc/ssl/mail.pem",
     .help = "certificate of hostname and those above it, PEM, own certificate first"},
    {.key = "tls_key", .type = CONF_PATH, .fallback = "%D/tls/key.pem",
     .is_reloadable = true, .example = "/etc/ssl/private/mail.key",
     .help = "private key of the certificate, PEM"},
    {.key = "allow_cleartext_login", .type = CONF_BOOL, .fallback = "no", .example = "no",
     .help = "let people log in without TLS; passwords then travel readable"},

    /* Limits of sessions and messages. */
    {.key = "message_size_max", .type = CONF_INT, .unit = "octets", .min = 65536,
     .max = 1073741824, .fallback = "52428800", .example = "50M",
     .help = "largest message taken, announced with SIZE (RFC 1870)"},
    {.key = "recipients_max", .type = CONF_INT, .unit = "", .min = 100, .max = 1000,
     .fallback = "500", .example = "500",
     .help = "recipients of one message; RFC 5321 4.5.3.1.8 asks for at least 100"},
    {.key = "hops_max", .type = CONF_INT, .unit = "", .min = 5, .max = 100,
     .fallback = "25", .example = "25",
     .help = "Received fields after which a message is taken to run in circles"},
    {.key = "sessions_max", .type = CONF_INT, .unit = "", .min = 1, .max = 100000,
     .fallback = "2000", .example = "2000",
     .help = "mail sessions of all clients together"},
    {.key = "sessions_per_client_max", .type = CONF_INT, .unit = "", .min = 1,
     .max = 100000, .fallback = "50", .example = "50",
     .help = "mail sessions of one IPv4 address or one IPv6 /64"},
    {.key = "session_idle", .type = CONF_INT, .unit = "s", .min = 10, .max = 3600,
     .fallback = "300", .example = "5m",
     .help = "SMTP: how long to wait for the next command (RFC 5321 4.5.3.2.7)"},
    {.key = "session_errors_max", .type = CONF_INT, .unit = "", .min = 1, .max = 1000,
     .fallback = "20", .example = "20",
     .help = "SMTP: refused commands after which the session is closed"},
    {.key = "session_time_max", .type = CONF_INT, .unit = "s", .min = 60, .max = 86400,
     .fallback = "7200", .example = "2h",
     .help = "SMTP: how long a session may last in all"},
    {.key = "session_messages_max", .type = CONF_INT, .unit = "", .min = 1,
     .max = 1000000, .fallback = "1000", .example = "1000",
     .help = "SMTP: messages of one session"},
    {.key = "login_timeout", .type = CONF_INT, .unit = "s", .min = 5, .max = 600,
     .fallback = "60", .example = "60",
     .help = "IMAP: how long a client may take to log in"},
    {.key = "imap_idle", .type = CONF_INT, .unit = "s", .min = 60, .max = 86400,
     .fallback = "1800", .example = "30m",
     .help = "IMAP: how long a session may be silent after login (RFC 9051 5.4)"},
    {.key = "imap_sessions_max", .type = CONF_INT, .unit = "", .min = 1, .max = 10000,
     .fallback = "50", .example = "50",
     .help = "IMAP: sessions of one account at a time; phones keep one open per folder"},
    {.key = "index_snapshot", .type = CONF_INT, .unit = "s", .min = 1, .max = 604800,
     .fallback = "3600", .example = "1h",
     .help = "how often the index of a mailbox store that changed is copied; should it be "
             "lost, flags and moves since then are lost with it, mail is not"},

    /* Outbound mail. */
    {.key = "outbound_source", .type = CONF_ADDR, .fallback = "", .is_repeatable = true,
     .example = "192.0.2.25",
     .help = "address to send from, at most one for each of IPv4 and IPv6"},
    {.key = "outbound_port", .type = CONF_INT, .unit = "", .min = 1, .max = 65535,
     .fallback = "25", .example = "25", .help = "port of other mail servers; for tests"},
    {.key = "queue_retry_first", .type = CONF_INT, .unit = "s", .min = 1, .max = 86400,
     .fallback = "300", .example = "5m",
     .help = "wait after the first failed attempt; doubles with each further one"},
    {.key = "queue_retry_max", .type = CONF_INT, .unit = "s", .min = 1, .max = 604800,
     .fallback = "14400", .example = "4h",
     .help = "longest wait between two attempts"},
    {.key = "queue_lifetime", .type = CONF_INT, .unit = "s", .min = 1, .max = 2592000,
     .fallback = "432000", .example = "5d",
     .help = "age at which mail that cannot be sent goes back to its sender"},

    /* Looking up names. */
    {.key = "resolver_root_hints", .type = CONF_PATH, .fallback = "",
     .example = "/usr/share/dns/root.hints",
     .help = "file with the root name servers; without, the built-in list"},
    {.key = "resolver_trust_anchor", .type = CONF_PATH, .fallback = "",
     .example = "/usr/share/dns/root.key",
     .help = "file with the DNSSEC keys of the root; without, nothing is validated"},
    {.key = "resolver_forward", .type = CONF_SERVER, .fallback = "",
     .is_repeatable = true, .example = "192.0.2.53",
     .help = "ask this resolver instead of the name servers of the world"},
    {.key = "resolver_nodefault", .type = CONF_ZONE, .fallback = "",
     .is_repeatable = true, .example = "test.",
     .help = "ask the name servers for this special-use zone too, instead of answering "
             "that it does not exist; for private networks and tests"},
    {.key = "resolver_localhost", .type = CONF_BOOL, .fallback = "no", .example = "no",
     .help = "allow questions to name servers on 127.0.0.1 and ::1; for tests"},

    /* Name server. */
    {.key = "dns_threads", .type = CONF_INT, .unit = "", .min = 0, .max = 256,
     .fallback = "0", .example = "0", .help = "answering threads; 0: one for each core"},

    /* Processes. */
    {.key = "edge_processes", .type = CONF_INT, .unit = "", .min = 1, .max = 16,
     .fallback = "1", .example = "4",
     .help = "processes that take connections and do TLS; each has its share of sessions_max "
             "and sessions_per_client_max, rounded up, and a client cannot choose which one "
             "it meets"},
    {.key = "mailbox_processes", .type = CONF_INT, .unit = "", .min = 1, .max = 16,
     .fallback = "1", .example = "4",
     .help = "processes that keep the mail of accounts; an account is always with the same"},
    {.key = "relay_processes", .type = CONF_INT, .unit = "", .min = 1, .max = 16,
     .fallback = "1", .example = "2",
     .help = "processes that send to other hosts; a domain is always with the same, so that "
             "limits to one destination hold"},

    /* Confinement. */
    {.key = "privsep", .type = CONF_CHOICE, .choices = "auto full seccomp off",
     .fallback = "auto", .example = "full",
     .help = "how far the parts of the daemons are shut in: full (a user of its own for each "
             "part, no files but its own, no system calls but those it needs; root only), "
             "seccomp (one user; limits and system calls), off (for debuggers, valgrind), "
             "auto (full for root, else seccomp)"},

    /* Log, tests. */
    {.key = "log_file", .type = CONF_PATH, .fallback = "", .is_reloadable = true,
     .example = "/var/log/signpost.log",
     .help = "file to append to; without, standard error"},
    {.key = "log_format", .type = CONF_CHOICE, .choices = "text json", .fallback = "text",
     .example = "json", .help = "how a line of the log is written"},
    {.key = "log_level", .type = CONF_CHOICE, .choices = "debug info warn error",
     .fallback = "info", .example = "info",
     .help = "least important event to be logged"},
    {.key = "loopback_is_stranger", .type = CONF_BOOL, .fallback = "no", .example = "no",
     .help = "treat clients on 127.0.0.0/8 and ::1 as any other; for tests"},
};
/* clang-format on */

const size_t conf_schema_count = COUNT_OF(conf_schema);
