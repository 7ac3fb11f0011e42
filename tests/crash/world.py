# SPDX-License-Identifier: ISC
"""One host on loopback for the crash test: configuration, programs, clients, a far mail server.

Everything stands below a folder in memory and on addresses 127.77.<number>.*, so several
worlds run side by side. Programs run with fsrec.so in front of the C library when `log` is set.
"""
import ctypes
import json
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", os.environ.get("VARIANT", "release"))
PASSWORD = "correct horse 1"
PATIENCE = float(os.environ.get("PATIENCE", "1"))
PASS, FAIL_ONE, FAIL_FROM, SHORT, KILL = range(5)

CONF = """\
hostname mail.ours.test
address {net}.1
data_dir {dir}/data
run_dir {dir}/run
privsep off
listen dns {net}.1:5353
listen smtp {net}.1:2525
listen submission {net}.1:2587
listen imap {net}.1:2143
resolver_forward {net}.53
resolver_localhost yes
resolver_nodefault test.
outbound_port 2526
allow_cleartext_login yes
queue_retry_first {retry}
queue_retry_max 3600
log_file {dir}/log.txt
"""


class Failed(Exception):
    """A program did not do what the case needs to go on."""


class Control(ctypes.LittleEndianStructure):
    """struct control of fsrec.c."""
    _fields_ = [("mode", ctypes.c_uint32), ("error", ctypes.c_uint32), ("at", ctypes.c_uint64),
                ("count", ctypes.c_uint64), ("hits", ctypes.c_uint64)]


class Far:
    """The rest of the internet: far.test has one mail server, and a resolver knows it."""

    def __init__(self, net):
        self.net, self.answer, self.taken = net, b"250 2.0.0 taken\r\n", []
        dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        dns.bind((net + ".53", 53))
        smtp = socket.create_server((net + ".9", 2526))
        for target, s in ((self.serve_dns, dns), (self.serve_smtp, smtp)):
            threading.Thread(target=target, args=(s,), daemon=True).start()

    def serve_dns(self, s):
        while True:
            q, peer = s.recvfrom(4096)
            end = 12
            while q[end] != 0:
                end += q[end] + 1
            name, kind = q[12:end + 1].lower(), struct.unpack_from(">H", q, end + 1)[0]
            rdata = None
            if name == b"\3far\4test\0" and kind == 15:
                rdata = b"\0\12\2mx\xc0\x0c"
            elif name == b"\2mx\3far\4test\0" and kind == 1:
                rdata = socket.inet_aton(self.net + ".9")
            body = b""
            if rdata is not None:
                body = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(rdata)) + rdata
            flags = 0x8180 if rdata is not None or name.endswith(b"\3far\4test\0") else 0x8183
            s.sendto(q[:2] + struct.pack(">HHHHH", flags, 1, 1 if body else 0, 0, 0) +
                     q[12:end + 5] + body, peer)

    def serve_smtp(self, s):
        while True:
            conn, _ = s.accept()
            threading.Thread(target=self.session, args=(conn,), daemon=True).start()

    def session(self, conn):
        f = conn.makefile("rwb")

        def say(octets):
            f.write(octets)
            f.flush()

        try:
            say(b"220 mx.far.test\r\n")
            for line in f:
                verb = line[:4].upper()
                if verb == b"DATA":
                    say(b"354 go on\r\n")
                    message = b""
                    for line in f:
                        if line == b".\r\n":
                            break
                        message += line
                    if self.answer.startswith(b"250"):
                        self.taken.append(message)
                    say(self.answer)
                elif verb == b"QUIT":
                    say(b"221 bye\r\n")
                    return
                else:
                    say(b"250 ok\r\n")
        except OSError:
            pass


class Client:
    """A line protocol over TCP."""

    def __init__(self, address, port):
        self.s = socket.create_connection((address, port), timeout=20 * PATIENCE)
        self.f = self.s.makefile("rb")

    def say(self, text):
        self.s.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self):
        line = self.f.readline().decode(errors="replace")
        if not line:
            raise Failed("the server closed the connection")
        return line.rstrip("\r\n")

    def close(self):
        self.f.close()
        self.s.close()


class Smtp(Client):
    def reply(self):
        line = self.line()
        while line[3:4] == "-":
            line = self.line()
        return line

    def ask(self, text, want="2"):
        self.say(text + "\r\n")
        reply = self.reply()
        if not reply.startswith(want):
            raise Failed("%s: %s" % (text, reply))
        return reply

    def send(self, sender, to, message):
        """The reply to the final dot."""
        self.ask("MAIL FROM:<%s>" % sender)
        for t in to:
            self.ask("RCPT TO:<%s>" % t)
        self.ask("DATA", "354")
        self.say(message.encode() + b".\r\n")
        return self.reply()


class Imap(Client):
    def __init__(self, address, user="ann"):
        super().__init__(address, 2143)
        self.tag, self.untagged = 0, []
        self.line()
        self.ask('LOGIN %s@ours.test "%s"' % (user, PASSWORD))

    def ask(self, text, want="OK"):
        self.tag += 1
        self.say("a%d %s\r\n" % (self.tag, text))
        return self.wait(want, text)

    def wait(self, want, text):
        self.untagged = []
        while True:
            line = self.line()
            if line.startswith("a%d " % self.tag):
                if want and not line.split(" ", 2)[1] == want:
                    raise Failed("%s: %s" % (text, line))
                return line
            self.untagged.append(line)

    def append(self, box, message, want="OK"):
        octets = message.encode()
        self.tag += 1
        self.say("a%d APPEND %s {%d}\r\n" % (self.tag, box, len(octets)))
        line = self.line()
        if not line.startswith("+"):
            return line
        self.say(octets + b"\r\n")
        return self.wait(want, "APPEND")


