# SPDX-License-Identifier: ISC
"""The web server: MTA-STS policies, and a place that keeps posted TLS reports."""
import http.server
import os
import ssl
import sys
import time

from .keys import cert
from .process import spawn, tcp_open, wait_for, write
from .settings import HERE, HTTPS_PORT, WWW, path


def start_www():
    policy = "version: STSv1\nmode: %s\nmx: %s\nmax_age: %d\n"
    hosts = {
        "mta-sts.peer.test": policy % ("enforce", "mx.peer.test", 86400),
        "mta-sts.sts.test": policy % ("enforce", "mx.sts.test", 86400),
        "mta-sts.stsbad.test": policy % ("enforce", "other.stsbad.test", 86400),
        "mta-sts.ststesting.test": policy % ("testing", "other.ststesting.test", 86400),
        "mta-sts.stswild.test": policy % ("enforce", "*.stswild.test", 86400),
    }
    for h, text in hosts.items():
        write("www/%s/.well-known/mta-sts.txt" % h, text.replace("\n", "\r\n"))
    crt, key = cert("www", ["www.peer.test", "mta-sts.stsgone.test"] + list(hosts))
    p = spawn("www", [sys.executable, os.path.join(HERE, "net"), "serve-www", WWW, str(HTTPS_PORT), crt, key, path("www")])
    wait_for("the web server", lambda: tcp_open(WWW, HTTPS_PORT), p, "www")


def serve_www(addr, port, crt, key, root):

    class Handler(http.server.BaseHTTPRequestHandler):
        server_version = "www"

        def do_GET(self):
            host = self.headers.get("Host", "").split(":")[0].lower()
            name = os.path.normpath(os.path.join(root, host, self.path.lstrip("/")))
            if name.startswith(os.path.join(root, host) + os.sep) and os.path.isfile(name):
                with open(name, "rb") as f:
                    data = f.read()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; charset=us-ascii")
            else:
                data = b"not found\n"
                self.send_response(404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            # TLS-RPT over https (RFC 8460): keep what is sent
            data = self.rfile.read(int(self.headers.get("Content-Length", "0") or 0))
            os.makedirs(os.path.join(root, "posted"), exist_ok=True)
            with open(os.path.join(root, "posted", "%f" % time.time()), "wb") as f:
                f.write(("%s\n%s\n" % (self.path, self.headers)).encode() + data)
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = http.server.ThreadingHTTPServer((addr, port), Handler)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(crt, key)
    server.socket = ctx.wrap_socket(server.socket, server_side=True)
    server.serve_forever()

