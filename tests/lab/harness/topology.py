"""The two nets of the lab. Addresses are the same in both; what differs is the wiring.

    two-arm                                            one-arm

    client eth0 ---- eth0 balancer eth1                client   balancer   b1  b2  b3
       eth1                         |                    eth0     eth0    eth0 ...
         |        (switch)          |                      |       |       |   |   |
         +----- b1 -- b2 -- b3 -----+                    --+-------+-------+---+---+-- (switch)

                     IPv4                    IPv6
    services         192.0.2.0/24            2001:db8:c::/64          reached by the balancer's front
    client           10.1.0.10 to .13        2001:db8:1::10 to ::13
    balancer, front  10.1.0.1                2001:db8:1::1
    balancer, back   10.0.0.1                2001:db8:2::1
    backends         10.0.0.11 and up        2001:db8:2::11 and up
    port sources     10.0.0.200              2001:db8:2::200          of full NAT; the daemon puts them on the balancer's back
    nobody           10.200.0.0/16           2001:db8:ffff::/96       outer sources that are made up
    strangers        198.18.0.0/15           2001:db8:bad::/64        sources of floods; replies end at the client
    far client       203.0.113.30 and up     2001:db8:f::30 and up    only where a case adds it, behind the client
    router           10.0.0.253              2001:db8:2::fd           only where a case adds it, in front of the backends

Backends' replies from an address of their own (nat) go by the balancer; their replies from a service address (tunnel,
direct) go straight to the client: over its second interface, which stands for the router of a two-arm net, or over the
common wire.
"""

from harness.namespace import TUNNEL_MTU, Namespace, connect, let_pass

CLIENT_ADDRESSES = [f"10.1.0.{host}" for host in range(10, 14)]
CLIENT_ADDRESSES_6 = [f"2001:db8:1::{host}" for host in range(10, 14)]
CLIENT_SOURCES = f"{CLIENT_ADDRESSES[0]}-{CLIENT_ADDRESSES[-1]}"
CLIENT_SOURCES_6 = f"{CLIENT_ADDRESSES_6[0]}-{CLIENT_ADDRESSES_6[-1]}"
CLIENT_NET, CLIENT_NET_6 = "10.1.0.0/24", "2001:db8:1::/64"
SERVICE_NET, SERVICE_NET_6 = "192.0.2.0/24", "2001:db8:c::/64"
NOBODYS_NET, NOBODYS_NET_6 = "10.200.0.0/16", "2001:db8:ffff::/96"
FRONT, FRONT_6 = "10.1.0.1", "2001:db8:1::1"
BACK, BACK_6 = "10.0.0.1", "2001:db8:2::1"
PORT_SOURCE, PORT_SOURCE_6 = "10.0.0.200", "2001:db8:2::200"
RETURN, RETURN_6 = "10.0.0.254", "2001:db8:2::fe"
ROUTER, ROUTER_6 = "10.0.0.253", "2001:db8:2::fd"
FAR_NET, FAR_NET_6 = "203.0.113.0/24", "2001:db8:f::/64"
STRANGERS_NET, STRANGERS_NET_6 = "198.18.0.0/15", "2001:db8:bad::/64"
_FAR_GATEWAY, _FAR_GATEWAY_6 = "203.0.113.1", "2001:db8:f::1"
DIRECT_REPLIES = 100  # a routing table's number
_QUEUE = 10_000  # packets


def backend_address(number):
    return f"10.0.0.{10 + number}"


def backend_address_6(number):
    return f"2001:db8:2::{10 + number}"


def far_address(number):
    return f"203.0.113.{number}"


def far_address_6(number):
    return f"2001:db8:f::{number}"


