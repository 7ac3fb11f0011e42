# SPDX-License-Identifier: ISC
"""The name servers (three NSD processes) and the validating resolver (Unbound).

One NSD process would answer from the child zone at once and no referral would
ever be seen, hence one for the root, one for the top level, one for the leaves.
"""
import os
import re
import subprocess
import time

from .dnsask import ask, rcode, soa_serial
from .process import ENV, SEARCH, alive, pids, sh, spawn, wait_for, write
from .settings import ADDR, DNS_PORT, NET, NODEFAULT, RESOLVER, STATE, path
from .zones import build_zones, serial_of, zone_keys


def nsd_conf(level, zones):
    lines = ["server:", "  server-count: 1", '  username: ""', '  chroot: ""', '  database: ""',
             '  zonesdir: "%s"' % STATE, '  pidfile: "%s"' % path("nsd-%s.pid" % level),
             '  xfrdfile: ""', '  zonelistfile: "%s"' % path("nsd-%s.zonelist" % level),
             '  xfrdir: "%s"' % path("tmp"),
             "  hide-version: yes", "  zonefiles-check: yes", "  zonefiles-write: 0", "  reuseport: no",
             "  rrl-ratelimit: 0", "  rrl-whitelist-ratelimit: 0", "  port: %d" % DNS_PORT]
    lines += ["  ip-address: %s" % a for a in ADDR[level]]
    lines += ["remote-control:", "  control-enable: yes", '  control-interface: "%s"' % path("nsd-%s.sock" % level)]
    for zone in zones.values():
        if zone.served and zone.server == level:
            lines += ["zone:", '  name: "%s"' % zone.name, '  zonefile: "%s"' % path(zone.file),
                      "  provide-xfr: 127.0.0.0/8 NOKEY"]
    return "\n".join(lines) + "\n"


def anchors(zones):
    root = zones["."]
    with open(zone_keys(root) + ".key") as f:
        key = f.read().strip()
    write("root.key", key + "\n")
    m = re.search(r"DNSKEY\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)", key)
    write("delv.anchors", 'trust-anchors { . static-key %s %s %s "%s"; };\n' % m.groups())
    write("root.hints", ". 3600 NS ns.root-servers.net.\nns.root-servers.net. 3600 A %s.1\n" % NET)



def unbound_conf():
    """Short caches, so that a change is seen in a second or two."""
    lines = ["server:", '  directory: "%s"' % STATE, '  username: ""', '  chroot: ""',
             '  pidfile: "%s"' % path("unbound.pid"), "  use-syslog: no", "  verbosity: 1",
             "  val-log-level: 2", "  num-threads: 1", "  port: %d" % DNS_PORT,
             "  interface: " + RESOLVER, "  outgoing-interface: " + RESOLVER,
             "  access-control: 127.0.0.0/8 allow", "  do-ip6: no",
             "  do-not-query-localhost: no", "  qname-minimisation: yes",
             "  harden-glue: yes", "  harden-below-nxdomain: yes", "  minimal-responses: no",
             "  cache-max-ttl: 2", "  cache-min-ttl: 0", "  cache-max-negative-ttl: 1",
             "  infra-host-ttl: 2", "  val-bogus-ttl: 1", "  outbound-msg-retry: 2",
             "  unknown-server-time-limit: 200", '  target-fetch-policy: "0 0 0 0 0"',
             '  module-config: "validator iterator"',
             '  trust-anchor-file: "%s"' % path("root.key"),
             '  root-hints: "%s"' % path("root.hints")]
    lines += ['  local-zone: "%s" nodefault' % z for z in NODEFAULT]
    lines += ["remote-control:", "  control-enable: yes", "  control-use-cert: no",
              '  control-interface: "%s"' % path("unbound.sock")]
    return "\n".join(lines) + "\n"


def start_dns():
    zones, _ = build_zones()
    anchors(zones)
    os.makedirs(path("tmp"), exist_ok=True)
    for level in ADDR:
        name = "nsd-" + level
        write(name + ".conf", nsd_conf(level, zones))
        sh("nsd-checkconf", path(name + ".conf"))
        p = spawn(name, ["nsd", "-d", "-c", path(name + ".conf")])
        probe = {"root": ".", "tld": "test.", "leaf": "peer.test."}[level]
        wait_for(name, lambda: rcode(ask(ADDR[level][0], probe, 6, 0)) == 0, p, name)


def start_resolver():
    write("unbound.conf", unbound_conf())
    p = spawn("unbound", ["unbound", "-d", "-p", "-c", path("unbound.conf")])

    def ready():
        r = ask(RESOLVER, "mx.peer.test.", 1)
        return rcode(r) == 0 and r[3] & 0x20
    wait_for("the resolver (with a validated answer)", ready, p, "unbound")


def flush():
    """Empty the resolver's cache."""
    if not os.path.exists(path("unbound.sock")):
        return
    for what in (["flush_zone", "."], ["flush_infra", "all"], ["flush_bogus"],
                 ["flush_negative"]):
        subprocess.run(["unbound-control", "-c", path("unbound.conf")] + what,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=dict(ENV, PATH=SEARCH), check=False)


def reload_zones():
    """Build what changed, have the name servers read it, wait until they answer it."""
    zones, changed = build_zones()
    for e in pids():
        if e["name"].startswith("nsd-") and alive(e):
            conf = path(e["name"] + ".conf")
            write(e["name"] + ".conf", nsd_conf(e["name"][4:], zones))
            sh("nsd-control", "-c", conf, "reconfig")
            sh("nsd-control", "-c", conf, "reload")
    deadline = time.monotonic() + 10
    for name in changed:
        zone = zones[name]
        want = serial_of(path(zone.file))
        while time.monotonic() < deadline and soa_serial(ADDR[zone.server][0], name) != want:
            time.sleep(0.02)
    flush()
    return changed
