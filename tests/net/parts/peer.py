# SPDX-License-Identifier: ISC
"""The peer: a Postfix that checks SPF, DKIM and DMARC of what it gets and says what it
found in Authentication-Results; port 10587 takes mail from peer.test and sends it out.
"""
import grp
import os
import pwd
import shutil
import subprocess

from .keys import ca, mx_cert
from .process import die, sh, spawn, tcp_open, wait_for, which, write
from .settings import (DNS_PORT, NET6, NODEFAULT, PEER, PEER_DKIM, PEER_DMARC, RESOLVER,
                       SMTP_PORT, STATE, SUBMIT_PORT, path)
from .zones import read_zones

USERS = "user alice bob postmaster abuse dmarc-rua dmarc-ruf tls-rua list".split()
# addresses that answer something else than "welcome", in every domain
ANSWERS = ("/^full@/ 452 4.2.2 Mailbox full\n/^later@/ 451 4.3.0 Try again later\n"
           "/^never@/ 550 5.7.1 Not wanted here\n/^drop@/ 421 4.3.2 Shutting down\n")


def make_folders():
    # Mail, queue and log of an earlier run would answer for this one.
    for old in ("peer/mail", "peer/queue"):
        shutil.rmtree(path(old), ignore_errors=True)
    if os.path.exists(path("log/peer.log")):
        os.unlink(path("log/peer.log"))
    for sub, mode in (("", 0o755), ("queue", 0o755), ("data", 0o755), ("mail", 0o777),
                      ("conf", 0o755)):
        os.makedirs(path("peer", sub), exist_ok=True)
        os.chmod(path("peer", sub), mode)
    postfix = pwd.getpwnam("postfix")
    os.chown(path("peer/data"), postfix.pw_uid, postfix.pw_gid)
    nobody = pwd.getpwnam("nobody")
    if subprocess.run(["setpriv", "--reuid", str(nobody.pw_uid), "--clear-groups", "test",
                       "-x", path("peer")], check=False).returncode:
        die("%s cannot be reached by other users: set SIGNPOST_NET_STATE to a folder that can"
            % STATE)


def write_dkim():
    """opendkim: verify what comes in."""
    write("peer/dkim.conf", "\n".join([
        "Syslog no", "LogResults yes", "Mode v", "Socket inet:%d@%s" % (PEER_DKIM, PEER),
        "AuthservID mx.peer.test", "AlwaysAddARHeader yes",
        "ResolverConfiguration " + path("peer/dkim.unbound"), "MinimumKeyBits 1024", "UserID root", "PidFile " + path("peer/dkim.pid"), ""]))
    # opendkim asks through libunbound: the same special zones as everywhere
    write("peer/dkim.unbound",
          "server:\n  do-not-query-localhost: no\n  do-ip6: no\n  cache-max-ttl: 2\n"
          "  cache-max-negative-ttl: 1\n  trust-anchor-file: \"%s\"\n" % path("root.key")
          + "".join('  local-zone: "%s" nodefault\n' % z for z in NODEFAULT)
          + "forward-zone:\n  name: .\n  forward-addr: %s@%d\n" % (RESOLVER, DNS_PORT))
    write("peer/internal", PEER + "\n")


def write_dmarc_spf():
    """opendmarc refuses what p=reject refuses; SPF comes from policyd-spf, because
    libspf2 in opendmarc says pass to every 127.x client."""
    write("peer/dmarc.conf", "\n".join([
        "AuthservID mx.peer.test", "TrustedAuthservIDs mx.peer.test", "Syslog false",
        "RejectFailures true",
        "PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat",
        "Socket inet:%d@%s" % (PEER_DMARC, PEER), "SPFIgnoreResults false",
        "SPFSelfValidate false", "UserID root", "PidFile " + path("peer/dmarc.pid"),
        "IgnoreHosts " + path("peer/internal"), "HistoryFile " + path("peer/dmarc.history"),
        ""]))
    write("peer/spf.conf", "\n".join([
        "debugLevel = 1", "TestOnly = 1", "HELO_reject = False", "Mail_From_reject = False",
        "PermError_reject = False", "TempError_Defer = False",
        "skip_addresses = 192.0.2.255/32", "Header_Type = AR", "Authserv_Id = mx.peer.test",
        ""]))


def write_tables():
    served = [z.name.rstrip(".") for z in read_zones().values()
              if z.served and z.server == "leaf" and not z.name.endswith("arpa.")
              and z.name != "ours.test."]
    served += ["sub.good.test", "a.psd.test", "x.wild.test", "mail.cname.test"]
    write("peer/conf/rcpt", ANSWERS)
    write("peer/conf/domains", "".join("%s ok\n" % d for d in served))
    write("peer/conf/mailboxes",
          "".join("%s@%s %s/%s/\n" % (u, d, d, u) for d in served for u in USERS))


