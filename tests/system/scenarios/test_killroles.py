# SPDX-License-Identifier: ISC
"""A role that dies takes only its own work with it; nothing promised is lost."""
import os
import unittest

from lib import crashload, rolekill
from lib.host import Host


class BothDaemons(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(crashload.LOADER), "make tools has not built mailload")
    def test_each_role_dies_once_under_load(self):
        sink = rolekill.Sink()
        host = rolekill.setup(Host("bothdaemons"))
        try:
            loader, log = rolekill.loader(host, 300, 10, 30)
            for role in rolekill.MAIL:
                rolekill.kill_one(host, host.maild, role)
            for role in rolekill.DNS:
                rolekill.kill_one(host, host.dnsd, role)
            self.assertEqual(loader.wait(300), 0)
            with open(log) as f:
                promised = dict(line.split() for line in f)
            self.assertEqual(rolekill.faults_of(rolekill.verify(host, sink, promised)), [])
            self.assertGreaterEqual(len(promised), 300)
        finally:
            sink.close()
            host.kill()
