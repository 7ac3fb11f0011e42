# SPDX-License-Identifier: ISC
"""What is done while every file operation is written down, and what must hold afterwards.

A case has live(world), which drives real programs on a copy of the base, and check(v), which
judges what a second life made of it. `v.sent` is what clients had been told before the stop, so
`"queued as" in v.sent` means: promised.
"""
import os
import re
import sqlite3
import struct

import states
from world import Failed

BODY = "".join("line %03d of a message that must come through whole\r\n" % i for i in range(20))


def message(token, body=BODY):
    return ("From: ann@ours.test\r\nTo: bob@ours.test\r\nSubject: token-%s.\r\n\r\n%s-- end\r\n"
            % (token, body))


class Inventory:
    """Every message of every mailbox, as its index and its file have it."""

    def __init__(self, data):
        self.places, self.boxes = {}, {}
        for number in range(states.SHARDS):
            path = os.path.join(data, "mail", "%02d" % number, "index.db")
            if os.path.exists(path):
                self.read(data, number, path)

    def read(self, data, number, path):
        db = sqlite3.connect(path)
        for row in db.execute("SELECT id, account, name, uidvalidity, uidnext FROM box"):
            box, account, name, validity, uidnext = row
            self.boxes[account, name] = (validity, uidnext)
            for uid, mid, n, head, size in db.execute(
                    "SELECT m.uid, b.msgid, b.number, b.head, b.size FROM message m "
                    "JOIN blob b ON b.id = m.blob WHERE m.box = ?", (box,)):
                mid = states.id_text(mid)
                name_of = "%s/mail/%02d/%d/%s/%s.%d" % (data, number, account, mid[:2], mid, n)
                with open(name_of, "rb") as f:
                    f.seek(head)
                    octets = f.read(size)
                token = re.search(rb"Subject: token-([a-z0-9-]+)\.", octets)
                if len(octets) != size or not token or not octets.endswith(b"-- end\r\n"):
                    raise Failed("message %s of account %d is not whole" % (mid, account))
                self.places.setdefault(token.group(1).decode(), []).append((account, name, uid))
        for (blob,) in db.execute("SELECT b.id FROM blob b WHERE b.refs <> "
                                  "(SELECT count(*) FROM message m WHERE m.blob = b.id)"):
            raise Failed("the references of blob %d of shard %d are miscounted" % (blob, number))
        db.close()

    def where(self, token):
        return sorted((a, b) for a, b, _ in self.places.get(token, []))


class Verdict:
    """What a check looks at."""

    def __init__(self, world, sent, before, after, relayed):
        self.world, self.sent, self.before, self.after = world, sent, before, after
        self.relayed = relayed  # by the second life

    def want(self, what, ok):
        if not ok:
            raise Failed(what)

    def rest_is_untouched(self, *moved):
        for token, places in self.before.places.items():
            if token not in moved:
                self.want("%s is where it was" % token, self.after.places.get(token) == places)
        for box, (validity, uidnext) in self.before.boxes.items():
            if box in self.after.boxes:
                self.want("%s of account %d keeps its UIDs" % (box[1], box[0]),
                          self.after.boxes[box][0] == validity and
                          self.after.boxes[box][1] >= uidnext)

    def exactly_once(self, token, places, is_promised):
        got = self.after.where(token)
        self.want("%s twice: %s" % (token, got), len(got) == len(set(got)))
        self.want("%s where nobody sent it: %s" % (token, got), set(got) <= set(places))
        if is_promised:
            self.want("%s was promised and is lost: %s" % (token, got), got == sorted(places))

    def uid_was_told(self, account, box, uid):
        self.want("UID %d of %s would be given again" % (uid, box),
                  self.after.boxes[account, box][1] > uid)


class Case:
    programs = "maild"

    def prepare(self, w):
        """Before anything is written down."""

    def live(self, w):
        raise NotImplementedError

    def check(self, v):
        raise NotImplementedError


class Inbound(Case):
    name, why = "inbound", "one message from outside for two mailboxes"
    token, body = "inbound", BODY

    def live(self, w):
        w.start_maild()
        c = w.smtp()
        c.send("x@far.test", ["ann@ours.test", "bob@ours.test"], message(self.token, self.body))
        c.close()
        w.until("a checkpoint that ends it", w.is_settled)
        w.kill()

    def check(self, v):
        v.exactly_once(self.token, [(1, "INBOX"), (2, "INBOX")], "queued as" in v.sent)
        v.rest_is_untouched()


class Large(Inbound):
    name, why = "large", "the same with a body that outgrows memory"
    token, body = "large", BODY * 80


