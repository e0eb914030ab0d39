"""A pair of balancers before one set of backends, and keepalived as the other node where a case wants it.

    client   lb1   lb2   b1  b2  b3
      |       |     |     |   |   |          eth0 of each
    --+-------+-----+-----+---+---+-- (switch)
              |     |
              +-----+                        eth1, between the two: 10.255.0.1 and .2

All hosts are in one network. The nodes have addresses of their own, .2 and .3; what clients reach, and what the backends
have as their gateway, moves between the two. The client's first address is a router's, who asks for service addresses by
ARP; the nodes reach its others by that one.
"""

import pathlib
import time

from harness import process
from harness.balancer import Balancer
from harness.namespace import TUNNEL_MTU, Namespace, connect, let_pass
from harness.ownership import Owner
from harness.topology import BACK, BACK_6, CLIENT_ADDRESSES, CLIENT_ADDRESSES_6, FRONT, FRONT_6, SERVICE_NET, SERVICE_NET_6, Topology

NODES = ("lb1", "lb2")
OWN = {"lb1": "10.1.0.2", "lb2": "10.1.0.3"}
OWN_6 = {"lb1": "2001:db8:1::2", "lb2": "2001:db8:1::3"}
_OWN_BACK = {"lb1": "10.0.0.2", "lb2": "10.0.0.3"}
_OWN_BACK_6 = {"lb1": "2001:db8:2::2", "lb2": "2001:db8:2::3"}
SYNC = {"lb1": "10.255.0.1", "lb2": "10.255.0.2"}
KEY = "3b1f" * 16
VRID = 51
# By IP version (RFC 9568 section 7.3).
ROUTER_MACS = {4: f"00:00:5e:00:01:{VRID:02x}", 6: f"00:00:5e:00:02:{VRID:02x}"}


class PairNet(Topology):
    """The one-arm net with a second balancer in it."""

    # The nodes' interfaces towards clients and backends.
    front = back = "eth0"
    nodes = {}

    def __init__(self, backends):
        super().__init__(1, backends)
        self.nodes = {"lb1": self.balancer, "lb2": Namespace("balancer2")}
        second = self.nodes["lb2"]
        connect(second, "eth0", self.switch, "balancer2", mtu=self.back_mtu)
        self.switch.ip("link set balancer2 master br0")
        let_pass(self.switch, "balancer2")
        second.sysctl(
            "net.ipv4.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv6.conf.all.forwarding=1"
        )
        self.balancer.ip(
            *(f"address del {a} dev eth0" for a in (f"{FRONT}/24", f"{FRONT_6}/64", f"{BACK}/24", f"{BACK_6}/64"))
        )
        self._prepare()
        for name, node in self.nodes.items():
            node.hold(self.front, f"{OWN[name]}/24", f"{OWN_6[name]}/64")
            node.hold(self.back, f"{_OWN_BACK[name]}/24", f"{_OWN_BACK_6[name]}/64")
        connect(self.balancer, "eth1", second, "eth1")
        for name, node in self.nodes.items():
            node.hold("eth1", f"{SYNC[name]}/30")
        self.client.ip(f"route replace {SERVICE_NET} dev eth0", f"route replace {SERVICE_NET_6} dev eth0")
        for node in self.nodes.values():
            node.await_addresses()
            self._route_clients(node)

    def _prepare(self):
        """Before the nodes have addresses."""

    @staticmethod
    def _route_clients(node):
        """The first of the client's addresses is the router that the others are behind."""
        for first, *others in (CLIENT_ADDRESSES, CLIENT_ADDRESSES_6):
            node.ip(*(f"route replace {each} via {first}" for each in others))

    def _links(self):
        return sorted({self.front, self.back, "eth1"})

    def cut(self, name):
        """The node is dead to everybody else, as if its power were gone."""
        self.nodes[name].ip(*(f"link set {link} down" for link in self._links()))

    def mend(self, name):
        self.nodes[name].ip(*(f"link set {link} up" for link in self._links()))
        # IPv6 addresses and routes go with a link.
        self.nodes[name].hold(self.front, f"{OWN_6[name]}/64")
        self.nodes[name].hold(self.back, f"{_OWN_BACK_6[name]}/64")
        self._route_clients(self.nodes[name])


class TwoArmPairNet(PairNet):
    """The backends are in a network of their own, to which the nodes have another interface."""

    front, back = "eth0", "eth2"
    ports = {"eth0": ("balancer", "balancer2"), "eth2": ("back", "back2")}  # of the switch, to the nodes

    @property
    def interfaces(self):
        return [self.front, self.back] if self.nodes else super().interfaces

    def _prepare(self):
        self.switch.ip(f"link add br1 mtu {self.back_mtu} type bridge forward_delay 0 mcast_snooping 0", "link set br1 up")
        self.switch.ip(*(f"link set {port} master br1" for port in self.backends))
        for node, port in zip(self.nodes.values(), self.ports[self.back]):
            connect(node, self.back, self.switch, port, mtu=self.back_mtu)
            self.switch.ip(f"link set {port} master br1")
            let_pass(self.switch, port)


