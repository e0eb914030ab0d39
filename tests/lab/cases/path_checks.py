"""Health checks through the forwarding path: a backend that is well, but not set up for the forwarding, is found."""

import json

from harness import process
from harness.case import case
from harness.topology import one_arm
from harness.ways import KINDS, WAYS

_WAYS = [*KINDS["direct"], *KINDS["ipip"], *KINDS["gue"]]
_HEALTH = {"type": "http", "interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}


def _are(lab, ways, name, up):
    """Is the backend in rotation in all these services, or in none?"""
    return all(lab.balancer.backends(way.name)[name]["in_rotation"] is up for way in ways)


def _filters(lab, interface="eth0"):
    """The filters at the interface's tc hook, by the name of their programs."""
    shown = lab.net.balancer.run("tc", "-j", "filter", "show", "dev", interface, "ingress").stdout
    options = [each.get("options", {}) for each in json.loads(shown or "[]")]
    return sorted(each["bpf_name"].split(":")[0] for each in options if "bpf_name" in each)


@case("backend_without_service_address_is_found")
def backend_without_service_address_is_found(run):
    """A backend whose loopback lacks the service's address is down by direct, though it answers at its own address."""
    with run.lab(ways=_WAYS) as lab:
        lab.start_balancer_for(_WAYS, health=_HEALTH)
        direct = KINDS["direct"]
        others = [way for way in _WAYS if way not in direct]
        b2 = lab.servers["b2"].namespace
        held = [f"{way.address}/{32 if way.version == 4 else 128}" for way in direct]
        b2.ip(*(f"address delete {each} dev lo" for each in held))
        process.until(lambda: _are(lab, direct, "b2", False), "b2 down by direct")
        error = lab.balancer.backends("direct_ipv4")["b2"]["health"]["last_error"]
        run.expect(WAYS["direct_ipv4"].address in error, f"the error does not name the address: {error}")
        run.expect(_are(lab, others, "b2", True), "b2 is down by other ways too")
        run.expect(_are(lab, direct, "b1", True), "b1 is down too")
        for way in direct:
            report = lab.traffic.short(lab.to(way), connections=100)
            run.expect(report["failed"] == 0, f"connections failed by {way}: {report}")
        b2.hold("lo", *held)
        lab.balancer.wait_until_in_rotation()


@case("backend_without_decapsulation_is_found")
def backend_without_decapsulation_is_found(run):
    """A backend that does not take tunnels off is down by each of them, though it answers at its own address."""
    with run.lab(ways=_WAYS) as lab:
        lab.start_balancer_for(_WAYS, health=_HEALTH)
        tunnels = [*KINDS["ipip"], *KINDS["gue"]]
        process.end(lab.servers["b3"].agent)
        process.until(lambda: _are(lab, tunnels, "b3", False), "b3 down by its tunnels")
        error = lab.balancer.backends("ipip_4in4")["b3"]["health"]["last_error"]
        run.expect("the tunnel taken off" in error, f"the error does not say what is missing: {error}")
        run.expect(_are(lab, KINDS["direct"], "b3", True), "b3 is down by direct too")
        lab.servers["b3"].start_agent(*(way.address for way in tunnels))
        lab.balancer.wait_until_in_rotation()


@case("path_checks_without_the_service_address")
def path_checks_without_the_service_address(run):
    """Probes go through the path and come back where the balancer does not hold the services' addresses, as on the
    node of a pair that waits; by one interface and XDP too, and nothing of them is left after the daemon."""
    with run.lab(topology=one_arm, ways=_WAYS) as lab:
        more = {"addresses": {"owner": "none"}, "dataplane": {"hook": "xdp"}}
        lab.start_balancer_for(_WAYS, health=_HEALTH, more=more)
        lab.servers["b1"].kill_web()
        process.until(lambda: _are(lab, _WAYS, "b1", False), "b1 down by every way")
        lab.servers["b1"].start_web()
        lab.balancer.wait_until_in_rotation()
        run.expect(_filters(lab) == ["astil_probe_in"], f"other filters: {_filters(lab)}")
        lab.balancer.stop()
        run.expect(_filters(lab) == [], f"filters are left: {_filters(lab)}")


@case("path_checks_after_a_crash")
def path_checks_after_a_crash(run):
    """A daemon that was killed leaves a filter, which the next one takes the place of, or detaching takes away."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["direct", "tunnel"], health=_HEALTH)
        before = _filters(lab)
        run.expect(before == ["astil_probe_in"], f"no filter for probes: {before}")
        lab.balancer.crash()
        lab.start_balancer(forwardings=["direct", "tunnel"], health=_HEALTH)
        run.expect(_filters(lab) == before, f"other filters: {before}, then {_filters(lab)}")
        lab.balancer.crash()
        lab.balancer.astil("detach")
        run.expect(_filters(lab) == [], f"filters are left: {_filters(lab)}")
