# SPDX-License-Identifier: ISC
"""What the daemons use while they work: memory, descriptors, threads, by process and role.

A daemon may be one process or a parent with a process for each role; both are a tree that
begins at the pid that was started, and a process is named by its --role and --instance.
"""
import json
import os
import re
import subprocess
import sys
import threading
import time

# Ceilings of resident memory in MiB under attack. A daemon in one process has the sum of its roles.
LIMIT_MIB = {"maild": 384, "dnsd": 256, "parent": 32, "edge": 192, "queue": 128, "mailbox": 192,
             "relay": 96, "directory": 96, "signer": 64, "resolver": 96, "serve": 128,
             "builder": 192, "prober": 64}
if os.environ.get("VARIANT") in ("asan", "tsan"):  # shadow memory and quarantines
    LIMIT_MIB = {k: v * 12 for k, v in LIMIT_MIB.items()}
SLOW_MS = 50


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:  # it has just ended
        return ""


def children(pid):
    out = []
    try:
        tasks = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return out
    for t in tasks:
        for c in read("/proc/%d/task/%s/children" % (pid, t)).split():
            out += [int(c)] + children(int(c))
    return out


def tree(daemon):
    """{name: pid} of a lib.host.Daemon: "maild", or "maild parent", "maild edge 0", ..."""
    top = daemon.proc.pid
    below = children(top)
    out = {daemon.name + (" parent" if below else ""): top}
    for pid in below:
        words = read("/proc/%d/cmdline" % pid).split("\0")
        name = daemon.name + " "
        for option in ("--role", "--instance"):
            if option in words[:-1]:
                name += words[words.index(option) + 1] + " "
        name = name.strip()
        out[name if name != daemon.name else "%s child %d" % (daemon.name, pid)] = pid
    return out


def role_of(name):
    """The row of LIMIT_MIB: "edge" of "maild edge 0"."""
    words = name.split()
    return words[1] if len(words) > 1 and words[1] in LIMIT_MIB else words[0]


def usage(pid, with_pss=False):
    """{"rss": KiB, "fds": n, "threads": n[, "pss": KiB]}, or None when it has ended."""
    status = read("/proc/%d/status" % pid)
    rss = re.search(r"VmRSS:\s+(\d+)", status)
    try:
        fds = len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return None
    if not rss:
        return None
    out = {"rss": int(rss.group(1)), "fds": fds,
           "threads": int(re.search(r"Threads:\s+(\d+)", status).group(1))}
    if with_pss:
        pss = re.search(r"Pss:\s+(\d+)", read("/proc/%d/smaps_rollup" % pid))
        out["pss"] = int(pss.group(1)) if pss else out["rss"]
    return out


