# SPDX-License-Identifier: ISC
"""Every role is shut in: user, root, descriptors, system calls; and the kernel kills for a
call that is not on its list, after which the role is started again and mail goes on.

The users are made in a copy of /etc that only this namespace sees."""
import os
import platform
import re
import shutil
import subprocess
import time
import unittest

from lib.host import CONF, ROOT, VARIANT, WORK, Host, run, wait_until
from lib.mail import message, smtp, submit, wait_mail, wait_peer

INJECT = os.path.join(ROOT, "build", VARIANT, "tools", "inject")
SENDER = "bob@good.test"

# role -> user, sees the data directory?, the call that is tried on it
ROLES = {
    "edge": ("_signpost-edge", False, "open"),
    "queue": ("_signpost-queue", True, "tcp-socket"),
    "relay": ("_signpost-relay", False, "open"),
    "mailbox": ("_signpost-mail", True, "unix-socket"),
    "directory": ("_signpost-dir", True, "create"),
    "signer": ("_signpost-sign", True, "packet-socket"),
    "resolver": ("_signpost-resolv", False, "open"),
    "builder": ("_signpost-dnsb", True, "tcp-socket"),
    "serve": ("_signpost-dns", False, "open"),
}
OF_DNSD = ("builder", "serve")


class PrivateEtc:
    """A copy of /etc in memory over the real one, for this namespace only."""

    def __init__(self):
        self.dir = os.path.join(WORK, "confine-etc")
        os.makedirs(self.dir, exist_ok=True)
        run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.dir])
        run(["cp", "-a", "/etc/.", self.dir])
        for name in ("passwd", "group", "shadow", "gshadow"):  # where they are for real
            path = os.path.join(self.dir, name)
            if os.path.exists(path):
                run(["sed", "-i", "/signpost/d", path])
        run(["mount", "--bind", self.dir, "/etc"])

    def end(self):
        run(["umount", "-l", "/etc"])
        run(["umount", "-l", self.dir])
        shutil.rmtree(self.dir, ignore_errors=True)


def read(*parts):
    with open(os.path.join("/proc", *parts), "rb") as f:
        return f.read().decode(errors="replace")


def status(pid):
    return dict(line.split(":\t", 1) for line in read(pid, "status").splitlines()
                if ":\t" in line)


def roles_of(daemon):
    """role -> pid, of the daemon's children that are confined already."""
    out = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = read(pid, "cmdline").split("\0")
            s = status(pid)
            if "--role" in words and int(s["PPid"]) == daemon.proc.pid and s["Seccomp"] == "2":
                out[words[words.index("--role") + 1]] = pid
        except (OSError, KeyError):
            continue  # it has just ended
    return out


def inject(pid, call):
    """Tried again while it is at work: inject needs it waiting."""
    for _ in range(50):
        r = subprocess.run([INJECT, pid, call], capture_output=True, text=True, check=False)
        if "not waiting" not in r.stderr:
            break
        time.sleep(0.02)
    return r.stdout + r.stderr


def ids(name):
    """uid, gid, all groups of a user; as text, as /proc has them."""
    return [set(subprocess.check_output(["id", o, name], text=True).split())
            for o in ("-u", "-g", "-G")]


