"""Network namespaces and the links between them.

Commands enter them by `nsenter --net`: `ip netns exec` would mount a new /sys and hide the pins.
"""

import json
import os

from harness import paths, process
from harness.ownership import Owner

# What the largest outer headers take: IPv6 and UDP.
TUNNEL_HEADERS = 48
# Room for them beside a full inner packet of 1500 bytes.
TUNNEL_MTU = 1500 + TUNNEL_HEADERS


_SETTINGS = (
    # Direct replies come in by another interface than the requests went out by.
    *("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"),
    # Addresses are of use at once: nobody looks for duplicates of them, and nobody asks for routers.
    *("net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.dad_transmits=0"),
    *("net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0"),
    "net.ipv6.conf.default.router_solicitations=0",
)


class Namespace:
    """One host of the lab."""

    def __init__(self, role):
        self.role = role
        self.name = f"astil-{Owner.current().pid}-{role}"
        process.run(["ip", "netns", "add", self.name])
        self.sysctl(*_SETTINGS)
        self.ip("link set lo up")

    def argv(self, *command):
        return ["nsenter", f"--net={paths.NAMESPACES / self.name}", "--", *command]

    def run(self, *command, **options):
        return process.run(self.argv(*command), **options)

    def spawn(self, *command, **options):
        return process.spawn(self.argv(*command), **options)

    def ip(self, *commands, version=None):
        """Each command is one line for `ip`, all done in one process. Rules need to be told the version, 4 or 6."""
        option = [] if version is None else [f"-{version}"]
        process.run(["ip", "-n", self.name, *option, "-batch", "-"], input="\n".join(commands) + "\n")

    def sysctl(self, *settings):
        self.run("sysctl", "-q", "-w", *settings)

    def hold(self, interface, *addresses):
        """Puts addresses, each with its prefix length, on an interface."""
        self.ip(*(f"address replace {address} dev {interface}{' nodad' * (':' in address)}" for address in addresses))

    def towards(self, interface, packet_filter):
        """A filter for captures on the wire: what matches, and goes to this interface. (libpcap's `inbound` misses what
        comes in the first quarter of a second.)"""
        (shown,) = json.loads(process.run(["ip", "-n", self.name, "-j", "link", "show", "dev", interface]).stdout)
        return f"ether dst {shown['address']} and ({packet_filter})"

    def leave_to_device(self, interface):
        """Senders leave checksums and segments to the interface, as they do by default."""
        self.run("ethtool", "-K", interface, "tx", "on", "tso", "on")

    def await_addresses(self):
        """An IPv6 address is of use only when its route is there, which a thread of the kernel's makes."""

        def missing():
            shown = lambda *what: json.loads(process.run(["ip", "-n", self.name, "-j", "-6", *what]).stdout)
            own = {entry["local"] for link in shown("address") for entry in link["addr_info"]}
            return own - {route["dst"] for route in shown("route", "show", "table", "local")}

        process.until(lambda: not missing(), f"the IPv6 addresses of {self.name}")


def connect(first, first_name, second, second_name, mtu=TUNNEL_MTU):
    """A veth pair between two namespaces, up at both ends."""
    process.run(
        ["ip", "link", "add", first_name, "mtu", mtu, "netns", first.name, "type", "veth"]
        + ["peer", "name", second_name, "mtu", mtu, "netns", second.name]
    )
    for namespace, name in ((first, first_name), (second, second_name)):
        # XDP sees a packet as veth carries it: with offloads that is one without a valid checksum.
        namespace.run("ethtool", "-K", name, "tx", "off")
        namespace.ip(f"link set {name} up")


def let_pass(namespace, interface):
    """Puts the XDP_PASS program on an interface, so that what its peer sends by XDP arrives."""
    namespace.ip(f"link set dev {interface} xdpdrv obj {_pass_program()} sec xdp.frags")


def lose_some(namespace, interface):
    """One in twenty packets that come in there is lost."""
    namespace.ip(f"link set dev {interface} xdpgeneric obj {_pass_program()} sec xdp.lossy")


def _pass_program():
    source = paths.ROOT / "tests" / "lab" / "harness" / "xdp_pass.c"
    compiled = paths.LOGS / "xdp_pass.o"
    if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
        compiled.parent.mkdir(parents=True, exist_ok=True)
        own = compiled.with_suffix(f".{os.getpid()}.o")  # another case may be loading the one that is there
        process.run(["clang-14", "-target", "bpf", "-O2", "-c", source, "-o", own])
        own.replace(compiled)
    return compiled
