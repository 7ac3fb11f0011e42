# SPDX-License-Identifier: ISC
"""Kill maild again and again while a loader sends, then look for every promised message.

Used short by the system tests and long by `make crashload`.
"""
import hashlib
import os
import random
import re
import subprocess
import time

from .host import MX, ROOT, VARIANT, Failed, wait_until
from .mail import Box

LOADER = os.path.join(ROOT, "build", VARIANT, "tools", "mailload")


def load_and_kill(host, rcpts, messages, sessions, kills, seed=1, say=lambda text: None,
                  bodies=None):
    """Run the loader; kill -9 maild `kills` times meanwhile, start it again each time.

    The kills are spread over the messages, not over time, so that a slow machine gets
    them all. `bodies` is a range of octets, "1000-200000". Returns the ids that were answered 250: {id: recipient}.
    """
    log = host.path("ids.log")
    argv = [LOADER, "-a", MX, "-p", "25", "-n", str(messages), "-s", str(sessions), "-l", log]
    for r in rcpts:
        argv += ["-t", r]
    if bodies:
        argv += ["-b", bodies]
    rng = random.Random(seed)
    loader = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for k in range(kills):
            goal = messages * (k + 1) // (kills + 1)
            wait_until("message %d" % goal,
                       lambda g=goal: count_lines(log) >= g or loader.poll() is not None, 300)
            if loader.poll() is not None:
                break
            time.sleep(rng.random() * 0.05)
            host.maild.kill()
            since = time.monotonic()
            host.maild.start(seconds=60)
            say("kill %d after %d messages; ready again in %.2f s"
                % (k + 1, count_lines(log), time.monotonic() - since))
        out, _ = loader.communicate(timeout=900)
    finally:
        if loader.poll() is None:
            loader.kill()
            loader.wait()
    say(out.strip())
    if loader.returncode != 0:
        raise Failed("the loader did not finish: " + out)
    with open(log) as f:
        return dict(line.split() for line in f)


def count_lines(path):
    try:
        with open(path, "rb") as f:
            return f.read().count(b"\n")
    except OSError:
        return 0


def check_body(octets):
    """(id, what is wrong with it or None) of one message as IMAP gave it."""
    head, _, body = octets.partition(b"\r\n\r\n")
    m = re.search(rb"(?m)^X-Load-Id: (\S+)\r?$", head)
    want = re.search(rb"(?m)^X-Load-Sha256: (\S+)\r?$", head)
    if m is None or want is None:
        return None, "no X-Load fields in %r" % octets[:200]
    if hashlib.sha256(body).hexdigest().encode() != want.group(1):
        return m.group(1).decode(), "body differs"
    return m.group(1).decode(), None


def collect(host, rcpt):
    """{id: how often} in the mailbox, and the list of faults."""
    found, faults = {}, []
    with Box(host, rcpt) as box:
        for octets in box.all().values():
            ident, fault = check_body(octets)
            if fault:
                faults.append("%s: %s" % (ident, fault))
            if ident:
                found[ident] = found.get(ident, 0) + 1
    return found, faults


def verify(host, promised, seconds=120):
    """Every promised id exactly once and whole. Returns a dict of counts; faults are text."""
    rcpts = sorted(set(promised.values()))

    def all_there():
        got = {r: collect(host, r) for r in rcpts}
        n = sum(1 for i, r in promised.items() if i in got[r][0])
        return got if n == len(promised) or time.monotonic() > deadline else None
    deadline = time.monotonic() + seconds
    got = wait_until("the promised messages", all_there, seconds + 60)
    lost = [i for i, r in promised.items() if i not in got[r][0]]
    twice = [i for r in rcpts for i, n in got[r][0].items() if n > 1]
    faults = [f for r in rcpts for f in got[r][1]]
    extra = sum(1 for r in rcpts for i in got[r][0] if i not in promised)
    return {"promised": len(promised), "lost": lost, "twice": twice, "damaged": faults,
            "without a 250": extra}
