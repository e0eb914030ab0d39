"""What leaves the balancer in both versions of IP, as the wire has it: tshark judges addresses, headers and checksums,
and how the outer headers of tunnels spread flows."""

import ipaddress

from harness.capture import capture
from harness.case import case
from harness.topology import BACK, BACK_6, NOBODYS_NET, NOBODYS_NET_6
from harness.ways import GUE_PORT, KINDS, WAYS

_TTL = "63"  # a balancer takes one off the client's 64, as every router does: RFC 1812, section 5.3.1
_OUTER_TTL = "64"
_ETHERNET = 14
_GUE_PORTS = range(49152, 65536)  # RFC 6335: the dynamic ones
_FLOWS = 200

# Of each version of IP: the names of source, destination, hops left, what comes next, length.
_HEADER = {
    4: ("ip.src", "ip.dst", "ip.ttl", "ip.proto", "ip.len"),
    6: ("ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.nxt", "ipv6.plen"),
}
_PORTS = ("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport")
_FIELDS = ("frame.len", "eth.dst", *_HEADER[4], *_HEADER[6], *_PORTS)
_TCP, _UDP = "6", "17"
_IN_IP = {4: "4", 6: "41"}


def _outer(packet, way):
    return [packet[field][0] for field in _HEADER[way.outer]]


def _inner(packet, way):
    """Where there is no tunnel, the only header."""
    return [packet[field][-1] for field in _HEADER[way.version]]


def _to_backend(run, way, packets, target):
    """The packets whose inner destination is `target`; there are some."""
    found = [packet for packet in packets if packet[_HEADER[way.version][1]][-1:] == [target]]
    run.expect(found, f"{way}: no packet came to {target}")
    return found


def _expect_rewritten(run, way, packets, server, mac):
    """nat: the backend's address and port; full-nat: the client's too. direct: the backend's MAC address. Both: a hop less, and nothing else."""
    target, port = (server.addresses[way.version], "8080") if way.rewrites else (way.address, "80")
    wanted = [mac, way.shown_as(way.client), target, _TTL, _TCP, port]
    for packet in _to_backend(run, way, packets, target):
        seen = [packet["eth.dst"][0], *_inner(packet, way)[:4], packet["tcp.dstport"][0]]
        run.expect(seen == wanted, f"{way}: {seen}, not {wanted}")


def _expect_tunnelled(run, way, packets, server, mac):
    """The outer header leads from the balancer to the backend, and says what is in it; the inner one has a hop less."""
    back = BACK if way.outer == 4 else BACK_6
    protocol = _UDP if way.encapsulation == "gue" else _IN_IP[way.version]
    wanted = [mac, back, server.addresses[way.outer], _OUTER_TTL, protocol, way.client, way.address, _TTL, _TCP, "80"]
    for packet in _to_backend(run, way, packets, way.address):
        *outer, outer_length = _outer(packet, way)
        *inner, inner_length = _inner(packet, way)
        seen = [packet["eth.dst"][0], *outer, *inner, packet["tcp.dstport"][0]]
        run.expect(seen == wanted, f"{way}: {seen}, not {wanted}")
        # IPv4 counts its own header, IPv6 does not.
        inside = int(inner_length) + (40 if way.version == 6 else 0)
        outside = int(outer_length) + (40 if way.outer == 6 else 0)
        sizes = (int(packet["frame.len"][0]) - _ETHERNET, outside)
        run.expect(sizes == (inside + way.outer_length,) * 2, f"{way}: {inside} bytes are in a packet of {sizes}")


def _expect_replies(run, way, packets):
    """On the client's side, from the service's address; by the balancer, which costs a hop, under nat and full-nat alone."""
    seen = {
        tuple(header[:3]) for packet in packets if packet[_HEADER[way.version][0]] and (header := _inner(packet, way))
    }
    replies = {header for header in seen if header[0] == way.address}
    wanted = {(way.address, way.client, _TTL)} if way.rewrites else set()
    run.expect(replies == wanted, f"{way}: replies on the client's side: {replies}")


def _on_the_wire(run, ways):
    """Every packet that leaves the balancer has the right addresses, headers and checksums, on both sides."""
    with run.lab(backends=1, ways=ways) as lab:
        lab.start_balancer_for(ways, health=None)
        server = lab.servers["b1"]
        with (
            capture(lab.net.switch, "b1", lab.directory / "backend.pcapng") as back,
            capture(lab.net.client, "eth0", lab.directory / "client.pcapng") as front,
        ):
            for way in ways:
                small = lab.traffic.short(way.to(), connections=50, source=way.client)
                run.expect(small["failed"] == 0, f"{way}: connections failed: {small}")
                lab.traffic.curl(way.url("/1m"), "--interface", way.client, "-o", "/dev/null")
        seen = {name: wire.packets("tcp", *_FIELDS) for name, wire in (("back", back), ("front", front))}
        run.figure(**{f"{name}_frames": len(packets) for name, packets in seen.items()})
        for way in ways:
            mac = lab.balancer.backends(way.name)["b1"]["next_hop"]["mac"]
            judge = _expect_tunnelled if way.forwarding == "tunnel" else _expect_rewritten
            judge(run, way, seen["back"], server, mac)
            _expect_replies(run, way, seen["front"])
        complaints = back.complaints() + front.complaints()
        run.expect(not complaints, f"tshark complains: {complaints[:5]}")


