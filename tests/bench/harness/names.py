# SPDX-License-Identifier: ISC
"""The name servers: ours, NSD, Knot and the echo, each with the same zones and one worker.

All without a log of queries, without rate limiting, minimal answers, zones from the master
files that zonefill wrote from our own database.
"""
import os
import shutil
import subprocess

from .process import SERVER_CORE, Failed, Server, on_core
from .settings import BENCH_BIN, BIN, TOOLS, fresh

ZONE = "d%d.load.test"


def control(argv, text=None):
    """A server's control program, on the servers' core like the server itself."""
    r = subprocess.run(on_core(SERVER_CORE, argv), input=text, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
    if r.returncode != 0:
        raise Failed("%s: %s" % (" ".join(argv), r.stdout.strip()[-300:]))


class NameServer:
    """`data` is shared by all: z/ (master files), db/ (our database), queries."""

    def __init__(self, name, port, data, zones):
        self.name, self.port, self.data, self.zones = name, port, data, zones
        self.dir = fresh(name)
        self.configure()
        self.server = Server(name, self.argv(), self.path("log"))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def zone_file(self, number):
        return os.path.join(self.data, "z", ZONE % number + ".zone")


class Ours(NameServer):
    def configure(self):
        shutil.copytree(os.path.join(self.data, "db"), self.path("data"))
        self.write("conf", "hostname mail.load.test\naddress 192.0.2.25\nns_name mail.load.test\n"
                   "data_dir %s\nrun_dir %s\nprivsep seccomp\nlisten dns 127.0.0.1:%d\ndns_threads 1\n"
                   "log_level info\n" % (self.path("data"), self.path("run"), self.port))

    def argv(self):
        return [os.path.join(BIN, "dnsd"), "-f", self.path("conf")]

    def add_zone(self, number):
        # As for the others the data is at hand; `domain add` would make two key pairs first.
        control([os.path.join(TOOLS, "zonefill"), "-d", self.path("data"), "-r",
                 self.path("run"), "-w", "-n", "1", "-s", str(number)])


class Nsd(NameServer):
    def configure(self):
        self.write("conf", """\
server:
  server-count: 1
  ip-address: 127.0.0.1
  port: {port}
  do-ip6: no
  username: ""
  zonesdir: "{data}/z"
  database: ""
  zonelistfile: "{dir}/zones"
  xfrdfile: ""
  xfrdir: "{dir}"
  pidfile: "{dir}/pid"
  logfile: "{dir}/log"
  verbosity: 0
  minimal-responses: yes
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  tcp-count: 100
remote-control:
  control-enable: yes
  control-interface: "{dir}/ctl"
pattern:
  name: file
  zonefile: "%s.zone"
""".format(port=self.port, data=self.data, dir=self.dir))
        self.write("zones", "# NSD zone list\n# name pattern\n" + "".join(
            "add %s file\n" % (ZONE % i) for i in range(self.zones)))

    def argv(self):
        return ["nsd", "-d", "-c", self.path("conf")]

    def add_zone(self, number):
        control(["nsd-control", "-c", self.path("conf"), "addzone", ZONE % number, "file"])


class Knot(NameServer):
    def configure(self):
        text = """\
server:
    rundir: "{dir}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-reuseport: off
control:
    listen: "{dir}/ctl"
log:
  - target: "{dir}/knot.log"
    any: error
database:
    storage: "{dir}"
template:
  - id: default
    storage: "{data}/z"
    file: "%s.zone"
    zonefile-sync: -1
    journal-content: none
zone:
""".format(dir=self.dir, port=self.port, data=self.data)
        text += "".join("  - domain: %s\n" % (ZONE % i) for i in range(self.zones))
        self.write("conf", text)
        control(["knotc", "-C", self.path("confdb"), "conf-import", self.path("conf")])

    def argv(self):
        return ["knotd", "-C", self.path("confdb")]

    def add_zone(self, number):
        ask = ["knotc", "-s", self.path("ctl")]
        control(ask + ["conf-begin"])
        control(ask + ["conf-set", "zone[%s]" % (ZONE % number)])
        control(ask + ["conf-commit"])


class Echo(NameServer):
    """The ceiling: answers of the size ours have, and nothing looked at."""
    OCTETS = 110

    def configure(self):
        pass

    def argv(self):
        return [os.path.join(BENCH_BIN, "udpecho"), str(self.port), str(self.OCTETS)]
