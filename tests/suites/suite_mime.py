# SPDX-License-Identifier: ISC
"""Real and broken messages: stored by APPEND, fetched back octet for octet, their structure
read; where the suite has a parsed form (mail-parser's JSON), the trees are compared."""
import glob
import json
import os
import re

from imapside import Imap, ImapSide, parse

# Trees that differ on purpose: name -> why.
DIFFERENT = {
    "mail-parser/malformed/000.eml": "a part that is only a header, or nothing, is still a part",
    "mail-parser/malformed/004.eml": "a delimiter is a whole line: --ab and --ac do not end --a",
    "mail-parser/malformed/007.eml": "a delimiter counts once the header that names it has ended",
    "mail-parser/malformed/011.eml": "the outer delimiter ends an inner multipart that was not closed",
    "mail-parser/malformed/013.eml": "an empty part behind the last delimiter is still a part",
    "mail-parser/malformed/022.eml": "what calls itself message/rfc822 has an envelope, be it empty",
    "mail-parser/rfc/008.eml": "IMAP has no part numbers inside an encoded message/rfc822",
    "mail-parser/thirdparty/015.eml": "the outer delimiter ends a message whose own multipart never began",
}


def crlf(octets):
    return re.sub(rb"\r?\n", b"\r\n", octets)


def our_shape(s):
    """BODYSTRUCTURE -> "multipart", [children] | "message", inner | leaf type/subtype"""
    if isinstance(s[0], list):
        children = []
        for part in s:
            if not isinstance(part, list):
                break
            children.append(our_shape(part))
        return ["multipart"] + children
    if s[0].lower() == b"message" and s[1].lower() in (b"rfc822", b"global"):
        return ["message", our_shape(s[8])]
    return "leaf"


def their_shape(message, index=0):
    body = message["parts"][index]["body"]
    if "Multipart" in body:
        return ["multipart"] + [their_shape(message, i) for i in body["Multipart"]]
    if "Message" in body:
        return ["message", their_shape(body["Message"])]
    return "leaf"


def structure_of(untagged):
    for line, literals in untagged:
        if b"BODYSTRUCTURE" in line:
            items = parse(line, literals)[3]
            return items[items.index(b"BODYSTRUCTURE") + 1]
    raise RuntimeError("no BODYSTRUCTURE")


def one(imap, octets, shape):
    ok, _ = imap.command(b"APPEND box", octets)
    if not ok.startswith(b"OK"):
        return "FAIL", "APPEND: " + ok.decode()
    uid = int(re.search(rb"APPENDUID \d+ (\d+)", ok).group(1))
    ok, got = imap.command(b"UID FETCH %d (BODY.PEEK[])" % uid)
    if not any(octets in literals for _, literals in got):
        return "FAIL", "other octets came back"
    ok, got = imap.command(b"UID FETCH %d (ENVELOPE BODY RFC822.SIZE BODYSTRUCTURE)" % uid)
    if not ok.startswith(b"OK"):
        return "FAIL", "FETCH: " + ok.decode()
    ours = our_shape(structure_of(got))
    if shape is not None and shape != ours:
        return "FAIL", "structure: wanted %s, got %s" % (shape, ours)
    return "ok", ""


def run(data, report):
    folder = os.path.join(data, "mime")
    files = sorted(f for f in glob.glob(os.path.join(folder, "**", "*"), recursive=True)
                   if f.endswith((".eml", ".msg")))
    if not files:
        report("*", "skip", "no messages")
        return
    with ImapSide("mime") as side:
        imap = Imap(side.port)
        imap.command(b"CREATE box")
        imap.command(b"SELECT box")
        for f in files:
            case = os.path.relpath(f, folder)
            shape = None
            beside = f[:-4] + ".json"
            with open(f, "rb") as src:
                octets = crlf(src.read())
            if os.path.exists(beside):
                with open(beside) as src:
                    shape = their_shape(json.load(src))
            result, why = one(imap, octets, shape)
            if result == "FAIL" and case in DIFFERENT:
                result, why = "skip", "differs on purpose: " + DIFFERENT[case]
            report(case, result, why)
        imap.close()
