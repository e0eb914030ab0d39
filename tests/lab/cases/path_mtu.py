"""Paths that are narrower than the links at their ends: whoever sends packets that are too long learns it by ICMP, which
comes through the balancer, and the transfer goes on with smaller ones."""

from harness.capture import ERRORS, EVERYTHING, TOO_LONG, capture
from harness.case import case
from harness.servers import files
from harness.topology import CLIENT_NET, CLIENT_NET_6, far_address, far_address_6
from harness.traffic import Traffic
from harness.transfers import digest, download, upload
from harness.ways import KINDS, WAYS

_NARROW = 1400
_ETHERNET = 14
_ENDS = {4: ("ip.src", "ip.dst"), 6: ("ipv6.src", "ipv6.dst")}
_MTU = {4: "icmp.mtu", 6: "icmpv6.mtu"}
_FIELDS = ("frame.len", *_ENDS[4], *_ENDS[6], *_MTU.values())


def _far(way):
    """The far client's address that is the way's alone, since servers remember what they learn of an address."""
    return (far_address if way.version == 4 else far_address_6)(way.number)


def _lessons(wire, version):
    """Of each error about a packet that was too long: to whom it went, the ends of that packet, and the MTU."""
    sources, targets = _ENDS[version]
    return [
        # The header in front of the error, and behind it the one that it quotes.
        (packet[targets][-2], (packet[sources][-1], packet[targets][-1]), int(packet[_MTU[version]][-1]))
        for packet in wire.packets(TOO_LONG, *_FIELDS)
        if packet[_MTU[version]]
    ]


def _expect_lesson(run, way, wire, sender, receiver, mtu=_NARROW):
    """`sender` was told of packets that it had sent to `receiver`, as it knows those, and nobody else was."""
    told = [lesson for lesson in _lessons(wire, way.version) if receiver in lesson[1]]
    run.figure(**{f"{way}_told": len(told)})
    wanted = {(sender, (sender, receiver), mtu)}
    run.expect(set(told) == wanted, f"{way}: of packets to {receiver} was told {set(told)}, not {wanted}")


def _to_backend(lab):
    """A capture of the errors that go to the backend's host."""
    towards = lab.net.backends["b1"].towards("eth0", ERRORS)
    return capture(lab.net.switch, "b1", lab.directory / "lessons.pcapng", towards)


def _to_client(lab):
    return capture(lab.net.client, "eth0", lab.directory / "lessons.pcapng", lab.net.client.towards("eth0", ERRORS))


def _expect_no_complaint(run, wire):
    complaints = wire.complaints()
    run.expect(not complaints, f"tshark complains: {complaints[:5]}")


def _expect_transfers(run, lab, ways, transfer, source=lambda way: None):
    large = files() / "1m"
    wanted = digest(large)
    for way in ways:
        wrong = transfer(lab, way, large, wanted, source=source(way))
        run.expect(not wrong, f"{way}: {wrong}")


@case("servers_learn_of_a_narrow_way_to_clients")
def servers_learn_of_a_narrow_way_to_clients(run):
    """A router near the clients carries less: its errors, which go to the service's address, reach the server that has
    the connection, by every forwarding and tunnel."""
    ways = list(WAYS.values())
    with run.lab(backends=1, ways=ways) as lab:
        far = lab.net.add_far_client(_NARROW, [way.number for way in ways])
        lab.traffic = Traffic(far, lab.directory / "client.log")
        lab.start_balancer_for(ways)
        with _to_backend(lab) as wire:
            _expect_transfers(run, lab, ways, download, _far)
            _expect_transfers(run, lab, ways, upload, _far)
        _expect_no_complaint(run, wire)
        for way in ways:
            server = lab.servers["b1"].addresses[way.version] if way.rewrites else way.address
            _expect_lesson(run, way, wire, server, way.shown_as(_far(way)))


@case("clients_learn_of_a_narrow_way_to_servers")
def clients_learn_of_a_narrow_way_to_servers(run):
    """Under nat and full-nat, a router near the servers carries less: its errors reach the client, as about packets to the service."""
    ways = KINDS["nat"] + KINDS["full_nat"]
    with run.lab(backends=1, ways=ways) as lab:
        lab.net.add_router(_NARROW)
        lab.start_balancer_for(ways)
        with _to_client(lab) as wire:
            _expect_transfers(run, lab, ways, upload, lambda way: way.client)
        _expect_no_complaint(run, wire)
        for way in ways:
            _expect_lesson(run, way, wire, way.client, way.address)


@case("clients_learn_what_the_route_to_servers_carries")
def clients_learn_what_the_route_to_servers_carries(run):
    """A route of the balancer's with an MTU, as for tunnels over a narrow link further on: clients are told what is left
    of it."""
    ways = list(WAYS.values())
    with run.lab(backends=1, ways=ways) as lab:
        for address in lab.servers["b1"].addresses.values():
            lab.net.balancer.ip(f"route add {address} dev eth1 mtu {_NARROW}")
        lab.start_balancer_for(ways)
        with _to_client(lab) as wire:
            _expect_transfers(run, lab, ways, upload, lambda way: way.client)
        _expect_no_complaint(run, wire)
        for way in ways:
            _expect_lesson(run, way, wire, way.client, way.address, _NARROW - way.outer_length)


@case("servers_learn_what_the_route_to_clients_carries")
def servers_learn_what_the_route_to_clients_carries(run):
    """Under nat and full-nat, a route of the balancer's with an MTU towards the clients: servers are told, and reply in smaller
    packets."""
    ways = KINDS["nat"] + KINDS["full_nat"]
    with run.lab(backends=1, ways=ways) as lab:
        # In the place of the kernel's own, which has this metric under IPv6.
        for net, metric in ((CLIENT_NET, 0), (CLIENT_NET_6, 256)):
            lab.net.balancer.ip(f"route replace {net} dev eth0 metric {metric} mtu lock {_NARROW}")
        lab.start_balancer_for(ways)
        towards = lab.net.client.towards("eth0", EVERYTHING)
        with (
            _to_backend(lab) as wire,
            capture(lab.net.client, "eth0", lab.directory / "client.pcapng", towards) as front,
        ):
            _expect_transfers(run, lab, ways, download, lambda way: way.client)
        _expect_no_complaint(run, wire)
        for way in ways:
            _expect_lesson(run, way, wire, lab.servers["b1"].addresses[way.version], way.shown_as(way.client))
        largest = max(int(packet["frame.len"][0]) for packet in front.packets("tcp", *_FIELDS)) - _ETHERNET
        run.expect(largest == _NARROW, f"the largest reply has {largest} bytes, not {_NARROW}")
