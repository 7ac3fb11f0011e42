# SPDX-License-Identifier: ISC
"""Submission: who may send, as whom, and what the peer finds in what we send."""
import base64
import os
import smtplib
import socket
import threading
import time
import unittest

from lib.host import MX, ROOT, Host, run, wait_until
from lib.mail import (Submission, Wire, context, inbox, message, parse, smtp, submit,
                      wait_mail, wait_peer)

NET = os.path.join(ROOT, "tests", "net", "net")


class SubmissionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("submission").setup(accounts=("ann", "eve")).start()

    @classmethod
    def tearDownClass(cls):
        cls.host.kill()

    def test_no_login_without_tls(self):
        w = smtp(port=587)
        self.assertNotIn("AUTH", w.ask("EHLO x.test")[1])
        secret = base64.b64encode(b"\0ann@ours.test\0" + self.host.password.encode()).decode()
        self.assertIn(w.ask("AUTH PLAIN " + secret)[0], (530, 538))
        self.assertEqual(w.ask("MAIL FROM:<ann@ours.test>")[0], 530)

    def test_both_ports_and_both_mechanisms(self):
        for port in (587, 465):
            for mechanism in ("PLAIN", "LOGIN"):
                with Submission(self.host, None, port) as s:
                    s.ehlo()
                    s.user, s.password = "ann@ours.test", self.host.password
                    code, text = s.auth(mechanism, getattr(s, "auth_" + mechanism.lower()))
                    self.assertEqual(code, 235, text)

    def test_wrong_password_and_unknown_login_look_the_same(self):
        answers, seconds = [], []
        for login in ("ann@ours.test", "nobody@ours.test"):
            with Submission(self.host, None) as s:
                since = time.monotonic()
                with self.assertRaises(smtplib.SMTPAuthenticationError) as e:
                    s.login(login, "wrong")
                seconds.append(time.monotonic() - since)
                answers.append((e.exception.smtp_code, e.exception.smtp_error))
        self.assertEqual(answers[0][0], 535)
        self.assertEqual(answers[0], answers[1])
        self.assertGreater(min(seconds), 0.02)

    def test_guessing_is_throttled(self):
        """Per client and login; somebody else still gets in."""
        codes = []
        for i in range(15):
            w = Wire(465, MX, "127.53.0.66")
            w.sock = context(self.host).wrap_socket(w.sock, server_hostname="mx.ours.test")
            w.reply()
            w.ask("EHLO guess.test")
            guess = base64.b64encode(b"\0eve@ours.test\0guess%d" % i).decode()
            codes.append(w.ask("AUTH PLAIN " + guess)[0])
            w.close()
        self.assertEqual(codes[0], 535)
        self.assertEqual(codes[-1], 454)
        with Submission(self.host, "ann@ours.test") as s:
            self.assertEqual(s.noop()[0], 250)

    def test_sender_must_belong_to_the_login(self):
        with Submission(self.host, "ann@ours.test") as s:
            self.assertIn(s.mail("eve@ours.test")[0], (550, 553))
            s.rset()
            self.assertEqual(s.mail("ann@ours.test")[0], 250)

    def test_the_peer_finds_it_all_right(self):
        data = (b"From: <ann@ours.test>\r\nTo: <user@peer.test>\r\nSubject: bare\r\n\r\n"
                b"No Date, no Message-ID.\r\n")
        submit(self.host, "ann@ours.test", "user@peer.test", data)
        got = parse(wait_peer(b"Subject: bare"))
        results = " ".join(str(v) for v in got.get_all("Authentication-Results"))
        for word in ("spf=pass", "dkim=pass", "dmarc=pass"):
            self.assertIn(word, results)
        self.assertTrue(got["Date"] and got["Message-ID"])
        self.assertEqual(len(got.get_all("DKIM-Signature")), 2)
        algorithms = " ".join(str(v) for v in got.get_all("DKIM-Signature"))
        self.assertIn("a=rsa-sha256", algorithms)
        self.assertIn("a=ed25519-sha256", algorithms)
        received = " ".join(str(v) for v in got.get_all("Received"))
        self.assertIn("from mx.ours.test", received)
        self.assertIn("with ESMTPSA", received)
        self.assertTrue(str(got["Return-Path"]) == "<ann@ours.test>")

    def test_swaks_and_curl(self):
        run(["swaks", "--server", MX, "--port", "587", "-tls", "--auth", "PLAIN", "--auth-user",
             "ann@ours.test", "--auth-password", self.host.password, "--from", "ann@ours.test",
             "--to", "alice@peer.test", "--h-Subject", "by swaks"])
        wait_peer(b"Subject: by swaks", "alice")
        path = self.host.path("curl.eml")
        with open(path, "wb") as f:
            f.write(message("ann@ours.test", "alice@peer.test", "by curl"))
        run(["curl", "-sS", "--cacert", self.host.ca, "--connect-to", "::%s:" % MX,
             "--url", "smtps://mx.ours.test:465", "--user", "ann@ours.test:" + self.host.password,
             "--mail-from", "ann@ours.test", "--mail-rcpt", "alice@peer.test", "-T", path])
        wait_peer(b"Subject: by curl", "alice")

    def test_eight_bit_and_dots_travel_unharmed(self):
        body = "".join(".%s Grüße %d\r\n" % ("." * (i % 3), i) for i in range(200)).encode()
        data = message("ann@ours.test", "list@peer.test", "octets", "",
                       "Content-Type: text/plain; charset=utf-8\r\n"
                       "Content-Transfer-Encoding: 8bit\r\n") + body
        submit(self.host, "ann@ours.test", "list@peer.test", data)
        got = wait_peer(b"Subject: octets", "list")
        self.assertTrue(got.replace(b"\r\n", b"\n").endswith(body.replace(b"\r\n", b"\n")))
        self.assertIn(b"dkim=pass", got)

    def test_new_password_counts_at_once(self):
        self.host.add_account("pat@ours.test")
        with Submission(self.host, "pat@ours.test"):
            pass
        self.host.cli("account", "passwd", "pat@ours.test", "--password-stdin",
                      stdin="another horse 2\n")
        with Submission(self.host, None) as s:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                s.login("pat@ours.test", self.host.password)
            self.assertEqual(s.login("pat@ours.test", "another horse 2")[0], 235)


