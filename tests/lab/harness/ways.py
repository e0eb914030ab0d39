"""Every way a packet can take to a backend: the forwarding, its version of IP, and for tunnels the outer header.

Each way has a service of its own, so that one configuration can hold them all. It is named after the way: `nat_ipv6`,
`ipip_4in6` (IPv4 packets behind an IPv6 header), `gue_6in4`.
"""

import dataclasses

from harness import configuration
from harness.topology import CLIENT_ADDRESSES, CLIENT_ADDRESSES_6, PORT_SOURCE, PORT_SOURCE_6

GUE_PORT = 6080


@dataclasses.dataclass(frozen=True)
class Way:
    name: str
    number: int  # the last part of the service's address
    forwarding: str
    version: int  # of IP, as clients see it
    outer: int  # of the addresses that the configuration gives of the backends
    encapsulation: str | None = None

    def __str__(self):
        return self.name

    @property
    def address(self):
        """The service's."""
        return f"192.0.2.{self.number}" if self.version == 4 else f"2001:db8:c::{self.number}"

    @property
    def client(self):
        """An address of the client's."""
        return (CLIENT_ADDRESSES if self.version == 4 else CLIENT_ADDRESSES_6)[0]

    @property
    def rewrites(self):
        """Do packets get the backend's address, and replies pass the balancer?"""
        return self.forwarding in configuration.REWRITING

    @property
    def hides_clients(self):
        return self.forwarding == "full-nat"

    def shown_as(self, client):
        """The address that backends see a client have."""
        if not self.hides_clients:
            return client
        return PORT_SOURCE if self.version == 4 else PORT_SOURCE_6

    @property
    def header(self):
        """Bytes of the client's IP header."""
        return 20 if self.version == 4 else 40

    @property
    def outer_length(self):
        """Bytes that the balancer puts in front of a packet."""
        if self.forwarding != "tunnel":
            return 0
        return (20 if self.outer == 4 else 40) + (8 if self.encapsulation == "gue" else 0)

    def to(self, port=80):
        return endpoint(self.address, port)

    def source(self, port):
        """An end of the client's."""
        return endpoint(self.client, port)

    def url(self, path="/", port=80):
        return f"http://{self.to(port)}{path}"

    def service(self, servers, weights=None, **changes):
        """For the daemon's configuration, with all the servers that are given; those without a weight have 1."""
        weights = weights or {}
        backends = {server.name: (server.addresses[self.outer], weights.get(server.name, 1)) for server in servers}
        if self.forwarding == "tunnel":
            changes["tunnel"] = {"encapsulation": self.encapsulation, **changes.get("tunnel", {})}
        return configuration.service(self.forwarding, backends, self.address, **changes)


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _all_ways():
    kinds = [(each, version, version, None) for each in ("nat", "direct") for version in (4, 6)]
    kinds += [("tunnel", inner, outer, behind) for behind in ("ipip", "gue") for outer in (4, 6) for inner in (4, 6)]
    kinds += [("full-nat", version, version, None) for version in (4, 6)]
    for number, (forwarding, version, outer, encapsulation) in enumerate(kinds, 30):
        name = f"{encapsulation}_{version}in{outer}" if encapsulation else f"{forwarding.replace('-', '_')}_ipv{version}"
        yield Way(name, number, forwarding, version, outer, encapsulation)


WAYS = {way.name: way for way in _all_ways()}
# The ways by what stands before the underscore.
KINDS = {
    kind: [way for way in WAYS.values() if way.name.startswith(kind + "_")]
    for kind in ("nat", "full_nat", "direct", "ipip", "gue")
}
