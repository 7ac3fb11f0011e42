# SPDX-License-Identifier: ISC
"""SMTP dialogues (reply codes only) and end-of-data sequences, against a running maild."""
import glob
import os
import re
import socket
import ssl

from lib.host import Host, Failed

DOMAIN = "suite.test"

CONF = """\
hostname mx.suite.test
address 127.0.0.1
data_dir {dir}/data
run_dir {dir}/run
privsep seccomp
listen smtp 127.0.0.1:%d
listen submissions 127.0.0.1:%d
message_size_max 1048576
sessions_per_client_max 1000
"""

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Client:
    def __init__(self, port, is_tls=False):
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        if is_tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)
        self.rest = b""

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\n" not in self.rest:
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def code(self):
        """Code of the next whole reply, 0 at the end of the connection."""
        while True:
            line = self.line()
            if line is None:
                return 0
            if line[3:4] != "-":
                return int(line[:3])


def octets(expression):
    """The value of the dialogue language's '~>': strings, numbers, + and *."""
    if not re.fullmatch(r"""(?:'(?:[^'\\]|\\.)*'|\d+|[-+*() ])+""", expression):
        raise Failed("not an expression: " + expression)
    return eval(expression, {"__builtins__": {}}).encode("latin-1")  # only literals, see above


def play(path, ports):
    """None when every reply code was as wanted, else what was not."""
    client = None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n").replace("testserver", DOMAIN)
            if not line.startswith("c "):
                continue
            word, _, rest = line[2:].partition(" ")
            if word in ("tcp_connect", "tls_connect"):
                client = Client(ports[word], word == "tls_connect")
            elif word == "close":
                client.sock.close()
            elif word == "->":
                client.send(rest.encode() + b"\r\n")
            elif word == "~>":
                client.send(octets(rest))
            elif word in ("<-", "<~", "<..."):
                want, got = int(re.match(r"\d{3}", rest).group()), client.code()
                if got != want:
                    return "line %d: wanted %d, came %d" % (number, want, got)
            else:
                raise Failed("%s:%d: unknown word %s" % (path, number, word))
    return None


def begin(port):
    c = Client(port)
    c.code()
    for line, want in ((b"EHLO client.test", 250), (b"MAIL FROM:<a@client.test>", 250),
                       (b"RCPT TO:<user@suite.test>", 250), (b"DATA", 354)):
        c.send(line + b"\r\n")
        got = c.code()
        if got != want:
            raise Failed("%s: %d" % (line.decode(), got))
    return c


def smuggle(sequence, port):
    """Codes that came after DATA: body, sequence, a second message, its true end."""
    c = begin(port)
    c.send(b"Subject: first\r\n\r\nbody" + sequence +
           b"MAIL FROM:<evil@client.test>\r\nRCPT TO:<user@suite.test>\r\nDATA\r\n"
           b"Subject: smuggled\r\n\r\nevil\r\n.\r\nQUIT\r\n")
    codes = []
    while True:
        codes.append(c.code())
        if codes[-1] in (0, 221):
            return codes


def judge(name, sequence, want, codes):
    is_broken = re.search(rb"\r(?!\n)|(?<!\r)\n", sequence) is not None
    accepted = codes.count(250) - (2 if len(codes) > 2 and 354 in codes else 0)
    if want == "not-end" and accepted > 1:
        return "a second message was smuggled: %s" % codes
    if want == "end" and not is_broken and 354 not in codes:
        return "the message did not end: %s" % codes
    if is_broken and 250 in codes:
        return "bare line ends were taken: %s" % codes
    return None


def run(data, report):
    bin_dir = os.path.join(os.path.dirname(__file__), "..", "..", "build",
                           os.environ.get("VARIANT", "release"), "bin")
    for program in ("maild", "signpost"):
        if not os.path.exists(os.path.join(bin_dir, program)):
            report("*", "skip", "%s is not built" % program)
            return
    ports = {"tcp_connect": free_port(), "tls_connect": free_port()}
    host = Host("suite-smtp", conf=CONF % (ports["tcp_connect"], ports["tls_connect"]))
    host.setup(domain=DOMAIN, accounts=("user",))
    host.maild.start()
    try:
        for path in sorted(glob.glob(os.path.join(data, "smtp", "chasquid-dialogs", "*.cmy"))):
            name = os.path.basename(path)
            why = play(path, ports)
            report(name, "FAIL" if why else "ok", why or "")
        with open(os.path.join(data, "smtp", "smuggling.tsv"), encoding="ascii") as f:
            for line in f:
                if line.startswith("#"):
                    continue
                name, escaped, want = line.rstrip("\n").split("\t")
                sequence = escaped.encode().decode("unicode_escape").encode("latin-1")
                codes = smuggle(sequence, ports["tcp_connect"])
                why = judge(name, sequence, want, codes)
                report(name, "FAIL" if why else "ok", why or "")
    finally:
        host.kill()
