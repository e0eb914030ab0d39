"""Two balancers that bring each other their flows: connections outlive the death of the active one, the return of the other,
handovers under load, and a network that loses or is cut."""

import time

from harness import process
from harness.case import case
from harness.configuration import ADDRESSES
from harness.flood import Flood
from harness.namespace import lose_some
from harness.pair import NODES, SYNC, VRID, Pair, PairNet, settle
from harness.topology import BACK, BACK_6
from harness.ways import WAYS

_WAYS = [WAYS[name] for name in ("nat_ipv4", "nat_ipv6", "ipip_4in4", "ipip_6in6", "direct_ipv4", "direct_ipv6")]
_SYNC_PORT = 5406


def _start(pair, name, dataplane=None, **more):
    priority = 150 if name == "lb1" else 100
    common = {"virtual_router_id": VRID, "priority": priority, "advert_interval": "100ms", "sync_group": "all"}
    hosts = {version: [way.address for way in _WAYS if way.version == version] for version in (4, 6)}
    groups = {"web": {"addresses": [*hosts[4], BACK], **common}, "six": {"addresses": [*hosts[6], BACK_6], **common}}
    ha = {key: value for key, value in {**pair.paths(name), "sync": {}, **more}.items() if value is not None}
    made = pair.configuration_for(name, _WAYS, groups, **ha)
    if dataplane is not None:
        made["dataplane"] = {**made.get("dataplane", {}), **dataplane}
    pair.balancers[name].start(made)


def _start_both(pair, **more):
    for name in NODES:
        _start(pair, name, **more)
    pair.until_ready()


def _sync(pair, name):
    return pair.ha(name)["sync"]


def _counts(pair, name, which):
    return {each["what"]: each["count"] for each in _sync(pair, name)[which] if each["count"]}


def _long(lab, count=170):
    return {way.name: lab.traffic.start_long(way.to(), count, ports="1024-9999", interval_ms=100, timeout_ms=10000) for way in _WAYS}


def _judge(run, long):
    reports = {each: running.stop() for each, running in long.items()}
    broken = {each: report["failed"] for each, report in reports.items()}
    longest = {each: round(report["longest_ms"], 1) for each, report in reports.items()}
    run.figure(lasting=sum(report["connections"] for report in reports.values()), broken=broken, longest_ms=longest)
    run.expect(not any(broken.values()), f"connections broke: {broken}")


@case("sync_failover_and_return")
def failover_and_return(run):
    """kill -9 of all our processes on the active node, its links cut; it comes back with nothing, and takes over when it has
    the other's flows: no connection breaks, neither way."""
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        _start_both(pair)
        long = _long(lab)
        settle(1)
        pair.kill_everything("lb1")
        pair.until_state("lb2", "active")
        settle(1)
        pair.balancers["lb1"].daemon.wait()
        pair.balancers["lb1"].astil("detach")  # its pins: as after a reboot
        pair.net.mend("lb1")
        _start(pair, "lb1")
        pair.until_state("lb1", "active")
        pair.until_flows_are_at("lb1")
        shown = next(iter(pair.ha("lb1")["groups"]))
        run.expect(shown["takeovers_without_flows"] == 0, "it did not wait for the flows")
        run.expect(_counts(pair, "lb1", "records").get("written", 0) >= 900, f"hardly any flow came back: {_sync(pair, 'lb1')}")
        settle(1)
        run.figure(full_ms=round(_sync(pair, "lb1")["full_seconds"] * 1000))
        _judge(run, long)


