"""The life of a backend: drained, maintained, activated, by an operator's order."""

import json

from harness import process
from harness.case import case
from harness.configuration import FORWARDINGS
from harness.steady import SteadyLoad, expect_unharmed


def _order(lab, *words):
    """Orders by the command line; the answer by service."""
    answer = json.loads(lab.balancer.astil("backend", *words, "-o", "json").stdout)
    return {backend["service"]: backend for backend in answer["backends"]}


@case("backend_drained_under_load")
def backend_drained_under_load(run):
    """A drained backend keeps its open connections and gets no new one, whatever becomes of the daemon and its file."""
    with run.lab() as lab:
        lab.start_balancer()
        load = SteadyLoad(lab, FORWARDINGS, lasting=100, parallel=4)
        load.go_on(0.5)
        drained = _order(lab, "drain", "b3")
        run.expect(set(drained) == set(FORWARDINGS), f"not every use is drained: {drained}")
        run.expect(not any(use["in_rotation"] for use in drained.values()), f"still in rotation: {drained}")
        lab.balancer.crash()
        lab.balancer.start()
        lab.balancer.apply(lab.configuration(weights={"b1": 2, "b2": 1, "b3": 3}))
        for each in FORWARDINGS:
            after = lab.traffic.short(lab.to(each), connections=300)
            run.expect("b3" not in after["backends"], f"{each}: the drained backend got connections: {after}")
            run.expect(after["failed"] == 0, f"{each}: connections failed: {after}")
            b3 = lab.balancer.backends(each)["b3"]
            run.expect(b3["admin"] == "drain" and b3["draining"], f"{each}: b3 is not draining: {b3}")
            run.expect(b3["traffic"]["active_flows"] > 0, f"{each}: b3 has no flows left: {b3}")
        _order(lab, "activate", "b3")
        lab.balancer.wait_until_in_rotation("b3")
        load.go_on(0.5)
        expect_unharmed(run, *load.stop())


@case("backend_in_maintenance")
def backend_in_maintenance(run):
    """A backend in maintenance is not asked how it is, and comes back when a check has found it well."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["nat"], health={"type": "http", "interval": "100ms", "timeout": "100ms"})
        _order(lab, "maintenance", "b2", "--service", "nat")
        lab.servers["b2"].kill_web()
        status = lab.balancer.status()
        run.expect(not status["problems"], f"maintenance is a problem: {status['problems']}")
        report = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(report["failed"] == 0 and "b2" not in report["backends"], f"connections to b2: {report}")
        _order(lab, "activate", "b2")
        down = lambda: lab.balancer.backends("nat")["b2"]["health"]["state"] == "down"
        process.until(down, "b2 found down")
        lab.servers["b2"].start_web()
        lab.balancer.wait_until_in_rotation("b2")
        refused = lab.balancer.astil("backend", "drain", "b9", check=False)
        run.expect("no backend 'b9'" in refused.stderr, f"another answer: {refused.stderr}")


@case("backend_drained_to_the_last_flow", long=True)
def backend_drained_to_the_last_flow(run):
    """`--wait` comes back when the last connection has ended and its flow is forgotten, and the log says so."""
    with run.lab() as lab:
        timeouts = {"half_open": "1s", "closing": "1s", "closed": "1s"}
        lab.start_balancer(forwardings=["nat"], more={"dataplane": {"timeouts": timeouts}})
        lasting = lab.traffic.start_long(lab.to("nat"), 30, interval_ms=100)
        _order(lab, "drain", "b1")
        report = lasting.stop()
        run.expect(report["failed"] == 0, f"lasting connections failed: {report}")
        shown = lab.balancer.astil("backend", "drain", "b1", "--wait").stdout
        run.expect(shown.endswith("drain, no flows left\n"), f"another answer: {shown}")
        run.expect("backend drained service=nat backend=b1" in lab.balancer.log_file.read_text(), "not in the log")


_QUICK = {"type": "http", "interval": "100ms", "timeout": "100ms", "rise": 1, "fall": 2}


@case("backend_started_slowly")
def backend_started_slowly(run):
    """A backend that comes up gets its share of the ring in steps, and no connection breaks on the way."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["nat"], health=_QUICK, slow_start="3s")
        lab.servers["b2"].kill_web()
        lab.balancer.wait_until_out_of_rotation("b2")
        load = SteadyLoad(lab, ["nat"], lasting=50, parallel=4)
        earlier = len(lab.balancer.ring_changes())
        lab.servers["b2"].start_web()
        lab.balancer.wait_until_in_rotation("b2")
        share = lambda: lab.balancer.backends("nat")["b2"]["ring_share"]
        first = share()
        process.until(lambda: share() > 0.33, "the whole share")
        expect_unharmed(run, *load.stop())
        changes = lab.balancer.ring_changes()[earlier:]
        moved = sum(change["moved"] / change["slots"] for change in changes)
        run.figure(first_share=round(first, 3), steps=len(changes), moved=round(moved, 3))
        run.expect(len(changes) > 5, f"not in steps: {changes}")
        run.expect(moved < 0.34, f"{moved:.3f} of the ring moved for a third")