class Relayed(Case):
    name, why = "relayed", "one message of ours to another host"
    token = "relayed"

    def live(self, w):
        w.start_maild()
        c = w.submission()
        c.send("ann@ours.test", ["someone@far.test"], message(self.token))
        c.close()
        w.until("it is relayed", lambda: w.status()["relayed"] == 1)
        w.until("its end", w.is_settled)
        w.kill()

    def check(self, v):
        done = "token-" + self.token in v.sent or any(
            b"token-" + self.token.encode() in m for m in v.relayed)
        v.want("it was promised and did not get out", done or "queued as" not in v.sent)
        v.rest_is_untouched()


class Append(Case):
    name, why = "append", "APPEND of one message"

    def live(self, w):
        w.start_maild()
        c = w.imap()
        c.append("Keep", message("appended"))
        w.until("it is not pending", lambda: not os.listdir(w.data + "/mail/01/pending"))
        c.close()
        w.kill()

    def check(self, v):
        told = re.search(r"APPENDUID \d+ (\d+)", v.sent)
        v.exactly_once("appended", [(1, "Keep")], told)
        v.rest_is_untouched()
        if told:
            v.uid_was_told(1, "Keep", int(told.group(1)))


class Move(Case):
    name, why = "move", "MOVE of one message"

    def live(self, w):
        w.start_maild()
        c = w.imap()
        c.ask("SELECT INBOX")
        c.ask("MOVE 1 Keep")
        c.close()
        w.kill()

    def check(self, v):
        got = v.after.where("first")
        v.want("it is in one of the two: %s" % got, got in ([(1, "INBOX")], [(1, "Keep")]))
        told = re.search(r"COPYUID \d+ \d+ (\d+)", v.sent)
        v.want("it was moved", got == [(1, "Keep")] or not told)
        v.rest_is_untouched("first")
        if told:
            v.uid_was_told(1, "Keep", int(told.group(1)))


class Copy(Case):
    name, why = "copy", "COPY of one message"

    def live(self, w):
        w.start_maild()
        c = w.imap()
        c.ask("SELECT INBOX")
        c.ask("COPY 1 Keep")
        c.close()
        w.kill()

    def check(self, v):
        got = v.after.where("first")
        told = re.search(r"COPYUID \d+ \d+ (\d+)", v.sent)
        both = [(1, "INBOX"), (1, "Keep")]
        v.want("it was copied: %s" % got, got == both or not told and got == both[:1])
        v.rest_is_untouched("first")
        if told:
            v.uid_was_told(1, "Keep", int(told.group(1)))


class Expunge(Case):
    name, why = "expunge", "STORE and EXPUNGE of one message"

    def live(self, w):
        w.start_maild()
        c = w.imap()
        c.ask("SELECT INBOX")
        c.ask("STORE 1 +FLAGS (\\Deleted)")
        c.ask("EXPUNGE")
        w.until("its file is gone", lambda: w.files_of(1) == 2)
        c.close()
        w.kill()

    def check(self, v):
        got = v.after.where("first")
        v.want("it is there once or not at all", got in ([], [(1, "INBOX")]))
        v.want("it was removed and is back", got == [] or "* 1 EXPUNGE" not in v.sent)
        v.rest_is_untouched("first")


class Folders(Case):
    name, why = "folders", "CREATE, RENAME and DELETE"

    def live(self, w):
        w.start_maild()
        c = w.imap()  # a1
        c.ask("CREATE One/Two")
        c.ask("RENAME Keep Kept")
        c.ask("DELETE One/Two")
        c.close()
        w.kill()

    def check(self, v):
        has = {name for account, name in v.after.boxes if account == 1}
        done = [n for n in (2, 3, 4) if "a%d OK" % n in v.sent]
        v.want("created", 2 not in done or "One" in has)
        v.want("created", 2 not in done or 3 in done or 4 in done or "One/Two" in has)
        v.want("renamed: one name, with its message", ("Keep" in has) != ("Kept" in has))
        v.want("renamed", 3 not in done or "Kept" in has)
        v.want("deleted", 4 not in done or "One/Two" not in has)
        box = "Kept" if "Kept" in has else "Keep"
        v.want("its message came along", v.after.where("kept") == [(1, box)])
        v.rest_is_untouched("kept")


