# SPDX-License-Identifier: ISC
"""The IMAP side of maild alone (tests/tools/imaphost.c), for the imap and mime suites."""
import os
import re
import shutil
import signal
import socket
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VARIANT = os.environ.get("VARIANT", "release")

CONF = """\
hostname mail.suite.test
address 127.0.0.1
data_dir {dir}/data
run_dir {dir}/run
privsep seccomp
listen imap 127.0.0.1:{port}
allow_cleartext_login yes
sessions_per_client_max 1000
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class ImapSide:
    """with ImapSide("imap") as side: side.port; the password is "secret" for every name."""

    def __init__(self, name):
        self.program = os.path.join("build", VARIANT, "tools", "imaphost")
        self.dir = os.path.join(ROOT, "build", "suites", name)
        self.port = free_port()

    def __enter__(self):
        subprocess.run(["make", "-s", "VARIANT=" + VARIANT, self.program], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(os.path.join(self.dir, "data"))
        conf = os.path.join(self.dir, "conf")
        with open(conf, "w") as f:
            f.write(CONF.format(dir=self.dir, port=self.port))
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen([os.path.join(ROOT, self.program), conf, "secret"],
                                        stdout=subprocess.PIPE, stderr=self.log)
        if self.process.stdout.readline() != b"ready\n":
            self.__exit__()
            raise RuntimeError("imaphost did not start, see %s/log" % self.dir)
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError("imaphost did not stop")
        finally:
            self.log.close()
        if code != 0:
            raise RuntimeError("imaphost ended with %d, see %s/log" % (code, self.dir))


class Imap:
    """Just enough of a client to keep every octet."""

    def __init__(self, port, user="suite@suite.test"):
        self.sock = socket.create_connection(("127.0.0.1", port), 30)
        self.file = self.sock.makefile("rb")
        self.n = 0
        self.file.readline()
        self.command(b'LOGIN "%s" "secret"' % user.encode())

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def command(self, text, literal=None):
        """-> (tagged line, list of untagged: (line, [literals]))"""
        self.n += 1
        tag = b"t%d" % self.n
        out = tag + b" " + text
        if literal is not None:
            out += b" {%d+}\r\n" % len(literal) + literal
        self.send(out + b"\r\n")
        untagged = []
        while True:
            line, literals = self.response()
            if line.startswith(tag + b" "):
                return line[len(tag) + 1:], untagged
            untagged.append((line, literals))

    def response(self):
        line, literals = b"", []
        while True:
            part = self.file.readline()
            if not part.endswith(b"\r\n"):
                raise RuntimeError("connection closed")
            line += part[:-2]
            m = re.search(rb"\{(\d+)\}$", line)
            if not m:
                return line, literals
            literals.append(self.file.read(int(m.group(1))))
            line = line[:m.start()] + b"\x00%d\x00" % (len(literals) - 1)


def parse(text, literals=()):
    """IMAP data -> nested lists, bytes, None for NIL."""
    pos = 0

    def items(closing):
        nonlocal pos
        out = []
        while pos < len(text):
            c = text[pos:pos + 1]
            if c == b" ":
                pos += 1
            elif c == b"(":
                pos += 1
                out.append(items(True))
            elif c == b")":
                pos += 1
                return out
            elif c == b'"':
                pos += 1
                s = b""
                while text[pos:pos + 1] != b'"':
                    if text[pos:pos + 1] == b"\\":
                        pos += 1
                    s += text[pos:pos + 1]
                    pos += 1
                pos += 1
                out.append(s)
            elif c == b"\x00":
                end = text.index(b"\x00", pos + 1)
                out.append(literals[int(text[pos + 1:end])])
                pos = end + 1
            else:
                m = re.compile(rb"[^ ()\x00]+").match(text, pos)
                pos = m.end()
                out.append(None if m.group().upper() == b"NIL" else m.group())
        if closing:
            raise ValueError("a list does not end")
        return out
    return items(False)
