"""UDP through each forwarding: real queries to real name servers."""

from harness import process
from harness.case import case
from harness.configuration import ADDRESSES, FORWARDINGS, service
from harness.names import NAT_PORT, PORT, NameServer, ask

_QUERIES = 300
_HEALTH = {"type": "tcp", "port": PORT, "interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}


def _start(lab, forwarding):
    """Name servers on all backends, and one UDP service in front of them. Returns the name servers."""
    names = {
        name: NameServer(server, [ADDRESSES["tunnel"], ADDRESSES["direct"]]) for name, server in lab.servers.items()
    }
    configuration = lab.configuration(forwardings=[forwarding])
    wanted = service(forwarding, {name: (server.address, 1) for name, server in lab.servers.items()}, health=_HEALTH)
    wanted.update(port=PORT, protocol="udp")
    for backend in wanted["backends"].values():
        backend["port"] = NAT_PORT if forwarding == "nat" else PORT
    configuration["services"] = {forwarding: wanted}
    lab.balancer.start(configuration)
    lab.balancer.wait_until_in_rotation()
    return names


def _queries(run, forwarding):
    """Queries reach all backends, the one that `astil trace` tells, and each is answered; a datagram of 1,200 bytes comes
    whole."""
    with run.lab() as lab:
        _start(lab, forwarding)
        answers = ask(lab.net.client, ADDRESSES[forwarding], times=_QUERIES)
        counts = {name: answers.count(name) for name in lab.servers}
        run.figure(queries=_QUERIES, answers=len(answers), counts=counts)
        run.expect(len(answers) == _QUERIES, f"{_QUERIES - len(answers)} queries had no answer")
        run.expect(all(counts.values()), f"a backend was never asked: {counts}")
        for port in range(6000, 6010):
            told = lab.balancer.trace(f"10.1.0.10:{port}", f"{ADDRESSES[forwarding]}:{PORT}", protocol="udp")["backend"]
            answer = "".join(ask(lab.net.client, ADDRESSES[forwarding], source=f"10.1.0.10#{port}"))
            run.expect(answer == told, f"port {port} went to {answer}, not to {told}")
        large = ask(lab.net.client, ADDRESSES[forwarding], name="large.lab.test")
        run.expect(len("".join(large)) >= 1200, f"a large answer did not come whole: {large}")


def _leaves_a_dead_backend(run, forwarding):
    """A client that keeps its port is served by another backend once its own is down."""
    with run.lab() as lab:
        names = _start(lab, forwarding)
        source = "10.1.0.10#5000"

        def who():
            return "".join(ask(lab.net.client, ADDRESSES[forwarding], source=source))

        home = who()
        run.expect(home in names, f"no answer at first: {home}")
        run.expect(all(who() == home for _ in range(5)), "a flow of UDP wandered")
        names[home].stop()
        lab.balancer.wait_until_out_of_rotation(home)
        after = process.until(who, "an answer from another backend")
        run.expect(after in names and after != home, f"it stayed at {home}: {after}")


for _forwarding in FORWARDINGS:
    case(f"udp_queries_{_forwarding}", forwarding=_forwarding)(_queries)
case("udp_leaves_a_dead_backend", forwarding="nat")(_leaves_a_dead_backend)
