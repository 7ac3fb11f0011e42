# SPDX-License-Identifier: ISC
"""Questions with PowerDNS's answers, put to dnsd's answer engine: rcode, AA, answer and authority.

Additional records are courtesy and differ between servers, except glue of a referral.
"""
import glob
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
          6: "YXDOMAIN"}


def plain(rdata):
    """Two spellings of one thing: quotes around SvcParams, letter case."""
    return re.sub(r'="([^"]*)"', r"=\1", rdata.strip()).lower()


def wanted(text):
    """[(rcode, aa, records)] of an expected_result."""
    out, records = [], []
    for line in text.split("\n"):
        f = line.split("\t")
        m = re.match(r"Rcode: (\d+) .*AA: (\d)", line)
        if m:
            out.append((RCODES[int(m[1])], m[2] == "1", records))
            records = []
        elif len(f) == 6 and f[4] not in ("OPT", "RRSIG", "NSEC", "NSEC3"):
            records.append((f[0], f[1].lower(), f[2], f[4], plain(f[5])))
    return out


def given(text):
    """The same of dnsanswer's output."""
    out = []
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        if not lines[0]:
            continue
        head = lines[0].split(" ")
        rows = [x.split("\t") for x in lines[1:]]
        out.append((head[0], "aa" in head,
                    [(r[0], r[1].lower(), r[2], r[3], plain(r[4])) for r in rows]))
    return out


def difference(want, have):
    """What is wrong with the answer to one question, or ""."""
    if have[0] != want[0]:
        return "rcode %s, not %s" % (have[0], want[0])
    if have[1] != want[1]:
        return "AA %s, not %s" % (have[1], want[1])
    is_referral = not want[1] and want[0] == "NOERROR"
    sections = "012" if is_referral else "01"
    a = {r for r in want[2] if r[0] in sections}
    b = {r for r in have[2] if r[0] in sections}
    return "" if a == b else "missing %s, too many %s" % (sorted(a - b), sorted(b - a))


def run(data, report):
    tool = os.path.join(ROOT, "build", "release", "tools", "dnsanswer")
    top = os.path.join(data, "dns", "pdns-queries")
    if not os.path.exists(tool):
        report("*", "skip", "build/release/tools/dnsanswer is not built")
        return
    zones = sorted(glob.glob(os.path.join(top, "zones", "*")))
    for folder in sorted(glob.glob(os.path.join(top, "tests", "*"))):
        with open(os.path.join(folder, "queries"), encoding="utf-8") as f:
            queries = f.read()
        with open(os.path.join(folder, "expected_result"), encoding="utf-8") as f:
            want = wanted(f.read())
        r = subprocess.run([tool] + zones, input=queries.encode(), capture_output=True,
                           check=False, timeout=60)
        have = given(r.stdout.decode(errors="replace"))
        name = os.path.basename(folder)
        if r.returncode != 0 or len(have) != len(want):
            report(name, "FAIL", r.stderr.decode(errors="replace").strip() or "other count")
            continue
        faults = [d for d in map(difference, want, have) if d]
        report(name, "FAIL" if faults else "ok", "; ".join(faults))
