# SPDX-License-Identifier: ISC
"""Dovecot as Debian ships it, one instance for each of its stores, with our certificate.

The login service is in its high-performance mode (one process, many connections). Users u0.. have
their passwords in clear, so that a login costs it no hash; users s0.. have scrypt with the
cost that ours use (N=2^15, r=8, p=1), through crypt(3).
"""
import ctypes
import os

from .mail import DOMAIN, PASSWORD
from .process import Server, wait_until
from .settings import fresh

SCRYPT_SETTING = b"$7$D6..../....saltsaltsalt"

CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
info_log_path = /dev/null
protocols = imap
listen = 127.0.0.1
mail_location = {location}
mail_max_userip_connections = 0
first_valid_uid = 1
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{tls}/chain.pem
ssl_key = <{tls}/key.pem
auth_mechanisms = plain
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/passwd
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={dir}/mail/%u
}}
default_client_limit = 5000
default_process_limit = 3000
service imap-login {{
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  client_limit = 5000
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service imap {{
  process_limit = 3000
}}
namespace inbox {{
  inbox = yes
}}
"""


class Dovecot:
    def __init__(self, store, port, tls, users):
        self.name = "dovecot-" + store
        self.imap, self.imaps = port, port + 1
        self.dir = fresh(self.name)
        os.makedirs(os.path.join(self.dir, "mail"))
        os.chown(os.path.join(self.dir, "mail"), 65534, 65534)
        hashed = crypt(PASSWORD)
        self.write("passwd", "".join(
            "u%d@%s:{PLAIN}%s\ns%d@%s:{CRYPT}%s\n" % (i, DOMAIN, PASSWORD, i, DOMAIN, hashed)
            for i in range(users)))
        self.write("conf", CONF.format(dir=self.dir, port=port, tls_port=port + 1, tls=tls,
                                       location=store + ":~/" + store))
        self.server = Server(self.name, ["dovecot", "-F", "-c", os.path.join(self.dir, "conf")],
                             os.path.join(self.dir, "out"))

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def start(self):
        self.server.start()
        wait_until("the start of " + self.name, self.is_ready, 30, 0.05)
        return self

    def is_ready(self):
        self.server.check()
        return os.path.exists(os.path.join(self.dir, "run", "master.pid"))

    def stop(self):
        self.server.stop()


def crypt(password):
    lib = ctypes.CDLL("libcrypt.so.1")
    lib.crypt.restype = ctypes.c_char_p
    return lib.crypt(password.encode(), SCRYPT_SETTING).decode()
