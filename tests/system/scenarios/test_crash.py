# SPDX-License-Identifier: ISC
"""kill -9 under load: nothing that was answered 250 is lost, doubled or damaged."""
import os
import unittest

from lib import crashload
from lib.host import Host


class Crash(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(crashload.LOADER), "make tools has not built mailload")
    def test_three_kills_under_load(self):
        host = Host("crash").setup(accounts=("ann", "eve")).start()
        try:
            promised = crashload.load_and_kill(host, ["ann@ours.test", "eve@ours.test"],
                                               600, 10, 3)
            result = crashload.verify(host, promised)
            self.assertEqual((result["lost"], result["twice"], result["damaged"]), ([], [], []))
            self.assertGreaterEqual(result["promised"], 600)
        finally:
            host.kill()
