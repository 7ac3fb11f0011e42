# SPDX-License-Identifier: ISC
"""One DNS question by hand, for readiness checks: no library needed."""
import os
import socket

from .settings import DNS_PORT


def ask(server, name, qtype, flags=0x0120, timeout=2):
    """The raw reply over UDP, or None."""
    q = os.urandom(2) + bytes([flags >> 8, flags & 255]) + b"\0\1\0\0\0\0\0\0"
    for label in name.rstrip(".").split("."):
        if label:
            q += bytes([len(label)]) + label.encode()
    q += b"\0" + qtype.to_bytes(2, "big") + b"\0\1"
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(timeout)
    try:
        s.connect((server, DNS_PORT))
        s.send(q)
        r = s.recv(4096)
    except OSError:
        return None
    finally:
        s.close()
    return r if r[:2] == q[:2] else None


def rcode(reply):
    return None if reply is None else reply[3] & 15


def soa_serial(server, name):
    """The serial that the server's SOA record shows, or None."""
    r = ask(server, name, 6, 0)
    if rcode(r) != 0 or r[6:8] == b"\0\0":
        return None

    def skip(at):
        while True:
            n = r[at]
            if n >= 192:
                return at + 2
            at += 1 + n
            if n == 0:
                return at
    at = skip(skip(12) + 4)
    if r[at:at + 2] != b"\0\6":
        return None
    end = at + 10 + int.from_bytes(r[at + 8:at + 10], "big")
    return int.from_bytes(r[end - 20:end - 16], "big")

