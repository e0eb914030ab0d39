"""Who takes packets to a group's addresses that are for no service: the host, or with `accept_mode: false` nobody (RFC 9568
section 6.1)."""

from harness import process
from harness.case import case
from harness.pair import NODES, VRID, Pair, PairNet
from harness.topology import BACK, BACK_6
from harness.ways import WAYS

_WAYS = [WAYS[name] for name in ("nat_ipv4", "nat_ipv6", "ipip_4in4", "ipip_6in6", "direct_ipv4", "direct_ipv6")]
_GROUPS = {"web": 4, "six": 6}
_PORT = 2222  # where each node's host listens, and no service


def _configuration(pair, name, accept_mode):
    common = {"virtual_router_id": VRID, "priority": 150 if name == "lb1" else 100, "advert_interval": "100ms", "sync_group": "all"}
    common |= {} if accept_mode else {"accept_mode": "false"}
    hosts = {version: [way.address for way in _WAYS if way.version == version] for version in (4, 6)}
    groups = {"web": {"addresses": [*hosts[4], BACK], **common}, "six": {"addresses": [*hosts[6], BACK_6], **common}}
    made = pair.configuration_for(name, _WAYS, groups, **pair.paths(name), sync={})
    made["dataplane"] = {**made.get("dataplane", {}), "echo": "false"}
    return made


def _is_open(lab, host, within=5.0):
    """Does the active node's host take a connection of the client's at its own port?"""
    return lab.net.client.run("timeout", str(within), "bash", "-c", f"exec 3<>/dev/tcp/{host}/{_PORT}", check=False).returncode == 0


def _answers_ping(namespace, host, within):
    return namespace.run("ping", "-c", "1", "-W", str(within), host, check=False).returncode == 0


def _judge(run, lab, takes):
    """Services are reached; whether the host is, at any of the groups' addresses, is as it should be."""
    within = 5.0 if takes else 0.5
    lab.net.client.ip("neighbour flush dev eth0")
    for way in _WAYS:
        lab.traffic.curl(way.url())
        run.expect(_is_open(lab, way.address, within) == takes, f"{way}: a port of the host is {'shut' if takes else 'open'}")
        run.expect(_answers_ping(lab.net.client, way.address, within) == takes, f"{way}: the host {'does not answer' if takes else 'answers'} ping")
    backend = next(iter(lab.servers.values())).namespace
    for gateway in (BACK, BACK_6):
        run.expect(_answers_ping(backend, gateway, within) == takes, f"{gateway}: the host {'does not answer' if takes else 'answers'} a backend's ping")


def _not_accepted(pair, name):
    return sum(drop["count"] for drop in pair.balancers[name].query("drops")["drops"] if drop["reason"] == "not_accepted")


@case("pair_accept_mode")
def accept_mode(run):
    """With `accept_mode: false` nobody but the services is at a group's addresses, before and after the active node dies, and
    neighbours are answered; it is changed by apply, and connections go on all the while."""
    with run.lab(PairNet, ways=_WAYS) as lab:
        pair = Pair(lab, run)
        hosts = [node.spawn("python3", "-m", "http.server", "--bind", "::", str(_PORT), cwd=run.directory) for node in pair.net.nodes.values()]
        for name in NODES:
            pair.balancers[name].start(_configuration(pair, name, accept_mode=True))
        pair.until_ready(*_GROUPS)
        process.until(lambda: _is_open(lab, _WAYS[0].address), "the host listens")
        long = {way.name: lab.traffic.start_long(way.to(), 20, ports="1024-9999", interval_ms=100, timeout_ms=10000) for way in _WAYS}
        _judge(run, lab, takes=True)
        run.expect(_not_accepted(pair, "lb1") == 0, "packets were not accepted where all are")
        for name in NODES:
            pair.balancers[name].apply(_configuration(pair, name, accept_mode=False))
        _judge(run, lab, takes=False)
        counted = _not_accepted(pair, "lb1")
        run.expect(counted >= 2 * len(_WAYS) + 2, f"{counted} packets were counted as not accepted")
        pair.kill_everything("lb1")
        for group in _GROUPS:
            pair.until_state("lb2", "active", group)
        _judge(run, lab, takes=False)
        pair.balancers["lb2"].apply(_configuration(pair, "lb2", accept_mode=True))
        _judge(run, lab, takes=True)
        broken = {name: running.stop()["failed"] for name, running in long.items()}
        run.figure(not_accepted=counted, broken=broken)
        run.expect(not any(broken.values()), f"connections broke: {broken}")
        for host in hosts:
            process.end(host)
