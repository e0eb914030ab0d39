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
