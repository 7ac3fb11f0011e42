# SPDX-License-Identifier: ISC
"""The machine that figures are from, in one object: they mean nothing without it."""
import os
import platform
import statistics
import subprocess
import time

SYNCS = 200


def first_line(path, prefix=""):
    try:
        with open(path) as f:
            return next((x.split(":")[-1].strip() for x in f if x.startswith(prefix)), "")
    except OSError:
        return ""


def sync_us(folder):
    """p50 and p99 of appending 4 KiB and fsync."""
    path = os.path.join(folder, "sync")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    took = []
    for _ in range(SYNCS):
        since = time.perf_counter()
        os.write(fd, b"\0" * 4096)
        os.fsync(fd)
        took.append((time.perf_counter() - since) * 1e6)
    os.close(fd)
    os.unlink(path)
    took.sort()
    return round(statistics.median(took)), round(took[int(SYNCS * 0.99)])


def device(folder):
    r = subprocess.run(["findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", folder],
                       stdout=subprocess.PIPE, text=True, check=False)
    return " ".join(r.stdout.split())


def version(package):
    r = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                       check=False)
    return r.stdout or "?"


def describe(folder, root, packages, settings):
    commit = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "describe", "--always",
                             "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, check=False).stdout.strip()
    p50, p99 = sync_us(folder)
    line = {"machine": first_line("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "kernel": platform.release(), "device": device(folder), "fsync_p50_us": p50,
            "fsync_p99_us": p99, "load": os.getloadavg()[0], "commit": commit,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    line.update(settings)
    line["peers"] = {p: version(p) for p in packages}
    return line
