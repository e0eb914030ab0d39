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

_numbers = itertools.count(1)


class Lab:
    def __init__(self, directory, topology, backends, instance):
        self.directory = pathlib.Path(directory)
        self.instance = instance
        self.net = topology(backends)
        self.servers = {}
        for name, namespace in self.net.backends.items():
            self._start_server(name, namespace)
        self.balancer = Balancer(self.net.balancer, instance, self.directory)
        self.traffic = Traffic(self.net.client, self.directory / "client.log")

    def _start_server(self, name, namespace):
        server = Server(name, f"10.0.0.{10 + int(name[1:])}", namespace, self.directory)
        server.hold_direct(configuration.DIRECT)
        server.start_web()
        server.agent = server.start_agent(configuration.TUNNEL)
        self.servers[name] = server

    def add_server(self):
        """One more backend's host, ready to serve. Returns its name."""
        name, _, namespace = self.net.add_backend(len(self.servers) + 1)
        self._start_server(name, namespace)
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
        return configuration.configuration(self.instance, self.net.interfaces, services, **(more or {}))

    def start_balancer(self, **options):
        """Starts the daemon with `configuration(**options)` and waits until every backend can be used."""
        seconds = self.balancer.start(self.configuration(**options))
        self.balancer.wait_until_in_rotation()
        return seconds

    @staticmethod
    def to(forwarding):
        """The service's address and port, as clients use it."""
        return f"{configuration.ADDRESSES[forwarding]}:80"


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
def raised(directory, topology=two_arm, backends=3, instance=None):
    """A lab for the length of a block; nothing of it is left afterwards, whatever happened in the block."""
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    owner = Owner.current()
    instance = instance or f"lab-{os.getpid()}-{next(_numbers)}"
    owner.note("instances", instance)
    mount_bpffs()
    try:
        yield Lab(directory, topology, backends, instance)
    finally:
        with undisturbed():
            owner.remove_everything()
