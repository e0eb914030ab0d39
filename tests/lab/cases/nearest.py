"""Names that lead to the site that is nearest to the client, by its resolver's address or the subnet that it tells."""

import ipaddress
import random
import re

from cases.names import ZONE, Asker, section
from harness.case import case
from harness.topology import FRONT

WWW = f"www.{ZONE}"
_APEX = ["@ SOA ns1 hostmaster 7 3600 600 604800 60", "@ NS ns1", f"ns1 A {FRONT}"]
_SITES = {f"s{number}": f"198.51.100.{number}" for number in range(1, 6)}
_CLIENTS = 40


def _configuration(lab, networks):
    sites = {name: {"addresses": [address]} for name, address in _SITES.items()}
    world = {
        "networks": networks,
        "regions": {f"of-{name}": {"near": [name]} for name in _SITES},
        "elsewhere": ["s1"],
    }  # fmt: skip
    names = {"www": {"policy": "nearest", "map": "world", "sites": sites}}
    dns = section(_APEX, listen=[f"{FRONT}:53"], client_subnet="true", query_log={"every": 1}, maps={"world": world}, zone={"names": names})
    return lab.configuration(forwardings=["nat"], more={"dns": dns})


def _drawn(chance, count):
    """Networks that hold each other, many of them around the client, each with a site."""
    networks = {}
    while len(networks) < count:
        if networks and chance.random() < 0.4:
            outer = chance.choice(list(networks))
        else:
            outer = ipaddress.ip_network(chance.choice(["10.0.0.0/12", "203.0.0.0/8", "2001:db8::/32"]))
        length = chance.randint(outer.prefixlen, outer.max_prefixlen)
        first = int(outer.network_address) + chance.randrange(outer.num_addresses)
        networks[ipaddress.ip_network((first, length), strict=False)] = chance.choice(list(_SITES))
    return networks


class _Plain:
    """A plain search: every network is looked at."""

    def __init__(self, networks):
        self.of_version = {version: [] for version in (4, 6)}
        for network, site in networks.items():
            behind = network.max_prefixlen - network.prefixlen
            self.of_version[network.version].append((int(network.network_address) >> behind, behind, site))

    def site(self, address):
        """Of the longest network that holds it."""
        number = int(address)
        holding = [(behind, site) for bits, behind, site in self.of_version[address.version] if number >> behind == bits]
        return min(holding)[1] if holding else "s1"

    def sites_within(self, network):
        """Those that begin anywhere in it."""
        first, last = int(network.network_address), int(network.broadcast_address)
        begins = {bits << behind for bits, behind, _ in self.of_version[network.version]}
        return {self.site(type(network.network_address)(begin)) for begin in begins if first <= begin <= last}


def _asked(chance, networks):
    """Subnets that a resolver could tell: whole addresses, and shorter ones."""
    for network in chance.sample(list(networks), 1500):
        address = network[chance.randrange(network.num_addresses)]
        length = chance.choice([address.max_prefixlen, chance.randint(8, address.max_prefixlen)])
        yield ipaddress.ip_network((address, length), strict=False)


def _expect_subnets(run, lab, plain, subnets):
    batch = lab.directory / "batch"
    batch.write_text("".join(f"{WWW} A +subnet={subnet}\n" for subnet in subnets))
    said = Asker(lab).dig("+noall", "+answer", "+comments", "-f", batch)
    told = re.findall(r"CLIENT-SUBNET: (\S+)/(\d+)/(\d+)\n.*?IN\s+A\s+(\S+)", said, re.S)
    run.expect(len(told) == len(subnets), f"{len(told)} of {len(subnets)} subnets were answered")
    for subnet, (_, source, scope, answer) in zip(subnets, told, strict=True):
        wanted = plain.site(subnet.network_address)
        run.expect(answer == _SITES[wanted], f"{subnet}: {answer}, and {wanted} is near")
        run.expect(int(source) == subnet.prefixlen, f"{subnet}: comes back as /{source}")
        # Every network within what the scope says has the same site, or the answer would not be right for all of it.
        whole = ipaddress.ip_network((subnet.network_address, int(scope)), strict=False)
        others = plain.sites_within(whole) - {wanted}
        run.expect(not others, f"{subnet}: scope /{scope} holds {others} too, and {wanted} was answered")


@case("sites_nearest")
def sites_nearest(run):
    """Over 10,000 networks each client and each subnet that is told gets the site of a plain search, with its scope."""
    with run.lab(backends=1) as lab:
        chance = random.Random(20261127)
        networks = _drawn(chance, 10_000)
        clients = [f"10.1.0.{100 + number}" for number in range(_CLIENTS)]
        for number, client in enumerate(clients):
            lab.net.client.run("ip", "address", "add", f"{client}/32", "dev", "eth0")
            networks[ipaddress.ip_network(f"{client}/32")] = f"s{number % 4 + 2}"
        plain = _Plain(networks)
        file = lab.directory / "networks"
        file.write_text("".join(f"{network} of-{site}\n" for network, site in networks.items()))
        lab.balancer.start(_configuration(lab, file))
        ask = Asker(lab)
        for client in clients:
            wanted = plain.site(ipaddress.ip_address(client))
            said = ask.short("+notcp", "-b", client, WWW)
            run.expect(said == [_SITES[wanted]], f"client {client}: {said}, and {wanted} is near")
        _expect_subnets(run, lab, plain, list(_asked(chance, networks)))
        said = lab.balancer.astil("dns", "explain", WWW, "--from", clients[0]).stdout
        run.expect("region of-s2 of map world" in said and "policy nearest" in said, said)
        said = lab.balancer.astil("dns", "explain", WWW, "--from", "192.0.2.1").stdout
        run.expect("no region of map world" in said and _SITES["s1"] in said, said)
        written = f'query client={clients[0]} transport=udp name={WWW} type=A code=NOERROR answers=1 site=s2'
        run.expect(written in lab.balancer.log_file.read_text(), "a query is not in the log")
        file.write_text("10.1.0.0/24 of-s6\n")
        refused = lab.balancer.astil("apply", str(lab.balancer.config_file), check=False)
        run.expect(refused.returncode == 1 and f"{file}:1: the map has no region 'of-s6'" in refused.stderr, refused.stderr)
        run.expect(len(ask.short("+notcp", WWW)) == 1, "a file that is wrong changed something")
