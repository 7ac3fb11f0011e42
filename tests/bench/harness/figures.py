# SPDX-License-Identifier: ISC
"""Samples of one run, and what is said about them: JSON lines and a table.

A ratio above 1 says that ours is better, whatever the unit: for rates it is ours/peer, for
what should be small (latency, processor time, memory) it is peer/ours.
"""
import json
import statistics
import sys

OURS = "ours"


class Figures:
    def __init__(self, area, path, rounds):
        self.area, self.path, self.rounds = area, path, rounds
        self.samples = {}   # (case, server) -> [values]
        self.errors = {}    # (case, server) -> first text
        self.cases = {}     # case -> (unit, more is better), in order of appearance

    def case(self, case, unit, more=True):
        self.cases.setdefault(case, (unit, more))

    def add(self, case, server, value):
        self.samples.setdefault((case, server), []).append(value)

    def fail(self, case, server, text):
        self.errors.setdefault((case, server), text)
        print("bench: %s: %s: %s: %s" % (self.area, case, server, text), file=sys.stderr,
              flush=True)

    def summary(self, case, server):
        """(median, min, max, n), or None: nothing measured, or something failed once."""
        values = self.samples.get((case, server), [])
        if not values or (case, server) in self.errors:
            return None
        return statistics.median(values), min(values), max(values), len(values)

    def ratio(self, case, ours, peer):
        if not ours or not peer or ours[0] <= 0 or peer[0] <= 0:
            return None
        return ours[0] / peer[0] if self.cases[case][1] else peer[0] / ours[0]

    def rows(self):
        """One dict for each case and peer; of a case without peers, one with peer null."""
        for case, (unit, _) in self.cases.items():
            ours = self.summary(case, OURS)
            seen = {s for c, s in list(self.samples) + list(self.errors) if c == case}
            for peer in sorted(seen - {OURS}) or [None]:
                theirs = self.summary(case, peer) if peer else None
                row = {"area": self.area, "case": case, "unit": unit,
                       "ours": ours and digits(ours[0]), "peer": peer,
                       "peer_value": theirs and digits(theirs[0])}
                ratio = self.ratio(case, ours, theirs)
                row["ratio"] = ratio and round(ratio, 3)
                for name, s in (("ours", ours), ("peer", theirs)):
                    row[name + "_min"] = s and digits(s[1])
                    row[name + "_max"] = s and digits(s[2])
                row["rounds"] = min((s[3] for s in (ours, theirs) if s), default=0)
                faults = [self.errors[k] for k in ((case, OURS), (case, peer))
                          if k in self.errors]
                if faults:
                    row["error"] = "; ".join(faults)[:300]
                yield row

    def write(self):
        with open(self.path, "a") as f:
            for row in self.rows():
                f.write(json.dumps(row) + "\n")

    def print_table(self):
        print("\n%s: median (min..max) of %d rounds; ratio above 1: ours is better"
              % (self.area, self.rounds))
        cells = [("case", "unit", "ours", "peer", "its figure", "ratio")]
        for r in self.rows():
            cells.append((r["case"], r["unit"], spread(r, "ours"), r["peer"] or "-",
                          spread(r, "peer"), "-" if r["ratio"] is None else "%.2f" % r["ratio"]))
        widths = [max(len(c[i]) for c in cells) for i in range(6)]
        for c in cells:
            left = [c[i].ljust(widths[i]) for i in (0, 1)]
            print("  ".join(left + [c[2].rjust(widths[2]), c[3].ljust(widths[3]),
                                    c[4].rjust(widths[4]), c[5].rjust(widths[5])]).rstrip())
        sys.stdout.flush()


def digits(value):
    """Four digits are more than any figure here deserves."""
    return float("%.4g" % value)


def spread(row, who):
    value = row["ours" if who == "ours" else "peer_value"]
    if value is None:
        return "error" if "error" in row and (who == "ours" or row["peer"]) else "-"
    if row["rounds"] == 1:
        return short(value)
    return "%s (%s..%s)" % tuple(short(v) for v in (value, row[who + "_min"], row[who + "_max"]))


def short(value):
    return "{:,.0f}".format(value) if value >= 1000 else "%.3g" % value
