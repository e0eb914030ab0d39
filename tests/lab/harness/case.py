"""Cases: how one is declared, run, and recorded.

    @case("kill_9_under_load")
    def kill_9_under_load(run):
        with run.lab() as lab:
            ...
            run.figure(failed=report["failed"])
            run.expect(report["failed"] == 0, f"failed connections: {report}")
"""

import datetime
import json
import shutil
import sys
import time
import traceback

from harness import paths
from harness.lab import raised
from harness.topology import two_arm

_cases = {}


class Unexpected(Exception):
    """The case's own finding: it ran, and what it saw was not what it must be."""


class Case:
    def __init__(self, name, function, long):
        self.name = name
        self.function = function
        self.long = long

    def summary(self):
        return (self.function.__doc__ or "").strip().split("\n")[0]


class Run:
    """One run of a case."""

    def __init__(self, name):
        self.directory = paths.LOGS / name
        self.figures = {}
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)

    def lab(self, topology=two_arm, **options):
        return raised(self.directory, topology, **options)

    def figure(self, **figures):
        self.figures.update(figures)

    def expect(self, condition, otherwise):
        if not condition:
            raise Unexpected(otherwise)


def case(name, long=False, **arguments):
    """Declares a case. The function gets the Run, and the arguments given here."""

    def declare(function):
        if name in _cases:
            raise ValueError(f"two cases are named {name}")
        bound = lambda run: function(run, **arguments)
        bound.__doc__ = function.__doc__
        _cases[name] = Case(name, bound, long)
        return function

    return declare


def cases():
    return list(_cases.values())


def perform(which):
    """Runs one case, prints a line, appends its record to the results. Returns whether it passed."""
    begun = time.monotonic()
    run = Run(which.name)
    problem = None
    try:
        which.function(run)
    except Unexpected as finding:
        problem = str(finding)
    except Exception:  # the harness's own trouble, or an answer of the wrong shape: a failure of the case all the same
        problem = traceback.format_exc()
    seconds = time.monotonic() - begun
    _record(which.name, problem, run.figures, seconds)
    _show(which.name, problem, run, seconds)
    return problem is None


def _record(name, problem, figures, seconds):
    record = {
        "case": name,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "passed": problem is None,
        "seconds": round(seconds, 1),
        "figures": figures,
    }
    if problem is not None:
        record["problem"] = problem
    paths.RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with open(paths.RESULTS, "a") as results:
        results.write(json.dumps(record) + "\n")


def _show(name, problem, run, seconds):
    figures = " ".join(f"{key}={json.dumps(value)}" for key, value in run.figures.items())
    print(f"{'ok    ' if problem is None else 'FAILED'} {name} ({seconds:.1f} s) {figures}", flush=True)
    if problem is None:
        return
    print("\n".join("       " + line for line in problem.splitlines()))
    log = run.directory / "astild.log"
    if log.exists():
        print(f"       the end of {log}:")
        print("\n".join("         " + line for line in log.read_text(errors="replace").splitlines()[-15:]))
    sys.stdout.flush()
