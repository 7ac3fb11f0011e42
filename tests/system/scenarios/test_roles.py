# SPDX-License-Identifier: ISC
"""kill -9 of each role of maild under load, with several of a kind: mail and clients go on.

What was answered 250 is in its mailbox once, what a client asked of a role that was away is
asked again by the client and by the roles themselves, and nobody starts maild again by hand.
"""
import imaplib
import os
import random
import smtplib
import subprocess
import time
import unittest

from lib import crashload
from lib.host import MX, PATIENCE, Host, wait_until
from lib.mail import Box, Submission, message, submit, wait_mail, wait_peer
from lib.watch import tree

SEVERAL = "edge_processes 2\nmailbox_processes 3\nrelay_processes 2\nallow_cleartext_login yes\n"
USERS = ["ann", "bob", "cid", "dan", "eve"]


def kill(host, name):
    """kill -9 "edge 1", wait for its successor, and return that one's pid."""
    name = "maild " + name
    old = tree(host.maild)[name]
    os.kill(old, 9)

    def successor():
        pid = tree(host.maild).get(name)
        return pid if pid is not None and pid != old else None
    return wait_until(name + " to come back", successor, 10)


def until_it_works(what, act, seconds=20):
    """What a client does with "try later"."""
    def attempt():
        try:
            return act() or True
        except (OSError, smtplib.SMTPException, imaplib.IMAP4.error):
            return None
    return wait_until(what, attempt, seconds)


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("roles", SEVERAL).setup(accounts=USERS).start()

    @classmethod
    def tearDownClass(cls):
        cls.host.kill()

    def test_each_role_runs_as_often_as_the_configuration_says(self):
        names = sorted(tree(self.host.maild))
        self.assertEqual(names, ["maild directory 0", "maild edge 0", "maild edge 1",
                                 "maild mailbox 0", "maild mailbox 1", "maild mailbox 2",
                                 "maild parent", "maild queue 0", "maild relay 0",
                                 "maild relay 1", "maild resolver 0", "maild signer 0"])

    @unittest.skipUnless(os.path.exists(crashload.LOADER), "make tools has not built mailload")
    def test_every_role_dies_under_load_and_no_mail_is_lost_or_doubled(self):
        host, total = self.host, 900
        log = host.path("ids.log")
        argv = [crashload.LOADER, "-a", MX, "-p", "25", "-n", str(total), "-s", "10", "-l", log]
        for u in USERS:
            argv += ["-t", u + "@ours.test"]
        victims = [n.split(" ", 1)[1] for n in sorted(tree(host.maild)) if n != "maild parent"]
        random.Random(3).shuffle(victims)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as loader:
            for i, v in enumerate(victims):
                goal = total * (i + 1) // (len(victims) + 1)
                wait_until("message %d" % goal, lambda g=goal: crashload.count_lines(log) >= g
                           or loader.poll() is not None, 60)
                self.assertIsNone(loader.poll(), "the loader has ended too early")
                kill(host, v)
            out, _ = loader.communicate(timeout=120 * PATIENCE)
            self.assertEqual(loader.returncode, 0, out)
        with open(log) as f:
            promised = dict(line.split() for line in f)
        result = crashload.verify(host, promised)
        self.assertEqual((result["lost"], result["twice"], result["damaged"]), ([], [], []))
        self.assertGreaterEqual(len(promised), total)

    def test_outbound_mail_waits_for_what_it_needs(self):
        for victim in ("relay 0", "relay 1", "resolver 0", "queue 0"):
            mark = "out-%s-%d" % (victim.replace(" ", "-"), time.time_ns())
            submit(self.host, "ann@ours.test", "user@peer.test",
                   message("ann@ours.test", "user@peer.test", mark))
            kill(self.host, victim)
            wait_peer(mark.encode())

    def test_submission_goes_on_after_signer_and_directory(self):
        for victim in ("signer 0", "directory 0"):
            with Submission(self.host, "ann@ours.test") as s:
                kill(self.host, victim)
                mark = "in-%s-%d" % (victim.replace(" ", "-"), time.time_ns())
                until_it_works("a message in the same session", lambda m=mark: s.sendmail(
                    "ann@ours.test", ["user@peer.test"],
                    message("ann@ours.test", "user@peer.test", m)))
            self.assertIn(b"DKIM-Signature", wait_peer(mark.encode()))

    def test_sessions_in_clear_outlive_their_edge(self):
        """The mailbox process has the client's own socket."""
        imap = imaplib.IMAP4(MX, 143, timeout=30 * PATIENCE)
        imap.login("bob@ours.test", self.host.password)
        for e in ("edge 0", "edge 1"):
            kill(self.host, e)
        self.assertEqual(imap.select("INBOX")[0], "OK")
        imap.logout()

    def test_carried_sessions_end_with_their_mailbox_and_log_in_again(self):
        for m in ("mailbox 0", "mailbox 1", "mailbox 2"):
            boxes = [Box(self.host, u + "@ours.test") for u in USERS]
            kill(self.host, m)
            ended = 0
            for b in boxes:
                try:
                    b.imap.noop()
                    b.imap.logout()
                except (OSError, imaplib.IMAP4.error):
                    ended += 1
            self.assertLess(ended, len(USERS), "an account is with one instance only")
            for u in USERS:
                until_it_works("login of " + u, lambda u=u: Box(self.host, u + "@ours.test"))

    def test_mail_is_delivered_to_a_mailbox_that_has_just_died(self):
        for m in ("mailbox 0", "mailbox 1", "mailbox 2"):
            kill(self.host, m)
            mark = "late-%d" % time.time_ns()
            for u in USERS:
                submit(self.host, "ann@ours.test", u + "@ours.test",
                       message("ann@ours.test", u + "@ours.test", mark))
            for u in USERS:
                until_it_works("a login", lambda u=u: Box(self.host, u + "@ours.test"))
                wait_mail(self.host, u + "@ours.test", lambda x, k=mark: k.encode() in x)


class Single(unittest.TestCase):
    """All roles in one process: for debuggers, the same mail."""

    def test_mail_comes_in_and_goes_out(self):
        host = Host("single", SEVERAL).setup()
        host.maild.argv.append("--single")
        try:
            host.start()
            self.assertEqual(list(tree(host.maild)), ["maild"])
            submit(host, "ann@ours.test", ["ann@ours.test", "user@peer.test"],
                   message("ann@ours.test", "user@peer.test", "single"))
            wait_mail(host, "ann@ours.test", lambda m: b"single" in m)
            wait_peer(b"Subject: single")
            self.assertEqual([d.stop() for d in (host.maild, host.dnsd)], [0, 0])
        finally:
            host.kill()
