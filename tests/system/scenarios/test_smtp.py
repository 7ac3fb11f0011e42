# SPDX-License-Identifier: ISC
"""SMTP in: what is offered, what is refused, and what hostile clients can do."""
import socket
import time
import unittest

from lib.host import MX, Failed, Host, wait_until
from lib.mail import Wire, inbox, message, smtp, wait_mail

SENDER = "bob@good.test"


def begin(w, to="ann@ours.test"):
    w.ask("MAIL FROM:<%s>" % SENDER)
    w.ask("RCPT TO:<%s>" % to)
    return w.ask("DATA")[0]


class Smtp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("smtp", "session_idle 10\n").setup(accounts=("ann", "eve")).start()

    @classmethod
    def tearDownClass(cls):
        cls.host.kill()

    def test_features_and_a_message(self):
        w = Wire(25, source="127.53.0.31")
        self.assertEqual(w.reply()[0], 220)
        code, text = w.ask("EHLO out.good.test")
        self.assertEqual(code, 250)
        for feature in ("PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS"):
            self.assertIn(feature, text)
        self.assertNotIn("AUTH", text)
        self.assertEqual(begin(w), 354)
        data = message(SENDER, "ann@ours.test", "features", "..dot\r\nplain\r\n")
        code, text = w.ask(data.replace(b"\r\n..dot", b"\r\n...dot") + b".\r\n")
        self.assertEqual(code, 250, text)
        got = wait_mail(self.host, "ann@ours.test", lambda m: b"Subject: features" in m)
        self.assertTrue(got.endswith(data), got)
        self.assertIn(b"\r\nReceived: from out.good.test", b"\r\n" + got)
        self.assertTrue(got.startswith(b"Return-Path: <bob@good.test>"), got[:80])
        self.assertEqual(w.ask("QUIT")[0], 221)

    def test_recipients(self):
        w = smtp()
        w.ask("MAIL FROM:<%s>" % SENDER)
        self.assertEqual(w.ask("RCPT TO:<nobody@ours.test>")[0], 550)
        code, text = w.ask("RCPT TO:<user@peer.test>")
        self.assertEqual(code, 550)
        self.assertTrue(text.startswith("5.7.1"), text)
        self.assertEqual(w.ask("RCPT TO:<ann+box@ours.test>")[0], 250)
        self.assertEqual(w.ask("RCPT TO:<postmaster>")[0], 250)
        self.assertEqual(w.ask("RCPT TO:<PostMaster@ours.test>")[0], 250)
        self.assertEqual(w.ask("RSET")[0], 250)

    def test_alias_reaches_both(self):
        self.host.cli("alias", "add", "team@ours.test", "ann@ours.test")
        self.host.cli("alias", "add", "team@ours.test", "eve@ours.test")
        w = smtp()
        self.assertEqual(begin(w, "team@ours.test"), 354)
        self.assertEqual(w.ask(message(SENDER, "team@ours.test", "team") + b".\r\n")[0], 250)
        for who in ("ann@ours.test", "eve@ours.test"):
            wait_mail(self.host, who, lambda m: b"Subject: team\r\n" in m)

    def test_sequence_and_syntax(self):
        w = Wire(25)
        w.reply()
        self.assertEqual(w.ask("MAIL FROM:<a@b.test>")[0], 503)
        w.ask("EHLO x.test")
        self.assertEqual(w.ask("RCPT TO:<ann@ours.test>")[0], 503)
        self.assertEqual(w.ask("DATA")[0], 503)
        self.assertEqual(w.ask("WHAT")[0], 500)
        self.assertEqual(w.ask("MAIL FROM:<a@b.test")[0], 501)
        self.assertIn(w.ask("AUTH PLAIN AGEAYg==")[0], (500, 502, 503, 504, 530, 538))
        self.assertEqual(w.ask("MAIL FROM:<a@b.test> SIZE=99999999999")[0], 552)
        self.assertEqual(w.ask("NOOP")[0], 250)

    def test_bare_line_ends_are_refused(self):
        for data in (b"one\nline\r\n.\r\n", b"one\r\n.\nMAIL FROM:<x@y.test>\r\n.\r\n",
                     b"one\rtwo\r\n.\r\n", b"one\n.\r\nMAIL FROM:<x@y.test>\r\n.\r\n"):
            w = smtp()
            self.assertEqual(begin(w), 354)
            code, text = w.ask(b"Subject: smuggled\r\n\r\n" + data)
            self.assertNotEqual(code, 250, (data, text))
            w.close()
        time.sleep(0.2)
        self.assertFalse([m for m in inbox(self.host, "ann@ours.test") if b"smuggled" in m])

    def test_starttls_throws_away_what_was_said_before(self):
        w = smtp()
        w.send("STARTTLS\r\nRSET\r\nNOOP\r\n")
        code, _ = w.reply()
        if code == 220:
            w.start_tls(self.host.ca)
            w.sock.settimeout(1)
            with self.assertRaises((socket.timeout, OSError)):
                w.line()
            self.assertEqual(w.ask("EHLO again.test")[0], 250)
        else:
            self.assertIn(code, (0, 501, 503, 554))

    def test_pipelined_transaction(self):
        w = smtp()
        w.send("MAIL FROM:<%s>\r\nRCPT TO:<ann@ours.test>\r\nRCPT TO:<no@ours.test>\r\nDATA\r\n"
               % SENDER)
        self.assertEqual([w.reply()[0] for _ in range(4)], [250, 250, 550, 354])
        self.assertEqual(w.ask(message(SENDER, "ann@ours.test", "piped") + b".\r\n")[0], 250)

    def test_mail_loop(self):
        w = smtp()
        self.assertEqual(begin(w), 354)
        hops = "".join("Received: from a by b; Sun, 22 Nov 2026 20:00:00 +0000\r\n"
                       for _ in range(30))
        self.assertEqual(w.ask(hops + "Subject: loop\r\n\r\nx\r\n.")[0], 554)

    def test_a_gigabyte_without_line_end(self):
        """Commands and message lines have an end, and memory has a ceiling."""
        for in_data in (False, True):
            w = smtp()
            if in_data:
                self.assertEqual(begin(w), 354)
            chunk, sent = b"x" * 1048576, 0
            try:
                while sent < 1 << 30:
                    w.sock.sendall(chunk)
                    sent += len(chunk)
            except OSError:
                pass
            self.assertLess(sent, 1 << 30, "the server took a gigabyte")
            self.assertLess(memory(self.host.maild.proc.pid), 300 << 20)
        self.assertTrue(self.host.maild.alive())
        self.assertEqual(smtp().ask("NOOP")[0], 250)

    def test_slow_client_is_sent_away_and_holds_nobody_up(self):
        slow = Wire(25)
        slow.reply()
        since = time.monotonic()
        other = smtp()
        for octet in b"EHLO slow":
            slow.send(bytes([octet]))
            self.assertEqual(other.ask("NOOP")[0], 250)
            time.sleep(0.2)
        line = slow.line()
        self.assertTrue(line == b"" or line.startswith(b"421"), line)
        self.assertLess(time.monotonic() - since, 30)

    def test_many_sessions_at_once(self):
        wires = [smtp() for _ in range(150)]
        for w in wires:
            w.send("NOOP\r\n")
        self.assertEqual({w.reply()[0] for w in wires}, {250})
        for w in wires:
            w.close()

    def test_large_message_goes_through_a_file(self):
        body = b"".join(b"%06d %s\r\n" % (i, b"z" * 60) for i in range(30000))
        w = smtp()
        self.assertEqual(begin(w, "eve@ours.test"), 354)
        data = b"From: <bob@good.test>\r\nSubject: large\r\n\r\n" + body
        self.assertEqual(w.ask(data + b".\r\n")[0], 250)
        got = wait_mail(self.host, "eve@ours.test", lambda m: b"Subject: large" in m)
        self.assertTrue(got.endswith(data))

    def test_too_large_is_refused(self):
        _, text = Wire(25).reply(), smtp().ask("EHLO x.test")[1]
        limit = int(next(x for x in text.split("\n") if x.startswith("SIZE")).split()[1])
        w = smtp()
        self.assertEqual(w.ask("MAIL FROM:<a@b.test> SIZE=%d" % (limit + 1))[0], 552)


def memory(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
    raise Failed("no VmRSS of %d" % pid)


class Limits(unittest.TestCase):
    def test_too_many_sessions_of_one_client(self):
        host = Host("limits", "").setup()
        with open(host.conf) as f:
            text = f.read().replace("sessions_per_client_max 200", "sessions_per_client_max 5")
        host.write_conf(text)
        host.start()
        try:
            kept = [smtp() for _ in range(5)]
            self.assertEqual(Wire(25).reply()[0], 421)
            self.assertEqual(Wire(25, MX, "127.53.0.31").reply()[0], 220)
            kept.pop().close()

            def again():
                return Wire(25).reply()[0] == 220
            wait_until("a free place", again, 5)
        finally:
            host.kill()
