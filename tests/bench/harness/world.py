# SPDX-License-Identifier: ISC
"""The rest of the world, on the loads' core: a name server, and a host that takes all mail.

One root zone holds what both servers look up: the client's name and the MX of sink.test.
"""
import mmap
import os
import struct

from .private import make_etc
from .process import LOAD_CORE, Failed, Server, wait_until
from .settings import BENCH_BIN, fresh

NAMES, SINK = "127.0.0.53", "127.9.0.1"

ZONE = """\
. 3600 IN SOA ns.test. hostmaster.test. 1 7200 900 1209600 300
. 3600 IN NS ns.test.
ns.test. 3600 IN A 127.0.0.53
1.0.0.127.in-addr.arpa. 3600 IN PTR client.load.test.
client.load.test. 3600 IN A 127.0.0.1
load.test. 3600 IN MX 10 client.load.test.
sink.test. 3600 IN MX 10 mx.sink.test.
mx.sink.test. 3600 IN A 127.9.0.1
"""

CONF = """\
server:
  server-count: 1
  ip-address: 127.0.0.53
  do-ip6: no
  username: ""
  zonesdir: "{dir}"
  database: ""
  xfrdfile: ""
  xfrdir: "{dir}"
  zonelistfile: "{dir}/zones"
  pidfile: "{dir}/pid"
  logfile: "{dir}/log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "root.zone"
"""


class World:
    OURS_CONF = "resolver_forward %s\n" % NAMES

    def __init__(self):
        self.dir = fresh("world")
        self.write("root.zone", ZONE)
        names = ["nsd", "-d", "-c", self.write("nsd.conf", CONF.format(dir=self.dir))]
        self.counter = os.path.join(self.dir, "count")
        sink = [os.path.join(BENCH_BIN, "smtpnull"), "-a", SINK, "-p", "25", "-c", self.counter]
        self.servers = [Server("nsd", names, os.path.join(self.dir, "out"), core=LOAD_CORE),
                        Server("smtpnull", sink, os.path.join(self.dir, "sink"), core=LOAD_CORE)]
        make_etc(resolver=NAMES)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self):
        if os.path.exists(self.counter):
            os.unlink(self.counter)
        for s in self.servers:
            s.start()
        wait_until("the sink", lambda: os.path.exists(self.counter) and
                   os.path.getsize(self.counter) == 8, 10)
        with open(self.counter, "rb") as f:
            self.count = mmap.mmap(f.fileno(), 8, access=mmap.ACCESS_READ)

    def relayed(self):
        """How many messages the sink has taken."""
        for s in self.servers:
            s.check()
        return struct.unpack("Q", self.count[:8])[0]

    def stop(self):
        for s in self.servers:
            s.stop()
