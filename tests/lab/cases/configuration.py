"""Mistakes in the configuration: all of them named, with their places, and never in the way of what runs."""

import re

from harness import paths, process
from harness.case import case
from harness.configuration import FORWARDINGS
from harness.steady import SteadyLoad, expect_unharmed

_SIX_MISTAKES = """\
instance: mistaken
interfaces: [eth0]
services:
  web:
    address: 192.0.2.10
    port: 70000
    protocl: tcp
    forwarding: nat
    forwarding: direct
    backends:
      b1: {address: 10.0.0.11, weight: heavy}
      b2: {address: 10.0.0.12}
      b3: {address: 10.0.0.12}
  mail:
    address: 192.0.2.20
    port: 25
    forwarding: tunnel
    backends:
      m1: {address: 10.0.0.11}
  post:
    address: 192.0.2.20
    port: 25
    forwarding: tunnel
    backends:
      m2: {address: 10.0.0.12}
"""

# The line of each mistake, and a word that its message or hint must have.
_WANTED = {
    "port 70000": (range(6, 7), "70000"),
    "unknown key": (range(7, 8), 'did you mean "protocol"'),
    "duplicate key": (range(9, 10), "forwarding"),
    "wrong type": (range(11, 12), "heavy"),
    "a backend twice": (range(13, 14), "b2"),
    "two services on one address and port": (range(20, 23), "mail"),
}


def _mistakes(text, file):
    """Of each mistake: line, column, the rest of its block."""
    places = list(re.finditer(rf"^{re.escape(str(file))}:(\d+):(\d+): (.*)$", text, re.MULTILINE))
    ends = [place.start() for place in places[1:]] + [len(text)]
    return [(int(p[1]), int(p[2]), text[p.start(3) : end]) for p, end in zip(places, ends)]


def _expect_caret(run, line, column, block):
    """The block shows the file's line, and under it a caret at the column."""
    source = _SIX_MISTAKES.splitlines()[line - 1]
    shown = block.splitlines()
    run.expect(source in shown, f"line {line} is not shown: {block}")
    marker = shown[shown.index(source) + 1]
    run.expect(marker.startswith(" " * (column - 1) + "^"), f"the caret is not at column {column}: {block}")


@case("check_names_all_mistakes")
def check_names_all_mistakes(run):
    """`astil check` names six mistakes at once, each with its place, its line, a caret, and what was meant."""
    file = run.directory / "mistaken.yaml"
    file.write_text(_SIX_MISTAKES)
    done = process.run([paths.program("astil"), "check", file], check=False)
    mistakes = _mistakes(done.stdout + done.stderr, file)
    run.figure(exit_status=done.returncode, mistakes=len(mistakes))
    run.expect(done.returncode == 2, f"exit status {done.returncode}: {done.stdout}{done.stderr}")
    run.expect(len(mistakes) == len(_WANTED), f"{len(mistakes)} mistakes: {done.stdout}{done.stderr}")
    for what, (lines, word) in _WANTED.items():
        found = [(column, block) for line, column, block in mistakes if line in lines and word in block]
        run.expect(len(found) == 1, f"{what} is not named: {done.stdout}{done.stderr}")
    for line, column, block in mistakes:
        _expect_caret(run, line, column, block)


@case("apply_refuses_a_mistaken_file")
def apply_refuses_a_mistaken_file(run):
    """`astil apply` of a mistaken file is refused, the old configuration stays, and traffic does not notice."""
    with run.lab() as lab:
        lab.start_balancer()
        before = lab.balancer.status()
        load = SteadyLoad(lab, FORWARDINGS)
        file = run.directory / "mistaken.yaml"
        file.write_text(_SIX_MISTAKES)
        for _ in range(5):
            refused = lab.balancer.astil("apply", file, check=False)
            run.expect(refused.returncode == 2, f"exit status {refused.returncode}: {refused.stdout}{refused.stderr}")
            run.expect("did you mean" in refused.stdout + refused.stderr, "the mistakes are not named")
        after = lab.balancer.status()
        expect_unharmed(run, *load.stop())
        rings = [[service["ring_digest"] for service in status["services"]] for status in (before, after)]
        run.expect(rings[0] == rings[1], f"the rings changed: {rings}")
        run.expect(after["config"]["applies_refused"] == 5, f"the refusals are not counted: {after['config']}")
