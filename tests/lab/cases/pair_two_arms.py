"""A pair whose clients and backends are in networks of their own: groups on two interfaces, which have one state."""

import contextlib
import json

from harness import process
from harness.capture import capture
from harness.case import case
from harness.pair import ROUTER_MACS, VRID, Pair, TwoArmPairNet, settle
from harness.topology import BACK, BACK_6, PORT_SOURCE, PORT_SOURCE_6
from harness.ways import WAYS

_WAYS = [WAYS[name] for name in ("nat_ipv4", "nat_ipv6", "full_nat_ipv4", "full_nat_ipv6")]
# By group: the interface, and the IP version.
_GROUPS = {
    "web": (TwoArmPairNet.front, 4),
    "six": (TwoArmPairNet.front, 6),
    "gate": (TwoArmPairNet.back, 4),
    "gate6": (TwoArmPairNet.back, 6),
}


def _addresses(group):
    interface, version = _GROUPS[group]
    if interface == TwoArmPairNet.front:
        return [way.address for way in _WAYS if way.version == version]
    return [BACK, PORT_SOURCE] if version == 4 else [BACK_6, PORT_SOURCE_6]


def _start(pair, virtual_mac):
    for name, priority in (("lb1", 150), ("lb2", 100)):
        common = {"virtual_router_id": VRID, "priority": priority, "advert_interval": "100ms", "sync_group": "all"}
        common |= {"virtual_mac": "true"} if virtual_mac else {}
        groups = {group: {"interface": _GROUPS[group][0], "addresses": _addresses(group), **common} for group in _GROUPS}
        made = pair.configuration_for(name, _WAYS, groups, **pair.paths(name), sync={})
        pair.balancers[name].start(made)
    pair.until_ready(*_GROUPS)


def _wait(pair, name):
    for group in _GROUPS:
        pair.until_state(name, "active", group)


def _judge_announcements(run, taken, interface, own_macs):
    """Each address was told of in the network that it is in, and in no other, from the MAC address that it has."""
    for group, (home, version) in _GROUPS.items():
        for address in _addresses(group):
            told = f"arp.src.proto_ipv4 == {address}" if version == 4 else f"icmpv6.type == 136 && icmpv6.nd.na.target_address == {address}"
            senders = {row[0] for row in taken.rows(told, "eth.src")}
            expected = set() if home != interface else {ROUTER_MACS[version]} if own_macs is None else own_macs
            run.expect(senders == expected, f"{address} was told of by {interface} from {senders}, not from {expected}")


def _macs(pair, interface):
    shown = [json.loads(process.run(["ip", "-n", node.name, "-j", "link", "show", "dev", interface]).stdout) for node in pair.net.nodes.values()]
    return {link["address"] for (link,) in shown}


@case("pair_with_two_arms")
@case("pair_virtual_mac_with_two_arms", virtual_mac=True)
def with_two_arms(run, virtual_mac=False):
    """Services on one interface and the backends' gateway on another change the node together: the active one is killed with its
    links cut, and comes back; then one of the two interfaces alone is cut. No connection breaks, and each network is told of
    its own addresses."""
    with run.lab(TwoArmPairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        taken = {}
        with contextlib.ExitStack() as captures:
            for interface, host in ((pair.net.front, lab.net.client), (pair.net.back, lab.net.backends["b1"])):
                file = run.directory / f"{interface}.pcapng"
                taken[interface] = captures.enter_context(capture(host, "eth0", file, "arp or icmp6 or proto 112 or ip6 proto 112"))
            _start(pair, virtual_mac)
            long = {way.name: lab.traffic.start_long(way.to(), 50, ports="1024-9999", interval_ms=100, timeout_ms=10000) for way in _WAYS}
            pair.kill_everything("lb1")
            _wait(pair, "lb2")
            load = lab.traffic.wrk(_WAYS[0].url(), connections=20, seconds=2)
            pair.net.mend("lb1")
            pair.balancers["lb1"].daemon.wait()
            pair.balancers["lb1"].start()
            pair.until_active("lb1", *_GROUPS)
            pair.until_flows_are_at("lb2")
            pair.net.nodes["lb1"].ip(f"link set {pair.net.back} down")
            _wait(pair, "lb2")
            settle(0.5)
            pair.net.mend("lb1")
            pair.until_active("lb1", *_GROUPS)
            settle(0.5)
            broken = {name: running.stop()["failed"] for name, running in long.items()}
            macs = {interface: None if virtual_mac else _macs(pair, interface) for interface in taken}
        for interface, of_network in taken.items():
            wrong = of_network.rows("vrrp && (_ws.malformed || vrrp.checksum.status == 0 || ip.checksum.status == 0)", "frame.number")
            run.expect(not wrong, f"tshark finds these wrong: {wrong}")
            _judge_announcements(run, of_network, interface, macs[interface])
        run.figure(lasting=50 * len(_WAYS), broken=broken, wrk_failed=load["failed"])
        run.expect(load["failed"] == 0, f"wrk saw failures: {load}")
        run.expect(not any(broken.values()), f"connections broke: {broken}")
