"""Both versions of IP through every forwarding and tunnel: many connections, transfers whose bytes are checked, and
what the balancer shows of them."""

import time

from harness.case import case
from harness.servers import files, gibibyte
from harness.topology import one_arm, two_arm
from harness.transfers import digest, download, upload, wrong_transfers
from harness.ways import KINDS, WAYS

_CONNECTIONS = 10_000
_PORT = 1024  # of the flow that is followed; the others' begin above


def _follow_one_flow(run, lab, way):
    """One connection: what `trace` says before it is there and while it is, what `flows` shows, and where it went."""
    source = way.source(_PORT)
    before = lab.balancer.trace(source, way.to())
    flow = lab.traffic.start_long(way.to(), 1, ["--flows"], source=way.client, ports=f"{_PORT}-{_PORT}")
    known = lab.balancer.trace(source, way.to())
    listed = lab.balancer.query("flows", "--service", way.name)
    report = flow.stop()
    backend = flow.ready["flows"][source]
    run.expect(report["failed"] == 0, f"{way}: the flow failed: {report}")
    leaves = {1: ("transmit", "eth0"), 2: ("redirect", "eth1")}[lab.net.arms]
    for traced, is_known in ((before, False), (known, True)):
        run.expect(traced["flow_known"] == is_known, f"{way}: is the flow known? {traced}")
        run.expect(traced["backend"] == backend, f"{way}: it went to {backend}: {traced}")
        run.expect((traced["verdict"], traced["interface"]) == leaves, f"{way}: {traced}")
        rewritten = next(step["text"] for step in traced["steps"] if step["stage"] == "rewrite")
        towards = lab.servers[backend].addresses[way.outer]
        run.expect(way.forwarding == "direct" or towards in rewritten, f"{way}: not to {towards}: {rewritten}")
    run.expect(listed["matched"] == 1, f"{way}: one flow is listed as {listed}")
    shown = listed["flows"][0]
    wanted = {
        "service": way.name,
        "client": {"address": way.client, "port": _PORT},
        "destination": {"address": way.address, "port": 80},
        "backend": backend,
        "protocol": "tcp",
    }
    run.expect(wanted.items() <= shown.items(), f"{way}: the flow is listed as {shown}")
    # Where replies do not pass the balancer, it learns only by time that a connection is more than a SYN.
    state = "established" if way.rewrites else "half-open"
    run.expect(shown["state"] == state, f"{way}: the open flow is {shown['state']}")


def _expect_counted(run, lab, service, way, least_bytes):
    """The status has the service as configured, and has counted what went through it."""
    told = (service["address"], service["port"], service["forwarding"], service["protocol"])
    run.expect(told == (way.address, 80, way.forwarding, "tcp"), f"{way} is shown as {told}")
    traffic = service["traffic"]
    made = _CONNECTIONS + 1 + 2  # lab_client's, the one that was followed, two of curl
    run.expect(traffic["new_connections"] == made, f"{way}: {made} connections are counted as {traffic}")
    run.expect(traffic["bytes"] > least_bytes, f"{way}: more than {least_bytes} bytes are counted as {traffic}")
    parts = sum(backend["traffic"]["new_connections"] for backend in service["backends"])
    run.expect(parts == traffic["new_connections"], f"{way}: the backends have {parts} of the connections of {traffic}")
    addresses = {backend["name"]: backend["address"] for backend in service["backends"]}
    wanted = {name: server.addresses[way.outer] for name, server in lab.servers.items()}
    run.expect(addresses == wanted, f"{way}: the backends' addresses are {addresses}")


def _many_and_large(run, ways, topology=two_arm):
    """10,000 connections and transfers of 1 MiB through every way; trace, flows and status say what happened."""
    large = files() / "1m"
    wanted = digest(large)
    with run.lab(topology, ways=ways) as lab:
        lab.start_balancer_for(ways)
        for way in ways:
            _follow_one_flow(run, lab, way)
            report = lab.traffic.short(way.to(), connections=_CONNECTIONS, ports="2000-65535")
            wrong = wrong_transfers(lab, way, large, wanted)
            per_second = round(report["connections"] / report["seconds"])
            run.figure(**{f"{way}_failed": report["failed"], f"{way}_per_second": per_second})
            run.expect(report["failed"] == 0, f"{way}: {report}")
            run.expect(report["connections"] == _CONNECTIONS, f"{way}: not every connection was made: {report}")
            run.expect(len(report["backends"]) == 3, f"{way}: not every backend was used: {report}")
            run.expect(not wrong, f"{way}: {wrong}")
        status = lab.balancer.status()
        run.expect(not status["problems"], f"at the end there are problems: {status['problems']}")
        for way, service in zip(ways, status["services"]):
            _expect_counted(run, lab, service, way, large.stat().st_size)


for _kind, _ways in KINDS.items():
    case(f"both_versions_{_kind}", ways=_ways)(_many_and_large)
_ONE_ARM = [WAYS[name] for name in ("nat_ipv6", "direct_ipv6", "ipip_4in6", "gue_6in4")]
case("both_versions_one_arm", ways=_ONE_ARM, topology=one_arm)(_many_and_large)


def _gibibyte(run, way, transfer):
    """1 GiB arrives byte for byte."""
    with gibibyte() as large, run.lab(backends=1, ways=[way]) as lab:
        wanted = digest(large)
        lab.start_balancer_for([way])
        begun = time.monotonic()
        wrong = transfer(lab, way, large, wanted, timeout=100)
        run.figure(seconds=round(time.monotonic() - begun, 1))
        run.expect(not wrong, wrong)


for _way in WAYS.values():
    for _transfer in (download, upload):
        case(f"gibibyte_{_transfer.__name__}_{_way}", long=True, way=_way, transfer=_transfer)(_gibibyte)
