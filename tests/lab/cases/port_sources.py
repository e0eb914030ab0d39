"""The source addresses of full NAT change while connections have them."""

import json

from harness import process
from harness.case import case
from harness.steady import SteadyLoad, expect_unharmed
from harness.ways import WAYS

_WAYS = [WAYS["full_nat_ipv4"], WAYS["full_nat_ipv6"]]


def _configuration(lab, *numbers, **full_nat):
    """With a source address of each version for each number."""
    sources = [f"{net}{number}" for number in numbers for net in ("10.0.0.", "2001:db8:2::")]
    return lab.configuration_for(_WAYS, more={"full_nat": {"sources": sources, **full_nat}})


def _start(lab, *numbers):
    lab.balancer.start(_configuration(lab, *numbers))
    lab.balancer.wait_until_in_rotation()


def _holders(lab, address):
    """The interfaces of the balancer's that have the address."""
    shown = json.loads(process.run(["ip", "-n", lab.net.balancer.name, "-j", "address"]).stdout)
    return [link["ifname"] for link in shown if any(entry.get("local") == address for entry in link["addr_info"])]


@case("port_sources_come_and_go_under_load")
def port_sources_come_and_go_under_load(run):
    """Source addresses come, go and come back: no connection notices."""
    with run.lab(ways=_WAYS) as lab:
        _start(lab, 200)
        load = SteadyLoad(lab, _WAYS)
        for numbers in ((201,), (201, 202), (202,), (200, 202), (200,)):
            load.go_on(1)
            lab.balancer.apply(_configuration(lab, *numbers))
        load.go_on(1)
        expect_unharmed(run, *load.stop())


@case("port_sources_move_to_another_interface_under_load")
def port_sources_move_to_another_interface_under_load(run):
    """Another interface for the source addresses takes them from the one before; one that is not there is refused."""
    with run.lab(ways=_WAYS) as lab:
        _start(lab, 200)
        load = SteadyLoad(lab, _WAYS)
        for interface in ("eth0", "eth1"):
            load.go_on(1)
            lab.balancer.apply(_configuration(lab, 200, interface=interface))
            holders = _holders(lab, "10.0.0.200")
            run.expect(holders == [interface], f"10.0.0.200 is to be on {interface}, and is on {holders}")
        lab.balancer.write(_configuration(lab, 201, interface="nosuch"))
        refused = lab.balancer.astil("apply", str(lab.balancer.config_file), check=False)
        run.expect(refused.returncode != 0, f"an interface that does not exist: {refused.stdout}")
        load.go_on(1)
        expect_unharmed(run, *load.stop())


@case("port_source_that_is_lost_comes_back_under_load")
def port_source_that_is_lost_comes_back_under_load(run):
    """A source address that the file names no more, but connections have, is put back if somebody takes it away."""
    with run.lab(ways=_WAYS) as lab:
        _start(lab, 200)
        load = SteadyLoad(lab, _WAYS)
        load.go_on(1)
        lab.balancer.apply(_configuration(lab, 201))
        for address, length in (("10.0.0.200", 32), ("2001:db8:2::200", 128)):
            lab.net.balancer.ip(f"address delete {address}/{length} dev eth1")
            process.until(lambda: address in lab.balancer.addresses(), f"{address} is back")
        load.go_on(1)
        expect_unharmed(run, *load.stop())
