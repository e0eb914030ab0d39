"""`astil trace` says where a packet would go, and is right."""

import random

from harness.case import case
from harness.configuration import FORWARDINGS
from harness.topology import CLIENT_ADDRESSES

_FLOWS = 336  # for each forwarding; a multiple of the client's addresses, and of 2


def _sources(first_port, count):
    """The sources that lab_client takes, in its order."""
    addresses = len(CLIENT_ADDRESSES)
    return [f"{CLIENT_ADDRESSES[i % addresses]}:{first_port + i // addresses}" for i in range(count)]


def _traced(lab, forwarding, sources):
    return {source: lab.balancer.trace(source, lab.to(forwarding))["backend"] for source in sources}


def _flows_in_table(lab):
    return lab.balancer.query("flows")["matched"]


@case("trace_tells_the_backend")
def trace_tells_the_backend(run):
    """The trace's backend for 1,000 random flows, half asked before the first packet, equals where they went."""
    with run.lab() as lab:
        lab.start_balancer(weights={"b1": 1, "b2": 1, "b3": 2})
        differ, asked, known = [], 0, 0
        for each in FORWARDINGS:
            first_port = random.randint(2000, 60_000)
            sources = _sources(first_port, _FLOWS)
            before = _traced(lab, each, sources[: _FLOWS // 2])
            run.expect(_flows_in_table(lab) == known, "asking has put flows into the table")
            flows = lab.traffic.start_long(
                lab.to(each), _FLOWS, ["--flows"], ports=f"{first_port}-65535", parallel=64
            )
            went = flows.ready["flows"]
            after = _traced(lab, each, sources[_FLOWS // 2 :])
            known = _flows_in_table(lab)
            report = flows.stop()
            run.expect(report["failed"] == 0, f"{each}: flows failed: {report['failures']}")
            traced = {**before, **after}
            asked += len(traced)
            differ += [(each, source, said, went[source]) for source, said in traced.items() if went[source] != said]
        run.figure(asked=asked, differ=len(differ))
        run.expect(asked >= 1000, f"only {asked} flows were asked for")
        run.expect(not differ, f"traced elsewhere than they went: {differ[:5]}")


@case("trace_explains")
def trace_explains(run):
    """The trace names each stage, and says of a known flow that it is known."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["tunnel"])
        fresh = lab.balancer.trace("10.1.0.10:5555", lab.to("tunnel"))
        run.expect([step["stage"] for step in fresh["steps"]], f"no stages: {fresh}")
        run.expect(not fresh["flow_known"] and fresh["ring_slot"] is not None, f"a flow that never was: {fresh}")
        flows = lab.traffic.start_long(lab.to("tunnel"), 1, source="10.1.0.10", ports="5555-5555")
        known = lab.balancer.trace("10.1.0.10:5555", lab.to("tunnel"))
        flows.stop()
        run.expect(known["flow_known"], f"an open flow: {known}")
        run.expect(known["backend"] == fresh["backend"], f"{fresh} and then {known}")
        stranger = lab.balancer.trace("10.1.0.10:5555", "192.0.2.11:81")
        run.expect(stranger["verdict"] == "pass" and not stranger["backend"], f"not a service: {stranger}")