class Pair:
    """The two nodes of a lab that was raised over a PairNet."""

    def __init__(self, lab, run):
        self.lab = lab
        self.net = lab.net
        second = f"{lab.instance}-b"
        Owner.current().note("instances", second)
        self.directory = pathlib.Path(lab.directory)
        self.key_file = self.directory / "pair.key"
        self.key_file.write_text(KEY + "\n")
        self.key_file.chmod(0o600)
        (self.directory / "lb2").mkdir(exist_ok=True)
        self.balancers = {
            "lb1": lab.balancer,
            "lb2": Balancer(self.net.nodes["lb2"], second, self.directory / "lb2"),
        }

    def group(self, addresses, **changes):
        return {"web": {"virtual_router_id": VRID, "addresses": list(addresses), **changes}}

    def configuration(self, name, groups, services=None, **ha):
        """The node's configuration. The services' addresses are in `groups`."""
        return self._of_node(name, self.lab.configuration(**(services or {"forwardings": ("tunnel",)})), groups, ha)

    def configuration_for(self, name, ways, groups, **ha):
        """The same with a service for each way."""
        return self._of_node(name, self.lab.configuration_for(ways), groups, ha)

    def _of_node(self, name, made, groups, ha):
        made["instance"] = self.balancers[name].instance
        made["api"] = {"socket": f"/run/astil/{self.balancers[name].instance}.sock"}
        made["ha"] = {"node": name, **ha, "groups": groups}
        return made

    def paths(self, name, **settings):
        """Heartbeats over both networks."""
        other = NODES[1 - NODES.index(name)]
        return {
            "key_file": str(self.key_file),
            "paths": {
                "cable": {"local": SYNC[name], "peer": SYNC[other]},
                "network": {"local": OWN[name], "peer": OWN[other]},
            },
            "heartbeat": {"interval": "100ms", **settings},
        }

    def ha(self, name):
        return self.balancers[name].query("ha", "status")

    def states(self, name):
        return {group["name"]: group["state"] for group in self.ha(name)["groups"]}

    def until_state(self, name, state, group="web", timeout=15):
        process.until(lambda: self.states(name).get(group) == state, f"{group} {state} on {name}", timeout)

    def until_flows_are_at(self, name, timeout=15):
        """Until the node has all flows of the other's, by flow sync."""

        def complete():
            sync = self.ha(name)["sync"]
            return sync["up"] and sync["has_peer_table"]

        process.until(complete, f"{name} has the other's flows", timeout)

    def until_active(self, name, *groups):
        """Until the node has the groups, and the other one is their backup."""
        for group in groups or ("web",):
            self.until_state(name, "active", group)
            self.until_state(NODES[1 - NODES.index(name)], "backup", group)

    def until_ready(self, *groups):
        """Until lb1 is active, lb2 its backup with all flows, and both use every backend."""
        self.until_active("lb1", *groups)
        for balancer in self.balancers.values():
            balancer.wait_until_in_rotation()
        self.until_flows_are_at("lb2")

    def has(self, name, address):
        return address in self.balancers[name].addresses()

    def election_pids(self, name):
        """The processes of astil-vrrp and its guardian in the node's namespace."""
        found = process.run(["ip", "netns", "pids", self.net.nodes[name].name]).stdout.split()
        names = {int(pid): _name_of(int(pid)) for pid in found}
        return {pid: comm for pid, comm in names.items() if comm and comm.startswith("astil-vrrp")}

    def kill_everything(self, name):
        """kill -9 of all our processes on the node, and its links cut, at once. Returns when."""
        pids = [*self.election_pids(name), self.balancers[name].daemon.pid]
        begun = time.time()
        for pid in pids:
            process.kill(pid)
        self.net.cut(name)
        return begun


def _name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


_KEEPALIVED = """\
global_defs {{
  router_id {node}
  vrrp_garp_master_delay 1
  enable_script_security
}}
{instances}
"""

_INSTANCE = """\
vrrp_instance {name} {{
  state BACKUP
  interface eth0
  virtual_router_id {vrid}
  priority {priority}
  advert_int {interval}
  version 3
  {more}
  virtual_ipaddress {{
{addresses}
  }}
}}
"""


def keepalived_instance(name, priority, interval, addresses, vrid=VRID, more=""):
    """`interval` in seconds."""
    lines = "\n".join(f"    {address}" for address in addresses)
    return _INSTANCE.format(name=name, priority=priority, interval=interval, addresses=lines, vrid=vrid, more=more)


class Keepalived:
    """keepalived on a node of the pair."""

    def __init__(self, namespace, directory, node, *instances):
        self.namespace = namespace
        self.folder = pathlib.Path(directory) / f"keepalived-{node}"
        self.folder.mkdir(exist_ok=True)
        self.config = self.folder / "keepalived.conf"
        self.config.write_text(_KEEPALIVED.format(node=node, instances="\n".join(instances)))
        self.child = None

    def start(self):
        log = open(self.folder / "log", "ab")
        own = [f"--{each}={self.folder / each}.pid" for each in ("pid", "vrrp_pid", "checkers_pid", "bfd_pid")]
        self.child = self.namespace.spawn(
            "keepalived", "--dont-fork", "--log-console", "--vrrp", *own, "-f", self.config, stdout=log, stderr=log
        )

    def stop(self):
        """In good order: with priority 0."""
        process.end(self.child, 15)

    def holds(self, address):
        shown = process.run(["ip", "-n", self.namespace.name, "-o", "address", "show"]).stdout
        return f" {address}/" in shown


def all_from(run, taken, which, mac):
    """Every frame of the capture that the filter takes is from that station."""
    stations = {row[0] for row in taken.rows(which, "eth.src")}
    run.expect(stations == {mac}, f"{which}: from {stations}, not from {mac}")


def settle(seconds):
    """Lets time pass that is part of what is shown, such as a link that stays cut."""
    time.sleep(seconds)
