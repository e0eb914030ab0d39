"""Two balancers with the same service addresses, one of them active: elections among ourselves and with keepalived, and what
becomes of clients when the active one dies in every way."""

import concurrent.futures
import statistics
import time

from harness import paths, process
from harness.capture import capture
from harness.case import case
from harness.configuration import ADDRESSES, TUNNEL
from harness.pair import NODES, OWN, OWN_6, ROUTER_MACS, VRID, Keepalived, Pair, PairNet, all_from, keepalived_instance, settle
from harness.topology import BACK, BACK_6, PORT_SOURCE, PORT_SOURCE_6
from harness.ways import WAYS

_V6_ADDRESS = "2001:db8:c::77"
_LINK_LOCAL = "fe80::51"
_CLIENT = "10.1.0.10"


def _pair(run, **options):
    return run.lab(PairNet, **options)


def _start(pair, name, addresses=(TUNNEL,), group=None, **ha):
    pair.balancers[name].start(pair.configuration(name, pair.group(addresses, **(group or {})), **ha))


def _start_both(pair, addresses=(TUNNEL,), group=None, heartbeat=None, services=None, **ha):
    for name, priority in (("lb1", 150), ("lb2", 100)):
        more = pair.paths(name, **(heartbeat or {})) if heartbeat is not None or "sync" in ha else {}
        if heartbeat is None:
            more.pop("heartbeat", None)
        groups = pair.group(addresses, **{"priority": priority, "advert_interval": "100ms", **(group or {})})
        pair.balancers[name].start(pair.configuration(name, groups, services, **more, **ha))
    pair.until_state("lb1", "active")
    pair.until_state("lb2", "backup")


def _judge(run, taken, version, vrid=VRID):
    """Every VRRP packet as tshark takes it apart. Returns the senders with their priorities, in order."""
    # An error from a node without a program for VRRP quotes the packet.
    wrong = taken.rows("vrrp && !icmp && !icmpv6 && (_ws.malformed || vrrp.checksum.status == 0)", "frame.number", "_ws.col.Info")
    run.expect(not wrong, f"tshark finds these wrong: {wrong}")
    source, ttl = ("ip.src", "ip.ttl") if version == 4 else ("ipv6.src", "ipv6.hlim")
    rows = taken.rows("vrrp && !icmp && !icmpv6", source, ttl, "vrrp.version", "vrrp.type", "vrrp.virt_rtr_id", "vrrp.prio")
    for row in rows:
        run.expect(row[1:5] == ["255", "3", "1", str(vrid)], f"a packet with fields of no advert of ours: {row}")
    return [(row[0], int(row[5])) for row in rows]


