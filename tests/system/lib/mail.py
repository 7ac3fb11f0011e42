# SPDX-License-Identifier: ISC
"""Mail by hand: raw SMTP lines, whole submissions, IMAP boxes, the peer's maildirs."""
import email
import email.policy
import imaplib
import os
import smtplib
import socket
import ssl

from .host import MX, PATIENCE, wait_until


class Wire:
    """A line protocol spoken octet by octet."""

    def __init__(self, port, addr=MX, source=None, seconds=15):
        self.sock = socket.create_connection((addr, port), seconds * PATIENCE,
                                             (source, 0) if source else None)
        self.rest = b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """One line without its end; b"" when the connection is closed."""
        while b"\n" not in self.rest:
            data = self.sock.recv(65536)
            if not data:
                left, self.rest = self.rest, b""
                return left
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.rstrip(b"\r")

    def reply(self):
        """A whole SMTP reply: (code, text), or (0, "") when the connection is closed."""
        lines = []
        while True:
            line = self.line().decode(errors="replace")
            if not line:
                return 0, "\n".join(lines)
            lines.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(lines)

    def ask(self, line):
        self.send(line + "\r\n" if isinstance(line, str) else line)
        return self.reply()

    def start_tls(self, ca, name="mx.ours.test"):
        context = ssl.create_default_context(cafile=ca)
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.rest = b""

    def close(self):
        self.sock.close()


def smtp(helo="client.test", port=25, source=None):
    """A Wire that has been greeted."""
    w = Wire(port, source=source)
    w.reply()
    w.ask("EHLO " + helo)
    return w


def message(sender, to, subject="test", body="Hello.\r\n", more=""):
    return ("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Sun, 22 Nov 2026 20:00:00 +0000\r\n"
            "Message-ID: <%s@test>\r\n%s\r\n%s"
            % (sender, to, subject, subject.replace(" ", "-"), more, body)).encode()


def context(host):
    return ssl.create_default_context(cafile=host.ca)


class Submission(smtplib.SMTP):
    """smtplib that checks the certificate for mx.ours.test whatever address it dials."""

    def __init__(self, host, login, port=587):
        super().__init__(timeout=20 * PATIENCE, local_hostname="client.ours.test")
        if port == 465:
            self._host = "mx.ours.test"
            self.sock = context(host).wrap_socket(
                socket.create_connection((MX, port), 20 * PATIENCE), server_hostname="mx.ours.test")
            self.file = None
            self.getreply()
        else:
            self.connect(MX, port)
            self._host = "mx.ours.test"
            self.starttls(context=context(host))
        if login:
            self.login(login, host.password)


def submit(host, login, to, data, port=587):
    with Submission(host, login, port) as s:
        return s.sendmail(login, to if isinstance(to, list) else [to], data, ["BODY=8BITMIME"])


class Box:
    """An IMAP session over TLS with one folder selected."""

    def __init__(self, host, login, folder="INBOX"):
        self.imap = imaplib.IMAP4(MX, 143, timeout=30 * PATIENCE)
        self.imap.host = "mx.ours.test"
        self.imap.starttls(context(host))
        self.imap.login(login, host.password)
        self.count = int(self.imap.select(folder)[1][0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.imap.logout()
        except (OSError, imaplib.IMAP4.error):
            pass

    def all(self, what="BODY.PEEK[]", step=200):
        """{uid: octets} of every message."""
        out = {}
        for first in range(1, self.count + 1, step):
            last = min(first + step - 1, self.count)
            _, data = self.imap.fetch("%d:%d" % (first, last), "(UID %s)" % what)
            for part in data:
                if isinstance(part, tuple):
                    uid = int(part[0].split(b"UID ")[1].split()[0])
                    out[uid] = part[1]
        return out


def inbox(host, login, folder="INBOX"):
    with Box(host, login, folder) as box:
        return list(box.all().values())


def wait_mail(host, login, test=lambda m: True, seconds=20, folder="INBOX"):
    """The first message that passes `test`, as octets."""
    def look():
        return next((m for m in inbox(host, login, folder) if test(m)), None)
    return wait_until("mail for " + login, look, seconds)


def peer_copies(user="user", domain="peer.test"):
    folder = os.path.join(os.environ["NET_PEER_MAIL"], domain, user, "new")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    out = []
    for n in names:
        with open(os.path.join(folder, n), "rb") as f:
            out.append(f.read())
    return out


def wait_peer(text, user="user", domain="peer.test", seconds=30):
    """The peer's delivered copy that contains `text` (octets)."""
    def look():
        return next((m for m in peer_copies(user, domain) if text in m), None)
    return wait_until("the peer's copy", look, seconds)


def parse(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)