def processor_time(daemons):
    """{name: seconds} that each process has computed so far, all its threads."""
    out = {}
    for d in daemons:
        for name, pid in tree(d).items():
            f = read("/proc/%d/stat" % pid).rpartition(")")[2].split()
            if len(f) > 12:
                out[name] = (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")
    return out


def snapshot(daemons, with_pss=False):
    """{name: usage} of all processes of the daemons."""
    out = {}
    for d in daemons:
        for name, pid in tree(d).items():
            u = usage(pid, with_pss)
            if u:
                out[name] = u
    return out


class Peaks(threading.Thread):
    """The largest of each figure while it runs: `with Peaks(daemons) as p: ...; p.peak`."""

    def __init__(self, daemons, every=0.25):
        super().__init__(daemon=True)
        self.daemons, self.every, self.peak = daemons, every, {}
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            for name, u in snapshot(self.daemons).items():
                known = self.peak.setdefault(name, dict(u))
                for k in u:
                    known[k] = max(known[k], u[k])
            self.over.wait(self.every)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def beyond(self):
        """Lines about processes that passed the limit of their role."""
        return ["%s: %.0f MiB, at most %d" % (name, u["rss"] / 1024, LIMIT_MIB[role_of(name)])
                for name, u in sorted(self.peak.items())
                if u["rss"] > LIMIT_MIB[role_of(name)] * 1024]

    def table(self):
        return ["%-20s rss %7.1f MiB (limit %d), %4d descriptors, %3d threads"
                % (name, u["rss"] / 1024, LIMIT_MIB[role_of(name)], u["fds"], u["threads"])
                for name, u in sorted(self.peak.items())]


class Canary:
    """A process that only sleeps for a millisecond, again and again, and sees how late the
    machine wakes it: what a callback may take longer without having done anything."""

    SONG = ("import signal,time\nworst=0.0\ndef end(*_):\n print(worst*1e3,flush=True)\n"
            " raise SystemExit\nsignal.signal(signal.SIGTERM,end)\n"
            "while True:\n t=time.monotonic()\n time.sleep(0.001)\n"
            " worst=max(worst,time.monotonic()-t-0.001)\n")

    def __enter__(self):
        self.worst_ms = 0.0
        self.proc = subprocess.Popen([sys.executable, "-c", self.SONG], stdout=subprocess.PIPE,
                                     text=True)
        return self

    def __exit__(self, *_):
        self.proc.terminate()
        self.worst_ms = float(self.proc.communicate()[0] or 0)


class SlowCallbacks:
    """The loop.slow events of the logs since it was made. Needs `log_format json`."""

    def __init__(self, daemons):
        self.late_ms = 0.0  # of the canary
        self.marks = {d.log: os.path.getsize(d.log) if os.path.exists(d.log) else 0
                      for d in daemons}

    def events(self):
        out = []
        for path, mark in self.marks.items():
            with open(path, "rb") as f:
                f.seek(mark)
                for line in f:
                    if b'"loop.slow"' in line:
                        try:
                            out.append(json.loads(line))
                        except ValueError:
                            pass
        return out

    def is_own_doing(self, e):
        """Over the limit by computing, or by waiting for something longer than this machine
        lets anybody wait for a processor."""
        took, cpu = e["took_us"] / 1e3, e.get("cpu_us", e["took_us"]) / 1e3
        return cpu > SLOW_MS or (e.get("waits", 0) > 1 and took > SLOW_MS + 2 * self.late_ms)

    def table(self):
        """A line a callback: how often over 5 ms, the worst of each measure."""
        by = {}
        for e in self.events():
            by.setdefault((e.get("role", "?"), e["callback"]), []).append(e)
        return ["%-10s %-16s %5d over 5 ms, %4d over %d ms (%d its own doing); longest %.1f ms, "
                "most processor time %.1f ms"
                % (role, name, len(es), sum(e["took_us"] > SLOW_MS * 1000 for e in es), SLOW_MS,
                   sum(map(self.is_own_doing, es)), max(e["took_us"] for e in es) / 1e3,
                   max(e.get("cpu_us", 0) for e in es) / 1e3)
                for (role, name), es in sorted(by.items(), key=lambda x: -len(x[1]))]

    def own_doing(self, times=1):
        """Events of callbacks that did it at least so often: on a machine that is itself a
        guest, a pause of the host counts as processor time, once."""
        events = [e for e in self.events() if self.is_own_doing(e)]
        names = [(e.get("role"), e["callback"]) for e in events]
        return [e for e, n in zip(events, names) if names.count(n) >= times]


def stolen():
    """Seconds that the host of this machine kept its processors for others."""
    return int(read("/proc/stat").split()[8]) / os.sysconf("SC_CLK_TCK")


def settled_descriptors(daemons, before, seconds=30):
    """Wait until no process has more descriptors than `before` (a snapshot) by more than
    four (a database opened on first use); lines about those that stay above."""
    end = time.monotonic() + seconds
    while True:
        now = snapshot(daemons)
        more = ["%s: %d descriptors before, %d after" % (n, before[n]["fds"], u["fds"])
                for n, u in sorted(now.items()) if n in before and u["fds"] > before[n]["fds"] + 4]
        if not more or time.monotonic() > end:
            return more
        time.sleep(0.2)