def _interop(run, version, unicast, virtual_mac=False):
    address, host = (TUNNEL, f"{TUNNEL}/32") if version == 4 else (_V6_ADDRESS, f"{_V6_ADDRESS}/128")
    own = OWN if version == 4 else OWN_6
    group = {"advert_interval": "100ms", "priority": 150}
    more = ""
    hosts = [host]
    if version == 6:
        group |= {"link_local": _LINK_LOCAL}
        hosts = [f"{_LINK_LOCAL}/128", host]
    if unicast:
        group |= {"adverts": "unicast", "peers": [own["lb2"]]}
        # Else it sends those of IPv6 with a hop limit of 64, which is to be dropped (RFC 9568 section 5.1.2.3).
        more = f"unicast_ttl 255\n  unicast_src_ip {own['lb2']}\n  unicast_peer {{\n    {own['lb1']}\n  }}"
    if virtual_mac:
        group |= {"virtual_mac": "true"}
        more += "\n  use_vmac"
    with _pair(run, backends=1) as lab:
        pair = Pair(lab, run)
        groups = pair.group([address], **group)
        if version == 6:
            groups["four"] = {"virtual_router_id": VRID, "addresses": [TUNNEL], "priority": 150}
        other = Keepalived(pair.net.nodes["lb2"], run.directory, "lb2", keepalived_instance("web", 100, 0.1, hosts, more=more))
        listen = f"{'ip' if version == 4 else 'ip6'} proto 112 or arp or icmp6"
        with capture(pair.net.nodes["lb2"], "eth0", run.directory / "vrrp.pcapng", listen) as taken:
            other.start()
            process.until(lambda: other.holds(address), "keepalived is alone and active")
            pair.balancers["lb1"].start(pair.configuration("lb1", groups))
            pair.until_state("lb1", "active")
            process.until(lambda: not other.holds(address), "keepalived yields to the higher priority")
            run.expect(pair.has("lb1", address), "astild is active without the address")
            begun = time.monotonic()
            pair.balancers["lb1"].astil("detach")
            process.until(lambda: other.holds(address), "keepalived takes over from one that leaves")
            run.figure(keepalived_took_ms=round((time.monotonic() - begun) * 1000))
            # The other role: the lower priority.
            groups["web"]["priority"] = 50
            pair.balancers["lb1"].start(pair.configuration("lb1", groups))
            pair.until_state("lb1", "backup")
            settle(0.6)
            run.expect(pair.states("lb1")["web"] == "backup", "the lower priority did not stay backup")
            run.expect(other.holds(address), "keepalived did not stay active")
            begun = time.monotonic()
            other.stop()
            pair.until_state("lb1", "active")
            run.figure(we_took_ms=round((time.monotonic() - begun) * 1000))
            shown = next(each for each in pair.ha("lb1")["groups"] if each["name"] == "web")
            run.expect(shown["cause"] == "peer_left", f"the reason is not priority 0: {shown}")
            dropped = {each["reason"]: each["count"] for each in shown["drops"] if each["count"]}
            run.expect(not dropped, f"packets of keepalived's were not right to us: {dropped}")
        heard = _judge(run, taken, version)
        priorities = {priority for _, priority in heard}
        run.expect({150, 100, 50, 0} <= priorities, f"not all priorities were heard: {priorities}")
        if virtual_mac:
            # Unicast ones keepalived sends from the interface's; of ours the first may have the kernel find the peer.
            whose = "vrrp && !icmp && !icmpv6" + (f" && {'ip' if version == 4 else 'ipv6'}.src == {own['lb1']}" if unicast else "")
            others = [row[0] for row in taken.rows(whose, "eth.src") if row[0] != ROUTER_MACS[version]]
            run.expect(len(others) <= (1 if unicast else 0), f"adverts from other stations: {others}")
            told_of = f"arp.isgratuitous && arp.dst.proto_ipv4 == {address}" if version == 4 else f"icmpv6.nd.na.target_address == {address}"
            all_from(run, taken, told_of, ROUTER_MACS[version])
        told = taken.count(f"arp.isgratuitous && arp.dst.proto_ipv4 == {address}" if version == 4 else f"icmpv6.nd.na.target_address == {address}")
        run.expect(told >= 2, f"hardly anybody was told where {address} is: {told}")
        run.figure(adverts=len(heard), announcements=told)
        if version == 6:
            named = {tuple(row[0].split(",")) for row in taken.rows("vrrp && !icmpv6 && vrrp.prio != 0", "vrrp.ipv6_addr")}
            run.expect(named == {(_LINK_LOCAL, address)}, f"adverts name other addresses, or in another order: {named}")


@case("pair_keepalived_multicast_v4", version=4, unicast=False)
@case("pair_keepalived_multicast_v6", version=6, unicast=False, long=True)
@case("pair_keepalived_unicast_v4", version=4, unicast=True, long=True)
@case("pair_keepalived_unicast_v6", version=6, unicast=True)
@case("pair_keepalived_virtual_mac_v4", version=4, unicast=False, virtual_mac=True)
@case("pair_keepalived_virtual_mac_v6", version=6, unicast=False, virtual_mac=True)
@case("pair_keepalived_virtual_mac_unicast", version=4, unicast=True, virtual_mac=True)
@case("pair_keepalived_virtual_mac_unicast_v6", version=6, unicast=True, virtual_mac=True)
def keepalived(run, version, unicast, virtual_mac=False):
    """Elections with keepalived as the other node, in both roles; tshark judges each packet."""
    _interop(run, version, unicast, virtual_mac)


