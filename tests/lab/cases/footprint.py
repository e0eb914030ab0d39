"""What a hundred services cost: memory, and the time until packets flow."""

from harness.case import case
from harness.configuration import service

_SERVICES = 100
_ADDRESSES_EACH = 4  # of the three hosts: twelve, of which each service uses ten
_RSS_LIMIT_KIB = 40 * 1024
_START_LIMIT_S = 1.0


def _hundred_services(lab):
    """100 services of 10 backends; the hosts are three, with several addresses each."""
    addresses = []
    for number, server in enumerate(lab.servers.values()):
        more = [f"10.0.0.{100 + 10 * number + extra}" for extra in range(_ADDRESSES_EACH)]
        server.namespace.ip(*(f"address add {address}/24 dev eth0" for address in more))
        addresses += more
    backends = {f"n{number}": (address, 1) for number, address in enumerate(addresses[:10])}
    # To the servers themselves, which do not hold the services' addresses.
    check = {"type": "http", "via": "address", "interval": "1s", "timeout": "500ms", "rise": 2, "fall": 3}
    config = lab.configuration(forwardings=[])
    for number in range(_SERVICES):
        config["services"][f"s{number}"] = service("direct", backends, address=f"192.0.2.{100 + number}", health=check)
    # The servers hold one of them, which the client asks.
    for server in lab.servers.values():
        server.hold_direct("192.0.2.150")
    return config


@case("hundred_services", alone=True)
def hundred_services(run):
    """100 services of 10 backends: under 40 MB anonymous memory, started and forwarding within one second."""
    with run.lab() as lab:
        seconds = lab.balancer.start(_hundred_services(lab))
        report = lab.traffic.short("192.0.2.150:80", connections=200)
        lab.balancer.wait_until_in_rotation()
        memory = lab.balancer.resident_anonymous_kib()
        run.figure(start_s=round(seconds, 3), rss_anon_kib=memory, failed=report["failed"])
        run.expect(report["failed"] == 0, f"right after the start connections failed: {report}")
        run.expect(seconds <= _START_LIMIT_S, f"the start took {seconds:.2f} s")
        run.expect(memory < _RSS_LIMIT_KIB, f"astild holds {memory} KiB of anonymous memory")
        again = lab.balancer.query("status")
        run.expect(len(again["services"]) == _SERVICES, "not every service is there")
