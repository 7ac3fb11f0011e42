# SPDX-License-Identifier: ISC
"""Area imap: one command repeated on 1, 10 and 50 connections, beside Dovecot's three stores.

Ten users with 1,000 messages of some 2.9 KB each. The clock starts when all connections are
logged in. Memory is that of 1,000 connections in IDLE, all processes with and without them.
"""
import os
import shutil
import socket
import ssl

from ..dovecot import Dovecot
from ..figures import Figures
from ..mail import DOMAIN, PASSWORD, OurMail
from ..private import Brake, make_etc
from ..process import Failed, cpu_seconds, load, pss_mb
from ..settings import BENCH_BIN, RESULTS, fresh, progress

IMAPLOAD = os.path.join(BENCH_BIN, "imapload")
PACKAGES = ["dovecot-core"]
USERS, IDLERS = 10, 1000
STORES = ["maildir", "sdbox", "mdbox"]

# operation of imapload -> (what it is called here, connections)
OPERATIONS = {
    "login": ("login, password in clear at Dovecot", (1, 10, 50)),
    "select": ("re-SELECT", (1, 10, 50)),
    "flags": ("FETCH flags of 1,000", (1, 10)),
    "headers": ("FETCH 5 header fields of 1,000", (1, 10, 50)),
    "body": ("FETCH body", (1, 10, 50)),
    "store": ("STORE flag", (1, 10, 50)),
    "search": ("SEARCH SUBJECT in 1,000", (1, 10)),
    "searchbody": ("SEARCH BODY in 1,000, no hit", (1,)),
    "append": ("APPEND 2 KB", (1, 10, 50)),
    "noop": ("NOOP", (1, 10, 50)),
}
SCRYPT = "login, scrypt (ours remembers it for ten minutes)"
COSTS = {"headers", "body", "store", "append"}  # with their processor time, on 10 connections
IDLE = {False: "memory of a connection in IDLE", True: "memory of a connection in IDLE, TLS"}


def title(operation, n):
    return "%s x%d" % (OPERATIONS[operation][0], n)


def cpu_title(operation):
    return "CPU, %s x10" % OPERATIONS[operation][0]


def argv(server, operation, connections, seconds, user="u"):
    return [IMAPLOAD, "-p", server.imap, "-o", operation, "-w", PASSWORD, "-d", DOMAIN, "-U",
            USERS, "-c", connections, "-t", seconds, "-u", user]


def declare(figures):
    for operation, (_, connections) in OPERATIONS.items():
        for n in connections:
            figures.case(title(operation, n), "commands/s")
        if operation in COSTS:
            figures.case(cpu_title(operation), "us/command", more=False)
    figures.case(SCRYPT, "commands/s")
    for case in IDLE.values():
        figures.case(case, "KB", more=False)


def measure(figures, server, operation, n, seconds):
    has_cost = n == 10 and operation in COSTS
    try:
        with Brake(0) as brake:
            cpu = cpu_seconds(server.server.pid())
            got = load(argv(server, operation, n, seconds), seconds + 90)
            brake.settle(quiet_s=0.5 if operation == "append" else 0.1)
            cpu = cpu_seconds(server.server.pid()) - cpu
        figures.add(title(operation, n), server.name, got["rate"])
        if has_cost:
            figures.add(cpu_title(operation), server.name, cpu * 1e6 / got["done"])
    except Failed as e:
        figures.fail(title(operation, n), server.name, str(e))
        if has_cost:
            figures.fail(cpu_title(operation), server.name, str(e))


class Idler:
    """One connection that has logged in, selected INBOX and said IDLE."""

    def __init__(self, server, number, context):
        port = server.imaps if context else server.imap
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        if context:
            self.sock = context.wrap_socket(self.sock)
        self.rest = b""
        self.until(b"* OK")
        self.say("a LOGIN u%d@%s \"%s\"" % (number % USERS, DOMAIN, PASSWORD), b"a OK")
        self.say("b SELECT INBOX", b"b OK")
        self.say("c IDLE", b"+")

    def say(self, text, want):
        self.sock.sendall(text.encode() + b"\r\n")
        self.until(want)

    def until(self, want):
        while True:
            while b"\n" not in self.rest:
                got = self.sock.recv(65536)
                if not got:
                    raise Failed("the connection was closed, wanted %r" % want)
                self.rest += got
            line, self.rest = self.rest.split(b"\n", 1)
            if line.startswith(want):
                return
            if not line.startswith(b"*"):
                raise Failed("%r, wanted %r" % (line, want))


def idle_kb(server, context):
    before = pss_mb(server.server.pid())
    idlers = []
    try:
        for i in range(IDLERS):
            idlers.append(Idler(server, i, context))
        return (pss_mb(server.server.pid()) - before) * 1024 / IDLERS
    except OSError as e:
        raise Failed("connection %d: %s" % (len(idlers), e)) from None
    finally:
        for i in idlers:
            i.sock.close()


def memory(figures, servers):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    for is_tls, case in IDLE.items():
        for s in servers:
            try:
                figures.add(case, s.name, idle_kb(s, context if is_tls else None))
            except Failed as e:
                figures.fail(case, s.name, str(e))


def one_round(figures, servers, seconds):
    for operation, (_, connections) in OPERATIONS.items():
        for n in connections:
            for s in servers:
                measure(figures, s, operation, n, seconds)
    for s in servers:
        try:
            figures.add(SCRYPT, s.name,
                        load(argv(s, "login", 10, seconds, "s"), seconds + 90)["rate"])
        except Failed as e:
            figures.fail(SCRYPT, s.name, str(e))


def run(settings):
    rounds, seconds = settings.rounds or 3, settings.seconds or 1
    make_etc()
    figures = Figures("imap", RESULTS, rounds)
    declare(figures)
    ours = OurMail(2725)
    for i in range(USERS):
        ours.host.add_account("s%d@%s" % (i, DOMAIN))
    servers = [ours]
    tls = shutil.copytree(ours.host.path("data", "tls"), os.path.join(fresh("tls"), "tls"))
    servers += [Dovecot(s, 2800 + 10 * i, tls, USERS) for i, s in enumerate(STORES)]
    try:
        for s in servers:
            s.start()
            progress("imap: filling %s" % s.name)
            load(argv(s, "fill", USERS, 1), 300)
        # While the servers are young: memory is what connections take, not what load left.
        memory(figures, servers)
        for number in range(rounds):
            progress("imap: round %d of %d" % (number + 1, rounds))
            one_round(figures, servers, seconds)
    finally:
        for s in servers:
            s.stop()
    return figures