def _failovers(run, runs, advert_interval, heartbeat, limit_ms):
    with _pair(run) as lab:
        pair = Pair(lab, run)
        services = {"forwardings": tuple(ADDRESSES)}
        addresses = [*ADDRESSES.values(), "10.0.0.1"]
        _start_both(pair, addresses, {"advert_interval": advert_interval}, heartbeat, services, sync={})
        for balancer in pair.balancers.values():
            balancer.wait_until_in_rotation()
        pair.until_flows_are_at("lb2")
        times, own = [], []
        long = {each: lab.traffic.start_long(lab.to(each), 300, ports="1024-9999", interval_ms=100, timeout_ms=10000) for each in ADDRESSES}
        for _ in range(runs):
            with capture(lab.net.client, "eth0", run.directory / "arp.pcapng", "arp") as taken:
                cut = pair.kill_everything("lb1")
                pair.until_state("lb2", "active")
                settle(0.3)
            told = [float(row[0]) for row in taken.rows(f"arp.isgratuitous && arp.src.proto_ipv4 == {TUNNEL}", "frame.time_epoch")]
            told = [each for each in told if each > cut]
            run.expect(told, "nobody was told of the takeover")
            times.append((told[0] - cut) * 1000)
            own.append(pair.ha("lb2")["groups"][0]["last_takeover_seconds"] * 1000)
            pair.net.mend("lb1")
            pair.balancers["lb1"].daemon.wait()
            pair.balancers["lb1"].start()
            pair.until_state("lb1", "active")
            pair.until_state("lb2", "backup")
            pair.until_flows_are_at("lb2")
            settle(0.5)
        reports = {each: running.stop() for each, running in long.items()}
        broken = {each: report["failed"] for each, report in reports.items()}
        run.figure(
            runs=runs, median_ms=round(statistics.median(times)), worst_ms=round(max(times)),
            median_since_last_sign_ms=round(statistics.median(own)), limit_ms=limit_ms,
            lasting=sum(report["connections"] for report in reports.values()), broken=broken,
        )  # fmt: skip
        run.expect(not any(broken.values()), f"connections broke: {broken}")


@case("pair_failover_100ms", runs=3, advert_interval="100ms", heartbeat=None, limit_ms=361, long=True)
@case("pair_failover_10ms", runs=3, advert_interval="10ms", heartbeat=None, limit_ms=45, long=True)
@case("pair_failover_heartbeats", runs=3, advert_interval="1s", heartbeat={"interval": "10ms", "lost_after": 3}, limit_ms=60)
@case("pair_failover_100ms_often", runs=20, advert_interval="100ms", heartbeat=None, limit_ms=361, long=True, alone=True)
@case("pair_failover_10ms_often", runs=20, advert_interval="10ms", heartbeat=None, limit_ms=45, long=True, alone=True)
@case("pair_failover_heartbeats_often", runs=20, advert_interval="1s", heartbeat={"interval": "10ms", "lost_after": 3}, limit_ms=60, long=True, alone=True)
def failover(run, runs, advert_interval, heartbeat, limit_ms):
    """All our processes on the active node are killed and its links cut, again and again: no connection breaks. How long until
    the other one has told the network is a figure."""
    _failovers(run, runs, advert_interval, heartbeat, limit_ms)


_BOTH_VERSIONS = ("nat_ipv4", "nat_ipv6", "ipip_4in4", "ipip_6in6", "direct_ipv4", "direct_ipv6")


