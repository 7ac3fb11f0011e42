# SPDX-License-Identifier: ISC
"""signpost: first use, refusals, two at once, exports that other name servers read."""
import json
import os
import shutil
import sqlite3
import subprocess
import unittest

from lib.host import BIN, Host, in_threads, run

CHECKERS = {
    "named-checkzone": lambda zone, path: ["named-checkzone", "-i", "local", "-k", "fail", zone,
                                           path],
    "nsd-checkzone": lambda zone, path: ["nsd-checkzone", zone, path],
    "kzonecheck": lambda zone, path: ["kzonecheck", "-o", zone, path],
}


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


class FirstUse(unittest.TestCase):
    def test_each_step_says_what_comes_before_it(self):
        host = Host("cli-first")
        self.assertIn("signpost setup", host.cli("domain", "add", "a.test", code=2))
        host.cli("setup")
        out = host.cli("account", "add", "ann@a.test", "--generate", code=1)
        self.assertIn("signpost domain add a.test", out)
        self.assertIn("signpost account add", host.cli("domain", "add", "a.test"))
        out = host.cli("account", "add", "ann@a.test", "--generate")
        self.assertIn("shown this once", out)
        self.assertIn("postmaster@a.test", host.cli("alias", "list"))

    def test_setup_writes_a_configuration(self):
        host = Host("cli-conf")
        os.unlink(host.conf)
        self.assertIn("--hostname", host.cli("setup", code=2))
        host.cli("setup", "--hostname", "mail.a.test", "--address", "203.0.113.5",
                 "--data-dir", host.path("data"), "--run-dir", host.path("run"))
        self.assertIn("203.0.113.5", host.cli("host", "list"))
        self.assertEqual(os.stat(host.path("data", "keys", "keys.db")).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(host.path("data", "tls", "key.pem")).st_mode & 0o777, 0o600)
        self.assertIn("already", host.cli("setup", "--hostname", "b.test", code=2))

    def test_setup_follows_the_configuration(self):
        host = Host("cli-again").setup()
        with open(host.conf) as f:
            text = f.read()
        host.write_conf(text.replace("imaps 127.53.1.25:993", "imaps 127.53.1.25:1993"))
        host.cli("setup")
        self.assertIn("0 1 1993 mx.ours.test.", host.cli("zone", "show", "ours.test"))
        before = host.cli("zone", "log")
        host.cli("setup")
        self.assertEqual(host.cli("zone", "log"), before)  # nothing to do, nothing logged


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("cli").setup()

    def refused(self, words, *args, code=1):
        out = self.host.cli(*args, code=code)
        self.assertIn(words, out)

    def test_usage(self):
        self.refused("did you mean \"domain\"", "domian", "list", code=2)
        self.refused("usage: signpost domain add", "domain", "add", code=2)
        self.refused("unknown option", "domain", "add", "b.test", "--hots", "x", code=2)
        self.refused("hyphen", "domain", "add", "--", "-b.test", code=2)
        self.refused("single label", "domain", "add", "test", code=2)
        self.refused("empty label", "domain", "add", "a..test", code=2)
        self.assertIn("examples:", self.host.cli("domain", "add", "--help"))
        for noun in ("setup", "domain", "host", "account", "alias", "record", "zone", "dkim",
                     "why", "queue", "trace", "status"):
            self.assertIn("examples:", self.host.cli(noun, "--help"))
            self.assertIn("usage" if noun in ("setup", "why", "trace", "status") else noun,
                          self.host.cli(noun, "--help"))

    def test_refusals_name_thing_and_remedy(self):
        self.refused("hosted here already", "domain", "add", "OURS.test")
        self.refused("there already", "account", "add", "ann@ours.test", "--generate")
        self.refused("domain list", "domain", "show", "nowhere.test")
        self.refused("--yes", "domain", "remove", "ours.test")
        self.refused("at least 8", "account", "passwd", "ann@ours.test", "--password-stdin",
                     code=2)
        self.refused("rule mx", "record", "add", "ours.test", "MX", "5", "x.test")
        self.refused("in no domain hosted here", "record", "add", "a.b.test", "A", "192.0.2.1")
        self.refused("not an IPv4", "domain", "set", "ours.test", "--spf-extra",
                     "ip4:299.1.1.1", code=2)
        self.refused("mail through it", "host", "remove", "mx.ours.test", "--yes")
        self.refused("not running", "queue", "list", code=2)
        self.refused("zone show", "--json", "zone", "export", "ours.test", code=2)
        self.refused("nobody@ours.test is not known", "account", "remove", "nobody@ours.test")

    def test_idn_domain(self):
        self.host.cli("domain", "add", "\ud55c\uad6d.test")
        rows = lines(self.host.cli("--json", "domain", "list"))
        self.assertIn(("xn--3e0b707e.test", "\ud55c\uad6d.test"),
                      [(r["domain"], r["unicode"]) for r in rows])
        self.host.cli("record", "add", "www.\ud55c\uad6d.test", "CNAME", "\ud55c\uad6d.test")
        self.assertIn("xn--3e0b707e.test.", self.host.cli("record", "list", "\ud55c\uad6d.test"))

    def test_change_shows_in_zone_diff_and_why(self):
        self.host.cli("domain", "add", "diff.test")
        self.host.cli("domain", "set", "diff.test", "--dmarc", "reject", "--spf", "hard")
        rows = lines(self.host.cli("--json", "zone", "diff", "diff.test"))
        changed = {(r["change"], r["type"], r["owner"]) for r in rows}
        self.assertEqual(changed, {("-", "SOA", "diff.test"), ("+", "SOA", "diff.test"),
                                   ("-", "TXT", "diff.test"), ("+", "TXT", "diff.test"),
                                   ("-", "TXT", "_dmarc.diff.test"),
                                   ("+", "TXT", "_dmarc.diff.test")})
        serials = [int(r["rdata"].split()[2]) for r in rows if r["type"] == "SOA"]
        self.assertLess(min(serials), max(serials))
        self.assertIn("RFC 7489", self.host.cli("why", "_dmarc.diff.test", "TXT"))
        self.host.cli("domain", "remove", "diff.test", "--yes")
        self.assertIn("domain list", self.host.cli("zone", "show", "diff.test", code=1))

    def test_no_secret_in_the_change_log(self):
        log = self.host.cli("--json", "zone", "log")
        self.assertNotIn(self.host.password, log)
        self.assertNotIn("scrypt", log)
        self.assertNotIn("PRIVATE", log)

    def test_two_at_once_all_succeed(self):
        names = ["w%d.at-once.test" % i for i in range(8)]
        in_threads(8, lambda i: self.host.cli("domain", "add", names[i]))
        have = [r["domain"] for r in lines(self.host.cli("--json", "domain", "list"))]
        for name in names:
            self.assertIn(name, have)
        serials = [r["serial"] for r in lines(self.host.cli("--json", "zone", "log"))
                   if r["kind"] == "domain" and r["intent"].startswith("domain add w")]
        self.assertEqual(len(serials), len(set(serials)))

    def test_locked_database_says_so(self):
        db = sqlite3.connect(self.host.path("data", "db", "signpost.db"), isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        try:
            self.refused("locked by another program", "alias", "add", "x@ours.test",
                         "ann@ours.test", code=2)
        finally:
            db.execute("ROLLBACK")
            db.close()
        self.host.cli("alias", "add", "x@ours.test", "ann@ours.test")


class Export(unittest.TestCase):
    """The zone with every kind of record, read by the tools of other name servers."""

    @classmethod
    def setUpClass(cls):
        cls.host = host = Host("cli-export").setup()
        host.cli("domain", "add", "sub.ours.test", "--reports", "dmarc@ours.test")
        host.cli("domain", "set", "ours.test", "--apex", "yes", "--spf-extra",
                 "include:relay.example ip4:192.0.2.0/24")
        for words in (("www.ours.test", "A", "192.0.2.80"),
                      ("ours.test", "TXT", "a \"quoted\" text; with \\ and semicolon"),
                      ("ours.test", "TXT", "x" * 600),
                      ("ours.test", "CAA", "0", "issue", "\"ca.example\""),
                      ("shop.ours.test", "CNAME", "www.ours.test"),
                      ("*.dev.ours.test", "A", "192.0.2.81"),
                      ("ns.away.ours.test", "A", "192.0.2.82"),  # glue before the cut
                      ("away.ours.test", "NS", "ns.away.ours.test"),
                      ("_sip._tcp.ours.test", "SRV", "0", "1", "5060", "www.ours.test"),
                      ("odd.ours.test", "TYPE65280", "\\#", "3", "010203")):
            host.cli("record", "add", *words)

    def check(self, tool):
        if shutil.which(tool) is None:
            self.skipTest("%s is not installed" % tool)
        for zone in ("ours.test", "sub.ours.test"):
            path = self.host.path(zone + ".zone")
            with open(path, "w") as f:
                f.write(self.host.cli("zone", "export", zone, "--rules"))
            run(CHECKERS[tool](zone, path))

    def test_named_checkzone(self):
        self.check("named-checkzone")

    def test_nsd_checkzone(self):
        self.check("nsd-checkzone")

    def test_kzonecheck(self):
        self.check("kzonecheck")

    def test_text_survives(self):
        r = subprocess.run([os.path.join(BIN, "signpost"), "-f", self.host.conf, "zone",
                            "export", "ours.test"], stdout=subprocess.PIPE, check=True)
        self.assertIn(rb'"a \"quoted\" text; with \\ and semicolon"', r.stdout)
        self.assertIn(b'"' + b"x" * 255 + b'" "', r.stdout)


if __name__ == "__main__":
    unittest.main()
