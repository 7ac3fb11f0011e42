# SPDX-License-Identifier: ISC
"""The zones: templates in tests/net/zones filled in, chained to their parents, signed.

`;! zone=NAME` starts a zone; README.md lists its options. SOA, NS, glue and DS
come by themselves. Placeholders such as @NET@ and @DKIM:good.test:rsa@ are
filled in by the table below.
"""
import hashlib
import ipaddress
import json
import os
import re
import shutil
import subprocess
import time

from .keys import dkim_record, keep, spki
from .process import die, sh, write
from .settings import HERE, NET, NET6, NSADDR, NSNAMES, OURS, path

ALGS = {"ecdsa": "ECDSAP256SHA256", "rsa": "RSASHA256", "ed25519": "ED25519"}


def reverse4(prefix):
    return ".".join(reversed(prefix.split("."))) + ".in-addr.arpa"


def reverse6(addr, nibbles):
    digits = ipaddress.IPv6Address(addr).exploded.replace(":", "")
    return ".".join(reversed(digits[:nibbles])), ".".join(reversed(digits[nibbles:]))


def reversed_host(net, host):
    return ".".join(reversed((net + "." + host).split(".")))


# placeholder -> function of what stands behind its colon(s)
PLACEHOLDERS = {
    "NET": lambda: NET,
    "OURS": lambda: OURS,
    "REVNET": lambda: reverse4(NET),
    "REVOURS": lambda: reverse4(OURS),
    "REVNET6": lambda: reverse6(NET6 + "0", 16)[0] + ".ip6.arpa",
    "IPDASH": lambda: "-".join(NET.split(".")[:2]),
    "SPF6PEER": lambda: "ip6:%s25 " % NET6 if NET6 else "",
    "SPF6GOOD": lambda: "ip6:%s31 " % NET6 if NET6 else "",
    "NET6": lambda: NET6,
    "REVHOST": lambda host: reversed_host(NET, host),
    "REVOHOST": lambda host: reversed_host(OURS, host),
    "REV6": lambda host: reverse6(NET6 + host, 16)[1],
    "DKIM": dkim_record,
    "DKIMT": lambda domain, kind: dkim_record(domain, kind, extra="t=y; "),
    "DKIMS": lambda domain, kind: dkim_record(domain, kind, extra="t=s; "),
    "SPKI": spki,
}


def expand(text):
    """Fill in the placeholders; lines that begin @6@ are for IPv6 only."""
    def one(m):
        name, *args = m.group(1).split(":")
        if name not in PLACEHOLDERS:
            die("unknown placeholder @%s@" % m.group(1))
        return PLACEHOLDERS[name](*args)
    lines = []
    for line in text.splitlines():
        if line.startswith("@6@"):
            if not NET6:
                continue
            line = line[3:]
        lines.append(line)
    return re.sub(r"@([A-Z][A-Z0-9]*(?::[^@\s]+)?)@", one, "\n".join(lines) + "\n")


class Zone:
    def __init__(self, name, options):
        self.name = name.rstrip(".") + "."
        self.options = options
        self.server = options.get("server", "leaf")
        self.sign = options.get("sign", "none")
        self.text = []
        self.extra_ds = options.get("ds_records", [])
        self.served = options.get("only") != "delegation"
        self.ns = []
        if "ns" in options:
            for item in options["ns"].split(","):
                host, _, addr = item.partition("=")
                self.ns.append((host.rstrip(".") + ".", addr or NSADDR.get(host.rstrip(".") + ".", "")))
        else:
            self.ns = [(n, NSADDR[n]) for n in NSNAMES[self.server]]

    def contains(self, name):
        return self.name == "." or name == self.name or name.endswith("." + self.name)

    @property
    def file(self):
        return "zones/" + (self.name.rstrip(".") or "root")


def read_zones():
    zones = {}
    names = [os.path.join(HERE, "zones", n) for n in sorted(os.listdir(os.path.join(HERE, "zones")))
             if n.endswith(".zone")]
    extra = path("zones.d")
    if os.path.isdir(extra):
        names += [os.path.join(extra, n) for n in sorted(os.listdir(extra)) if n.endswith(".zone")]
    for name in names:
        with open(name) as f:
            text = expand(f.read())
        current = None
        for line in text.splitlines():
            if line.startswith(";!"):
                options = dict(o.split("=", 1) for o in line[2:].split())
                current = Zone(options["zone"], options)
                zones[current.name] = current
            elif current is not None:
                current.text.append(line)
    for name, d in delegations().items():
        z = Zone(name, {"only": "delegation", "ns": ",".join("%s=%s" % tuple(p) for p in d["ns"]),
                        "ds_records": d["ds"]})
        zones[z.name] = z
    return zones


def delegations():
    try:
        with open(path("delegations.json")) as f:
            return json.load(f)
    except OSError:
        return {}