@case("pair_failover_of_both_versions", runs=5, connections=170, long=True, alone=True)
@case("pair_failover_of_both_versions_often", runs=20, connections=170, long=True, alone=True)
def failover_of_both_versions(run, runs, connections):
    """1,020 connections over nat, tunnel and direct, IPv4 and IPv6, and wrk beside, while the active node dies again and again:
    none breaks, and wrk sees no failure."""
    ways = [WAYS[name] for name in _BOTH_VERSIONS]
    with _pair(run, ways=ways) as lab:
        pair = Pair(lab, run)
        for name, priority in (("lb1", 150), ("lb2", 100)):
            common = {"priority": priority, "advert_interval": "100ms", "sync_group": "all"}
            hosts = {version: [way.address for way in ways if way.version == version] for version in (4, 6)}
            groups = {
                "web": {"virtual_router_id": VRID, "addresses": [*hosts[4], BACK], **common},
                "six": {"virtual_router_id": VRID, "addresses": [*hosts[6], BACK_6], **common},
            }
            made = pair.configuration_for(name, ways, groups, **pair.paths(name), sync={})
            pair.balancers[name].start(made)
        for group in ("web", "six"):
            pair.until_state("lb1", "active", group)
            pair.until_state("lb2", "backup", group)
        for balancer in pair.balancers.values():
            balancer.wait_until_in_rotation()
        pair.until_flows_are_at("lb2")
        long = {way.name: lab.traffic.start_long(way.to(), connections, ports="1024-9999", interval_ms=100, timeout_ms=10000) for way in ways}
        times, beside = [], []
        for _ in range(runs):
            with concurrent.futures.ThreadPoolExecutor(1) as thread:
                load = thread.submit(lab.traffic.wrk, WAYS["nat_ipv4"].url(), connections=20, seconds=4)
                settle(1)
                pair.kill_everything("lb1")
                pair.until_state("lb2", "active", "six")
                pair.until_state("lb2", "active")
                beside.append(load.result())
            times += [round(group["last_takeover_seconds"] * 1000) for group in pair.ha("lb2")["groups"]]
            pair.net.mend("lb1")
            pair.balancers["lb1"].daemon.wait()
            pair.balancers["lb1"].start()
            for group in ("web", "six"):
                pair.until_state("lb1", "active", group)
                pair.until_state("lb2", "backup", group)
            pair.until_flows_are_at("lb2")
            settle(0.5)
        broken = {name: running.stop()["failed"] for name, running in long.items()}
        failed = sum(each["failed"] for each in beside)
        run.figure(
            runs=runs, median_ms=round(statistics.median(times)), worst_ms=max(times), lasting=connections * len(ways),
            broken=broken, wrk_requests=sum(each["requests"] for each in beside), wrk_failed=failed,
        )  # fmt: skip
        run.expect(not any(broken.values()), f"connections broke: {broken}")
        run.expect(failed == 0, f"wrk counts failures: {beside}")


@case("pair_keeps_still_under_load", seconds=600, long=True, alone=True)
def keeps_still_under_load(run, seconds):
    """Adverts and heartbeats of 10 ms for ten minutes with more to do than both cores can: nobody takes over."""
    with _pair(run) as lab:
        pair = Pair(lab, run)
        _start_both(pair, group={"advert_interval": "10ms"}, heartbeat={"interval": "10ms"})
        pair.balancers["lb1"].wait_until_in_rotation()
        before = {name: pair.ha(name)["groups"][0]["transitions"] for name in NODES}
        load = lab.traffic.start_short(lab.to("tunnel"), parallel=64)
        burners = [lab.net.client.spawn("sh", "-c", "while :; do :; done") for _ in range(4)]
        settle(seconds)
        for burner in burners:
            process.end(burner)
        report = load.stop()
        shown = {name: pair.ha(name) for name in NODES}
        after = {name: shown[name]["groups"][0]["transitions"] for name in NODES}
        run.figure(
            seconds=seconds, connections=report["connections"], failed=report["failed"],
            late_ms={name: round(each["late_seconds"] * 1000, 2) for name, each in shown.items()},
            path_losses={name: sum(path["losses"] for path in each["paths"]) for name, each in shown.items()},
        )  # fmt: skip
        run.expect(before == after, f"states changed under load: {before}, {after}")


@case("pair_astild_crashes")
def astild_crashes(run):
    """kill -9 of astild alone on the active node, and a new start: the addresses stay, and no connection breaks. Where it does
    not come back, the other node gets them after `hold`."""
    with _pair(run) as lab:
        pair = Pair(lab, run)
        _start_both(pair, heartbeat={}, hold="3s")
        pair.balancers["lb1"].wait_until_in_rotation()
        long = lab.traffic.start_long(lab.to("tunnel"), 200, interval_ms=50, timeout_ms=5000)
        before = next(iter(pair.ha("lb2")["groups"]))["transitions"]
        pair.balancers["lb1"].crash()
        settle(1)
        run.expect(pair.has("lb1", TUNNEL), "the address went with astild")
        pair.balancers["lb1"].start()
        pair.until_state("lb1", "active")
        settle(0.5)
        after = next(iter(pair.ha("lb2")["groups"]))["transitions"]
        run.expect(before == after, "the other node noticed a crash of astild")
        report = long.stop()
        run.figure(lasting=report["connections"], answers=report["answers"], failed=report["failed"])
        run.expect(report["failed"] == 0, f"connections broke: {report}")
        pair.balancers["lb1"].crash()
        begun = time.monotonic()
        pair.until_state("lb2", "active")
        run.figure(left_after_ms=round((time.monotonic() - begun) * 1000))
        process.until(lambda: not pair.election_pids("lb1"), "astil-vrrp ends when astild does not come back")
        run.expect(not pair.has("lb1", TUNNEL), "both nodes have the address")


