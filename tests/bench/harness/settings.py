# SPDX-License-Identifier: ISC
"""Where things are, and what one run is to do."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
VARIANT = os.environ.get("VARIANT", "release")
BUILD = os.path.join(ROOT, "build", VARIANT)
BIN, TOOLS, BENCH_BIN = (os.path.join(BUILD, d) for d in ("bin", "tools", "bench"))
WORK = os.path.join(ROOT, "build", "bench")
RESULTS = os.path.join(WORK, "results.jsonl")


class Run:
    """Rounds and seconds of one area; None means what suits the area."""

    def __init__(self, rounds=None, seconds=None):
        self.rounds = rounds
        self.seconds = seconds

    def folder(self, area):
        path = os.path.join(WORK, area)
        os.makedirs(path, exist_ok=True)
        return path


def progress(text):
    print("bench: " + text, file=sys.stderr, flush=True)
