"""A virtual router's MAC address, which moves with the addresses: what stations and switches see of it, and what becomes of
connections (RFC 9568 section 7.3)."""

from harness import process
from harness.capture import capture
from harness.case import case
from harness.pair import NODES, ROUTER_MACS, Pair, PairNet, all_from, settle
from harness.topology import BACK, BACK_6
from harness.ways import WAYS

_WAYS = [WAYS[name] for name in ("nat_ipv4", "nat_ipv6", "ipip_4in4", "ipip_6in6", "direct_ipv4", "direct_ipv6")]
_GROUPS = {"web": 4, "six": 6}


def _start(pair):
    for name, priority in (("lb1", 150), ("lb2", 100)):
        common = {"virtual_router_id": 51, "priority": priority, "advert_interval": "100ms", "sync_group": "all", "virtual_mac": "true"}
        hosts = {version: [way.address for way in _WAYS if way.version == version] for version in (4, 6)}
        groups = {"web": {"addresses": [*hosts[4], BACK], **common}, "six": {"addresses": [*hosts[6], BACK_6], **common}}
        made = pair.configuration_for(name, _WAYS, groups, **pair.paths(name), sync={})
        pair.balancers[name].start(made)
    pair.until_ready(*_GROUPS)


def _devices(pair, name):
    """The node's devices of virtual routers, by IP version."""
    shown = process.run(["ip", "-n", pair.net.nodes[name].name, "-o", "link", "show", "type", "macvlan"]).stdout
    return {version: "UP" in line.split("<")[1].split(">")[0].split(",") for line in shown.splitlines() for version in (4, 6) if f"vr{version}-51-" in line}


def _port_of(lab, mac):
    """The switch's port that it sends frames for the station to."""
    shown = process.run(["bridge", "-n", lab.net.switch.name, "fdb", "show", "br", "br0"]).stdout
    return next((line.split()[2] for line in shown.splitlines() if line.startswith(mac) and "permanent" not in line), None)


def _macs_at_client(lab):
    """What the client's kernel has as the MAC address of each service, by IP version."""
    shown = lab.net.client.run("ip", "neighbour", "show", "dev", "eth0").stdout
    known = {line.split()[0]: line.split()[line.split().index("lladdr") + 1] for line in shown.splitlines() if "lladdr" in line}
    return {version: {known[way.address] for way in _WAYS if way.version == version and way.address in known} for version in (4, 6)}


def _judge_macs(run, lab, port):
    found = _macs_at_client(lab)
    run.expect(found == {version: {mac} for version, mac in ROUTER_MACS.items()}, f"services are elsewhere for the client: {found}")
    for mac in ROUTER_MACS.values():
        run.expect(_port_of(lab, mac) == port, f"the switch has {mac} at {_port_of(lab, mac)}, not at {port}")


@case("pair_virtual_mac")
def virtual_mac(run):
    """Services, and the backends' gateway, have the virtual router's MAC address before and after a node dies, its link is down
    and up again, and its election is killed; the switch learns where it is from the adverts, and no connection breaks."""
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        with capture(lab.net.client, "eth0", run.directory / "mac.pcapng", "arp or icmp6 or proto 112 or ip6 proto 112") as taken:
            _start(pair)
            long = {way.name: lab.traffic.start_long(way.to(), 50, ports="1024-9999", interval_ms=100, timeout_ms=10000) for way in _WAYS}
            _judge_macs(run, lab, "balancer")
            run.expect(_devices(pair, "lb1") == {4: True, 6: True}, f"devices of the active node: {_devices(pair, 'lb1')}")
            run.expect(_devices(pair, "lb2") == {4: False, 6: False}, f"devices of the backup: {_devices(pair, 'lb2')}")
            pair.kill_everything("lb1")
            _wait(pair, "lb2")
            settle(0.5)
            _judge_macs(run, lab, "balancer2")
            pair.net.mend("lb1")
            pair.balancers["lb1"].daemon.wait()
            pair.balancers["lb1"].start()
            pair.until_active("lb1", *_GROUPS)
            pair.until_flows_are_at("lb2")
            _judge_macs(run, lab, "balancer")
            pair.net.cut("lb1")
            _wait(pair, "lb2")
            settle(0.5)
            pair.net.mend("lb1")
            pair.until_active("lb1", *_GROUPS)
            pair.until_flows_are_at("lb2")
            (election,) = [pid for pid, name in pair.election_pids("lb1").items() if name == "astil-vrrp"]
            process.kill(election)
            _wait(pair, "lb2")
            pair.until_active("lb1", *_GROUPS)
            pair.until_flows_are_at("lb2")
            settle(0.5)
            _judge_macs(run, lab, "balancer")
            reports = {name: running.stop() for name, running in long.items()}
        for version, addresses in ((4, "ip"), (6, "ipv6")):
            all_from(run, taken, f"vrrp && {addresses} && !icmp && !icmpv6", ROUTER_MACS[version])
        services = {version: [way.address for way in _WAYS if way.version == version] for version in (4, 6)}
        for address in services[4]:
            all_from(run, taken, f"arp.src.proto_ipv4 == {address}", ROUTER_MACS[4])
        for address in services[6]:
            all_from(run, taken, f"icmpv6.type == 136 && icmpv6.nd.na.target_address == {address}", ROUTER_MACS[6])
        wrong = taken.rows("vrrp && (_ws.malformed || vrrp.checksum.status == 0 || ip.checksum.status == 0)", "frame.number")
        run.expect(not wrong, f"tshark finds these wrong: {wrong}")
        broken = {name: report["failed"] for name, report in reports.items()}
        run.figure(lasting=sum(report["connections"] for report in reports.values()), broken=broken)
        run.expect(not any(broken.values()), f"connections broke: {broken}")
        for name in NODES:
            pair.balancers[name].astil("detach")
            process.until(lambda name=name: not _devices(pair, name), f"{name} leaves no device behind")


def _wait(pair, name):
    for group in _GROUPS:
        pair.until_state(name, "active", group)
