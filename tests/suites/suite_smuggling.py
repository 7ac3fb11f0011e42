# SPDX-License-Identifier: ISC
"""RFC 5321 4.1.1.4: only CRLF.CRLF ends a message. The pure code alone; suite_smtp.py asks
the whole server the same."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "build", os.environ.get("VARIANT", "release"), "tools", "suite")


def run(data, report):
    if not os.path.exists(TOOL):
        report("*", "skip", "build/*/tools/suite is not built")
        return
    path = os.path.join(ROOT, "build", "suites", "sequence")
    with open(os.path.join(data, "smtp", "smuggling.tsv"), encoding="ascii") as table:
        for line in table:
            if line.startswith("#"):
                continue
            name, escaped, want = line.rstrip("\n").split("\t")
            with open(path, "wb") as f:
                f.write(escaped.encode().decode("unicode_escape").encode("latin-1"))
            r = subprocess.run([TOOL, "data", path], capture_output=True, text=True, timeout=60,
                               check=False)
            is_good = r.returncode == (0 if want == "end" else 1)
            report(name, "ok" if is_good else "FAIL", r.stdout.strip())
