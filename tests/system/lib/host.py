# SPDX-License-Identifier: ISC
"""A host under test: configuration, data directory, dnsd and maild as child processes.

Runs inside tests/net/inside. The host is mx.ours.test and ns1.ours.test on
127.53.1.25, as the test internet delegates it; every scenario gets a folder of its own
under build/system.
"""
import glob
import os
import shutil
import signal
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
VARIANT = os.environ.get("VARIANT", "release")
BIN = os.path.join(ROOT, "build", VARIANT, "bin")
WORK = os.path.join(ROOT, "build", "system")

NS = "127.53.1.25"
MX = "127.53.1.25"
# ASan makes everything several times slower, valgrind more so
# What the daemons run under: `make valgrind` says SIGNPOST_VALGRIND=1.
VALGRIND = "valgrind -q --trace-children=yes --leak-check=full --show-leak-kinds=definite " \
    "--errors-for-leak-kinds=definite --suppressions=%s/tests/tools/valgrind.supp " \
    "--log-file={dir}/sanitizer.%%p" % ROOT if os.environ.get("SIGNPOST_VALGRIND") else ""
IS_WATCHED = VALGRIND != "" or VARIANT in ("asan", "tsan")
PATIENCE = float(os.environ.get("PATIENCE", "10" if VALGRIND else "3" if IS_WATCHED else "1"))

CONF = """\
hostname mx.ours.test
address {mx}
ns_name ns1.ours.test
data_dir {dir}/data
run_dir {dir}/run
privsep {privsep}
listen dns {ns}:53
listen smtp {mx}:25
listen submission {mx}:587
listen submissions {mx}:465
listen imap {mx}:143
listen imaps {mx}:993
resolver_root_hints {net}/root.hints
resolver_trust_anchor {net}/root.key
resolver_nodefault test.
resolver_nodefault 127.in-addr.arpa.
resolver_localhost yes
loopback_is_stranger yes
outbound_source {mx}
queue_retry_first 1
queue_retry_max 2
sessions_per_client_max 200
"""

# For dnsd alone, outside the test internet; `listen` lines are the caller's.
NET_FREE_CONF = """\
hostname mail.load.test
address 192.0.2.25
ns_name mail.load.test
data_dir {dir}/data
run_dir {dir}/run
privsep {privsep}
"""


class Failed(Exception):
    """A program under test did not do what the test needs to go on."""


class Daemon:
    """One program in the background; its output goes to a file and is watched."""

    def __init__(self, name, argv, log):
        self.name, self.argv, self.log = name, argv, log
        self.proc = None

    def start(self, ready=True, seconds=10):
        with open(self.log, "ab") as out:
            self.mark = out.tell()
            self.proc = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out,
                                         stderr=subprocess.STDOUT)
        if ready:
            self.wait_line("%s: ready" % self.name, seconds)
        return self

    def output(self):
        """What it has written since its last start."""
        with open(self.log, "rb") as f:
            f.seek(self.mark)
            return f.read().decode(errors="replace")

    def wait_line(self, text, seconds=10):
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            if text in self.output():
                return
            if self.proc.poll() is not None:
                break
            time.sleep(0.005)
        raise Failed("%s did not say %r; it said:\n%s" % (self.name, text, self.output()))

    def wait_exit(self, seconds=10):
        try:
            return self.proc.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise Failed("%s did not end in %d s" % (self.name, seconds)) from None

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def stop(self, seconds=10):
        """SIGTERM and its exit code."""
        if not self.alive():
            return self.proc.returncode if self.proc else None
        self.proc.terminate()
        return self.wait_exit(seconds)

    def kill(self):
        """kill -9 of every process of it, as if the machine had pulled it from under the work."""
        from .watch import children
        if self.alive():
            below = children(self.proc.pid)
            self.proc.send_signal(signal.SIGKILL)
            for pid in below:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.proc.wait()


class Host:
    def __init__(self, name, extra="", conf=CONF):
        self.dir = os.path.join(WORK, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.conf = os.path.join(self.dir, "signpost.conf")
        # Whatever runs for this host, CLI and checker too, reports into files of its folder.
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            os.environ[name] = "log_path=" + self.path("sanitizer")
        # Sanitizers and valgrind need calls and files that no role may have.
        text = conf.format(dir=self.dir, ns=NS, mx=MX, privsep="off" if IS_WATCHED else "seccomp",
                           net=os.environ.get("NET_STATE", "/nonexistent"))
        self.write_conf(text + extra)
        self.dnsd, self.maild = [
            Daemon(name, VALGRIND.format(dir=self.dir).split() +
                   [os.path.join(BIN, name), "-f", self.conf], self.path(name + ".log"))
            for name in ("dnsd", "maild")]

    def write_conf(self, text):
        with open(self.conf, "w") as f:
            f.write(text)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def sanitizer_reports(self):
        """What the sanitizers of a VARIANT=asan or tsan build, or valgrind, had to say; "" is
        good. tests/system/run looks after every scenario."""
        return "".join(open(f, errors="replace").read()
                       for f in sorted(glob.glob(self.path("sanitizer.*"))))

    @property
    def ca(self):
        return self.path("data", "tls", "ca.pem")

    def cli(self, *args, stdin="", code=0):
        """Run signpost; its output. Any other exit code than `code` is a failure."""
        argv = [os.path.join(BIN, "signpost"), "-f", self.conf] + list(args)
        r = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False,
                           timeout=60 * PATIENCE)
        if r.returncode != code:
            raise Failed("%s: exit %d, wanted %d\n%s"
                         % (" ".join(argv), r.returncode, code, r.stdout))
        return r.stdout

    def setup(self, domain="ours.test", accounts=("ann",), password="correct horse 1"):
        """signpost setup, one domain, some accounts; no daemon is started."""
        self.cli("setup")
        self.password = password
        if domain:
            self.cli("domain", "add", domain)
            for a in accounts:
                self.add_account("%s@%s" % (a, domain))
        return self

    def add_account(self, address):
        self.cli("account", "add", address, "--password-stdin", stdin=self.password + "\n")

    def start(self):
        self.dnsd.start()
        self.maild.start()
        return self

    def stop(self):
        return [d.stop() for d in (self.maild, self.dnsd)]

    def kill(self):
        self.maild.kill()
        self.dnsd.kill()


def run(argv, code=0, seconds=60, **kw):
    """Run a client to its end; its output as text. Another exit code is a failure."""
    kw.setdefault("text", True)
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                       timeout=seconds * PATIENCE, **kw)
    if code is not None and r.returncode != code:
        raise Failed("%s: exit %d\n%s" % (" ".join(argv), r.returncode, r.stdout))
    return r.stdout


def wait_until(what, test, seconds=10):
    """Poll `test` until it gives something; that, or Failed."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        got = test()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed("waited %g s for %s" % (seconds * PATIENCE, what))
        time.sleep(0.02)


def in_threads(n, work):
    """work(0..n-1) at the same time; their results in order, or the first exception."""
    out, errors = [None] * n, []

    def one(i):
        try:
            out[i] = work(i)
        except BaseException as e:  # noqa: B902 - carried over to the caller below
            errors.append(e)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return out
