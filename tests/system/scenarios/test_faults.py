# SPDX-License-Identifier: ISC
"""Faults at start and in service: each has its message, and nothing promised is lost."""
import os
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

from lib.host import BIN, MX, NS, Host, run, wait_until
from lib.mail import Box, Wire, inbox, message, smtp, wait_mail


def attempt(program, conf, *args, user=None):
    """Start in the foreground and expect it to end by itself: (code, output)."""
    argv = [os.path.join(BIN, program), "-f", conf] + list(args)
    if user:
        argv = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"] + argv
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       check=False, timeout=20)
    return r.returncode, r.stdout


class Start(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("start").setup()
        with open(cls.host.conf) as f:
            cls.good = f.read()

    def tearDown(self):
        self.host.kill()
        self.host.write_conf(self.good)

    def refused(self, text, *words, program="maild", code=None):
        self.host.write_conf(text)
        got, out = attempt(program, self.host.conf)
        self.assertNotEqual(got, 0, out)
        if code is not None:
            self.assertEqual(got, code, out)
        for w in words:
            self.assertIn(w, out)
        said = [x for x in out.split("\n") if x.startswith(program + ": ")]
        self.assertEqual(len(said), 1, out)

    def test_wrong_configuration(self):
        line = self.good.count("\n") + 1
        for program in ("maild", "dnsd"):
            self.refused(self.good + "hostnane x.test\n", ":%d" % line, "hostnane", "hostname",
                         program=program)
        self.refused(self.good + "hops_max many\n", ":%d" % line, "hops_max")
        self.refused(self.good + "hostname twice.test\n", ":%d" % line, "hostname")
        self.refused(self.good + "listen smtp 127.0.0.1\n", ":%d" % line, "listen")
        code, out = attempt("maild", "/nonexistent.conf")
        self.assertNotEqual(code, 0)
        self.assertIn("/nonexistent.conf", out)

    def test_port_taken(self):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((MX, 143))
            s.listen(1)
            self.refused(self.good, "143", "taken")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((NS, 53))
            self.refused(self.good, "53", "taken", program="dnsd")

    def test_second_daemon_on_the_same_data(self):
        self.host.maild.start()
        code, out = attempt("maild", self.host.conf)
        self.assertNotEqual(code, 0)
        self.assertIn("another maild", out)
        self.assertTrue(self.host.maild.alive())

    def test_data_dir_missing_or_not_writable(self):
        self.refused(self.good.replace("/data\n", "/nodata\n", 1), "nodata", "setup")
        self.host.write_conf(self.good)
        os.chmod(self.host.path("data"), 0o755)
        code, out = attempt("maild", self.host.conf, user="nobody")
        self.assertNotEqual(code, 0)
        self.assertIn("data", out)
        self.assertIn("nobody", out)

    def test_certificate_missing(self):
        key = self.host.path("data", "tls", "key.pem")
        os.rename(key, key + ".away")
        try:
            code, out = attempt("maild", self.host.conf)
            self.assertNotEqual(code, 0)
            self.assertIn("key.pem", out)
        finally:
            os.rename(key + ".away", key)

    def test_database_of_a_newer_program(self):
        path = self.host.path("data", "db", "signpost.db")
        with sqlite3.connect(path) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute("PRAGMA user_version = %d" % (version + 50))
        try:
            for program in ("maild", "dnsd"):
                code, out = attempt(program, self.host.conf)
                self.assertNotEqual(code, 0)
                self.assertIn("newer", out)
            self.assertIn("newer", self.host.cli("domain", "list", code=2))
        finally:
            with sqlite3.connect(path) as db:
                db.execute("PRAGMA user_version = %d" % version)

    def test_check_only(self):
        code, out = attempt("maild", self.host.conf, "-n")
        self.assertEqual(code, 0, out)
        self.assertIn("good", out)

    def test_sigterm_is_orderly(self):
        self.host.maild.start()
        w = Wire(25)
        w.reply()
        self.host.maild.proc.terminate()
        self.assertTrue(w.line().startswith(b"421"))
        self.assertEqual(self.host.maild.wait_exit(10), 0)
        self.host.dnsd.start()
        self.assertEqual(self.host.dnsd.stop(), 0)

    def test_sighup_opens_log_and_certificate_anew(self):
        log = self.host.path("own.log")
        self.host.write_conf(self.good + "log_file %s\n" % log)
        self.host.maild.start()
        os.rename(log, log + ".1")
        self.host.maild.proc.send_signal(signal.SIGHUP)
        wait_until("the new log", lambda: os.path.exists(log) and "certificates" in open(log).read())
        self.assertEqual(smtp().ask("NOOP")[0], 250)

    def test_sighup_applies_a_changed_configuration(self):
        log = self.host.path("own.log")
        self.host.write_conf(self.good + "log_file %s\n" % log)
        self.host.maild.start()
        old = Wire(25)
        old.reply()
        self.host.write_conf(self.good + "log_file %s\nlisten smtp %s:2526\nmessage_size_max 1M\n"
                             % (log, MX))
        self.host.maild.proc.send_signal(signal.SIGHUP)
        self.assertTrue(old.line().startswith(b"421"))
        wait_until("the new port", lambda: is_open(2526))
        self.assertIn("SIZE 1048576", smtp(port=2526).ask("EHLO again.test")[1])
        self.assertIn("SIZE 1048576", smtp().ask("EHLO again.test")[1])

        self.host.write_conf(self.good + "log_file %s\nnonsense 1\n" % log)
        self.host.maild.proc.send_signal(signal.SIGHUP)
        wait_until("the refusal", lambda: "there is no key \\\"nonsense" in open(log).read())
        self.host.write_conf(self.good + "log_file %s\nrelay_processes 2\n" % log)
        self.host.maild.proc.send_signal(signal.SIGHUP)
        wait_until("the refusal", lambda: "relay_processes has changed" in open(log).read())
        self.assertTrue(is_open(2526))


def is_open(port):
    try:
        return Wire(port).reply()[0] == 220
    except OSError:
        return False


class Service(unittest.TestCase):
    def test_database_locked_by_somebody(self):
        """A writer that holds the database does not stop mail; the CLI says what it waits for."""
        host = Host("locked").setup().start()
        db = sqlite3.connect(host.path("data", "db", "signpost.db"), isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            w = smtp()
            w.ask("MAIL FROM:<bob@good.test>")
            self.assertEqual(w.ask("RCPT TO:<ann@ours.test>")[0], 250)
            w.ask("DATA")
            self.assertEqual(w.ask(message("bob@good.test", "ann@ours.test", "locked") + b".\r\n")[0],
                             250)
            wait_mail(host, "ann@ours.test", lambda m: b"locked" in m)
            out = host.cli("domain", "add", "second.test", code=2)
            self.assertIn("lock", out.lower())
        finally:
            db.execute("ROLLBACK")
            db.close()
            host.cli("domain", "add", "second.test")
            host.kill()

    def test_disk_full(self):
        """452 while the disk is full, nothing promised is lost, and service comes back."""
        host = Host("full")
        data = host.path("data")
        os.makedirs(data)
        run(["mount", "-t", "tmpfs", "-o", "size=96m", "none", data])
        try:
            host.setup().start()
            promised = 0
            filler = os.path.join(data, "filler")

            def send(subject):
                w = smtp()
                w.ask("MAIL FROM:<bob@good.test>")
                code = w.ask("RCPT TO:<ann@ours.test>")[0]
                if code == 250 and w.ask("DATA")[0] == 354:
                    body = "y" * 70 + "\r\n"
                    code, _ = w.ask(message("bob@good.test", "ann@ours.test", subject,
                                            body * 3000) + b".\r\n")
                w.close()
                return code
            self.assertEqual(send("disk first"), 250)
            promised += 1
            with open(filler, "wb", buffering=0) as f:
                try:
                    while f.write(b"\0" * 4096):
                        pass
                except OSError:
                    pass
            codes = [send("disk full %d" % i) for i in range(60)]
            promised += codes.count(250)
            self.assertLessEqual(set(codes), {250, 451, 452})
            self.assertIn(452, codes)
            os.unlink(filler)
            wait_until("service again", lambda: send("disk after") == 250, 30)
            promised += 1

            def subjects():
                got = [m for m in inbox(host, "ann@ours.test") if b"Subject: disk" in m]
                return len(got) >= promised and got
            got = wait_until("all promised mail", subjects, 30)
            self.assertTrue(all(m.endswith(b"y" * 70 + b"\r\n") for m in got))
            self.assertTrue(host.maild.alive())
        finally:
            host.kill()
            time.sleep(0.2)
            run(["umount", "-l", data])


class Remove(unittest.TestCase):
    def test_removed_account_is_unknown_at_once(self):
        host = Host("remove").setup(accounts=("ann", "eve")).start()
        try:
            with Box(host, "eve@ours.test"):
                pass
            host.cli("account", "remove", "eve@ours.test", "--yes")
            w = smtp()
            w.ask("MAIL FROM:<bob@good.test>")
            self.assertEqual(w.ask("RCPT TO:<eve@ours.test>")[0], 550)
            host.cli("domain", "remove", "ours.test", "--yes")
            w = smtp()
            w.ask("MAIL FROM:<bob@good.test>")
            self.assertEqual(w.ask("RCPT TO:<ann@ours.test>")[0], 550)
        finally:
            host.kill()
