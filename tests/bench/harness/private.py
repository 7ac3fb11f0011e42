# SPDX-License-Identifier: ISC
"""A private /etc for the bench's mount namespace, and the brake on syncs that lives there.

The machine's /etc is copied and the copy mounted over it, inside the namespace only: so
ld.so.preload reaches programs that clear their environment, and names resolve the same
way for all servers.
"""
import os
import struct
import subprocess
import time

from .process import Failed
from .settings import BENCH_BIN

CONTROL = "/etc/slowsync"
LAYOUT = struct.Struct("IIQQ")  # tests/bench/preload/slowsync.c: struct control


def make_etc(hosts="", resolver=None):
    """Idempotent; every process that starts afterwards carries the preload."""
    if not os.path.exists(CONTROL):
        # In memory, and gone with the namespace.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True)
        subprocess.run(["cp", "-a", "/etc", "/mnt/etc"], check=True)
        subprocess.run(["mount", "--bind", "/mnt/etc", "/etc"], check=True)
        with open(CONTROL, "wb") as f:
            f.write(LAYOUT.pack(0, 0, 0, 0))
        os.chmod(CONTROL, 0o666)
        # After the control file: what starts without it would never be braked.
        put("ld.so.preload", os.path.join(BENCH_BIN, "slowsync.so") + "\n")
    put("hosts", "127.0.0.1 localhost client.load.test\n" + hosts)
    put("resolv.conf", "nameserver %s\n" % resolver if resolver else "")


def put(name, text):
    path = os.path.join("/etc", name)
    if os.path.islink(path):
        os.unlink(path)
    with open(path, "w") as f:
        f.write(text)


class Brake:
    """Adds `ms` to each sync while open, and counts syncs in any case."""

    def __init__(self, ms):
        self.ms = ms

    def __enter__(self):
        self.before = self.read()
        self.set(self.ms * 1000)
        return self

    def __exit__(self, *_):
        self.set(0)

    @staticmethod
    def set(us):
        # In place: the servers have this file mapped.
        fd = os.open(CONTROL, os.O_WRONLY)
        os.pwrite(fd, struct.pack("I", us), 0)
        os.close(fd)

    @staticmethod
    def read():
        with open(CONTROL, "rb") as f:
            return LAYOUT.unpack(f.read(LAYOUT.size))

    def settle(self, quiet_s=0.5, most_s=20):
        """Wait until nothing was synced for a while: work that a server put off is its own, and
        must not run in the window of the next one. Seconds until the last sync seen."""
        since = last = time.monotonic()
        seen = self.read()[2]
        while time.monotonic() - last < quiet_s and time.monotonic() - since < most_s:
            time.sleep(0.02)
            if self.read()[2] != seen:
                seen, last = self.read()[2], time.monotonic()
        return last - since

    def syncs(self):
        """How many since the beginning. A brake that did not act is a fault."""
        _, _, syncs, delayed = (a - b for a, b in zip(self.read(), self.before))
        if syncs == 0 or (self.ms > 0 and delayed == 0):
            raise Failed("no sync was counted: the preload does not act")
        return syncs
