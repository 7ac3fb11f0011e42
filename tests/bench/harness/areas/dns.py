# SPDX-License-Identifier: ISC
"""Area dns: 10,000 mail domains, the same master data for ours, NSD and Knot.

Questions are a mixture (zonefill -m); dnsload judges every answer. Each round starts the
servers anew, one after the other, and stops them at its end.
"""
import os
import socket
import struct
import subprocess
import time

from ..figures import Figures
from ..names import ZONE, Echo, Knot, Nsd, Ours
from ..process import Failed, cpu_seconds, load, pss_mb, wait_until
from ..settings import BENCH_BIN, RESULTS, TOOLS, WORK, progress

ZONES, SPARE, QUERIES = 10000, 64, 100000
DNSLOAD = os.path.join(BENCH_BIN, "dnsload")
TCP_CONNECTIONS, OUTSTANDING, LATENCY_RATE = 10, 200, 10000
PACKAGES = ["nsd", "knot"]

FIRST, START = "first start to first answer", "start to first answer"
MEMORY, QPS, CPU = "memory PSS", "UDP rate", "UDP CPU"
TCP, TCP_CPU, P50, P99 = "TCP rate, 10 kept connections", "TCP CPU", \
    "latency p50 at 10,000/s", "latency p99 at 10,000/s"
ADD = "zone added until answered"


def prepare():
    """The data all serve; made once, since it is the same each time but for the keys."""
    data = os.path.join(WORK, "dns")
    stamp = os.path.join(data, "settled-%d" % ZONES)
    if os.path.exists(stamp):
        return data
    progress("dns: filling %d domains" % ZONES)
    subprocess.run(["rm", "-rf", data], check=True)
    os.makedirs(data)
    fill = [os.path.join(TOOLS, "zonefill"), "-d", os.path.join(data, "db"), "-w"]
    queries = os.path.join(data, "queries")
    subprocess.run(fill + ["-n", str(ZONES), "-q", queries, "-m", str(QUERIES), "-z",
                           os.path.join(data, "z")], check=True)
    # Zones that are added later: their files lie ready, our database does not know them.
    spare = os.path.join(data, "spare")
    subprocess.run([fill[0], "-d", spare, "-w", "-n", str(SPARE), "-s", str(ZONES), "-z",
                    os.path.join(data, "z")], check=True)
    open(stamp, "w").close()
    return data


def ask(port, name, seconds=0.2):
    """Is the SOA of `name` answered with authority?"""
    packet = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + b"".join(
        bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0\0\6\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(seconds)
        s.connect(("127.0.0.1", port))
        try:
            s.send(packet)
            got = s.recv(4096)
        except OSError:
            return False
    _, flags, _, answers = struct.unpack(">4H", got[:8])
    return flags & 0x840f == 0x8400 and answers == 1


def start(figures, s, case):
    """Until zones at both ends and in the middle are answered, ms."""
    since = time.monotonic()
    s.server.start()
    try:
        for number in (0, ZONES // 2, ZONES - 1):
            wait_until("the first answers of " + s.name,
                       lambda n=number: s.server.check() or ask(s.port, ZONE % n), 180, 0.001)
        figures.add(case, s.name, (time.monotonic() - since) * 1e3)
    except Failed as e:
        figures.fail(case, s.name, str(e))


def start_all(figures, servers):
    """The first start of ours compiles every zone; the next finds its images."""
    for s in servers:
        start(figures, s, FIRST)
        s.server.stop()
        start(figures, s, START)
        try:
            figures.add(MEMORY, s.name, pss_mb(s.server.pid()))
        except Failed as e:
            figures.fail(MEMORY, s.name, str(e))


def rate(figures, s, data, seconds, case, cpu_case, more):
    """One window of load as fast as it goes."""
    argv = [DNSLOAD, "-p", s.port, "-q", os.path.join(data, "queries"), "-t", seconds,
            "-w", OUTSTANDING] + more
    try:
        before = cpu_seconds(s.server.pid())
        got = load(argv, seconds + 20)
        used = cpu_seconds(s.server.pid()) - before
    except Failed as e:
        figures.fail(case, s.name, str(e))
        figures.fail(cpu_case, s.name, str(e))
        return
    figures.add(case, s.name, got["qps"])
    figures.add(cpu_case, s.name, used * 1e6 / got["answered"])


def latency(figures, s, data, seconds):
    try:
        got = load([DNSLOAD, "-p", s.port, "-q", os.path.join(data, "queries"), "-t", seconds,
                    "-r", LATENCY_RATE, "-B"], seconds + 20)
        if got["sent"] < 0.97 * LATENCY_RATE * seconds:
            raise Failed("the load sent only %d queries" % got["sent"])
        figures.add(P50, s.name, got["p50_us"])
        figures.add(P99, s.name, got["p99_us"])
    except Failed as e:
        figures.fail(P50, s.name, str(e))
        figures.fail(P99, s.name, str(e))


def add_zone(figures, s, number):
    try:
        since = time.monotonic()
        s.add_zone(number)
        wait_until("the new zone of " + s.name, lambda: ask(s.port, ZONE % number), 20, 0.0002)
        figures.add(ADD, s.name, (time.monotonic() - since) * 1e3)
    except Failed as e:
        figures.fail(ADD, s.name, "%s; its log ends: %s" % (e, s.server.last_words()))


def declare(figures):
    figures.case(QPS, "queries/s")
    figures.case(CPU, "us/query", more=False)
    figures.case(TCP, "queries/s")
    figures.case(TCP_CPU, "us/query", more=False)
    for case in (P50, P99):
        figures.case(case, "us", more=False)
    figures.case(MEMORY, "MB", more=False)
    for case in (FIRST, START, ADD):
        figures.case(case, "ms", more=False)


def one_round(figures, servers, echo, data, seconds, number):
    echo.server.start()
    start_all(figures, servers)
    for s in servers + [echo]:
        rate(figures, s, data, seconds, QPS, CPU, ["-E"] if s is echo else [])
    for s in servers:
        rate(figures, s, data, seconds, TCP, TCP_CPU, ["-T", "-s", TCP_CONNECTIONS])
    for s in servers:
        latency(figures, s, data, seconds)
    for s in servers:
        add_zone(figures, s, ZONES + number)


def run(settings):
    rounds, seconds = settings.rounds or 5, settings.seconds or 3
    data = prepare()
    figures = Figures("dns", RESULTS, rounds)
    declare(figures)
    for number in range(rounds):
        # New folders, so that every round starts with a database that lacks the added zones.
        servers = [c(name, 5301 + i, data, ZONES)
                   for i, (c, name) in enumerate(((Ours, "ours"), (Nsd, "nsd"), (Knot, "knot")))]
        echo = Echo("echo", 5310, data, ZONES)
        progress("dns: round %d of %d" % (number + 1, rounds))
        try:
            one_round(figures, servers, echo, data, seconds, number)
        finally:
            for s in servers + [echo]:
                s.server.stop()
    return figures