@case("sync_return_to_a_large_table", long=True, flows=200_000)
def return_to_a_large_table(run, flows):
    """A node that died comes back while the other one has a table of 200,000 flows: it takes over when it has all of them, and
    no connection breaks. How long that took is a figure."""
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        lab.net.route_strangers()
        more = {"timeouts": {"half_open": "30m"}, "new_flows_per_second": 0}
        _start_both(pair, dataplane=more)
        long = _long(lab)
        used = lambda name: next(each["used"] for each in pair.balancers[name].status()["tables"] if each["name"] == "flows")
        for first in range(0, 8 * flows, flows // 10):  # links that are full lose some
            Flood(lab, WAYS["direct_ipv4"], "syns", flows // 10, first).finish()
            if used("lb1") >= flows:
                break
        run.expect(used("lb1") >= flows, f"there are only {used('lb1')} flows")
        held = lambda name: sum(_counts(pair, name, "records").get(each, 0) for each in ("written", "changed"))
        process.until(lambda: used("lb2") >= flows, "lb2 has as many", 60)
        at_lb2 = used("lb2")
        pair.kill_everything("lb1")
        pair.until_state("lb2", "active")
        pair.balancers["lb1"].daemon.wait()
        pair.balancers["lb1"].astil("detach")  # its pins: as after a reboot
        pair.net.mend("lb1")
        _start(pair, "lb1", dataplane=more)
        pair.until_state("lb1", "active", timeout=60)
        got = held("lb1")  # after it took over: no less than all
        shown = next(iter(pair.ha("lb1")["groups"]))
        run.figure(flows=at_lb2, brought=got, full_ms=round(_sync(pair, "lb1")["full_seconds"] * 1000))
        run.expect(shown["takeovers_without_flows"] == 0, "it did not wait for the flows")
        run.expect(got >= 0.99 * at_lb2, f"of {at_lb2} flows {got} were there when it had taken over")
        settle(1)
        _judge(run, long)


@case("sync_a_million_flows", long=True, alone=True, flows=1_000_000)
def a_million_flows(run, flows):
    """The backup starts with nothing beside an active node with a million flows, over veth: how long it takes to have them all, and
    what that costs both, are figures."""
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        lab.net.route_strangers()
        more = {"timeouts": {"half_open": "30m"}, "new_flows_per_second": 0, "tables": {"flow_slots": 4 << 20}}
        _start_both(pair, dataplane=more)
        pair.balancers["lb2"].astil("detach")
        pair.balancers["lb2"].daemon.wait()
        used = lambda name: next(each["used"] for each in pair.balancers[name].status()["tables"] if each["name"] == "flows")
        for first in range(0, 8 * flows, flows // 20):  # links that are full lose some
            Flood(lab, WAYS["direct_ipv4"], "syns", flows // 20, first).finish()
            if used("lb1") >= flows:
                break
        at_lb1 = used("lb1")
        run.expect(at_lb1 >= flows, f"there are only {at_lb1} flows")
        pids = {"lb1": pair.balancers["lb1"].daemon.pid}
        before = {"lb1": process.cpu_seconds(pids["lb1"]), "lb2": 0.0}
        begun = time.monotonic()
        _start(pair, "lb2", dataplane=more)
        pids["lb2"] = pair.balancers["lb2"].daemon.pid
        pair.until_flows_are_at("lb2", timeout=60)
        since_start = time.monotonic() - begun
        cpu = {name: round(process.cpu_seconds(pid) - before[name], 2) for name, pid in pids.items()}
        records = _counts(pair, "lb2", "records")
        brought = sum(records.get(each, 0) for each in ("written", "changed", "known"))
        sync = _sync(pair, "lb2")
        run.figure(
            flows=at_lb1, brought=brought, full_ms=round(sync["full_seconds"] * 1000), since_start_ms=round(since_start * 1000), cpu_seconds=cpu,
            datagrams=sync["received_datagrams"], megabytes=round(sync["received_bytes"] / 1e6, 1), lost=_sync(pair, "lb1")["lost_datagrams"],
        )  # fmt: skip
        run.expect(brought >= 0.99 * at_lb1, f"of {at_lb1} flows {brought} were brought: {records}")


@case("sync_rings_are_alike", rule="canonical", alike=True, long=True)
@case("sync_rings_that_are_patched_differ", rule="patched", alike=False, long=True)
def rings_are_alike(run, rule, alike):
    """A node that saw other weights come and go has the same rings as one that has just started, and both say so; patched ones
    differ, which is a problem that both show."""
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)

        def configuration(name, weight):
            groups = pair.group([*ADDRESSES.values(), BACK], priority=150 if name == "lb1" else 100, advert_interval="100ms")
            made = pair.configuration(name, groups, {"forwardings": tuple(ADDRESSES)}, **pair.paths(name), sync={})
            for service in made["services"].values():
                service["backends"]["b1"]["weight"] = weight
                service["ring"] = {"rule": rule}
            return made

        def compared():
            shown = [_sync(pair, name) for name in NODES]
            return all(each["up"] and each["same_rings"] is alike for each in shown)

        pair.balancers["lb1"].start(configuration("lb1", 1))
        for weight in (9, 3):
            pair.balancers["lb1"].wait_until_in_rotation()
            pair.balancers["lb1"].apply(configuration("lb1", weight))
        pair.balancers["lb2"].start(configuration("lb2", 3))
        for balancer in pair.balancers.values():
            balancer.wait_until_in_rotation()
        process.until(compared, f"rings that are {rule} are {'' if alike else 'not '}alike", 15)
        problems = [each["what"] for each in pair.balancers["lb2"].status()["problems"]]
        run.expect(any("rings of the two nodes differ" in each for each in problems) is not alike, f"problems with {rule} rings: {problems}")


def _handovers(run, times):
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        _start_both(pair)
        long = _long(lab)
        active, other = "lb1", "lb2"
        gaps = []
        for _ in range(times):
            settle(0.5)
            begun = time.monotonic()
            pair.balancers[active].astil("handover", "--for", "1h")
            pair.until_state(other, "active")
            gaps.append(round((time.monotonic() - begun) * 1000))
            pair.until_state(active, "backup")
            active, other = other, active
        settle(0.5)
        run.figure(handovers=times, order_to_active_ms=gaps)
        _judge(run, long)


@case("sync_handover", times=4)
@case("sync_handover_often", times=20, long=True)
def handover(run, times):
    """astil handover back and forth with connections under way: none breaks."""
    _handovers(run, times)


@case("sync_handover_is_refused_alone")
def handover_alone(run):
    """Where the other node is not heard, the addresses stay."""
    with run.lab(PairNet, backends=1, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        _start(pair, "lb1")
        pair.until_state("lb1", "active")
        answer = pair.balancers["lb1"].astil("handover", check=False)
        run.expect(answer.returncode != 0 and "not heard" in answer.stderr, f"it was not refused: {answer}")
        run.expect(pair.states("lb1")["web"] == "active", "the addresses are gone")


@case("sync_loses_and_is_cut")
def loses_and_is_cut(run):
    """One in twenty packets between the two is lost, and then all of them for ten seconds: the tables converge, and a failover
    after that breaks nothing."""
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        for node in pair.net.nodes.values():
            lose_some(node, "eth1")
        # Adverts come over the other network: the election does not notice.
        for name in NODES:
            _start(pair, name, paths={"cable": pair.paths(name)["paths"]["cable"]}, heartbeat=None)
        pair.until_ready()
        long = _long(lab)
        settle(1)
        pair.net.nodes["lb1"].ip("link set eth1 down")
        more = {way.name: lab.traffic.start_long(way.to(), 50, ports="10000-19999", interval_ms=100, timeout_ms=10000) for way in _WAYS}
        settle(10)
        run.expect(not _sync(pair, "lb1")["up"], "it did not notice that the way is cut")
        pair.net.nodes["lb1"].ip("link set eth1 up")
        begun = time.monotonic()
        pair.until_flows_are_at("lb2")
        run.figure(converged_after_ms=round((time.monotonic() - begun) * 1000), lost=_sync(pair, "lb1")["lost_datagrams"])
        settle(0.5)
        pair.kill_everything("lb1")
        pair.until_state("lb2", "active")
        settle(1)
        _judge(run, {**long, **{f"{each}_during_the_cut": running for each, running in more.items()}})


@case("sync_hostile_packets")
def hostile_packets(run):
    """Datagrams of anybody, of other secrets, and recorded ones: dropped, counted by reason, and nothing changes."""
    with run.lab(PairNet, backends=1, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        _start_both(pair)
        before = _counts(pair, "lb2", "records")
        sessions = _sync(pair, "lb2")["sessions"]
        script = (
            "import socket, os\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"to = ('{SYNC['lb2']}', {_SYNC_PORT})\n"
            "for n in (0, 1, 51, 100, 1400): s.sendto(os.urandom(n), to)\n"
            "s.sendto(b'ASYN' + bytes([9, 0, 0, 0]) + os.urandom(200), to)\n"
            "s.sendto(b'ASYN' + bytes([1, 0, 0, 0]) + os.urandom(200), to)\n"
        )
        pair.net.nodes["lb1"].run("python3", "-c", script)
        expected = {"malformed": 6, "unknown_key": 1}
        process.until(lambda: expected.items() <= _counts(pair, "lb2", "dropped").items(), f"lb2 counts {expected}", 5)
        run.expect(_sync(pair, "lb2")["sessions"] == sessions, "another session began")
        run.expect(_counts(pair, "lb2", "records") == before, "records were taken")
