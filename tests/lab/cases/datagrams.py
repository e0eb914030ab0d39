"""UDP in both versions of IP: queries to real name servers, and datagrams as large as QUIC's."""

from harness import names
from harness.case import case
from harness.echo import NAT_PORT, PORT, EchoServer, echo
from harness.names import NameServer, ask
from harness.ways import KINDS, WAYS

_QUERIES = 100
_SMALLEST = 1200  # RFC 9000, section 14: what a path for QUIC must carry
_UDP_HEADER = 8


@case("udp_queries_both_versions")
def udp_queries_both_versions(run):
    """Queries by every forwarding and tunnel reach all backends, the one that `astil trace` tells, and are answered."""
    ways = list(WAYS.values())
    with run.lab(ways=ways) as lab:
        kept = [way.address for way in ways if not way.rewrites]
        for server in lab.servers.values():
            NameServer(server, kept)
        lab.start_udp_balancer_for(ways, names.PORT, names.NAT_PORT, health_port=names.PORT)
        for number, way in enumerate(ways):
            # From one address, which the balancer's host has learnt when the client asked it for its MAC address.
            answers = ask(lab.net.client, way.address, times=_QUERIES, source=way.client)
            counts = {name: answers.count(name) for name in lab.servers}
            run.figure(**{f"{way}_answers": len(answers)})
            run.expect(len(answers) == _QUERIES, f"{way}: {_QUERIES - len(answers)} queries had no answer")
            run.expect(all(counts.values()), f"{way}: a backend was never asked: {counts}")
            for port in range(6000 + 10 * number, 6005 + 10 * number):
                told = lab.balancer.trace(way.source(port), way.to(names.PORT), protocol="udp")["backend"]
                answer = "".join(ask(lab.net.client, way.address, source=f"{way.client}#{port}"))
                run.expect(answer == told, f"{way}: port {port} went to {answer}, not to {told}")
            large = "".join(ask(lab.net.client, way.address, name="large.lab.test", source=way.client))
            run.expect(len(large) >= names.LARGE, f"{way}: a large answer did not come whole: {large}")


def _datagrams(run, ways):
    """Datagrams of every size from 1,200 bytes to what fits the client's net arrive and come back whole, all of a flow
    from the same server."""
    with run.lab(ways=ways) as lab:
        kept = [way.address for way in ways if not way.rewrites]
        for server in lab.servers.values():
            EchoServer(server, kept)
        lab.start_udp_balancer_for(ways, PORT, NAT_PORT, health_port=8080)
        for way in ways:
            sizes = (_SMALLEST, lab.net.front_mtu - way.header - _UDP_HEADER)
            report = echo(lab.net.client, way.client, way.address, sizes)
            run.figure(**{f"{way}_asked": report["asked"], f"{way}_answered": report["answered"]})
            run.expect(report["answered"] == report["asked"], f"{way}: {report}")
            wandered = {port: servers for port, servers in report["servers"].items() if len(servers) != 1}
            run.expect(not wandered, f"{way}: flows changed the server: {wandered}")
            used = {name for names in report["servers"].values() for name in names}
            run.expect(len(used) > 1, f"{way}: all flows went to {used}")


for _kind, _ways in KINDS.items():
    case(f"datagrams_as_of_quic_{_kind}", ways=_ways)(_datagrams)