class World:
    def __init__(self, number, top="/dev/shm"):
        self.net = "127.77.%d" % number
        self.dir = os.path.join(top, "signpost-crash-%d-%d" % (os.getpid(), number))
        self.data = os.path.join(self.dir, "data")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.conf = os.path.join(self.dir, "signpost.conf")
        self.configure("")
        self.log = os.path.join(self.dir, "ops")
        self.out = os.path.join(self.dir, "out.txt")
        ctl = os.path.join(self.dir, "ctl")
        with open(ctl, "wb") as f:
            f.truncate(4096)
        with open(ctl, "r+b") as f:
            self.shared = mmap.mmap(f.fileno(), 4096)
        self.control = Control.from_buffer(self.shared)
        self.far, self.maild, self.is_watched = Far(self.net), None, False

    def configure(self, extra, retry=3600):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(CONF.format(net=self.net, dir=self.dir, retry=retry) + extra)

    def remove(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def env(self):
        env = dict(os.environ)
        if self.is_watched:
            env.update(LD_PRELOAD=os.path.join(BUILD, "crash", "fsrec.so"),
                       FSREC_ROOT=self.data, FSREC_LOG=self.log,
                       FSREC_CTL=os.path.join(self.dir, "ctl"))
        return env

    def watch(self):
        """From now on programs are watched; the log begins anew."""
        with open(self.log, "wb"):
            pass
        self.control.mode = PASS
        self.control.count = self.control.hits = 0
        self.is_watched = True

    def cli(self, *args, stdin="", code=0):
        r = subprocess.run([os.path.join(BUILD, "bin", "signpost"), "-f", self.conf] + list(args),
                           input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, check=False, timeout=60 * PATIENCE, env=self.env())
        if code is not None and r.returncode != code:
            raise Failed("signpost %s: exit %d\n%s" % (" ".join(args), r.returncode, r.stdout))
        return r.stdout

    def start(self, name="maild", *args):
        """The running program once it is ready."""
        with open(self.out, "ab") as out:
            mark = out.tell()
            p = subprocess.Popen([os.path.join(BUILD, "bin", name), "-f", self.conf] + list(args),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 env=self.env())
        end = time.monotonic() + 10 * PATIENCE
        while time.monotonic() < end:
            with open(self.out, "rb") as f:
                f.seek(mark)
                said = f.read()
            if b": ready" in said:
                return p
            if p.poll() is not None:
                break
            time.sleep(0.003)
        p.kill()
        p.wait()
        raise Failed("%s did not start: %s" % (name, said.decode(errors="replace")))

    def start_maild(self):
        self.maild = self.start("maild", "--single")

    def stop_maild(self):
        p, self.maild = self.maild, None
        p.send_signal(signal.SIGTERM)
        try:
            code = p.wait(60 * PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Failed("maild did not end") from None
        if code != 0:
            raise Failed("maild ended with %d" % code)

    def kill(self):
        if self.maild is not None:
            self.maild.kill()
            self.maild.wait()
            self.maild = None

    def status(self):
        """The row of the queue."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10 * PATIENCE)
            s.connect(os.path.join(self.dir, "run", "maild.ctl"))
            s.sendall(b"status\n")
            for line in s.makefile("rb"):
                row = json.loads(line)
                if row.get("row") == "queue":
                    return row
        raise Failed("maild tells no status of its queue")

    def is_quiet(self):
        """Every recipient was tried."""
        row = self.status()
        return row["active"] == 0 and row["recipients_waiting"] == row["deferred"]

    def is_settled(self):
        """Nothing under way, and a checkpoint has ended what was delivered."""
        blobs = os.path.join(self.data, "mail", "blobs")
        return self.status()["messages"] == 0 and not any(
            os.listdir(os.path.join(blobs, x)) for x in os.listdir(blobs) if x != "tmp")

    def files_of(self, account):
        """How many message files an account has."""
        top = os.path.join(self.data, "mail", "%02d" % (account % 16), str(account))
        return sum(len(files) for _, _, files in os.walk(top))

    def until(self, what, test, seconds=20):
        end = time.monotonic() + seconds * PATIENCE
        while not test():
            if time.monotonic() > end:
                raise Failed("waited in vain: " + what)
            time.sleep(0.005)

    def smtp(self):
        c = Smtp(self.net + ".1", 2525)
        c.reply()
        c.ask("EHLO far.test")
        return c

    def submission(self):
        import base64
        c = Smtp(self.net + ".1", 2587)
        c.reply()
        c.ask("EHLO [127.0.0.1]")
        secret = base64.b64encode(("\0ann@ours.test\0" + PASSWORD).encode()).decode()
        c.ask("AUTH PLAIN " + secret)
        return c

    def imap(self, user="ann"):
        return Imap(self.net + ".1", user)
