# SPDX-License-Identifier: ISC
"""The mail servers of the areas smtp and queue: ours and Postfix, configured alike.

Both look up the client's name, write no log of messages (Postfix has no syslog here: its
own log writer syncs every line, which would only measure that), refuse nothing for its rate,
and keep what they take for ten users of one domain: ours in its store, Postfix in Maildirs.
"""
import grp
import imaplib
import os
import pwd
import socket
import sys

from .process import Server, wait_until
from .settings import BIN, ROOT, fresh

sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
from lib.host import Host  # noqa: E402

DOMAIN = "ours.test"
USERS = ["u%d" % i for i in range(10)]
ADDRESSES = ["%s@%s" % (u, DOMAIN) for u in USERS]
# Each of these leads to a mailbox elsewhere: {address here: address there}.
ELSEWHERE = {"r%d@%s" % (i, DOMAIN): "u%d@sink.test" % i for i in range(10)}
PASSWORD = "correct horse 1"

# Limits that exist to keep strangers at bay would only measure themselves here.
OURS_CONF = """\
hostname mx.ours.test
address 127.0.0.1
data_dir {{dir}}/data
run_dir {{dir}}/run
privsep seccomp
listen smtp 127.0.0.1:{smtp}
listen imap 127.0.0.1:{imap}
listen imaps 127.0.0.1:{imaps}
allow_cleartext_login yes
sessions_max 20000
sessions_per_client_max 20000
session_messages_max 1000000
imap_sessions_max 5000
resolver_localhost yes
resolver_nodefault test.
resolver_nodefault 127.in-addr.arpa.
log_file {{dir}}/maild.log
log_level warn
{more}"""


class OurMail:
    """maild on loopback, whether it is one process or a tree."""
    name = "ours"

    def __init__(self, port, more=""):
        self.port, self.imap, self.imaps = port, port + 1, port + 2
        self.host = Host(fresh("ours"), conf=OURS_CONF.format(
            smtp=port, imap=self.imap, imaps=self.imaps, more=more))
        self.host.setup(DOMAIN, USERS, PASSWORD)
        for here, there in ELSEWHERE.items():
            self.host.cli("alias", "add", here, there)
        self.server = Server("maild", [os.path.join(BIN, "maild"), "-f", self.host.conf],
                             self.host.path("out"))
        self.boxes = []

    def start(self):
        self.server.start()
        wait_until("maild: ready", self.is_ready, 30, 0.01)
        return self

    def is_ready(self):
        self.server.check()
        with open(self.host.path("out")) as f:
            return "maild: ready" in f.read()

    def delivered(self):
        """What a reader could see, over IMAP."""
        if not self.boxes:
            for a in ADDRESSES:
                box = imaplib.IMAP4("127.0.0.1", self.imap, timeout=60)
                box.login(a, PASSWORD)
                self.boxes.append(box)
        return sum(int(b.status("INBOX", "(MESSAGES)")[1][0].split()[-1].rstrip(b")"))
                   for b in self.boxes)

    def stop(self):
        for b in self.boxes:
            b.shutdown()
        self.boxes = []
        self.server.stop()


MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
myhostname = mx.post.test
mydomain = post.test
myorigin = post.test
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{dir}/conf/mailboxes
virtual_alias_maps = texthash:{dir}/conf/aliases
virtual_mailbox_base = {dir}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_tls_security_level = none
smtp_tls_security_level = none
biff = no
{more}"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class Postfix:
    """Debian's Postfix with its shipped limits of concurrency, in a folder of its own."""
    name = "postfix"

    def __init__(self, port, more=""):
        self.port = port
        self.dir = fresh("postfix")
        for sub in ("", "queue", "data", "mail", "conf"):
            os.makedirs(self.path(sub), exist_ok=True)
        postfix, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(self.path("data"), postfix.pw_uid, postfix.pw_gid)
        os.chown(self.path("mail"), nobody.pw_uid, -1)
        self.write("conf/mailboxes", "".join("%s %s/\n" % (a, a) for a in ADDRESSES))
        self.write("conf/aliases", "".join("%s %s\n" % x for x in ELSEWHERE.items()))
        self.write("conf/main.cf", MAIN_CF.format(
            dir=self.dir, domain=DOMAIN, uid=nobody.pw_uid,
            gid=grp.getgrnam("nogroup").gr_gid, more=more))
        self.write("conf/master.cf", MASTER_CF.format(port=port))
        self.server = Server("postfix", ["postfix", "-c", self.path("conf"), "start-fg"],
                             self.path("out"), ["postfix", "-c", self.path("conf"), "stop"])

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def start(self):
        self.server.start()
        wait_until("Postfix's port", self.is_ready, 30, 0.05)
        return self

    def is_ready(self):
        self.server.check()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                return s.recv(4) == b"220 "
        except OSError:
            return False

    def delivered(self):
        n = 0
        for a in ADDRESSES:
            try:
                n += len(os.listdir(self.path("mail/%s/new" % a)))
            except FileNotFoundError:
                continue
        return n

    def stop(self):
        self.server.stop()