@case("pair_election_is_killed")
def election_is_killed(run):
    """kill -9 of astil-vrrp on the active node: its guardian removes the addresses, the other node takes over, and astild
    starts another."""
    with _pair(run, backends=1) as lab:
        pair = Pair(lab, run)
        _start_both(pair, group={"preempt": "false"})
        (election,) = [pid for pid, name in pair.election_pids("lb1").items() if name == "astil-vrrp"]
        process.kill(election)
        process.until(lambda: not pair.has("lb1", TUNNEL), "the guardian removes the address", 2)
        pair.until_state("lb2", "active")
        pair.until_state("lb1", "backup")
        run.expect(pair.has("lb2", TUNNEL) and not pair.has("lb1", TUNNEL), "not just one node has the address")
        run.expect(pair.ha("lb1")["starts"] == 2, "astild did not start astil-vrrp again")
        (guardian,) = [pid for pid, name in pair.election_pids("lb2").items() if name == "astil-vrrp-grd"]
        process.kill(guardian)
        process.until(
            lambda: [p for p, name in pair.election_pids("lb2").items() if name == "astil-vrrp-grd" and p != guardian],
            "a new guardian",
        )
        run.expect(pair.states("lb2")["web"] == "active", "a guardian's death changed the state")


@case("pair_detach_after_all_were_killed")
@case("pair_detach_after_all_were_killed_virtual_mac", virtual_mac="true")
def detach_after_all_were_killed(run, **group):
    """kill -9 of all our processes, the guardian too: `astil detach` removes the group's addresses all the same, those that are no
    service's as well, and so does a start without `ha`. What somebody else has put there stays."""
    with _pair(run, backends=1) as lab:
        pair = Pair(lab, run)
        node, other = pair.net.nodes["lb1"], "192.0.2.99"

        def left(*moving):
            devices = process.run(["ip", "-n", node.name, "-o", "link", "show", "type", "macvlan"]).stdout.splitlines()
            return [address for address in moving if pair.has("lb1", address)] + devices

        def kill():
            pids = [*pair.election_pids("lb1"), pair.balancers["lb1"].daemon.pid]
            for pid in pids:
                process.kill(pid)
            pair.balancers["lb1"].daemon.wait()
            process.until(lambda: not pair.election_pids("lb1"), "all processes are gone")
            run.expect(BACK in left(BACK), "the gateway's address is gone already")

        node.ip(f"address add {other}/32 dev eth0")
        alone = {key: value for key, value in pair.configuration("lb1", {}).items() if key != "ha"}
        for end in ("detach", "start"):
            _start(pair, "lb1", (TUNNEL, BACK), group={"advert_interval": "100ms", **group})
            pair.until_state("lb1", "active")
            kill()
            if end == "detach":
                pair.balancers["lb1"].astil("detach")
                run.expect(not left(TUNNEL, BACK), f"after detach: {left(TUNNEL, BACK)}")
            else:
                pair.balancers["lb1"].start(alone)
                run.expect(not left(BACK), f"after a start alone: {left(BACK)}")
            run.expect(pair.has("lb1", other), "an address of somebody else's was removed")
        run.expect(pair.has("lb1", TUNNEL), "alone, the balancer is without its address")


@case("pair_configured_differently")
def configured_differently(run):
    """Nodes whose services differ say so, both, until they are alike again."""
    with _pair(run, backends=2) as lab:
        pair = Pair(lab, run)
        _start_both(pair, heartbeat={})

        def until_alike(wanted):
            process.until(
                lambda: all(pair.ha(name)["same_configuration"] is wanted for name in NODES), f"both nodes say {wanted}", 10
            )

        def change(name, priority):
            groups = pair.group((TUNNEL,), priority=priority, advert_interval="100ms")
            config = pair.configuration(name, groups, **pair.paths(name))
            config["services"]["tunnel"]["backends"]["b1"]["weight"] = 7
            pair.balancers[name].apply(config)

        until_alike(True)
        change("lb1", 150)
        until_alike(False)
        for name in NODES:
            problems = [each["what"] for each in pair.balancers[name].status()["problems"]]
            run.expect(any("not configured as on the other node" in each for each in problems), f"{name} has no problem: {problems}")
        change("lb2", 100)
        until_alike(True)


