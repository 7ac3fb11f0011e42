# SPDX-License-Identifier: ISC
"""Legitimate mail and names beside hostile clients: the long form is `make hostile`, the short
one a scenario of `make system`."""
import imaplib
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

from .crashload import LOADER
from .host import MX, NS, PATIENCE, ROOT, VARIANT, Failed, wait_until
from .mail import context, inbox, message, smtp
from .watch import (Canary, Peaks, SlowCallbacks, processor_time, settled_descriptors,
                    snapshot, stolen)

HOSTILE = os.path.join(ROOT, "build", VARIANT, "tools", "hostile")
LEGIT_SOURCE = "127.53.0.31"  # another address than any foe; has a name in the test internet
FOE_SOURCE, FOE_SOURCES = "127.66.0.1", 10
VICTIM = "eve@ours.test"      # whose password the foes know
# Shorter than the defaults, so that a run of minutes sees them pass.
EXTRA = """\
log_format json
session_idle 20
login_timeout 15
"""


def loader(host, log, seconds, sessions, rcpts):
    argv = [LOADER, "-a", MX, "-n", "100000000", "-s", str(sessions), "-l", log, "-e",
            str(seconds), "-S", LEGIT_SOURCE, "-b", "1000-12000"]
    for r in rcpts:
        argv += ["-t", r]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def foes(host, connections, seconds, octets_per_s=65536):
    return subprocess.Popen(
        [HOSTILE, "-a", MX, "-n", str(connections), "-t", str(seconds), "-u", VICTIM, "-w",
         host.password, "-r", VICTIM, "-s", FOE_SOURCE, "-S", str(FOE_SOURCES), "-b",
         str(octets_per_s)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Windows:
    """How many lines a second the log of promised ids grows by."""

    def __init__(self, log):
        self.log, self.at = log, 0

    def count(self):
        n = 0
        if os.path.exists(self.log):
            with open(self.log, "rb") as f:
                f.seek(self.at)
                for piece in iter(lambda: f.read(1 << 16), b""):
                    n += piece.count(b"\n")
                self.at = f.tell()
        return n

    def rates(self, seconds, window=1.0):
        """Messages a second in each whole window of the next `seconds`."""
        out, last, end = [], time.monotonic(), time.monotonic() + seconds
        self.count()
        while last + window <= end:
            time.sleep(max(0.0, last + window - time.monotonic()))
            now = time.monotonic()
            out.append(self.count() / (now - last))
            last = now
        return out


class Names(threading.Thread):
    """A question by UDP and one by TCP every half second; what was not answered in time."""

    LIMIT_S = 1.0

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.asked, self.slowest, self.faults = 0, 0.0, []

    QUERY = b"\x12\x34\0\0\0\1\0\0\0\0\0\0\4ours\4test\0\0\6\0\1"

    def ask(self, is_tcp):
        kind = socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as s:
            s.settimeout(self.LIMIT_S * PATIENCE)
            s.bind((LEGIT_SOURCE, 0))
            s.connect((NS, 53))
            s.sendall((struct.pack(">H", len(self.QUERY)) if is_tcp else b"") + self.QUERY)
            data = s.recv(4096)
            return data[2 if is_tcp else 0:][:2] == b"\x12\x34" or is_tcp and len(data) == 2

    def run(self):
        while not self.over.wait(0.25):
            is_tcp = self.asked % 2 == 1
            since = time.monotonic()
            self.asked += 1
            try:
                if not self.ask(is_tcp):
                    self.faults.append("question %d: no answer in it" % self.asked)
            except OSError as e:
                self.faults.append("question %d (%s): %s" % (self.asked, "TCP" if is_tcp else "UDP", e))
            self.slowest = max(self.slowest, time.monotonic() - since)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def harvest(host, rcpts):
    """{id: copies} of all mail in the boxes, which are emptied."""
    found = {}
    for r in rcpts:
        imap = imaplib.IMAP4(MX, 143, timeout=120 * PATIENCE)
        imap.host = "mx.ours.test"
        imap.starttls(context(host))
        imap.login(r, host.password)
        n = int(imap.select("INBOX")[1][0])
        for first in range(1, n + 1, 2000):
            _, data = imap.fetch("%d:%d" % (first, min(n, first + 1999)),
                                 "(BODY.PEEK[HEADER.FIELDS (X-Load-Id)])")
            for part in data:
                m = isinstance(part, tuple) and re.search(rb"(?i)X-Load-Id: (\S+)", part[1])
                if m:
                    ident = m.group(1).decode()
                    found[ident] = found.get(ident, 0) + 1
        if n:
            imap.store("1:%d" % n, "+FLAGS.SILENT", "(\\Deleted)")
            imap.expunge()
        imap.logout()
    return found


def promised(log):
    with open(log) as f:
        return [line.split()[0] for line in f]


def account_for(host, rcpts, log, seconds=60):
    """(promised, lost, twice) of a loader's log; waits for what is still on its way."""
    want, found = promised(log), {}

    def look():
        for ident, n in harvest(host, rcpts).items():
            found[ident] = found.get(ident, 0) + n
        return all(i in found for i in want)
    try:
        wait_until("the promised messages", look, seconds)
    except Failed:
        pass
    return (len(want), [i for i in want if i not in found], [i for i, n in found.items() if n > 1])


def fill_victim(host, n=60):
    """Mail for the foes' own account, so that a FETCH of all of it is much."""
    w = smtp(source=LEGIT_SOURCE)
    data = message("bob@good.test", VICTIM, "bait", "z" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 1400)
    for _ in range(n):
        for line in ("MAIL FROM:<bob@good.test>", "RCPT TO:<%s>" % VICTIM, "DATA"):
            w.ask(line)
        code, text = w.ask(data + b".\r\n")
        if code != 250:
            raise Failed("bait: %d %s" % (code, text))
    w.close()


class Siege:
    """Calm and hostile phases in turn on one host; what was seen."""

    def __init__(self, host, say, connections=200, sessions=6, octets_per_s=65536):
        self.host, self.say = host, say
        self.connections, self.sessions, self.octets = connections, sessions, octets_per_s
        self.rcpts = ["ann@ours.test", "bea@ours.test"]
        self.daemons = [host.maild, host.dnsd]
        self.rates = {"calm": [], "hostile": []}
        self.cost = {}
        self.faults, self.phases, self.total = [], 0, 0

    def phase(self, kind, seconds, settle=3):
        """Measure for `seconds` after `settle`; then account for every promised message."""
        self.phases += 1
        log = self.host.path("ids.%d" % self.phases)
        enemy = foes(self.host, self.connections, settle + seconds + 60, self.octets) \
            if kind == "hostile" else None
        try:
            load = loader(self.host, log, settle + seconds + 1, self.sessions, self.rcpts)
            windows = Windows(log)
            time.sleep(settle)
            cpu = processor_time(self.daemons)
            rates = windows.rates(seconds)
            self.note_cost(kind, sum(rates), len(rates), cpu)
            out, _ = load.communicate(timeout=120 * PATIENCE)
        finally:
            if enemy:
                enemy.send_signal(signal.SIGTERM)
                self.report = enemy.communicate(timeout=60 * PATIENCE)[0]
        if load.returncode != 0:
            raise Failed("the loader did not finish: " + out)
        self.rates[kind] += rates
        n, lost, twice = account_for(self.host, self.rcpts, log)
        self.total += n
        self.say("%-7s %3d s: median %.0f messages/s (%.0f to %.0f); %d promised, %d lost, %d twice; %s"
                 % (kind, seconds, statistics.median(rates), min(rates), max(rates), n, len(lost),
                    len(twice), out.strip().partition("(")[2].partition("), ")[2]))
        self.faults += ["lost " + i for i in lost[:5]] + ["twice " + i for i in twice[:5]]

    def note_cost(self, kind, messages, seconds, before):
        """Processor time of each process in a phase, with what it did meanwhile."""
        for name, t in processor_time(self.daemons).items():
            c = self.cost.setdefault(name, {"calm": [0.0, 0, 0], "hostile": [0.0, 0, 0]})[kind]
            c[0] += t - before.get(name, t)
            c[1] += messages
            c[2] += seconds

    def foes_cost(self):
        """{process: ms of processor time a second that the foes took}: what its time in hostile
        phases is more than that of as many messages in calm ones. Does not depend on
        what else the machine does."""
        out = {}
        for name, c in self.cost.items():
            (calm, messages, _), (hostile, beside, seconds) = c["calm"], c["hostile"]
            if messages and seconds:
                out[name] = max(0.0, hostile - calm / messages * beside) / seconds * 1e3
        return out

    def run(self, plan, slow_times=1):
        """plan: [(kind, seconds), ...]. Returns a list of faults, empty when all held. A callback
        is one when it was slow `slow_times`."""
        stolen_before = stolen()
        fill_victim(self.host)
        inbox(self.host, VICTIM)
        self.phase("calm", 3, settle=1)  # everything opened once, then counted
        self.rates["calm"].clear()
        self.cost.clear()
        before = snapshot(self.daemons)
        slow = SlowCallbacks(self.daemons)
        with Canary() as canary, Peaks(self.daemons) as peaks, Names() as names:
            for kind, seconds in plan:
                self.phase(kind, seconds)
        self.say("foes of the last hostile phase:\n" + self.report.rstrip())
        self.say("processes at their largest:\n" + "\n".join(peaks.table()))
        slow.late_ms = canary.worst_ms
        cost = self.foes_cost()
        if cost:
            self.say("foes cost %.0f ms of processor time a second: %s" % (sum(cost.values()), ", ".join(
                "%s %.0f" % x for x in sorted(cost.items(), key=lambda x: -x[1]) if x[1] >= 1)))
        self.say("the machine let a process that was ready wait up to %.1f ms; its own host kept "
                 "%.1f s of its processors" % (canary.worst_ms, stolen() - stolen_before))
        self.say("slow callbacks:\n" + ("\n".join(slow.table()) or "none"))
        self.say("names: %d asked, %d without an answer in %g s, slowest %.0f ms"
                 % (names.asked, len(names.faults), Names.LIMIT_S * PATIENCE, names.slowest * 1e3))
        self.faults += names.faults[:5] + peaks.beyond()
        self.faults += ["callback %s of %s: %.0f ms, of these %.0f ms its own, %d waits"
                        % (e["callback"], e.get("role", "?"), e["took_us"] / 1e3,
                           e.get("cpu_us", 0) / 1e3, e.get("waits", 0)) for e in slow.own_doing(slow_times)[:5]]
        self.faults += settled_descriptors(self.daemons, before, 60 * PATIENCE)
        if not all(d.alive() for d in self.daemons):
            self.faults.append("a daemon has ended")
        return self.faults

    def kept(self):
        """The share of its rate that legitimate mail kept."""
        return statistics.median(self.rates["hostile"]) / statistics.median(self.rates["calm"])
