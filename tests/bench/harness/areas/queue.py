# SPDX-License-Identifier: ISC
"""Area queue: mail taken and passed on to another host, beside Postfix.

Ten aliases of a domain here lead to sink.test, whose MX is found by DNS and takes everything
(tests/bench/smtpnull.c, on the loads' core). Both servers hold at most 20 connections to it.
"""
from ..figures import Figures
from ..mail import ELSEWHERE, OurMail, Postfix
from ..process import Failed
from ..settings import RESULTS, progress
from ..window import Case, title, window
from ..world import World

PACKAGES = ["postfix"]
MOST = 10000
CASES = [Case(kb, n, False, 0) for kb, n in ((1, 1), (1, 10), (10, 10))]
CASES += [Case(kb, 10, False, 2) for kb in (1, 10)]
# word of window.window() -> (title, unit, more is better)
COUNTS = {
    "accepted": ("accepted", "messages/s", True),
    "delivered": ("relayed", "messages/s", True),
    "settled": ("settled", "messages/s", True),
    "cpu": ("CPU", "ms/message", False),
    "syncs": ("syncs", "syncs/message", False),
}


def case_of(word, c):
    return "%s %s" % (COUNTS[word][0], title(c))


def declare(figures):
    for c in CASES:
        for word, (_, unit, more) in COUNTS.items():
            figures.case(case_of(word, c), unit, more)


def one_round(figures, servers, world, seconds):
    for c in CASES:
        for s in servers:
            try:
                got = window(s, c, seconds, list(ELSEWHERE), world.relayed, MOST)
                for word in COUNTS:
                    figures.add(case_of(word, c), s.name, got[word])
            except Failed as e:
                for word in COUNTS:
                    figures.fail(case_of(word, c), s.name, str(e))


def run(settings):
    rounds, seconds = settings.rounds or 3, settings.seconds or 2
    world = World()
    figures = Figures("queue", RESULTS, rounds)
    declare(figures)
    for number in range(rounds):
        progress("queue: round %d of %d" % (number + 1, rounds))
        servers = [OurMail(3525, world.OURS_CONF), Postfix(3625)]
        try:
            world.start()
            for s in servers:
                s.start()
            one_round(figures, servers, world, seconds)
        finally:
            for s in servers + [world]:
                s.stop()
    return figures
