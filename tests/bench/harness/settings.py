# SPDX-License-Identifier: ISC
"""Where things are, and what one run is to do."""
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
VARIANT = os.environ.get("VARIANT", "release")
BUILD = os.path.join(ROOT, "build", VARIANT)
BIN, TOOLS, BENCH_BIN = (os.path.join(BUILD, d) for d in ("bin", "tools", "bench"))
WORK = os.path.join(ROOT, "build", "bench")
RUNS = os.path.join(WORK, "runs")
RESULTS = os.path.join(WORK, "results.jsonl")


class Run:
    """Rounds and seconds of one area; None means what suits the area."""

    def __init__(self, rounds=None, seconds=None):
        self.rounds = rounds
        self.seconds = seconds


def fresh(name):
    """An empty folder for one server. They go when all is measured and not before: where many
    files were deleted, ext4 is slow to make new ones for five minutes."""
    os.makedirs(RUNS, exist_ok=True)
    path = tempfile.mkdtemp(prefix=name + "-", dir=RUNS)
    os.chmod(path, 0o755)
    return path


def progress(text):
    print("bench: " + text, file=sys.stderr, flush=True)
