# SPDX-License-Identifier: ISC
"""One window of mail: send for some seconds, then wait until every promise is kept.

Accepted is counted to the last 250, arrived until the last message is where it belongs (in a
mailbox, at the next host), settled until the server has nothing left to sync: the rate it
could hold for ever. Processor time and syncs of a message include what was put off.
"""
import os
import time
from collections import namedtuple

from .private import Brake
from .process import Failed, cpu_seconds, load, wait_until
from .settings import BENCH_BIN

SMTPLOAD = os.path.join(BENCH_BIN, "smtpload")
DRAIN_S = 120

Case = namedtuple("Case", "kb sessions is_new slow_ms")


def title(c):
    return "%d KB x%d %s%s" % (c.kb, c.sessions, "new" if c.is_new else "kept",
                               ", %d ms syncs" % c.slow_ms if c.slow_ms else "")


def wait_for_all(server, count, want, seconds):
    """Until `want` messages are there; more than that is a fault, too."""
    got = wait_until("%d messages of %s" % (want, server.name),
                     lambda: (count() >= want) and count(), seconds, 0.005)
    if got != want:
        raise Failed("%s made %d messages of %d" % (server.name, got, want))


def window(server, c, seconds, recipients, count, most):
    """Messages a second, CPU ms and syncs a message. `count()`: how many have arrived."""
    argv = [SMTPLOAD, "-p", server.port, "-s", c.sessions, "-z", c.kb * 1024, "-t", seconds,
            "-n", most] + (["-N"] if c.is_new else [])
    for r in recipients:
        argv += ["-r", r]
    base = count()
    cpu = cpu_seconds(server.server.pid())
    with Brake(c.slow_ms) as brake:
        since = time.monotonic()
        got = load(argv, seconds + 60)
        wait_for_all(server, count, base + got["accepted"], DRAIN_S)
        took = time.monotonic() - since
        later = brake.settle()
        syncs = brake.syncs()
    cpu = cpu_seconds(server.server.pid()) - cpu
    return {"accepted": got["rate"], "delivered": got["accepted"] / took,
            "settled": got["accepted"] / (took + later), "cpu": cpu * 1e3 / got["accepted"],
            "syncs": syncs / got["accepted"]}
