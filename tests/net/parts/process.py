# SPDX-License-Identifier: ISC
"""Starting, noting, waiting for and stopping the programs of the test internet.

Every process that is started is written to pids.json with its start time, and
only those are ever stopped.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from .settings import ENV, STATE, path

SEARCH = ENV.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"


def say(text):
    print("net: " + text, flush=True)


def die(text):
    sys.exit("net: " + text)


def sh(*cmd, **kw):
    """Run a command to its end; its output, or the end of everything with it."""
    kw.setdefault("check", True)
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.STDOUT)
    kw.setdefault("text", True)
    kw.setdefault("env", dict(ENV, PATH=SEARCH))
    try:
        return subprocess.run(cmd, **kw).stdout
    except subprocess.CalledProcessError as e:
        die("failed: %s\n%s" % (" ".join(cmd), e.stdout))


def write(name, text, mode=0o644):
    full = path(name)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as f:
        f.write(text)
    os.chmod(full, mode)
    return full


def which(cmd):
    if cmd.startswith("/"):
        return cmd if os.path.exists(cmd) else None
    return shutil.which(cmd, path=SEARCH)


def starttime(pid):
    """The kernel's start time of a living process, or None (a zombie is dead)."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def pids():
    try:
        with open(path("pids.json")) as f:
            return json.load(f)
    except (OSError, ValueError):
        return []


def alive(entry):
    return starttime(entry["pid"]) == entry["start"]


def spawn(name, cmd):
    """Start cmd in the background, its output in log/<name>.log, and note its pid."""
    with open(path("log", name + ".log"), "ab") as log:
        p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             env=dict(ENV, PATH=SEARCH), cwd=STATE, start_new_session=True)
    known = pids()
    known.append({"name": name, "pid": p.pid, "start": starttime(p.pid)})
    write("pids.json", json.dumps(known))
    return p


def wait_for(what, test, proc=None, name=None, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if proc is not None and proc.poll() is not None:
            break
        if test():
            return
        time.sleep(0.05)
    tail = ""
    if name:
        try:
            with open(path("log", name + ".log"), errors="replace") as f:
                tail = "\n" + f.read()[-1500:]
        except OSError:
            pass
    stop_all()
    die("%s did not come up%s" % (what, tail))


def tcp_open(addr, port):
    try:
        socket.create_connection((addr, port), 1).close()
        return True
    except OSError:
        return False


def children_of(pid):
    direct = []
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                with open("/proc/%s/stat" % d) as f:
                    if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                        direct.append(int(d))
            except (OSError, IndexError):
                pass
    family = [(c, starttime(c)) for c in direct]
    for c in direct:
        family += children_of(c)
    return family


def send(pid, signo):
    try:
        os.kill(pid, signo)
    except ProcessLookupError:
        pass


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def stop_all():
    """Stop what was noted: by pid and start time, with their children, nothing else."""
    families = []
    for e in reversed(pids()):
        if alive(e):
            families += [(e["pid"], e["start"])] + children_of(e["pid"])
    for p, s in families:
        if starttime(p) == s:
            send(p, signal.SIGTERM)
    end = time.monotonic() + 5
    while time.monotonic() < end and any(s and starttime(p) == s for p, s in families):
        reap()
        time.sleep(0.05)
    for p, s in families:
        if s and starttime(p) == s:
            send(p, signal.SIGKILL)
    if os.path.exists(path("pids.json")):
        write("pids.json", "[]")