@case("pair_split")
def split(run):
    """The nodes do not hear each other, and both reach the clients: both are active, which both notice by what they tell the
    network. When they hear each other again, one is."""
    with _pair(run, backends=1) as lab:
        pair = Pair(lab, run)
        for name, priority in (("lb1", 150), ("lb2", 100)):
            other = NODES[1 - NODES.index(name)]
            group = {"priority": priority, "advert_interval": "100ms", "adverts": "unicast", "peers": [OWN[other]]}
            _start(pair, name, group=group)
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        others = {name: OWN[NODES[1 - NODES.index(name)]] for name in NODES}
        for name, node in pair.net.nodes.items():  # what they say to each other goes astray
            node.ip(f"neighbour replace {others[name]} lladdr 02:00:00:00:00:99 nud permanent dev eth0")
        pair.until_state("lb2", "active")
        begun = time.monotonic()
        two = lambda name: any(group["two_active"] for group in pair.ha(name)["groups"])
        process.until(lambda: two("lb1"), "the alarm on the one that was active")
        run.figure(alarm_after_ms=round((time.monotonic() - begun) * 1000))
        problems = [problem["what"] for problem in pair.balancers["lb1"].status()["problems"]]
        run.expect(any("on another node" in what for what in problems), f"the status tells nothing: {problems}")
        for name, node in pair.net.nodes.items():
            node.ip(f"neighbour del {others[name]} dev eth0")
        begun = time.monotonic()
        pair.until_state("lb2", "backup")
        run.figure(one_after_ms=round((time.monotonic() - begun) * 1000))
        run.expect(pair.states("lb1")["web"] == "active", "the lower priority has won")
        run.expect(pair.has("lb1", TUNNEL) and not pair.has("lb2", TUNNEL), "not just one node has the address")


@case("pair_split_under_load", long=True)
def split_under_load(run):
    """The nodes do not hear each other for six seconds, and both reach clients and backends, with connections of each forwarding
    from before and ones that begin meanwhile: how many break, by when they began and by forwarding, and why.

    Those from before are known to both nodes. Those that begin meanwhile are known to one; the other one places them by the
    ring, which is the same there, so that they go to the same backend. Under full NAT it can not place them, since it does not
    know their ports: where both nodes have given one port away, one of its two connections breaks."""
    ways = [WAYS[name] for name in (*_BOTH_VERSIONS, "full_nat_ipv4", "full_nat_ipv6")]
    own = {4: OWN, 6: OWN_6}
    more = {4: [BACK, PORT_SOURCE], 6: [BACK_6, PORT_SOURCE_6]}
    with _pair(run, ways=ways) as lab:
        pair = Pair(lab, run)
        for name, priority in (("lb1", 150), ("lb2", 100)):
            other = NODES[1 - NODES.index(name)]
            common = {"virtual_router_id": VRID, "priority": priority, "advert_interval": "100ms", "adverts": "unicast", "sync_group": "all"}
            groups = {
                group: {"addresses": [*(way.address for way in ways if way.version == version), *more[version]], "peers": [own[version][other]], **common}
                for group, version in (("web", 4), ("six", 6))
            }
            pair.balancers[name].start(pair.configuration_for(name, ways, groups, **pair.paths(name), sync={}))
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        for balancer in pair.balancers.values():
            balancer.wait_until_in_rotation()
        pair.until_flows_are_at("lb2")
        start = lambda ports: {way.name: lab.traffic.start_long(way.to(), 100, ports=ports, interval_ms=100, timeout_ms=10000) for way in ways}
        long = {"before": start("1024-9999")}
        settle(0.5)
        others = {name: [own[version][NODES[1 - NODES.index(name)]] for version in own] for name in NODES}
        for name, node in pair.net.nodes.items():  # what they say to each other goes astray
            node.ip(*(f"neighbour replace {other} lladdr 02:00:00:00:00:99 nud permanent dev eth0" for other in others[name]))
        pair.net.nodes["lb1"].ip("link set eth1 down")
        pair.until_state("lb2", "active")
        run.expect(pair.states("lb1")["web"] == "active", "the higher priority has given up")
        long["meanwhile"] = start("10000-19999")
        settle(6)
        for name, node in pair.net.nodes.items():
            node.ip(*(f"neighbour del {other} dev eth0" for other in others[name]))
        pair.net.nodes["lb1"].ip("link set eth1 up")
        pair.until_state("lb2", "backup")
        pair.until_flows_are_at("lb1")
        settle(1)
        broken = {when: {each: running.stop()["failed"] for each, running in runs.items()} for when, runs in long.items()}
        records = {name: {each["what"]: each["count"] for each in pair.ha(name)["sync"]["records"] if each["count"]} for name in NODES}
        run.figure(broken=broken, records=records, conflicts={name: pair.ha(name)["groups"][0]["conflicts"] for name in NODES})
        run.expect(not any(broken["before"].values()), f"connections that both nodes knew broke: {broken}")
        placed_alike = [count for way, count in broken["meanwhile"].items() if not WAYS[way].hides_clients]
        run.expect(not any(placed_alike), f"connections that the rings place alike broke: {broken}")