def parent_of(zone, zones):
    best = None
    for other in zones.values():
        if other.served and other.name != zone.name and other.contains(zone.name):
            if best is None or len(other.name) > len(best.name):
                best = other
    return best


def zone_keys(zone):
    """Base name of the zone's key files (made on first use)."""
    label = zone.name.rstrip(".") or "root"

    def make(full):
        os.makedirs(path("keys"), exist_ok=True)
        out = subprocess.run(["ldns-keygen", "-r", "/dev/urandom", "-k", "-a", ALGS[zone.sign], "-b", "2048", zone.name],
                             cwd=path("keys"), check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        with open(full, "w") as f:
            f.write(out)
    with open(keep("keys/%s.%s.name" % (label, zone.sign), make)) as f:
        return path("keys", f.read())


def ds_records(zone):
    if zone.extra_ds:
        return ["%s IN DS %s" % (zone.name, d) for d in zone.extra_ds]
    if zone.sign == "none" or not zone.served or zone.options.get("ds") == "no":
        return []
    out = sh("ldns-key2ds", "-n", "-2", zone_keys(zone) + ".key").strip().split("\n")
    if zone.options.get("ds") == "wrong":
        out = [re.sub(r"[0-9a-f]{64}\s*(;.*)?$", "00" * 32, o) for o in out]
    return out


def render(zone, zones, serial):
    lines = ["$TTL 5", "$ORIGIN " + zone.name,
             "@ IN SOA %s hostmaster.peer.test. %d 3600 600 604800 1" % (zone.ns[0][0], serial)]
    lines += ["@ IN NS " + n for n, _ in zone.ns]
    glue = {n: a for n, a in zone.ns if a and n.endswith("." + zone.name) and zone.name != "."}
    for child in zones.values():
        if child.name != zone.name and parent_of(child, zones) is zone:
            for n, a in child.ns:
                lines.append("%s IN NS %s" % (child.name, n))
                if a and zone.contains(n):
                    glue[n] = a
            lines += ds_records(child)
    body = "\n".join(zone.text)
    for n, a in sorted(glue.items()):
        rel = n[:-len(zone.name) - 1] if zone.name != "." else n
        if not re.search(r"(?m)^(%s|%s)\s+(IN\s+)?A\s" % (re.escape(rel), re.escape(n)), body):
            lines.append("%s IN A %s" % (n, a))
    return "\n".join(lines) + "\n" + body + "\n"


def sign_zone(zone):
    """From <file>.in to <file>, with what the zone's options want wrong with it."""
    now = time.time()
    start, end = now - 86400, now + 30 * 86400
    if zone.options.get("expired"):
        start, end = now - 20 * 86400, now - 86400
    first, last = (time.strftime("%Y%m%d%H%M%S", time.gmtime(t)) for t in (start, end))
    cmd = ["ldns-signzone", "-f", path(zone.file + ".signed"), "-i", first, "-e", last]
    if zone.options.get("nsec3"):
        cmd += ["-n", "-t", "0"]
    sh(*cmd, path(zone.file + ".in"), zone_keys(zone))
    with open(path(zone.file + ".signed")) as f:
        signed = f.read()
    if zone.options.get("tamper"):
        signed = re.sub(r"(?m)^(host\S*\s+\d+\s+IN\s+A\s+)\S+", r"\g<1>" + NET + ".66", signed)
    write(zone.file, signed)


def build_zones():
    """Write what changed since last time; (all zones, names of the changed ones)."""
    zones = read_zones()
    serial = int(time.time())
    os.makedirs(path("zones"), exist_ok=True)
    digest = {}
    try:
        with open(path("zones.json")) as f:
            digest = json.load(f)
    except (OSError, ValueError):
        pass
    fresh = {}
    changed = []
    for zone in zones.values():
        if not zone.served:
            continue
        text = render(zone, zones, 0)
        # signatures are good for 30 days: sign anew when the state is older than ten
        mark = hashlib.sha256(("%s %s %d" % (text, json.dumps(zone.options, sort_keys=True),
                                             serial // 864000)).encode()).hexdigest()
        fresh[zone.name] = mark
        if digest.get(zone.name) == mark and os.path.exists(path(zone.file)):
            continue
        changed.append(zone.name)
        write(zone.file + ".in", text.replace(" 0 3600 600 ", " %d 3600 600 " % serial, 1))
        if zone.sign == "none":
            shutil.copy(path(zone.file + ".in"), path(zone.file))
        else:
            sign_zone(zone)
    write("zones.json", json.dumps(fresh))
    return zones, changed



def serial_of(file):
    with open(file) as f:
        m = re.search(r"\sSOA\s+\S+\s+\S+\s+\(?\s*(\d+)", f.read())
    return int(m.group(1))