class Outbound(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("outbound").setup().start()

    @classmethod
    def tearDownClass(cls):
        cls.host.kill()

    def send(self, to, subject):
        submit(self.host, "ann@ours.test", to, message("ann@ours.test", to, subject))

    def bounce(self, words, seconds=30):
        """The report whose text contains all words."""
        def fits(m):
            return all(w in m for w in words) and b"report-type=" in m
        return parse(wait_mail(self.host, "ann@ours.test", fits, seconds))

    def test_refused_recipient_comes_back_readable(self):
        self.send("nobody@peer.test", "to nobody")
        report = self.bounce([b"nobody@peer.test", b"to nobody"])
        self.assertEqual(report.get_content_type(), "multipart/report")
        self.assertEqual(report.get_param("report-type"), "delivery-status")
        kinds = [p.get_content_type() for p in report.iter_parts()]
        self.assertEqual(kinds[:2], ["text/plain", "message/delivery-status"])
        text = next(report.iter_parts()).get_content()
        self.assertIn("nobody@peer.test", text)
        self.assertIn("550", text)
        self.assertIn(b"Action: failed", report.as_bytes())
        self.assertIn(b"Status: 5.1.1", report.as_bytes())
        self.assertEqual(report["Return-Path"], "<>")

    def test_several_recipients_each_with_his_own_result(self):
        submit(self.host, "ann@ours.test", ["user@peer.test", "never@peer.test", "ann@ours.test"],
               message("ann@ours.test", "all", "three"))
        wait_peer(b"Subject: three")
        report = self.bounce([b"never@peer.test", b"Subject: three"])
        self.assertNotIn("user@peer.test", next(report.iter_parts()).get_content())
        wait_mail(self.host, "ann@ours.test",
                  lambda m: b"Subject: three\r\n" in m and b"report-type" not in m)

    def test_routes(self):
        self.send("user@multimx.test", "multimx")
        self.send("user@nomx.test", "nomx")
        self.send("user@mxcname.test", "mxcname")
        wait_peer(b"Subject: multimx", "user", "multimx.test")
        wait_peer(b"Subject: nomx", "user", "nomx.test")
        wait_peer(b"Subject: mxcname", "user", "mxcname.test")

    def test_domains_that_take_no_mail_bounce_at_once(self):
        self.send("user@nullmx.test", "null mx")
        self.send("user@nowhere-at-all.test", "no domain")
        self.bounce([b"user@nullmx.test"])
        self.bounce([b"user@nowhere-at-all.test"])

    def test_busy_recipient_is_tried_again_and_shown(self):
        self.send("later@peer.test", "later")

        def tried():
            text = self.host.cli("queue", "list")
            return "later@peer.test" in text and "451" in text and text
        wait_until("the deferred recipient in the queue", tried, 20)
        wait_until("a second attempt", lambda: peer_refusals("later@peer.test") >= 2, 20)

    def test_a_host_that_drips_holds_nobody_up(self):
        """One octet a second from one host; the others get their mail meanwhile."""
        zone = self.host.path("slow.zone")
        with open(zone, "w") as f:
            f.write(";! zone=slow.test sign=none\n@ IN MX 10 mx\nmx IN A 127.53.0.240\n")
        run([NET, "load", zone])
        with Dripper("127.53.0.240", 25) as dripper:
            for i in range(5):
                self.send("user%d@slow.test" % i, "slow")
            wait_until("a connection to the slow host", lambda: dripper.connections, 20)
            self.send("user@peer.test", "meanwhile")
            wait_peer(b"Subject: meanwhile", seconds=10)
            self.assertIn("slow.test", self.host.cli("queue", "list"))
        wait_until("the reason in the queue",
                   lambda: "127.53.0.240" in self.host.cli("queue", "list"), 20)
        run([NET, "unload", "slow"])

    def test_trace_tells_the_story(self):
        self.send("user@peer.test", "traced")
        wait_peer(b"Subject: traced")
        text = wait_until("the trace", lambda: "relayed" in
                          self.host.cli("trace", "user@peer.test") and
                          self.host.cli("trace", "user@peer.test"), 10)
        self.assertIn("250", text)
        self.assertIn("mx.peer.test", text)

    def test_inbox_of_local_sender_is_reached_without_the_net(self):
        self.send("ann@ours.test", "to myself")
        wait_mail(self.host, "ann@ours.test", lambda m: b"Subject: to myself" in m)
        self.assertTrue(inbox(self.host, "ann@ours.test"))


class Dripper:
    """A mail host that says its greeting one octet a second."""

    def __init__(self, addr, port):
        self.listener = socket.create_server((addr, port))
        self.connections = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        self.listener.settimeout(0.2)
        held, greeting = [], b"220 slow ESMTP, one moment please" * 100
        for octet in greeting:
            if self.over.wait(0.5):
                break
            try:
                held.append(self.listener.accept()[0])
                self.connections += 1
            except socket.timeout:
                pass
            for s in held:
                s.send(bytes([octet]))
        for s in held:
            s.close()
        self.listener.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def peer_refusals(address):
    """How often the peer has said "later" to this address."""
    with open(os.environ["NET_PEER_LOG"]) as f:
        return sum(1 for line in f if address in line and "451" in line)


class DeadResolver(unittest.TestCase):
    def test_mail_waits_and_nothing_is_lost(self):
        """No name server answers: queued, not bounced; local mail goes on."""
        host = Host("noresolver").setup()
        with open(host.conf) as f:
            text = "".join(x for x in f if not x.startswith("resolver_root_hints"))
        host.write_conf(text + "resolver_forward 127.53.0.250\n")
        host.start()
        try:
            submit(host, "ann@ours.test", "user@peer.test",
                   message("ann@ours.test", "user@peer.test", "waits"))
            submit(host, "ann@ours.test", "ann@ours.test",
                   message("ann@ours.test", "ann@ours.test", "local"))
            wait_mail(host, "ann@ours.test", lambda m: b"Subject: local" in m)
            wait_until("the reason in the queue",
                       lambda: "user@peer.test" in host.cli("queue", "list"), 30)
            self.assertFalse([m for m in inbox(host, "ann@ours.test") if b"waits" in m])
        finally:
            host.kill()