@case("pair_hostile_packets")
def hostile_packets(run):
    """VRRP packets of every wrong kind: dropped, counted by reason, and nothing changes. With authentication also those that
    anybody could make, and recorded ones."""
    with _pair(run, backends=1) as lab:
        pair = Pair(lab, run)
        _start_both(pair, group={"authenticate": "true"}, heartbeat={})
        before = {name: pair.ha(name)["groups"][0]["transitions"] for name in NODES}
        script = paths.ROOT / "tests" / "lab" / "harness" / "vrrp_packets.py"
        sent = lab.net.client.run("python3", script, _CLIENT, "224.0.0.18", VRID, TUNNEL, "--unauthenticated").stdout.split()
        expected = {reason: sent.count(reason) for reason in sent}

        def counted(name):
            shown = pair.ha(name)
            everything = [*shown["drops"], *(drop for group in shown["groups"] for drop in group["drops"])]
            return {reason: sum(drop["count"] for drop in everything if drop["reason"] == reason) for reason in expected}

        for name in NODES:
            process.until(lambda name=name: counted(name) == expected, f"{name} counts {expected}: {counted(name)}", 5)
        # What lb1 said, said again by somebody else in its name.
        lab.net.switch.run("python3", script.parent / "say_again.py", "balancer2", 5)
        again = lambda: {drop["reason"]: drop["count"] for drop in pair.ha("lb2")["groups"][0]["drops"]}["replayed"]
        process.until(lambda: again() >= 5, "lb2 drops what was said before", 5)
        after = {name: pair.ha(name)["groups"][0]["transitions"] for name in NODES}
        run.expect(before == after, f"states changed: {before}, {after}")
        run.figure(dropped=expected)


def _metrics(pair, name):
    socket = f"/run/astil/{pair.balancers[name].instance}.sock"
    return process.run(["curl", "--silent", "--unix-socket", socket, "http://localhost/metrics"]).stdout


def _tracks(pair, name, group="web"):
    (shown,) = [each for each in pair.ha(name)["groups"] if each["name"] == group]
    return {track["name"]: track for track in shown["tracks"]}


