"""Datagrams in fragments, through each forwarding and back."""

import subprocess

from harness import paths
from harness.case import case
from harness.configuration import ADDRESSES, FORWARDINGS, service

_PORT = 7000
_SCRIPT = paths.ROOT / "tests" / "lab" / "harness" / "fragments.py"
_TIMES = 20
_BYTES = 6000


def _start_echo(server):
    addresses = [server.address, ADDRESSES["tunnel"], ADDRESSES["direct"]]
    child = server.namespace.spawn("python3", _SCRIPT, "echo", str(_PORT), *addresses, stdout=subprocess.PIPE)
    child.stdout.readline()


def _come_whole(run, forwarding):
    """Every datagram comes back whole, in order and with its last fragment first: those wait for the first one."""
    with run.lab() as lab:
        for server in lab.servers.values():
            # As the client's link, or each server would have to learn that first, by a lost datagram.
            server.namespace.ip("link set eth0 mtu 1500")
            _start_echo(server)
        configuration = lab.configuration(forwardings=[forwarding])
        wanted = service(forwarding, {name: (server.address, 1) for name, server in lab.servers.items()}, health=None)
        wanted.update(port=_PORT, protocol="udp")
        for backend in wanted["backends"].values():
            backend["port"] = _PORT
        configuration["services"] = {forwarding: wanted}
        lab.balancer.start(configuration)
        lab.balancer.wait_until_in_rotation()
        for order in ("first-first", "last-first"):
            asked = lab.net.client.run(
                "python3", _SCRIPT, "ask", ADDRESSES[forwarding], str(_PORT), order, str(_TIMES), str(_BYTES)
            )
            whole = int(asked.stdout)
            run.figure(**{order.replace("-", "_"): whole})
            run.expect(whole == _TIMES, f"{order}: {_TIMES - whole} of {_TIMES} datagrams did not come back")


for _forwarding in FORWARDINGS:
    case(f"fragments_{_forwarding}", forwarding=_forwarding)(_come_whole)
