"""What the kernel's hooks do, done by the DPDK engine as well: checks through the path, full NAT, draining, flow sync of a
pair, neighbours that are not known, and the command line's views of what happens."""

import time

from harness import process
from harness.case import case
from harness.configuration import ADDRESSES, FORWARDINGS
from harness.engine import Engine, dataplane
from harness.pair import NODES, Pair, PairNet, settle
from harness.supervisor import Supervisor
from harness.steady import SteadyLoad, expect_unharmed
from harness.ways import KINDS, WAYS

_HEALTH = {"type": "http", "interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}


def _more(lab, **changes):
    return {"dataplane": dataplane(lab.net.interfaces, **changes)}


def _start(lab, ways=(), **options):
    """The daemon and the engine's process, forwarding."""
    engine = Engine(lab.balancer)
    engine.start()
    config = lab.configuration_for(ways, **options) if ways else lab.configuration(**options)
    lab.balancer.start({**config, **_more(lab)})
    lab.balancer.wait_until_in_rotation()
    engine.wait_until_forwarding()
    return engine


@case("dpdk_path_checks")
def dpdk_path_checks(run):
    """Probes go through the path: a backend without the service's address on its loopback is found, and back when it has
    it; so is one that does not take the tunnel off."""
    ways = [*KINDS["direct"], *KINDS["ipip"]]
    up = lambda way, name: lab.balancer.backends(way.name)[name]["in_rotation"]
    with run.lab(ways=ways) as lab:
        _start(lab, ways, health=_HEALTH)
        b2 = lab.servers["b2"].namespace
        held = [f"{way.address}/{32 if way.version == 4 else 128}" for way in KINDS["direct"]]
        b2.ip(*(f"address delete {each} dev lo" for each in held))
        process.until(lambda: not any(up(way, "b2") for way in KINDS["direct"]), "b2 down by direct")
        run.expect(all(up(way, "b2") for way in KINDS["ipip"]), "b2 is down by tunnels too")
        b2.hold("lo", *held)
        lab.balancer.wait_until_in_rotation()
        process.end(lab.servers["b3"].agent)
        process.until(lambda: not any(up(way, "b3") for way in KINDS["ipip"]), "b3 down by its tunnels")
        run.expect(all(up(way, "b3") for way in KINDS["direct"]), "b3 is down by direct too")
        for way in ways:
            report = lab.traffic.short(way.to(), connections=100)
            run.expect(report["failed"] == 0, f"{way}: {report}")


@case("dpdk_full_nat")
def dpdk_full_nat(run):
    """Full NAT of either version of IP: connections, and transfers of 1 MiB; source addresses are the daemon's to hold."""
    ways = [WAYS["full_nat_ipv4"], WAYS["full_nat_ipv6"]]
    with run.lab(ways=ways) as lab:
        _start(lab, ways)
        for way in ways:
            report = lab.traffic.short(way.to(), connections=1_000)
            run.expect(report["failed"] == 0, f"{way}: {report}")
            run.expect(len(report["backends"]) == 3, f"{way}: not every backend was used: {report}")
        lab.balancer.crash()
        lab.balancer.start()
        lab.balancer.wait_until_in_rotation()
        for way in ways:
            report = lab.traffic.short(way.to(), connections=200)
            run.expect(report["failed"] == 0, f"{way}, after a crash of the daemon: {report}")


@case("dpdk_drain")
def dpdk_drain(run):
    """A drained backend keeps its connections and gets no new one."""
    with run.lab() as lab:
        _start(lab)
        load = SteadyLoad(lab, FORWARDINGS, lasting=50, parallel=4)
        load.go_on(0.5)
        lab.balancer.astil("backend", "drain", "b3")
        for each in FORWARDINGS:
            after = lab.traffic.short(lab.to(each), connections=200)
            run.expect("b3" not in after["backends"], f"{each}: the drained backend got connections: {after}")
            run.expect(after["failed"] == 0, f"{each}: {after}")
            b3 = lab.balancer.backends(each)["b3"]
            run.expect(b3["traffic"]["active_flows"] > 0, f"{each}: b3 has no flows left: {b3}")
        lab.balancer.astil("backend", "activate", "b3")
        lab.balancer.wait_until_in_rotation("b3")
        expect_unharmed(run, *load.stop())


@case("dpdk_backend_down")
def dpdk_backend_down(run):
    """Flows of a backend that is down are steered anew where the configuration says so; those of others go on."""
    quick = {"type": "http", "interval": "100ms", "timeout": "100ms", "rise": 1, "fall": 2}
    with run.lab() as lab:
        _start(lab, forwardings=["direct"], health=quick, when_backend_down="re-steer")
        lasting = lab.traffic.start_long(lab.to("direct"), 60, interval_ms=100, timeout_ms=60000)
        lab.net.switch.ip("link set b2 down")
        lab.balancer.wait_until_out_of_rotation("b2")
        left = lambda: lab.balancer.backends("direct")["b2"]["traffic"]["active_flows"]
        process.until(lambda: left() == 0, "every flow elsewhere")
        report = lasting.stop()
        run.expect(0 < report["failed"] < report["connections"], f"not only those of b2 failed: {report}")


@case("dpdk_first_reply_to_a_stranger")
def dpdk_first_reply_to_a_stranger(run):
    """The first reply to a client whose MAC address nobody knows is sent, not lost: each connection of such a client is as
    quick as any, of either version of IP."""
    ways = [WAYS["nat_ipv4"], WAYS["nat_ipv6"], WAYS["full_nat_ipv4"]]
    with run.lab(ways=ways) as lab:
        _start(lab, ways)
        host = lab.net.balancer
        slowest = {}
        for way in ways:
            times = []
            for _ in range(10):
                host.run("ip", "neighbour", "flush", "dev", "eth0")
                asked = lab.traffic.curl(way.url(), "--output", "/dev/null", "--write-out", "%{time_total}")
                times.append(float(asked.stdout))
            slowest[str(way)] = round(max(times), 3)
        run.figure(slowest=slowest)
        # A SYN-ACK that is lost comes again after a second.
        run.expect(max(slowest.values()) < 0.8, f"a reply was lost: {slowest}")
        lost = [each for each in lab.balancer.query("drops")["drops"] if each["reason"] == "no_neighbour"]
        run.expect(not any(each["count"] for each in lost), f"dropped: {lost}")


_GATEWAY = "10.0.0.1"


def _start_node(pair, name):
    """A node of a pair that brings the other its flows, by DPDK."""
    priority = 150 if name == "lb1" else 100
    groups = pair.group([*ADDRESSES.values(), _GATEWAY], priority=priority, advert_interval="100ms")
    config = pair.configuration(name, groups, {"forwardings": tuple(ADDRESSES)}, **pair.paths(name), sync={})
    engine = Engine(pair.balancers[name])
    engine.start()
    pair.balancers[name].start({**config, "dataplane": dataplane(["eth0"])})
    engine.wait_until_forwarding()
    return engine


@case("dpdk_pair_failover")
def dpdk_pair_failover(run):
    """kill -9 of all our processes on the active node of a pair, both by DPDK, its links cut: connections go on by the
    other, which has their flows, and by the first one when it is back."""
    with run.lab(PairNet) as lab:
        pair = Pair(lab, run)
        engines = {name: _start_node(pair, name) for name in NODES}
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        for balancer in pair.balancers.values():
            balancer.wait_until_in_rotation()
        pair.until_flows_are_at("lb2")
        lasting = [lab.traffic.start_long(lab.to(each), 100, interval_ms=100, timeout_ms=10000) for each in ADDRESSES]
        settle(1)
        engines["lb1"].crash()
        pair.kill_everything("lb1")
        pair.until_state("lb2", "active")
        settle(1)
        pair.balancers["lb1"].daemon.wait()
        pair.balancers["lb1"].astil("detach")  # as after a reboot
        pair.net.mend("lb1")
        _start_node(pair, "lb1")
        pair.until_state("lb1", "active")
        pair.until_flows_are_at("lb1")
        settle(1)
        for load in lasting:
            report = load.stop()
            run.expect(report["failed"] == 0, f"connections broke: {report}")


@case("dpdk_restarted_by_systemd")
def dpdk_restarted_by_systemd(run):
    """kill -9 of astil-dpdk, three times: systemd, with the unit file as it is delivered, starts it again each time, and
    established connections go on."""
    with run.lab() as lab:
        supervisor = Supervisor(lab.balancer)
        supervisor.start()
        lab.balancer.start(lab.configuration(more=_more(lab)))
        supervisor.wait_until_forwarding()
        lab.balancer.wait_until_in_rotation()
        lasting = [lab.traffic.start_long(lab.to(each), 50, timeout_ms=15_000) for each in FORWARDINGS]
        back_after = []
        for _ in range(3):
            killed = supervisor.pid()
            begun = time.monotonic()
            process.kill(killed)
            supervisor.wait_until_forwarding(other_than=killed)
            back_after.append(round(time.monotonic() - begun, 2))
            report = lab.traffic.short(lab.to("nat"), connections=100)
            run.expect(report["failed"] == 0, f"new connections: {report}")
        for load in lasting:
            report = load.stop()
            run.expect(report["failed"] == 0, f"established connections ended: {report}")
        run.figure(back_after_seconds=back_after)
        supervisor.stop()
