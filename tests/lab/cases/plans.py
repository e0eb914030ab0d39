"""Configurations as plans: what a change would do is told before it is done, and a hundred of them harm nobody."""

import copy

from harness.case import case
from harness.configuration import FORWARDINGS
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
