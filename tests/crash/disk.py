# SPDX-License-Identifier: ISC
"""What fsrec.so wrote down, and a disk made of it.

A Disk holds a folder as it was before (all of it durable) and takes the operations one by
one. At any moment it can be written out as a real folder in one of four ways:

  kill   the process ended here; the kernel keeps what was written
  power  nothing that was not synced is left: neither contents nor names
  names  names are left, contents that were not synced are not (a file system that keeps a
         journal of its names only)
  torn   of what was not synced every sector and every name is left or not, by chance

A file's contents are durable by a sync of the file, its name by a sync of the folder; neither
brings the other along. Real file systems promise more, so what survives here survives there.
"""
import os
import struct

CREATE, WRITE, SIZE, SYNC, SYNC_DIR, LINK, UNLINK, RENAME, MKDIR, RMDIR, GROW, SENT, SYNC_ALL = range(1, 14)
NAMES = ("", "create", "write", "size", "sync", "sync folder", "link", "unlink", "rename",
         "mkdir", "rmdir", "grow", "sent", "sync all")
HEAD = struct.Struct("<BQQQIII")
SECTOR = 512
WAYS = ("kill", "power", "names", "torn")


class Op:
    __slots__ = ("kind", "ino", "ino2", "at", "name", "name2", "data")

    def __init__(self, fields, name, name2, data):
        self.kind, self.ino, self.ino2, self.at = fields[:4]
        self.name, self.name2, self.data = name, name2, data

    def __str__(self):
        return "%s %s%s" % (NAMES[self.kind], self.name or self.ino,
                            " -> " + self.name2 if self.name2 else "")


def read_log(path):
    """The operations in their order."""
    with open(path, "rb") as f:
        octets = f.read()
    ops, at = [], 0
    while at < len(octets):
        fields = HEAD.unpack_from(octets, at)
        at += HEAD.size
        parts = []
        for n in fields[4:]:
            parts.append(octets[at:at + n])
            at += n
        ops.append(Op(fields, parts[0].decode(), parts[1].decode(), parts[2]))
    return ops


def change(octets, what):
    """Carry out one pending change of a file."""
    kind, at, data = what
    if kind == WRITE:
        if at > len(octets):
            octets.extend(bytes(at - len(octets)))
        octets[at:at + len(data)] = data
    elif at < len(octets):
        if kind == SIZE:
            del octets[at:]
    else:
        octets.extend(bytes(at - len(octets)))


class File:
    def __init__(self, octets=b""):
        self.now, self.durable, self.pending = bytearray(octets), bytearray(octets), []

    def put(self, what):
        change(self.now, what)
        self.pending.append(what)

    def sync(self):
        for what in self.pending:
            change(self.durable, what)
        self.pending = []

    def torn(self, rng):
        octets = bytearray(self.durable)
        for kind, at, data in self.pending:
            if kind != WRITE:
                if rng.random() < 0.5:
                    change(octets, (kind, at, data))
                continue
            for i in range(-(at % SECTOR), len(data), SECTOR):
                lo = max(i, 0)
                if rng.random() < 0.5:
                    change(octets, (WRITE, at + lo, data[lo:i + SECTOR]))
        return octets


class Folder:
    def __init__(self):
        self.now, self.durable, self.pending = {}, {}, []

    @staticmethod
    def change(entries, what):
        name, ino = what
        if ino is None:
            entries.pop(name, None)
        else:
            entries[name] = ino

    def put(self, name, ino):
        self.change(self.now, (name, ino))
        self.pending.append((name, ino))

    def sync(self):
        for what in self.pending:
            self.change(self.durable, what)
        self.pending = []

    def torn(self, rng):
        entries = dict(self.durable)
        for what in self.pending:
            if rng.random() < 0.5:
                self.change(entries, what)
        return entries


class Disk:
    def __init__(self, folder):
        """Take the folder as it is; all of it is durable."""
        self.nodes, self.root = {}, os.stat(folder).st_ino
        for path, folders, files in os.walk(folder):
            node = self.nodes[os.stat(path).st_ino] = Folder()
            for name in folders + files:
                ino = os.stat(os.path.join(path, name)).st_ino
                node.now[name] = node.durable[name] = ino
                if name in files and ino not in self.nodes:
                    with open(os.path.join(path, name), "rb") as f:
                        self.nodes[ino] = File(b"" if name.endswith("-shm") else f.read())

    def take(self, op):
        k = op.kind
        if k == SENT:
            return
        node = self.nodes.get(op.ino)
        if node is None:
            raise ValueError("an operation on something unknown: %s" % op)
        if k == SYNC_ALL:
            for each in self.nodes.values():
                each.sync()
        elif k in (CREATE, LINK, MKDIR):
            if op.ino2 not in self.nodes:
                self.nodes[op.ino2] = Folder() if k == MKDIR else File()
            node.put(op.name, op.ino2)
        elif k == WRITE:
            node.put((WRITE, op.at, op.data))
        elif k in (SIZE, GROW):
            node.put((k, op.at, b""))
        elif k in (SYNC, SYNC_DIR):
            node.sync()
        elif k in (UNLINK, RMDIR):
            node.put(op.name, None)
        elif k == RENAME:
            node.put(op.name, None)
            self.nodes[op.ino2].put(op.name2, op.at)

    def write_out(self, target, way, rng):
        """Make the folder `target` (empty, existing) what a start would find."""
        places = {}

        def fill(ino, path):
            node = self.nodes[ino]
            names = (node.durable if way == "power" else
                     node.torn(rng) if way == "torn" else node.now)
            for name, child in names.items():
                self.one(child, os.path.join(path, name), places, way, rng, fill)

        fill(self.root, target)

    def one(self, ino, path, places, way, rng, fill):
        node = self.nodes[ino]
        if path.endswith("-shm"):
            return  # made anew by whoever opens the database first
        if isinstance(node, Folder):
            os.mkdir(path)
            fill(ino, path)
        elif ino in places:
            os.link(places[ino], path)
        else:
            octets = (node.now if way == "kill" else
                      node.torn(rng) if way == "torn" else node.durable)
            with open(path, "wb") as f:
                f.write(octets.rstrip(b"\0"))
                f.truncate(len(octets))
            places[ino] = path
