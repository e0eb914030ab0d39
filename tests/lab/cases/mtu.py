"""Nets of other sizes than usual: links of 1,500 bytes all the way, with and without room for tunnels, and jumbo
frames."""

import contextlib
import functools

from harness.capture import ERRORS, EVERYTHING, TOO_LONG, capture
from harness.case import case
from harness.namespace import TUNNEL_HEADERS
from harness.servers import files
from harness.topology import two_arm
from harness.transfers import digest, wrong_transfers
from harness.ways import WAYS

_TCP_HEADER = 20
_ETHERNET = 14
_TUNNELS = [way for way in WAYS.values() if way.forwarding == "tunnel"]
_OTHERS = [way for way in WAYS.values() if way.forwarding != "tunnel"]


def _largest_to(wire):
    """By destination, of inner headers and of outer ones: the bytes of the largest IP packet, headers included."""
    largest = {}
    for packet in wire.packets("tcp", "frame.len", "ip.dst", "ipv6.dst"):
        for target in packet["ip.dst"] + packet["ipv6.dst"]:
            largest[target] = max(largest.get(target, 0), int(packet["frame.len"][0]) - _ETHERNET)
    return largest


@contextlib.contextmanager
def _lessons(lab):
    """What senders on the client's side are told within the block: a packet was too long, and may be how long."""
    lessons = []
    with capture(lab.net.client, "eth0", lab.directory / "lessons.pcapng", ERRORS) as wire:
        yield lessons
    lessons += wire.rows(TOO_LONG, "frame.number")
    complaints = wire.complaints()
    if complaints:
        raise AssertionError(f"tshark complains of what senders are told: {complaints[:5]}")


def _expect_full_packets(run, lab, ways, name, inner_bytes):
    """Connections and transfers on all ways. `inner_bytes` says of a way how large the client's packets are at most, which
    the backend gets with the tunnel's headers in front."""
    large = files() / "1m"
    wanted = digest(large)
    towards = lab.net.backends["b1"].towards("eth0", EVERYTHING)
    with capture(lab.net.switch, "b1", lab.directory / f"{name}.pcapng", towards) as wire:
        for way in ways:
            report = lab.traffic.short(way.to(), connections=500)
            run.expect(report["failed"] == 0, f"{way}: connections failed: {report}")
            wrong = wrong_transfers(lab, way, large, wanted)
            run.expect(not wrong, f"{way}: {wrong}")
    complaints = wire.complaints()
    run.expect(not complaints, f"tshark complains: {complaints[:5]}")
    largest = _largest_to(wire)
    for way in ways:
        size = largest[lab.servers["b1"].addresses[way.version] if way.rewrites else way.address]
        run.figure(**{f"{way}_largest": size})
        full = inner_bytes(way) + way.outer_length
        run.expect(size == full, f"{way}: the largest packet to the backend has {size} bytes, not {full}")


@case("full_packets_on_links_of_1500")
def full_packets_on_links_of_1500(run):
    """Where no link carries more than 1,500 bytes, nat and direct fill it, and so does a tunnel whose servers ask for
    smaller segments."""
    mtu = 1500
    net = functools.partial(two_arm, front_mtu=mtu, back_mtu=mtu)
    with run.lab(net, backends=1, ways=list(WAYS.values())) as lab:
        lab.start_balancer_for(WAYS.values(), health=None)
        _expect_full_packets(run, lab, _OTHERS, "others", lambda way: mtu)
        inner = mtu - TUNNEL_HEADERS
        lab.net.announce_segments({4: inner - 20 - _TCP_HEADER, 6: inner - 40 - _TCP_HEADER})
        with _lessons(lab) as told:
            _expect_full_packets(run, lab, _TUNNELS, "tunnels", lambda way: inner)
        run.expect(not told, f"{len(told)} packets were too big although the servers had asked for smaller segments")


@case("clients_learn_what_a_tunnel_carries", hook="xdp")
@case("clients_learn_what_a_tunnel_carries_by_tc", hook="tc")
def clients_learn_what_a_tunnel_carries(run, hook):
    """Where a full packet does not fit with the tunnel's headers in front, its sender is told, and sends smaller ones."""
    mtu = 1500
    net = functools.partial(two_arm, front_mtu=mtu, back_mtu=mtu)
    with run.lab(net, backends=1, ways=_TUNNELS) as lab:
        if hook == "tc":
            # What is refused stands for many segments, and its checksum is left to a device: the balancer's.
            lab.net.client.leave_to_device("eth0")
        lab.start_balancer_for(_TUNNELS, health=None, more={"dataplane": {"hook": hook}})
        with _lessons(lab) as told:
            _expect_full_packets(run, lab, _TUNNELS, "tunnels", lambda way: mtu - way.outer_length)
        run.figure(told_too_big=len(told))
        run.expect(len(told) >= len(_TUNNELS), f"nobody was told, or hardly anybody: {len(told)} times")


@case("full_packets_on_links_of_9000")
def full_packets_on_links_of_9000(run):
    """Jumbo frames, larger than a page of memory, go through every forwarding and tunnel."""
    mtu = 9000
    net = functools.partial(two_arm, front_mtu=mtu, back_mtu=mtu + TUNNEL_HEADERS)
    with run.lab(net, backends=1, ways=list(WAYS.values())) as lab:
        lab.start_balancer_for(WAYS.values(), health=None)
        _expect_full_packets(run, lab, _OTHERS, "others", lambda way: mtu)
        _expect_full_packets(run, lab, _TUNNELS, "tunnels", lambda way: mtu)