@unittest.skipIf(VARIANT in ("asan", "tsan"), "sanitizers run without confinement")
class Confine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.etc = PrivateEtc()
        cls.addClassCleanup(cls.etc.end)
        conf = CONF.replace("{privsep}", "full")
        cls.host = Host("confine", conf=conf)
        cls.before = {p: cls.try_start(p) for p in (cls.host.maild, cls.host.dnsd)}
        cls.host.cli("setup", "--users")
        cls.host.setup(accounts=("ann", "eve"))
        cls.host.cli("setup", "--check")
        cls.addClassCleanup(cls.host.kill)
        cls.host.start()

    @classmethod
    def try_start(cls, daemon):
        """What it says without the users. It has nothing but its configuration then."""
        cls.host.cli("setup")
        daemon.start(ready=False)
        daemon.wait_exit()
        return daemon.output()

    def roles(self):
        return {**roles_of(self.host.maild), **roles_of(self.host.dnsd)}

    def each(self):
        """(role, pid, user, sees the data directory, forbidden call) of all."""
        found = wait_until("all roles", lambda: (lambda r: set(ROLES) <= set(r) and r)(
            self.roles()))
        return [(r, found[r], *row) for r, row in ROLES.items()]

    def test_without_the_users_it_says_which_is_missing_and_the_remedy(self):
        for text in self.before.values():
            self.assertIn("_signpost-", text)
            self.assertIn("signpost setup --users", text)

    def test_user_and_groups(self):
        for _role, pid, user, _data, _call in self.each():
            s = status(pid)
            uid, gid, groups = ids(user)
            self.assertEqual(set(s["Uid"].split()), uid)
            self.assertEqual(set(s["Gid"].split()), gid)
            self.assertEqual(set(s["Groups"].split()), groups)
            self.assertEqual(int(s["CapEff"], 16) | int(s["CapPrm"], 16), 0)

    def test_root(self):
        for _role, pid, _user, sees_data, _call in self.each():
            root = os.readlink(os.path.join("/proc", pid, "root"))
            if sees_data:
                self.assertEqual(root, self.host.path("data"))
            else:
                self.assertTrue(root.endswith(" (deleted)"), root)
                self.assertTrue(root.startswith(self.host.path("run") + "/empty-"), root)

    def test_filter_and_privileges(self):
        for _role, pid, _user, _data, _call in self.each():
            for task in os.listdir(os.path.join("/proc", pid, "task")):
                s = status(os.path.join(pid, "task", task))
                self.assertEqual(s["NoNewPrivs"], "1")
                self.assertEqual(s["Seccomp"], "2")

    def test_limits(self):
        for role, pid, _user, _data, _call in self.each():
            limits = {m[1]: (m[2], m[3]) for m in
                      re.finditer(r"^(Max .*?) {2,}(\S+) +(\S+)", read(pid, "limits"), re.M)}
            self.assertEqual(limits["Max core file size"], ("0", "0"))
            self.assertNotEqual(limits["Max data size"][1], "unlimited")
            self.assertNotEqual(limits["Max processes"][1], "unlimited")
            if role in ("relay", "resolver", "serve"):
                self.assertEqual(limits["Max file size"], ("0", "0"))

    def test_descriptors(self):
        for _role, pid, _user, sees_data, _call in self.each():
            folder = os.path.join("/proc", pid, "fd")
            for fd in os.listdir(folder):
                try:
                    what = os.readlink(os.path.join(folder, fd))
                except FileNotFoundError:
                    continue
                # All roles hold the lock, so that no second daemon starts beside survivors.
                is_ours = re.match(r"(socket|pipe):|anon_inode:|/memfd:|/dev/null$|.*/\w+\.lock$",
                                   what)
                is_data = what.startswith(self.host.path("data") + "/") or \
                    what == self.host.path("data")
                self.assertTrue(is_ours or (sees_data and is_data), what)

    def send(self, subject):
        w = smtp()
        w.ask("MAIL FROM:<%s>" % SENDER)
        self.assertEqual(w.ask("RCPT TO:<ann@ours.test>")[0], 250)
        self.assertEqual(w.ask("DATA")[0], 354)
        data = message(SENDER, "ann@ours.test", subject)
        self.assertEqual(w.ask(data + b".\r\n")[0], 250)
        w.close()
        wait_mail(self.host, "ann@ours.test",
                  lambda m: b"Subject: " + subject.encode() in m)

    def send_out(self, subject):
        submit(self.host, "ann@ours.test", "user@peer.test",
               message("ann@ours.test", "user@peer.test", subject))
        wait_peer(subject.encode())

    def answers(self):
        out = run(["dig", "@127.53.1.25", "+short", "+time=1", "ours.test", "MX"], code=None)
        return "mx.ours.test." in out

    def test_mail_goes_in_and_out(self):
        self.send("confined in")
        self.send_out("confined out")
        self.assertTrue(self.answers())

    def test_files_stay_as_the_table_wants_them(self):
        self.send("files")  # roles make files with their own umask
        self.host.cli("setup", "--check")
        hashes = self.host.path("data", "db", "secrets.db")
        journal = self.host.path("data", "journal", "queue")
        os.chmod(hashes, 0o644)
        os.chown(journal, 0, 0)
        try:
            out = self.host.cli("setup", "--check", code=1)
            self.assertIn(hashes + ":", out)
            self.assertIn(journal + ":", out)
            self.assertIn("signpost setup", out)
        finally:
            self.host.cli("setup")
        self.host.cli("setup", "--check")
        self.assertEqual(os.stat(hashes).st_mode & 0o777, 0o640)

    @unittest.skipUnless(platform.machine() == "x86_64", "inject knows x86-64 only")
    def test_kernel_kills_for_a_forbidden_call_and_mail_goes_on(self):
        for role, pid, _user, _data, call in self.each():
            daemon = self.host.dnsd if role in OF_DNSD else self.host.maild
            out = inject(pid, call)
            self.assertIn("died of SIGSYS", out)
            wait_until("a new %s" % role,
                       lambda r=role, p=pid, d=daemon: roles_of(d).get(r, p) != p)
            log = wait_until("%s named in the log" % role, lambda d=daemon, r=role: re.search(
                r'role\.says instance="%s 0" text="sandbox: this role may not call \w+'
                % r, d.output()))
            self.assertTrue(log)
            self.assertRegex(daemon.output(), r'role\.died instance="%s 0" .*system call' % role)
        self.send("after the kills")
        self.send_out("after the kills, out")
        wait_until("an answer", self.answers)
        self.assertTrue(self.host.maild.alive() and self.host.dnsd.alive())

    @unittest.skipUnless(platform.machine() == "x86_64", "inject knows x86-64 only")
    def test_no_role_starts_a_program_traces_or_makes_code(self):
        for call in ("execve", "ptrace", "code"):
            for role, pid, _user, _data, _call in self.each():
                daemon = self.host.dnsd if role in OF_DNSD else self.host.maild
                self.assertIn("died of SIGSYS", inject(pid, call))
                wait_until("a new %s" % role,
                           lambda r=role, p=pid, d=daemon: roles_of(d).get(r, p) != p)
        self.send("after all kills")
