# SPDX-License-Identifier: ISC
"""A file system of 80 MB that runs full under the daemons, and has room again later."""
import os
import subprocess
import unittest

from lib.host import NS, Host, run, wait_until
from lib.mail import Box, inbox, message, smtp

ROOM = "80m"


class DiskFull(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("diskfull")
        cls.data = cls.host.path("data")
        os.makedirs(cls.data)
        # in the mount namespace of tests/net/inside
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + ROOM, "tmpfs", cls.data], check=True)
        cls.host.setup().start()

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        subprocess.run(["umount", cls.data], check=True)

    def fill(self):
        with open(os.path.join(self.data, "filler"), "ab", buffering=0) as f:
            for chunk in (65536, 4096):
                try:
                    while True:
                        f.write(bytes(chunk))
                except OSError:
                    pass

    def send(self, name, size):
        """The code and text of the last reply to one message."""
        w = smtp()
        try:
            for line in ("MAIL FROM:<x@peer.test>", "RCPT TO:<ann@ours.test>", "DATA"):
                code, text = w.ask(line)
                if code >= 400:
                    return code, text
            w.send(message("x@peer.test", "ann@ours.test", name, ("y" * 70 + "\r\n") * (size // 72 + 1)))
            return w.ask(".\r\n".encode())
        finally:
            w.close()

    def subjects(self):
        lines = [x for m in inbox(self.host, "ann@ours.test") for x in m.split(b"\r\n")
                 if x.startswith(b"Subject: ")]
        return sorted(x[9:].decode() for x in lines)

    def append(self, name):
        with Box(self.host, "ann@ours.test") as box:
            return box.imap.append("Drafts", None, None,
                                   message("ann@ours.test", "b@peer.test", name, "z\r\n" * 30000))

    def refusals(self, promised):
        """Until the daemon notices: the first refusal, after what it still took."""
        for n in range(300):
            name = "full-%d" % n
            code, text = self.send(name, 20000)
            if code != 250:
                return code, text
            promised.append(name)
        return self.fail("300 messages of 20 KB found room on a full disk")

    def test_refuses_precisely_reads_on_and_recovers(self):
        promised = ["before-%d" % n for n in range(3)]
        for name in promised:
            self.assertEqual(self.send(name, 1000)[0], 250)
        wait_until("the mail", lambda: self.subjects() == promised)
        self.fill()

        code, text = self.refusals(promised)
        self.assertEqual(code, 452, text)
        self.assertIn("4.3.1", text)
        code, text = self.send("large", 400000)
        self.assertEqual(code, 452, text)
        typ, data = self.append("no-room")
        self.assertEqual(typ, "NO", data)
        self.assertIn(b"OVERQUOTA", data[0])
        # reading goes on, and so does the name server
        with Box(self.host, "ann@ours.test") as box:
            self.assertEqual(len(box.all()), box.count)
            self.assertEqual(box.imap.search(None, "SUBJECT", "before-1")[0], "OK")
        self.assertIn("status: NOERROR", run(["dig", "@" + NS, "ours.test", "SOA"]))
        pids = self.host.maild.proc.pid, self.host.dnsd.proc.pid

        os.unlink(os.path.join(self.data, "filler"))
        wait_until("mail is taken again", lambda: self.send("after", 1000)[0] == 250, 30)
        promised.append("after")
        self.assertEqual(self.append("room-again")[0], "OK")
        wait_until("everything promised", lambda: self.subjects() == sorted(promised), 90)
        self.assertEqual(pids, (self.host.maild.proc.pid, self.host.dnsd.proc.pid))
        self.assertTrue(self.host.maild.alive() and self.host.dnsd.alive())
