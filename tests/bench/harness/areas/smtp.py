# SPDX-License-Identifier: ISC
"""Area smtp: mail taken from outside and put into mailboxes, beside Postfix.

Delivered means that a reader can see it; see harness/window.py for what is counted.
"""
from ..figures import Figures
from ..mail import ADDRESSES, OurMail, Postfix
from ..private import Brake
from ..process import Failed, load, pss_mb
from ..settings import RESULTS, progress
from ..window import DRAIN_S, SMTPLOAD, Case, title, wait_for_all, window
from ..world import World

PACKAGES = ["postfix"]
SLOW_MS = 2
# So many at most in a window: disks fill up.
MOST = {1: 20000, 10: 20000, 100: 3000}

CASES = [Case(kb, n, is_new, 0) for is_new in (False, True) for kb in (1, 10) for n in (1, 10, 50)]
CASES += [Case(100, 10, False, 0)]
CASES += [Case(kb, n, False, SLOW_MS) for kb in (1, 10) for n in (1, 10, 50)]
CASES += [Case(1, n, True, SLOW_MS) for n in (10, 50)]
COSTS = {Case(1, 10, False, 0), Case(10, 10, False, 0)}  # those whose cost is told, too


def quiet(server, slow_ms):
    """From the connect to the 250, ms, when there is nothing else to do."""
    base = server.delivered()
    with Brake(slow_ms) as brake:
        got = load([SMTPLOAD, "-p", server.port, "-N", "-n", "40", "-i", "20", "-t", "20", "-r",
                    ADDRESSES[0]], 60)
        wait_for_all(server, server.delivered, base + got["accepted"], DRAIN_S)
        brake.syncs()
    return got["p50_us"] / 1e3


def quiet_title(slow_ms):
    return "connect to 250, quiet server" + (", %d ms syncs" % slow_ms if slow_ms else "")


def declare(figures):
    for c in CASES:
        figures.case("accepted " + title(c), "messages/s")
        figures.case("delivered " + title(c), "messages/s")
        if c in COSTS:
            figures.case("settled " + title(c), "messages/s")
            figures.case("CPU " + title(c), "ms/message", more=False)
            figures.case("syncs " + title(c), "syncs/message", more=False)
    for ms in (0, SLOW_MS):
        figures.case(quiet_title(ms), "ms", more=False)
    figures.case("memory PSS after the load", "MB", more=False)


def measure(figures, server, c, seconds):
    words = ["accepted", "delivered"] + (["settled", "cpu", "syncs"] if c in COSTS else [])
    try:
        got = window(server, c, seconds, ADDRESSES, server.delivered, MOST[c.kb])
        for word in words:
            figures.add(case_of(word, c), server.name, got[word])
    except Failed as e:
        for word in words:
            figures.fail(case_of(word, c), server.name, str(e))


def case_of(word, c):
    return "%s %s" % ("CPU" if word == "cpu" else word, title(c))


def one_round(figures, servers, seconds):
    for c in CASES:
        for s in servers:
            measure(figures, s, c, seconds)
    for ms in (0, SLOW_MS):
        for s in servers:
            try:
                figures.add(quiet_title(ms), s.name, quiet(s, ms))
            except Failed as e:
                figures.fail(quiet_title(ms), s.name, str(e))
    for s in servers:
        figures.add("memory PSS after the load", s.name, pss_mb(s.server.pid()))


def run(settings):
    rounds, seconds = settings.rounds or 3, settings.seconds or 2
    world = World()
    figures = Figures("smtp", RESULTS, rounds)
    declare(figures)
    for number in range(rounds):
        progress("smtp: round %d of %d" % (number + 1, rounds))
        servers = [OurMail(2525, world.OURS_CONF), Postfix(2625)]
        try:
            world.start()
            for s in servers:
                s.start()
            one_round(figures, servers, seconds)
        finally:
            for s in servers + [world]:
                s.stop()
    return figures
