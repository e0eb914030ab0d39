"""Several cases at a time, each in a process of its own, which owns what the case makes. Their outcomes come in the order
of the cases, whichever ends first."""

import multiprocessing
import multiprocessing.connection
import os
import time

from harness import process
from harness.case import Outcome, perform
from harness.ownership import Owner

_context = multiprocessing.get_context("fork")


class _Performance:
    """One case under way."""

    def __init__(self, which):
        self.begun = time.monotonic()
        self.outcome_of, into = _context.Pipe(duplex=False)
        self.process = _context.Process(target=_perform, args=(which, into, os.getpid()))
        self.process.start()
        into.close()

    def outcome(self):
        """Waits for it."""
        try:
            outcome = self.outcome_of.recv()
        except EOFError:
            outcome = None
        self.process.join()
        if outcome is not None and self.process.exitcode == 0:
            return outcome
        problem = f"its process ended with {self.process.exitcode} before the case did"
        return Outcome(problem, {}, time.monotonic() - self.begun)

    def end(self):
        """As a signal to this run would: what the case made is removed."""
        self.process.terminate()
        self.process.join()


def _perform(which, into, parent):
    process.die_with(parent)
    try:
        into.send(perform(which))
    finally:
        Owner.current().forget()


def outcomes(cases, jobs):
    """Pairs of a case and its Outcome: of those that may share the machine first, then of those that need it alone."""
    # The record of the run itself: while it is there, no case's end takes away a folder that the others use.
    Owner.current()
    yield from _outcomes([each for each in cases if not each.alone], jobs)
    yield from _outcomes([each for each in cases if each.alone], 1)


def _outcomes(cases, jobs):
    running, ended, waiting = {}, {}, list(cases)
    try:
        for each in cases:
            while each.name not in ended:
                while waiting and len(running) < jobs:
                    which = waiting.pop(0)
                    running[which.name] = _Performance(which)
                told = multiprocessing.connection.wait([one.outcome_of for one in running.values()])
                for name in [name for name, one in running.items() if one.outcome_of in told]:
                    ended[name] = running[name].outcome()
                    del running[name]
            yield each, ended[each.name]
    finally:
        for performance in running.values():
            performance.end()
