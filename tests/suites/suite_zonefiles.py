# SPDX-License-Identifier: ISC
"""Master files that must be taken or refused: BIND's and the unsigned ones of Knot's."""
import os
import re
import subprocess

from suite_smuggling import TOOL

# Signed zones are a later matter; their names say so.
SIGNED = re.compile(r"rrsig|nsec|dnskey|cds|\bds\b|delegation|signed|glue", re.I)


def rows(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            yield line.rstrip("\n").split("\t")


def cases(data):
    """(suite folder, file, origin, wanted)"""
    top = os.path.join(data, "dns")
    for name, origin, want in rows(os.path.join(top, "bind-checkzone", "expected.tsv")):
        yield "bind-checkzone", name, origin, want
    for row in list(rows(os.path.join(top, "knot-semantic", "expected.tsv")))[1:]:
        if not SIGNED.search(row[0] + " " + row[4]):
            yield "knot-semantic", row[0], "example.com", row[1]


def run(data, report):
    if not os.path.exists(TOOL):
        report("*", "skip", "build/*/tools/suite is not built")
        return
    for folder, name, origin, want in cases(data):
        path = os.path.join(data, "dns", folder, name)
        r = subprocess.run([TOOL, "zone", origin, path], capture_output=True, check=False,
                           timeout=60)
        is_good = r.returncode == (0 if want == "good" else 1)
        said = r.stdout.decode(errors="replace").strip()
        report(folder + "/" + name, "ok" if is_good else "FAIL",
               "wanted %s: %s" % (want, said.replace(path, name)))
