"""Processes of the lab: they die with it, and their output goes to a file that can be read after a failure."""

import ctypes
import os
import pathlib
import signal
import subprocess
import time

from harness.ownership import Owner

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with(parent):
    """For a child, before it does anything else. The parent may have died before the request: then nobody would tell us."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def spawn(argv, **options):
    """A child in the background. The kernel kills it when this process dies, in whichever way."""
    parent = os.getpid()
    child = subprocess.Popen([str(word) for word in argv], preexec_fn=lambda: die_with(parent), **options)
    Owner.current().note_process(child.pid)
    return child


def run(argv, check=True, timeout=120, **options):
    """Runs to the end and returns what was printed. A failure names the command and shows its errors."""
    argv = [str(word) for word in argv]
    parent = os.getpid()
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=timeout, preexec_fn=lambda: die_with(parent), **options
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def end(child, signal_number=signal.SIGKILL, timeout=10):
    """Ends a child and returns its exit status; already ended is fine."""
    if child.poll() is None:
        child.send_signal(signal_number)
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        where = _where_it_waits(child.pid)
        child.kill()
        child.wait()
        raise RuntimeError(f"{child.args[-1]}: still there {timeout} s after signal {signal_number}{where}") from None


def _where_it_waits(pid):
    """Its state and its place in the kernel."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    told = [line for line in status if line.startswith(("State", "Sig", "Shd"))]
    return "\n" + "\n".join([*told, pathlib.Path(f"/proc/{pid}/stack").read_text()])


def until(condition, what, timeout=10.0):
    """Waits for a condition of the world outside, which sends no message when it comes true. Returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout:g} s still waiting for {what}")
        time.sleep(0.01)


def anonymous_kib(pid):
    """Resident memory of a process that is no file's."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))


def cpu_seconds(pid, thread=None):
    """Of a process' threads, or of those of that name, in user and system together: what the scheduler gave them."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    wanted = [task for task in tasks if thread is None or (task / "comm").read_text().strip() == thread]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in wanted) / 1e9


def kill(pid):
    """At once, of a process that is not our child; one that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