def main_cf():
    chain, key = mx_cert()
    conf = {
        "compatibility_level": "3.6",
        "queue_directory": path("peer/queue"), "data_directory": path("peer/data"),
        "maillog_file": path("log/peer.log"), "maillog_file_prefixes": STATE,
        "myhostname": "mx.peer.test", "mydomain": "peer.test", "myorigin": "peer.test",
        "mydestination": "", "alias_maps": "", "alias_database": "",
        "local_recipient_maps": "",
        # the services name their address themselves; Postfix knows only what lo lists
        "inet_interfaces": "127.0.0.1",
        "proxy_interfaces": PEER + ((", " + NET6 + "25") if NET6 else ""),
        "inet_protocols": "all" if NET6 else "ipv4",
        "smtp_bind_address": PEER, "smtp_bind_address6": NET6 + "25" if NET6 else "",
        "mynetworks": PEER + "/32", "mynetworks_style": "host", "recipient_delimiter": "+",
        "virtual_mailbox_domains": "texthash:" + path("peer/conf/domains"),
        "virtual_mailbox_maps": "texthash:" + path("peer/conf/mailboxes"),
        "virtual_mailbox_base": path("peer/mail"),
        "virtual_uid_maps": "static:%d" % pwd.getpwnam("nobody").pw_uid,
        "virtual_gid_maps": "static:%d" % grp.getgrnam("nogroup").gr_gid,
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_recipient_restrictions":
            "check_recipient_access regexp:%s, permit_mynetworks, reject_unauth_destination, "
            "check_policy_service unix:private/policyd-spf" % path("peer/conf/rcpt"),
        "policyd-spf_time_limit": "3600",
        "smtpd_milters": "inet:%s:%d, inet:%s:%d" % (PEER, PEER_DKIM, PEER, PEER_DMARC),
        "non_smtpd_milters": "inet:%s:%d" % (PEER, PEER_DKIM),
        "milter_default_action": "tempfail",
        "smtpd_tls_cert_file": chain, "smtpd_tls_key_file": key,
        "smtpd_tls_security_level": "may", "smtpd_tls_received_header": "yes",
        "smtpd_tls_loglevel": "1", "smtp_tls_security_level": "dane",
        "smtp_dns_support_level": "dnssec", "smtp_tls_loglevel": "1", "smtp_tls_CAfile": ca(),
        "minimal_backoff_time": "5s", "maximal_backoff_time": "30s", "queue_run_delay": "5s",
        "bounce_queue_lifetime": "5m", "maximal_queue_lifetime": "5m",
        "smtpd_error_sleep_time": "0", "smtpd_client_connection_rate_limit": "0",
        "smtpd_client_connection_count_limit": "0", "smtpd_hard_error_limit": "1000",
        "enable_long_queue_ids": "yes", "biff": "no", "smtputf8_enable": "yes",
        "smtpd_forbid_bare_newline": "normalize", "smtpd_forbid_unauth_pipelining": "yes",
        "notify_classes": "",
    }
    known = sh("postconf", "-d", check=False)
    for name in ("smtpd_forbid_bare_newline", "smtpd_forbid_unauth_pipelining"):
        if name not in known:
            del conf[name]
    return "".join("%s = %s\n" % kv for kv in conf.items())


def master_cf():
    local = (" -o smtpd_relay_restrictions=permit_mynetworks,reject"
             " -o smtpd_recipient_restrictions=permit_mynetworks,reject"
             " -o mynetworks=127.0.0.0/8 -o smtpd_milters=")
    rows = ["%s:%d inet n - n - - smtpd" % (PEER, SMTP_PORT)]
    if NET6:
        rows.append("[%s25]:%d inet n - n - - smtpd" % (NET6, SMTP_PORT))
    rows.append("%s:%d inet n - n - - smtpd%s" % (PEER, SUBMIT_PORT, local))
    rows += ["pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup",
             "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr",
             "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
             "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
             "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
             "proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap",
             "smtp unix - - n - - smtp", "relay unix - - n - - smtp",
             "showq unix n - n - - showq", "error unix - - n - - error",
             "retry unix - - n - - error", "discard unix - - n - - discard",
             "local unix - n n - - local", "virtual unix - n n - - virtual",
             "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
             "postlog unix-dgram n - n - 1 postlogd",
             "policyd-spf unix - n n - 0 spawn user=nobody argv=%s %s"
             % (which("policyd-spf"), path("peer/spf.conf"))]
    return "\n".join(rows) + "\n"


def start_peer():
    make_folders()
    write_dkim()
    write_dmarc_spf()
    write_tables()
    write("peer/conf/main.cf", main_cf())
    write("peer/conf/master.cf", master_cf())
    p = spawn("peer-dkim", ["opendkim", "-f", "-l", "-x", path("peer/dkim.conf")])
    wait_for("the peer's DKIM milter", lambda: tcp_open(PEER, PEER_DKIM), p, "peer-dkim")
    p = spawn("peer-dmarc", ["opendmarc", "-f", "-l", "-c", path("peer/dmarc.conf")])
    wait_for("the peer's DMARC milter", lambda: tcp_open(PEER, PEER_DMARC), p, "peer-dmarc")
    p = spawn("peer", ["postfix", "-c", path("peer/conf"), "start-fg"])
    wait_for("the peer", lambda: tcp_open(PEER, SMTP_PORT), p, "peer")