class Topology:
    """The hosts' namespaces. `two_arm` and `one_arm` make it. A `crowded` net is for more packets than it can carry: links
    have queues, where the kernel fills them (Linux 6.16; a veth alone holds 256 packets), and TCP sends again what was
    lost after a second at most (Linux 6.15), instead of waiting twice as long each time."""

    def __init__(self, arms, backends, front_mtu=1500, back_mtu=TUNNEL_MTU, crowded=False):
        self.arms = arms
        self.crowded = crowded
        self.front_mtu = front_mtu
        self.back_mtu = back_mtu
        self.switch = _make_switch(back_mtu)
        self.client = Namespace("client")
        self.balancer = Namespace("balancer")
        self._wire_client()
        self._wire_balancer()
        _tune_client(self.client)
        if crowded:
            self._expect_crowds(self.client, *(f"eth{arm}" for arm in range(arms)))
            self._expect_crowds(self.switch, "client", "balancer")
        self.backends = {}
        for number in range(1, backends + 1):
            self.add_backend(number)
        for host in (self.client, self.balancer, *self.backends.values()):
            host.await_addresses()

    @property
    def interfaces(self):
        """The balancer's, as its configuration names them; the last one leads to the backends."""
        return ["eth0", "eth1"][: self.arms]

    def _wire_client(self):
        if self.arms == 2:
            connect(self.client, "eth0", self.balancer, "eth0", mtu=self.front_mtu)
            connect(self.client, "eth1", self.switch, "client", mtu=self.back_mtu)
            self.client.hold("eth1", f"{RETURN}/24", f"{RETURN_6}/64")
            let_pass(self.client, "eth0")
        else:
            connect(self.client, "eth0", self.switch, "client", mtu=self.back_mtu)
            self.client.ip(f"link set eth0 mtu {self.front_mtu}")
        self.switch.ip("link set client master br0")
        self.client.hold("eth0", *(f"{address}/24" for address in CLIENT_ADDRESSES))
        self.client.hold("eth0", *(f"{address}/64" for address in CLIENT_ADDRESSES_6))
        self.client.ip(f"route add {SERVICE_NET} via {FRONT}", f"route add {SERVICE_NET_6} via {FRONT_6}")

    def _wire_balancer(self):
        back = self.interfaces[-1]
        connect(self.balancer, back, self.switch, "balancer", mtu=self.back_mtu)
        self.switch.ip("link set balancer master br0")
        let_pass(self.switch, "balancer")
        self.balancer.hold("eth0", f"{FRONT}/24", f"{FRONT_6}/64")
        self.balancer.hold(back, f"{BACK}/24", f"{BACK_6}/64")
        self.balancer.sysctl(
            "net.ipv4.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv6.conf.all.forwarding=1"
        )

    def add_backend(self, number):
        """One more server, b<number>."""
        name = f"b{number}"
        backend = Namespace(name)
        connect(backend, "eth0", self.switch, name, mtu=self.back_mtu)
        self.switch.ip(f"link set {name} master br0")
        backend.hold("eth0", f"{backend_address(number)}/24", f"{backend_address_6(number)}/64")
        backend.ip(f"route add default via {BACK}", f"route add ::/0 via {BACK_6}")
        backend.ip(*self._direct_replies("add").values())
        backend.ip(f"rule add from {SERVICE_NET} lookup {DIRECT_REPLIES}", version=4)
        backend.ip(f"rule add from {SERVICE_NET_6} lookup {DIRECT_REPLIES}", version=6)
        backend.sysctl(
            "net.core.somaxconn=65535", "net.ipv4.tcp_max_syn_backlog=65535", "net.ipv4.tcp_max_tw_buckets=1000000"
        )
        if self.crowded:
            self._expect_crowds(backend, "eth0")
            self._expect_crowds(self.switch, name)
        self.backends[name] = backend
        return name, backend

    @staticmethod
    def _expect_crowds(host, *interfaces):
        """Before anything listens on the host: connections have this from the socket that took them."""
        setting = "net.ipv4.tcp_rto_max_ms"
        host.run("sh", "-c", f"test ! -e /proc/sys/{setting.replace('.', '/')} || sysctl -q -w {setting}=1000")
        for interface in interfaces:
            host.run("tc", "qdisc", "replace", "dev", interface, "root", "pfifo", "limit", _QUEUE)

    def add_far_client(self, path_mtu, numbers):
        """One more client, with an address of each number, behind the client's host, which is its router and sends no
        more than `path_mtu` bytes at once to it. Of two-arm nets only."""
        far = Namespace("far")
        connect(self.client, "eth2", far, "eth0", mtu=self.front_mtu)
        far.hold("eth0", *(f"{far_address(number)}/24" for number in numbers))
        far.hold("eth0", *(f"{far_address_6(number)}/64" for number in numbers))
        far.ip(f"route add default via {_FAR_GATEWAY}", f"route add ::/0 via {_FAR_GATEWAY_6}")
        self.client.sysctl("net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1")
        self.client.hold("eth2", f"{_FAR_GATEWAY}/32", f"{_FAR_GATEWAY_6}/128")
        self.client.ip(*(f"route add {net} dev eth2 mtu lock {path_mtu}" for net in (FAR_NET, FAR_NET_6)))
        self._lead_to_client(FAR_NET, FAR_NET_6)
        far.await_addresses()
        return far

    def route_strangers(self):
        """Replies to the sources of a flood come to the client's host, which drops them. Of two-arm nets only."""
        self._lead_to_client(STRANGERS_NET, STRANGERS_NET_6)

    def _lead_to_client(self, net, net_6):
        self.balancer.ip(f"route add {net} via {CLIENT_ADDRESSES[0]}", f"route add {net_6} via {CLIENT_ADDRESSES_6[0]}")
        for backend in self.backends.values():
            backend.ip(
                f"route add {net} via {RETURN} table {DIRECT_REPLIES}",
                f"route add {net_6} via {RETURN_6} table {DIRECT_REPLIES}",
            )

    def add_router(self, path_mtu):
        """A router between the balancer and the backends, which sends no more than `path_mtu` bytes at once to those.
        What the backends send does not pass it."""
        router = Namespace("router")
        connect(router, "eth0", self.switch, "router", mtu=self.back_mtu)
        self.switch.ip("link set router master br0")
        router.sysctl(
            "net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1",
            "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0",
        )  # fmt: skip
        router.hold("eth0", f"{ROUTER}/24", f"{ROUTER_6}/64")
        router.ip(f"route add default via {BACK}", f"route add ::/0 via {BACK_6}")
        for number in range(1, len(self.backends) + 1):
            for address, by in ((backend_address(number), ROUTER), (backend_address_6(number), ROUTER_6)):
                router.ip(f"route add {address} dev eth0 mtu lock {path_mtu}")
                self.balancer.ip(f"route add {address} via {by}")
        router.await_addresses()
        return router

    def _direct_replies(self, do):
        """By version of IP: the line for `ip` about a backend's route for replies from service addresses."""
        gateways = {4: (CLIENT_NET, RETURN), 6: (CLIENT_NET_6, RETURN_6)}
        return {
            version: f"route {do} {net} {f'via {gateway}' if self.arms == 2 else 'dev eth0'} table {DIRECT_REPLIES}"
            for version, (net, gateway) in gateways.items()
        }

    def announce_segments(self, bytes_by_version):
        """Backends announce, at their service addresses, so many bytes as the largest segment that they take."""
        routes = self._direct_replies("change")
        lines = [f"{routes[version]} advmss {size}" for version, size in bytes_by_version.items()]
        for backend in self.backends.values():
            backend.ip(*lines)


def _make_switch(mtu):
    switch = Namespace("switch")
    switch.sysctl("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
    switch.ip(f"link add br0 mtu {mtu} type bridge forward_delay 0 mcast_snooping 0", "link set br0 up")
    # A bridge would drop what the host's packet filter takes for malformed, before the balancer can.
    switch.run(
        "sh", "-c", "test ! -d /proc/sys/net/bridge || sysctl -q -w net.bridge.bridge-nf-call-iptables=0"
        " net.bridge.bridge-nf-call-ip6tables=0 net.bridge.bridge-nf-call-arptables=0"
    )
    return switch


def _tune_client(client):
    client.sysctl(
        "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1", "net.ipv4.tcp_max_tw_buckets=1000000"
    )


def two_arm(backends=3, **mtus):
    return Topology(2, backends, **mtus)


def one_arm(backends=3, **mtus):
    return Topology(1, backends, **mtus)