@case("pair_tracks_gateway_and_script")
@case("pair_tracks_a_script_that_hangs", hangs=True, long=True)
def tracks_gateway_and_script(run, hangs=False):
    """A gateway that is asked and a command that is run take from the priority while they fail, one that hangs too, and give
    it back; status, events and metrics name which. An astild that starts anew moves nothing."""
    with _pair(run, backends=1) as lab:
        pair = Pair(lab, run)
        script = pair.directory / "script"
        ways = pair.directory / "way"
        ways.write_text("exit 0")
        script.write_text(f'#!/bin/sh\n[ -z "$ASTIL_ADDRESS" ] || exit 9\n. {ways}\n')
        script.chmod(0o755)
        often = {"interval": "100ms", "timeout": "90ms", "rise": 1, "fall": 2, "subtract": 60}
        patient = {**often, "interval": "500ms", "timeout": "400ms", "fall": 1}
        track = {"gateway": {"type": "gateway", "address": _CLIENT, **often, "fall": 5}, "script": {"type": "exec", "command": [str(script)], **patient}}
        _start(pair, "lb1", group={"priority": 150, "advert_interval": "100ms", "track": track})
        _start(pair, "lb2", group={"priority": 100, "advert_interval": "100ms"})
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        begun = pair.ha("lb1")["groups"][0]["transitions"]
        pair.balancers["lb1"].crash()
        pair.balancers["lb1"].start()
        process.until(lambda: {each["state"] for each in _tracks(pair, "lb1").values()} == {"well"}, "both are well again")
        run.expect(pair.ha("lb1")["groups"][0]["transitions"] == begun, "an astild that started anew moved the addresses")
        reasons = {}

        def fails(which, break_it, mend):
            break_it()
            pair.until_state("lb2", "active")
            pair.until_state("lb1", "backup")
            shown = _tracks(pair, "lb1")[which]
            reasons[which] = shown["error"]
            run.expect(shown["state"] == "failing" and shown["subtracts"] and shown["error"], f"{which} is not shown to fail: {shown}")
            problems = [each["what"] for each in pair.balancers["lb1"].status()["problems"]]
            run.expect(any(f"track '{which}' fails" in each for each in problems), f"no problem names {which}: {problems}")
            metric = f'astil_ha_track_well{{group="web",track="{which}"}} 0'
            run.expect(metric in _metrics(pair, "lb1"), f"no metric says {metric}")
            mend()
            pair.until_state("lb1", "active")
            pair.until_state("lb2", "backup")

        node = pair.net.nodes["lb1"]
        lost = "02:00:00:00:00:99"
        fails("gateway", lambda: node.ip(f"neighbour replace {_CLIENT} lladdr {lost} nud permanent dev eth0"), lambda: node.ip(f"neighbour del {_CLIENT} dev eth0"))
        fails("script", lambda: ways.write_text("echo not today; exit 3"), lambda: ways.write_text("exit 0"))
        run.expect(reasons["script"] == "exit status 3: not today", f"the script's words are lost: {reasons}")
        if hangs:
            fails("script", lambda: ways.write_text("sleep 600"), lambda: ways.write_text("exit 0"))
            run.expect("timeout after 400ms" in reasons["script"], f"what hangs is called: {reasons}")
        told = [(each["track"], each["after"]) for each in pair.balancers["lb1"].query("events", "--limit", "1000")["events"] if each["kind"] == "track"]
        wanted = [("gateway", "failing"), ("gateway", "well"), ("script", "failing"), ("script", "well")]
        run.expect(set(wanted) <= set(told), f"events lack some: {told}")
        run.figure(errors=reasons)


@case("pair_follows_what_is_tracked")
def follows_what_is_tracked(run):
    """A file and an interface that are tracked take from the priority, so that the other node takes over, and give it back; the
    hook is told of each change."""
    with _pair(run, backends=1) as lab:
        pair = Pair(lab, run)
        flag = pair.directory / "well"
        flag.write_text("1\n")
        told = pair.directory / "told"
        hook = pair.directory / "hook"
        hook.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
        hook.chmod(0o755)
        track = {"flag": {"type": "file", "file": str(flag), "subtract": 100}, "cable": {"type": "interface", "interface": "eth1", "subtract": 100}}
        _start(pair, "lb1", group={"priority": 150, "advert_interval": "100ms", "track": track}, notify=str(hook))
        _start(pair, "lb2", group={"priority": 100, "advert_interval": "100ms"})
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        flag.write_text("0\n")
        pair.until_state("lb2", "active")
        pair.until_state("lb1", "backup")
        flag.write_text("1\n")
        pair.until_state("lb1", "active")
        pair.net.nodes["lb1"].ip("link set eth1 down")
        pair.until_state("lb2", "active")
        pair.net.nodes["lb1"].ip("link set eth1 up")
        pair.until_state("lb1", "active")
        lines = ["web backup 150", "web active 150", "web backup 50", "web active 150"]
        process.until(lambda: told.exists() and set(lines) <= set(told.read_text().splitlines()), "the hook is told")
