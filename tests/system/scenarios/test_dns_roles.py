# SPDX-License-Identifier: ISC
"""kill -9 of the roles of dnsd under load: questions are answered all the same.

10,000 zones, 5,000 questions a second, each answer judged by tests/bench/dnsload. The builder's
death is not noticed at all. While there is no serve, questions wait in the sockets, which
the parent holds; the most that is lost is the batch that was in its hands. KILLS=20 in the
environment: as many of each.
"""
import json
import os
import socket
import subprocess
import time
import unittest

from lib.host import BIN, NET_FREE_CONF, PATIENCE, Host
from lib.watch import tree

BUILD = os.path.dirname(BIN)
ZONES, RATE, BATCH = 10000, 5000, 32
KILLS = int(os.environ.get("KILLS", "3"))
# A role that dies young again and again is let rest by the parent, so many kills need lives.
LIFE_S = 2 if KILLS <= 3 else 6


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class DnsRoles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.host = Host("dnsroles", conf=NET_FREE_CONF + "listen dns 127.0.0.1:%d\n" % cls.port)
        cls.host.cli("setup")
        subprocess.run([os.path.join(BUILD, "tools", "zonefill"), "-d", cls.host.path("data"), "-r",
                        cls.host.path("run"), "-n", str(ZONES), "-q", cls.host.path("queries")],
                       check=True)
        cls.host.dnsd.start(seconds=60)

    @classmethod
    def tearDownClass(cls):
        cls.host.kill()

    def load(self, seconds):
        return subprocess.Popen([os.path.join(BUILD, "bench", "dnsload"), "-p", str(self.port), "-q",
                                 self.host.path("queries"), "-t", str(seconds), "-r", str(RATE)],
                                stdout=subprocess.PIPE, text=True)

    def kill_under_load(self, role):
        """Kill it KILLS times, seconds apart; what the load saw."""
        load = self.load(LIFE_S * KILLS + 3)
        for _ in range(KILLS):
            time.sleep(LIFE_S / 2)
            os.kill(tree(self.host.dnsd)["dnsd %s 0" % role], 9)
            time.sleep(LIFE_S / 2)
        seen = json.loads(load.communicate(timeout=60 * PATIENCE)[0])
        print("%d kills of %s: %s" % (KILLS, role, seen))
        return seen

    def answers(self, name):
        """Is there a right answer for its MX within 2 s?"""
        q = b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + b"".join(
            bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0\0\x0f\0\1"
        end = time.monotonic() + 2 * PATIENCE
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", self.port))
            while time.monotonic() < end:
                s.send(q)
                try:
                    r = s.recv(4096)
                except OSError:
                    continue
                if r[3] & 15 == 0 and r[6:8] != b"\0\0":
                    return True
                time.sleep(0.01)
        return False

    def test_the_builders_death_is_not_noticed(self):
        seen = self.kill_under_load("builder")
        self.assertEqual((seen["wrong"], seen["unexplained"]), (0, 0), seen)
        self.host.cli("domain", "add", "after-builder.test")
        self.assertTrue(self.answers("after-builder.test"))

    def test_questions_wait_while_there_is_no_serve(self):
        seen = self.kill_under_load("serve")
        self.assertEqual(seen["wrong"], 0, seen)
        self.assertLessEqual(seen["unexplained"], KILLS * BATCH, seen)  # lost: none within 2 s
        self.host.cli("domain", "add", "after-serve.test")
        self.assertTrue(self.answers("after-serve.test"))

    def test_a_domain_removed_around_a_death_is_gone(self):
        self.host.cli("domain", "add", "gone.test")
        self.assertTrue(self.answers("gone.test"))
        os.kill(tree(self.host.dnsd)["dnsd builder 0"], 9)
        self.host.cli("domain", "remove", "gone.test", "--yes")
        end = time.monotonic() + 5 * PATIENCE
        while self.answers("gone.test") and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(self.answers("gone.test"))

    def test_roles_have_no_more_than_they_need(self):
        serve = tree(self.host.dnsd)["dnsd serve 0"]
        files = {os.readlink("/proc/%d/fd/%s" % (serve, fd))
                 for fd in os.listdir("/proc/%d/fd" % serve)}
        self.assertEqual([f for f in files if f.startswith("/") and f != "/dev/null"
                          and not f.startswith("/memfd:conf")], [], files)
        for role in ("serve", "builder"):
            with open("/proc/%d/status" % tree(self.host.dnsd)["dnsd %s 0" % role]) as f:
                status = f.read()
            if os.environ.get("VARIANT", "release") == "release":
                self.assertIn("Seccomp:\t2", status)
                self.assertIn("NoNewPrivs:\t1", status)


class DnsSingle(unittest.TestCase):
    def test_all_roles_in_one_process(self):
        host = Host("dnssingle", conf=NET_FREE_CONF + "listen dns 127.0.0.1:%d\n" % free_port())
        host.cli("setup")
        host.dnsd.argv.append("--single")
        host.dnsd.start()
        try:
            self.assertEqual(list(tree(host.dnsd)), ["dnsd"])
            self.assertEqual(host.dnsd.stop(), 0)
        finally:
            host.kill()
