"""Kinds of health checks against real servers: what each sees, and what it says of it."""

from harness import process
from harness.case import case
from harness.grpc_health import GRPC_PORT, SERVING, GrpcServer
from harness.names import PORT, NameServer
from harness.servers import TLS_PORT
from harness.ways import WAYS

_CHECK = {"interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}


def _apply(lab, **health):
    """Gives the daemon a service whose backends are checked so."""
    lab.balancer.apply(lab.configuration(forwardings=["nat"], health={**_CHECK, **health}))


def _await_down(lab, name, error):
    """The backend goes down, and the error of that begins so."""
    lab.balancer.wait_until_out_of_rotation(name)
    told = lambda: lab.balancer.backends("nat")[name]["health"]["last_error"]
    process.until(lambda: told().startswith(error), f"{name} down by {error!r}")


@case("checks_by_dns")
def checks_by_dns(run):
    """A name server is up while it says what it must of a name, and down when it says something else or is gone."""
    with run.lab() as lab:
        servers = {name: NameServer(server, []) for name, server in lab.servers.items()}
        check = {"type": "dns", "port": PORT}
        lab.start_balancer(forwardings=["nat"], health={**_CHECK, **check, "name": "who.lab.test"})
        # Of a zone that it does not have, nsd refuses to speak.
        _apply(lab, **check, name="who.example")
        _await_down(lab, "b1", "REFUSED, expected NOERROR")
        _apply(lab, **check, name="who.example", rcode="REFUSED")
        lab.balancer.wait_until_in_rotation()
        _apply(lab, **check, name="missing.lab.test", record="AAAA")
        _await_down(lab, "b1", "NXDOMAIN, expected NOERROR")
        _apply(lab, **check, name="NS.lab.test.")
        lab.balancer.wait_until_in_rotation()
        servers["b2"].stop()
        _await_down(lab, "b2", "answer: port unreachable, by ICMP")


@case("checks_by_https")
def checks_by_https(run):
    """nginx by TLS is up for who knows its authority and its name, and down with the reason for who does not."""
    with run.lab() as lab:
        authority = lab.directory / "certificate.pem"
        key = lab.directory / "key.pem"
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        made += ["-subj", "/O=lab", "-addext", "subjectAltName=DNS:web.lab.test", "-keyout", key, "-out", authority]
        process.run(made)
        for server in lab.servers.values():
            server.start_tls(authority, key)
        check = {"type": "https", "port": TLS_PORT, "timeout": "200ms"}
        known = {"server_name": "web.lab.test", "ca": authority}
        lab.start_balancer(forwardings=["nat"], health={**_CHECK, **check, **known})
        _apply(lab, **check, server_name="web.lab.test")
        _await_down(lab, "b1", "handshake: certificate: self-signed certificate")
        _apply(lab, **check, verify="false", body="by TLS")
        lab.balancer.wait_until_in_rotation()
        _apply(lab, **check, **{**known, "server_name": "www.lab.test"})
        _await_down(lab, "b1", "handshake: certificate: hostname mismatch")
        _apply(lab, **check, **known, body="ill")
        _await_down(lab, "b1", "status 200, but the wanted text is not in the body")
        _apply(lab, **{**check, "port": 80}, **known)
        _await_down(lab, "b1", "handshake: wrong version number")


@case("checks_by_icmp")
def checks_by_icmp(run):
    """A host is up while it answers echo requests of either version of IP, and down once its link is."""
    with run.lab(ways=[WAYS["nat_ipv4"], WAYS["nat_ipv6"]]) as lab:
        lab.start_balancer_for(lab.ways, health={**_CHECK, "type": "icmp"})
        lab.servers["b2"].kill_web()
        lab.net.switch.ip("link set b2 down")
        lab.balancer.wait_until_out_of_rotation("b2")
        errors = {way.name: lab.balancer.backends(way.name)["b2"]["health"]["last_error"] for way in lab.ways}
        run.expect(set(errors.values()) == {"timeout after 150ms in answer"}, f"other errors: {errors}")
        lab.net.switch.ip("link set b2 up")
        lab.balancer.wait_until_in_rotation()


@case("checks_by_udp")
def checks_by_udp(run):
    """A server of datagrams is up while its answer begins as it must, or, where none is expected, while it is there."""
    with run.lab() as lab:
        servers = {name: NameServer(server, []) for name, server in lab.servers.items()}
        check = {"type": "udp", "port": PORT}
        # As text: a query for ns.lab.test, whose answer begins with the query's id.
        query = r'"\x124\x01\0\0\x01\0\0\0\0\0\0\x02ns\x03lab\x04test\0\0\x01\0\x01"'
        lab.start_balancer(forwardings=["nat"], health={**_CHECK, **check, "send": query, "expect": r'"\x124"'})
        _apply(lab, **check, send=query, expect="PONG")
        _await_down(lab, "b1", r'answer "\x124\x8')
        # What is no query gets no answer.
        _apply(lab, **check)
        lab.balancer.wait_until_in_rotation()
        servers["b2"].stop()
        _await_down(lab, "b2", "answer: port unreachable, by ICMP")


@case("checks_by_grpc")
def checks_by_grpc(run):
    """grpcio's server is up while its health service says SERVING of what is asked for, and down with its reason else."""
    with run.lab() as lab:
        servers = {name: GrpcServer(server, lab_Mail=SERVING) for name, server in lab.servers.items()}
        check = {"type": "grpc", "port": GRPC_PORT}
        lab.start_balancer(forwardings=["nat"], health={**_CHECK, **check})
        _apply(lab, **check, service="lab.News")
        _await_down(lab, "b1", "NOT_FOUND: unknown service")
        _apply(lab, **check, service="lab.Mail")
        lab.balancer.wait_until_in_rotation()
        servers["b2"].serve_no_more()
        _await_down(lab, "b2", "NOT_SERVING, expected SERVING")
        servers["b3"].stop()
        _await_down(lab, "b3", "connect: Connection refused")
        # nginx, which speaks HTTP/1.
        _apply(lab, type="grpc", port=80)
        _await_down(lab, "b1", "not HTTP/2")