class Checkpoint(Case):
    name, why = "checkpoint", "a checkpoint with mail that waits and mail that was delivered"

    def live(self, w):
        w.far.answer = b"451 4.2.0 not now\r\n"
        w.start_maild()
        c = w.submission()
        c.send("ann@ours.test", ["someone@far.test", "bob@ours.test"], message("waits"))
        c.send("ann@ours.test", ["bob@ours.test"], message("stays"))
        c.close()
        w.until("one waits, one is done", lambda: w.status()["messages"] == 1 and
                w.status()["deferred"] == 1 and w.status()["journal_octets"] < 2000)
        w.kill()
        w.far.answer = b"250 2.0.0 taken\r\n"

    def check(self, v):
        done = v.sent.count("queued as")
        v.exactly_once("waits", [(2, "INBOX")], done >= 1)
        v.exactly_once("stays", [(2, "INBOX")], done >= 2)
        if done >= 1 and not any(b"token-waits" in m for m in v.relayed):
            queue = states.QueueState(v.world.data, set())
            v.want("it waits for another host", queue.accepted or queue.rows)
        v.rest_is_untouched()


class Domain(Case):
    name, why = "domain", "signpost domain add, then account add"
    programs = "signpost"

    def live(self, w):
        w.cli("domain", "add", "second.test")
        w.tell("domain added")
        w.cli("account", "add", "cyd@second.test", "--generate")
        w.tell("account added")

    def check(self, v):
        w = v.world
        domains = w.cli("domain", "list")
        accounts = w.cli("account", "list")
        has_domain, has_account = "second.test" in domains, "cyd@second.test" in accounts
        v.want("what was there stays", "ours.test" in domains and "ann@ours.test" in accounts)
        v.want("the domain was added", has_domain or "domain added" not in v.sent)
        v.want("the account was added", has_account or "account added" not in v.sent)
        dnsd = w.start("dnsd")
        try:
            v.want("dnsd answers for what is there", asks(w, "ours.test"))
            v.want("dnsd serves the whole change or nothing", asks(w, "second.test") == has_domain)
        finally:
            dnsd.terminate()
            dnsd.wait()
        if has_domain:
            v.want("its zone is whole", "_domainkey" in w.cli("zone", "show", "second.test"))
        else:
            w.cli("domain", "add", "second.test")
        v.rest_is_untouched()


def asks(w, name):
    """Does dnsd answer with authority for `name`?"""
    import socket
    q = b"\0\7\0\0\0\1\0\0\0\0\0\0" + b"".join(
        bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0" + struct.pack(">HH", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(q, (w.net + ".1", 5353))
        a = s.recv(4096)
    return a[3] & 15 == 0 and a[2] & 4 != 0 and a[7] == 1


class Stop(Case):
    name, why = "stop", "an orderly end with a flag to be written; databases are checkpointed"

    def live(self, w):
        w.start_maild()
        c = w.imap()
        c.ask("SELECT INBOX")
        c.ask("STORE 1 +FLAGS (\\Flagged)")
        w.stop_maild()
        c.close()

    def check(self, v):
        v.rest_is_untouched()


class Snapshot(Case):
    name, why = "snapshot", "an index is copied, twice"

    def live(self, w):
        w.configure("index_snapshot 1\n")
        old = os.path.join(w.data, "mail", "01", "snapshot.old.db")
        w.start_maild()
        c = w.imap()
        c.append("Keep", message("one"))
        w.until("a copy", lambda: os.path.exists(old.replace(".old", "")))
        c.append("Keep", message("two"))
        w.until("the copy before it", lambda: os.path.exists(old))
        c.close()
        w.kill()
        w.configure("")

    def check(self, v):
        v.exactly_once("one", [(1, "Keep")], v.sent.count("APPENDUID") > 0)
        v.exactly_once("two", [(1, "Keep")], v.sent.count("APPENDUID") > 1)
        v.rest_is_untouched()


class Rebuild(Case):
    name, why = "rebuild", "an index is damaged and made again from its snapshot"

    def prepare(self, w):
        index = os.path.join(w.data, "mail", "01", "index.db")
        db = sqlite3.connect(index)
        db.execute("VACUUM INTO ?", (index.replace("index", "snapshot"),))
        db.close()
        w.start_maild()
        c = w.imap()
        c.append("Keep", message("newer"))
        c.close()
        w.stop_maild()
        with open(index, "r+b") as f:
            f.write(b"this is no database" * 500)

    def live(self, w):
        w.start_maild()
        w.imap().close()
        w.kill()

    def check(self, v):
        for token, box in (("first", "INBOX"), ("second", "INBOX"), ("kept", "Keep"),
                           ("newer", "INBOX")):
            v.exactly_once(token, [(1, box)], True)
        for (account, name), (validity, _) in v.before.boxes.items():
            v.want("%s has a new UIDVALIDITY" % name,
                   account != 1 or v.after.boxes[account, name][0] > validity)


ALL = [Inbound(), Large(), Relayed(), Append(), Move(), Copy(), Expunge(), Folders(),
       Checkpoint(), Stop(), Domain(),
       Snapshot(), Rebuild()]
