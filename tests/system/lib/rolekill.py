# SPDX-License-Identifier: ISC
"""Kill every role of both daemons in turn while mail and questions come in.

Half of the mail is for accounts here, half goes on to another host (a sink of this file). Used
short by the system tests and long by `make killroles`.
"""
import imaplib
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import threading
import time

from . import crashload
from .host import MX, NS, ROOT, VARIANT, Failed, wait_until
from .mail import context, message, smtp
from .watch import tree

DNSLOAD = os.path.join(ROOT, "build", VARIANT, "bench", "dnsload")
SINK = "127.53.1.77"
LOCAL = ["ann@ours.test", "bea@ours.test"]
RELAYED = ["far@ours.test", "off@ours.test"]
PROBED = "pat@ours.test"
MAIL = ["parent", "edge", "queue", "relay", "mailbox", "directory", "signer", "resolver"]
DNS = ["builder", "serve"]
QUERIES = """\
ours.test. SOA
ours.test. MX
mx.ours.test. A
_dmarc.ours.test. TXT
nobody.ours.test. A NXDOMAIN
ours.test. LOC NODATA
"""
BACK_S = 2.0


class SinkSession(socketserver.StreamRequestHandler):
    """Takes every message; the id of each is noted before its 250 is said."""

    def reply(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def data(self):
        self.reply("354 go on")
        octets = b""
        while not octets.endswith(b"\r\n.\r\n"):
            line = self.rfile.readline()
            if not line:
                return False
            octets += line
        for ident in re.findall(rb"(?m)^X-Load-Id: (\S+)\r?$", octets.partition(b"\r\n\r\n")[0]):
            with self.server.lock:
                got = self.server.got
                got[ident.decode()] = got.get(ident.decode(), 0) + 1
        self.reply("250 2.0.0 noted")
        return True

    def handle(self):
        self.reply("220 sink.ours.test ESMTP")
        while line := self.rfile.readline():
            verb = line.split(b" ")[0].strip().upper()
            if verb == b"DATA":
                if not self.data():
                    return
            elif verb == b"QUIT":
                self.reply("221 2.0.0 bye")
                return
            else:
                self.reply("250 2.0.0 fine")


class Sink(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        self.got, self.lock = {}, threading.Lock()
        super().__init__((SINK, 25), SinkSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # a relay that was killed leaves in the middle of a word


class Canary:
    """Asks for one name all the time; remembers for how long nobody answered."""

    def __init__(self):
        self.longest, self.is_over = 0.0, False
        self.answered = time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        question = b"\0\1\0\0\0\1\0\0\0\0\0\0\4ours\4test\0\0\6\0\1"
        n = 0
        while not self.is_over:
            n = (n + 1) & 0xffff
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.1)
                try:
                    s.sendto(n.to_bytes(2, "big") + question[2:], (NS, 53))
                    if s.recv(512)[:2] == n.to_bytes(2, "big"):
                        now = time.monotonic()
                        self.longest = max(self.longest, now - self.answered)
                        self.answered = now
                except OSError:
                    pass
            time.sleep(0.005)

    def lap(self):
        """The longest silence since the last call."""
        longest = max(self.longest, time.monotonic() - self.answered)
        self.longest = 0.0
        return longest

    def stop(self):
        self.is_over = True
        self.thread.join()


def setup(host):
    """Accounts for the local half, aliases and a route for the other."""
    host.setup(accounts=["ann", "bea", "pat"])
    host.cli("record", "add", "sink.ours.test", "A", SINK)
    for name in ("far", "off"):
        host.cli("record", "add", name + "host.ours.test", "MX", "10", "sink.ours.test.")
        host.cli("alias", "add", name + "@ours.test", "box@%shost.ours.test" % name)
    return host.start()


def serves_mail(host):
    """One message taken and one mailbox opened, each within half a second."""
    try:
        w = smtp("probe.test")
        w.sock.settimeout(0.5)
        for line in ("MAIL FROM:<probe@good.test>", "RCPT TO:<%s>" % PROBED, "DATA"):
            code = w.ask(line)[0]
            if code // 100 not in (2, 3):
                return False
        code = w.ask(message("probe@good.test", PROBED) + b"\r\n.\r\n")[0]
        w.close()
        if code != 250:
            return False
        with imaplib.IMAP4_SSL(MX, 993, ssl_context=lax(host), timeout=0.5) as i:
            i.login(PROBED, host.password)
            return i.select("INBOX", readonly=True)[0] == "OK"
    except (OSError, imaplib.IMAP4.error):
        return False


def lax(host):
    c = context(host)
    c.check_hostname = False
    return c


def pid_of(daemon, role):
    return next((p for n, p in tree(daemon).items() if n.split()[1:2] == [role]), None)


def kill_one(host, daemon, role):
    """kill -9; how long until the service is there again, for the role itself and for clients."""
    since = time.monotonic()
    if role == "parent":
        daemon.proc.kill()
        daemon.proc.wait()
        daemon.start(seconds=30)
    else:
        pid = pid_of(daemon, role)
        if pid is None:
            raise Failed("no process of role %s runs" % role)
        os.kill(pid, signal.SIGKILL)
        wait_until("a new " + role, lambda: pid_of(daemon, role) not in (None, pid), 30)
    back = time.monotonic() - since
    if daemon is host.maild:
        wait_until("mail after the death of " + role, lambda: serves_mail(host), 30)
    return back, time.monotonic() - since


class Questions:
    """dnsload at a fixed rate in the background."""

    def __init__(self, host, rate, seconds):
        path = host.path("queries")
        with open(path, "w") as f:
            f.write(QUERIES)
        self.proc = subprocess.Popen([DNSLOAD, "-a", NS, "-p", "53", "-q", path, "-r", str(rate),
                                      "-t", str(seconds)], stdout=subprocess.PIPE, text=True)

    def result(self):
        out = self.proc.communicate(timeout=600)[0]
        return json.loads(out)


def loader(host, messages, sessions, rate):
    log = host.path("ids.log")
    argv = [crashload.LOADER, "-a", MX, "-p", "25", "-n", str(messages), "-s", str(sessions), "-R",
            str(rate), "-b", "1000-12000", "-l", log]
    for r in LOCAL + RELAYED:
        argv += ["-t", r]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), log


def verify(host, sink, promised, seconds=300):
    """Local ids exactly once, relayed ones at least once."""
    local = {i: r for i, r in promised.items() if r in LOCAL}
    away = [i for i, r in promised.items() if r in RELAYED]
    result = crashload.verify(host, local)
    try:
        wait_until("the relayed messages", lambda: all(i in sink.got for i in away), seconds)
    except Failed:
        pass
    result["local"], result["relayed"] = len(local), len(away)
    result["not relayed"] = [i for i in away if i not in sink.got]
    result["relayed twice"] = sum(sink.got[i] > 1 for i in away if i in sink.got)
    return result


def faults_of(result):
    return ["%s: %s" % (word, x) for word in ("lost", "twice", "damaged", "not relayed")
            for x in result[word]]
