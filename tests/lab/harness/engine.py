"""The DPDK engine's process, astil-dpdk: started and ended as its supervisor would."""

import pathlib
import signal

from harness import paths, process


class Engine:
    def __init__(self, balancer):
        self.balancer = balancer
        self.log_file = pathlib.Path(balancer.directory) / "astil-dpdk.log"
        self.child = None

    def start(self):
        """Without waiting: it does what it finds planned."""
        with open(self.log_file, "ab") as log:
            self.child = self.balancer.namespace.spawn(
                paths.program("astil-dpdk"), "--instance", self.balancer.instance, stdout=log, stderr=log
            )

    def crash(self):
        process.end(self.child, signal.SIGKILL)

    def stop(self):
        """As systemd would. Returns the exit status."""
        return process.end(self.child, signal.SIGTERM)

    def wait_until_forwarding(self):
        """Until every port is open, as the status shows them."""

        def forwards():
            if self.child.poll() is not None:
                raise RuntimeError(f"astil-dpdk ended with status {self.child.returncode}, see {self.log_file}")
            shown = self.balancer.status()["ports"]
            return shown and all(port["state"] == "open" for port in shown)

        process.until(forwards, "every port open", timeout=20)


def by_dpdk(lab, **changes):
    """What a configuration has besides, so that the engine forwards."""
    return {"dataplane": dataplane(lab.net.interfaces, **changes)}


def start_dpdk(lab, ways=(), **options):
    """The daemon and the engine's process, forwarding."""
    engine = Engine(lab.balancer)
    engine.start()
    config = lab.configuration_for(ways, **options) if ways else lab.configuration(**options)
    lab.balancer.start({**config, **by_dpdk(lab)})
    lab.balancer.wait_until_in_rotation()
    engine.wait_until_forwarding()
    return engine


def dataplane(interfaces, **changes):
    """The section of a configuration: AF_XDP sockets on the interfaces themselves."""
    ports = {name: {"device": f'"net_af_xdp{number},iface={name}"'} for number, name in enumerate(interfaces)}
    return {"engine": "dpdk", "dpdk": {"hugepages": "false", "ports": ports, **changes}}
