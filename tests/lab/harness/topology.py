"""The two nets of the lab. Addresses are the same in both; what differs is the wiring.

    two-arm                                            one-arm

    client eth0 ---- eth0 balancer eth1                client   balancer   b1  b2  b3
       eth1                         |                    eth0     eth0    eth0 ...
         |        (switch)          |                      |       |       |   |   |
         +----- b1 -- b2 -- b3 -----+                    --+-------+-------+---+---+-- (switch)

The client has 10.1.0.10 to 10.1.0.13 and reaches service addresses (192.0.2.0/24) by the balancer, 10.1.0.1. Backends
have 10.0.0.11 and up. Their replies from an address of their own (nat) go by the balancer, 10.0.0.1; their replies from a
service address (tunnel, direct) go straight to the client: over its second interface, which stands for the router of a
two-arm net, or over the common wire.
"""

from harness.namespace import TUNNEL_MTU, Namespace, connect, let_pass

CLIENT_ADDRESSES = [f"10.1.0.{host}" for host in range(10, 14)]
CLIENT_SOURCES = f"{CLIENT_ADDRESSES[0]}-{CLIENT_ADDRESSES[-1]}"
SERVICE_NET = "192.0.2.0/24"
CLIENT_NET = "10.1.0.0/24"
FRONT = "10.1.0.1"
BACK = "10.0.0.1"
RETURN = "10.0.0.254"
DIRECT_REPLIES = 100  # a routing table's number


class Topology:
    """The hosts' namespaces. `two_arm` and `one_arm` make it."""

    def __init__(self, arms, backends):
        self.arms = arms
        self.switch = _make_switch()
        self.client = Namespace("client")
        self.balancer = Namespace("balancer")
        self._wire_client()
        self._wire_balancer()
        _tune_client(self.client)
        self.backends = {}
        for number in range(1, backends + 1):
            self.add_backend(number)

    @property
    def interfaces(self):
        """The balancer's, as its configuration names them; the last one leads to the backends."""
        return ["eth0", "eth1"][: self.arms]

    def _wire_client(self):
        if self.arms == 2:
            connect(self.client, "eth0", self.balancer, "eth0", mtu=1500)
            connect(self.client, "eth1", self.switch, "client")
            self.client.ip(f"address add {RETURN}/24 dev eth1")
            self.switch.ip("link set client master br0")
            let_pass(self.client, "eth0")
        else:
            connect(self.client, "eth0", self.switch, "client")
            self.client.ip("link set eth0 mtu 1500")
            self.switch.ip("link set client master br0")
        self.client.ip(*(f"address add {address}/24 dev eth0" for address in CLIENT_ADDRESSES))
        self.client.ip(f"route add {SERVICE_NET} via {FRONT}")

    def _wire_balancer(self):
        back = self.interfaces[-1]
        connect(self.balancer, back, self.switch, "balancer")
        self.switch.ip("link set balancer master br0")
        let_pass(self.switch, "balancer")
        self.balancer.ip(f"address add {FRONT}/24 dev eth0", f"address add {BACK}/24 dev {back}")
        self.balancer.sysctl("net.ipv4.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0")

    def add_backend(self, number):
        """One more server, b<number> at 10.0.0.<10 + number>."""
        name, address = f"b{number}", f"10.0.0.{10 + number}"
        backend = Namespace(name)
        connect(backend, "eth0", self.switch, name)
        self.switch.ip(f"link set {name} master br0")
        straight = f"via {RETURN}" if self.arms == 2 else "dev eth0"
        backend.ip(
            f"address add {address}/24 dev eth0",
            f"route add default via {BACK}",
            f"route add {CLIENT_NET} {straight} table {DIRECT_REPLIES}",
            f"rule add from {SERVICE_NET} lookup {DIRECT_REPLIES}",
        )
        backend.sysctl(
            "net.core.somaxconn=65535", "net.ipv4.tcp_max_syn_backlog=65535", "net.ipv4.tcp_max_tw_buckets=1000000"
        )
        self.backends[name] = backend
        return name, address, backend


def _make_switch():
    switch = Namespace("switch")
    switch.ip(f"link add br0 mtu {TUNNEL_MTU} type bridge forward_delay 0 mcast_snooping 0", "link set br0 up")
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


def two_arm(backends=3):
    return Topology(2, backends)


def one_arm(backends=3):
    return Topology(1, backends)