@case("flows_of_a_backend_that_is_down_re_steered")
def flows_of_a_backend_that_is_down_re_steered(run):
    """With re-steer a client of a backend that hangs is told so by the next one's reset, and does not wait for it."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["direct"], health=_QUICK, when_backend_down="re-steer")
        lasting = lab.traffic.start_long(lab.to("direct"), 60, interval_ms=100, timeout_ms=60000)
        lab.net.switch.ip("link set b2 down")
        lab.balancer.wait_until_out_of_rotation("b2")
        left = lambda: lab.balancer.backends("direct")["b2"]["traffic"]["active_flows"]
        process.until(lambda: left() == 0, "every flow elsewhere")
        lab.net.switch.ip("link set b2 up")
        report = lasting.stop()
        run.figure(failed=report["failed"], connections=report["connections"])
        run.expect(0 < report["failed"] < report["connections"], f"not only those of b2 failed: {report}")


@case("fallback_when_all_are_down")
def fallback_when_all_are_down(run):
    """The fallback serves while all others are down and only then; fail-open tries them; withdraw takes the address."""
    with run.lab() as lab:
        address = lab.to("nat").rsplit(":", 1)[0]

        def configuration(**changes):
            made = lab.configuration(forwardings=["nat"], health=_QUICK, **changes)
            made["services"]["nat"]["backends"]["b3"]["fallback"] = str(changes.get("when_down") == "fallback").lower()
            return made

        lab.balancer.start(configuration(when_down="fallback"))
        lab.balancer.wait_until_in_rotation("b1", "b2")
        used = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(used["failed"] == 0 and set(used["backends"]) == {"b1", "b2"}, f"the fallback was used: {used}")
        for name in ("b1", "b2"):
            lab.servers[name].kill_web()
        lab.balancer.wait_until_in_rotation("b3")
        lab.balancer.wait_until_out_of_rotation("b1")
        used = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(used["failed"] == 0 and set(used["backends"]) == {"b3"}, f"not the fallback alone: {used}")
        problems = [problem["what"] for problem in lab.balancer.status()["problems"]]
        run.expect(any("its fallback backends are used" in what for what in problems), f"not told: {problems}")
        for name in ("b1", "b2"):
            lab.servers[name].start_web()
        lab.balancer.wait_until_in_rotation("b1", "b2")
        lab.balancer.wait_until_out_of_rotation("b3")
        used = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(used["failed"] == 0 and "b3" not in used["backends"], f"the fallback is still used: {used}")

        # The check wants what no server says, so that all are down and serve all the same.
        ill = {**_QUICK, "status": 204}
        lab.balancer.apply({**(made := configuration(when_down="fail-open")), "services": _with_health(made, ill)})
        down = lambda: all(b["health"]["state"] == "down" for b in lab.balancer.backends("nat").values())
        process.until(down, "all found down")
        used = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(used["failed"] == 0 and len(used["backends"]) == 3, f"fail-open did not use all: {used}")

        lab.balancer.apply({**(made := configuration(when_down="withdraw")), "services": _with_health(made, ill)})
        process.until(lambda: address not in lab.balancer.addresses(), "the address withdrawn")
        lab.balancer.apply(configuration(when_down="withdraw"))
        process.until(lambda: address in lab.balancer.addresses(), "the address back")
        lab.balancer.wait_until_in_rotation()
        used = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(used["failed"] == 0, f"connections failed after it came back: {used}")


def _with_health(made, health):
    return {name: {**service, "health": health} for name, service in made["services"].items()}


@case("removed_backend_given_up_at_its_limit")
def removed_backend_given_up_at_its_limit(run):
    """What a removed backend has left at the limit is given up, and its number is free; until then nothing breaks."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["direct"], removal_limit="3s")
        lasting = lab.traffic.start_long(lab.to("direct"), 60, interval_ms=100)
        names = lambda: {shown["name"]: shown for shown in lab.balancer.backends("direct").values()}
        process.until(lambda: names()["b3"]["traffic"]["active_flows"] > 0, "flows counted")
        lab.balancer.apply(lab.configuration(forwardings=["direct"], weights={"b1": 1, "b2": 1}, removal_limit="3s"))
        retired = [backend for backend in names().values() if backend["retired"]]
        run.expect(len(retired) == 1 and retired[0]["traffic"]["active_flows"] > 0, f"not draining: {retired}")
        process.until(lambda: not any(backend["retired"] for backend in names().values()), "it given up", 20)
        flows = lambda: sum(backend["traffic"]["active_flows"] for backend in names().values())
        process.until(lambda: flows() >= 60, "the next packet of each placed anew")
        report = lasting.stop()
        given_up = lab.balancer.status()["flows_given_up"]
        run.figure(given_up=given_up, failed=report["failed"])
        run.expect(0 < report["failed"] <= given_up, f"more failed than {given_up} that were given up: {report}")
