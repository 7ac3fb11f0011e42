# SPDX-License-Identifier: ISC
"""Keys and certificates, made on first use and kept as long as the state folder."""
import base64
import hashlib
import os
import subprocess

from .process import sh, write
from .settings import PEER, path


def keep(name, make):
    """Path of a file in the state folder, made on first use."""
    full = path(name)
    if not os.path.exists(full):
        os.makedirs(os.path.dirname(full), exist_ok=True)
        make(full)
    return full


def dkim_key(domain, kind):
    def make(full):
        if kind == "ed25519":
            sh("openssl", "genpkey", "-algorithm", "ed25519", "-out", full)
            der = subprocess.run(["openssl", "pkey", "-in", full, "-outform", "DER"], check=True,
                                 stdout=subprocess.PIPE).stdout
            # the bare seed in base64, as dkimsign wants it
            write("dkim/%s.%s.seed" % (domain, kind), base64.b64encode(der[-32:]).decode() + "\n", 0o600)
        else:
            sh("openssl", "genrsa", "-traditional", "-out", full, kind[3:] or "2048")
        os.chmod(full, 0o600)
    return keep("dkim/%s.%s.pem" % (domain, kind), make)


def dkim_record(domain, kind, extra=""):
    der = subprocess.run(["openssl", "pkey", "-in", dkim_key(domain, kind), "-pubout", "-outform", "DER"],
                         check=True, stdout=subprocess.PIPE).stdout
    if kind == "ed25519":
        text = "v=DKIM1; k=ed25519; " + extra + "p=" + base64.b64encode(der[-32:]).decode()
    else:
        text = "v=DKIM1; k=rsa; " + extra + "p=" + base64.b64encode(der).decode()
    return " ".join('"%s"' % text[i:i + 200] for i in range(0, len(text), 200))


def ca():
    def make(full):
        sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
           "-keyout", path("tls/ca.key"), "-out", full, "-days", "90", "-subj", "/CN=Little Internet Test CA",
           "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return keep("tls/ca.pem", make)


def cert(name, hosts, addrs=()):
    """A certificate of the little internet's authority: (chain, key)."""
    ca()

    def make(full):
        sans = ",".join(["DNS:" + h for h in hosts] + ["IP:" + a for a in addrs])
        sh("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
           "-keyout", path("tls/%s.key" % name), "-out", path("tls/%s.csr" % name), "-subj", "/CN=" + hosts[0])
        write("tls/%s.ext" % name, "subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n" % sans)
        sh("openssl", "x509", "-req", "-in", path("tls/%s.csr" % name), "-CA", path("tls/ca.pem"),
           "-CAkey", path("tls/ca.key"), "-CAcreateserial", "-days", "60", "-out", full,
           "-extfile", path("tls/%s.ext" % name))
        with open(full, "a") as f, open(path("tls/ca.pem")) as g:
            f.write(g.read())
    return keep("tls/%s.pem" % name, make), path("tls/%s.key" % name)


def spki(name):
    if name == "ca":
        crt = ca()
    else:
        crt = mx_cert()[0]
    pub = sh("openssl", "x509", "-in", crt, "-noout", "-pubkey")
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pub.encode(), check=True,
                         stdout=subprocess.PIPE).stdout
    return hashlib.sha256(der).hexdigest()


def mx_cert():
    hosts = ["mx.peer.test", "plain.peer.test"]
    hosts += ["mx.%s.test" % n for n in ("danebad", "daneta", "daneroll", "daneunusable", "daneunsigned", "sts",
                                         "stsbad", "ststesting", "stswild", "stsgone")]
    return cert("mx", hosts, [PEER])

