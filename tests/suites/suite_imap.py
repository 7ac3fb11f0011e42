# SPDX-License-Identifier: ISC
"""ImapTest scripts, run by imapscript.py of the suites against our edge and mailbox roles."""
import glob
import os
import subprocess
import sys

from imapside import ImapSide


def run(data, report):
    folder = os.path.join(data, "imap", "imaptest")
    names = sorted(os.path.basename(f) for f in glob.glob(os.path.join(folder, "*"))
                   if "." not in os.path.basename(f))
    if not names:
        report("*", "skip", "no scripts")
        return
    told = {}
    with ImapSide("imap") as side:
        p = subprocess.run([sys.executable, os.path.join(data, "imap", "imapscript.py"),
                            "--port", str(side.port), "--user", "suite@suite.test",
                            "--password", "secret", folder],
                           capture_output=True, text=True, timeout=600)
    for line in p.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("FAIL", "SKIP"):
            name, _, why = rest.partition(": ")
            told[name] = ("FAIL" if word == "FAIL" else "skip", why)
    if " passed, " not in p.stdout:
        report("*", "FAIL", p.stderr[-300:])
        return
    for name in names:
        result, why = told.get(name, ("ok", ""))
        report(name, result, why)