for _kind, _ways in KINDS.items():
    case(f"packets_both_versions_{_kind}", ways=_ways)(_on_the_wire)


def _outer_ends(run, way, packets):
    """Of each flow to the way's service: the outer source, and of GUE the outer source port."""
    ends = {}
    for packet in _to_backend(run, way, packets, way.address):
        ends.setdefault(packet["tcp.srcport"][0], set()).add((_outer(packet, way)[0], *packet["udp.srcport"]))
    run.expect(len(ends) >= _FLOWS, f"{way}: only {len(ends)} flows were seen")
    unsteady = [found for found in ends.values() if len(found) != 1]
    run.expect(not unsteady, f"{way}: a flow has several outer ends: {unsteady[:3]}")
    return [next(iter(found)) for found in ends.values()]


def _expect_spread_ports(run, way, ends):
    ports = {int(port) for _, port in ends}
    run.figure(**{f"{way}_ports": len(ports)})
    run.expect(all(port in _GUE_PORTS for port in ports), f"{way}: source ports are {sorted(ports)[:3]}, ...")
    # By chance a few of 200 flows share one of 16,384.
    run.expect(len(ports) > 0.9 * len(ends), f"{way}: {len(ends)} flows have {len(ports)} outer source ports")


def _expect_spread_sources(run, way, ends, prefix):
    sources = {ipaddress.ip_address(source) for source, *_ in ends}
    run.figure(**{f"{way}_flows": len(ends), f"{way}_sources": len(sources)})
    foreign = [source for source in sources if source not in prefix]
    run.expect(not foreign, f"{way}: sources outside {prefix}: {foreign[:3]}")
    # By chance two of 200 flows may share one of 65,536.
    run.expect(len(sources) > 0.95 * len(ends), f"{way}: {len(ends)} flows have {len(sources)} outer sources")


def _ends_of_flows(run, lab, ways):
    """The outer ends of so many flows, by way."""
    with capture(lab.net.switch, "b1", lab.directory / "backend.pcapng") as wire:
        for way in ways:
            report = lab.traffic.short(way.to(), connections=_FLOWS, source=way.client)
            run.expect(report["failed"] == 0, f"{way}: connections failed: {report}")
    complaints = wire.complaints()
    run.expect(not complaints, f"tshark complains: {complaints[:5]}")
    packets = wire.packets("tcp", *_FIELDS)
    to_ports = {port for packet in packets for port in packet["udp.dstport"]}
    run.expect(to_ports == {str(GUE_PORT)}, f"GUE came to ports {to_ports}")
    return {way: _outer_ends(run, way, packets) for way in ways}


@case("outer_sources_are_made_up_in_their_prefix")
def outer_sources_are_made_up_in_their_prefix(run):
    """With `tunnel.source` each flow has an outer source of its own in that prefix, and under GUE a port of its own."""
    ways = [WAYS[name] for name in ("ipip_4in4", "ipip_4in6", "gue_6in4", "gue_6in6")]
    prefixes = {4: ipaddress.ip_network(NOBODYS_NET), 6: ipaddress.ip_network(NOBODYS_NET_6)}
    with run.lab(backends=1, ways=ways) as lab:
        config = lab.configuration_for(ways, health=None)
        for way in ways:
            config["services"][way.name]["tunnel"]["source"] = prefixes[way.outer]
        lab.balancer.start(config)
        lab.balancer.wait_until_in_rotation()
        for way, ends in _ends_of_flows(run, lab, ways).items():
            _expect_spread_sources(run, way, ends, prefixes[way.outer])
            if way.encapsulation == "gue":
                _expect_spread_ports(run, way, ends)


@case("gue_source_ports_differ_between_flows")
def gue_source_ports_differ_between_flows(run):
    """Without `tunnel.source` GUE comes from the balancer's own address, and from another port for each flow."""
    ways = KINDS["gue"]
    with run.lab(backends=1, ways=ways) as lab:
        lab.start_balancer_for(ways, health=None)
        for way, ends in _ends_of_flows(run, lab, ways).items():
            sources = {source for source, _ in ends}
            run.expect(sources == {BACK if way.outer == 4 else BACK_6}, f"{way}: GUE came from {sources}")
            _expect_spread_ports(run, way, ends)
