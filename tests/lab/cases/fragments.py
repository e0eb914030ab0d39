"""Datagrams in fragments of both versions of IP, through every forwarding and tunnel, and back."""

import functools

from harness.case import case
from harness.echo import NAT_PORT, PORT, EchoServer
from harness.fragments import FIRST_FIRST, LAST_FIRST, ask
from harness.topology import two_arm
from harness.ways import KINDS

_TIMES = 20
_BYTES = 6000


def _come_whole(run, ways):
    """Every datagram comes back whole, in order and with its last fragment first: those wait for the first one."""
    # Links as narrow as the client's, or each server would have to learn that first, by a lost datagram.
    with run.lab(functools.partial(two_arm, back_mtu=1500), ways=ways) as lab:
        for server in lab.servers.values():
            EchoServer(server, [way.address for way in ways if not way.rewrites])
        lab.start_udp_balancer_for(ways, PORT, NAT_PORT, health_port=8080)
        for way in ways:
            for order in (FIRST_FIRST, LAST_FIRST):
                whole = ask(lab.net.client, way.client, way.address, order, _TIMES, _BYTES)
                run.figure(**{f"{way}_{order}".replace("-", "_"): whole})
                run.expect(whole == _TIMES, f"{way}: {order}: {_TIMES - whole} of {_TIMES} datagrams did not come back")


for _kind, _ways in KINDS.items():
    case(f"fragments_{_kind}", ways=_ways)(_come_whole)
