# SPDX-License-Identifier: ISC
"""IMAP with real clients: curl, mbsync, imaplib; two sessions that see each other."""
import imaplib
import os
import re
import shutil
import unittest

from lib.host import MX, Host, run
from lib.mail import Box, Wire, context, message, smtp, wait_mail


def deliver(data, to="ann@ours.test"):
    w = smtp()
    w.ask("MAIL FROM:<bob@good.test>")
    w.ask("RCPT TO:<%s>" % to)
    w.ask("DATA")
    assert w.ask(data + b".\r\n")[0] == 250
    w.ask("QUIT")


class Imap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("imap").setup(accounts=("ann", "eve", "syn")).start()

    @classmethod
    def tearDownClass(cls):
        cls.host.kill()

    def test_no_login_without_tls(self):
        i = imaplib.IMAP4(MX, 143)
        self.assertIn("LOGINDISABLED", i.capabilities)
        with self.assertRaises(imaplib.IMAP4.error):
            i.login("ann@ours.test", self.host.password)

    def test_capabilities(self):
        with Box(self.host, "ann@ours.test") as b:
            _, caps = b.imap.capability()
            for word in (b"IMAP4rev1", b"IDLE", b"UIDPLUS", b"MOVE", b"NAMESPACE", b"ID",
                         b"SPECIAL-USE", b"LITERAL+", b"ENABLE"):
                self.assertIn(word, caps[0].split())

    def test_curl_reads_octet_for_octet(self):
        data = message("bob@good.test", "ann@ours.test", "for curl",
                       "".join("%d\t tail \r\n..%d\r\n" % (i, i) for i in range(500)))
        deliver(data.replace(b"\r\n..", b"\r\n..."))
        want = wait_mail(self.host, "ann@ours.test", lambda m: b"Subject: for curl" in m)
        self.assertTrue(want.endswith(data))
        with Box(self.host, "ann@ours.test") as b:
            uid = b.imap.uid("SEARCH", None, "SUBJECT", '"for curl"')[1][0].decode()
        out = self.host.path("curl.out")
        run(["curl", "-sS", "--cacert", self.host.ca, "--connect-to", "::%s:" % MX, "-o", out,
             "--user", "ann@ours.test:" + self.host.password,
             "imaps://mx.ours.test:993/INBOX;UID=" + uid])
        with open(out, "rb") as f:
            self.assertEqual(f.read(), want)

    def test_mbsync_pulls_and_pushes(self):
        if not shutil.which("mbsync"):
            self.skipTest("mbsync is not installed")
        for i in range(20):
            deliver(message("bob@good.test", "syn@ours.test", "sync %d" % i), "syn@ours.test")
        wait_mail(self.host, "syn@ours.test", lambda m: b"Subject: sync 19" in m)
        box = self.host.path("maildir")
        os.makedirs(box, exist_ok=True)
        rc = self.host.path("mbsyncrc")
        with open(rc, "w") as f:
            f.write("IMAPAccount a\nHost mx.ours.test\nPort 993\nUser syn@ours.test\nPass \"%s\"\n"
                    "SSLType IMAPS\nCertificateFile %s\n\nIMAPStore far\nAccount a\n\n"
                    "MaildirStore near\nPath %s/\nInbox %s/INBOX\n\nChannel c\nFar :far:\n"
                    "Near :near:\nPatterns INBOX\nCreate Both\nSyncState *\n"
                    % (self.host.password, self.host.ca, box, box))
        os.chmod(rc, 0o600)
        run(["mbsync", "-c", rc, "c"])
        names = os.listdir(os.path.join(box, "INBOX", "new"))
        self.assertEqual(len(names), 20)
        with Box(self.host, "syn@ours.test") as b:
            far = {m.replace(b"\r\n", b"\n") for m in b.all().values()}
        near = set()
        for n in names:
            with open(os.path.join(box, "INBOX", "new", n), "rb") as f:
                near.add(re.sub(rb"(?m)^X-TUID: .*\n", b"", f.read()))  # mbsync's own mark
        self.assertEqual(near, far)
        with open(os.path.join(box, "INBOX", "new", "1.local"), "wb") as f:
            f.write(message("a@b.test", "c@d.test", "pushed").replace(b"\r\n", b"\n"))
        run(["mbsync", "-c", rc, "c"])
        wait_mail(self.host, "syn@ours.test", lambda m: b"Subject: pushed" in m)

    def test_flags_copy_move_expunge(self):
        with Box(self.host, "eve@ours.test") as b:
            i = b.imap
            self.assertEqual(i.create("Work")[0], "OK")
            for n in range(4):
                typ, data = i.append("INBOX", r"(\Seen)", None,
                                     message("a@b.test", "eve@ours.test", "app %d" % n))
                self.assertEqual(typ, "OK")
                self.assertIn(b"APPENDUID", data[0])
            i.noop()
            self.assertEqual(i.store("1", "+FLAGS", r"(\Flagged $Later)")[0], "OK")
            self.assertIn(b"\\Flagged", i.fetch("1", "(FLAGS)")[1][0])
            self.assertEqual(i.copy("1", "Work")[0], "OK")
            self.assertEqual(i._simple_command("MOVE", "2", "Work")[0], "OK")
            self.assertEqual(i.store("1", "+FLAGS", r"(\Deleted)")[0], "OK")
            self.assertEqual(i.expunge()[1], [b"2", b"1"])  # MOVE's and this one's
            self.assertEqual(i.select("Work")[1], [b"2"])
            self.assertEqual(i.search(None, "FLAGGED")[1], [b"1"])
            self.assertEqual(i.rename("Work", "Done")[0], "OK")
            i.select("Done")
            self.assertEqual(i.select("INBOX")[1], [b"2"])
            self.assertEqual(i.delete("Done")[0], "OK")

    def test_idle_sees_new_mail(self):
        w = Wire(993)
        w.sock = context(self.host).wrap_socket(w.sock, server_hostname="mx.ours.test")
        w.line()
        w.send('a LOGIN ann@ours.test "%s"\r\nb SELECT INBOX\r\nc IDLE\r\n' % self.host.password)
        while not w.line().startswith(b"+"):
            pass
        deliver(message("bob@good.test", "ann@ours.test", "idle"))
        while b"EXISTS" not in w.line():
            pass
        w.send("DONE\r\n")
        while not w.line().startswith(b"c OK"):
            pass

    def test_mail_is_there_after_kill_9(self):
        deliver(message("bob@good.test", "ann@ours.test", "before the crash"))
        self.host.maild.kill()
        self.host.maild.start()
        wait_mail(self.host, "ann@ours.test", lambda m: b"before the crash" in m)
