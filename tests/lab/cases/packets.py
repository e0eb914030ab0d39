"""What leaves the balancer, as the wire has it: tshark judges addresses, headers and checksums of each forwarding."""

from harness.capture import capture
from harness.case import case
from harness.configuration import ADDRESSES, FORWARDINGS
from harness.topology import CLIENT_ADDRESSES, one_arm, two_arm

_CLIENT = CLIENT_ADDRESSES[0]
_TTL = "63"  # a balancer takes one off the client's 64, as every router does: RFC 1812, section 5.3.1


def _expect_nat(run, wire, server, _):
    """The destination is the backend's, the TTL one less; replies leave the backend by its own address."""
    address = server.address
    to_backend = wire.rows(f"tcp && ip.dst == {address} && ip.src == {_CLIENT}", "tcp.dstport", "ip.ttl")
    run.expect(to_backend, "no packet came to the backend's address")
    wrong = [row for row in to_backend if row != ["8080", _TTL]]
    run.expect(not wrong, f"not port 8080 and TTL {_TTL}: {wrong[:3]}")
    run.expect(wire.count(f"ip.src == {address} && ip.dst == {_CLIENT}") > 0, "no reply left the backend")
    run.expect(wire.count(f"ip.addr == {ADDRESSES['nat']}") == 0, "the service address is on the backend's wire")


def _expect_tunnel(run, wire, server, _):
    """An outer header to the backend; of the inner one, nothing but the TTL changed."""
    fields = ("ip.src", "ip.dst", "ip.len", "tcp.dstport", "ip.ttl")
    outer = wire.rows(f"ip.proto == 4 && ip.dst == {server.address}", *fields)
    run.expect(outer, "no IPIP packet came to the backend")
    for sources, targets, lengths, port, ttls in outer:
        inner = (sources.split(",")[1], targets.split(",")[1])
        run.expect(inner == (_CLIENT, ADDRESSES["tunnel"]), f"the inner header is of {inner}")
        run.expect(targets.split(",")[0] == server.address, f"the outer destination is {targets}")
        outside, inside = map(int, lengths.split(","))
        run.expect(outside == inside + 20, f"the outer header says {outside} bytes, the inner one {inside}")
        run.expect((port, ttls.split(",")[1]) == ("80", _TTL), f"port {port}, TTLs {ttls}")


def _expect_direct(run, wire, server, mac):
    """Nothing but the MAC addresses and the TTL changed."""
    frames = wire.rows(f"ip.dst == {ADDRESSES['direct']} && ip.src == {_CLIENT}", "eth.dst", "tcp.dstport", "ip.ttl")
    run.expect(frames, "no packet came with the service address")
    for target, port, ttl in frames:
        run.expect(target == mac, f"a frame went to {target}, the backend is {mac}")
        run.expect((port, ttl) == ("80", _TTL), f"port {port} and TTL {ttl} instead of 80 and {_TTL}")


_JUDGES = {"nat": _expect_nat, "tunnel": _expect_tunnel, "direct": _expect_direct}


def _on_the_wire(run, forwarding, topology):
    """Every packet to the one backend has the right addresses, headers and checksums."""
    with run.lab(topology, backends=1) as lab:
        lab.start_balancer(forwardings=[forwarding], health=None)
        server = lab.servers["b1"]
        mac = lab.balancer.backends(forwarding)["b1"]["next_hop"]["mac"]
        with capture(lab.net.switch, "b1", lab.directory / "backend.pcapng") as wire:
            small = lab.traffic.short(lab.to(forwarding), connections=50, source=_CLIENT)
            large = lab.traffic.curl(f"http://{lab.to(forwarding)}/1m", "--interface", _CLIENT, "-o", "/dev/null")
        run.expect(small["failed"] == 0 and large.returncode == 0, f"the traffic itself failed: {small}")
        run.figure(frames=wire.count("frame"), complaints=len(wire.complaints()))
        run.expect(not wire.complaints(), f"tshark complains: {wire.complaints()[:5]}")
        _JUDGES[forwarding](run, wire, server, mac)


for _forwarding in FORWARDINGS:
    case(f"packets_{_forwarding}", forwarding=_forwarding, topology=two_arm)(_on_the_wire)
case("packets_tunnel_one_arm", forwarding="tunnel", topology=one_arm)(_on_the_wire)
