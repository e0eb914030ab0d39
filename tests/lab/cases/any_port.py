"""Services on any port: all ports of an address go to the same servers, but for those with a service of their own."""

from harness.case import case
from harness.ways import WAYS

_WAYS = [WAYS[name] for name in ("nat_ipv4", "nat_ipv6", "full_nat_ipv4", "direct_ipv6", "ipip_4in6", "gue_6in4")]
_EXACT = 8081
_OTHERS = (80, 8080)
_CLOSED = 9999  # no server listens there


def _services(lab, way):
    """One on any port, of b1 and b2, and beside it one on a port, of b3."""
    servers = list(lab.servers.values())
    any_port = way.service(servers[:2], port="any", health={"type": "http", "path": "/", "port": 8080})
    for backend in any_port["backends"].values():
        del backend["port"]
    exact = way.service(servers[2:], port=_EXACT)
    for backend in exact["backends"].values():
        backend["port"] = _EXACT
    return {f"{way}_any": any_port, f"{way}_exact": exact}


def _expect_apart(run, lab, way):
    """Load on two ports of the one service and on the other's, all at once."""
    loads = {
        port: lab.traffic.start_short(way.to(port), connections=1000, parallel=16) for port in (*_OTHERS, _EXACT)
    }
    reports = {port: load.finish() for port, load in loads.items()}
    run.figure(**{f"{way}_failed": sum(report["failed"] for report in reports.values())})
    for port, report in reports.items():
        wanted = {"b3"} if port == _EXACT else {"b1", "b2"}
        run.expect(report["failed"] == 0, f"{way}: port {port}: connections failed: {report}")
        run.expect(set(report["backends"]) == wanted, f"{way}: port {port} was served by {report['backends']}")


def _expect_shown(run, lab, way):
    for port in (*_OTHERS, _EXACT, _CLOSED):
        name = f"{way}_exact" if port == _EXACT else f"{way}_any"
        traced = lab.balancer.trace(way.source(1024), way.to(port))
        run.expect(traced["service"] == name, f"{way}: port {port} is traced to {traced['service']}")
    for name, ports in ((f"{way}_any", set(_OTHERS)), (f"{way}_exact", {_EXACT})):
        flows = lab.balancer.query("flows", "--service", name, "--limit", "100000")["flows"]
        shown = {flow["destination"]["port"] for flow in flows}
        run.expect(shown == ports, f"the flows of {name} are for ports {shown}")


@case("any_port_beside_one_port")
def any_port_beside_one_port(run):
    """Two ports at once go to the servers of the service on any port; one that has a service of its own, to others."""
    with run.lab(ways=_WAYS) as lab:
        lab.balancer.start(lab.configuration_of({k: v for way in _WAYS for k, v in _services(lab, way).items()}))
        lab.balancer.wait_until_in_rotation()
        for way in _WAYS:
            _expect_apart(run, lab, way)
            _expect_shown(run, lab, way)
            closed = lab.traffic.short(way.to(_CLOSED), connections=20)
            run.expect(closed["failures"] == {"refused": 20}, f"{way}: a port that no server listens at: {closed}")
