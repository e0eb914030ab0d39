"""Network namespaces and the links between them.

Commands enter them by `nsenter --net`: `ip netns exec` would mount a new /sys and hide the pins.
"""

from harness import paths, process
from harness.ownership import Owner

# Room for an outer IPv4 header beside a full inner packet of 1500 bytes.
TUNNEL_MTU = 1520


class Namespace:
    """One host of the lab."""

    def __init__(self, role):
        self.role = role
        self.name = f"astil-{Owner.current().pid}-{role}"
        process.run(["ip", "netns", "add", self.name])
        self.ip("link set lo up")
        # No router solicitations or link-local traffic among the packets that are counted.
        self.sysctl("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        # Direct replies come in by another interface than the requests went out by.
        self.sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")

    def argv(self, *command):
        return ["nsenter", f"--net={paths.NAMESPACES / self.name}", "--", *command]

    def run(self, *command, **options):
        return process.run(self.argv(*command), **options)

    def spawn(self, *command, **options):
        return process.spawn(self.argv(*command), **options)

    def ip(self, *commands):
        """Each command is one line for `ip`, all done in one process."""
        process.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(commands) + "\n")

    def sysctl(self, *settings):
        self.run("sysctl", "-q", "-w", *settings)


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


def _pass_program():
    source = paths.ROOT / "tests" / "lab" / "harness" / "xdp_pass.c"
    compiled = paths.LOGS / "xdp_pass.o"
    if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
        compiled.parent.mkdir(parents=True, exist_ok=True)
        process.run(["clang-14", "-target", "bpf", "-O2", "-c", source, "-o", compiled])
    return compiled
