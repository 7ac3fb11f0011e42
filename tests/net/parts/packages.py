# SPDX-License-Identifier: ISC
"""The Debian packages behind each part, installed without starting a service."""
import subprocess

from .process import ENV, die, say, sh, which
from .settings import INSTALL

PACKAGES = {
    "dns": [("nsd", "nsd"), ("ldns-signzone", "ldnsutils"), ("openssl", "openssl"),
            ("unshare", "util-linux"), ("ip", "iproute2")],
    "resolver": [("unbound", "unbound")],
    # dbconfig-no-thanks keeps opendmarc from pulling in a database client
    "peer": [("postfix", "postfix"), ("opendkim", "opendkim"),
             ("opendmarc", "opendmarc dbconfig-no-thanks"),
             ("policyd-spf", "postfix-policyd-spf-python"),
             ("/usr/share/publicsuffix/public_suffix_list.dat", "publicsuffix")],
    "www": [],
}


def missing(parts):
    names = {name for p in parts for cmd, pkg in PACKAGES[p] if not which(cmd)
             for name in pkg.split()}
    return sorted(names)


def install(parts):
    names = missing(parts)
    if not names:
        return
    if not INSTALL:
        die("missing packages: " + " ".join(names))
    say("installing " + " ".join(names))
    # RUNLEVEL=1 keeps the packages' own services from being started
    env = dict(ENV, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    cmd = ["apt-get", "install", "-y", "--no-install-recommends"] + names
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
             "stderr": subprocess.DEVNULL}
    if subprocess.run(cmd, env=env, **quiet).returncode:
        sh("apt-get", "update", env=env, stdin=subprocess.DEVNULL)
        sh(*cmd, env=env, stdin=subprocess.DEVNULL)
