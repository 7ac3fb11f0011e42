# SPDX-License-Identifier: ISC
"""Real and broken messages: each comes apart into parts that lie in each other."""
import glob
import os
import subprocess

from suite_smuggling import TOOL


def run(data, report):
    if not os.path.exists(TOOL):
        report("*", "skip", "build/*/tools/suite is not built")
        return
    top = os.path.join(data, "mime")
    for path in sorted(glob.glob(top + "/**/*", recursive=True)):
        if path.endswith((".eml", ".msg")):
            r = subprocess.run([TOOL, "mime", path], capture_output=True, check=False, timeout=60)
            report(os.path.relpath(path, top), "FAIL" if r.returncode else "ok",
                   r.stdout.decode(errors="replace").strip())
