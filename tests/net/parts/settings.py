# SPDX-License-Identifier: ISC
"""Who is where in the test internet, and where its state lies.

Everything runs in a network namespace of its own (tests/net/inside), so the
ports are always the real ones and two runs never meet. Three environment
variables change what is left to change: SIGNPOST_NET_STATE (folder),
SIGNPOST_NET_PREFIX6 (an IPv6 /64 such as fd53:53:53:53:: for the peer and us) and
SIGNPOST_NET_INSTALL=0 (never install a package).
"""
import os

ENV = os.environ
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # tests/net
ROOT = os.path.dirname(os.path.dirname(HERE))

NET = "127.53.0"   # the internet
OURS = "127.53.1"  # the hosts under test
NET6 = ENV.get("SIGNPOST_NET_PREFIX6", "")
INSTALL = ENV.get("SIGNPOST_NET_INSTALL", "1") != "0"

DNS_PORT = 53
SMTP_PORT = 25
SUBMIT_PORT = 10587
HTTPS_PORT = 443
PEER_DKIM = 18891
PEER_DMARC = 18893

ADDR = {"root": [NET + ".1"], "tld": [NET + ".2"], "leaf": [NET + ".3", NET + ".4"]}
NSNAMES = {"root": ["ns.root-servers.net."], "tld": ["ns.tld-servers.net."],
           "leaf": ["ns1.host-dns.net.", "ns2.host-dns.net."]}
NSADDR = {"ns.root-servers.net.": NET + ".1", "ns.tld-servers.net.": NET + ".2",
          "ns1.host-dns.net.": NET + ".3", "ns2.host-dns.net.": NET + ".4"}
RESOLVER = NET + ".53"
PEER = NET + ".25"
WWW = NET + ".26"
GOOD_SENDER = NET + ".31"

# Names that unbound and libunbound answer from empty zones of their own unless told
# otherwise.
NODEFAULT = ["test.", "invalid.", "onion.", "home.arpa.", "127.in-addr.arpa.",
             "10.in-addr.arpa.", "d.f.ip6.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa.",
             "2.0.192.in-addr.arpa.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa."]


def reachable(folder):
    """True when any user can get to the folder: Postfix delivers as nobody."""
    while True:
        if os.path.isdir(folder) and not os.stat(folder).st_mode & 0o001:
            return False
        up = os.path.dirname(folder)
        if up == folder:
            return True
        folder = up


def state_folder():
    if "SIGNPOST_NET_STATE" in ENV:
        return os.path.abspath(ENV["SIGNPOST_NET_STATE"])
    inside = os.path.join(ROOT, "build", "net")
    # A checkout in a private home folder keeps the state in /tmp instead.
    return inside if reachable(inside) else "/tmp/signpost-net-%d" % os.getuid()


STATE = state_folder()


def path(*parts):
    return os.path.join(STATE, *parts)
