# SPDX-License-Identifier: ISC
"""Servers on one core, loads on the other; what a server with all its children costs.

A server may be one process or a tree (maild, Postfix, Dovecot): it is ready when it says so
or answers, and its processor time and memory are those of the whole tree, the ended
children included.
"""
import json
import os
import signal
import subprocess
import time

SERVER_CORE, LOAD_CORE = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A server or a load did not do what a figure needs; there is no figure then."""


def on_core(core, argv):
    return ["taskset", "-c", core] + [str(a) for a in argv]


def stat_fields(pid):
    """Fields of /proc/PID/stat from the state on, or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def tree(root):
    """The process and all below it."""
    children = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(int(name)) if name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of the tree; of ended children what their parent has waited for."""
    ticks = 0
    for pid in tree(root):
        fields = stat_fields(pid)
        if fields:
            ticks += sum(int(x) for x in fields[11:15])
    return ticks / TICK


def pss_mb(root):
    """Proportional set size of the tree: shared pages are counted once in all."""
    kb = 0
    for pid in tree(root):
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                kb += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            continue
    return kb / 1024


def wait_until(what, test, seconds=30, step=0.002):
    end = time.monotonic() + seconds
    while True:
        got = test()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed("waited %g s for %s" % (seconds, what))
        time.sleep(step)


class Server:
    """One server program in the foreground."""

    def __init__(self, name, argv, log, stop_with=None, core=SERVER_CORE):
        """`stop_with`: a command that ends the server, where SIGTERM would not end all of it."""
        self.name, self.argv, self.log, self.stop_with = name, argv, log, stop_with
        self.core = core
        self.proc = None

    def start(self):
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(on_core(self.core, self.argv),
                                         stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        return self

    def check(self):
        if self.proc is None or self.proc.poll() is not None:
            raise Failed("%s is not running; its log ends: %s" % (self.name, self.last_words()))

    def last_words(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-600:]

    def pid(self):
        self.check()
        return self.proc.pid

    def stop(self, seconds=20):
        if self.proc is None or self.proc.poll() is not None:
            return
        family = tree(self.proc.pid)
        if self.stop_with:
            subprocess.run(self.stop_with, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False, timeout=60)
        else:
            self.proc.terminate()
        try:
            self.proc.wait(seconds)
            # Children that outlive their parent would answer for the next one.
            wait_until("the end of " + self.name, lambda: not living(family), seconds, 0.01)
        except (subprocess.TimeoutExpired, Failed):
            for pid in living(family):
                os.kill(pid, signal.SIGKILL)
            self.proc.wait()


def living(pids):
    """Those that have not ended; what nobody waits for counts as ended."""
    return [p for p in pids if (stat_fields(p) or "Z")[0] not in "ZX"]


def load(argv, seconds):
    """Run a load program; the JSON object it prints. Anything wrong is no figure."""
    try:
        r = subprocess.run(on_core(LOAD_CORE, argv), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed("%s did not end in %g s" % (argv[0], seconds)) from None
    if r.returncode != 0:
        raise Failed("%s: exit %d: %s" % (os.path.basename(str(argv[0])), r.returncode,
                                          (r.stderr + r.stdout).strip()[-400:]))
    return json.loads(r.stdout)
