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

from harness import paths, sanitizers
from harness.lab import raised
from harness.topology import two_arm

_cases = {}


class Unexpected(Exception):
    """The case's own finding: it ran, and what it saw was not what it must be."""


class Case:
    def __init__(self, name, function, long, alone):
        self.name = name
        self.function = function
        self.long = long
        self.alone = alone

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


class Outcome:
    """How a run of a case ended. Its problem is None where it passed."""

    def __init__(self, problem, figures, seconds):
        self.problem = problem
        self.figures = figures
        self.seconds = seconds


def case(name, long=False, alone=False, **arguments):
    """Declares a case. The function gets the Run, and the arguments given here. One that judges how long something took,
    or loads the machine with all that it has, is `alone`: no other case runs beside it."""

    def declare(function):
        if name in _cases:
            raise ValueError(f"two cases are named {name}")
        bound = lambda run: function(run, **arguments)
        bound.__doc__ = function.__doc__
        _cases[name] = Case(name, bound, long, alone)
        return function

    return declare


def cases():
    return list(_cases.values())


def perform(which):
    """Runs one case."""
    begun = time.monotonic()
    run = Run(which.name)
    problem = None
    try:
        which.function(run)
    except Unexpected as finding:
        problem = str(finding)
    except Exception:  # the harness's own trouble, or an answer of the wrong shape: a failure of the case all the same
        problem = traceback.format_exc()
    problem = sanitizers.report_in(run.directory) or problem
    return Outcome(problem, run.figures, time.monotonic() - begun)


def report(which, outcome):
    """Appends the record of a case to the results, and prints a line. Returns whether it passed."""
    _record(which.name, outcome)
    _show(which.name, outcome)
    return outcome.problem is None


def _record(name, outcome):
    record = {
        "case": name,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "passed": outcome.problem is None,
        "seconds": round(outcome.seconds, 1),
        "figures": outcome.figures,
    }
    if outcome.problem is not None:
        record["problem"] = outcome.problem
    paths.RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with open(paths.RESULTS, "a") as results:
        results.write(json.dumps(record) + "\n")


def _show(name, outcome):
    figures = " ".join(f"{key}={json.dumps(value)}" for key, value in outcome.figures.items())
    print(f"{'ok    ' if outcome.problem is None else 'FAILED'} {name} ({outcome.seconds:.1f} s) {figures}", flush=True)
    if outcome.problem is None:
        return
    print("\n".join("       " + line for line in outcome.problem.splitlines()))
    log = paths.LOGS / name / "astild.log"
    if log.exists():
        print(f"       the end of {log}:")
        print("\n".join("         " + line for line in log.read_text(errors="replace").splitlines()[-15:]))
    sys.stdout.flush()
