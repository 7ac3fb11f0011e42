# SPDX-License-Identifier: ISC
"""Hostile connections beside legitimate mail: the short form of `make hostile`, without its
judgement of speed."""
import os
import unittest

from lib import siege
from lib.host import Host


@unittest.skipUnless(os.path.exists(siege.HOSTILE), "make tools has not built hostile")
class Hostile(unittest.TestCase):
    def test_hostile_connections_hurt_nobody_else(self):
        host = Host("hostile-short", extra=siege.EXTRA).setup(
            accounts=("ann", "bea", "eve")).start()
        said = []
        try:
            s = siege.Siege(host, said.append, sessions=3)
            faults = s.run([("hostile", 12)], slow_times=2)
            self.assertEqual(faults, [], "\n".join(said))
            self.assertGreater(s.total, 0)
        finally:
            host.stop()
