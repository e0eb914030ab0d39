"""Configurations as plans: what a change would do is told before it is done, and a hundred of them harm nobody."""

import contextlib
import copy
import hashlib
import os
import signal

from harness import process
from harness.case import case
from harness.configuration import FORWARDINGS, to_yaml
from harness.namespace import let_pass
from harness.steady import SteadyLoad, expect_unharmed
from harness.topology import PORT_SOURCE

# What an answer says of the change itself, and not of its being done.
_FORETOLD = ("changes", "overall", "services", "rings", "flows_carried")


def _without_counts(services):
    """The flows of a service under load are others at each look."""
    services = copy.deepcopy(services)
    for service in services:
        service["flows"] = service["flows"] > 0
        for backend in service["backends"]:
            backend["flows"] = backend["flows"] > 0
    return services


@case("plan_tells_what_apply_does")
def plan_tells_what_apply_does(run):
    """`astil plan` changes nothing, and names the changes, slots and flows that `astil apply` then names as done."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["nat", "tunnel"])
        added = lab.add_server()
        load = SteadyLoad(lab, ["nat"])
        load.go_on(1.2)  # a census has counted the flows
        steps = {
            "weight": lab.configuration(forwardings=["nat", "tunnel"], weights={"b1": 3, "b2": 1, "b3": 1}),
            "added": lab.configuration(forwardings=["nat", "tunnel"], weights={"b1": 3, "b2": 1, "b3": 1, added: 1}),
            "unchecked": lab.configuration(forwardings=["nat"], weights={"b1": 1, added: 1}, health=None),
            "tables": lab.configuration(forwardings=["nat"], more={"dataplane": {"tables": {"flow_slots": 2097152}}}),
        }
        for name, config in steps.items():
            file = str(lab.balancer.write(config))
            before = lab.balancer.status()
            planned = lab.balancer.query("plan", file)
            after = lab.balancer.status()
            run.expect(before["config"] == after["config"], f"{name}: a plan is counted: {after['config']}")
            rings = [[service["ring_digest"] for service in status["services"]] for status in (before, after)]
            run.expect(rings[0] == rings[1], f"{name}: a plan changed rings: {rings}")
            applied = lab.balancer.query("apply", file)
            for answer in (planned, applied):
                answer["services"] = _without_counts(answer["services"])
                answer["flows_carried"] = answer["flows_carried"] > 0
            for what in _FORETOLD:
                run.expect(planned[what] == applied[what], f"{name}: {what}: {planned[what]}, then {applied[what]}")
            run.expect(applied["changes"], f"{name}: nothing has changed")
            lab.balancer.wait_until_in_rotation(*config["services"]["nat"]["backends"], service="nat")
        shown = lab.balancer.astil("plan", file).stdout
        run.expect(shown.endswith("is what runs already: nothing to change\n"), f"of what runs: {shown}")
        mistaken = lab.balancer.astil("plan", lab.balancer.write("interfaces: 1\n"), check=False)
        run.expect(mistaken.returncode == 2, f"of a mistaken file: exit status {mistaken.returncode}")
        expect_unharmed(run, *load.stop())


def _many_applies(run, count):
    with run.lab() as lab:
        lab.start_balancer()
        added = lab.add_server()
        load = SteadyLoad(lab, FORWARDINGS, lasting=100, parallel=2)
        load.go_on(0.5)
        for turn in range(count):
            weights = {"b1": 1 + turn % 3, "b2": 1, "b3": 2}
            if turn % 4 == 1:
                weights[added] = 1
            config = lab.configuration(weights=weights, more={"full_nat": {"sources": [PORT_SOURCE]}})
            if turn % 5:
                other = copy.deepcopy(config["services"]["nat"])
                other.update(address="192.0.2.13", forwarding=("nat", "full-nat")[turn % 2])
                for backend in other["backends"].values():
                    backend["port"] = 8081
                config["services"]["other"] = other
            answer = lab.balancer.apply(config)
            run.expect(not answer["warnings"], f"apply {turn}: {answer['warnings']}")
        load.go_on(0.5)
        run.figure(applies=lab.balancer.status()["config"]["applies_ok"] - 1)
        expect_unharmed(run, *load.stop())


@case("a_hundred_applies_under_load")
def a_hundred_applies_under_load(run):
    """A hundred changes in a row of weights, backends, services and forwardings of other services: nothing breaks."""
    _many_applies(run, 100)


@case("five_hundred_applies_under_load", long=True)
def five_hundred_applies_under_load(run):
    """The same five hundred times."""
    _many_applies(run, 500)


@contextlib.contextmanager
def small_disk(folder):
    """A disk of 256 KiB at `folder`, for the length of a block."""
    folder.mkdir()
    process.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder])
    try:
        yield folder
    finally:
        process.run(["umount", "--lazy", folder])


def _weights(lab, b1):
    return lab.configuration(forwardings=["nat"], weights={"b1": b1, "b2": 1, "b3": 1})


def _weight(lab):
    return lab.balancer.backends("nat")["b1"]["weight"]


@case("refused_attachment_changes_nothing")
def refused_attachment_changes_nothing(run):
    """A change to an interface that another XDP program has is refused before anything else of it is done."""
    with run.lab() as lab:
        lab.net.balancer.ip("link add spare0 type veth peer name spare1", "link set spare0 up")
        let_pass(lab.net.balancer, "spare0")
        lab.balancer.start(lab.configuration())
        lab.balancer.wait_until_in_rotation()
        load = SteadyLoad(lab, ["nat", "tunnel", "direct"])
        wanted = lab.configuration(forwardings=["nat"])
        wanted["interfaces"].append("spare0")
        file = lab.directory / "wanted.yaml"
        file.write_text(to_yaml(wanted) + "\n")
        changes = lab.balancer.log_file.read_text().count("ring changed")
        for _ in range(5):
            refused = lab.balancer.astil("apply", file, check=False)
            run.expect(refused.returncode == 1 and "another XDP program" in refused.stderr, refused.stderr)
        text = lab.balancer.log_file.read_text()
        run.expect(text.count("ring changed") == changes and "service address removed" not in text, "something changed")
        load.go_on(1)
        expect_unharmed(run, *load.stop())


@case("unconfirmed_change_goes_back")
def unconfirmed_change_goes_back(run):
    """`apply --confirm` goes back by itself, stays if confirmed, and goes back if the daemon is killed meanwhile."""
    with run.lab() as lab:
        lab.balancer.start(_weights(lab, 1))
        lab.balancer.wait_until_in_rotation()
        load = SteadyLoad(lab, ["nat"])
        problems = lambda: [problem["what"] for problem in lab.balancer.status()["problems"]]
        history = lambda: lab.balancer.query("history")["entries"]

        def apply_unconfirmed(b1, limit):
            answer = lab.balancer.query("apply", "--confirm", limit, str(lab.balancer.write(_weights(lab, b1))))
            run.expect(answer["confirm_within"], f"the answer knows no deadline: {answer}")
            run.expect(_weight(lab) == b1, "it was not applied")
            run.expect(any("not confirmed" in problem for problem in problems()), f"no problem: {problems()}")

        apply_unconfirmed(2, "1s")
        process.until(lambda: _weight(lab) == 1, "the unconfirmed change gone back")
        run.expect([entry["result"] for entry in history()] == ["applied", "taken-back", "applied"], f"{history()}")
        run.expect(history()[-1]["by"] == "deadline", f"{history()}")

        apply_unconfirmed(3, "60s")
        number = history()[-1]["number"]
        refused = lab.balancer.astil("rollback", str(number), check=False)
        run.expect(refused.returncode == 1 and "astil confirm" in refused.stderr, f"rolled back to itself: {refused.stderr}")
        refused = lab.balancer.astil("apply", lab.balancer.write(_weights(lab, 9)), check=False)
        run.expect(refused.returncode == 1 and "astil confirm" in refused.stderr, f"a second change: {refused.stderr}")
        lab.balancer.query("confirm")
        run.expect(not problems(), f"problems when it is confirmed: {problems()}")
        run.expect(lab.balancer.astil("confirm", check=False).returncode == 1, "there was nothing to confirm")

        apply_unconfirmed(4, "60s")  # the file that the daemon starts with
        lab.balancer.crash()
        lab.balancer.start()
        run.expect(_weight(lab) == 3, f"after kill -9 the weight is {_weight(lab)}, not what ran before")
        run.expect(any("not confirmed: number" in problem for problem in problems()), f"not told: {problems()}")
        lab.balancer.stop()
        lab.balancer.start()
        run.expect(_weight(lab) == 3, "a second start takes the file that was not confirmed")
        lab.balancer.query("apply", str(lab.balancer.config_file))
        run.expect(_weight(lab) == 4 and not problems(), f"it can be applied for good: {problems()}")
        lab.balancer.stop()
        lab.balancer.start()
        run.expect(_weight(lab) == 4, "what was applied for good is not started with")
        expect_unharmed(run, *load.stop())


@case("rollback_by_history")
def rollback_by_history(run):
    """`astil history` says who made what run, and `astil rollback` goes back; SIGHUP is counted, well or refused."""
    with run.lab() as lab:
        lab.balancer.start(_weights(lab, 1))
        lab.balancer.wait_until_in_rotation()
        load = SteadyLoad(lab, ["nat"])
        for b1 in (2, 2, 3):
            lab.balancer.apply(_weights(lab, b1))
        entries = lab.balancer.query("history")["entries"]
        run.expect([entry["by"] for entry in entries] == ["start", "apply", "apply"], f"{entries}")
        run.expect(entries[1]["uid"] == os.getuid(), f"who applied it: {entries}")
        wanted = hashlib.sha256(lab.balancer.config_file.read_bytes()).hexdigest()
        run.expect(entries[2]["digest"] == wanted, f"the digest of what runs is not {wanted}: {entries}")
        lab.balancer.query("rollback")
        run.expect(_weight(lab) == 2, f"after a rollback the weight is {_weight(lab)}")
        lab.balancer.query("rollback", "1")
        run.expect(_weight(lab) == 1, f"after a rollback to 1 the weight is {_weight(lab)}")
        unknown = lab.balancer.astil("rollback", "99", check=False)
        run.expect(unknown.returncode == 1 and "99" in unknown.stderr, f"a number that is none: {unknown.stderr}")

        counted = lambda: lab.balancer.status()["config"]
        lab.balancer.daemon.send_signal(signal.SIGHUP)
        process.until(lambda: counted()["reloads_ok"] == 1, "the file applied by SIGHUP")
        run.expect(_weight(lab) == 3, f"after SIGHUP the weight is {_weight(lab)}")
        lab.balancer.write("interfaces: 1\n")
        lab.balancer.daemon.send_signal(signal.SIGHUP)
        process.until(lambda: counted()["reloads_refused"] == 1, "the mistaken file refused")
        lab.balancer.config_file.unlink()
        lab.balancer.daemon.send_signal(signal.SIGHUP)
        process.until(lambda: counted()["reloads_refused"] == 2, "the missing file refused")
        run.expect(_weight(lab) == 3 and counted()["rollbacks"] == 2, f"{counted()}")
        run.expect("configuration mistake" in lab.balancer.log_file.read_text(), "the mistakes are not in the log")
        expect_unharmed(run, *load.stop())


@case("full_disk_harms_nobody")
def full_disk_harms_nobody(run):
    """With the state directory's disk full, changes are applied all the same; it is told, counted, and mended later."""
    with run.lab() as lab, small_disk(run.directory / "state") as state:
        lab.balancer.environment["STATE_DIRECTORY"] = str(state)
        lab.balancer.start(_weights(lab, 1))
        lab.balancer.wait_until_in_rotation()
        load = SteadyLoad(lab, ["nat"])
        _fill(state / "filler")
        lab.balancer.apply(_weights(lab, 2))
        run.expect(_weight(lab) == 2, "the change was not applied")
        errors = lambda: lab.balancer.status()["config"]["history_write_errors"]
        process.until(lambda: errors() > 0, "the error counted")
        problems = [problem["what"] for problem in lab.balancer.status()["problems"]]
        run.expect(any("No space left" in problem for problem in problems), f"it is not told: {problems}")
        promised = lab.balancer.astil("apply", "--confirm", "60s", lab.balancer.write(_weights(lab, 3)), check=False)
        run.expect(promised.returncode == 1, "a change that could not go back after a crash was promised to")
        lab.balancer.query("rollback")
        run.expect(_weight(lab) == 1, "no rollback with a full disk")
        (state / "filler").unlink()
        process.until(lambda: not lab.balancer.status()["problems"], "the history written again")
        run.figure(history_write_errors=errors(), entries=len(lab.balancer.query("history")["entries"]))
        expect_unharmed(run, *load.stop())


def _fill(path):
    """Takes all the room there is."""
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
