"""What one run of the lab owns, and its removal: processes, namespaces, pins, shared memory, sockets.

Every name carries the pid of the process that made it, and /run/astil-lab/PID-STARTTIME lists the rest. So a run that
was killed leaves nothing that a later run can not recognise: it ends what belongs to owners that live no more, and only
that.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

from harness import paths


def start_time(pid):
    """The start of a process in clock ticks since boot, which tells it from a later one of the same pid; None: gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else fields[19]


def end_process(pid, started):
    """Kills the process if it is still the one that was recorded (None: it was gone), and waits until it is gone."""
    if started is None or start_time(pid) != started:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while start_time(pid) == started and time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.005)


def remove_tree(path):
    """bpffs has no recursive removal of its own; a map that is unpinned meanwhile is no error."""
    shutil.rmtree(path, ignore_errors=True)


class Owner:
    """The record of one process that makes labs. `Owner.current()` is ours."""

    _current = None

    def __init__(self, record):
        self.record = record
        pid, self.started = record.name.split("-")
        self.pid = int(pid)

    @classmethod
    def current(cls):
        if cls._current is None or cls._current.pid != os.getpid():
            record = paths.OWNERS / f"{os.getpid()}-{start_time(os.getpid())}"
            record.mkdir(parents=True)
            cls._current = cls(record)
        return cls._current

    @classmethod
    def all(cls):
        return [cls(record) for record in sorted(paths.OWNERS.iterdir())] if paths.OWNERS.exists() else []

    def alive(self):
        return start_time(self.pid) == self.started

    def note(self, kind, line):
        with open(self.record / kind, "a") as file:
            file.write(line + "\n")

    def noted(self, kind):
        file = self.record / kind
        return file.read_text().splitlines() if file.exists() else []

    def note_process(self, pid):
        self.note("processes", f"{pid} {start_time(pid)}")

    def namespaces(self):
        return [path.name for path in paths.NAMESPACES.glob(f"astil-{self.pid}-*")]

    def processes(self):
        """The recorded processes that still run, as pairs of pid and start."""
        noted = [line.split() for line in self.noted("processes")]
        return [(int(pid), started) for pid, started in noted if start_time(pid) == started]

    def remains(self, instances):
        """What is there of this owner beside its record, by kind; empty when nothing is."""
        found = {
            "processes": self.processes(),
            "namespaces": self.namespaces(),
            "pins": [instance for instance in instances if (paths.PINS / instance).exists()],
            "shared": [instance for instance in instances if (paths.SHARED / instance).exists()],
            "sockets": [path.name for instance in instances for path in paths.SOCKETS.glob(f"{instance}.*")],
        }
        return {kind: names for kind, names in found.items() if names}

    def remove_everything(self):
        """Order matters: nothing may run that could make new pins, and no pin may hold an interface of a namespace."""
        for pid, started in self.processes():
            end_process(pid, started)
        for name in self.namespaces():
            found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            for pid in found.stdout.split():
                end_process(int(pid), start_time(int(pid)))
        instances = self.noted("instances")
        for instance in instances:
            remove_tree(paths.PINS / instance)
            remove_tree(paths.SHARED / instance)
            for socket in paths.SOCKETS.glob(f"{instance}.*"):
                socket.unlink(missing_ok=True)
        for name in self.namespaces():
            subprocess.run(["ip", "netns", "delete", name], check=False)
        if left := self.remains(instances):
            raise RuntimeError(f"this could not be removed: {left}")
        for notes in self.record.iterdir():
            notes.unlink()

    def forget(self):
        """Removes the record itself: nothing of this owner is left. The last one takes the folders of all with it."""
        remove_tree(self.record)
        with contextlib.suppress(OSError):
            for directory in (paths.OWNERS, paths.PINS, paths.SOCKETS):
                directory.rmdir()


def remove_leftovers():
    """Removes what runs left behind that were killed. Returns how many such runs there were."""
    dead = [owner for owner in Owner.all() if not owner.alive()]
    for owner in dead:
        owner.remove_everything()
        owner.forget()
    return len(dead)
