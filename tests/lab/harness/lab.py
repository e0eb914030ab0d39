"""One lab, raised and taken away: hosts, servers, a balancer that is not started yet, and traffic.

    with raised(directory, two_arm) as lab:
        lab.balancer.start(lab.configuration())
        report = lab.traffic.short(lab.to("nat"), connections=1000)
"""

import contextlib
import itertools
import os
import pathlib
import signal

from harness import configuration
from harness.balancer import Balancer, mount_bpffs
from harness.ownership import Owner
from harness.servers import Server
from harness.topology import two_arm
from harness.traffic import Traffic
from harness.ways import Way

_numbers = itertools.count(1)


class Lab:
    def __init__(self, directory, topology, backends, instance, ways):
        self.directory = pathlib.Path(directory)
        self.instance = instance
        self.ways = ways
        self.net = topology(backends)
        self.servers = {}
        for number, namespace in enumerate(self.net.backends.values(), 1):
            self._start_server(number, namespace)
        self.balancer = Balancer(self.net.balancer, instance, self.directory)
        self.traffic = Traffic(self.net.client, self.directory / "client.log")

    def _start_server(self, number, namespace):
        server = Server(number, namespace, self.directory)
        of = lambda forwarding: [way.address for way in self.ways if way.forwarding == forwarding]
        server.hold_direct(configuration.DIRECT, *of("direct"))
        server.start_web()
        server.agent = server.start_agent(configuration.TUNNEL, *of("tunnel"))
        namespace.await_addresses()
        self.servers[server.name] = server

    def add_server(self):
        """One more backend's host, ready to serve. Returns its name."""
        number = len(self.servers) + 1
        name, namespace = self.net.add_backend(number)
        self._start_server(number, namespace)
        return name

    def configuration(self, forwardings=configuration.FORWARDINGS, weights=None, more=None, **changes):
        """The daemon's configuration with one service a forwarding, named after it. `changes` are for the services,
        `more` for the top of the file."""
        backends = {
            name: (server.address, (weights or {}).get(name, 1))
            for name, server in self.servers.items()
            if weights is None or name in weights
        }
        services = {each: configuration.service(each, backends, **changes) for each in forwardings}
        return self.configuration_of(services, more)

    def start_balancer(self, **options):
        """Starts the daemon with `configuration(**options)` and waits until every backend can be used."""
        seconds = self.balancer.start(self.configuration(**options))
        self.balancer.wait_until_in_rotation()
        return seconds

    def configuration_of(self, services, more=None):
        """A configuration with these services."""
        return configuration.configuration(self.instance, self.net.interfaces, services, **(more or {}))

    def configuration_for(self, ways, more=None, **changes):
        """The daemon's configuration with one service a way, named after it; the rest as in `configuration`."""
        services = {way.name: way.service(self.servers.values(), **changes) for way in ways}
        return self.configuration_of(services, more)

    def start_balancer_for(self, ways, **options):
        """Starts the daemon with `configuration_for(ways, **options)` and waits until every backend can be used."""
        seconds = self.balancer.start(self.configuration_for(ways, **options))
        self.balancer.wait_until_in_rotation()
        return seconds

    def start_udp_balancer_for(self, ways, port, nat_port, health_port, more=None):
        """Starts the daemon with a UDP service for each way, at `port`, and waits until every backend can be used. Behind
        nat the backends listen at `nat_port`. They are up while they take TCP connections at `health_port`."""
        config = self.configuration_for(ways, more=more, protocol="udp", port=port)
        for service in config["services"].values():
            service["health"] = {"type": "tcp", "port": health_port, "interval": "500ms", "timeout": "500ms", "rise": 1}
            for backend in service["backends"].values():
                backend["port"] = nat_port if service["forwarding"] in configuration.REWRITING else port
        self.balancer.start(config)
        self.balancer.wait_until_in_rotation()

    @staticmethod
    def to(service):
        """A service's address and port, as clients use it; the service is that of a forwarding, or of a Way."""
        return service.to() if isinstance(service, Way) else f"{configuration.ADDRESSES[service]}:80"


@contextlib.contextmanager
def undisturbed():
    """Signals wait until the block is done."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def raised(directory, topology=two_arm, backends=3, instance=None, ways=()):
    """A lab for the length of a block; nothing of it is left afterwards, whatever happened in the block. The servers
    hold the addresses of the services of `ways`, beside those of one service a forwarding."""
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    owner = Owner.current()
    instance = instance or f"lab-{os.getpid()}-{next(_numbers)}"
    owner.note("instances", instance)
    mount_bpffs()
    try:
        yield Lab(directory, topology, backends, instance, ways)
    finally:
        with undisturbed():
            owner.remove_everything()
