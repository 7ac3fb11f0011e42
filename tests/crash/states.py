# SPDX-License-Identifier: ISC
"""Which of the numbered states of docs/STATES.md a data directory is in.

classify() looks at a folder as a power loss left it, before any program has touched it, and
names every state it finds. Each file must be explained by one; what cannot be is Unexplained.
"""
import os
import re
import shutil
import sqlite3
import struct
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
STATES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "STATES.md")
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
FILE_NAME = re.compile(r"^([a-z2-7]{26})\.(\d+)$")
PENDING_NAME = re.compile(r"^(\d+)\.([a-z2-7]{26})\.(\d+)$")
SHARDS = 16
WAL_FRAME = struct.Struct(">IIIIII")


class Unexplained(Exception):
    """Something on disk that no state of docs/STATES.md allows."""


def documented():
    """The numbers of all states in the document's tables."""
    with open(STATES, encoding="utf-8") as f:
        return set(re.findall(r"^\| ([JBQIS]\d+) \|", f.read(), re.M))


def crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


CRC = crc_table()


def crc32c(octets):
    crc = 0xffffffff
    for b in octets:
        crc = CRC[(crc ^ b) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def id_text(octets):
    bits, have, out, at = 0, 0, "", 0
    while len(out) < 26:
        if have < 5:
            bits, have, at = bits << 8 | (octets[at] if at < 16 else 0), have + 8, at + 1
        have -= 5
        out += ALPHABET[bits >> have & 31]
    return out


# ---- the journal ----------------------------------------------------------------------------

class Record:
    def __init__(self, kind, synced, payload):
        self.kind, self.synced, self.payload = kind, synced, payload
        if kind == 1:
            n = struct.unpack_from("<I", payload, 17)[0]
            self.envelope = payload[21:21 + n]
            self.is_in_blob = payload[0] & 1 != 0
            self.id = id_text(self.envelope[1:17])  # behind its version
        else:
            self.id = id_text(payload[:16])


def read_record(seg, base, at):
    """A Record and where the next one stands; None: nothing of this life; False: torn."""
    if len(seg) - at < 32:
        return None
    magic, version, kind, length, crc, position, synced = struct.unpack_from("<IHHIIQQ", seg, at)
    if magic != 0x524a5053 or position != base + at - 40:
        return None
    if version != 1 or length > len(seg) - at - 32:
        return False
    if crc32c(seg[at + 4:at + 12] + seg[at + 16:at + 32 + length]) != crc:
        return False
    return Record(kind, synced, seg[at + 32:at + 32 + length]), at + (32 + length + 7) // 8 * 8


def read_journal(folder, found):
    """Every record a start would replay, oldest first."""
    records = []
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    segments = []
    for name in names:
        if name.endswith(".seg"):
            segments.append(name)
        elif name.startswith("spare-"):
            found.add("J6")
        elif name != "lock":
            raise Unexplained("journal: " + name)
    for i, name in enumerate(segments):
        with open(os.path.join(folder, name), "rb") as f:
            seg = f.read()
        magic, _, base, _, _, crc = struct.unpack_from("<IIQQQI", seg, 0)
        if magic != 0x534a5053 or crc32c(seg[:32]) != crc:
            raise Unexplained("journal: the head of " + name)
        at, end = 40, len(seg)
        if i + 1 < len(segments):
            with open(os.path.join(folder, segments[i + 1]), "rb") as f:
                end = 40 + struct.unpack_from("<Q", f.read(40), 16)[0] - base
        while at < end:
            r = read_record(seg, base, at)
            if r is False:
                found.add("J1" if i + 1 == len(segments) else "J3")
            elif r is None and seg[at:at + 4] == b"SPJR":
                found.add("J7")
            elif r is None and i + 1 == len(segments) and seg[at:at + 4096].strip(b"\0"):
                found.add("J1")
            if not r:
                break
            records.append(r[0])
            at = r[1]
    if len(segments) > 1:
        found.add("J8")
    return records


# ---- databases ------------------------------------------------------------------------------

class Base:
    """A copy of a database, as the next program to open it would find it; None if unusable."""

    def __init__(self, path, found):
        self.db = None
        if not os.path.exists(path):
            return
        self.dir = tempfile.mkdtemp(dir="/dev/shm")
        copy = os.path.join(self.dir, "db")
        shutil.copyfile(path, copy)
        if os.path.exists(path + "-wal"):
            shutil.copyfile(path + "-wal", copy + "-wal")
            self.look_at_wal(path + "-wal", found)
        self.db = sqlite3.connect(copy)
        try:
            self.db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if self.db.execute("PRAGMA user_version").fetchone()[0] == 0:
                found.add("S3")
                self.close()
        except sqlite3.DatabaseError:
            self.close()

    @staticmethod
    def look_at_wal(path, found):
        with open(path, "rb") as f:
            wal = f.read()
        if len(wal) < 32:
            return
        page, salt = struct.unpack_from(">I", wal, 8)[0], wal[16:24]
        at, last = 32, None
        while at + 24 + page <= len(wal) and wal[at + 8:at + 16] == salt:
            last = struct.unpack_from(">I", wal, at + 4)[0]
            at += 24 + page
        if last is not None:
            found.add("S2" if last != 0 else "S1")
        elif at < len(wal):
            found.add("S1")

    def close(self):
        if self.db is not None:
            self.db.close()
            self.db = None
        if getattr(self, "dir", None):
            shutil.rmtree(self.dir, ignore_errors=True)

    def rows(self, sql):
        return self.db.execute(sql).fetchall() if self.db is not None else []


# ---- queue ----------------------------------------------------------------------------------

def blob_is_whole(path, message):
    """`message`: what the journal says should stand there, or None."""
    with open(path, "rb") as f:
        octets = f.read()
    if len(octets) < 60:
        return False
    magic, version, length, crc, offset, size = struct.unpack_from("<IIIIQQ", octets, 0)
    return (magic == 0x4c425053 and version == 1 and length <= len(octets) and
            crc32c(octets[16:length]) == crc and len(octets) >= offset + size and
            (message is None or octets[offset:offset + size] == message))


class QueueState:
    """Messages the queue knows: from its journal, its rows, its files."""

    def __init__(self, data, found):
        self.accepted, self.results = {}, set()
        for r in read_journal(os.path.join(data, "journal", "queue"), found):
            if r.kind == 1:
                self.accepted[r.id] = r
            else:
                self.results.add(r.id)
        place = os.path.join(data, "queue", "queue.db")
        if not os.path.exists(place):
            place = os.path.join(data, "db", "queue.db")
        base = Base(place, found)
        self.rows = {id_text(r[0]): r[1] for r in base.rows("SELECT id, due_s FROM message")}
        base.close()
        self.blobs = {}
        blobs = os.path.join(data, "mail", "blobs")
        for folder in os.listdir(blobs) if os.path.isdir(blobs) else []:
            for name in os.listdir(os.path.join(blobs, folder)):
                if folder == "tmp":
                    found.add("J0")
                elif re.match(r"^[a-z2-7]{26}$", name):
                    self.blobs[name] = os.path.join(blobs, folder, name)
                else:
                    raise Unexplained("mail/blobs: %s/%s" % (folder, name))
        self.name(found)

    def message_of(self, mid):
        r = self.accepted.get(mid)
        if r is None or r.is_in_blob:
            return None
        p, at = r.payload, 17
        for _ in range(3):
            at += 4 + struct.unpack_from("<I", p, at)[0]
        return p[at:]

    def name(self, found):
        for mid, r in self.accepted.items():
            found.add("J2")
            if mid not in self.blobs:
                found.add("Q5" if r.is_in_blob else "B2")
        for mid, path in self.blobs.items():
            known = mid in self.accepted or mid in self.rows
            whole = blob_is_whole(path, self.message_of(mid))
            if not known:
                found.add("B1" if os.path.getsize(path) > 192 * 1024 else "B3")
            elif whole:
                found.add("B4")
            elif mid in self.accepted and not self.accepted[mid].is_in_blob:
                found.add("B2")
            else:
                raise Unexplained("a row whose message file is damaged: " + mid)
        for mid, due in self.rows.items():
            found.add("Q7" if due is None else "Q1")
            if mid not in self.blobs and mid not in self.accepted:
                found.add("Q5")

    def knows(self, mid):
        return mid in self.accepted or mid in self.rows


# ---- mailboxes ------------------------------------------------------------------------------

def name_file(key, size, rows, pending, queue, found):
    """One message file of an account. `rows`: (head + size, refs) of those with a row."""
    account, mid, _ = key
    row = rows.get(key)
    if row is not None and row[1] == 0:
        found.add("I5")
    elif row is not None:
        if size < row[0]:
            if not queue.knows(mid):
                raise Unexplained("a message lost its octets: %s of account %d" % (mid, account))
            found.add("I2")
        elif key in pending:
            found.add("I4")
        elif queue.knows(mid):
            found.add("Q3")
    elif key in pending:
        found.add("I3")
    elif queue.knows(mid):
        found.add("I1")
    else:
        found.add("I7")


def look_at_shard(data, number, queue, found):
    top = os.path.join(data, "mail", "%02d" % number)
    files, pending = {}, set()
    if not os.path.isdir(top):
        return
    for path, _, names in os.walk(top):
        for name in names:
            key = None
            if os.path.basename(path) == "pending":
                m = PENDING_NAME.match(name)
                key = m and (int(m.group(1)), m.group(2), int(m.group(3)))
                pending.add(key)
            elif FILE_NAME.match(name):
                m = FILE_NAME.match(name)
                account = os.path.basename(os.path.dirname(path))
                key = (int(account), m.group(1), int(m.group(2)))
                files[key] = os.path.getsize(os.path.join(path, name))
            elif path == top and name.startswith("snapshot."):
                found.add("I10" if ".tmp" in name else "I9")
                continue
            elif path == top and name.startswith("rebuild.db"):
                found.add("I11")
                continue
            elif path == top and name.startswith("index.db.unusable"):
                found.add("I12")
                continue
            elif path == top and name.startswith("index.db"):
                continue
            if key is None:
                raise Unexplained("%s/%s" % (path, name))
    base = Base(os.path.join(top, "index.db"), found)
    if base.db is None and (files or "I9" in found):
        found.add("I8")  # all mail comes back, whatever its state
        base.close()
        return
    rows = {(r[0], id_text(r[1]), r[2]): (r[3] + r[4], r[5]) for r in
            base.rows("SELECT account, msgid, number, head, size, refs FROM blob")}
    base.close()
    for key, size in files.items():
        name_file(key, size, rows, pending, queue, found)
    if pending - set(files):
        found.add("I3")
    for key, row in rows.items():
        if key in files:
            continue
        if row[1] == 0:
            found.add("I6")
        elif queue.knows(key[1]):
            found.add("I2")
        else:
            raise Unexplained("a row without its message file: %s of account %d" % (key[1], key[0]))


# ---- everything else -------------------------------------------------------------------------

KNOWN = re.compile(r"^(db/(signpost|secrets)\.db|(queue|db)/(queue|history)\.db|keys/keys\.db|"
                   r"dns/images\.db)(-wal|-shm)?$|^(maild|dnsd)\.lock$|^tls/[a-z]+\.pem$|^(mail|journal/queue)/")


def look_at_names(data):
    for path, _, names in os.walk(data):
        for name in names:
            name = os.path.relpath(os.path.join(path, name), data)
            if not KNOWN.match(name):
                raise Unexplained("a file nobody knows: " + name)


# ---- the domain database --------------------------------------------------------------------

def look_at_domains(data, found):
    domains = Base(os.path.join(data, "db", "signpost.db"), found)
    keys = Base(os.path.join(data, "keys", "keys.db"), found)
    secrets = Base(os.path.join(data, "db", "secrets.db"), found)
    if domains.db is not None:
        wanted = {r[0] for r in domains.rows("SELECT key_ref FROM dkim_key")}
        have = {r[0] for r in keys.rows("SELECT ref FROM private_key")}
        if wanted - have:
            raise Unexplained("a published key whose private half is missing")
        if have - wanted:
            found.add("S5")
        wanted = {r[0] for r in domains.rows("SELECT secret_ref FROM account")}
        have = {r[0] for r in secrets.rows("SELECT ref FROM secret")}
        if wanted - have:
            raise Unexplained("an account whose password is missing")
        if have - wanted:
            found.add("S6")
        if domains.rows("SELECT serial FROM open_change"):
            raise Unexplained("a change that is neither made nor not made")
    for base in (domains, keys, secrets):
        base.close()


def classify(data):
    """The states `data` is in. Raises Unexplained."""
    found = set()
    look_at_names(data)
    queue = QueueState(data, found)
    for number in range(SHARDS):
        look_at_shard(data, number, queue, found)
    look_at_domains(data, found)
    return found or {"S0"}
