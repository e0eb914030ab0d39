"""Lists of sources and limits of new flows, with real clients."""

from harness.case import case
from harness.configuration import service
from harness.topology import CLIENT_ADDRESSES


def _configuration(lab, sources):
    configuration = lab.configuration(forwardings=["nat"])
    backends = {name: (server.address, 1) for name, server in lab.servers.items()}
    configuration["services"]["nat"] = service("nat", backends, sources=sources)
    return configuration


@case("sources_are_denied_and_keep_what_is_open")
def sources_are_denied_and_keep_what_is_open(run):
    """A client that comes to be denied keeps its connections and gets no new ones; a restart keeps lists and limits."""
    denied, other = CLIENT_ADDRESSES[:2]
    with run.lab() as lab:
        lab.balancer.start(_configuration(lab, None))
        lab.balancer.wait_until_in_rotation()

        def answers(source):
            done = lab.traffic.curl(
                f"http://{lab.to('nat')}/", "--interface", source, "--connect-timeout", "1", check=False
            )
            return done.returncode == 0

        flows = lab.traffic.start_long(lab.to("nat"), 64, parallel=32)
        run.expect(answers(denied) and answers(other), "no answer at first")
        applied = lab.balancer.apply(_configuration(lab, {"deny": [f"{denied}/32"], "new_flows_per_second": 100}))
        run.figure(changes=applied["changes"])
        run.expect(any(f"{denied}/32" in change for change in applied["changes"]), f"not told: {applied}")
        for restarted in (False, True):
            if restarted:
                lab.balancer.crash()
            run.expect(not answers(denied), "a denied client was let in")
            run.expect(answers(other), "another client was not let in")
            if restarted:
                lab.balancer.start()
        traced = lab.balancer.trace(f"{denied}:5555", lab.to("nat"))
        run.expect(traced["reason"] == "source_denied", f"the trace says otherwise: {traced}")
        drops = {drop["reason"]: drop for drop in lab.balancer.query("drops")["drops"]}
        run.expect(drops["source_denied"]["services"][0]["service"] == "nat", f"not counted: {drops['source_denied']}")
        report = flows.stop()
        run.expect(report["failed"] == 0, f"open connections failed: {report}")
