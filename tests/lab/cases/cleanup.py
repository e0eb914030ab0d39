"""The lab itself takes away what it made: when it ends, when it is told to end, and after it was killed."""

import signal
import subprocess
import sys

from harness import paths, process
from harness.case import case
from harness.ownership import Owner

_HOLD = """
import sys
sys.path.insert(0, {lab!r})
import signal
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
from harness.lab import raised
from harness.ownership import Owner
try:
    with raised({directory!r}, backends=1) as lab:
        lab.start_balancer()
        print("ready", flush=True)
        signal.pause()
finally:
    Owner.current().forget()
"""


def _other_run(run):
    """Another process with a lab of its own, up and forwarding."""
    text = _HOLD.format(lab=str(paths.ROOT / "tests" / "lab"), directory=str(run.directory / "held"))
    held = process.spawn([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    run.expect(held.stdout.readline() == "ready\n", "the other run did not start")
    owner = next(owner for owner in Owner.all() if owner.pid == held.pid)
    return held, owner, owner.noted("instances")


def _expect_gone(run, owner, instances):
    run.expect(not owner.remains(instances), f"still there: {owner.remains(instances)}")
    run.expect(not owner.record.exists(), "the run's record is still there")


@case("killed_run_is_cleaned_by_the_next")
def killed_run_is_cleaned_by_the_next(run):
    """SIGKILL of a run ends its processes; the next run removes its namespaces, pins and sockets."""
    held, owner, instances = _other_run(run)
    processes = owner.processes()
    process.end(held, signal.SIGKILL)
    process.until(lambda: not owner.processes(), "the end of its processes")
    run.expect(owner.remains(instances).keys() >= {"namespaces", "pins"}, "nothing was left to clean")
    process.run([sys.executable, paths.ROOT / "tests" / "lab" / "run", "--clean"])
    run.figure(processes=len(processes))
    _expect_gone(run, owner, instances)


@case("terminated_run_cleans_up")
def terminated_run_cleans_up(run):
    """SIGTERM of a run in the middle of a case leaves nothing."""
    held, owner, instances = _other_run(run)
    status = process.end(held, signal.SIGTERM, timeout=30)
    run.expect(status == 128 + signal.SIGTERM, f"exit status {status}")
    _expect_gone(run, owner, instances)
