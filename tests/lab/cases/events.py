"""What has changed, when and why: the history of a backend, and events as they happen."""

import json
import signal
import subprocess

from harness import paths, process
from harness.case import case

_QUICK = {"type": "http", "interval": "100ms", "timeout": "100ms", "rise": 1, "fall": 2}


def _history(lab, backend):
    """The backend's events in the service nat as (kind, after), and how it is now."""
    (told,) = [use for use in lab.balancer.query("why", backend)["backends"] if use["service"] == "nat"]
    return [(event["kind"], event["after"]) for event in told["events"]], told


@case("history_of_a_backend")
def history_of_a_backend(run):
    """`astil why` tells what befell a backend, with reasons, over a crash of the daemon and its removal."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["nat"], health=_QUICK)
        lab.balancer.wait_until_in_rotation("b2")
        lab.servers["b2"].kill_web()
        lab.balancer.wait_until_out_of_rotation("b2")
        events, told = _history(lab, "b2")
        run.expect(("health", "down") in events and events[-1] == ("rotation", "out"), f"not told: {events}")
        run.expect("refused" in told["reason"].lower(), f"another reason: {told['reason']}")
        lab.balancer.crash()
        lab.balancer.start()
        again, _ = _history(lab, "b2")
        run.expect(again[: len(events)] == events, f"{events} before the crash, {again} after it")
        run.expect(("health", "down") not in again[len(events) :], f"told twice: {again}")
        lab.servers["b2"].start_web()
        lab.balancer.wait_until_in_rotation("b2")
        lab.balancer.astil("backend", "drain", "b2")
        events, told = _history(lab, "b2")
        run.expect(events[-2:] == [("order", "drain"), ("rotation", "out")], f"not told: {events}")
        run.expect(told["reason"] == "ordered to drain", f"another reason: {told['reason']}")
        run.expect("by uid 0" in lab.balancer.astil("why", "b2").stdout, "not by whom")
        lab.balancer.apply(lab.configuration(forwardings=["nat"], health=_QUICK, weights={"b1": 1, "b3": 1}))
        events, told = _history(lab, "b2")
        run.expect(events[-1] == ("rotation", "removed") and not told["configured"], f"not told: {told}")


@case("events_followed")
def events_followed(run):
    """A follower hears of each change as it happens, and a second one goes on where the first was cut off."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["nat"], health=_QUICK)
        lab.balancer.wait_until_in_rotation()
        output = lab.directory / "events.json"
        command = [paths.program("astil"), "--instance", lab.balancer.instance, "events", "--follow", "-o", "json"]
        with output.open("wb") as stream:
            following = lab.balancer.namespace.spawn(*command, stdout=stream)
        process.until(lambda: lab.balancer.status()["events"]["followers"] == 1, "a follower")
        heard = lambda: [json.loads(line) for line in output.read_text().splitlines() if line.endswith("}")]
        lab.servers["b3"].kill_web()
        out = lambda: any(event["kind"] == "rotation" and event["after"] == "out" for event in heard())
        process.until(out, "b3 out of rotation told")
        run.expect(process.end(following, signal.SIGINT) == 0, "another exit status after Ctrl-C")
        last = heard()[-1]["number"]
        lab.servers["b3"].start_web()
        lab.balancer.wait_until_in_rotation("b3")
        later = lab.balancer.namespace.spawn(*command, "--after", str(last), stdout=subprocess.PIPE)
        first = json.loads(later.stdout.readline())
        process.end(later, signal.SIGINT)
        run.expect(first["number"] == last + 1, f"event {last} was the last, and {first['number']} the next")
        run.expect((first["backend"], first["after"]) == ("b3", "up"), f"another event: {first}")
